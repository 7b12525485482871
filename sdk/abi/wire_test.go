package abi

import (
	"encoding/binary"
	"math"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// encode places rows [from, to) of b at base of a fresh memory with some bytes to spare.
func encode(t testing.TB, b *Batch, from, to int, base uint32) []byte {
	t.Helper()
	l, err := NewLayout(b.Fields(), to-from)
	if err != nil {
		t.Fatal(err)
	}
	n, err := l.Size(b, from, to)
	if err != nil {
		t.Fatal(err)
	}
	mem := make([]byte, uint64(base)+uint64(n))
	l.Place(base)
	if err := l.Encode(mem[base:], b, from, to); err != nil {
		t.Fatal(err)
	}
	return mem
}

func everyType() *Batch {
	return &Batch{Rows: 10, Columns: []Column{
		BoolColumn("flag", []bool{true, false, true, true, false, false, true, false, true, true}).WithNulls(10, 3),
		Int32Column("i32", []int32{math.MinInt32, -1, 0, 1, math.MaxInt32, 5, 6, 7, 8, 9}),
		Int64Column("i64", []int64{math.MinInt64, -1, 0, 1, math.MaxInt64, 5, 6, 7, 8, 9}).WithNulls(10, 0, 9),
		Float32Column("f32", []float32{float32(math.NaN()), 0, float32(math.Inf(1)), 1e-45, 1, 2, 3, 4, 5, 6}),
		Float64Column("f64", []float64{math.NaN(), math.Copysign(0, -1), math.Inf(-1), 5e-324, 1, 2, 3, 4, 5, 6}),
		UTF8Column("text", []string{"", "a", "żółw", "", "日本", "b", "c", "d", "e", "f"}).WithNulls(10, 1),
		BinaryColumn("raw", [][]byte{{0xff}, nil, {0, 1}, {}, {9}, {8}, {7}, {6}, {5}, {4}}),
		TimestampColumn("at", []int64{0, -1, 1767225600000000, 3, 4, 5, 6, 7, 8, 9}),
		FloatVectorColumn("emb", 3, make([]float32, 30)),
	}}
}

func TestRoundTripEveryType(t *testing.T) {
	in := everyType()
	mem := encode(t, in, 0, 10, 4096)
	var out Batch
	if err := Decode(mem, 4096, DecodeLimits{Rows: 10}, &out); err != nil {
		t.Fatal(err)
	}
	if !in.Equal(&out) {
		t.Fatalf("got %+v", out)
	}
	if cl := out.Clone(); !in.Equal(cl) || cl.Validate() != nil {
		t.Fatal("the clone differs")
	}
	mem = encode(t, in, 8, 10, 64)
	if err := Decode(mem, 64, DecodeLimits{Rows: 2}, &out); err != nil {
		t.Fatal(err)
	}
	if !in.Slice(8, 10).Equal(&out) {
		t.Fatal("the slice differs")
	}
}

func TestLayoutIsReusable(t *testing.T) {
	l, err := NewLayout(everyType().Fields(), 64)
	if err != nil {
		t.Fatal(err)
	}
	l.Place(1024)
	mem := make([]byte, 1<<20)
	var out Batch
	for _, cut := range [][2]int{{0, 10}, {8, 10}, {0, 0}, {0, 1}, {0, 10}} {
		b := everyType()
		if !l.Fits(b) {
			t.Fatal("does not fit")
		}
		if _, err := l.Size(b, cut[0], cut[1]); err != nil {
			t.Fatal(err)
		}
		if err := l.Encode(mem[1024:], b, cut[0], cut[1]); err != nil {
			t.Fatal(err)
		}
		if err := Decode(mem, 1024, DecodeLimits{Rows: cut[1] - cut[0]}, &out); err != nil {
			t.Fatal(err)
		}
		if !b.Slice(cut[0], cut[1]).Equal(&out) {
			t.Fatalf("rows %v differ", cut)
		}
	}
}

func TestEncodeRefuses(t *testing.T) {
	text := UTF8Column("t", []string{"ab", "cd"})
	for name, tc := range map[string]struct {
		b    Batch
		want string
	}{
		"short values":    {Batch{Rows: 3, Columns: []Column{Float64Column("x", []float64{1, 2})}}, `"x"): values have 16 bytes`},
		"short validity":  {Batch{Rows: 9, Columns: []Column{{Field: Field{Name: "x", Type: Int32}, Values: make([]byte, 36), Validity: []byte{1}}}}, "validity has 1 bytes"},
		"offsets descend": {Batch{Rows: 2, Columns: []Column{{Field: text.Field, Offsets: []int32{0, 3, 2}, Values: text.Values}}}, "row 1: offset 2 follows 3"},
		"offsets beyond":  {Batch{Rows: 2, Columns: []Column{{Field: text.Field, Offsets: []int32{0, 3, 9}, Values: text.Values}}}, "span 0..9 of 4"},
		"not UTF-8":       {Batch{Rows: 2, Columns: []Column{UTF8Column("t", []string{"a", "\xff"})}}, "row 1: the text is not valid UTF-8"},
		"split rune":      {Batch{Rows: 2, Columns: []Column{UTF8Column("t", []string{"\xc5", "\xbc"})}}, "row 0: the text is not valid UTF-8"},
		"no name":         {Batch{Rows: 0, Columns: []Column{{Field: Field{Type: Bool}}}}, "name is empty"},
		"no type":         {Batch{Rows: 0, Columns: []Column{{Field: Field{Name: "x"}}}}, "unknown type(0)"},
		"list size":       {Batch{Rows: 0, Columns: []Column{{Field: Field{Name: "x", Type: FloatVector}}}}, "list size 0"},
	} {
		t.Run(name, func(t *testing.T) {
			l, err := NewLayout(tc.b.Fields(), tc.b.Rows)
			if err == nil {
				_, err = l.Size(&tc.b, 0, tc.b.Rows)
			}
			if err == nil {
				err = l.Encode(make([]byte, 4096), &tc.b, 0, tc.b.Rows)
			}
			if err == nil || !strings.Contains(err.Error(), tc.want) {
				t.Fatalf("got %v, want %q", err, tc.want)
			}
		})
	}
}

// TestDecodeRefuses damages one field of a good batch at a time.
func TestDecodeRefuses(t *testing.T) {
	const base = 128
	good := func() []byte {
		return encode(t, &Batch{Rows: 2, Columns: []Column{
			Float64Column("x", []float64{1, 2}).WithNulls(2, 1), UTF8Column("t", []string{"a", "żx"}), FloatVectorColumn("v", 2, []float32{1, 2, 3, 4}),
		}}, 0, 2, base)
	}
	const x, txt, vec = base + HeaderSize, base + HeaderSize + DescriptorSize, base + HeaderSize + 2*DescriptorSize
	le := binary.LittleEndian
	put := func(at int, v uint32) func([]byte) { return func(m []byte) { le.PutUint32(m[at:], v) } }
	for name, tc := range map[string]struct {
		harm func([]byte)
		want string
	}{
		"magic":                {put(base+hMagic, 1), "magic"},
		"version":              {put(base+hVersion, 2), "version 2"},
		"flags":                {put(base+hVersion, 1<<16|1), "flags"},
		"reserved":             {put(base+hZero64+4, 1), "reserved"},
		"rows":                 {put(base+hRows, 3), "3 rows instead of 2"},
		"rows huge":            {put(base+hRows, math.MaxUint32), "limit is 8192"},
		"columns":              {put(base+hColumns, math.MaxUint32), "limit is 4096"},
		"columns beyond":       {put(base+hColumns, 4096), "outside the memory"},
		"descriptors null":     {put(base+hDescriptors, 0), "pointer is 0"},
		"descriptors wrap":     {put(base+hDescriptors, math.MaxUint32-7), "outside the memory"},
		"descriptors odd":      {put(base+hDescriptors, base+33), "multiple of 8"},
		"type":                 {put(x+dType, 0), "unknown type(0)"},
		"type reserved":        {put(x+dType, 0x0100|uint32(Float64)), "reserved"},
		"list size of float64": {put(x+dList, 2), "no list size"},
		"list size":            {put(vec+dList, math.MaxUint32), "list size"},
		"list size 0":          {put(vec+dList, 0), "list size 0"},
		"list size overflow":   {put(vec+dList, MaxListSize), "need 8388608"},
		"name empty":           {put(x+dNameLen, 0), "name has 0 bytes"},
		"name long":            {put(x+dNameLen, math.MaxUint32), "the name has"},
		"name beyond":          {put(x+dName, math.MaxUint32), "outside the memory"},
		"same name":            {put(txt+dName, base+HeaderSize+3*DescriptorSize), `both named "x"`},
		"validity beyond":      {put(x+dValidity, math.MaxUint32-7), "validity: bytes"},
		"validity odd":         {put(x+dValidity, 130), "multiple of 8"},
		"values short":         {put(x+dBytes, 8), "need 16"},
		"values wrap":          {put(x+dValues, math.MaxUint32-7), "outside the memory"},
		"values null":          {put(x+dValues, 0), "pointer is 0"},
		"offsets of float64":   {put(x+dOffsets, 8), "no offsets"},
		"offsets null":         {put(txt+dOffsets, 0), "offsets: the pointer is 0"},
		"text beyond":          {put(txt+dBytes, math.MaxUint32), "outside the memory"},
		"text short":           {put(txt+dBytes, 2), "of 2 bytes"},
		"split rune":           {func(m []byte) { le.PutUint32(m[le.Uint32(m[txt+dOffsets:])+4:], 2) }, "not valid UTF-8"},
		"offset negative":      {func(m []byte) { le.PutUint32(m[le.Uint32(m[txt+dOffsets:]):], 1<<31) }, "offsets span"},
		"offset descends":      {func(m []byte) { le.PutUint32(m[le.Uint32(m[txt+dOffsets:])+4:], 9) }, "follows 9"},
	} {
		t.Run(name, func(t *testing.T) {
			m := good()
			var b Batch
			if err := Decode(m, base, DecodeLimits{Rows: 2}, &b); err != nil {
				t.Fatalf("before the damage: %v", err)
			}
			tc.harm(m)
			err := Decode(m, base, DecodeLimits{Rows: 2}, &b)
			if err == nil || !strings.Contains(err.Error(), tc.want) {
				t.Fatalf("got %v, want %q", err, tc.want)
			}
		})
	}
	var b Batch
	for _, p := range []uint32{0, 4, math.MaxUint32 - 7, math.MaxUint32} {
		if Decode(good(), p, DecodeLimits{Rows: -1}, &b) == nil {
			t.Errorf("a header at %d was accepted", p)
		}
	}
	if err := Decode(good(), base, DecodeLimits{Rows: -1, Bytes: 20}, &b); err == nil || !strings.Contains(err.Error(), "more than 20 bytes") {
		t.Errorf("byte limit: %v", err)
	}
}

func genBatch(t *rapid.T) *Batch {
	rows := rapid.IntRange(0, 70).Draw(t, "rows")
	b := &Batch{Rows: rows}
	for i := range rapid.IntRange(0, 5).Draw(t, "columns") {
		name := string(rune('a' + i))
		var c Column
		switch ty := Type(rapid.IntRange(1, 9).Draw(t, "type")); ty {
		case Bool:
			c = BoolColumn(name, rapid.SliceOfN(rapid.Bool(), rows, rows).Draw(t, "v"))
		case UTF8:
			c = UTF8Column(name, rapid.SliceOfN(rapid.String(), rows, rows).Draw(t, "v"))
		case Binary:
			c = BinaryColumn(name, rapid.SliceOfN(rapid.SliceOf(rapid.Byte()), rows, rows).Draw(t, "v"))
		default:
			c = Column{Field: Field{Name: name, Type: ty}}
			if ty == FloatVector {
				c.ListSize = rapid.IntRange(1, 9).Draw(t, "list")
			}
			n := c.ValueBytes(rows)
			c.Values = rapid.SliceOfN(rapid.Byte(), n, n).Draw(t, "v")
		}
		if rapid.Bool().Draw(t, "nulls") {
			n := BitmapBytes(rows)
			c.Validity = rapid.SliceOfN(rapid.Byte(), n, n).Draw(t, "validity")
		}
		b.Columns = append(b.Columns, c)
	}
	return b
}

func TestRoundTripProperty(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		b := genBatch(rt)
		from := rapid.IntRange(0, b.Rows/8).Draw(rt, "from") * 8
		base := uint32(rapid.IntRange(1, 1000).Draw(rt, "base") * 8)
		var out Batch
		if err := Decode(encode(t, b, from, b.Rows, base), base, DecodeLimits{Rows: b.Rows - from}, &out); err != nil {
			rt.Fatal(err)
		}
		if !b.Slice(from, b.Rows).Equal(&out) {
			rt.Fatal("the batch changed on the way")
		}
	})
}

// FuzzDecode throws any memory at Decode: no panic, and what is accepted passes Validate and can be encoded again.
func FuzzDecode(f *testing.F) {
	f.Add(encode(f, everyType(), 0, 10, 8), uint32(8))
	f.Add(encode(f, &Batch{Rows: 2, Columns: []Column{UTF8Column("t", []string{"a", "b"})}}, 0, 2, 8), uint32(8))
	f.Add([]byte{}, uint32(math.MaxUint32))
	f.Fuzz(func(t *testing.T, mem []byte, ptr uint32) {
		var b Batch
		if Decode(mem, ptr, DecodeLimits{Rows: -1, Bytes: 1 << 24}, &b) != nil {
			return
		}
		if err := b.Validate(); err != nil {
			t.Fatalf("accepted, but %v", err)
		}
		var again Batch
		if err := Decode(encode(t, &b, 0, b.Rows, 8), 8, DecodeLimits{Rows: b.Rows}, &again); err != nil || !b.Equal(&again) {
			t.Fatalf("does not survive another round: %v", err)
		}
	})
}

func BenchmarkEncodeDecode(b *testing.B) {
	in := &Batch{Rows: MaxRows}
	for i := range 10 {
		in.Columns = append(in.Columns, Float64Column(string(rune('a'+i)), make([]float64, MaxRows)))
	}
	l, err := NewLayout(in.Fields(), MaxRows)
	if err != nil {
		b.Fatal(err)
	}
	n, _ := l.Size(in, 0, in.Rows)
	mem := make([]byte, n+8)
	l.Place(8)
	var out Batch
	b.ReportAllocs()
	b.SetBytes(10 * 8 * MaxRows)
	for b.Loop() {
		if err := l.Encode(mem[8:], in, 0, in.Rows); err != nil {
			b.Fatal(err)
		}
		if err := Decode(mem, 8, DecodeLimits{Rows: MaxRows}, &out); err != nil {
			b.Fatal(err)
		}
	}
}
