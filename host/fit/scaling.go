package fit

import (
	"fmt"
	"math"
	"strings"

	"github.com/weir-ml/weir/host/errs"
)

// scaling are the recipes of plugins that move and divide numbers.
var scaling = []recipe{
	define("standardize", numeric, whatNumeric, fitStandardize),
	define("minmax", numeric, whatNumeric, fitMinMax),
	define("robust", numeric, whatNumeric, fitRobust),
	define("clip", numeric, whatNumeric, fitClip),
	define("moments", numeric, whatNumeric, fitMoments),
}

// numbers is the dataset's columns as float64 under the names c0, c1 … , NaN and null both null: what every numeric recipe
// selects from. Infinite values stay, for finite to find.
func (f *fitting) numbers() string {
	parts := make([]string, len(f.columns))
	for i, c := range f.columns {
		x := "CAST(" + quote(c.Name) + " AS DOUBLE)"
		parts[i] = fmt.Sprintf("CASE WHEN isnan(%s) THEN NULL ELSE %s END AS c%d", x, x, i)
	}
	return "(SELECT " + strings.Join(parts, ", ") + " FROM data)"
}

// aggregate runs one query with the given expressions for every column, in which $ stands for the column, and answers
// [column][expression], the count of its numbers first. It refuses columns without a number and columns with infinite
// values, as scikit-learn does.
func (f *fitting) aggregate(expressions ...string) ([][]float64, error) {
	all := append([]string{"count($)", "count(*) FILTER (isinf($))"}, expressions...)
	got, err := f.each(func(i int) []string {
		out := make([]string, len(all))
		for k, e := range all {
			out[k] = strings.ReplaceAll(e, "$", fmt.Sprintf("c%d", i))
		}
		return out
	})
	if err != nil {
		return nil, err
	}
	for i, c := range f.columns {
		switch s := got[i]; {
		case s[0] == 0:
			return nil, errs.New(errs.Invalid, "column %q of dataset %s holds no number: leave it out", c.Name, f.table.Ref)
		case s[1] > 0:
			return nil, errs.New(errs.Invalid, "column %q of dataset %s holds %.0f infinite values: replace them first", c.Name, f.table.Ref, s[1])
		default:
			got[i] = append(s[:1], s[2:]...)
		}
	}
	return got, nil
}

// each runs one query with expressions of its own for each column i, which is named c<i> in them; all columns have as many.
func (f *fitting) each(expressions func(i int) []string) ([][]float64, error) {
	var parts []string
	for i := range f.columns {
		for _, e := range expressions(i) {
			parts = append(parts, "CAST("+e+" AS DOUBLE)")
		}
	}
	flat, err := f.one("SELECT " + strings.Join(parts, ", ") + " FROM " + f.numbers())
	if err != nil {
		return nil, err
	}
	out, width := make([][]float64, len(f.columns)), len(flat)/len(f.columns)
	for i := range out {
		out[i] = flat[i*width : (i+1)*width : (i+1)*width]
	}
	return out, nil
}

type scaleColumn struct {
	Name string  `json:"name"`
	Mean float64 `json:"mean"`
	Std  float64 `json:"std"`
}

// fitStandardize: the mean and the population standard deviation (ddof 0), as StandardScaler. The variance takes a second
// pass around the mean, corrected for the mean's rounding (Chan, Golub and LeVeque 1983), so that large means cost no digits.
// A column that is constant up to rounding has std 0, which the plugin divides by as 1; the bound is scikit-learn's
// _is_constant_feature: var ≤ n·ε·var + (n·mean·ε)².
func fitStandardize(f *fitting, _ *none) (any, error) {
	stats, err := f.aggregate("favg($)")
	if err != nil {
		return nil, err
	}
	spread, err := f.each(func(i int) []string {
		d := fmt.Sprintf("(c%d - CAST(%v AS DOUBLE))", i, stats[i][1])
		return []string{"fsum(" + d + ")", "fsum(" + d + " * " + d + ")"}
	})
	if err != nil {
		return nil, err
	}
	const eps = 2.220446049250313e-16
	columns := make([]scaleColumn, len(stats))
	for i, s := range stats {
		n, mean := s[0], s[1]
		variance := (spread[i][1] - spread[i][0]*spread[i][0]/n) / n
		std := math.Sqrt(max(variance, 0))
		if slack := n * mean * eps; variance <= n*eps*variance+slack*slack {
			std = 0
		}
		columns[i] = scaleColumn{f.columns[i].Name, mean, std}
	}
	return map[string]any{"columns": columns}, nil
}

type rangeOptions struct {
	FeatureRange []float64 `json:"feature_range,omitempty"` // passed on to the plugin
	Clip         bool      `json:"clip,omitempty"`          // passed on to the plugin
}

type rangeColumn struct {
	Name string  `json:"name"`
	Min  float64 `json:"min"`
	Max  float64 `json:"max"`
}

// fitMinMax: the smallest and the largest value, as MinMaxScaler.
func fitMinMax(f *fitting, o *rangeOptions) (any, error) {
	stats, err := f.aggregate("min($)", "max($)")
	if err != nil {
		return nil, err
	}
	columns := make([]rangeColumn, len(stats))
	for i, s := range stats {
		columns[i] = rangeColumn{f.columns[i].Name, s[1], s[2]}
	}
	return struct {
		Columns []rangeColumn `json:"columns"`
		rangeOptions
	}{columns, *o}, nil
}

// quantileOptions name two quantiles, in percent as scikit-learn's quantile_range.
type quantileOptions struct {
	QuantileRange []float64 `json:"quantile_range"` // low and high, 0 ≤ low < high ≤ 100
}

func (o *quantileOptions) or(low, high float64) (lo, hi float64, err error) {
	switch r := o.QuantileRange; {
	case len(r) == 0:
		return low / 100, high / 100, nil
	case len(r) != 2 || !(r[0] >= 0 && r[0] < r[1] && r[1] <= 100):
		return 0, 0, errs.New(errs.Invalid, "options: quantile_range is two percentages, the lower one first, for example [%v, %v]", low, high)
	default:
		return r[0] / 100, r[1] / 100, nil
	}
}

type robustColumn struct {
	Name   string  `json:"name"`
	Center float64 `json:"center"`
	Scale  float64 `json:"scale"`
}

// fitRobust: the median, and the distance between two quantiles (25 and 75 %), as RobustScaler. A distance of 0 is kept: the
// plugin divides by 1 then.
func fitRobust(f *fitting, o *quantileOptions) (any, error) {
	low, high, err := o.or(25, 75)
	if err != nil {
		return nil, err
	}
	stats, err := f.aggregate("quantile_cont($, 0.5)", fmt.Sprintf("quantile_cont($, %v)", low), fmt.Sprintf("quantile_cont($, %v)", high))
	if err != nil {
		return nil, err
	}
	columns := make([]robustColumn, len(stats))
	for i, s := range stats {
		scale := s[3] - s[2]
		if scale < 10*2.220446049250313e-16 { // scikit-learn's rule
			scale = 0
		}
		columns[i] = robustColumn{f.columns[i].Name, s[1], scale}
	}
	return map[string]any{"columns": columns}, nil
}

type clipColumn struct {
	Name string  `json:"name"`
	Low  float64 `json:"low"`
	High float64 `json:"high"`
}

// fitClip: bounds at two quantiles (1 and 99 %), which is winsorising.
func fitClip(f *fitting, o *quantileOptions) (any, error) {
	low, high, err := o.or(1, 99)
	if err != nil {
		return nil, err
	}
	stats, err := f.aggregate(fmt.Sprintf("quantile_cont($, %v)", low), fmt.Sprintf("quantile_cont($, %v)", high))
	if err != nil {
		return nil, err
	}
	columns := make([]clipColumn, len(stats))
	for i, s := range stats {
		columns[i] = clipColumn{f.columns[i].Name, s[1], s[2]}
	}
	return map[string]any{"columns": columns}, nil
}

type centerColumn struct {
	Name   string  `json:"name"`
	Center float64 `json:"center"`
}

// fitMoments: the mean, around which the metric takes its powers.
func fitMoments(f *fitting, _ *none) (any, error) {
	stats, err := f.aggregate("favg($)")
	if err != nil {
		return nil, err
	}
	columns := make([]centerColumn, len(stats))
	for i, s := range stats {
		columns[i] = centerColumn{f.columns[i].Name, s[1]}
	}
	return map[string]any{"columns": columns}, nil
}
