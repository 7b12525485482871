package kv

import (
	"errors"
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/weir-ml/weir/host/errs"
)

// A server that takes writes and never answers: every caller learns that the outcome is unknown, none is told of success.
func TestUnknownOutcome(t *testing.T) {
	s, err := Open(t.Context(), Options{Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if _, err := s.reads.Subscribe("silent.>", func(*nats.Msg) {}); err != nil {
		t.Fatal(err)
	}
	if err := s.reads.Flush(); err != nil {
		t.Fatal(err)
	}
	c, err := newCommitter(s.writes, "silent", false, s.metrics)
	if err != nil {
		t.Fatal(err)
	}
	defer c.close()
	c.wire.timeout = 30 * time.Millisecond
	var ws []*write
	for range 3 { // in a row
		ws = append(ws, newWrite([]record{{subject: "silent.x"}}))
	}
	for range 2 { // with them, a batch
		ws = append(ws, newWrite([]record{{subject: "silent.y"}, {subject: "silent.z"}}))
	}
	for _, group := range [][]*write{ws[:1], ws[1:3], ws[3:]} {
		if err := c.enqueue(t.Context(), group...); err != nil {
			t.Fatal(err)
		}
		for i, w := range group {
			if seq, err := c.wait(t.Context(), w); seq != 0 || !errors.Is(err, ErrUnknownOutcome) || !errs.Is(err, errs.Timeout) {
				t.Errorf("write %d of %d: sequence %d, %v", i, len(group), seq, err)
			}
		}
	}
}
