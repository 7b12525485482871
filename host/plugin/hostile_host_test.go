package plugin

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/weir-ml/weir/host/errs"
)

const hostileWASI = "wasi_snapshot_preview1"

// calling is a guest that imports one function and whose gate runs code, in which $name calls it.
func calling(module, name, sig, code string) *hostileGuest {
	g := gateOf(code)
	g.imported(module, name, sig)
	return g
}

// TestHostileHostCalls: what guests do with weir:host.
func TestHostileHostCalls(t *testing.T) {
	var cases []hostileCase
	add := func(name string, grants []string, g *hostileGuest, kind errs.Kind, c cause, text string) {
		cases = append(cases, hostileCase{name: name, module: g, grants: grants, use: useGate, kind: kind, cause: c, text: text})
	}
	all := []string{"log", "clock", "random", "kv.read:a*", "kv.write:a*", "features.read:*", "model.infer:*"}
	bad := func(name, sig, arguments, text string) {
		add(name+" with a bad pointer", all, calling(hostModule, name, sig, arguments+" call $"+name+" drop"), errs.Invalid, causeBounds, text)
	}
	bad("log", "iii>i", "i32.const 1 i32.const -8 i32.const 16", "log: the text is bytes 4294967288..4294967304 of a memory of 131072")
	bad("clock", "i>i", "i32.const 131065", "clock: the place of the reading is bytes 131065..131073")
	bad("random", "ii>i", "i32.const 8 i32.const -1", "random: the place of the bytes is bytes 8..4294967303")
	bad("kv_get", "ii>i", "i32.const -1 i32.const -1", "kv_get: the key is bytes 4294967295..8589934590")
	bad("kv_put", "iiii>i", "i32.const 8 i32.const 1 i32.const 131072 i32.const 1", "kv_put: the value is bytes 131072..131073")
	bad("kv_delete", "ii>i", "i32.const 131072 i32.const 1", "kv_delete: the key is bytes 131072..131073")
	bad("features_read", "ii>i", "i32.const 131072 i32.const 1", "features_read: the request is bytes 131072..131073")
	bad("model_infer", "ii>i", "i32.const 0 i32.const -1", "model_infer: the request is bytes 0..4294967295")
	bad("http_request", "ii>i", "i32.const -1 i32.const 1", "http_request: the request is bytes 4294967295..4294967296")
	g := calling(hostModule, "reply_read", "i>", "")
	g.imported(hostModule, "kv_get", "ii>i")
	g.fn("weir_gate", "ii>l", g.span("a")+"call $kv_get drop i32.const 131072 call $reply_read i64.const 0")
	add("reply_read with a bad pointer", all, g, errs.Invalid, causeBounds, "reply_read: the reply's place is bytes 131072..131073")

	// Not granted: status 2, in which case these trap.
	refused := func(name, sig, arguments string) {
		g := calling(hostModule, name, sig, "")
		g.fn("weir_gate", "ii>l", g.span("a")+" drop drop "+arguments+" call $"+name+" i32.const 2 i32.eq if unreachable end i64.const 0")
		add(name+" without the grant", nil, g, errs.Invalid, causeUnreachable, "unreachable")
	}
	refused("log", "iii>i", "i32.const 1 i32.const 8 i32.const 1")
	refused("clock", "i>i", "i32.const 8")
	refused("random", "ii>i", "i32.const 8 i32.const 8")
	refused("kv_get", "ii>i", "i32.const 1024 i32.const 1")
	refused("kv_put", "iiii>i", "i32.const 1024 i32.const 1 i32.const 8 i32.const 1")
	refused("kv_delete", "ii>i", "i32.const 1024 i32.const 1")

	// Asked where nobody may ask: in a transform, whatever was granted.
	asking := newGuest().imported(hostModule, "clock", "i>i")
	asking.fn("weir_transform", "i>i", "i32.const 8 call $clock i32.const 2 i32.eq if unreachable end local.get 0")
	cases = append(cases, hostileCase{name: "clock in a transform", module: asking, grants: all, use: useTransform, kind: errs.Invalid, cause: causeUnreachable, text: "unreachable"})
	early := newGuest().imported(hostModule, "kv_get", "ii>i")
	early.fn("weir_init", "ii>i", "i32.const 1024 i32.const 1 call $kv_get i32.const 2 i32.eq if unreachable end i32.const 0")
	cases = append(cases, hostileCase{name: "kv_get in weir_init", module: early, grants: all, kind: errs.Invalid, cause: causeUnreachable, text: "unreachable"})

	// Floods and drips: many calls, each of them cheap.
	flood := func(name, sig, code string) *hostileGuest {
		g := calling(hostModule, name, sig, "")
		return g.fn("weir_gate", "ii>l", "loop "+code+" call $"+name+" drop br 0 end i64.const 0")
	}
	for _, c := range []struct{ name, sig, code string }{
		{"log", "iii>i", "i32.const 3 i32.const 1024 i32.const 60"},
		{"clock", "i>i", "i32.const 8"},
		{"random", "ii>i", "i32.const 8 i32.const 8"},
		{"kv_get", "ii>i", "i32.const 1030 i32.const 1"},
	} {
		add("flood of "+c.name, all, flood(c.name, c.sig, c.code), errs.Exhausted, causeFuel, "burned its fuel")
		add("drip of "+c.name, all, flood(c.name, c.sig, c.code), errs.Timeout, causeTimeout, "stopped after its time limit of 20ms")
		cases[len(cases)-1].limits = Limits{Fuel: 1 << 60, Timeout: 20 * time.Millisecond}
	}
	big := flood("random", "ii>i", "i32.const 65536 i32.const 1048576")
	big.pages = 32
	add("megabytes of random bytes", all, big, errs.Exhausted, causeFuel, "burned its fuel")

	put := flood("kv_put", "iiii>i", "i32.const 1024 i32.const 0 i32.const 0 i32.const 0x400000")
	put.pages = 64
	add("megabytes without a key", all, put, errs.Exhausted, causeFuel, "burned its fuel")
	read := flood("features_read", "ii>i", "i32.const 65536 i32.const 0x300000")
	read.pages = 64
	add("megabytes that are no request", all, read, errs.Exhausted, causeFuel, "burned its fuel")

	// Re-entrancy: the host never calls a guest that is at work, not even one that exports what it imports.
	again := calling(hostModule, "kv_get", "ii>i", "")
	again.globals = []uint32{0}
	again.fn("weir_gate", "ii>l", "global.get 0 if i64.const 0 return end i32.const 1 global.set 0 i32.const 1030 i32.const 1 call $kv_get drop i32.const 0 global.set 0 unreachable").
		fn("kv_get", "ii>i", "unreachable").fn("log", "iii>i", "unreachable").fn("weir_reply", "ii>i", "unreachable")
	again.drop["kv_get"] = false
	add("a guest that waits to be called back", all, again, errs.Invalid, causeUnreachable, "unreachable")
	// A table with its imports in it, called through call_indirect, is an ordinary call.
	through := calling(hostModule, "clock", "i>i", "i32.const -1 i32.const 0 call_indirect i>i drop")
	through.elements = []string{"$clock"}
	add("a host call by call_indirect", all, through, errs.Invalid, causeBounds, "clock: the place of the reading")
	export := newGuest().imported(hostModule, "kv_get", "ii>i")
	export.drop["weir_init"] = true
	export.extra, export.extras = append(append(wasmName(nil, "weir_init"), 0), 0), 1
	cases = append(cases, hostileCase{name: "an import for an export", module: export, grants: all, kind: errs.Invalid, cause: causeGuest, text: "weir_init failed without saying why"})
	runHostile(t, cases)
}

// TestHostileWASI: what guests do with WASI, of which they get next to nothing.
func TestHostileWASI(t *testing.T) {
	var cases []hostileCase
	add := func(name string, g *hostileGuest, kind errs.Kind, c cause, text string) {
		cases = append(cases, hostileCase{name: name, module: g, use: useGate, kind: kind, cause: c, text: text})
	}
	// fails is a call that must not answer 0: the guest traps when it answers something else.
	fails := func(name, function, sig, arguments string) {
		add(name, calling(hostileWASI, function, sig, arguments+" call $"+function+" if unreachable end"), errs.Invalid, causeUnreachable, "unreachable")
	}
	fails("path_open", "path_open", "iiiiillii>i", "i32.const 3 i32.const 0 i32.const 8 i32.const 1 i32.const 0 i64.const -1 i64.const -1 i32.const 0 i32.const 64")
	fails("path_unlink_file", "path_unlink_file", "iii>i", "i32.const 3 i32.const 8 i32.const 1")
	fails("fd_prestat_get", "fd_prestat_get", "ii>i", "i32.const 3 i32.const 64")
	fails("fd_read of a file", "fd_read", "iiii>i", "i32.const 3 i32.const 64 i32.const 1 i32.const 128")
	fails("sock_accept", "sock_accept", "iii>i", "i32.const 3 i32.const 0 i32.const 64")
	fails("sock_send", "sock_send", "iiiii>i", "i32.const 1 i32.const 64 i32.const 1 i32.const 0 i32.const 128")
	fails("fd_write to a bad pointer", "fd_write", "iiii>i", "i32.const 1 i32.const 131072 i32.const 1 i32.const 128")
	fails("fd_write of 2^29 buffers", "fd_write", "iiii>i", "i32.const 1 i32.const 64 i32.const 0x20000001 i32.const 128")
	fails("fd_renumber to 2^30", "fd_renumber", "ii>i", "i32.const 1 i32.const 0x40000000")
	fails("fd_renumber to -1", "fd_renumber", "ii>i", "i32.const 1 i32.const -1")
	fails("random_get beyond the memory", "random_get", "ii>i", "i32.const 8 i32.const -8")
	fails("random_get of 2 MiB", "random_get", "ii>i", "i32.const 32 memory.grow drop i32.const 65536 i32.const 0x200000")
	fails("clock_time_get to a bad pointer", "clock_time_get", "ili>i", "i32.const 0 i64.const 0 i32.const 131071")
	fails("poll_oneoff of a number that wraps", "poll_oneoff", "iiii>i", "i32.const 64 i32.const 4096 i32.const 0x15555556 i32.const 8192")
	fails("poll_oneoff of 100,000", "poll_oneoff", "iiii>i", "i32.const 120 memory.grow drop i32.const 64 i32.const 0x4a0000 i32.const 80000 i32.const 32")
	add("proc_exit", calling(hostileWASI, "proc_exit", "i>", "i32.const 7 call $proc_exit"), errs.Invalid, causeExit, "the guest exited with code 7")
	add("proc_exit 0", calling(hostileWASI, "proc_exit", "i>", "i32.const 0 call $proc_exit"), errs.Invalid, causeExit, "the guest exited with code 0")
	early := newGuest().imported(hostileWASI, "proc_exit", "i>").fn("_initialize", ">", "i32.const 1 call $proc_exit")
	cases = append(cases, hostileCase{name: "proc_exit in _initialize", module: early, kind: errs.Invalid, cause: causeExit, text: "exited with code 1"})
	cases = append(cases, hostileCase{
		name: "a function that WASI lacks", module: newGuest().imported(hostileWASI, "sock_connect", "iii>i"), kind: errs.Invalid, cause: causeTrap, text: "sock_connect",
	})

	// Work that the host does: it is on the guest's account.
	burns := func(name, function, sig, before, code string) {
		g := calling(hostileWASI, function, sig, before+" loop "+code+" call $"+function+" drop br 0 end")
		add(name, g, errs.Exhausted, causeFuel, "burned its fuel")
	}
	// 1,000 buffers, each of them all of the memory.
	iovs := "i32.const 0 local.set 2 loop local.get 2 i32.const 3 i32.shl i32.const 65536 i32.add i32.const 0 i32.store " +
		"local.get 2 i32.const 3 i32.shl i32.const 65540 i32.add i32.const 131072 i32.store " +
		"local.get 2 i32.const 1 i32.add local.tee 2 i32.const 1000 i32.lt_u br_if 0 end "
	burns("flood of fd_write", "fd_write", "iiii>i", "", "i32.const 1 i32.const 64 i32.const 1 i32.const 128")
	burns("flood of fd_write with many buffers", "fd_write", "iiii>i", iovs, "i32.const 2 i32.const 65536 i32.const 1000 i32.const 128")
	burns("flood of random_get", "random_get", "ii>i", "i32.const 32 memory.grow drop ", "i32.const 65536 i32.const 0x100000")
	burns("flood of clock_time_get", "clock_time_get", "ili>i", "", "i32.const 1 i64.const 0 i32.const 64")
	burns("flood of sched_yield", "sched_yield", ">i", "", "")
	burns("sleeping for ever", "poll_oneoff", "iiii>i", "i32.const 88 i64.const -1 i64.store ", "i32.const 64 i32.const 256 i32.const 1 i32.const 512")
	cases = append(cases, hostileCase{
		name: "fd_write for a long time", module: calling(hostileWASI, "fd_write", "iiii>i", iovs+"loop i32.const 2 i32.const 65536 i32.const 1000 i32.const 128 call $fd_write drop br 0 end"),
		use: useGate, limits: Limits{Fuel: 1 << 60, Timeout: 20 * time.Millisecond}, kind: errs.Timeout, cause: causeTimeout, text: "time limit of 20ms",
	})
	runHostile(t, cases)
}

// TestHostileExtism: modules of Extism's interface that do not keep to it.
func TestHostileExtism(t *testing.T) {
	var cases []hostileCase
	add := func(name string, g *hostileGuest, kind errs.Kind, c cause, text string) {
		cases = append(cases, hostileCase{name: name, module: g, use: useHandle, kind: kind, cause: c, text: text})
	}
	one := func(name, function, sig, code, text string) {
		add(name, newExtismGuest(code, function, sig), errs.Invalid, causeBounds, text)
	}
	one("load_u8 at 0", "load_u8", "l>i", "i64.const 0 call $load_u8 drop", "load_u8: bytes at 0, 1 of them, are outside its blocks")
	one("load_u64 at the end of 64 bits", "load_u64", "l>l", "i64.const -1 call $load_u64 drop", "load_u64: bytes at 18446744073709551615, 8 of them")
	one("store_u8 beyond", "store_u8", "li>", "i64.const 17 i32.const 1 call $store_u8", "store_u8: bytes at 17")
	one("store_u64 beyond", "store_u64", "ll>", "i64.const 16 i64.const 1 call $store_u64", "store_u64: bytes at 16, 8 of them")
	one("output_set beyond", "output_set", "ll>", "i64.const 16 i64.const 1 call $output_set", "output_set: bytes at 16, 1 of them")
	one("output_set of 2^64-1", "output_set", "ll>", "i64.const 16 i64.const -1 call $output_set", "output_set: bytes at 16")
	for _, n := range []int64{1 << 40, 1<<63 - 1, -1, -8} {
		g := newExtismGuest(fmt.Sprintf("i64.const %d call $alloc drop", n), "alloc", "l>l")
		add(fmt.Sprintf("alloc of %#x", uint64(n)), g, errs.Exhausted, causeMemory, "its blocks need more than its memory limit")
	}
	plenty := Limits{Fuel: 1 << 60, Timeout: time.Minute}
	add("alloc for ever", newExtismGuest("loop i64.const 4096 call $alloc drop br 0 end", "alloc", "l>l"), errs.Exhausted, causeMemory, "its blocks need more than")
	cases[len(cases)-1].limits = plenty
	add("a million blocks of a byte", newExtismGuest("loop i64.const 1 call $alloc drop br 0 end", "alloc", "l>l"), errs.Exhausted, causeMemory, "its blocks need more than its memory limit")
	cases[len(cases)-1].limits = plenty
	add("alloc and free for ever", newExtismGuest("loop i64.const 4096 call $alloc call $free br 0 end", "alloc", "l>l", "free", "l>"), errs.Exhausted, causeFuel, "burned its fuel")
	add("input_offset for ever", newExtismGuest("loop call $input_offset drop br 0 end", "input_offset", ">l"), errs.Exhausted, causeMemory, "blocks")
	cases[len(cases)-1].limits = plenty
	// A variable of another name each time: the name is a counter.
	add("var_set for ever", newExtismGuest(`i64.const 8 call $alloc local.set 0 loop
		local.get 0 local.get 0 call $load_u64 i64.const 1 i64.add call $store_u64 local.get 0 local.get 0 call $var_set br 0 end`,
		"alloc", "l>l", "var_set", "ll>", "load_u64", "l>l", "store_u64", "ll>"), errs.Exhausted, causeMemory, "its variables need more than 1048576 bytes")
	cases[len(cases)-1].limits = plenty
	add("a flood of logs", newExtismGuest("loop i64.const 16 call $log_info br 0 end", "log_info", "l>"), errs.Exhausted, causeFuel, "burned its fuel")
	add("http without the grant", func() *hostileGuest {
		g := newExtismGuest("", "alloc", "l>l", "http_request", "ll>l", "store_u64", "ll>")
		doc := `{"url":"http://localhost/"}     `
		var code strings.Builder
		fmt.Fprintf(&code, "i64.const %d call $alloc local.set 0 ", len(doc))
		for i := 0; i < len(doc); i += 8 {
			v := int64(0)
			for j := range 8 {
				v |= int64(doc[i+j]) << (8 * j)
			}
			fmt.Fprintf(&code, "local.get 0 i64.const %d i64.add i64.const %d call $store_u64 ", i, v)
		}
		return g.local("run", ">i", "l", code.String()+"local.get 0 i64.const 0 call $http_request drop i32.const 0")
	}(), errs.Forbidden, causeRefused, "http_request is refused: the plugin was not given the grant http.out")
	add("http without a document", newExtismGuest("i64.const 99 i64.const 99 call $http_request drop", "http_request", "ll>l"), errs.Invalid, causeGuest, "the request is not such a document")
	add("a code of its own", newExtismGuest("i32.const 7 return"), errs.Invalid, causeGuest, "run answered the code 7 without saying why")
	add("a loop", newExtismGuest(forever), errs.Exhausted, causeFuel, "burned its fuel")
	add("a loop in its start", func() *hostileGuest { g := newExtismGuest("").fn("_initialize", ">", forever); return g }(), errs.Exhausted, causeFuel, "burned its fuel")
	cases[len(cases)-1].use = nil
	cases = append(cases,
		hostileCase{name: "a function that Extism lacks", module: newExtismGuest("", "exec", "ll>l"), kind: errs.Invalid, text: "it imports extism:host/env.exec, which is not to be had"},
		hostileCase{name: "a function of another type", module: newExtismGuest("", "alloc", "i>i"), kind: errs.Invalid, text: "its import extism:host/env.alloc is (i32) → (i32)"},
		hostileCase{name: "another host's function", module: newExtismGuest("").imported(extismUserModule, "root", ">"), kind: errs.Invalid, text: "it imports extism:host/user.root"},
		hostileCase{
			name: "a gate without a verdict", module: newExtismGuest(""), with: []OpenOption{WithExtism(ExtismExports{Gate: "run"})}, use: useGate,
			kind: errs.Invalid, cause: causeOutput, text: "run answered no verdict",
		},
	)
	runHostile(t, cases)
}
