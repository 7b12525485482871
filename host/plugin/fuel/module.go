package fuel

import (
	"bytes"

	"github.com/weir-ml/weir/host/errs"
)

// Bounds of a module. They are those of browsers or below, and keep an engine's memory in proportion to the module's size:
// one that is hostile may announce four billion locals in ten bytes.
const (
	maxModuleBytes = 64 << 20
	maxTypes       = 100_000
	maxArity       = 1_000
	maxImports     = 10_000
	maxFunctions   = 500_000
	maxTables      = 100
	maxGlobals     = 100_000
	maxExports     = 100_000
	maxSegments    = 100_000
	maxElements    = 2_000_000
	maxLocals      = 50_000
	maxAllLocals   = 8_000_000
	maxNesting     = 20_000
	maxNames       = 2_000_000
	maxBodyBytes   = 7_654_321
	maxTargets     = 65_520 // of a br_table
	maxOutBytes    = 256 << 20
)

// Section ids.
const (
	secCustom    = 0
	secType      = 1
	secImport    = 2
	secFunction  = 3
	secTable     = 4
	secMemory    = 5
	secGlobal    = 6
	secExport    = 7
	secStart     = 8
	secElement   = 9
	secCode      = 10
	secData      = 11
	secDataCount = 12
)

// sectionOrder is the order that the format demands.
var sectionOrder = [...]byte{secType, secImport, secFunction, secTable, secMemory, secGlobal, secExport, secStart, secElement, secDataCount, secCode, secData}

var sectionNames = [...]string{"custom", "type", "import", "function", "table", "memory", "global", "export", "start", "element", "code", "data", "data count"}

func rank(id byte) int {
	for i, s := range sectionOrder {
		if s == id {
			return i
		}
	}
	return -1
}

type funcType struct{ params, results []byte }

type custom struct {
	name string
	body []byte // after the name
}

// module is what the rewriter needs to know of one, decoded and checked for structure, not for types.
type module struct {
	raw     [13][]byte // section bodies; nil: absent
	customs []custom

	types     []funcType
	imported  []uint32 // type index of each imported function
	functions []uint32 // type index of each defined function
	constants []bool   // imported globals: whether a constant expression may read it
	globals   int      // imported and defined
	bodies    []body
}

// body is one function's entry in the code section.
type body struct {
	groups int    // runs of locals
	decl   []byte // the runs, as they were
	locals int    // without parameters
	code   []byte // instructions, the last end included
}

var magic = []byte{0, 'a', 's', 'm', 1, 0, 0, 0}

// decode splits and checks a module's structure. Everything is bounded before it is allocated.
func decode(wasm []byte) (*module, error) {
	if len(wasm) > maxModuleBytes {
		return nil, errs.New(errs.Invalid, "the module has %d bytes, the limit is %d", len(wasm), maxModuleBytes)
	}
	if len(wasm) < len(magic) || !bytes.Equal(wasm[:len(magic)], magic) {
		return nil, errs.New(errs.Invalid, "not a WebAssembly module: it does not begin with the magic number and version 1")
	}
	m := &module{}
	r := newReader(wasm, "module")
	r.pos = len(magic)
	last := -1
	for r.left() > 0 {
		id := r.byte()
		b := r.bytes(r.count(1, len(wasm), "bytes of a section"))
		if r.err != nil {
			return nil, r.err
		}
		if id == secCustom {
			c := newReader(b, "a custom section")
			name := c.name()
			if c.err != nil {
				return nil, c.err
			}
			m.customs = append(m.customs, custom{name, b[c.pos:]})
			continue
		}
		at := rank(id)
		if at < 0 {
			return nil, errs.New(errs.Invalid, "section id %d is not of WebAssembly core 2", id)
		}
		if at <= last {
			return nil, errs.New(errs.Invalid, "section %s comes twice or too late", sectionNames[id])
		}
		last = at
		m.raw[id] = b
	}
	for _, step := range []func() error{m.decodeTypes, m.decodeImports, m.decodeFunctions, m.decodeTables, m.decodeMemory, m.checkGlobals, m.checkExports, m.checkStart, m.checkElements, m.checkData, m.decodeCode, m.checkNames} {
		if err := step(); err != nil {
			return nil, err
		}
	}
	return m, nil
}

func (m *module) reader(id byte) *reader {
	return newReader(m.raw[id], "section "+sectionNames[id])
}

func (m *module) decodeTypes() error {
	if m.raw[secType] == nil {
		return nil
	}
	r := m.reader(secType)
	n := r.count(3, maxTypes, "types")
	m.types = make([]funcType, 0, n)
	for i := 0; i < n && r.err == nil; i++ {
		if c := r.byte(); c != 0x60 {
			r.fail("type %d begins with 0x%02x, not a function type of core 2", i, c)
		}
		m.types = append(m.types, funcType{r.valueTypes(), r.valueTypes()})
	}
	return r.done()
}

func (r *reader) valueTypes() []byte {
	s := r.bytes(r.count(1, maxArity, "parameters or results"))
	for _, c := range s {
		if !valueType(c) {
			r.fail("0x%02x is not a value type of core 2", c)
		}
	}
	return s
}

func (m *module) decodeImports() error {
	if m.raw[secImport] == nil {
		return nil
	}
	r := m.reader(secImport)
	n := r.count(4, maxImports, "imports")
	for i := 0; i < n && r.err == nil; i++ {
		mod, name := r.name(), r.name()
		if mod == ImportModule {
			return errs.New(errs.Invalid, "section import: it imports %s.%s, and that name is reserved: the module is rewritten already, or hostile", mod, name)
		}
		switch kind := r.byte(); kind {
		case 0:
			t := r.u32()
			if int(t) >= len(m.types) {
				r.fail("import %d has type %d of %d", i, t, len(m.types))
			}
			m.imported = append(m.imported, t)
		case 1:
			r.tableType(0)
		case 2:
			r.limits()
		case 3:
			m.constants = append(m.constants, !r.globalType())
			m.globals++
		default:
			r.fail("import %d is of kind %d, which is not of core 2", i, kind)
		}
	}
	return r.done()
}

// limits reads a range and returns where its parts begin.
func (r *reader) limits() (least, most uint32, bounded bool) {
	switch flag := r.byte(); flag {
	case 0:
		least = r.u32()
	case 1:
		least, most = r.u32(), r.u32()
		bounded = true
	default:
		r.fail("limits begin with 0x%02x, which is not of core 2", flag)
	}
	return least, most, bounded
}

// tableType reads one; a table that begins with more than limit elements is refused (0: no limit).
func (r *reader) tableType(limit uint32) (ref byte, least, most uint32, bounded bool) {
	ref = r.byte()
	if ref != 0x70 && ref != 0x6f {
		r.fail("0x%02x is not a reference type of core 2", ref)
	}
	least, most, bounded = r.limits()
	if limit > 0 && least > limit {
		r.fail("a table begins with %d elements, the limit is %d", least, limit)
	}
	return ref, least, most, bounded
}

func (r *reader) globalType() (mutable bool) {
	if c := r.byte(); !valueType(c) {
		r.fail("0x%02x is not a value type of core 2", c)
	}
	c := r.byte()
	if c > 1 {
		r.fail("0x%02x is no mutability", c)
	}
	return c == 1
}

func (m *module) decodeFunctions() error {
	if m.raw[secFunction] == nil {
		return nil
	}
	r := m.reader(secFunction)
	n := r.count(1, maxFunctions, "functions")
	m.functions = make([]uint32, 0, n)
	for i := 0; i < n; i++ {
		t := r.u32()
		if int(t) >= len(m.types) {
			r.fail("function %d has type %d of %d", i, t, len(m.types))
			break
		}
		m.functions = append(m.functions, t)
	}
	return r.done()
}

func (m *module) decodeTables() error {
	if m.raw[secTable] == nil {
		return nil
	}
	r := m.reader(secTable)
	for i, n := 0, r.count(3, maxTables, "tables"); i < n; i++ {
		r.tableType(0)
	}
	return r.done()
}

func (m *module) decodeMemory() error {
	if m.raw[secMemory] == nil {
		return nil
	}
	r := m.reader(secMemory)
	for i, n := 0, r.count(2, 1, "memories"); i < n; i++ {
		r.limits()
	}
	return r.done()
}

func (m *module) checkGlobals() error {
	if m.raw[secGlobal] == nil {
		return nil
	}
	r := m.reader(secGlobal)
	n := r.count(4, maxGlobals, "globals")
	for i := 0; i < n && r.err == nil; i++ {
		r.globalType()
		m.constant(r, nil, nil)
	}
	m.globals += n
	return r.done()
}

// constant reads a constant expression: one instruction and end. With s it is copied to out, functions shifted by s. Which
// globals it may read is checked here: the engine does that late, when an index beyond the module's own might have become valid.
func (m *module) constant(r *reader, out []byte, s func(uint32) uint32) []byte {
	from := r.pos
	switch op := r.byte(); op {
	case opI32Const:
		r.skipSigned(5)
	case opI64Const:
		r.skipSigned(10)
	case opF32Const:
		r.bytes(4)
	case opF64Const:
		r.bytes(8)
	case opGlobalGet:
		if g := r.u32(); int64(g) >= int64(len(m.constants)) || !m.constants[g] {
			r.fail("a constant expression reads global %d: only imported ones that cannot change are constant", g)
		}
	case opRefNull:
		r.byte()
	case opRefFunc:
		f := r.u32()
		if s != nil {
			out = appendU32(append(out, op), s(f))
			from = r.pos
		}
	case opVector:
		if r.byte() != 0x0c {
			r.fail("only v128.const is constant")
		}
		r.bytes(16)
	default:
		r.fail("instruction 0x%02x is not constant in core 2", op)
	}
	if r.byte() != opEnd {
		r.fail("a constant expression has one instruction")
	}
	if s != nil && r.err == nil {
		out = append(out, r.b[from:r.pos]...)
	}
	return out
}

func (m *module) checkExports() error {
	if m.raw[secExport] == nil {
		return nil
	}
	r := m.reader(secExport)
	n := r.count(3, maxExports, "exports")
	for i := 0; i < n && r.err == nil; i++ {
		if name := r.name(); name == GlobalName {
			return errs.New(errs.Invalid, "section export: it exports %q, and that name is reserved", name)
		}
		if kind := r.byte(); kind > 3 {
			r.fail("export %d is of kind %d, which is not of core 2", i, kind)
		}
		r.u32()
	}
	return r.done()
}

func (m *module) checkStart() error {
	if m.raw[secStart] == nil {
		return nil
	}
	r := m.reader(secStart)
	r.u32()
	return r.done()
}

func (m *module) checkElements() error {
	_, err := m.elements(func(f uint32) uint32 { return f })
	return err
}

func (m *module) checkData() error {
	if m.raw[secDataCount] != nil {
		r := m.reader(secDataCount)
		r.u32()
		if err := r.done(); err != nil {
			return err
		}
	}
	if m.raw[secData] == nil {
		return nil
	}
	r := m.reader(secData)
	n := r.count(2, maxSegments, "segments")
	for i := 0; i < n && r.err == nil; i++ {
		switch mode := r.u32(); mode {
		case 0:
			m.constant(r, nil, nil)
		case 1:
		case 2:
			r.u32()
			m.constant(r, nil, nil)
		default:
			r.fail("segment %d is of mode %d, which is not of core 2", i, mode)
		}
		r.bytes(r.count(1, len(r.b), "bytes of a segment"))
	}
	return r.done()
}
