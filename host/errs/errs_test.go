package errs

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
)

func TestKindOf(t *testing.T) {
	cases := []struct {
		name string
		err  error
		want Kind
		text string
	}{
		{"plain", errors.New("x"), Internal, "x"},
		{"kinded", New(NotFound, "run %q not found", "r1"), NotFound, `run "r1" not found`},
		{"wrapped kinded", fmt.Errorf("load: %w", New(Exists, "there")), Exists, "load: there"},
		{"kinded with cause", New(Invalid, "read header: %w", io.ErrUnexpectedEOF), Invalid, "read header: unexpected EOF"},
		{"outermost wins", New(Unavailable, "retry: %w", New(Conflict, "lost")), Unavailable, "retry: lost"},
		{"with", With(Timeout, io.EOF), Timeout, "EOF"},
		{"deadline", fmt.Errorf("call: %w", context.DeadlineExceeded), Timeout, "call: context deadline exceeded"},
		{"cancelled", context.Canceled, Unavailable, "context canceled"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			if got := KindOf(c.err); got != c.want {
				t.Errorf("KindOf = %v, want %v", got, c.want)
			}
			if got := c.err.Error(); got != c.text {
				t.Errorf("text = %q, want %q", got, c.text)
			}
		})
	}
	if !errors.Is(New(Invalid, "a: %w", io.EOF), io.EOF) || !errors.Is(With(Invalid, io.EOF), io.EOF) {
		t.Error("the cause is lost")
	}
	if With(Invalid, nil) != nil || Is(nil, Internal) {
		t.Error("nil must stay nil")
	}
}

func TestKindNamesRoundTrip(t *testing.T) {
	if len(Kinds) != len(kindNames) {
		t.Fatalf("%d kinds, %d names", len(Kinds), len(kindNames))
	}
	for _, k := range Kinds {
		if ParseKind(k.String()) != k {
			t.Errorf("%v does not round-trip", k)
		}
	}
}

func TestUnknownListsWhatThereIs(t *testing.T) {
	if got := Unknown("gate", "x", nil).Error(); got != `gate "x" not found: there are none` {
		t.Error(got)
	}
	known := []string{"b", "a"}
	err := Unknown("gate", "x", known)
	if got := err.Error(); got != `gate "x" not found; known gates: a, b` || !Is(err, NotFound) || known[0] != "b" {
		t.Error(got, known)
	}
	if got := Unknown("gate", "x", make([]string, 23)).Error(); !strings.HasSuffix(got, " and 3 more") {
		t.Error(got)
	}
}
