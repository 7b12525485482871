package fit

import (
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/weir-ml/weir/host/errs"
	"github.com/weir-ml/weir/sdk/abi"
)

// recipe is how one plugin's parameters are learned. Its rules are those of the scikit-learn estimator of the same purpose:
// nulls and NaN are left out, infinite values are refused.
type recipe struct {
	name    string // the module's own name
	version int    // of the rules: another version may give other parameters for the same data
	takes   func(abi.Type) bool
	what    string // what takes means, for errors
	options func() any
	fit     func(f *fitting, options any) (parameters any, err error)
}

func (r recipe) id() string { return r.name + "/" + strconv.Itoa(r.version) }

// define makes a recipe with options of its own type O.
func define[O any](name string, takes func(abi.Type) bool, what string, fit func(*fitting, *O) (any, error)) recipe {
	return recipe{
		name: name, version: 1, takes: takes, what: what,
		options: func() any { return new(O) },
		fit:     func(f *fitting, o any) (any, error) { return fit(f, o.(*O)) },
	}
}

// none is for recipes without options.
type none struct{}

func numeric(t abi.Type) bool {
	switch t {
	case abi.Float64, abi.Float32, abi.Int64, abi.Int32:
		return true
	}
	return false
}

func textual(t abi.Type) bool { return t == abi.UTF8 }

const (
	whatNumeric = "float64, float32, int64 or int32"
	whatText    = "utf8"
)

var recipes = func() map[string]recipe {
	m := map[string]recipe{}
	for _, list := range [][]recipe{scaling, categories, binning, imputing, powers, wording} {
		for _, r := range list {
			m[r.name] = r
		}
	}
	return m
}()

// Recipes lists the modules that can be fitted, sorted.
func Recipes() []string { return slices.Sorted(maps.Keys(recipes)) }

func recipeOf(module string) (recipe, error) {
	r, ok := recipes[module]
	if !ok {
		return recipe{}, errs.New(errs.Unimplemented, "there is no recipe to fit the plugin %q: it has nothing to learn from data, or its parameters are yours to write; recipes exist for %s",
			module, strings.Join(Recipes(), ", "))
	}
	return r, nil
}

// pick finds the columns to learn from.
func (r recipe) pick(t Table, names []string) ([]abi.Field, error) {
	if len(names) == 0 {
		var all []abi.Field
		for _, c := range t.Columns {
			if r.takes(c.Type) {
				all = append(all, c)
			}
		}
		if len(all) == 0 {
			return nil, errs.New(errs.Invalid, "dataset %s has no column for %s, which takes %s", t.Ref, r.name, r.what)
		}
		return all, nil
	}
	out := make([]abi.Field, 0, len(names))
	for _, n := range names {
		i := slices.IndexFunc(t.Columns, func(c abi.Field) bool { return c.Name == n })
		switch {
		case i < 0:
			have := make([]string, len(t.Columns))
			for i, c := range t.Columns {
				have[i] = c.Name
			}
			return nil, errs.New(errs.NotFound, "dataset %s has no column %q; its columns are %s", t.Ref, n, strings.Join(have, ", "))
		case !r.takes(t.Columns[i].Type):
			return nil, errs.New(errs.Invalid, "column %q of dataset %s is %s; %s takes %s", n, t.Ref, t.Columns[i].Type, r.name, r.what)
		case slices.ContainsFunc(out, func(c abi.Field) bool { return c.Name == n }):
			return nil, errs.New(errs.Invalid, "column %q is named twice", n)
		}
		out = append(out, t.Columns[i])
	}
	return out, nil
}
