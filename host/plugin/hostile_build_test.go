package plugin

import (
	"encoding/binary"
	"fmt"
	"math"
	"strconv"
	"strings"
)

// A small assembler for hostile guests. A guest begins as one that behaves (newGuest) and is then given other functions, each
// in the instructions' own names, flat: "loop br 0 end". Signatures are letters: i (i32), l (i64), d (f64), "ii>i" taking two
// and answering one. A name that begins with $ is not exported.

// hostileGuest is a module in the making.
type hostileGuest struct {
	types    []string // signatures
	imports  []hostileFunc
	funcs    []hostileFunc
	pages    uint32
	maxPages uint32 // 0: none
	tables   []uint32
	elements []string // functions that the first table begins with
	globals  []uint32 // mutable, i32
	data     []hostileData
	place    uint32 // where the next text goes
	start    string
	extra    []byte // exports: raw entries
	extras   int
	drop     map[string]bool // exports to leave out
}

type hostileFunc struct {
	name, module, sig, locals string
	code                      string
	raw                       []byte // instead of code, without locals and end
}

type hostileData struct {
	at   uint32
	text []byte
}

const (
	hostileDescription = `{"name":"villain","version":"1.0.0","worlds":["transform","metric","gate","handler"],"parameters":{"type":"object"},"grants":[]}`
	hostileArena       = 65536 // where weir_alloc of a guest that behaves puts everything
)

// newGuest answers everything as it should be: batches are handed back, metrics have no scores, gates pass.
func newGuest() *hostileGuest {
	g := &hostileGuest{pages: 2, place: 1024, drop: map[string]bool{}}
	g.fn("weir_abi_version", ">i", "i32.const 1")
	g.local("weir_alloc", "i>i", "i", `
		local.get 0  i32.const 131071  i32.add  i32.const 16  i32.shr_u  memory.size  i32.sub  local.tee 1
		i32.const 0  i32.gt_s  if  local.get 1  memory.grow  i32.const -1  i32.eq  if  i32.const 0  return  end  end
		i32.const 65536`)
	g.fn("weir_free", "ii>", "")
	g.answer("weir_describe", ">l", hostileDescription)
	g.fn("weir_init", "ii>i", "i32.const 0")
	g.answer("weir_schema", ">l", `{"inputs":[],"outputs":[]}`)
	g.fn("weir_error", ">l", "i64.const 0")
	g.fn("weir_transform", "i>i", "local.get 0")
	g.fn("weir_metric_update", "ii>i", "i32.const 0")
	g.answer("weir_metric_state", ">l", "state")
	g.fn("weir_metric_merge", "ii>i", "i32.const 0")
	g.answer("weir_metric_finish", ">l", "[]")
	g.fn("weir_metric_reset", ">i", "i32.const 0")
	g.answer("weir_gate", "ii>l", `{"outcome":"pass","reasons":["why not"]}`)
	g.answer("weir_handle", "ii>l", `{"status":200}`)
	return g
}

// newExtismGuest is a module of Extism's interface whose function run has this code and answers 0.
func newExtismGuest(code string, imports ...string) *hostileGuest {
	g := &hostileGuest{pages: 2, place: 1024, drop: map[string]bool{}}
	g.imported(extismEnvModule, "input_length", ">l") // so that it is Extism's
	for i := 0; i < len(imports); i += 2 {
		g.imported(extismEnvModule, imports[i], imports[i+1])
	}
	g.local("run", ">i", "l", code+" i32.const 0")
	return g
}

// fn gives the guest a function, in place of the one of that name.
func (g *hostileGuest) fn(name, sig, code string) *hostileGuest { return g.local(name, sig, "", code) }

// local is fn with locals.
func (g *hostileGuest) local(name, sig, locals, code string) *hostileGuest {
	return g.put(hostileFunc{name: name, sig: sig, locals: locals, code: code})
}

func (g *hostileGuest) put(f hostileFunc) *hostileGuest {
	for i := range g.funcs {
		if g.funcs[i].name == f.name {
			g.funcs[i] = f
			return g
		}
	}
	g.funcs = append(g.funcs, f)
	return g
}

// answer makes a function that answers a text as packed address and length.
func (g *hostileGuest) answer(name, sig, text string) *hostileGuest {
	return g.fn(name, sig, fmt.Sprintf("i64.const %d", g.text(text)))
}

// packed is an address and a length as an i64 constant.
func packed(address, length uint32) string {
	return fmt.Sprintf("i64.const %d", int64(uint64(address)<<32|uint64(length)))
}

// text puts bytes into memory and answers where, packed.
func (g *hostileGuest) text(s string) int64 {
	if len(s) > 16<<10 { // out of the arena's way
		g.data = append(g.data, hostileData{1 << 20, []byte(s)})
		g.pages = uint32(17 + len(s)>>16)
		return int64(uint64(1<<20)<<32 | uint64(len(s)))
	}
	at := g.place
	g.data = append(g.data, hostileData{at, []byte(s)})
	g.place = (at + uint32(len(s)) + 15) &^ 7
	return int64(uint64(at)<<32 | uint64(len(s)))
}

// span is text as the two constants that host functions take.
func (g *hostileGuest) span(s string) string {
	p := g.text(s)
	return fmt.Sprintf(" i32.const %d i32.const %d ", p>>32, int32(p))
}

// imported adds a function that code calls by module.name, or by $name.
func (g *hostileGuest) imported(module, name, sig string) *hostileGuest {
	g.imports = append(g.imports, hostileFunc{name: "$" + name, module: module, sig: sig})
	return g
}

func (g *hostileGuest) typ(sig string) uint32 {
	for i, t := range g.types {
		if t == sig {
			return uint32(i)
		}
	}
	g.types = append(g.types, sig)
	return uint32(len(g.types) - 1)
}

func (g *hostileGuest) index(name string) uint32 {
	for i, f := range append(append([]hostileFunc{}, g.imports...), g.funcs...) {
		if f.name == name || f.name == "$"+name || f.module+"."+strings.TrimPrefix(f.name, "$") == name {
			return uint32(i)
		}
	}
	panic("hostile guest: no function " + name)
}

var valueTypes = map[rune]byte{'i': 0x7f, 'l': 0x7e, 'f': 0x7d, 'd': 0x7c, 'r': 0x70}

func leb(b []byte, v uint64) []byte {
	for ; v >= 0x80; v >>= 7 {
		b = append(b, byte(v)|0x80)
	}
	return append(b, byte(v))
}

func sleb(b []byte, v int64) []byte {
	for {
		c := byte(v & 0x7f)
		v >>= 7
		if v == 0 && c&0x40 == 0 || v == -1 && c&0x40 != 0 {
			return append(b, c)
		}
		b = append(b, c|0x80)
	}
}

func wasmName(b []byte, s string) []byte { return append(leb(b, uint64(len(s))), s...) }

func wasmSection(out []byte, id byte, n int, items []byte) []byte {
	if n == 0 {
		return out
	}
	body := append(leb(nil, uint64(n)), items...)
	return append(leb(append(out, id), uint64(len(body))), body...)
}

// instructions are names with what follows them: u a number, s and S signed constants, d a double, f a function, y a type by its
// signature, t a table of labels that ends with a semicolon.
var instructions = map[string]struct {
	op  string
	arg byte
}{
	"unreachable": {"\x00", 0}, "nop": {"\x01", 0}, "block": {"\x02\x40", 0}, "loop": {"\x03\x40", 0}, "if": {"\x04\x40", 0}, "if:i": {"\x04\x7f", 0}, "else": {"\x05", 0},
	"end": {"\x0b", 0}, "br": {"\x0c", 'u'}, "br_if": {"\x0d", 'u'}, "br_table": {"\x0e", 't'}, "return": {"\x0f", 0}, "call": {"\x10", 'f'}, "call_indirect": {"\x11", 'y'},
	"drop": {"\x1a", 0}, "local.get": {"\x20", 'u'}, "local.set": {"\x21", 'u'}, "local.tee": {"\x22", 'u'}, "global.get": {"\x23", 'u'}, "global.set": {"\x24", 'u'},
	"table.get": {"\x25", 'u'}, "table.set": {"\x26", 'u'}, "i32.load": {"\x28\x00\x00", 0}, "i64.load": {"\x29\x00\x00", 0}, "i32.load_far": {"\x28\x00\xff\xff\xff\xff\x0f", 0},
	"i32.store": {"\x36\x00\x00", 0}, "i64.store": {"\x37\x00\x00", 0}, "i32.store8": {"\x3a\x00\x00", 0}, "i32.store16": {"\x3b\x00\x00", 0},
	"memory.size": {"\x3f\x00", 0}, "memory.grow": {"\x40\x00", 0}, "i32.const": {"\x41", 's'}, "i64.const": {"\x42", 's'}, "f64.const": {"\x44", 'd'},
	"i32.eqz": {"\x45", 0}, "i32.eq": {"\x46", 0}, "i32.ne": {"\x47", 0}, "i32.lt_s": {"\x48", 0}, "i32.lt_u": {"\x49", 0}, "i32.gt_s": {"\x4a", 0}, "i32.add": {"\x6a", 0}, "i32.sub": {"\x6b", 0}, "i32.mul": {"\x6c", 0},
	"i32.div_s": {"\x6d", 0}, "i32.div_u": {"\x6e", 0}, "i32.rem_s": {"\x6f", 0}, "i32.and": {"\x71", 0}, "i32.or": {"\x72", 0}, "i32.shl": {"\x74", 0}, "i32.shr_u": {"\x76", 0},
	"i64.add": {"\x7c", 0}, "i64.shl": {"\x86", 0}, "i32.wrap": {"\xa7", 0}, "i32.trunc_f64_s": {"\xaa", 0}, "i64.extend_u": {"\xad", 0}, "ref.null": {"\xd0\x70", 0}, "ref.func": {"\xd2", 'f'},
	"memory.init": {"\xfc\x08", 'm'}, "data.drop": {"\xfc\x09", 'u'}, "memory.copy": {"\xfc\x0a\x00\x00", 0}, "memory.fill": {"\xfc\x0b\x00", 0}, "table.copy": {"\xfc\x0e\x00\x00", 0},
	"table.grow": {"\xfc\x0f", 'u'}, "table.size": {"\xfc\x10", 'u'}, "table.fill": {"\xfc\x11", 'u'},
}

// assemble makes machine-readable code of instructions, without the final end.
func (g *hostileGuest) assemble(code string) []byte {
	var out []byte
	words := strings.Fields(code)
	for len(words) > 0 {
		in, ok := instructions[words[0]]
		if !ok {
			panic("hostile guest: no instruction " + words[0])
		}
		words = words[1:]
		out = append(out, in.op...)
		if in.arg == 0 {
			continue
		}
		word := ""
		if in.arg != 't' {
			word, words = words[0], words[1:]
		}
		switch in.arg {
		case 'u':
			out = leb(out, uint64(number(word)))
		case 's':
			out = sleb(out, number(word))
		case 'd':
			v, err := strconv.ParseFloat(word, 64)
			if err != nil {
				panic(err)
			}
			out = binary.LittleEndian.AppendUint64(out, math.Float64bits(v))
		case 'f':
			out = leb(out, uint64(g.index(word)))
		case 'y':
			out = append(leb(out, uint64(g.typ(word))), 0)
		case 'm':
			out = append(leb(out, uint64(number(word))), 0)
		case 't':
			n := 0
			for words[n] != ";" {
				n++
			}
			out = leb(out, uint64(n-1))
			for _, w := range words[:n] {
				out = leb(out, uint64(number(w)))
			}
			words = words[n+1:]
		}
	}
	return out
}

func number(s string) int64 {
	v, err := strconv.ParseInt(s, 0, 64)
	if err != nil {
		panic(err)
	}
	return v
}

// wasm is the module's bytes.
func (g *hostileGuest) wasm() []byte {
	var imports, funcs, exports, codes, tables, elements, globals, data []byte
	for _, f := range g.imports {
		imports = leb(append(wasmName(wasmName(imports, f.module), strings.TrimPrefix(f.name, "$")), 0), uint64(g.typ(f.sig)))
	}
	exported := 0
	if !g.drop["memory"] {
		exports, exported = append(wasmName(exports, "memory"), 2, 0), 1
	}
	for i, f := range g.funcs {
		funcs = leb(funcs, uint64(g.typ(f.sig)))
		if !strings.HasPrefix(f.name, "$") && !g.drop[f.name] {
			exports = leb(append(wasmName(exports, f.name), 0), uint64(len(g.imports)+i))
			exported++
		}
		body := leb(nil, uint64(len(f.locals)))
		for _, l := range f.locals {
			body = append(body, 1, valueTypes[l])
		}
		if f.raw != nil {
			body = append([]byte{}, f.raw...)
		} else {
			body = append(body, g.assemble(f.code)...)
		}
		body = append(body, 0x0b)
		codes = append(leb(codes, uint64(len(body))), body...)
	}
	for _, n := range g.tables {
		tables = leb(append(tables, 0x70, 0), uint64(n))
	}
	if len(g.elements) > 0 {
		elements = leb(append(elements, 0, 0x41, 0, 0x0b), uint64(len(g.elements)))
		known := map[string]uint32{}
		for _, e := range g.elements {
			if _, ok := known[e]; !ok {
				known[e] = g.index(e)
			}
			elements = leb(elements, uint64(known[e]))
		}
	}
	for _, v := range g.globals {
		globals = append(sleb(append(globals, 0x7f, 1, 0x41), int64(int32(v))), 0x0b)
	}
	for _, d := range g.data {
		data = append(leb(append(sleb(append(data, 0, 0x41), int64(int32(d.at))), 0x0b), uint64(len(d.text))), d.text...)
	}
	var types []byte
	for _, t := range g.types {
		params, results, _ := strings.Cut(t, ">")
		types = leb(append(types, 0x60), uint64(len(params)))
		for _, c := range params {
			types = append(types, valueTypes[c])
		}
		types = leb(types, uint64(len(results)))
		for _, c := range results {
			types = append(types, valueTypes[c])
		}
	}
	out := wasmSection([]byte("\x00asm\x01\x00\x00\x00"), 1, len(g.types), types)
	out = wasmSection(out, 2, len(g.imports), imports)
	out = wasmSection(out, 3, len(g.funcs), funcs)
	out = wasmSection(out, 4, len(g.tables), tables)
	memory := leb([]byte{0}, uint64(g.pages))
	if g.maxPages > 0 {
		memory = leb(leb([]byte{1}, uint64(g.pages)), uint64(g.maxPages))
	}
	out = wasmSection(out, 5, 1, memory)
	out = wasmSection(out, 6, len(g.globals), globals)
	out = wasmSection(out, 7, exported+g.extras, append(exports, g.extra...))
	if g.start != "" {
		s := leb(nil, uint64(g.index(g.start)))
		out = append(append(out, 8, byte(len(s))), s...)
	}
	if len(g.elements) > 0 {
		out = wasmSection(out, 9, 1, elements)
	}
	out = wasmSection(out, 10, len(g.funcs), codes)
	return wasmSection(out, 11, len(g.data), data)
}
