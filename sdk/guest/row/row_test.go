package row

import (
	"math"
	"strings"
	"testing"

	"github.com/weir-ml/weir/sdk/abi"
)

// TestLayout compares with abi.RowLayout, which the host writes rows with.
func TestLayout(t *testing.T) {
	var fields []abi.Field
	for i := range 130 {
		f := abi.Field{Name: strings.Repeat("c", i+1), Type: abi.Type(1 + i%9)}
		if f.Type == abi.FloatVector {
			f.ListSize = 1 + i%4
		}
		fields = append(fields, f)
	}
	host, err := abi.NewRowLayout(fields)
	if err != nil {
		t.Fatal(err)
	}
	b := &abi.Batch{Rows: 1}
	for i, f := range fields {
		c := abi.Int64Column(f.Name, []int64{int64(1000 + i)})
		switch f.Type {
		case abi.Bool:
			c = abi.BoolColumn(f.Name, []bool{true})
		case abi.Int32:
			c = abi.Int32Column(f.Name, []int32{int32(-1000 - i)})
		case abi.Float32:
			c = abi.Float32Column(f.Name, []float32{float32(i) / 4})
		case abi.Float64:
			c = abi.Float64Column(f.Name, []float64{float64(i) / 4})
		case abi.UTF8, abi.Binary:
			c = abi.UTF8Column(f.Name, []string{""})
		case abi.FloatVector:
			v := make([]float32, f.ListSize)
			v[f.ListSize-1] = float32(i)
			c = abi.FloatVectorColumn(f.Name, f.ListSize, v)
		}
		c.Field = f
		if i%5 == 3 {
			c = c.WithNulls(1, 0)
		}
		b.Columns = append(b.Columns, c)
	}
	size, err := host.Size(b, 0)
	if err != nil {
		t.Fatal(err)
	}
	in := In{layout: layoutOf(fields)}
	if int(size) != in.words*8 {
		t.Fatalf("a row has %d bytes, the host says %d", in.words*8, size)
	}
	mem := make([]byte, size)
	if err := host.Encode(mem, 0, b, 0); err != nil {
		t.Fatal(err)
	}
	in.row = words(mem)
	for i, f := range fields {
		if null := i%5 == 3; in.Null(i) != null {
			t.Fatalf("column %d is null: %v", i, in.Null(i))
		} else if null {
			continue
		}
		ok := true
		switch f.Type {
		case abi.Bool:
			ok = in.Bool(i)
		case abi.Int32:
			ok = in.Int64(i) == int64(-1000-i)
		case abi.Int64, abi.Timestamp:
			ok = in.Int64(i) == int64(1000+i)
		case abi.Float32:
			ok = in.Float32(i) == float32(i)/4
		case abi.Float64:
			ok = in.Float64(i) == float64(i)/4
		case abi.FloatVector:
			ok = len(in.Vector(i)) == f.ListSize && in.Vector(i)[f.ListSize-1] == float32(i)
		}
		if !ok {
			t.Errorf("column %d, %s, reads as something else", i, f.Type)
		}
	}
}

func words(mem []byte) []uint64 {
	out := make([]uint64, len(mem)/8)
	for i := range mem {
		out[i/8] |= uint64(mem[i]) << (i % 8 * 8)
	}
	return out
}

// TestOut writes a row and reads it back; a second row begins with nulls.
func TestOut(t *testing.T) {
	fields := []abi.Field{{Name: "b", Type: abi.Bool}, {Name: "f", Type: abi.Float32}, {Name: "d", Type: abi.Float64}, {Name: "i", Type: abi.Int32}, {Name: "s", Type: abi.UTF8}, {Name: "v", Type: abi.FloatVector, ListSize: 3}}
	var out Out
	out.fit(fields)
	for round := range 2 {
		out.clear()
		in := In{layout: out.layout, row: out.row}
		for i := range fields {
			if !in.Null(i) {
				t.Fatalf("round %d: column %d is not null before it is set", round, i)
			}
		}
		out.SetBool(0, round == 0)
		out.SetFloat32(1, 1.5)
		out.SetFloat64(2, math.Inf(-1))
		out.SetInt64(3, -7)
		out.SetText(4, "text")
		copy(out.Vector(5), []float32{1, 2, 3})
		if in.Bool(0) != (round == 0) || in.Float32(1) != 1.5 || in.Float64(2) != math.Inf(-1) || in.Int64(3) != -7 || string(in.Bytes(4)) != "text" || in.Vector(5)[2] != 3 {
			t.Fatalf("round %d: the row reads back as something else", round)
		}
		for i := range fields {
			if in.Null(i) {
				t.Fatalf("round %d: column %d is null after it was set", round, i)
			}
		}
	}
}

func TestRegister(t *testing.T) {
	defer func() { one = nil }()
	f := []abi.Field{{Name: "x", Type: abi.Float64}}
	if err := check(abi.Schema{Inputs: f, Outputs: f}); err == nil || !strings.Contains(err.Error(), "Register") {
		t.Errorf("without a function: %v", err)
	}
	Register(func(*In, *Out) error { return nil })
	if err := check(abi.Schema{Inputs: f}); err == nil || !strings.Contains(err.Error(), "1 and 0 columns") {
		t.Errorf("without outputs: %v", err)
	}
	if err := check(abi.Schema{Inputs: f, Outputs: f}); err != nil {
		t.Error(err)
	}
	defer func() {
		if recover() == nil {
			t.Error("a second Register is not refused")
		}
	}()
	Register(func(*In, *Out) error { return nil })
}
