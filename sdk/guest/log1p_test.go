package guest

import (
	"bufio"
	"math"
	"math/big"
	"math/rand/v2"
	"os"
	"regexp"
	"strconv"
	"testing"
)

// TestLog1pCheckValues compares with the table of SPEC.md.
func TestLog1pCheckValues(t *testing.T) {
	f, err := os.Open("../examples/SPEC.md")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	line := regexp.MustCompile(`^\| (\S+) \| 0x([0-9a-f]{16}) \(`)
	n := 0
	for s := bufio.NewScanner(f); s.Scan(); {
		m := line.FindStringSubmatch(s.Text())
		if m == nil {
			continue
		}
		n++
		x, err := strconv.ParseFloat(m[1], 64)
		if err != nil {
			t.Fatal(err)
		}
		want, err := strconv.ParseUint(m[2], 16, 64)
		if err != nil {
			t.Fatal(err)
		}
		if got := math.Float64bits(Log1p(x)); got != want {
			t.Errorf("log1p(%v) has the bits %x, the table says %x", x, got, want)
		}
	}
	if n < 10 {
		t.Fatalf("the table has %d values", n)
	}
}

func TestLog1pSpecialValues(t *testing.T) {
	nan, inf, zero := uint64(0x7ff8000000000000), math.Inf(1), math.Copysign(0, -1)
	for x, want := range map[float64]uint64{
		inf: math.Float64bits(inf), -1: math.Float64bits(-inf), math.Inf(-1): nan, math.Nextafter(-1, -2): nan, -math.MaxFloat64: nan,
		5e-324: 1, -5e-324: 1<<63 | 1,
	} {
		if got := math.Float64bits(Log1p(x)); got != want {
			t.Errorf("log1p(%v) has the bits %x, want %x", x, got, want)
		}
	}
	for _, bits := range []uint64{0x7ff8000000000000, 0xfff8000000000001, 0x7ff0000000000001} {
		if got := math.Float64bits(Log1p(math.Float64frombits(bits))); got != nan {
			t.Errorf("log1p of the NaN %x has the bits %x", bits, got)
		}
	}
	if math.Float64bits(Log1p(zero)) != math.Float64bits(zero) || math.Float64bits(Log1p(0)) != 0 {
		t.Error("a zero loses its sign")
	}
}

// TestLog1pIsPrecise compares with logarithms of 200 bits, computed another way.
func TestLog1pIsPrecise(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	worst, at := 0.0, 0.0
	for i := range 20000 {
		var x float64
		switch i % 4 {
		case 0:
			x = r.Float64()*2.5 - 0.999
		case 1:
			x = math.Ldexp(r.Float64()-0.5, -r.IntN(60))
		case 2:
			x = -1 + math.Ldexp(1+r.Float64(), -1-r.IntN(51))
		default:
			x = math.Ldexp(1+r.Float64(), r.IntN(1000))
		}
		want := precise(x)
		nearest, _ := want.Float64()
		if nearest == 0 {
			continue
		}
		ulp := math.Abs(math.Nextafter(nearest, 2*nearest) - nearest)
		off, _ := new(big.Float).Sub(want, big.NewFloat(Log1p(x))).Float64()
		if e := math.Abs(off) / ulp; e > worst {
			worst, at = e, x
		}
	}
	if worst > 0.9 || worst < 0.5 { // less than half a unit is more than rounding allows: then the measure is wrong
		t.Errorf("log1p(%v) is %.3f units in the last place off", at, worst)
	}
}

// precise is ln(1 + x): 1 + x is divided by a power of 2, its root is taken three times, and ln m = 2 artanh((m - 1) / (m + 1)).
func precise(x float64) *big.Float {
	const bits = 200
	number := func(v float64) *big.Float { return new(big.Float).SetPrec(bits).SetFloat64(v) }
	m := new(big.Float).SetPrec(1200).Add(number(1), new(big.Float).SetPrec(1200).SetFloat64(x))
	k := m.MantExp(m)
	if m.Cmp(number(0.75)) < 0 {
		m.SetMantExp(m, 1)
		k--
	}
	ln2, _ := new(big.Float).SetPrec(bits).SetString("0.693147180559945309417232121458176568075500134360255254120680009493393621969694715605863326996418687")
	m.SetPrec(bits)
	roots := 3
	for range roots {
		m.Sqrt(m)
	}
	s := new(big.Float).SetPrec(bits).Quo(new(big.Float).SetPrec(bits).Sub(m, number(1)), new(big.Float).SetPrec(bits).Add(m, number(1)))
	z, term, sum := new(big.Float).SetPrec(bits).Mul(s, s), new(big.Float).Copy(s), new(big.Float).Copy(s)
	for i := 3; i < 60 && term.Sign() != 0; i += 2 {
		term.Mul(term, z)
		sum.Add(sum, new(big.Float).SetPrec(bits).Quo(term, number(float64(i))))
	}
	sum.SetMantExp(sum, 1+roots)
	return sum.Add(sum, new(big.Float).SetPrec(bits).Mul(ln2, number(float64(k))))
}
