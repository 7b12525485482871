package fuel

func (m *module) decodeCode() error {
	r := m.reader(secCode)
	n := 0
	if m.raw[secCode] != nil {
		n = r.count(3, maxFunctions, "functions")
	}
	if n != len(m.functions) && r.err == nil {
		r.fail("%d functions are declared, %d have code", len(m.functions), n)
	}
	m.bodies = make([]body, 0, n)
	all := 0
	for i := 0; i < n && r.err == nil; i++ {
		b := r.bytes(r.count(1, maxBodyBytes, "bytes of a function"))
		if r.err != nil {
			break
		}
		f := newReader(b, m.functionName(i))
		groups := f.count(2, maxLocals, "runs of locals")
		from, locals := f.pos, 0
		for g := 0; g < groups && f.err == nil; g++ {
			k := f.u32()
			if c := f.byte(); !valueType(c) {
				f.fail("0x%02x is not a value type of core 2", c)
			}
			if uint64(k) > uint64(maxLocals-locals) {
				f.fail("more than %d locals", maxLocals)
				break
			}
			locals += int(k)
		}
		if all += locals; all > maxAllLocals {
			f.fail("the module's functions have more than %d locals together", maxAllLocals)
		}
		if f.err != nil {
			return f.err
		}
		if f.left() == 0 || b[len(b)-1] != opEnd {
			f.fail("it does not end with end")
			return f.err
		}
		m.bodies = append(m.bodies, body{groups, b[from:f.pos], locals, b[f.pos:]})
	}
	if m.raw[secCode] == nil {
		return r.err
	}
	return r.done()
}

// functionName names defined function i in messages, by its index in the module's function space.
func (m *module) functionName(i int) string {
	return "section code, function " + itoa(len(m.imported)+i)
}
