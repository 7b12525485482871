package plugin

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/weir-ml/weir/host/errs"
)

// TestHostilePointers: addresses and lengths that lie elsewhere than they say.
func TestHostilePointers(t *testing.T) {
	var cases []hostileCase
	add := func(name string, g *hostileGuest, use func(context.Context, *Plugin) error, kind errs.Kind, c cause, text string) {
		cases = append(cases, hostileCase{name: name, module: g, use: use, kind: kind, cause: c, text: text})
	}
	alloc := func(code string) *hostileGuest { return newGuest().fn("weir_alloc", "i>i", code) }
	add("weir_alloc answers 0", alloc("i32.const 0"), nil, errs.Exhausted, causeMemory, "no room for 2 bytes within its memory limit")
	add("weir_alloc answers an odd address", alloc("i32.const 65537"), nil, errs.Invalid, causeOutput, "the address 65537, which is not a multiple of 8")
	add("weir_alloc answers beyond the memory", alloc("i32.const 131072"), nil, errs.Invalid, causeOutput, "weir_alloc answered bytes 131072..131074 of a memory of 131072")
	add("weir_alloc answers the last bytes", alloc("i32.const 131064"), useTransform, errs.Invalid, causeOutput, "weir_alloc answered bytes 131064..")
	add("weir_alloc answers the end of 32 bits", alloc("i32.const -8"), nil, errs.Invalid, causeOutput, "weir_alloc answered bytes 4294967288..4294967290")
	add("weir_alloc answers -1", alloc("i32.const -1"), nil, errs.Invalid, causeOutput, "the address 4294967295")
	// Where its own texts and, in C, its stack would be: it harms itself alone. Its answers have been written over.
	over := newGuest()
	over.fn("weir_alloc", "i>i", "i32.const 1024").fn("weir_gate", "ii>l", packed(1024, 60))
	add("weir_alloc answers where its answers are", over, useGate, errs.Invalid, causeOutput, "weir_gate answered no such document")
	// The same address for all: the second overwrites the first, in the guest's memory alone.
	add("weir_alloc grows the memory and answers beyond it", alloc("i32.const 1 memory.grow drop memory.size i32.const 16 i32.shl"), nil, errs.Invalid, causeOutput, "of a memory of 196608")

	doc := func(export, sig, code string) *hostileGuest { return newGuest().fn(export, sig, code) }
	for _, c := range []struct {
		export, sig string
		use         func(context.Context, *Plugin) error
	}{
		{"weir_describe", ">l", nil},
		{"weir_schema", ">l", nil},
		{"weir_gate", "ii>l", useGate},
		{"weir_handle", "ii>l", useHandle},
		{"weir_metric_state", ">l", useMetric},
		{"weir_metric_finish", ">l", useMetric},
	} {
		add(c.export+" answers the end of 32 bits", doc(c.export, c.sig, packed(0xfffffff0, 100)), c.use, errs.Invalid, causeOutput, c.export+" answered bytes 4294967280..4294967380 of a memory of 131072")
		add(c.export+" answers 4 GiB", doc(c.export, c.sig, packed(8, 0xffffffff)), c.use, errs.Invalid, causeOutput, c.export+" answered bytes 8..4294967303")
		add(c.export+" answers a byte too many", doc(c.export, c.sig, packed(131071, 2)), c.use, errs.Invalid, causeOutput, c.export+" answered bytes 131071..131073")
		add(c.export+" fails silently", doc(c.export, c.sig, "i64.const 0"), c.use, errs.Invalid, causeGuest, c.export+" failed without saying why")
	}
	failing := func(text string) *hostileGuest {
		return newGuest().fn("weir_gate", "ii>l", "i64.const 0").fn("weir_error", ">l", text)
	}
	add("error text beyond the memory", failing(packed(131073, 10)), useGate, errs.Invalid, causeOutput, "weir_error answered bytes 131073..131083")
	add("error text at the end of 32 bits", failing(packed(0xffffffff, 0xffffffff)), useGate, errs.Invalid, causeOutput, "weir_error answered bytes")
	add("error text of 4 GiB", failing(packed(1024, 0xffffffff)), useGate, errs.Invalid, causeGuest, `"name":"villain"`)
	add("weir_error traps", failing("unreachable"), useGate, errs.Invalid, causeUnreachable, "unreachable")
	ugly := newGuest()
	ugly.fn("weir_gate", "ii>l", "i64.const 0").answer("weir_error", ">l", "\x1b[2Jplugin \xff\n2026 ERROR fake line")
	add("error text that would be two lines of a log", ugly, useGate, errs.Invalid, causeGuest, " [2Jplugin \ufffd 2026 ERROR fake line")

	transform := func(address string) *hostileGuest { return newGuest().fn("weir_transform", "i>i", address) }
	for _, c := range []struct{ name, code, text string }{
		{"a batch at address 4", "i32.const 4", "breaks the ABI"},
		{"a batch at the end of memory", "i32.const 131048", "breaks the ABI"},
		{"a batch beyond the memory", "i32.const 131072", "breaks the ABI"},
		{"a batch at the end of 32 bits", "i32.const -8", "breaks the ABI"},
		{"a batch at an odd address", "local.get 0 i32.const 1 i32.add", "breaks the ABI"},
		{"a batch of zeros", "i32.const 512", "breaks the ABI"},
	} {
		add(c.name, transform(c.code), useTransform, errs.Invalid, causeOutput, c.text)
	}
	for _, c := range []struct{ name, code, text string }{
		{"a row at an odd address", "i32.const 12", "weir_row answered a row that breaks the ABI"},
		{"a row beyond the memory", "i32.const 131064", "weir_row answered a row that breaks the ABI"},
		{"a row at the end of 32 bits", "i32.const -8", "weir_row answered a row that breaks the ABI"},
	} {
		add(c.name, rowGuestOf(c.code), useRow, errs.Invalid, causeOutput, c.text)
	}
	add("no row, silently", rowGuestOf("i32.const 0"), useRow, errs.Invalid, causeGuest, "weir_row failed without saying why")
	runHostile(t, cases)
}

// TestHostileHeaders: a guest that hands the input back with one field changed.
func TestHostileHeaders(t *testing.T) {
	var cases []hostileCase
	lie := func(name, code, text string) {
		g := newGuest().local("weir_transform", "i>i", "iii", code+" local.get 0")
		cases = append(cases, hostileCase{name: name, module: g, use: useTransform, kind: errs.Invalid, cause: causeOutput, text: text})
	}
	header := func(at int, value int64) string {
		return fmt.Sprintf("local.get 0 i32.const %d i32.add i32.const %d i32.store ", at, int32(value))
	}
	// Local 1 is the descriptor of column 0, the text; 2 that of column 1, the numbers.
	const columns = "local.get 0 i32.const 16 i32.add i32.load local.tee 1 i32.const 32 i32.add local.set 2 "
	column := func(c, at int, value int64) string {
		return fmt.Sprintf("%s local.get %d i32.const %d i32.add i32.const %d i32.store ", columns, c+1, at, int32(value))
	}
	within := func(c, at int, code string) string { // what a field of a column points to: local 3
		return fmt.Sprintf("%s local.get %d i32.const %d i32.add i32.load local.set 3 %s", columns, c+1, at, code)
	}
	const abi = "weir_transform answered a batch that breaks the ABI: "
	lie("wrong magic", header(0, 0x32544257), abi)
	lie("wrong version", header(4, 2), abi)
	lie("flags", header(4, 1|1<<16), abi)
	lie("2^32-1 rows", header(8, -1), abi)
	lie("8193 rows", header(8, 8193), abi)
	lie("a row more than given", header(8, 4), abi)
	lie("a row less than given", header(8, 2), abi)
	lie("2^32-1 columns", header(12, -1), abi)
	lie("4097 columns", header(12, 4097), abi)
	lie("a column more than there is", header(12, 3), abi)
	lie("descriptors at 0", header(16, 0), abi)
	lie("descriptors whose end wraps", header(16, -32), abi)
	lie("descriptors at the end of memory", header(16, 131072-32), abi)
	lie("descriptors at an odd address", columns+"local.get 0 i32.const 16 i32.add local.get 1 i32.const 1 i32.add i32.store", abi)
	lie("reserved words of the header", header(20, 1), abi)
	lie("type 0", column(1, 0, 0), abi)
	lie("type 10", column(1, 0, 10), abi)
	lie("reserved bytes of a column", column(1, 0, 5|1<<8), abi)
	lie("list size of a number", column(1, 4, 3), abi)
	lie("float vector without a list size", column(1, 0, 9), abi)
	lie("list size that overflows", column(1, 0, 9)+column(1, 4, 1<<30), abi)
	lie("list size that wraps to fit", column(1, 0, 9)+column(1, 4, 0x55555557), abi)
	lie("name at the end of 32 bits", column(0, 8, -1), abi)
	lie("name of no bytes", column(0, 12, 0), abi)
	lie("name of 1025 bytes", column(0, 12, 1025), abi)
	lie("name of 2^32-1 bytes", column(0, 12, -1), abi)
	lie("name that is not UTF-8", within(0, 8, "local.get 3 i32.const 255 i32.store8"), abi)
	lie("two columns of one name", columns+"local.get 2 i32.const 8 i32.add local.get 1 i32.const 8 i32.add i64.load i64.store", abi)
	lie("validity beyond the memory", column(0, 16, 131072), abi)
	lie("validity at an odd address", column(0, 16, 65537), abi)
	lie("validity at the end of 32 bits", column(0, 16, -8), abi)
	lie("text without offsets", column(0, 20, 0), abi)
	lie("numbers with offsets", column(1, 20, 65536), abi)
	lie("offsets beyond the memory", column(0, 20, 131072-8), abi)
	lie("offsets at the end of 32 bits", column(0, 20, -8), abi)
	lie("offsets that begin below 0", within(0, 20, "local.get 3 i32.const -1 i32.store"), abi)
	lie("offsets that descend", within(0, 20, "local.get 3 i32.const 4 i32.add i32.const 0x7fffffff i32.store"), abi)
	lie("offsets beyond the values", within(0, 20, "local.get 3 i32.const 12 i32.add i32.const 0x7fffffff i32.store"), abi)
	lie("text that is not UTF-8", within(0, 24, "local.get 3 i32.const 255 i32.store8"), abi)
	lie("values at 0", column(1, 24, 0), abi)
	lie("values beyond the memory", column(1, 24, 131072), abi)
	lie("values at an odd address", column(1, 24, 65539), abi)
	lie("values whose end wraps", column(1, 24, -8), abi)
	lie("values of 2^32-1 bytes", column(0, 28, -1), abi)
	lie("numbers a byte short", column(1, 28, 23), abi)
	lie("numbers a byte long", column(1, 28, 25), abi)

	// One buffer of 4 MiB as the values of five columns: each of them counts.
	shared := newGuest()
	shared.pages = 80
	var code strings.Builder
	put := func(at, value int64) { fmt.Fprintf(&code, "i32.const %d i32.const %d i32.store ", at, int32(value)) }
	put(1<<20, 0x31544257)
	put(1<<20+4, 1)
	put(1<<20+8, 3)
	put(1<<20+12, 5)
	put(1<<20+16, 1<<20+32)
	for c := range int64(5) {
		at := 1<<20 + 32 + 32*c
		put(at, 6)
		put(at+8, 1<<20+1000+c)
		put(at+12, 1)
		put(at+20, 1<<20+512)
		put(at+24, 16)
		put(at+28, 4<<20)
		fmt.Fprintf(&code, "i32.const %d i32.const %d i32.store8 ", 1<<20+1000+c, 'a'+c)
	}
	shared.fn("weir_transform", "i>i", code.String()+"i32.const 1048576")
	cases = append(cases, hostileCase{
		name: "one buffer for many columns", module: shared, use: useTransform, kind: errs.Invalid, cause: causeOutput, text: abi,
	})
	open := newGuest().answer("weir_schema", ">l", `{"inputs":[],"outputs":[{"name":"y","type":"float64"}]}`)
	cases = append(cases, hostileCase{name: "other columns than promised", module: open, use: useTransform, kind: errs.Invalid, cause: causeOutput, text: "answered 2 columns, its schema says 1"})
	runHostile(t, cases)
}

// TestHostileDocuments: what should be JSON of a shape, and is not.
func TestHostileDocuments(t *testing.T) {
	var cases []hostileCase
	add := func(name, export, sig, text string, use func(context.Context, *Plugin) error, want string) {
		cases = append(cases, hostileCase{
			name: name, module: newGuest().answer(export, sig, text), use: use, kind: errs.Invalid, cause: causeOutput, text: want,
		})
	}
	deep := strings.Repeat("[", 30_000) + strings.Repeat("]", 30_000)
	for _, c := range []struct {
		export, sig string
		use         func(context.Context, *Plugin) error
		member      string
	}{
		{"weir_describe", ">l", nil, "parameters"},
		{"weir_schema", ">l", nil, "inputs"},
		{"weir_gate", "ii>l", useGate, "evidence"},
		{"weir_handle", "ii>l", useHandle, "headers"},
		{"weir_metric_finish", ">l", useMetric, "detail"},
	} {
		add(c.export+": no JSON", c.export, c.sig, "friday", c.use, c.export)
		add(c.export+": cut JSON", c.export, c.sig, `{"name":"villain","outcome":`, c.use, c.export)
		add(c.export+": another shape", c.export, c.sig, `"text"`, c.use, c.export)
		add(c.export+": nested 30,000 deep", c.export, c.sig, `[{"`+c.member+`":`+deep+`}]`, c.use, c.export)
	}
	add("status NaN", "weir_handle", "ii>l", `{"status":NaN}`, useHandle, "answered no such document")
	add("status 1e308", "weir_handle", "ii>l", `{"status":1e308}`, useHandle, "answered no such document")
	add("status 99", "weir_handle", "ii>l", `{"status":99}`, useHandle, "the HTTP status 99, not one of 200..599")
	add("status -1", "weir_handle", "ii>l", `{"status":-1}`, useHandle, "the HTTP status -1, not one of 200..599")
	add("status 2^63", "weir_handle", "ii>l", `{"status":9223372036854775808}`, useHandle, "answered no such document")
	add("body that is not base64", "weir_handle", "ii>l", `{"body":"%%%"}`, useHandle, "answered no such document")
	add("outcome of its own", "weir_gate", "ii>l", `{"outcome":"maybe","reasons":["x"]}`, useGate, "a verdict needs an outcome")
	add("outcome without a reason", "weir_gate", "ii>l", `{"outcome":"pass","reasons":[]}`, useGate, "a verdict needs an outcome")
	add("score NaN", "weir_metric_finish", ">l", `[{"name":"psi","value":NaN}]`, useMetric, "did not answer scores")
	add("score 1e999", "weir_metric_finish", ">l", `[{"name":"psi","value":1e999}]`, useMetric, "did not answer scores")
	add("name of another's", "weir_describe", ">l", `{"name":"../standardize","worlds":["gate"]}`, nil, "must be lower-case words")
	add("name with a line break", "weir_describe", ">l", `{"name":"a\nb","worlds":["gate"]}`, nil, "must be lower-case words")
	add("no worlds", "weir_describe", ">l", `{"name":"villain"}`, nil, "names no world")
	add("world of its own", "weir_describe", ">l", `{"name":"villain","worlds":["root"]}`, nil, `unknown world "root"`)
	add("description of 2 MiB", "weir_describe", ">l", `{"name":"villain","summary":"`+strings.Repeat("x", 2<<20)+`"}`, nil, "a description has at most 1048576")

	// Some megabytes that would be hundreds in Go.
	heavy := func(name, export, sig, head, item, tail string, use func(context.Context, *Plugin) error, want string) {
		add(name, export, sig, head+strings.Repeat(item+",", 9<<20/(len(item)+1))+item+tail, use, want)
		cases[len(cases)-1].limits.MemoryBytes = 32 << 20
		cases[len(cases)-1].kind = errs.Exhausted
	}
	heavy("schema of a million columns", "weir_schema", ">l", `{"inputs":[`, "{}", `]}`, nil, "weir_schema answered")
	heavy("evidence of a million lists", "weir_gate", "ii>l", `{"evidence":{"a":[`, "[]", `]}}`, useGate, "weir_gate answered")
	heavy("a million scores", "weir_metric_finish", ">l", `[`, "{}", `]`, useMetric, "weir_metric_finish answered")

	big := newGuest().fn("weir_gate", "ii>l", packed(0, 2<<20))
	big.pages = 64
	cases = append(cases, hostileCase{
		name: "more than the output limit", module: big, use: useGate, limits: Limits{MaxOutputBytes: 1 << 20},
		kind: errs.Exhausted, cause: causeOutput, text: "weir_gate answered 2097152 bytes, the limit is 1048576",
	})
	state := newGuest().fn("weir_metric_state", ">l", packed(0, 2<<20))
	state.pages = 64
	cases = append(cases, hostileCase{
		name: "state beyond the output limit", module: state, use: useMetric, limits: Limits{MaxOutputBytes: 1 << 20},
		kind: errs.Exhausted, cause: causeOutput, text: "weir_metric_state answered 2097152 bytes, the limit is 1048576",
	})
	runHostile(t, cases)
}
