package plugin

import (
	"runtime"
	"time"
)

// Limits bound one plugin. Zero fields take the host's defaults.
type Limits struct {
	MemoryBytes     int64         // linear memory of one instance, rounded down to 64 KiB pages; default 64 MiB, at most 2 GiB
	Timeout         time.Duration // one call into the guest (a chunk of rows, its start-up, its weir_init); default 5 s
	Fuel            int64         // units (host/plugin/fuel; about one simple instruction each) that one such call may burn; default 10^10
	FuelPerSecond   int64         // units a second that all instances of the plugin may burn together, on average; callers over it wait. Default: as many as they like
	MaxInstances    int           // instances at once, and so calls at once; more callers wait; default 2×GOMAXPROCS
	IdleAfter       time.Duration // an instance unused this long is closed, so a pool shrinks to zero; default 60 s
	MaxOutputBytes  int64         // one answer: all buffers of a batch, or a document; default MemoryBytes
	LogPerSecond    int           // records a second that all instances of the plugin may log together, what they print included; default 20
	HostCallTimeout time.Duration // one call of a guest into the host (ABI.md, section 9); default 2 s
}

// defaultFuel is some seconds of work at full speed: about what the default time limit allows, and the same on every machine.
const defaultFuel = 10_000_000_000

// standard are the defaults of a host that says nothing. MaxOutputBytes follows the memory of each plugin.
func standard() Limits {
	return Limits{
		MemoryBytes: 64 << 20, Timeout: 5 * time.Second, Fuel: defaultFuel, MaxInstances: 2 * runtime.GOMAXPROCS(0),
		IdleAfter: time.Minute, LogPerSecond: 20, HostCallTimeout: 2 * time.Second,
	}
}

// or puts d's values where l has none.
func (l Limits) or(d Limits) Limits {
	l.MemoryBytes = min(either(l.MemoryBytes, d.MemoryBytes), 2<<30)
	l.Timeout = either(l.Timeout, d.Timeout)
	l.Fuel = either(l.Fuel, d.Fuel)
	l.FuelPerSecond = max(either(l.FuelPerSecond, d.FuelPerSecond), 0)
	l.MaxInstances = either(l.MaxInstances, d.MaxInstances)
	l.IdleAfter = either(l.IdleAfter, d.IdleAfter)
	l.LogPerSecond = either(l.LogPerSecond, d.LogPerSecond)
	l.HostCallTimeout = either(l.HostCallTimeout, d.HostCallTimeout)
	if l.MaxOutputBytes = either(l.MaxOutputBytes, d.MaxOutputBytes); l.MaxOutputBytes <= 0 {
		l.MaxOutputBytes = l.MemoryBytes
	}
	return l
}

func either[T int | int64 | time.Duration](v, otherwise T) T {
	if v > 0 {
		return v
	}
	return otherwise
}

// within cuts l to a ceiling, of which zero fields cut nothing.
func (l Limits) within(c Limits) Limits {
	l.MemoryBytes = least(l.MemoryBytes, c.MemoryBytes)
	l.Timeout = least(l.Timeout, c.Timeout)
	l.Fuel = least(l.Fuel, c.Fuel)
	if l.FuelPerSecond = least(l.FuelPerSecond, c.FuelPerSecond); l.FuelPerSecond <= 0 {
		l.FuelPerSecond = c.FuelPerSecond
	}
	l.MaxInstances = least(l.MaxInstances, c.MaxInstances)
	l.IdleAfter = least(l.IdleAfter, c.IdleAfter)
	l.MaxOutputBytes = least(l.MaxOutputBytes, c.MaxOutputBytes)
	l.LogPerSecond = least(l.LogPerSecond, c.LogPerSecond)
	l.HostCallTimeout = least(l.HostCallTimeout, c.HostCallTimeout)
	return l
}

func least[T int | int64 | time.Duration](v, ceiling T) T {
	if ceiling > 0 {
		return min(v, ceiling)
	}
	return v
}
