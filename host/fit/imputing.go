package fit

import (
	"bytes"
	"encoding/json"
	"fmt"

	"github.com/weir-ml/weir/host/errs"
)

// imputing are the recipes of plugins that put something where nothing is.
var imputing = []recipe{
	define("impute", categorical, whatCategorical, fitImpute),
}

type imputeOptions struct {
	// Strategy is that of scikit-learn's SimpleImputer: mean (default of numbers), median, most_frequent (default of texts; ties: the
	// smallest) or constant.
	Strategy  string          `json:"strategy"`
	FillValue json.RawMessage `json:"fill_value,omitempty"` // with constant
	Indicator bool            `json:"indicator,omitempty"`
	NaN       string          `json:"nan,omitempty"` // passed on to the plugin
}

type imputeColumn struct {
	Name      string `json:"name"`
	Value     any    `json:"value"`
	Indicator bool   `json:"indicator,omitempty"`
}

func fitImpute(f *fitting, o *imputeOptions) (any, error) {
	switch o.Strategy {
	case "", "mean", "median", "most_frequent":
		if o.FillValue != nil {
			return nil, errs.New(errs.Invalid, "options: fill_value goes with the strategy constant")
		}
	case "constant":
		if v := bytes.TrimSpace(o.FillValue); len(v) == 0 || bytes.Equal(v, []byte("null")) {
			return nil, errs.New(errs.Invalid, "options: the strategy constant needs a fill_value")
		}
	default:
		return nil, errs.New(errs.Invalid, "options: strategy %q: use mean, median, most_frequent or constant", o.Strategy)
	}
	columns := make([]imputeColumn, len(f.columns))
	for i, c := range f.columns {
		columns[i] = imputeColumn{Name: c.Name, Indicator: o.Indicator}
		var err error
		if columns[i].Value, err = f.statistic(i, o); err != nil {
			return nil, err
		}
	}
	return struct {
		Columns []imputeColumn `json:"columns"`
		NaN     string         `json:"nan,omitempty"`
	}{columns, o.NaN}, nil
}

// statistic is what stands for a missing value of column i.
func (f *fitting) statistic(i int, o *imputeOptions) (v any, err error) {
	c := f.columns[i]
	strategy := o.Strategy
	if strategy == "" {
		strategy = "mean"
		if textual(c.Type) {
			strategy = "most_frequent"
		}
	}
	if strategy == "constant" {
		return o.FillValue, nil
	}
	x, none := quote(c.Name), quote(c.Name)+" IS NOT NULL"
	if numeric(c.Type) {
		x = "CAST(" + x + " AS DOUBLE)"
		none += " AND NOT isnan(" + x + ")"
	} else if strategy != "most_frequent" {
		return nil, errs.New(errs.Invalid, "column %q of dataset %s is %s: its strategy is most_frequent or constant, not %s", c.Name, f.table.Ref, c.Type, strategy)
	}
	what := map[string]string{"mean": "favg(v)", "median": "quantile_cont(v, 0.5)", "most_frequent": "first(v ORDER BY n DESC, v)"}[strategy]
	from := fmt.Sprintf("(SELECT %s AS v, count(*) AS n FROM data WHERE %s GROUP BY 1)", x, none)
	if strategy != "most_frequent" {
		from = fmt.Sprintf("(SELECT %s AS v FROM data WHERE %s)", x, none)
	}
	if err := f.rows("SELECT "+what+" FROM "+from, func(row []any) error { v = row[0]; return nil }); err != nil {
		return nil, err
	}
	if v == nil {
		return nil, errs.New(errs.Invalid, "column %q of dataset %s has no value to learn from: use the strategy constant, or leave it out", c.Name, f.table.Ref)
	}
	return v, nil
}
