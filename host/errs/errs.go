// Package errs is weir's one error vocabulary: few kinds, mapped once per wire protocol by the edge that speaks it.
//
// It is not a logging or a wrapping library: wrap with fmt.Errorf("load model %s@%d: %w", …) and test with errors.Is,
// errors.As or KindOf, never with text. An error without a kind is Internal: its text is for the log, not for a user.
package errs

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
)

// Kind says what a caller can do about an error. The zero value is Internal.
type Kind uint8

// The kinds. Each edge has one table from these to its protocol's codes.
const (
	Internal        Kind = iota // a fault of weir: the user sees an id, the log has the cause
	Invalid                     // the request is wrong and stays wrong: mend it
	NotFound                    // the named thing does not exist
	Exists                      // the named thing exists already
	Conflict                    // somebody else was faster, or the state forbids it: read again and retry
	Unauthenticated             // who are you?
	Forbidden                   // known, but not allowed (a missing grant, too)
	Exhausted                   // a limit was reached: memory, queue, rate, size, fuel
	Unavailable                 // not now: starting, draining, or the part behind it is away; retry later
	Timeout                     // the time limit ran out
	Unimplemented               // weir knows the request and does not do it
)

// Kinds lists every kind in declaration order; edges' golden tables range over it.
var Kinds = []Kind{Internal, Invalid, NotFound, Exists, Conflict, Unauthenticated, Forbidden, Exhausted, Unavailable, Timeout, Unimplemented}

var kindNames = [...]string{"internal", "invalid", "not_found", "exists", "conflict", "unauthenticated", "forbidden", "exhausted", "unavailable", "timeout", "unimplemented"}

// String is the kind's name in snake case, as it appears in API bodies.
func (k Kind) String() string {
	if int(k) < len(kindNames) {
		return kindNames[k]
	}
	return "internal"
}

// ParseKind is the inverse of String; an unknown name is Internal.
func ParseKind(name string) Kind {
	for i, n := range kindNames {
		if n == name {
			return Kind(i)
		}
	}
	return Internal
}

// Error is a kinded error. Its message is written for the user: it names the offending thing and, where there is one, the fix.
type Error struct {
	Kind  Kind
	msg   string
	cause error // or nil
}

// Error returns the message; the cause's text is part of it.
func (e *Error) Error() string { return e.msg }

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.cause }

// New makes an error of kind k. A %w verb keeps its operand as the cause.
func New(k Kind, format string, args ...any) error {
	err := fmt.Errorf(format, args...)
	return &Error{Kind: k, msg: err.Error(), cause: errors.Unwrap(err)}
}

// Unknown is a NotFound that lists what there is, so that a misspelt name is seen at once. noun is singular ("gate");
// known may come in any order and is not changed.
func Unknown(noun, name string, known []string) error {
	if len(known) == 0 {
		return New(NotFound, "%s %q not found: there are none", noun, name)
	}
	known = slices.Sorted(slices.Values(known))
	more := ""
	if len(known) > 20 {
		more = fmt.Sprintf(" and %d more", len(known)-20)
		known = known[:20]
	}
	return New(NotFound, "%s %q not found; known %ss: %s%s", noun, name, noun, strings.Join(known, ", "), more)
}

// With gives err the kind k and keeps its text and chain. With(k, nil) is nil.
func With(k Kind, err error) error {
	if err == nil {
		return nil
	}
	return &Error{Kind: k, msg: err.Error(), cause: err}
}

// KindOf returns the kind of the outermost kinded error in err's chain. Context errors without a kind are Timeout
// (deadline) or Unavailable (cancelled); anything else is Internal. KindOf(nil) is Internal: ask only about errors.
func KindOf(err error) Kind {
	var e *Error
	if errors.As(err, &e) {
		return e.Kind
	}
	switch {
	case errors.Is(err, context.DeadlineExceeded):
		return Timeout
	case errors.Is(err, context.Canceled):
		return Unavailable
	}
	return Internal
}

// Is reports whether err is not nil and of kind k.
func Is(err error, k Kind) bool { return err != nil && KindOf(err) == k }
