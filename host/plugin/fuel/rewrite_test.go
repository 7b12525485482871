package fuel

import (
	"bytes"
	"context"
	"strings"
	"testing"
	"time"

	"github.com/weir-ml/weir/host/errs"
)

type hostileModule struct {
	name string
	wasm []byte
	want string // part of the message; "": it is rewritten
}

func sections(parts ...[]byte) []byte { return append(append([]byte(nil), magic...), cat(parts...)...) }

func section(id byte, body ...[]byte) []byte { return appendSection(nil, id, cat(body...)) }

// one is a module with one function of type () → () and the code given.
func one(code ...[]byte) []byte {
	m := &builder{}
	m.add("run", nil, nil, nil, cat(code...))
	return m.wasm()
}

// hostile are modules that mean harm to a reader.
func hostile() []hostileModule {
	huge := []byte{0xff, 0xff, 0xff, 0xff, 0x0f}
	voidType := section(secType, []byte{1, 0x60, 0, 0})
	oneFunc := section(secFunction, []byte{1, 0})
	code := func(b ...[]byte) []byte {
		f := cat(b...)
		return section(secCode, []byte{1}, appendU32(nil, uint32(len(f))), f)
	}
	deep := bytes.Repeat([]byte{opBlock, blockEmpty}, maxNesting+1)
	deepDead := cat(op(opUnreachable), deep)
	locals := code([]byte{1}, huge, []byte{tI32, opEnd})
	reserved := &builder{}
	reserved.imports = append(reserved.imports, append(appendName(appendName(nil, ImportModule), "x"), 0, byte(reserved.typ(nil, nil))))
	exported := &builder{globals: [][]byte{cat([]byte{tI64, 1}, i64c(0), []byte{opEnd})}}
	exported.exports = append(exported.exports, append(appendName(nil, GlobalName), 3, 0))
	appended := &builder{} // names the global that would be added
	appended.add("run", nil, []byte{tI64}, nil, op(opGlobalGet, 0))
	initial := &builder{globals: [][]byte{cat([]byte{tI64, 0}, op(opGlobalGet, 1), []byte{opEnd})}}
	callAdded := &builder{}
	callAdded.add("run", nil, nil, nil, op(opCall, 1))
	return []hostileModule{
		{"empty", nil, "magic"},
		{"text", []byte("(module)"), "magic"},
		{"version 2", []byte{0, 'a', 's', 'm', 2, 0, 0, 0}, "magic"},
		{"component", []byte{0, 'a', 's', 'm', 0x0d, 0, 1, 0}, "magic"},
		{"truncated section", sections([]byte{secType, 100, 1}), "module"},
		{"section longer than a number", sections([]byte{secType}, []byte{0x80, 0x80, 0x80, 0x80, 0x80, 1}), "longer than 5 bytes"},
		{"number beyond 32 bits", sections([]byte{secType, 0xff, 0xff, 0xff, 0xff, 0x1f}), "32 bits"},
		{"sections out of order", sections(section(secFunction, []byte{0}), section(secType, []byte{0})), "section type"},
		{"section twice", sections(section(secType, []byte{0}), section(secType, []byte{0})), "twice"},
		{"unknown section", sections(section(14, []byte{0})), "section id 14"},
		{"four billion types", sections(section(secType, huge)), "section type"},
		{"four billion imports", sections(section(secImport, huge)), "section import"},
		{"four billion functions", sections(voidType, section(secFunction, huge)), "section function"},
		{"four billion globals", sections(section(secGlobal, huge)), "section global"},
		{"four billion exports", sections(section(secExport, huge)), "section export"},
		{"four billion elements", sections(section(secElement, []byte{1, 1, 0}, huge)), "section element"},
		{"four billion segments", sections(section(secData, huge)), "section data"},
		{"four billion names", sections(section(secCustom, appendName(nil, "name"), []byte{1, 5}, huge)), "section name"},
		{"four billion locals", sections(voidType, oneFunc, locals), "function 0"},
		{"many runs of locals", sections(voidType, oneFunc, code([]byte{3}, []byte{0xff, 0x7f, tI32, 0xff, 0xff, 3, tI32, 1, tI32, opEnd})), "locals"},
		{"many parameters", sections(section(secType, []byte{1, 0x60}, appendU32(nil, 2000), bytes.Repeat([]byte{tI32}, 2000), []byte{0})), "section type"},
		{"a long br_table", one(i32c(0), []byte{opBrTable}, huge), "function 0"},
		{"deep blocks", one(deep), "nested"},
		{"deep dead blocks", one(deepDead, bytes.Repeat([]byte{opEnd}, maxNesting+1)), "nested"},
		{"no code", sections(voidType, oneFunc), "1 functions are declared, 0 have code"},
		{"code after the end", one(op(opEnd)), "function 0"},
		{"code that does not end", sections(voidType, oneFunc, code([]byte{0, 0x01})), "function 0"},
		{"type out of range", sections(voidType, section(secFunction, []byte{1, 9}), code([]byte{0, opEnd})), "section function"},
		{"atomics", one([]byte{0xfe, 0x03, 0}), "function 0"},
		{"tail call", one(op(0x12, 0)), "function 0"},
		{"vector opcode longer than necessary", one([]byte{opVector, 0x8c, 0x00}, make([]byte, 16), op(0x1a)), "function 0"},
		{"a table with an initialiser", sections(section(secTable, []byte{1, 0x40, 0, 0x70, 0, 1, opRefNull, 0x70, opEnd})), "section table"},
		{"shared memory", sections(section(secMemory, []byte{1, 3, 1, 1})), "section memory"},
		{"two memories", sections(section(secMemory, []byte{2, 0, 1, 0, 1})), "section memory"},
		{"a tag section", sections(section(13, []byte{0})), "section id 13"},
		{"ill-typed", one(op(0x6a)), "not a valid module"},
		{"reserved import", reserved.wasm(), "reserved"},
		{"reserved export", exported.wasm(), "reserved"},
		{"names the added global", appended.wasm(), "not a valid module"},
		{"initialised by the added global", initial.wasm(), "section global"},
		{"calls the added function", callAdded.wasm(), "function 0"},
		{"nested to the limit", one(bytes.Repeat([]byte{opBlock, blockEmpty}, 5_000), bytes.Repeat([]byte{opEnd}, 5_000)), ""},
		{"loops nested to the limit", one(bytes.Repeat([]byte{opLoop, blockEmpty}, 4_000), bytes.Repeat([]byte{opEnd}, 4_000)), ""},
		{"a br_table too long", one(i32c(0), op(opBrTable, maxTargets+1), make([]byte, maxTargets+2)), "branch targets"},
		{"a body too long", one(bytes.Repeat([]byte{0x01}, maxBodyBytes)), "bytes of a function"},
		{"empty module", sections(), ""},
	}
}

func TestHostileModules(t *testing.T) {
	for _, h := range hostile() {
		t.Run(h.name, func(t *testing.T) {
			_, _, err := Rewrite(h.wasm, Options{})
			switch {
			case h.want == "" && err != nil:
				t.Fatal(err)
			case h.want != "" && err == nil:
				t.Fatal("it was rewritten")
			case h.want != "" && !errs.Is(err, errs.Invalid):
				t.Fatalf("kind %s: %v", errs.KindOf(err), err)
			case h.want != "" && !strings.Contains(err.Error(), h.want):
				t.Fatalf("%q does not speak of %q", err, h.want)
			}
		})
	}
}

// Every prefix of a module, and every single byte turned, is answered or refused.
func TestDamagedModules(t *testing.T) {
	wasm := generate(stream(5))
	refused := 0
	try := func(b []byte) {
		if _, _, err := Rewrite(b, Options{}); err != nil {
			refused++
			if !errs.Is(err, errs.Invalid) {
				t.Fatalf("%v: %x", err, b)
			}
		}
	}
	for n := 0; n < len(wasm); n += 3 {
		try(wasm[:n])
	}
	for n := 8; n < len(wasm); n += 3 {
		b := bytes.Clone(wasm)
		b[n] ^= 0x41
		try(b)
	}
	if refused < len(wasm)/3 {
		t.Errorf("only %d were refused", refused)
	}
}

func TestRewriteIsDeterministic(t *testing.T) {
	for seed := range uint64(20) {
		wasm := generate(stream(seed))
		before := bytes.Clone(wasm)
		a, b := rewritten(t, wasm), rewritten(t, wasm)
		if !bytes.Equal(a, b) {
			t.Fatalf("seed %d: two results", seed)
		}
		if c, _, err := Rewrite(wasm, Options{Trusted: true}); err != nil || !bytes.Equal(a, c) {
			t.Fatalf("seed %d: another result without validation (%v)", seed, err)
		}
		if !bytes.Equal(wasm, before) {
			t.Fatalf("seed %d: the input was changed", seed)
		}
	}
}

func TestCustomSections(t *testing.T) {
	m := &builder{}
	m.imports = append(m.imports, append(appendName(appendName(nil, "env"), "host"), 0, byte(m.typ(nil, nil))))
	m.add("run", nil, nil, nil, op(opCall, 2))
	m.add("", nil, nil, nil, loop(op(opBr, 0)))
	name := cat(appendName(nil, "name"),
		appendSection(nil, namesModule, appendName(nil, "mod")),
		appendSection(nil, namesFunctions, cat([]byte{3, 0}, appendName(nil, "host"), []byte{1}, appendName(nil, "run"), []byte{2}, appendName(nil, "spin"))),
		appendSection(nil, namesLocals, []byte{0}))
	for _, c := range []string{".debug_info", "producers", "reloc.CODE", "metadata.code.branch_hint"} {
		m.customs = append(m.customs, append(appendName(nil, c), 1, 2, 3))
	}
	m.customs = append(m.customs, name)
	out, report, err := Rewrite(m.wasm(), Options{})
	if err != nil {
		t.Fatal(err)
	}
	if got := strings.Join(report.Dropped, " "); got != ".debug_info reloc.CODE metadata.code.branch_hint" {
		t.Errorf("dropped %s", got)
	}
	d, err := newDecoded(out)
	if err != nil {
		t.Fatal(err)
	}
	var kept []string
	for _, c := range d.customs {
		kept = append(kept, c.name)
	}
	if got := strings.Join(kept, " "); got != "producers name" {
		t.Errorf("kept %s", got)
	}
	// The stack trace of a trap names functions by their new indices.
	ctx := context.Background()
	rt := newRuntime(t)
	if _, err := rt.NewHostModuleBuilder("env").NewFunctionBuilder().WithFunc(func() {}).Export("host").Instantiate(ctx); err != nil {
		t.Fatal(err)
	}
	g, err := instantiate(t, rt, out, NewMeter(0), nil, 1000, time.Time{})
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := g.call("run", 1000); err == nil || !strings.Contains(err.Error(), "mod.spin()") || !strings.Contains(err.Error(), "mod.run()") {
		t.Errorf("stack trace: %v", err)
	}
}

// newDecoded decodes a rewritten module, whose import decode itself refuses.
func newDecoded(wasm []byte) (*module, error) {
	return decode(bytes.Replace(bytes.Replace(wasm, []byte(ImportModule), []byte("weir_fuel"), 1), []byte(GlobalName), []byte("weir_fuel"), 1))
}

func TestTableLimit(t *testing.T) {
	m := &builder{tables: [][]byte{{0x70, 0, 10}}}
	m.add("grow", []byte{tI32}, []byte{tI32}, nil, cat([]byte{opRefNull, 0x70}, op(opLocalGet, 0), op(opMisc, miscTableGrow, 0)))
	out, _, err := Rewrite(m.wasm(), Options{MaxTableElements: 100})
	if err != nil {
		t.Fatal(err)
	}
	g, err := instantiate(t, newRuntime(t), out, NewMeter(0), nil, 1000, time.Time{})
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ by, want uint64 }{{50, 10}, {50, 0xffffffff}, {40, 60}, {1, 0xffffffff}} {
		if v, _, err := g.call("grow", 1000, c.by); err != nil || v[0] != c.want {
			t.Errorf("grow by %d: %d, %v", c.by, v, err)
		}
	}
	if _, _, err := Rewrite(m.wasm(), Options{MaxTableElements: 5}); !errs.Is(err, errs.Invalid) {
		t.Errorf("a table of 10 under a limit of 5: %v", err)
	}
}

// Units are fixed by the version: these are the published figures of small functions.
func TestUnits(t *testing.T) {
	m := &builder{memory: []byte{0, 4}}
	n := op(opLocalGet, 0)
	countDown := cat(n, i32c(1), op(0x6b), op(opLocalTee, 0), op(opBrIf, 0))
	m.add("count", []byte{tI32}, nil, nil, loop(countDown))
	m.add("fill", []byte{tI32}, nil, nil, cat(i32c(0), i32c(1), n, op(opMisc, miscMemoryFill, 0)))
	m.add("grow", []byte{tI32}, []byte{tI32}, nil, cat(n, op(opMemoryGrow, 0)))
	m.add("leaf", []byte{tI32}, []byte{tI32}, nil, cat(n, i32c(1), op(0x6a)))
	m.add("caller", []byte{tI32}, []byte{tI32}, nil, cat(loop(countDown), i32c(5), op(opCall, 3)))
	m.add("choose", []byte{tI32}, nil, nil, cat(n, []byte{opIf, blockEmpty}, loop(countDown), op(opEnd)))
	g, err := instantiate(t, newRuntime(t), rewritten(t, m.wasm()), NewMeter(0), nil, MaxBudget, time.Time{})
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name string
		arg  uint64
		want int64
	}{
		{"count", 1, 1 + 4}, {"count", 1000, 1 + 4000}, // entry, and loop + sub + tee + br_if each time
		{"fill", 0, 1 + 12}, {"fill", 80_000, 1 + 12 + 10_000},
		{"grow", 0, 1 + 60}, {"grow", 2, 1 + 60 + 2*8192}, {"grow", 70_000, 1 + 60}, // refused: for nothing
		{"leaf", 1, 0},                 // small: the host does not pay
		{"caller", 10, 1 + 40 + 6 + 1}, // its caller does
		{"choose", 0, 1 + 1}, {"choose", 10, 1 + 1 + 40},
	} {
		if _, used, err := g.call(c.name, MaxBudget, c.arg); err != nil || used != c.want {
			t.Errorf("%s(%d): %d units, want %d (%v)", c.name, c.arg, used, c.want, err)
		}
	}
}
