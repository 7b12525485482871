package serving

import (
	"syscall"
	"time"
)

// shortWait is the delay from which Go's timers are exact enough.
const shortWait = 5 * time.Millisecond

// pause blocks its thread for d, to some 60 µs. It may return early (a signal came): callers look at the clock.
func pause(d time.Duration) {
	ts := syscall.NsecToTimespec(int64(d))
	_ = syscall.Nanosleep(&ts, nil) // EINTR: see above
}
