package fit

import (
	"math"

	"github.com/weir-ml/weir/host/errs"
)

// powers are the recipes of plugins that make a distribution more like the normal one.
var powers = []recipe{
	define("log-power", numeric, whatNumeric, fitPower),
}

type powerOptions struct {
	Method      string `json:"method"`      // yeo-johnson (default) or box-cox, which wants numbers above 0
	Standardize *bool  `json:"standardize"` // of the result; default true
}

type powerColumn struct {
	Name   string   `json:"name"`
	Method string   `json:"method"`
	Lambda float64  `json:"lambda"`
	Mean   *float64 `json:"mean,omitempty"`
	Std    *float64 `json:"std,omitempty"`
}

// maxPowerRows bounds what is held in memory: the likelihood is computed from the values again and again.
const maxPowerRows = 20_000_000

// fitPower: for each column the λ of the largest likelihood, as PowerTransformer; then mean and population deviation of the result.
func fitPower(f *fitting, o *powerOptions) (any, error) {
	if o.Method == "" {
		o.Method = "yeo-johnson"
	}
	if o.Method != "yeo-johnson" && o.Method != "box-cox" {
		return nil, errs.New(errs.Invalid, "options: method %q: use yeo-johnson or box-cox", o.Method)
	}
	if f.table.Rows > maxPowerRows {
		return nil, errs.New(errs.Invalid, "dataset %s has %d rows, and this fit holds at most %d: fit on a sample", f.table.Ref, f.table.Rows, maxPowerRows)
	}
	stats, err := f.aggregate("min($)", "max($)")
	if err != nil {
		return nil, err
	}
	columns := make([]powerColumn, len(f.columns))
	for i, c := range f.columns {
		if o.Method == "box-cox" && stats[i][1] <= 0 {
			return nil, errs.New(errs.Invalid, "column %q of dataset %s holds numbers of 0 or less: box-cox takes none, use yeo-johnson", c.Name, f.table.Ref)
		}
		if stats[i][1] == stats[i][2] {
			return nil, errs.New(errs.Invalid, "column %q of dataset %s is constant: leave it out", c.Name, f.table.Ref)
		}
		x := make([]float64, 0, int(stats[i][0]))
		q := "CAST(" + quote(c.Name) + " AS DOUBLE)"
		if err := f.rows("SELECT "+q+" FROM data WHERE "+q+" IS NOT NULL AND NOT isnan("+q+")", func(row []any) error {
			x = append(x, row[0].(float64))
			return nil
		}); err != nil {
			return nil, err
		}
		columns[i] = power(c.Name, o, x)
	}
	return map[string]any{"columns": columns}, nil
}

// power finds one column's λ. The profile log-likelihood is that of Box and Cox 1964 and of Yeo and Johnson 2000:
// −n/2 · ln(var(y)) + (λ−1) · Σ ln|1+|x|| with the sign of x (Box-Cox: Σ ln x).
func power(name string, o *powerOptions, x []float64) powerColumn {
	box := o.Method == "box-cox"
	logs := 0.0
	for _, v := range x {
		if box {
			logs += math.Log(v)
		} else {
			logs += math.Copysign(math.Log1p(math.Abs(v)), v)
		}
	}
	y := make([]float64, len(x))
	at := func(lambda float64) (mean, variance float64) {
		sum := 0.0
		for i, v := range x {
			y[i] = transformed(v, lambda, box)
			sum += y[i]
		}
		mean = sum / float64(len(y))
		rest := 0.0
		for _, v := range y {
			d := v - mean
			variance += d * d
			rest += d
		}
		n := float64(len(y))
		return mean, (variance - rest*rest/n) / n
	}
	lambda := minimise(-2, 2, func(lambda float64) float64 {
		_, variance := at(lambda)
		if !(variance > 0) || math.IsInf(variance, 0) {
			return math.Inf(1)
		}
		return float64(len(x))/2*math.Log(variance) - (lambda-1)*logs
	})
	c := powerColumn{Name: name, Method: o.Method, Lambda: lambda}
	if o.Standardize == nil || *o.Standardize {
		mean, variance := at(lambda)
		std := math.Sqrt(variance)
		c.Mean, c.Std = &mean, &std
	}
	return c
}

// transformed is plugins/log-power's rule: expm1(λ·ln x)/λ, so that small λ lose nothing.
func transformed(v, lambda float64, box bool) float64 {
	grow := func(log, l float64) float64 {
		if l == 0 {
			return log
		}
		return math.Expm1(l*log) / l
	}
	switch {
	case box:
		return grow(math.Log(v), lambda)
	case v >= 0:
		return grow(math.Log1p(v), lambda)
	default:
		return -grow(math.Log1p(-v), 2-lambda)
	}
}

// minimise finds a local minimum of f near [a, b]: the bracket is widened downhill by the golden ratio while an end is lower
// than the middle, then narrowed by Brent's method (Brent 1973, chapter 5), to 1e-9 relative.
func minimise(a, b float64, f func(float64) float64) float64 {
	const golden, ratio = 1.618033988749895, 0.3819660112501051
	fb := f(b)
	if fa := f(a); fb > fa {
		a, b, fb = b, a, fa
	}
	c := b + golden*(b-a)
	fc := f(c)
	for step := 0; fc < fb && step < 60; step++ {
		a, b, c = b, c, c+golden*(c-b)
		fb, fc = fc, f(c)
	}
	low, high := min(a, c), max(a, c)
	x := b
	w, v := x, x
	fx := fb
	fw, fv := fx, fx
	var d, e float64
	for range 500 {
		middle := (low + high) / 2
		tolerance := 1e-9*math.Abs(x) + 1e-11
		if math.Abs(x-middle) <= 2*tolerance-(high-low)/2 {
			break
		}
		parabolic := false
		if math.Abs(e) > tolerance {
			r := (x - w) * (fx - fv)
			q := (x - v) * (fx - fw)
			p := (x-v)*q - (x-w)*r
			q = 2 * (q - r)
			if q > 0 {
				p = -p
			}
			q = math.Abs(q)
			before := e
			e = d
			if math.Abs(p) < math.Abs(q*before/2) && p > q*(low-x) && p < q*(high-x) {
				parabolic = true
				d = p / q
				if u := x + d; u-low < 2*tolerance || high-u < 2*tolerance {
					d = math.Copysign(tolerance, middle-x)
				}
			}
		}
		if !parabolic {
			e = high - x
			if x >= middle {
				e = low - x
			}
			d = ratio * e
		}
		u := x + d
		if math.Abs(d) < tolerance {
			u = x + math.Copysign(tolerance, d)
		}
		fu := f(u)
		if fu <= fx {
			if u >= x {
				low = x
			} else {
				high = x
			}
			v, w, x = w, x, u
			fv, fw, fx = fw, fx, fu
			continue
		}
		if u < x {
			low = u
		} else {
			high = u
		}
		switch {
		case fu <= fw || w == x:
			v, w = w, u
			fv, fw = fw, fu
		case fu <= fv || v == x || v == w:
			v, fv = u, fu
		}
	}
	return x
}
