package kv

import (
	"context"
	"fmt"

	"github.com/weir-ml/weir/host/errs"
)

// maxHeads bounds the memory of a committer's head map (about 100 bytes a key).
const maxHeads = 1 << 16

// head is the last write of a subject as the committer knows it.
type head struct {
	rev  uint64 // 0 = never written
	live bool   // a value; false for a delete marker or none
}

// heads maps subjects to their last write; what is not in it is not known.
type heads map[string]head

func (h heads) set(subject string, v head) {
	if _, ok := h[subject]; !ok && len(h) >= maxHeads {
		drop := maxHeads / 4
		for k := range h { // any quarter will do: it is only a cache
			if delete(h, k); drop == 0 {
				break
			}
			drop--
		}
	}
	h[subject] = v
}

// load reads the unknown heads that the group's expectations need, all in one round trip. What cannot be read stays unknown.
func (c *committer) load(group []*write) {
	var subjects []string
	for _, w := range group {
		for i := range w.records {
			r := &w.records[i]
			if r.expect.mode == expectAny {
				continue
			}
			if _, ok := c.heads[r.subject]; !ok {
				subjects = append(subjects, r.subject)
			}
		}
	}
	if len(subjects) == 0 {
		return
	}
	found, err := c.wire.heads(subjects)
	if err != nil {
		return
	}
	for i, s := range subjects {
		c.heads.set(s, found[i])
	}
}

// reload reads one head anew.
func (c *committer) reload(subject string) (head, error) {
	found, err := c.wire.heads([]string{subject})
	if err != nil {
		return head{}, err
	}
	c.heads.set(subject, found[0])
	return found[0], nil
}

// demands turns the expectations of w into the sequences to demand per record (noDemand = none). bad is the first record whose
// expectation the known head contradicts, else -1. An unknown head under Absent is taken for never written.
func (c *committer) demands(w *write) (demand []uint64, bad int) {
	demand, bad = make([]uint64, len(w.records)), -1
	for i := range w.records {
		r := &w.records[i]
		h, known := c.heads[r.subject]
		switch r.expect.mode {
		case expectAny:
			demand[i] = noDemand
		case expectAbsent:
			demand[i] = h.rev
		case expectExact:
			demand[i] = r.expect.rev
		}
		if bad < 0 && known && !c.allows(r.expect, h) {
			bad = i
		}
	}
	return demand, bad
}

func (c *committer) allows(e Expect, h head) bool {
	switch e.mode {
	case expectAbsent:
		return !h.live
	case expectExact:
		return e.rev == h.rev
	}
	return true
}

// learn remembers the revisions of an acknowledged write whose last record has the sequence last.
func (c *committer) learn(w *write, last uint64) {
	first := last - uint64(len(w.records)) + 1
	for i := range w.records {
		r := &w.records[i]
		_, known := c.heads[r.subject]
		if known || r.expect.mode != expectAny { // blind writes alone need no head
			c.heads.set(r.subject, head{rev: first + uint64(i), live: !c.keys || r.header.Get(headerOperation) == ""})
		}
	}
}

// forget drops the heads of a write whose outcome is not known.
func (c *committer) forget(w *write) {
	for i := range w.records {
		delete(c.heads, w.records[i].subject)
	}
}

// staleError words a failed expectation. Create and the buckets name the key; here it is the subject's last part.
func (c *committer) staleError(r *record, h head) error {
	found := fmt.Sprintf("revision %d", h.rev)
	switch {
	case h.rev == 0:
		found = "nothing"
	case !h.live:
		found = fmt.Sprintf("a delete marker, revision %d", h.rev)
	}
	what := fmt.Sprintf("stream %s, subject %q", c.stream, r.subject)
	if c.keys {
		bucket := c.stream[len(bucketStream):]
		what = fmt.Sprintf("bucket %s, key %q", bucket, r.subject[len(subjectPrefix(bucket)):])
	}
	if r.expect.mode == expectAbsent {
		return errs.With(errs.Conflict, fmt.Errorf("%s: expected %v, found %s: %w: %w", what, r.expect, found, ErrExists, ErrStale))
	}
	return errs.New(errs.Conflict, "%s: expected %v, found %s: %w", what, r.expect, found, ErrStale)
}

// clearHeads empties the head map from outside the committer's goroutine, by a write that stores nothing.
func (c *committer) clearHeads(ctx context.Context) error {
	w := newWrite(nil)
	if err := c.enqueue(ctx, w); err != nil {
		return err
	}
	_, err := c.wait(ctx, w)
	return err
}
