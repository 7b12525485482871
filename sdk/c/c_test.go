// Package c has no Go code: the SDK for C is headers. Its test compiles a guest with them.
package c

import (
	"context"
	"math"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/weir-ml/weir/host/plugin"
	"github.com/weir-ml/weir/sdk/abi"
	"github.com/weir-ml/weir/sdk/guest"
)

// compile builds a guest as weir.h says plugins are built.
func compile(t *testing.T, source string) []byte {
	t.Helper()
	zig, err := exec.Command("../../scripts/toolchain.sh", "zig").Output()
	if err != nil {
		t.Fatalf("scripts/toolchain.sh zig: %v", err)
	}
	cache, err := filepath.Abs("../../.cache/zig")
	if err != nil {
		t.Fatal(err)
	}
	out := filepath.Join(t.TempDir(), "guest.wasm")
	cmd := exec.Command(strings.TrimSpace(string(zig)), "cc", "--target=wasm32-wasi", "-O3", "-s", "-mexec-model=reactor", "-Wl,-z,stack-size=65536", "-msimd128",
		"-Wall", "-Wextra", "-Wno-unused-function", "-Wno-missing-field-initializers", "-Wno-sign-compare", "-Werror", "-I", ".", "-o", out, source)
	cmd.Env = append(os.Environ(), "ZIG_GLOBAL_CACHE_DIR="+cache, "ZIG_LOCAL_CACHE_DIR="+cache)
	if text, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, text)
	}
	wasm, err := os.ReadFile(out)
	if err != nil {
		t.Fatal(err)
	}
	return wasm
}

// TestLog1p compares weir_log1p, in SIMD and in scalars, with guest.Log1p as this machine computes it, on doubles of random bits (half of
// them below -1 or no numbers) and on those around its branches.
func TestLog1p(t *testing.T) {
	h, err := plugin.New(plugin.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer h.Close()
	ctx := context.Background()
	p, err := h.Open(ctx, compile(t, "testdata/log1p.c"), nil, plugin.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	if !p.HasRow() {
		t.Fatal("the guest has no entry for one row")
	}

	x := []float64{0, math.Copysign(0, -1), -1, 1, math.Inf(1), math.Inf(-1), math.NaN(), math.Float64frombits(0xfff0000000000001), 5e-324, -5e-324, math.MaxFloat64, -math.MaxFloat64}
	for _, v := range []float64{-1, math.Sqrt2 - 1, math.Sqrt2/2 - 1, 1, 2*math.Sqrt2 - 1, 1 << 53, -0.5} {
		for lo, hi, i := v, v, 0; i < 50; i++ {
			x = append(x, lo, hi)
			lo, hi = math.Nextafter(lo, math.Inf(-1)), math.Nextafter(hi, math.Inf(1))
		}
	}
	special := len(x)
	r := rand.New(rand.NewPCG(7, 8))
	for len(x) < 300_000 {
		x = append(x, math.Float64frombits(r.Uint64()), r.Float64()*3-1.5, -1+r.ExpFloat64()*math.Ldexp(1, -r.IntN(60)))
	}
	check := func(how string, i int, y float64) {
		if got, want := math.Float64bits(y), math.Float64bits(guest.Log1p(x[i])); got != want {
			t.Errorf("%s: log1p(%v) has the bits %x, natively in Go %x", how, x[i], got, want)
		}
	}
	column := func(v []float64) *abi.Batch {
		return &abi.Batch{Rows: len(v), Columns: []abi.Column{abi.Float64Column("x", v)}}
	}
	out, err := p.Transform(ctx, column(x))
	if err != nil {
		t.Fatal(err)
	}
	for i, y := range out.Columns[0].Float64s() {
		check("SIMD", i, y)
		if t.Failed() {
			return
		}
	}
	for i := range x[:special+1000] {
		err := p.Row(ctx, column(x[i:i+1]), func(out *abi.Batch) error {
			check("scalar", i, out.Columns[0].Float64s()[0])
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
}

// TestNumbers sends doubles as JSON through weir_json.h and back, within a body in base64: the same bits, and no more digits than
// 17 nor, for decimals of a few digits, than they need.
func TestNumbers(t *testing.T) {
	h, err := plugin.New(plugin.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer h.Close()
	ctx := context.Background()
	p, err := h.Open(ctx, compile(t, "testdata/numbers.c"), nil, plugin.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	rng := rand.New(rand.NewPCG(8, 9))
	values := []float64{0, math.Copysign(0, -1), 1, -1, 0.1, 36.75, 1e15, 1e15 - 1, 1e22, 1e23, 9007199254740991, 9007199254740992, 9007199254740993, 5e-324, math.MaxFloat64, 0.3, 1.0 / 3, 2.5e-9, 123456.789, 1e-9, 1e-10}
	for range 3000 {
		if v := math.Float64frombits(rng.Uint64()); v-v == 0 {
			values = append(values, v)
		}
		values = append(values, float64(rng.IntN(2_000_000)-1_000_000)/math.Pow10(rng.IntN(8)), rng.NormFloat64(), float64(rng.Int64()>>rng.IntN(63)))
	}
	for n, format := range []byte{'g', 'f', 'e'} {
		for from := 0; from < len(values); from += 1000 + n { // bodies of all lengths modulo 3
			part := values[from:min(from+1000+n, len(values))]
			var b strings.Builder
			for i, v := range part {
				b.WriteByte("[,"[min(i, 1)])
				b.WriteString(strconv.FormatFloat(v, format, -1, 64))
			}
			b.WriteByte(']')
			r, err := p.Handle(ctx, abi.Request{Kind: "http", Method: "POST", Body: []byte(b.String())})
			if err != nil {
				t.Fatal(err)
			}
			got := strings.Split(strings.Trim(string(r.Body), "[]"), ",")
			if len(got) != len(part) {
				t.Fatalf("%d numbers for %d", len(got), len(part))
			}
			for i, v := range part {
				back, err := strconv.ParseFloat(got[i], 64)
				if err != nil || math.Float64bits(back) != math.Float64bits(v) {
					t.Fatalf("%s came back as %s", strconv.FormatFloat(v, format, -1, 64), got[i])
				}
				short := strconv.FormatFloat(v, 'f', -1, 64)
				if _, decimals, _ := strings.Cut(short, "."); math.Abs(v) < 1e6 && len(decimals) <= 6 && got[i] != short && v != 0 {
					t.Fatalf("%s was written as %s", short, got[i])
				}
			}
		}
	}
}
