package plugin

import (
	"context"
	"crypto/rand"
	"encoding/binary"
	"io"
	mathrand "math/rand/v2"
	"time"

	"github.com/tetratelabs/wazero"
	"github.com/tetratelabs/wazero/sys"

	"github.com/weir-ml/weir/host/errs"
)

// epoch is where the clocks of a guest without the grant begin, and step what each reading adds: a clock that stands still
// would hang a guest that waits for it.
var epoch = time.Date(2022, 1, 1, 0, 0, 0, 0, time.UTC)

const step = int64(time.Millisecond)

var processBegan = time.Now()

// configure makes WASI's clocks and random numbers real for instances with the grants; without them wazero's defaults
// stay, which are the same in every run. They are real inside gates and handlers alone: what a guest reads while it starts
// would otherwise find its way into results that are not recorded.
func (c *hostCalls) configure(cfg wazero.ModuleConfig) wazero.ModuleConfig {
	if c.grants.has("clock") {
		c.fakeWall = epoch.UnixNano()
		cfg = cfg.WithWalltime(c.wallTime, sys.ClockResolution(1000)).WithNanotime(c.nanoTime, sys.ClockResolution(1))
	}
	if c.grants.has("random") {
		c.random = &wasiRandom{c, mathrand.NewChaCha8([32]byte{})}
	}
	return cfg
}

func (c *hostCalls) wallTime() (sec int64, nsec int32) {
	if c.ctx != nil {
		a := c.perform(hostWallTime, "clock", "", nil, func(context.Context) answer {
			now := time.Now()
			return answer{data: binary.LittleEndian.AppendUint32(binary.LittleEndian.AppendUint64(nil, uint64(now.Unix())), uint32(now.Nanosecond()))}
		})
		c.reply = nil
		if a.status == statusDone {
			return int64(binary.LittleEndian.Uint64(a.data)), int32(binary.LittleEndian.Uint32(a.data[8:]))
		}
	}
	c.fakeWall += step
	return c.fakeWall / 1e9, int32(c.fakeWall % 1e9)
}

// nanoTime never goes back, also where its real and its other readings meet.
func (c *hostCalls) nanoTime() int64 {
	if c.ctx != nil {
		if c.journal != nil {
			if e, replaying, ok := c.journal.tick(); replaying {
				if ok && len(e.data) == 8 {
					c.fakeMono = int64(binary.LittleEndian.Uint64(e.data))
				} else {
					c.fakeMono += step
				}
				c.burn(8)
				return c.fakeMono
			}
		}
		if a := c.permitted(hostNanoTime, "clock", ""); a.status == statusDone {
			c.fakeMono = max(c.fakeMono+1, int64(time.Since(processBegan)))
			a.data = binary.LittleEndian.AppendUint64(nil, uint64(c.fakeMono))
			c.settle(hostNanoTime, nil, a, false)
			c.reply = nil
			return c.fakeMono
		}
	}
	c.fakeMono += step
	return c.fakeMono
}

// wasiRandom is WASI's random source of an instance with the grant.
type wasiRandom struct {
	c    *hostCalls
	fake io.Reader
}

func (r *wasiRandom) Read(p []byte) (int, error) {
	if r.c.ctx == nil {
		return r.fake.Read(p)
	}
	a := r.c.perform(hostRandomGet, "random", "", [][]byte{binary.LittleEndian.AppendUint32(nil, uint32(len(p)))}, func(context.Context) answer {
		if len(p) > maxRandomBytes {
			return fail(statusLimit, "at most %d random bytes at once", maxRandomBytes)
		}
		b := make([]byte, len(p))
		_, _ = rand.Read(b) // never fails
		return answer{data: b}
	})
	r.c.reply = nil
	if a.status != statusDone {
		return 0, io.ErrUnexpectedEOF
	}
	if len(a.data) != len(p) {
		panic(faultf(errs.Conflict, causeReplay, "the journal has %d random bytes where %d are asked for", len(a.data), len(p)))
	}
	return copy(p, a.data), nil
}
