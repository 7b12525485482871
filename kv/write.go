package kv

import (
	"fmt"
	"sync/atomic"

	"github.com/nats-io/nats.go"
)

// Expect is what a write demands of a key's present revision. The zero value is Any.
type Expect struct {
	mode expectMode
	rev  uint64
}

type expectMode uint8

const (
	expectAny    expectMode = iota
	expectAbsent            // no value: never written, or a delete marker
	expectExact             // the last sequence of the subject, 0 = none
)

// Any accepts whatever is there; Absent demands that the key has no value.
var (
	Any    = Expect{}
	Absent = Expect{mode: expectAbsent}
)

// Revision demands that the key's last write was n. Revision(0) is Absent.
func Revision(n uint64) Expect {
	if n == 0 {
		return Absent
	}
	return Expect{mode: expectExact, rev: n}
}

// String says the expectation in words, for error texts.
func (e Expect) String() string {
	switch {
	case e.mode == expectAny:
		return "any revision"
	case e.mode == expectAbsent, e.rev == 0:
		return "absent"
	}
	return fmt.Sprintf("revision %d", e.rev)
}

// record is one message on its way into a stream.
type record struct {
	subject string
	header  nats.Header // without the committer's own; not shared, the committer adds to a copy
	data    []byte
	id      string // message id for deduplication, or ""
	expect  Expect
}

func (r *record) size() int {
	n := len(r.subject) + len(r.data) + 64
	for k, v := range r.header {
		n += len(k) + len(v[0]) + 4
	}
	return n
}

// write is what one caller wants stored: all of its records or none.
type write struct {
	records []record
	size    int
	state   atomic.Int32 // writeQueued → writeTaken or writeAbandoned
	done    chan struct{}

	// Set before done is closed.
	last uint64 // sequence of the last record
	err  error
}

const (
	writeQueued int32 = iota
	writeTaken
	writeAbandoned
)

func newWrite(records []record) *write {
	w := &write{records: records, done: make(chan struct{})}
	for i := range records {
		w.size += records[i].size()
	}
	return w
}

func (w *write) finish(last uint64, err error) {
	w.last, w.err = last, err
	close(w.done)
}
