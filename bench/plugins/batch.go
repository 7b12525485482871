package main

import (
	"context"
	"encoding/json"
	"fmt"
	"math"
	"os"
	"path/filepath"

	"github.com/weir-ml/weir/host/plugin"
	"github.com/weir-ml/weir/sdk/abi"
	"github.com/weir-ml/weir/sdk/guest"
)

var languages = []string{"c", "rust", "zig", "assemblyscript", "go"}

// The table that is standardised: ten features of a training set.
const (
	tableRows = 131072
	tableCols = 10
)

// table makes cols columns c0, c1 … of rows numbers.
func table(rows, cols int) *abi.Batch {
	b := &abi.Batch{Rows: rows}
	for c := range cols {
		v := make([]float64, rows)
		for r := range v {
			v[r] = 3 * math.Sin(float64(r*cols+c))
		}
		b.Columns = append(b.Columns, abi.Float64Column(fmt.Sprintf("c%d", c), v))
	}
	return b
}

func standardiseParameters(cols int) json.RawMessage {
	type column struct {
		Name string  `json:"name"`
		Mean float64 `json:"mean"`
		Std  float64 `json:"std"`
	}
	var list []column
	for c := range cols {
		list = append(list, column{fmt.Sprintf("c%d", c), 0.25, 1.5})
	}
	raw, err := json.Marshal(map[string]any{"columns": list})
	if err != nil {
		panic(err)
	}
	return raw
}

// example reads a module of the SDK's examples.
func (s settings) example(language, name string) ([]byte, error) {
	return os.ReadFile(filepath.Join(s.root, ".cache", "examples", language, name+".wasm"))
}

func (s settings) guest(name string) ([]byte, error) {
	return os.ReadFile(filepath.Join(s.root, ".cache", "bench-plugins", name+".wasm"))
}

// chunks cuts a batch as the host does.
func chunks(b *abi.Batch) []*abi.Batch {
	var out []*abi.Batch
	for from := 0; from < b.Rows; from += abi.MaxRows {
		out = append(out, b.Slice(from, min(from+abi.MaxRows, b.Rows)))
	}
	return out
}

func batches(ctx context.Context, s settings) error {
	in := table(tableRows, tableCols)
	parts := chunks(in)
	out := make([][]float64, tableCols)
	for c := range out {
		out[c] = make([]float64, tableRows)
	}
	h, err := plugin.New(plugin.Options{})
	if err != nil {
		return err
	}
	defer h.Close()

	plain := []*contestant{{name: "native Go", f: func() error {
		for c := range in.Columns {
			y := out[c]
			for i, v := range in.Columns[c].Float64s() {
				y[i] = (v - 0.25) / 1.5
			}
		}
		return nil
	}}}
	var ratios [][2]*contestant
	for _, l := range languages {
		wasm, err := s.example(l, "standardise")
		if err != nil {
			return err
		}
		p, err := h.Open(ctx, wasm, standardiseParameters(tableCols), plugin.Limits{})
		if err != nil {
			return err
		}
		defer p.Close()
		plain = append(plain,
			&contestant{name: "weir " + l + ", views", f: func() error {
				for _, part := range parts {
					if err := p.TransformChunk(ctx, part, func(*abi.Batch) error { return nil }); err != nil {
						return err
					}
				}
				return nil
			}},
			&contestant{name: "weir " + l + ", copied out", f: func() error { _, err := p.Transform(ctx, in); return err }})
		pair, err := rawPair(ctx, wasm, standardiseParameters(tableCols), parts[0])
		if err != nil {
			return fmt.Errorf("%s: %w", l, err)
		}
		ratios = append(ratios, [2]*contestant{{name: l, f: pair[0].run}, {name: l + " with fuel", f: pair[1].run}})
	}
	ext, err := newExtism(ctx, s, "standardise")
	if err != nil {
		return err
	}
	plain = append(plain, &contestant{name: "Extism Go SDK, C", f: func() error {
		for c := range in.Columns {
			for from := 0; from < tableRows; from += abi.MaxRows {
				if _, err := ext.call(in.Columns[c].Values[from*8 : (from+abi.MaxRows)*8]); err != nil {
					return err
				}
			}
		}
		return nil
	}})
	if err := race(ctx, s.rounds, plain); err != nil {
		return err
	}
	python, err := s.python(ctx, tableRows, tableCols)
	if err != nil {
		return err
	}
	plain = append(plain, &contestant{name: "numpy", took: python.Numpy}, &contestant{name: "wasmtime from Python, weir's C guest", took: python.Wasmtime})
	show(fmt.Sprintf("(x - mean) / std of %d rows × %d float64 columns", tableRows, tableCols), "ms", 1e6, plain)

	if err := logarithms(ctx, s, h, in, out); err != nil {
		return err
	}

	fmt.Println("\nFuel: the same module rewritten and not, one chunk of 8192 rows × 10 columns")
	for _, r := range ratios {
		if err := race(ctx, s.rounds*4, r[:]); err != nil {
			return err
		}
		fmt.Printf("  %-16s %8.1f µs → %8.1f µs  %.2f×\n", r[0].name, float64(r[0].took)/1e3, float64(r[1].took)/1e3, float64(r[1].took)/float64(r[0].took))
	}
	return nil
}

// logarithms compares log1p-clip-bucketise, column by column.
func logarithms(ctx context.Context, s settings, h *plugin.Host, in *abi.Batch, out [][]float64) error {
	const low, high = 0, 2.5
	edges := []float64{0.5, 1, 2}
	buckets := make([]int64, tableRows)
	clipped := make([]float64, tableRows)
	native := func(log func(float64) float64) func() error {
		return func() error {
			for c := range in.Columns {
				y := out[c]
				for i, v := range in.Columns[c].Float64s() {
					v = min(max(v, low), high)
					clipped[i] = v
					y[i] = log(v)
					n := int64(0)
					for _, e := range edges {
						if e <= v {
							n++
						}
					}
					buckets[i] = n
				}
			}
			return nil
		}
	}
	list := []*contestant{{name: "native Go", f: native(math.Log1p)}, {name: "native Go, the SDK's log1p", f: native(guest.Log1p)}}
	columns := make([]*abi.Batch, tableCols)
	for c := range columns {
		col := in.Columns[c]
		col.Name = "x"
		columns[c] = &abi.Batch{Rows: tableRows, Columns: []abi.Column{col}}
	}
	for _, l := range languages {
		wasm, err := s.example(l, "log1p-clip-bucketise")
		if err != nil {
			return err
		}
		p, err := h.Open(ctx, wasm, json.RawMessage(`{"column":"x","low":0,"high":2.5,"edges":[0.5,1,2]}`), plugin.Limits{})
		if err != nil {
			return err
		}
		defer p.Close()
		var parts []*abi.Batch
		for _, c := range columns {
			parts = append(parts, chunks(c)...)
		}
		list = append(list, &contestant{name: "weir " + l, f: func() error {
			for _, part := range parts {
				if err := p.TransformChunk(ctx, part, func(*abi.Batch) error { return nil }); err != nil {
					return err
				}
			}
			return nil
		}})
	}
	if err := race(ctx, s.rounds, list); err != nil {
		return err
	}
	show(fmt.Sprintf("log1p, clip and bucketise of the same %d columns", tableCols), "ms", 1e6, list)
	return nil
}

// rows measures one row.
func rows(ctx context.Context, s settings) error {
	const cols = 10
	in := table(1, cols)
	x := make([]float64, cols)
	h, err := plugin.New(plugin.Options{})
	if err != nil {
		return err
	}
	defer h.Close()
	list := []*contestant{{name: "native Go", f: func() error {
		for c := range in.Columns {
			x[c] = (in.Columns[c].Float64s()[0] - 0.25) / 1.5
		}
		return nil
	}}}
	for _, l := range languages {
		wasm, err := s.example(l, "standardise")
		if err != nil {
			return err
		}
		p, err := h.Open(ctx, wasm, standardiseParameters(cols), plugin.Limits{})
		if err != nil {
			return err
		}
		defer p.Close()
		list = append(list, &contestant{name: "weir " + l, f: func() error { return p.TransformChunk(ctx, in, func(*abi.Batch) error { return nil }) }})
	}
	ext, err := newExtism(ctx, s, "standardise")
	if err != nil {
		return err
	}
	raw := make([]byte, 8*cols)
	list = append(list, &contestant{name: "Extism Go SDK, C, raw bytes", f: func() error { _, err := ext.call(raw); return err }})
	python, err := s.python(ctx, 1, cols)
	if err != nil {
		return err
	}
	list = append(list, &contestant{name: "numpy", took: python.Numpy}, &contestant{name: "wasmtime from Python, weir's C guest", took: python.Wasmtime})
	if err := race(ctx, s.rounds, list); err != nil {
		return err
	}
	show(fmt.Sprintf("one row of %d float64 columns", cols), "µs", 1e3, list)
	return nil
}
