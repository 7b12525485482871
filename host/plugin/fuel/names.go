package fuel

import "github.com/weir-ml/weir/host/errs"

// Subsections of the name section that are kept or understood.
const (
	namesModule    = 0
	namesFunctions = 1
	namesLocals    = 2
)

// checkNames checks name sections as strictly as the engine does, with counts bounded first: the engine believes them.
func (m *module) checkNames() error {
	seen := false
	for _, c := range m.customs {
		if c.name != "name" {
			continue
		}
		if seen {
			return errs.New(errs.Invalid, "section name comes twice")
		}
		seen = true
		r := newReader(c.body, "section name")
		for r.left() > 0 {
			id := r.byte()
			s := newReader(r.bytes(r.count(1, len(c.body), "bytes of a part")), "section name")
			if r.err != nil {
				return r.err
			}
			switch id {
			case namesModule:
				s.name()
			case namesFunctions:
				s.nameMap(nil)
			case namesLocals:
				for i, n := 0, s.count(2, maxNames, "functions"); i < n && s.err == nil; i++ {
					s.u32()
					s.nameMap(nil)
				}
			default:
				s.pos = len(s.b)
			}
			if err := s.done(); err != nil {
				return err
			}
		}
	}
	return nil
}

func (r *reader) nameMap(item func(index uint32, name string)) {
	n := r.count(2, maxNames, "names")
	for i := 0; i < n && r.err == nil; i++ {
		index, name := r.u32(), r.name()
		if item != nil && r.err == nil {
			item(index, name)
		}
	}
}

// names is the name section with the module's name and the functions', shifted, the refill function among them.
func (m *module) names(b []byte) []byte {
	var out []byte
	r := newReader(b, "section name")
	for r.left() > 0 {
		id := r.byte()
		part := r.bytes(r.count(1, len(b), "bytes of a part"))
		switch id {
		case namesModule:
			out = appendSection(out, id, part)
		case namesFunctions:
			n, refill := uint32(0), uint32(len(m.imported))
			var items []byte
			add := func(index uint32, name string) {
				items = appendName(appendU32(items, index), name)
				n++
			}
			added := false
			newReader(part, "section name").nameMap(func(index uint32, name string) {
				if !added && index >= refill {
					add(refill, ImportModule+"."+importName)
					added = true
				}
				add(m.shift(index), name)
			})
			if !added {
				add(refill, ImportModule+"."+importName)
			}
			out = appendSection(out, id, append(appendU32(nil, n), items...))
		}
	}
	return out
}
