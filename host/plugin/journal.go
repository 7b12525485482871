package plugin

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"slices"
	"sync"

	"github.com/weir-ml/weir/host/errs"
)

// hostFunction numbers what a guest may ask of the host. The numbers are those of docs/formats/journal.md and never change.
type hostFunction byte

const (
	hostLog          hostFunction = 1
	hostClock        hostFunction = 2
	hostRandom       hostFunction = 3
	hostKVGet        hostFunction = 4
	hostKVPut        hostFunction = 5
	hostKVDelete     hostFunction = 6
	hostFeaturesRead hostFunction = 7
	hostModelInfer   hostFunction = 8
	hostHTTPRequest  hostFunction = 9
	hostWallTime     hostFunction = 10 // WASI's clocks and random numbers
	hostNanoTime     hostFunction = 11
	hostRandomGet    hostFunction = 12
	hostVarGet       hostFunction = 13 // Extism's variables
)

var hostFunctionNames = [...]string{
	hostLog: "log", hostClock: "clock", hostRandom: "random", hostKVGet: "kv_get", hostKVPut: "kv_put", hostKVDelete: "kv_delete",
	hostFeaturesRead: "features_read", hostModelInfer: "model_infer", hostHTTPRequest: "http_request",
	hostWallTime: "wasi_wall_clock", hostNanoTime: "wasi_monotonic_clock", hostRandomGet: "wasi_random", hostVarGet: "var_get",
}

func (f hostFunction) String() string { return hostFunctionNames[f] }

// maxJournalBytes bounds what one journal keeps; what goes beyond is not recorded, and then nothing can be played back.
const maxJournalBytes = 16 << 20

// Journal records what a gate or a handler got from the host in one call: clock readings, random bytes, replies. Played
// back, the same module with the same input does the same again and nothing outside is touched. It is safe for concurrent
// use, but serves one call of Plugin.Gate or Plugin.Handle: the recording or one playback.
//
// What an instance remembers from earlier calls is not in it, so it repeats guests that keep no state between calls.
type Journal struct {
	mu       sync.Mutex
	module   [32]byte // SHA-256 of the module; zero before the call
	entries  []journalEntry
	size     int
	cut      bool
	used     bool
	replayed bool
	next     int
	ticks    []journalEntry // a playback's readings of the monotonic clock
}

type journalEntry struct {
	function hostFunction
	status   uint8
	input    [16]byte // of SHA-256 over the arguments
	data     []byte
}

// NewJournal makes an empty recording.
func NewJournal() *Journal { return &Journal{} }

type journalKey struct{}

// WithJournal lets the call that is made with the context record to j, or be played back from it when j came from Replay.
func WithJournal(ctx context.Context, j *Journal) context.Context {
	return context.WithValue(ctx, journalKey{}, j)
}

// Len is the number of entries.
func (j *Journal) Len() int {
	j.mu.Lock()
	defer j.mu.Unlock()
	return len(j.entries)
}

// Replay makes a playback of a recording that has ended. A call that asks for something else than what was recorded, or
// for less or more, is an error of that call (errs.Conflict) that names what diverged; a recording that grew beyond
// 16 MiB is errs.Exhausted.
func (j *Journal) Replay() (*Journal, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.cut {
		return nil, errs.New(errs.Exhausted, "the journal was cut: the call got more than %d bytes from the host", maxJournalBytes)
	}
	r := &Journal{module: j.module, replayed: true, size: j.size}
	for _, e := range j.entries {
		if e.function == hostNanoTime {
			r.ticks = append(r.ticks, e)
		} else {
			r.entries = append(r.entries, e)
		}
	}
	return r, nil
}

// begin claims the journal for a call into the module.
func (j *Journal) begin(digest string) error {
	j.mu.Lock()
	defer j.mu.Unlock()
	var module [32]byte
	_, _ = hex.Decode(module[:], []byte(digest[len("sha256:"):]))
	switch {
	case j.used:
		return faultf(errs.Invalid, causeReplay, "a journal serves one call: make another, or another Replay")
	case j.replayed && j.module != module:
		return faultf(errs.Conflict, causeReplay, "the journal is of the module sha256:%x", j.module[:6])
	}
	j.used, j.module = true, module
	return nil
}

// end reports entries that the playback did not ask for.
func (j *Journal) end() error {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.replayed && j.next < len(j.entries) {
		return faultf(errs.Conflict, causeReplay, "the playback diverged: it ended before call %d of %d to the host, %s", j.next+1, len(j.entries), j.entries[j.next].function)
	}
	return nil
}

// take plays the next entry back. replaying is false for a recording.
func (j *Journal) take(f hostFunction, input [16]byte) (e journalEntry, replaying bool, err error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	if !j.replayed {
		return e, false, nil
	}
	if j.next >= len(j.entries) {
		return e, true, faultf(errs.Conflict, causeReplay, "the playback diverged: call %d to the host is %s, the recording has %d", j.next+1, f, len(j.entries))
	}
	e = j.entries[j.next]
	if e.function != f {
		return e, true, faultf(errs.Conflict, causeReplay, "the playback diverged: call %d to the host is %s, was %s", j.next+1, f, e.function)
	}
	if e.input != input {
		return e, true, faultf(errs.Conflict, causeReplay, "the playback diverged: call %d to the host, %s, has other arguments", j.next+1, f)
	}
	j.next++
	return e, true, nil
}

// tick plays the next reading of the monotonic clock back. Language runtimes read that clock whenever they like, so that
// more or fewer readings are no divergence: none is left when ok is false.
func (j *Journal) tick() (e journalEntry, replaying, ok bool) {
	j.mu.Lock()
	defer j.mu.Unlock()
	if !j.replayed || len(j.ticks) == 0 {
		return e, j.replayed, false
	}
	e, j.ticks = j.ticks[0], j.ticks[1:]
	return e, true, true
}

// record keeps a copy of one entry.
func (j *Journal) record(f hostFunction, input [16]byte, status uint32, data []byte) {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.size += len(data) + 24; j.size > maxJournalBytes {
		j.cut, j.entries = true, nil
		return
	}
	j.entries = append(j.entries, journalEntry{f, uint8(status), input, bytes.Clone(data)})
}

// inputDigest tells arguments apart.
func inputDigest(parts ...[]byte) (d [16]byte) {
	h := sha256.New()
	var n [8]byte
	for _, p := range parts {
		binary.LittleEndian.PutUint64(n[:], uint64(len(p)))
		h.Write(n[:])
		h.Write(p)
	}
	copy(d[:], h.Sum(nil))
	return d
}

// journalMagic opens the binary form: "WBJ1", whose last byte is the version.
const journalMagic = "WBJ1"

// MarshalBinary writes the journal as docs/formats/journal.md has it.
func (j *Journal) MarshalBinary() ([]byte, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	out := append(make([]byte, 0, 64+j.size), journalMagic...)
	var flags byte
	if j.cut {
		flags = 1
	}
	out = append(append(out, flags), j.module[:]...)
	out = binary.AppendUvarint(out, uint64(len(j.entries)+len(j.ticks)))
	for _, e := range slices.Concat(j.entries, j.ticks) {
		out = append(append(out, byte(e.function), e.status), e.input[:]...)
		out = append(binary.AppendUvarint(out, uint64(len(e.data))), e.data...)
	}
	return out, nil
}

// UnmarshalBinary reads what MarshalBinary wrote. Errors are errs.Invalid and name the position.
func (j *Journal) UnmarshalBinary(b []byte) error {
	bad := func(at int, what string) error { return errs.New(errs.Invalid, "journal: byte %d: %s", at, what) }
	const fixed = len(journalMagic) + 1 + 32
	if len(b) < fixed || string(b[:len(journalMagic)]) != journalMagic {
		return bad(0, "not a journal of version 1")
	}
	n := Journal{used: true}
	if b[4] > 1 {
		return bad(4, "unknown flags")
	}
	n.cut = b[4] == 1
	copy(n.module[:], b[5:])
	at := fixed
	number := func() (uint64, bool) {
		v, size := binary.Uvarint(b[at:])
		if size <= 0 || size > 1 && v>>(7*(size-1)) == 0 {
			return 0, false // cut short, beyond 64 bits, or longer than need be
		}
		at += size
		return v, true
	}
	count, ok := number()
	if !ok || count > uint64(len(b)) || n.cut && count > 0 {
		return bad(at, "a wrong number of entries")
	}
	for range count {
		if len(b)-at < 18 {
			return bad(at, "an entry is cut short")
		}
		e := journalEntry{function: hostFunction(b[at]), status: b[at+1]}
		if e.function == 0 || int(e.function) >= len(hostFunctionNames) {
			return bad(at, "an unknown function")
		}
		if e.status > uint8(statusFailed) {
			return bad(at+1, "an unknown status")
		}
		copy(e.input[:], b[at+2:])
		at += 18
		size, ok := number()
		if !ok || size > uint64(len(b)-at) {
			return bad(at, "a wrong length")
		}
		e.data = bytes.Clone(b[at : at+int(size)])
		if need, fixed := fixedData[e.function]; fixed && e.status == uint8(statusDone) && len(e.data) != need {
			return bad(at, "a reading of a wrong length")
		}
		at += int(size)
		if n.size += len(e.data) + 24; n.size > maxJournalBytes {
			return bad(at, "more than a journal may hold")
		}
		n.entries = append(n.entries, e)
	}
	if at != len(b) {
		return bad(at, "bytes after the last entry")
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	j.module, j.entries, j.size, j.cut, j.used, j.replayed, j.next, j.ticks = n.module, n.entries, n.size, n.cut, true, false, 0, nil
	return nil
}

// fixedData is the length of the readings of clocks.
var fixedData = map[hostFunction]int{hostClock: 8, hostWallTime: 12, hostNanoTime: 8}
