package kv

import "time"

// Clock is the time that leases live by; tests put in one of their own.
type Clock interface {
	Now() time.Time
	// After sends once when d has passed. stop frees its resources when nobody will wait any more.
	After(d time.Duration) (c <-chan time.Time, stop func())
}

type realClock struct{}

func (realClock) Now() time.Time { return time.Now() }

func (realClock) After(d time.Duration) (<-chan time.Time, func()) {
	t := time.NewTimer(d)
	return t.C, func() { t.Stop() }
}
