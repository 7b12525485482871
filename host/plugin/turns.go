package plugin

import (
	"container/list"
	"context"
	"sync"
)

// turns hands out a pool's places. Who finds none waits in the line of its tenant, and a place that comes free goes to the
// tenants in turn: a flood of one tenant's calls delays another's by one call for each tenant, whatever its length.
type turns struct {
	mu      sync.Mutex
	free    int
	ring    list.List // *tenant: those with somebody waiting, the next one to be served first
	waiting int       // over all tenants
}

// tenant is one user of a pool: a Plugin.
type tenant struct {
	line list.List // *waiter
	at   *list.Element
}

type waiter struct {
	ready chan struct{} // closed when the place is the waiter's
}

func newTurns(places int) *turns { return &turns{free: places} }

// take takes a place if one is free and nobody waits. Otherwise it joins t's line and answers the place in it.
func (q *turns) take(t *tenant) (w *list.Element) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.free > 0 {
		q.free-- // free places and waiters are never there together
		return nil
	}
	w = t.line.PushBack(&waiter{make(chan struct{})})
	if t.at == nil {
		t.at = q.ring.PushBack(t)
	}
	q.waiting++
	return w
}

// wait waits for the place that w stands for; false: ctx ended earlier, and the caller is out of the line.
func (q *turns) wait(ctx context.Context, t *tenant, w *list.Element) bool {
	ready := w.Value.(*waiter).ready
	select {
	case <-ready:
		return true
	case <-ctx.Done():
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	select {
	case <-ready: // it came at the same moment
		return true
	default:
	}
	t.line.Remove(w)
	q.waiting--
	if t.line.Len() == 0 {
		q.ring.Remove(t.at)
		t.at = nil
	}
	return false
}

// give gives a place back, to the next in turn if anybody waits.
func (q *turns) give() {
	q.mu.Lock()
	defer q.mu.Unlock()
	first := q.ring.Front()
	if first == nil {
		q.free++
		return
	}
	t := first.Value.(*tenant)
	w := t.line.Remove(t.line.Front()).(*waiter)
	q.waiting--
	if t.line.Len() == 0 {
		q.ring.Remove(first)
		t.at = nil
	} else {
		q.ring.MoveToBack(first)
	}
	close(w.ready)
}

// length is how many callers wait.
func (q *turns) length() int {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.waiting
}
