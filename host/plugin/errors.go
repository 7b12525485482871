package plugin

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/tetratelabs/wazero/sys"

	"github.com/weir-ml/weir/host/errs"
	"github.com/weir-ml/weir/host/plugin/fuel"
)

// cause says why an instance was thrown away; a closed set, for the metrics' label.
type cause string

const (
	causeTimeout     cause = "timeout"       // the time limit
	causeFuel        cause = "fuel"          // the fuel of one call
	causeCancelled   cause = "cancelled"     // the caller's context
	causeMemory      cause = "memory"        // the memory limit
	causeStack       cause = "stack"         // runaway recursion
	causeBounds      cause = "out_of_bounds" // memory, table
	causeUnreachable cause = "unreachable"   // abort, panic
	causeTrap        cause = "trap"          // division by zero, a wrong indirect call and the like
	causeExit        cause = "exit"          // proc_exit
	causeOutput      cause = "bad_output"    // what it returned breaks the ABI
	causeGuest       cause = "guest_error"   // the guest answered an error
	causeCompile     cause = "compile"       // compiling it takes too long
	causeParameters  cause = "parameters"    // the parameters do not fit its schema
	causeRefused     cause = "refused"       // a host function refused it, and it had no other way to say so
	causeReplay      cause = "replay"        // it did something else than its journal says
)

// fault is a failed call: what happened and how, before the plugin's name is put to it.
type fault struct {
	kind  errs.Kind
	cause cause
	text  string
	err   error // or nil; a context's error is worth keeping in the chain
}

func (f *fault) Error() string { return f.text }

func faultf(kind errs.Kind, c cause, format string, args ...any) *fault {
	return &fault{kind: kind, cause: c, text: fmt.Sprintf(format, args...)}
}

func isFault(err error) bool {
	var f *fault
	return errors.As(err, &f)
}

// trapFault makes a fault of wazero's error of a call under limits, on behalf of ctx.
func trapFault(ctx context.Context, err error, mem *linear, l Limits) *fault {
	var exit *sys.ExitError
	var abort *abortError
	var stopped *fault // by a host function
	switch text := firstLine(err.Error()); {
	case errors.As(err, &stopped):
		return stopped
	case errors.Is(err, fuel.ErrExhausted):
		return faultf(errs.Exhausted, causeFuel, "it burned its fuel of %d units in one call: give it less work at a time, or raise its limit fuel_per_call", l.Fuel)
	case errors.Is(err, fuel.ErrDeadline):
		if cause := ctx.Err(); cause != nil {
			return &fault{errs.KindOf(cause), causeCancelled, "the caller gave up: " + cause.Error(), cause}
		}
		return faultf(errs.Timeout, causeTimeout, "stopped after its time limit of %s", l.Timeout)
	case errors.As(err, &abort):
		return faultf(errs.Invalid, causeUnreachable, "it %v", abort)
	case errors.As(err, &exit):
		return faultf(errs.Invalid, causeExit, "the guest exited with code %d", exit.ExitCode())
	case strings.Contains(text, "stack overflow"):
		return faultf(errs.Exhausted, causeStack, "its recursion overflowed the stack")
	case mem.refused:
		return faultf(errs.Exhausted, causeMemory, "it needs more than its memory limit of %d bytes (%s)", l.MemoryBytes, strings.TrimPrefix(text, "wasm error: "))
	case strings.Contains(text, "out of bounds") || strings.Contains(text, "invalid table access"):
		return faultf(errs.Invalid, causeBounds, "it trapped: %s", strings.TrimPrefix(text, "wasm error: "))
	case strings.Contains(text, "unreachable"):
		return faultf(errs.Invalid, causeUnreachable, "it trapped: unreachable (an abort or a panic)")
	default:
		return faultf(errs.Invalid, causeTrap, "it trapped: %s", strings.TrimPrefix(text, "wasm error: "))
	}
}

func firstLine(s string) string {
	s, _, _ = strings.Cut(s, "\n")
	return s
}

// named puts the plugin's name and digest before a fault: what callers see.
func named(name, digest string, err error) error {
	var f *fault
	if !errors.As(err, &f) {
		return err
	}
	who := "plugin " + short(digest)
	if name != "" {
		who = fmt.Sprintf("plugin %s (%s)", name, short(digest))
	}
	if f.err != nil {
		return errs.New(f.kind, "%s: %s%w", who, strings.TrimSuffix(f.text, f.err.Error()), f.err)
	}
	return errs.New(f.kind, "%s: %s", who, f.text)
}
