package plugin

import (
	"context"
	"sync"
	"time"
)

// rate is a token bucket that may go into debt: work is paid for when it is done, since nobody knows its price before, and
// whoever comes while there is debt waits until it is paid off. It holds at most one second's income. A nil rate has no limit.
type rate struct {
	perSecond float64
	now       func() time.Time

	mu    sync.Mutex
	level float64
	at    time.Time
}

// newRate is nil for a limit of 0.
func newRate(perSecond int64, now func() time.Time) *rate {
	if perSecond <= 0 {
		return nil
	}
	return &rate{perSecond: float64(perSecond), now: now, level: float64(perSecond), at: now()}
}

// spend takes units out, into debt if need be.
func (r *rate) spend(units int64) {
	if r == nil || units <= 0 {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.earn()
	r.level -= float64(units)
}

func (r *rate) earn() {
	now := r.now()
	if d := now.Sub(r.at); d > 0 {
		r.level = min(r.perSecond, r.level+d.Seconds()*r.perSecond)
		r.at = now
	}
}

// due is how long the debt takes to be paid off; 0: there is none.
func (r *rate) due() time.Duration {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.earn()
	if r.level > 0 {
		return 0
	}
	// A unit more than the debt, so that who comes back then finds something.
	return time.Duration((1-r.level)/r.perSecond*float64(time.Second)) + time.Nanosecond
}

// wait returns once there is no debt: 0. When that would last longer than ctx, or without a deadline there longer than most,
// it does not begin to wait but answers how long it would be. After ctx has been cancelled it answers its error.
func (r *rate) wait(ctx context.Context, most time.Duration) (time.Duration, error) {
	if r == nil {
		return 0, nil
	}
	if until, bounded := ctx.Deadline(); bounded {
		most = time.Until(until)
	}
	give := time.Now().Add(most)
	for {
		d := r.due()
		if d == 0 {
			return 0, nil
		}
		if time.Now().Add(d).After(give) {
			return d, nil
		}
		t := time.NewTimer(d)
		select {
		case <-t.C:
		case <-ctx.Done():
			t.Stop()
			return d, ctx.Err()
		}
	}
}
