// Package host is what a plugin in Go may ask of its host (sdk/abi/ABI.md, section 9). Each function needs a grant: list it in the
// Description, and the plugin's manifest must give it.
//
//	value, err := host.KVGet("limits/eu")
//	if errors.Is(err, host.ErrAbsent) { … }
//
// Gates and handlers may call all of them; within Transform, row functions and metrics, which are pure, everything but Log is refused. What a
// function answers is recorded by the host where a run must be repeatable, and played back in the repetition.
//
// The functions work in wasip1 builds; elsewhere each answers ErrFailed, so that a plugin's other code can be tested natively.
// A module imports only the functions that it calls. Errors are of type *Error. Read this file first; documents.go has those that take documents.
package host

import (
	"errors"

	"github.com/weir-ml/weir/sdk/abi"
)

// What errors are, for errors.Is.
var (
	ErrAbsent  = errors.New("absent")          // there is no such key, view or model
	ErrRefused = errors.New("refused")         // no grant, outside its scope, or not in this export
	ErrLimit   = errors.New("a limit was met") // of size, rate or time
	ErrFailed  = errors.New("failed")
)

// Error is a call that was not done.
type Error struct {
	Call   string // the function, as ABI.md names it
	Status abi.Status
	Text   string // the host's words
}

// Error is the function and the host's words.
func (e *Error) Error() string {
	text := e.Text
	if text == "" {
		text = e.Status.String()
	}
	return e.Call + ": " + text
}

// Unwrap is one of the errors above.
func (e *Error) Unwrap() error {
	switch e.Status {
	case abi.StatusAbsent:
		return ErrAbsent
	case abi.StatusRefused:
		return ErrRefused
	case abi.StatusLimit:
		return ErrLimit
	}
	return ErrFailed
}

// Log writes a line to the host's log, cut and limited in rate; it works in all exports. Grant: log.
func Log(level abi.LogLevel, text string) error {
	_, err := do("log", false, func() abi.Status { return callLog(level, text) })
	return err
}

// Clock is the time in microseconds since 1970-01-01T00:00:00Z. Grant: clock.
func Clock() (microseconds int64, err error) {
	_, err = do("clock", false, func() abi.Status { return callClock(&microseconds) })
	return microseconds, err
}

// Random fills b. Grant: random.
func Random(b []byte) error {
	if len(b) == 0 {
		return nil
	}
	_, err := do("random", false, func() abi.Status { return callRandom(b) })
	return err
}

// KVGet is the value of a key; ErrAbsent when there is none. Grant: kv.read:key.
func KVGet(key string) ([]byte, error) {
	return do("kv_get", true, func() abi.Status { return callKVGet(key) })
}

// KVPut gives a key its value. Grant: kv.write:key.
func KVPut(key string, value []byte) error {
	_, err := do("kv_put", false, func() abi.Status { return callKVPut(key, value) })
	return err
}

// KVDelete forgets a key; ErrAbsent when there is none. Grant: kv.write:key.
func KVDelete(key string) error {
	_, err := do("kv_delete", false, func() abi.Status { return callKVDelete(key) })
	return err
}

// do calls a function and reads its reply: the answer, where there is one, or the error's text.
func do(name string, replies bool, f func() abi.Status) ([]byte, error) {
	status := f()
	if status != abi.StatusDone {
		return nil, &Error{Call: name, Status: status, Text: string(reply())}
	}
	if !replies {
		return nil, nil
	}
	return reply(), nil
}
