package examples

import (
	"context"
	"encoding/json"
	"fmt"
	"math"
	"os"
	"os/exec"
	"sort"
	"testing"

	"github.com/weir-ml/weir/host/plugin"
	"github.com/weir-ml/weir/sdk/abi"
)

// benchmarked opens an example in a language on a host of its own, limits on.
func benchmarked(b *testing.B, language, name, params string) *plugin.Plugin {
	b.Helper()
	if out, err := exec.Command("./build.sh", language, name).CombinedOutput(); err != nil {
		b.Fatalf("build.sh %s %s: %v\n%s", language, name, err, out)
	}
	wasm, err := os.ReadFile(folder() + "/" + language + "/" + name + ".wasm")
	if err != nil {
		b.Fatal(err)
	}
	h, err := plugin.New(plugin.Options{CacheDir: folder() + "/code"})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { h.Close() })
	p, err := h.Open(context.Background(), wasm, json.RawMessage(params), plugin.Limits{})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { p.Close() })
	return p
}

// table makes a batch of so many float64 columns c0, c1, … from 0.5 to 100.5.
func table(rows, columns int) *abi.Batch {
	batch := &abi.Batch{Rows: rows}
	for c := range columns {
		v := make([]float64, rows)
		for r := range v {
			v[r] = 50.5 + 50*math.Sin(float64(r*columns+c))
		}
		batch.Columns = append(batch.Columns, abi.Float64Column(fmt.Sprintf("c%d", c), v))
	}
	return batch
}

// run transforms the batch again and again; the results are copied out of the guest.
func run(b *testing.B, p *plugin.Plugin, batch *abi.Batch) {
	b.Helper()
	b.SetBytes(int64(batch.Rows * len(batch.Columns) * 8))
	for b.Loop() {
		if _, err := p.Transform(context.Background(), batch); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkStandardise transforms 131,072 rows of 10 columns, in each language and in the same loop in Go.
func BenchmarkStandardise(b *testing.B) {
	const rows, columns = 131072, 10
	batch, params := table(rows, columns), `{"columns":[`
	for c := range columns {
		params += fmt.Sprintf(`%s{"name":"c%d","mean":%d.25,"std":1.5}`, map[bool]string{true: ","}[c > 0], c, c)
	}
	b.Run("native", func(b *testing.B) {
		b.SetBytes(rows * columns * 8)
		for b.Loop() {
			for c := range batch.Columns {
				y, mean := make([]float64, rows), float64(c)+0.25
				for i, x := range batch.Columns[c].Float64s() {
					y[i] = (x - mean) / 1.5
				}
			}
		}
	})
	for _, language := range languages {
		b.Run(language, func(b *testing.B) { run(b, benchmarked(b, language, "standardise", params+"]}"), batch) })
	}
}

// BenchmarkLog1p transforms 1,310,720 rows of one column to three: logarithm, clipped value and bucket.
func BenchmarkLog1p(b *testing.B) {
	const rows = 1310720
	batch, edges := table(rows, 1), []float64{1, 10}
	b.Run("native", func(b *testing.B) {
		b.SetBytes(rows * 8)
		for b.Loop() {
			log, clip, bucket := make([]float64, rows), make([]float64, rows), make([]int64, rows)
			for i, x := range batch.Columns[0].Float64s() {
				c := min(max(x, 0), 100)
				log[i], clip[i] = math.Log1p(c), c
				bucket[i] = int64(sort.Search(len(edges), func(e int) bool { return edges[e] > c }))
			}
		}
	})
	for _, language := range languages {
		b.Run(language, func(b *testing.B) {
			run(b, benchmarked(b, language, "log1p-clip-bucketise", `{"column":"c0","low":0,"high":100,"edges":[1,10]}`), batch)
		})
	}
}

// BenchmarkOneRow transforms one row of 10 columns.
func BenchmarkOneRow(b *testing.B) {
	batch := table(1, 10)
	params := `{"columns":[{"name":"c0","mean":0,"std":1}`
	for c := 1; c < 10; c++ {
		params += fmt.Sprintf(`,{"name":"c%d","mean":0.5,"std":1.5}`, c)
	}
	for _, language := range languages {
		b.Run(language, func(b *testing.B) {
			p := benchmarked(b, language, "standardise", params+"]}")
			for b.Loop() {
				if err := p.TransformChunk(context.Background(), batch, func(*abi.Batch) error { return nil }); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// BenchmarkColdStart opens an example on a new host over a filled code cache and transforms one row.
func BenchmarkColdStart(b *testing.B) {
	batch := table(1, 1)
	const params = `{"columns":[{"name":"c0","mean":0,"std":1}]}`
	for _, language := range languages {
		b.Run(language, func(b *testing.B) {
			benchmarked(b, language, "standardise", params) // fills the cache
			wasm, err := os.ReadFile(folder() + "/" + language + "/standardise.wasm")
			if err != nil {
				b.Fatal(err)
			}
			for range b.N {
				b.StopTimer()
				h, err := plugin.New(plugin.Options{CacheDir: folder() + "/code"})
				if err != nil {
					b.Fatal(err)
				}
				b.StartTimer()
				p, err := h.Open(context.Background(), wasm, json.RawMessage(params), plugin.Limits{})
				if err == nil {
					_, err = p.Transform(context.Background(), batch)
				}
				if err != nil {
					b.Fatal(err)
				}
				b.StopTimer()
				p.Close()
				h.Close()
				b.StartTimer()
			}
		})
	}
}
