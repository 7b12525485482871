package plugin

import (
	"context"
	"encoding/binary"
	"fmt"
	"io"
	mathrand "math/rand"

	"github.com/tetratelabs/wazero"
	"github.com/tetratelabs/wazero/api"
	"github.com/tetratelabs/wazero/imports/wasi_snapshot_preview1"
)

// The functions of WASI whose work grows with what a guest passes. The engine's own neither charge for it nor bound it: a call of a few
// units could take the host seconds. These do both; all others are the engine's.

// Bounds of one call, as operating systems have them (IOV_MAX).
const (
	maxBuffers       = 1024
	maxSubscriptions = 1024
	bufferUnits      = 50 // fuel of one buffer or subscription
)

// WASI's error numbers.
const (
	wasiDone        = 0
	wasiBadFile     = 8
	wasiFault       = 21
	wasiInvalid     = 28
	wasiIO          = 29
	wasiNotSeekable = 70
)

// instantiateWASI adds WASI to a runtime.
func instantiateWASI(ctx context.Context, rt wazero.Runtime) error {
	b := rt.NewHostModuleBuilder(wasi_snapshot_preview1.ModuleName)
	wasi_snapshot_preview1.NewFunctionExporter().ExportFunctions(b)
	for name, f := range map[string]struct {
		params []api.ValueType
		do     func(c *hostCalls, a []uint64) uint64
	}{
		"fd_write":    {i32s(4), (*hostCalls).wasiWrite},
		"fd_read":     {i32s(4), (*hostCalls).wasiRead},
		"fd_pwrite":   {[]api.ValueType{i32, i32, i32, i64, i32}, (*hostCalls).wasiSeek},
		"fd_pread":    {[]api.ValueType{i32, i32, i32, i64, i32}, (*hostCalls).wasiSeek},
		"random_get":  {i32s(2), (*hostCalls).wasiRandomGet},
		"poll_oneoff": {i32s(4), (*hostCalls).wasiPoll},
	} {
		b.NewFunctionBuilder().WithGoFunction(api.GoFunc(func(ctx context.Context, stack []uint64) {
			stack[0] = f.do(ctx.Value(hostCallsKey{}).(*hostCalls), stack)
		}), f.params, i32s(1)).Export(name)
	}
	if _, err := b.Instantiate(ctx); err != nil {
		return fmt.Errorf("prepare WASI: %w", err)
	}
	return nil
}

// region is n items of size bytes each in guest memory, nil when they do not lie there.
func (c *hostCalls) region(ptr, n, size uint64) []byte {
	ptr, n = uint64(uint32(ptr)), uint64(uint32(n))*size
	if m := c.in.memory(); ptr+n <= uint64(len(m)) {
		return m[ptr : ptr+n : ptr+n]
	}
	return nil
}

// wasiWrite is fd_write(fd, buffers, count, result): standard output and error are the log.
func (c *hostCalls) wasiWrite(a []uint64) uint64 {
	if fd := uint32(a[0]); fd != 1 && fd != 2 {
		return wasiBadFile
	}
	n := uint64(uint32(a[2]))
	if n > maxBuffers {
		return wasiInvalid
	}
	buffers, result := c.region(a[1], n, 8), c.region(a[3], 4, 1)
	if buffers == nil && n > 0 || result == nil {
		return wasiFault
	}
	c.in.meter.Burn(hostCallUnits + int64(n)*bufferUnits)
	written := uint32(0)
	for ; len(buffers) > 0; buffers = buffers[8:] {
		size := binary.LittleEndian.Uint32(buffers[4:])
		text := c.region(uint64(binary.LittleEndian.Uint32(buffers)), uint64(size), 1)
		if text == nil {
			return wasiFault
		}
		if size > 0 {
			_, _ = c.log.Write(text) // never fails
			c.in.meter.Burn(int64(min(len(text), logLineBytes)) / 4)
		}
		written += size
	}
	binary.LittleEndian.PutUint32(result, written)
	return wasiDone
}

// wasiRead is fd_read(fd, buffers, count, result): standard input is at its end.
func (c *hostCalls) wasiRead(a []uint64) uint64 {
	if uint32(a[0]) != 0 {
		return wasiBadFile
	}
	result := c.region(a[3], 4, 1)
	if result == nil {
		return wasiFault
	}
	binary.LittleEndian.PutUint32(result, 0)
	return wasiDone
}

// wasiSeek is fd_pread and fd_pwrite: there is nothing with places.
func (c *hostCalls) wasiSeek(a []uint64) uint64 {
	if uint32(a[0]) > 2 {
		return wasiBadFile
	}
	return wasiNotSeekable
}

// wasiRandomGet is random_get(address, length).
func (c *hostCalls) wasiRandomGet(a []uint64) uint64 {
	if uint32(a[1]) > maxRandomBytes {
		return wasiInvalid
	}
	at := c.region(a[0], a[1], 1)
	switch {
	case at == nil:
		return wasiFault
	case c.random == nil:
		// The engine's own numbers: the same in every run.
		c.random = mathrand.New(mathrand.NewSource(42))
	}
	if _, real := c.random.(*wasiRandom); !real || c.ctx == nil { // real ones are charged where they are made
		c.burn(len(at))
	}
	if _, err := io.ReadFull(c.random, at); err != nil {
		return wasiIO
	}
	return wasiDone
}

// wasiPoll is poll_oneoff(subscriptions, events, count, result): nobody sleeps here, so all that was waited for has happened.
func (c *hostCalls) wasiPoll(a []uint64) uint64 {
	n := uint64(uint32(a[2]))
	if n == 0 || n > maxSubscriptions {
		return wasiInvalid
	}
	in, out, result := c.region(a[0], n, 48), c.region(a[1], n, 32), c.region(a[3], 4, 1)
	if in == nil || out == nil || result == nil {
		return wasiFault
	}
	c.in.meter.Burn(hostCallUnits + int64(n)*bufferUnits)
	const read, write = 1, 2 // and 0, a clock
	for i := range int(n) {
		// User data, kind, and for files the descriptor; an event has the user data, an error number and the kind. They may overlap.
		s, e := in[48*i:], out[32*i:][:32]
		user, kind, fd := binary.LittleEndian.Uint64(s), s[8], binary.LittleEndian.Uint32(s[16:])
		code := uint16(wasiDone)
		switch {
		case kind > write:
			return wasiInvalid
		case kind == read && fd != 0, kind == write && fd != 1 && fd != 2:
			code = wasiBadFile
		}
		clear(e)
		binary.LittleEndian.PutUint64(e, user)
		binary.LittleEndian.PutUint16(e[8:], code)
		e[10] = kind
	}
	binary.LittleEndian.PutUint32(result, uint32(n))
	return wasiDone
}
