package plugin

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/weir-ml/weir/host/errs"
	"github.com/weir-ml/weir/sdk/abi"
)

func rowGuest(t testing.TB) []byte { return guestFile(t, "testdata/rows/rows.wasm") }

// TestRowOfEveryType sends rows of all types, with every set of nulls, through weir_row, chunks of other sizes between them.
func TestRowOfEveryType(t *testing.T) {
	p := open(t, rowGuest(t), `"echo"`, Limits{})
	ctx := context.Background()
	if !p.HasRow() {
		t.Fatal("the row entry is not found")
	}
	for mask := range 1 << 9 {
		in := everyType(1)
		for i := range in.Columns {
			in.Columns[i].Validity = nil
			if mask>>i&1 == 1 {
				in.Columns[i] = in.Columns[i].WithNulls(1, 0)
			}
		}
		in.Columns[5].Values, in.Columns[5].Offsets = []byte(strings.Repeat("ł", mask)), []int32{0, int32(2 * mask)}
		out, err := p.Transform(ctx, in)
		if err != nil {
			t.Fatalf("%b: %v", mask, err)
		}
		if err := out.Validate(); err != nil || !in.Equal(out) {
			t.Fatalf("%b: came back changed (%v)", mask, err)
		}
		if mask%64 == 0 { // the arena moves and the batch's layout with it
			big := everyType(10 * (mask + 1))
			if out, err := p.Transform(ctx, big); err != nil || !out.Equal(big) {
				t.Fatalf("a batch in between: %v", err)
			}
		}
	}
	if s := p.Stats(); s.Calls != 512+8 || s.Traps != 0 || s.ColdStarts != 1 {
		t.Errorf("%+v", s)
	}
}

// TestRowEqualsBatch: both entries answer the same bits, and rows go through theirs.
func TestRowEqualsBatch(t *testing.T) {
	ctx := context.Background()
	p := open(t, rowGuest(t), `"scale 3"`, Limits{})
	in, _ := floats(100, 3)
	whole, err := p.Transform(ctx, in)
	if err != nil {
		t.Fatal(err)
	}
	for r := range in.Rows {
		row := in.Slice(r, r+1)
		if err := p.Row(ctx, row, func(out *abi.Batch) error {
			if !out.Equal(whole.Slice(r, r+1)) {
				t.Errorf("row %d: %v", r, out.Columns[0].Float64s())
			}
			return nil
		}); err != nil {
			t.Fatal(err)
		}
	}
	one := in.Slice(0, 1)
	if n := testing.AllocsPerRun(100, func() { _ = p.TransformChunk(ctx, one, func(*abi.Batch) error { return nil }) }); n > 0 {
		t.Errorf("%v allocations a row", n)
	}
	other, _ := floats(1, 2)
	for text, b := range map[string]*abi.Batch{"of 2": in.Slice(0, 2), "has 2 columns, the schema 3": other, "column 0 of the row is": everyType(1)} {
		if text == "column 0 of the row is" {
			b.Columns = b.Columns[:3]
		}
		if err := p.Row(ctx, b, func(*abi.Batch) error { return nil }); !errs.Is(err, errs.Invalid) || !strings.Contains(err.Error(), text) {
			t.Errorf("%v, want %q", err, text)
		}
	}
	bad := in.Slice(0, 1)
	bad.Columns[1].Values = bad.Columns[1].Values[:4]
	if _, err := p.Transform(ctx, bad); !errs.Is(err, errs.Invalid) || !strings.Contains(err.Error(), `input row: column 1 ("c1")`) || p.Stats().Traps != 0 {
		t.Errorf("a row that the caller built wrongly: %v", err)
	}
	// Where the columns are open, and where the module has no row entry, the batch does it.
	open1 := open(t, rowGuest(t), `"open"`, Limits{})
	if out, err := open1.Transform(ctx, other); err != nil || !out.Equal(other) || open1.HasRow() {
		t.Errorf("an open schema: %v", err)
	}
	if err := open1.Row(ctx, other, nil); !errs.Is(err, errs.Invalid) {
		t.Errorf("a row that the plugin does not take: %v", err)
	}
}

// TestLyingRows: whatever weir_row answers is checked, and costs the instance.
func TestLyingRows(t *testing.T) {
	h, err := New(Options{CacheDir: codeDir})
	if err != nil {
		t.Fatal(err)
	}
	defer h.Close()
	ctx := context.Background()
	in := everyType(1)
	for i := range in.Columns {
		in.Columns[i].Validity = nil
	}
	in.Columns[5] = abi.UTF8Column("text", []string{"ab"})
	for _, tc := range []struct {
		mode string
		kind errs.Kind
		text string
	}{
		{"byte 8 2", errs.Invalid, "breaks the ABI: column 0 (\"flag\"): a bool is 0 or 1"},
		{"byte 23 1", errs.Invalid, "is no int32"},
		{"byte 39 1", errs.Invalid, "after a float32 must be zero"},
		{"byte 51 255", errs.Invalid, "outside the memory"},
		{"byte 55 255", errs.Invalid, "a value of"},
		{"byte 53 200", errs.Invalid, ""}, // what lies there may be text
		{"at 1", errs.Invalid, "not a multiple of 8"},
		{"at 4294967288", errs.Invalid, "outside the memory"},
		{"at 0", errs.Invalid, "no row today"},
		{"far", errs.Invalid, "outside the memory"},
		{"trap", errs.Invalid, "unreachable"},
		{"loop", errs.Exhausted, "units in one call"},
	} {
		params, _ := json.Marshal(tc.mode)
		p, err := h.Open(ctx, rowGuest(t), params, Limits{Fuel: 1e6})
		if err != nil {
			t.Fatal(err)
		}
		out, err := p.Transform(ctx, in)
		switch {
		case tc.text == "" && err == nil:
			if err := out.Validate(); err != nil {
				t.Errorf("%s: accepted, but %v", tc.mode, err)
			}
		default:
			wantFault(t, err, p, tc.kind, tc.text)
			if s := p.Stats(); s.Live != 0 || s.Traps != 1 {
				t.Errorf("%s: the instance lives on: %+v", tc.mode, s)
			}
		}
		p.Close()
	}
}

// TestRowSignature: weir_row of another type is found before anything calls it.
func TestRowSignature(t *testing.T) {
	h, err := New(Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer h.Close()
	// weir_init, of type (i32, i32) → i32, is exported under the other name; weir_alloc would do.
	for name, right := range map[string]bool{"weir_init": false, "weir_alloc": true} {
		wasm := tiny(tinyOptions{rename: name, to: "weir_row"})
		out, err := instrument(wasm)
		if err != nil {
			t.Fatal(err)
		}
		m, err := compileModule(compileTime, h.runtime, out)
		if err != nil {
			t.Fatal(err)
		}
		err = checkRow(m)
		if right && err != nil || !right && (err == nil || !strings.Contains(err.Error(), "its export weir_row is (i32, i32) → (i32), not (i32) → (i32)")) {
			t.Errorf("%s as weir_row: %v", name, err)
		}
	}
}

func BenchmarkRow(b *testing.B) {
	for _, cols := range []int{1, 10} {
		b.Run(fmt.Sprintf("c/%dcolumns", cols), func(b *testing.B) {
			in, _ := floats(1, cols)
			p := open(b, rowGuest(b), fmt.Sprintf(`"scale %d"`, cols), Limits{})
			ctx := context.Background()
			use := func(*abi.Batch) error { return nil }
			b.ReportAllocs()
			for b.Loop() {
				if err := p.TransformChunk(ctx, in, use); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
	b.Run("c/everyType", func(b *testing.B) {
		in := everyType(1)
		p := open(b, rowGuest(b), `"echo"`, Limits{Timeout: time.Second})
		ctx := context.Background()
		use := func(*abi.Batch) error { return nil }
		b.ReportAllocs()
		for b.Loop() {
			if err := p.TransformChunk(ctx, in, use); err != nil {
				b.Fatal(err)
			}
		}
	})
}
