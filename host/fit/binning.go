package fit

import (
	"fmt"
	"slices"
	"strings"

	"github.com/weir-ml/weir/host/errs"
)

// binning are the recipes of plugins that know numbers by the bins they fall into.
var binning = []recipe{
	define("psi", numeric, whatNumeric, fitMetricBins),
	define("js", numeric, whatNumeric, fitMetricBins),
	define("bucketise", numeric, whatNumeric, fitBucketise),
	define("quantile-bins", numeric, whatNumeric, fitQuantileBins),
}

// binOptions choose the bins.
type binOptions struct {
	// Bins is how many a column gets, 2 to 1024; default 10. Equal values at several quantiles make fewer.
	Bins int `json:"bins"`
	// Strategy is "quantile" (equal counts; default) or "uniform" (equal widths between the smallest and the largest value).
	Strategy string `json:"strategy"`
}

// edges are each column's inner edges, ascending and without repetition: none for a constant column.
func (f *fitting) edges(o *binOptions) ([][]float64, error) {
	bins := o.Bins
	if bins == 0 {
		bins = 10
	}
	if bins < 2 || bins > 1024 {
		return nil, errs.New(errs.Invalid, "options: bins is 2 to 1024, not %d", o.Bins)
	}
	var want []string
	switch o.Strategy {
	case "", "quantile":
		for i := 1; i < bins; i++ {
			// Linear interpolation, numpy's default.
			want = append(want, fmt.Sprintf("quantile_cont($, %d / %d.0)", i, bins))
		}
	case "uniform":
		for i := 1; i < bins; i++ {
			want = append(want, fmt.Sprintf("min($) + (max($) - min($)) * %d / %d.0", i, bins))
		}
	default:
		return nil, errs.New(errs.Invalid, "options: strategy %q: use quantile or uniform", o.Strategy)
	}
	stats, err := f.aggregate(append([]string{"min($)", "max($)"}, want...)...)
	if err != nil {
		return nil, err
	}
	out := make([][]float64, len(stats))
	for i, s := range stats {
		lowest, highest := s[1], s[2]
		edges := slices.Compact(slices.Clone(s[3:]))
		// An edge at the very end would leave a bin empty for ever.
		out[i] = slices.DeleteFunc(edges, func(e float64) bool { return e <= lowest || e > highest })
	}
	return out, nil
}

type edgeColumn struct {
	Name  string    `json:"name"`
	Edges []float64 `json:"edges"`
}

// edgeColumns are the columns' edges; a column that has none is refused.
func (f *fitting) edgeColumns(o *binOptions) ([]edgeColumn, error) {
	edges, err := f.edges(o)
	if err != nil {
		return nil, err
	}
	columns := make([]edgeColumn, len(edges))
	var constant []string
	for i, e := range edges {
		columns[i] = edgeColumn{f.columns[i].Name, e}
		if len(e) == 0 {
			constant = append(constant, f.columns[i].Name)
		}
	}
	if len(constant) > 0 {
		return nil, errs.New(errs.Invalid, "dataset %s: no bins can be made of %s, whose values are all (but a few) the same: leave them out", f.table.Ref, strings.Join(constant, ", "))
	}
	return columns, nil
}

// fitMetricBins: inner edges at the quantiles of the dataset, which becomes the reference.
func fitMetricBins(f *fitting, o *binOptions) (any, error) {
	columns, err := f.edgeColumns(o)
	return map[string]any{"columns": columns}, err
}

type bucketOptions struct {
	binOptions
	Right  bool   `json:"right,omitempty"`  // passed on to the plugin
	Encode string `json:"encode,omitempty"` // passed on to the plugin
}

// fitBucketise: the inner edges of KBinsDiscretizer with the same strategy (its quantiles by linear interpolation).
func fitBucketise(f *fitting, o *bucketOptions) (any, error) {
	columns, err := f.edgeColumns(&o.binOptions)
	return struct {
		Columns []edgeColumn `json:"columns"`
		Right   bool         `json:"right,omitempty"`
		Encode  string       `json:"encode,omitempty"`
	}{columns, o.Right, o.Encode}, err
}

type rankOptions struct {
	// Quantiles is how many a column gets, 2 to 10000; default: 1000, or the number of rows if that is less.
	Quantiles int    `json:"n_quantiles"`
	As        string `json:"as,omitempty"` // passed on to the plugin
}

type quantileColumn struct {
	Name      string    `json:"name"`
	Quantiles []float64 `json:"quantiles"`
}

// fitQuantileBins: quantiles at equal steps from 0 to 1, as QuantileTransformer (subsample=None).
func fitQuantileBins(f *fitting, o *rankOptions) (any, error) {
	n := o.Quantiles
	switch {
	case n == 0:
		n = int(max(min(1000, f.table.Rows), 2))
	case n < 2 || n > 10000:
		return nil, errs.New(errs.Invalid, "options: n_quantiles is 2 to 10000, not %d", n)
	}
	probabilities := make([]string, n)
	for i := range probabilities {
		probabilities[i] = fmt.Sprintf("%d / %d.0", i, n-1)
	}
	if _, err := f.aggregate(); err != nil {
		return nil, err
	}
	columns := make([]quantileColumn, len(f.columns))
	for i, c := range f.columns {
		q := make([]float64, 0, n)
		sql := fmt.Sprintf("SELECT unnest(quantile_cont(c%d, [%s])) FROM %s", i, strings.Join(probabilities, ", "), f.numbers())
		if err := f.rows(sql, func(row []any) error {
			v, ok := row[0].(float64)
			if !ok {
				return errs.New(errs.Internal, "a quantile of column %q is no number", c.Name)
			}
			if len(q) > 0 && v < q[len(q)-1] {
				v = q[len(q)-1] // interpolation may round down
			}
			q = append(q, v)
			return nil
		}); err != nil {
			return nil, err
		}
		columns[i] = quantileColumn{c.Name, q}
	}
	return struct {
		Columns []quantileColumn `json:"columns"`
		As      string           `json:"as,omitempty"`
	}{columns, o.As}, nil
}
