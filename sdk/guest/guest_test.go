package guest

import (
	"testing"
	"unsafe"

	"github.com/weir-ml/weir/sdk/abi"
)

func TestArenaReuses(t *testing.T) {
	var a Arena
	for round := range 5 {
		a.Reset()
		x, y := a.Float64s(100), a.Bytes(13)
		for i := range x {
			x[i] = float64(round)
		}
		for i := range y {
			y[i] = 0xff
		}
		if x[99] != float64(round) || len(y) != 13 || uintptr(unsafe.Pointer(&y[0]))%abi.Alignment != 0 {
			t.Fatalf("round %d: %v, %d bytes", round, x[99], len(y))
		}
	}
	if n := testing.AllocsPerRun(50, func() { a.Reset(); a.Float64s(100); a.Bytes(13) }); n != 0 {
		t.Errorf("%v allocations a round", n)
	}
}

func TestAligned(t *testing.T) {
	b := make([]byte, 64)
	for off := range 16 {
		in := b[off : off+5]
		in[4] = byte(off)
		out := aligned(in)
		if uintptr(unsafe.Pointer(&out[0]))%abi.Alignment != 0 || string(out) != string(in) {
			t.Fatalf("offset %d", off)
		}
	}
}

func TestCheckNamesTheColumn(t *testing.T) {
	good := &abi.Batch{Rows: 2, Columns: []abi.Column{abi.Float64Column("x", []float64{1, 2}), abi.UTF8Column("t", []string{"a", "b"})}}
	if err := check(good, 2); err != nil {
		t.Fatal(err)
	}
	for want, b := range map[string]*abi.Batch{
		"the transform answered no batch":                    nil,
		"the transform answered 1 rows for 2":                {Rows: 1},
		`output column "x" has 8 bytes, not 16`:              {Rows: 2, Columns: []abi.Column{abi.Float64Column("x", []float64{1})}},
		`output column "t" has 2 offsets, not 3`:             {Rows: 2, Columns: []abi.Column{abi.UTF8Column("t", []string{"a"})}},
		`output column "v" has a validity of 0 bytes, not 1`: {Rows: 2, Columns: []abi.Column{{Field: abi.Field{Name: "v", Type: abi.Bool}, Values: []byte{0}, Validity: []byte{}}}},
	} {
		if err := check(b, 2); err == nil || err.Error() != want {
			t.Errorf("got %v, want %s", err, want)
		}
	}
}
