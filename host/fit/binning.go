package fit

import (
	"fmt"
	"slices"
	"strings"

	"github.com/weir-ml/weir/host/errs"
)

// binning are the recipes of plugins that know numbers by the bins they fall into.
var binning = []recipe{
	define("psi", numeric, whatNumeric, fitPSI),
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

// fitPSI: inner edges at the quantiles of the dataset, which becomes the reference.
func fitPSI(f *fitting, o *binOptions) (any, error) {
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
	return map[string]any{"columns": columns}, nil
}
