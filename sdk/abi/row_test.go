package abi

import (
	"encoding/binary"
	"math"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// oneRow has one column of every type; null marks those without a value.
func oneRow(null func(i int) bool) *Batch {
	b := &Batch{Rows: 1, Columns: []Column{
		BoolColumn("flag", []bool{true}), Int32Column("i32", []int32{-7}), Int64Column("i64", []int64{math.MinInt64}), Float32Column("f32", []float32{-1.5}),
		Float64Column("f64", []float64{math.Copysign(0, -1)}), UTF8Column("text", []string{"zażółć"}), BinaryColumn("raw", [][]byte{{0, 0xff}}),
		TimestampColumn("at", []int64{-1}), FloatVectorColumn("emb", 3, []float32{1, -2, float32(math.NaN())}),
	}}
	for i := range b.Columns {
		if null(i) {
			b.Columns[i] = b.Columns[i].WithNulls(1, 0)
		}
	}
	return b
}

func encoded(t *testing.T, l *RowLayout, b *Batch, r int, base uint32) []byte {
	t.Helper()
	n, err := l.Size(b, r)
	if err != nil {
		t.Fatal(err)
	}
	mem := make([]byte, base+n)
	for i := range mem {
		mem[i] = 0xa5 // what an earlier call left
	}
	if err := l.Encode(mem[base:], base, b, r); err != nil {
		t.Fatal(err)
	}
	return mem
}

func TestRowRoundTrip(t *testing.T) {
	for mask := range 1 << 9 {
		in := oneRow(func(i int) bool { return mask>>i&1 == 1 })
		l, err := NewRowLayout(in.Fields())
		if err != nil {
			t.Fatal(err)
		}
		mem := encoded(t, l, in, 0, 64)
		out, err := l.Decode(mem, 64, 0)
		if err != nil {
			t.Fatalf("%b: %v", mask, err)
		}
		if err := out.Validate(); err != nil || !in.Equal(out) {
			t.Fatalf("%b: came back changed: %+v (%v)", mask, out, err)
		}
		if c := out.Clone(); !c.Equal(in) {
			t.Fatalf("%b: the copy differs", mask)
		}
	}
}

// TestRowLayoutIsAsDocumented compares the bytes with ABI.md, section 10.
func TestRowLayoutIsAsDocumented(t *testing.T) {
	in := oneRow(func(i int) bool { return i == 2 })
	l, err := NewRowLayout(in.Fields())
	if err != nil {
		t.Fatal(err)
	}
	le := binary.LittleEndian
	mem := encoded(t, l, in, 0, 4096)[4096:]
	word := func(i int) uint64 { return le.Uint64(mem[8*i:]) }
	nan := uint64(math.Float32bits(float32(math.NaN())))
	for i, want := range []uint64{
		0b111111011, 1, math.MaxUint64 - 6, 0, uint64(math.Float32bits(-1.5)), 1 << 63, 10<<32 | 4096 + 11*8, 2<<32 | 4096 + 11*8 + 10, math.MaxUint64,
		uint64(math.Float32bits(-2))<<32 | uint64(math.Float32bits(1)), nan,
	} {
		if word(i) != want {
			t.Errorf("word %d is %#x, want %#x", i, word(i), want)
		}
	}
	if got := string(mem[88:]); got != "zażółć\x00\xff" {
		t.Errorf("the bytes behind the row are %q", got)
	}
	// 65 columns: two words of validity.
	many := &Batch{Rows: 1}
	for i := range 65 {
		many.Columns = append(many.Columns, Int64Column(strings.Repeat("c", i+1), []int64{int64(i)}))
	}
	if l, err = NewRowLayout(many.Fields()); err != nil {
		t.Fatal(err)
	}
	mem = encoded(t, l, many, 0, 0)
	if word(0) != math.MaxUint64 || word(1) != 1 || word(2) != 0 || word(66) != 64 {
		t.Errorf("%x", mem)
	}
}

func TestRowsAreRefused(t *testing.T) {
	in := oneRow(func(int) bool { return false })
	l, err := NewRowLayout(in.Fields())
	if err != nil {
		t.Fatal(err)
	}
	le := binary.LittleEndian
	for name, tc := range map[string]struct {
		harm func(row []byte)
		text string
	}{
		"bool":            {func(m []byte) { m[8] = 2 }, `"flag"): a bool is 0 or 1`},
		"bool far":        {func(m []byte) { m[15] = 1 }, "a bool is 0 or 1"},
		"int32":           {func(m []byte) { le.PutUint64(m[16:], 1<<31) }, "2147483648 is no int32"},
		"float32":         {func(m []byte) { m[36] = 1 }, "after a float32 must be zero"},
		"text address":    {func(m []byte) { le.PutUint32(m[48:], math.MaxUint32) }, "outside the memory"},
		"text at 0":       {func(m []byte) { le.PutUint32(m[48:], 0) }, "the pointer is 0"},
		"text length":     {func(m []byte) { le.PutUint32(m[52:], math.MaxUint32) }, `"text"): a value of 4294967295 bytes`},
		"text beyond":     {func(m []byte) { le.PutUint32(m[52:], 1<<20) }, "outside the memory"},
		"not UTF-8":       {func(m []byte) { le.PutUint32(m[52:], 3) }, "not valid UTF-8"},
		"bytes beyond":    {func(m []byte) { le.PutUint32(m[60:], 1<<20) }, `"raw"): value`},
		"the same, null":  {func(m []byte) { m[0], m[8], m[60] = 0, 9, 9; m[1] = 0 }, ""},
		"bits beyond set": {func(m []byte) { m[7] = 0xff }, ""},
	} {
		mem := encoded(t, l, in, 0, 8)
		tc.harm(mem[8:])
		_, err := l.Decode(mem, 8, 0)
		if tc.text == "" && err != nil || tc.text != "" && (err == nil || !strings.Contains(err.Error(), tc.text)) {
			t.Errorf("%s: %v, want %q", name, err, tc.text)
		}
	}
	mem := encoded(t, l, in, 0, 8)
	for ptr, text := range map[uint32]string{0: "the pointer is 0", 4: "not a multiple of 8", 16: "outside the memory", math.MaxUint32 &^ 7: "outside the memory"} {
		if _, err := l.Decode(mem[:8+l.size], ptr, 0); err == nil || !strings.Contains(err.Error(), text) {
			t.Errorf("at %d: %v, want %q", ptr, err, text)
		}
	}
	for limit, ok := range map[int64]bool{87: false, 88: false, 99: false, 100: true} {
		if _, err := l.Decode(mem, 8, limit); (err == nil) != ok {
			t.Errorf("limit %d: %v", limit, err)
		}
	}
	for _, fields := range [][]Field{nil, {{Name: "x"}}, {{Name: "x", Type: Int32}, {Name: "x", Type: Int64}}, {{Name: "v", Type: FloatVector}}, make([]Field, MaxColumns+1)} {
		if _, err := NewRowLayout(fields); err == nil {
			t.Errorf("accepted %v", fields)
		}
	}
	bad := UTF8Column("text", []string{"\xff"})
	lt, err := NewRowLayout([]Field{bad.Field})
	if err != nil {
		t.Fatal(err)
	}
	if err := lt.Encode(make([]byte, 64), 0, &Batch{Rows: 1, Columns: []Column{bad}}, 0); err == nil {
		t.Error("text that is not UTF-8 was sent to a guest")
	}
	for _, b := range []*Batch{{Rows: 0, Columns: []Column{bad}}, {Rows: 1, Columns: []Column{{Field: bad.Field}}}, {Rows: 1, Columns: []Column{{Field: bad.Field, Offsets: []int32{0, 9}, Values: []byte("a")}}}} {
		if _, err := lt.Size(b, 0); err == nil {
			t.Errorf("accepted %+v", b)
		}
	}
}

// TestRowsOfABatch: any row of any batch survives.
func TestRowsOfABatch(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		rows := rapid.IntRange(1, 20).Draw(rt, "rows")
		b := &Batch{Rows: rows}
		draw := func(n int) []byte { return rapid.SliceOfN(rapid.Byte(), n, n).Draw(rt, "values") }
		for i, typ := range rapid.SliceOfN(rapid.IntRange(int(Bool), int(FloatVector)), 1, 70).Draw(rt, "types") {
			f := Field{Name: "c" + string(rune('a'+i)), Type: Type(typ)}
			if f.Type == FloatVector {
				f.ListSize = rapid.IntRange(1, 5).Draw(rt, "list")
			}
			c := Column{Field: f}
			switch {
			case f.Type.Variable():
				c = variable(f, rapid.SliceOfN(rapid.String(), rows, rows).Draw(rt, "texts"))
			default:
				c.Values = draw(f.ValueBytes(rows))
			}
			if rapid.Bool().Draw(rt, "nulls") {
				c.Validity = draw(BitmapBytes(rows))
			}
			b.Columns = append(b.Columns, c)
		}
		l, err := NewRowLayout(b.Fields())
		if err != nil {
			rt.Fatal(err)
		}
		for r := range rows {
			out, err := l.Decode(encoded(t, l, b, r, 24), 24, 0)
			if err != nil || out.Validate() != nil || !out.Equal(b.Slice(r, r+1)) {
				rt.Fatalf("row %d: %v", r, err)
			}
		}
	})
}

// FuzzDecodeRow reads any memory as a row: no panic, and what is accepted is sound.
func FuzzDecodeRow(f *testing.F) {
	in := oneRow(func(i int) bool { return i == 1 })
	l, err := NewRowLayout(in.Fields())
	if err != nil {
		f.Fatal(err)
	}
	n, _ := l.Size(in, 0)
	mem := make([]byte, 8+n)
	if err := l.Encode(mem[8:], 8, in, 0); err != nil {
		f.Fatal(err)
	}
	f.Add(mem, uint32(8), int64(0))
	f.Add(mem, uint32(16), int64(90))
	f.Add([]byte{}, uint32(math.MaxUint32-7), int64(1))
	f.Fuzz(func(t *testing.T, mem []byte, ptr uint32, limit int64) {
		out, err := l.Decode(mem, ptr, limit)
		if err != nil {
			return
		}
		if err := out.Validate(); err != nil {
			t.Fatalf("accepted, but %v", err)
		}
		size := int64(l.size)
		for _, c := range out.Columns {
			if c.Type.Variable() {
				size += int64(len(c.Values))
			}
		}
		if limit > 0 && size > limit {
			t.Fatalf("%d bytes under a limit of %d", size, limit)
		}
	})
}
