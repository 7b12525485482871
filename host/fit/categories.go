package fit

import (
	"fmt"

	"github.com/weir-ml/weir/host/errs"
)

// categories are the recipes of plugins that know texts by a list.
var categories = []recipe{
	define("onehot", textual, whatText, fitOneHot),
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
