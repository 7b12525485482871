package plugins_test

import (
	"context"
	"encoding/json"
	"fmt"
	"math"
	"math/big"
	"math/rand/v2"
	"strconv"
	"strings"
	"testing"

	"github.com/weir-ml/weir/host/plugin"
	"github.com/weir-ml/weir/plugins"
	"github.com/weir-ml/weir/sdk/abi"
)

// TestDecimals compares the reader of numbers that the transforms in C share with strconv: robust with that center and 0 as input answers the
// number, negated.
func TestDecimals(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	texts := []string{
		"0", "-0.0", "0.0e9", "5e-324", "2.4703282292062327e-324", "2.4703282292062328e-324", "1e-400", "2.2250738585072011e-308", "2.2250738585072014e-308",
		"1.7976931348623157e308", "1.7976931348623158e308", "9007199254740993", "9007199254740992.5", "9007199254740993.0000000000000000000000000000000001",
		"1e23", "8.5e-323", "1E+22", "123456789012345678901234567890e-40", "1e-99999999999", "0." + strings.Repeat("0", 400) + "1e400",
		"0.1" + strings.Repeat("0", 900) + "1", "9007199254740993" + strings.Repeat("0", 200) + "." + strings.Repeat("0", 700) + "1e-200",
	}
	for len(texts) < 4000 {
		v := math.Float64frombits(rng.Uint64())
		if len(texts)%2 == 0 {
			v = rng.NormFloat64() * math.Pow(10, float64(rng.IntN(12)-6))
		}
		if math.IsNaN(v) || math.IsInf(v, 0) {
			continue
		}
		// The shortest form, some number of digits, and exactly half-way to the next double.
		switch rng.IntN(3) {
		case 0:
			texts = append(texts, strconv.FormatFloat(v, 'g', -1, 64))
		case 1:
			texts = append(texts, strconv.FormatFloat(v, 'e', rng.IntN(30), 64))
		default:
			// Exact in 54 bits, and 1,100 digits write all of it.
			half := new(big.Float).SetPrec(64).Add(big.NewFloat(v), big.NewFloat(math.Nextafter(v, 0)))
			texts = append(texts, half.Quo(half, big.NewFloat(2)).Text('e', 800))
		}
	}
	var columns []string
	batch := &abi.Batch{Rows: 1}
	for i, s := range texts {
		columns = append(columns, fmt.Sprintf(`{"name":"c%d","center":%s}`, i, s))
		batch.Columns = append(batch.Columns, abi.Float64Column("c"+strconv.Itoa(i), []float64{0}))
	}
	h, err := plugin.New(plugin.Options{CacheDir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	defer h.Close()
	var wasm []byte
	for _, a := range plugins.Builtin() {
		if a.Name == "robust" {
			wasm = a.Wasm
		}
	}
	p, err := h.Open(context.Background(), wasm, json.RawMessage(`{"columns":[`+strings.Join(columns, ",")+`]}`), plugin.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	out, err := p.Transform(context.Background(), batch)
	if err != nil {
		t.Fatal(err)
	}
	for i, s := range texts {
		want, err := strconv.ParseFloat(s, 64)
		if err != nil {
			t.Fatal(err)
		}
		if got := out.Columns[i].Float64s()[0]; math.Float64bits(got) != math.Float64bits(0-want) {
			t.Errorf("%s was read as %v", s, -got)
		}
	}
}
