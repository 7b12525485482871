package fit

import (
	"encoding/json"
	"fmt"

	"github.com/weir-ml/weir/host/errs"
	"github.com/weir-ml/weir/sdk/abi"
)

// categories are the recipes of plugins that know texts by a list.
var categories = []recipe{
	define("onehot", textual, whatText, fitOneHot),
	define("ordinal", categorical, whatCategorical, fitOrdinal),
}

// categoryOptions choose which texts become categories; those left out are unknown to the plugin.
type categoryOptions struct {
	// MinCount leaves out texts that fewer rows hold; default 1: none.
	MinCount int64 `json:"min_count"`
	// MaxCategories keeps the most frequent ones of a column (ties: the smaller text); default and most: 4096.
	MaxCategories int64 `json:"max_categories"`
}

// texts lists a column's categories in the order of their bytes, which is that of their code points: scikit-learn's.
func (f *fitting) texts(column string, o *categoryOptions) ([]string, error) {
	if o.MinCount < 0 || o.MaxCategories < 0 || o.MaxCategories > maxCategories {
		return nil, errs.New(errs.Invalid, "options: min_count and max_categories are at least 0, and max_categories at most %d", maxCategories)
	}
	limit := o.MaxCategories
	if limit == 0 {
		limit = maxCategories + 1 // one more, to tell that there are too many
	}
	var out []string
	q := quote(column)
	err := f.rows(fmt.Sprintf("SELECT v FROM (SELECT %s AS v, count(*) AS n FROM data WHERE %s IS NOT NULL GROUP BY 1 HAVING count(*) >= %d ORDER BY n DESC, v LIMIT %d) ORDER BY v",
		q, q, max(o.MinCount, 1), limit), func(row []any) error {
		out = append(out, row[0].(string))
		return nil
	})
	switch {
	case err != nil:
		return nil, err
	case len(out) == 0:
		return nil, errs.New(errs.Invalid, "column %q of dataset %s has no text that enough rows hold: leave it out, or lower min_count", column, f.table.Ref)
	case len(out) > maxCategories:
		return nil, errs.New(errs.Invalid, "column %q of dataset %s has more than %d different texts: set max_categories or min_count, or hash the column", column, f.table.Ref, maxCategories)
	}
	return out, nil
}

// maxCategories is what the plugins take.
const maxCategories = 4096

type categoryColumn struct {
	Name       string   `json:"name"`
	Categories []string `json:"categories"`
}

// fitOneHot: each column's texts, sorted, as OneHotEncoder(handle_unknown="ignore"); nulls are no category.
func fitOneHot(f *fitting, o *categoryOptions) (any, error) {
	columns := make([]categoryColumn, len(f.columns))
	for i, c := range f.columns {
		texts, err := f.texts(c.Name, o)
		if err != nil {
			return nil, err
		}
		columns[i] = categoryColumn{c.Name, texts}
	}
	return map[string]any{"columns": columns}, nil
}

func categorical(t abi.Type) bool { return textual(t) || numeric(t) }

const whatCategorical = whatText + ", " + whatNumeric

// ordinalOptions choose the categories of texts and are passed on to the plugin.
type ordinalOptions struct {
	categoryOptions
	HandleUnknown string          `json:"handle_unknown,omitempty"`
	UnknownValue  json.RawMessage `json:"unknown_value,omitempty"`
	MissingValue  json.RawMessage `json:"missing_value,omitempty"`
	Type          string          `json:"type,omitempty"`
}

type anyCategories struct {
	Name       string `json:"name"`
	Categories any    `json:"categories"`
}

// fitOrdinal: each column's values, ascending, as OrdinalEncoder; nulls and NaN are no category.
func fitOrdinal(f *fitting, o *ordinalOptions) (any, error) {
	columns := make([]anyCategories, len(f.columns))
	for i, c := range f.columns {
		var found any
		var err error
		if textual(c.Type) {
			found, err = f.texts(c.Name, &o.categoryOptions)
		} else {
			found, err = f.values(i)
		}
		if err != nil {
			return nil, err
		}
		columns[i] = anyCategories{c.Name, found}
	}
	return struct {
		Columns       []anyCategories `json:"columns"`
		HandleUnknown string          `json:"handle_unknown,omitempty"`
		UnknownValue  json.RawMessage `json:"unknown_value,omitempty"`
		MissingValue  json.RawMessage `json:"missing_value,omitempty"`
		Type          string          `json:"type,omitempty"`
	}{columns, o.HandleUnknown, o.UnknownValue, o.MissingValue, o.Type}, nil
}

// values lists the different numbers of column i, ascending.
func (f *fitting) values(i int) ([]float64, error) {
	var out []float64
	column := f.columns[i]
	x := "CAST(" + quote(column.Name) + " AS DOUBLE)"
	err := f.rows(fmt.Sprintf("SELECT DISTINCT %s + 0.0 AS v FROM data WHERE %s IS NOT NULL AND NOT isnan(%s) ORDER BY v LIMIT %d", x, x, x, maxCategories+1), func(row []any) error {
		out = append(out, row[0].(float64))
		return nil
	})
	switch {
	case err != nil:
		return nil, err
	case len(out) == 0:
		return nil, errs.New(errs.Invalid, "column %q of dataset %s holds no number: leave it out", column.Name, f.table.Ref)
	case len(out) > maxCategories:
		return nil, errs.New(errs.Invalid, "column %q of dataset %s has more than %d different numbers: it is no category", column.Name, f.table.Ref, maxCategories)
	}
	return out, nil
}
