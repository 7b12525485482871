package fuel

import (
	"context"
	"strconv"
	"strings"

	"github.com/tetratelabs/wazero"
	"github.com/tetratelabs/wazero/api"

	"github.com/weir-ml/weir/host/errs"
)

// Names that rewritten modules use and guests may not.
const (
	ImportModule = "weir:fuel" // the host module with the refill function
	importName   = "refill"    // (counter i64) → (counter i64)
	GlobalName   = "weir:fuel" // the exported counter, a mutable i64: units left of the granted ones; negative is debt
)

// Options choose what a rewrite does beyond its version. The zero value is the faithful one.
type Options struct {
	// MaxTableElements bounds every table of the module: one that begins larger is refused, growth beyond answers -1 to the guest.
	// A table costs the host 8 bytes an element outside the linear memory. 0: as the module says.
	MaxTableElements uint32
	// Trusted leaves both validations out, which are most of the time of a rewrite (a 1.9 MB Go guest: 0.2 s with, 0.03 s without). It
	// is for bytes that this version of the package has rewritten before with these options, and no others.
	Trusted bool
}

// Report is what a rewrite did.
type Report struct {
	CostVersion int // Version
	Functions   int // defined ones
	Small       int // of them: without a charge of their own, paid for by callers
	Added       int // functions added, which hand locals through refill
	Loops       int // loop headers that can be reached; each has a test
	Charges     int // places that charge, loop headers and entries included
	Checks      int // places that test
	BytesIn     int
	BytesOut    int
	Dropped     []string // custom sections left out, in the module's order: they speak of byte positions that have moved
}

// Rewrite returns the module with fuel added. The module is checked first (structure and bounds here, types by wazero), so
// that an invalid one cannot become valid by naming what is added, and the result is checked again.
//
// Added are one imported function (the last import; other functions' indices move up by one), one global, one export, and at
// the ends of their sections types and functions with several results: the engine needs core 2. Function names of the name section move along; its other parts are dropped.
//
// The same bytes and options give the same result. A module that cannot be rewritten is errs.Invalid, the message naming
// the section or function; a result that does not validate is our fault and errs.Internal. module is not kept or changed.
func Rewrite(module []byte, o Options) ([]byte, Report, error) {
	m, err := decode(module)
	if err != nil {
		return nil, Report{}, err
	}
	// The whole of it is read here before the engine is let near it.
	out, report, err := m.rewrite(o)
	if err != nil {
		return nil, Report{}, err
	}
	report.CostVersion, report.BytesIn, report.BytesOut = Version, len(module), len(out)
	if o.Trusted {
		return out, report, nil
	}
	if err := validate(module); err != nil {
		return nil, Report{}, errs.New(errs.Invalid, "not a valid module: %w", err)
	}
	if err := validate(out); err != nil {
		return nil, Report{}, errs.New(errs.Internal, "the rewritten module is not valid: %w", err)
	}
	return out, report, nil
}

// validate asks wazero. The interpreter's compilation is the cheapest way to it: it makes no machine code.
func validate(module []byte) error {
	ctx := context.Background()
	rt := wazero.NewRuntimeWithConfig(ctx, wazero.NewRuntimeConfigInterpreter().WithCoreFeatures(api.CoreFeaturesV2).WithDebugInfoEnabled(false))
	defer rt.Close(ctx)
	_, err := rt.CompileModule(ctx, module)
	return err
}

func itoa(n int) string { return strconv.Itoa(n) }

// shift is the new index of function f.
func (m *module) shift(f uint32) uint32 {
	if int(f) >= len(m.imported) {
		return f + 1
	}
	return f
}

// rewrite makes the new module. Of one that is not valid it makes an error or nonsense, which the caller throws away.
func (m *module) rewrite(o Options) ([]byte, Report, error) {
	var report Report
	e := &emitter{m: m, refill: uint32(len(m.imported)), global: uint32(m.globals), keepers: map[string]uint32{}}
	refillType := e.typeOf([]byte{0x7e}, []byte{0x7e})
	code, err := e.code(&report)
	if err != nil {
		return nil, report, err
	}
	total := 0
	for _, s := range m.raw {
		total += len(s)
	}
	out := make([]byte, 0, total+total/2+256)
	out = append(out, magic...)
	for _, id := range sectionOrder {
		var b []byte
		var err error
		switch id {
		case secType:
			b = m.extend(id, len(e.types), func(b []byte) []byte {
				for _, t := range e.types {
					b = append(b, 0x60)
					b = append(appendU32(b, uint32(len(t.params))), t.params...)
					b = append(appendU32(b, uint32(len(t.results))), t.results...)
				}
				return b
			})
		case secImport:
			b = m.extend(id, 1, func(b []byte) []byte {
				b = appendName(appendName(b, ImportModule), importName)
				return appendU32(append(b, 0), refillType)
			})
		case secFunction:
			if b = m.raw[id]; len(e.keepers) > 0 {
				b = m.extend(id, len(e.keepers), func(b []byte) []byte { return append(b, e.keeperTypes...) })
			}
		case secTable:
			b, err = m.tables(o.MaxTableElements)
		case secGlobal:
			b, err = m.globalSection()
		case secExport:
			b, err = m.exports(e.global)
		case secStart:
			if b = m.raw[id]; b != nil {
				b = appendU32(nil, m.shift(m.reader(id).u32()))
			}
		case secElement:
			b, err = m.elements(m.shift)
		case secCode:
			b = code
		default:
			b = m.raw[id]
		}
		if err != nil {
			return nil, report, err
		}
		if b != nil {
			out = appendSection(out, id, b)
		}
	}
	for _, c := range m.customs {
		switch {
		case c.name == "name":
			out = appendSection(out, secCustom, append(appendName(nil, c.name), m.names(c.body)...))
		case positional(c.name):
			report.Dropped = append(report.Dropped, c.name)
		default:
			out = appendSection(out, secCustom, append(appendName(nil, c.name), c.body...))
		}
	}
	return out, report, nil
}

// positional reports whether a custom section speaks of byte positions or function bodies, which a rewrite moves.
func positional(name string) bool {
	for _, p := range []string{".debug_", "reloc.", "metadata.code.", "linking", "dylink", "sourceMappingURL", "external_debug_info", "build_id", "core"} {
		if strings.HasPrefix(name, p) {
			return true
		}
	}
	return false
}

// extend is section id with more items, or a new one.
func (m *module) extend(id byte, more int, items func([]byte) []byte) []byte {
	n, rest := 0, []byte(nil)
	if m.raw[id] != nil {
		r := m.reader(id)
		n = int(r.u32())
		rest = r.b[r.pos:]
	}
	if n+more == 0 && m.raw[id] == nil {
		return nil
	}
	return items(append(appendU32(nil, uint32(n+more)), rest...))
}

// tables is the table section with the limit written into it.
func (m *module) tables(limit uint32) ([]byte, error) {
	if limit == 0 || m.raw[secTable] == nil {
		return m.raw[secTable], nil
	}
	r := m.reader(secTable)
	n := r.u32()
	b := appendU32(nil, n)
	for range n {
		ref, least, most, bounded := r.tableType(limit)
		if !bounded || most > limit {
			most = limit
		}
		b = appendU32(appendU32(append(b, ref, 1), least), most)
	}
	return b, r.done()
}

func (m *module) globalSection() ([]byte, error) {
	n, b := 0, []byte(nil)
	if m.raw[secGlobal] != nil {
		r := m.reader(secGlobal)
		n = int(r.u32())
		for range n {
			b = append(b, r.byte(), r.byte())
			b = m.constant(r, b, m.shift)
		}
		if err := r.done(); err != nil {
			return nil, err
		}
	}
	b = append(b, 0x7e, 1, opI64Const, 0, opEnd)
	return append(appendU32(nil, uint32(n+1)), b...), nil
}

func (m *module) exports(global uint32) ([]byte, error) {
	n, b := 0, []byte(nil)
	if m.raw[secExport] != nil {
		r := m.reader(secExport)
		n = int(r.u32())
		for range n {
			b = appendName(b, r.name())
			kind, index := r.byte(), r.u32()
			if kind == 0 {
				index = m.shift(index)
			}
			b = appendU32(append(b, kind), index)
		}
		if err := r.done(); err != nil {
			return nil, err
		}
	}
	b = appendU32(append(appendName(b, GlobalName), 3), global)
	return append(appendU32(nil, uint32(n+1)), b...), nil
}

// elements is the element section with functions shifted: all eight forms.
func (m *module) elements(shift func(uint32) uint32) ([]byte, error) {
	if m.raw[secElement] == nil {
		return nil, nil
	}
	r := m.reader(secElement)
	n := r.count(2, maxSegments, "segments")
	b := appendU32(nil, uint32(n))
	all := 0
	for i := 0; i < n && r.err == nil; i++ {
		form := r.u32()
		if form > 7 {
			r.fail("segment %d is of form %d, which is not of core 2", i, form)
			break
		}
		b = appendU32(b, form)
		if form&1 == 0 { // active
			if form&2 != 0 {
				b = appendU32(b, r.u32())
			}
			b = m.constant(r, b, shift)
		}
		if form&3 != 0 { // element kind or reference type
			c := r.byte()
			if form&4 == 0 && c != 0 || form&4 != 0 && c != 0x70 && c != 0x6f {
				r.fail("segment %d has kind 0x%02x", i, c)
			}
			b = append(b, c)
		}
		k := r.count(1, maxElements, "elements")
		if all += k; all > maxElements {
			r.fail("more than %d elements together", maxElements)
		}
		b = appendU32(b, uint32(k))
		for j := 0; j < k && r.err == nil; j++ {
			if form&4 == 0 {
				b = appendU32(b, shift(r.u32()))
			} else {
				b = m.constant(r, b, shift)
			}
		}
	}
	if err := r.done(); err != nil {
		return nil, err
	}
	return b, nil
}
