//go:build !linux

package serving

import "time"

// shortWait is zero: timers are used for every wait.
const shortWait = 0

func pause(d time.Duration) { time.Sleep(d) }
