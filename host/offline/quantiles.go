package offline

import (
	"context"
	"strconv"
	"strings"

	"github.com/weir-ml/weir/host/errs"
	"github.com/weir-ml/weir/sdk/abi"
)

// Quantiles computes exact quantiles of columns, interpolated linearly (quantile_cont: type 7 of Hyndman and Fan 1996),
// over the values that are numbers: nulls, NaN and infinities are left out. probs are in [0, 1]; the answer has one
// value for each, in their order. A column without any number has a nil slice. Booleans count as 0 and 1, timestamps as
// microseconds. NotFound names a column that is missing, Invalid one that is text, bytes or a vector.
func (e *Engine) Quantiles(ctx context.Context, src Source, columns []string, probs []float64) (map[string][]float64, error) {
	list, err := quantileList(probs)
	if err != nil {
		return nil, err
	}
	if err := src.check(); err != nil {
		return nil, err
	}
	out := make(map[string][]float64, len(columns))
	err = e.with(ctx, opQuantiles, []string{src.Path}, func(ctx context.Context, s *session) error {
		rel, err := s.open(ctx, src)
		if err != nil {
			return err
		}
		for _, name := range columns {
			value, err := numberSQL(src, rel.fields, name)
			if err != nil {
				return err
			}
			// One column at a time: the values of a column are held in memory.
			q := "SELECT unnest(quantile_cont(v, " + list + ")) FROM (SELECT " + value + " AS v FROM (" + rel.sql + ")) WHERE isfinite(v)"
			var vs []float64
			err = s.stream(ctx, q, []abi.Field{{Name: "q", Type: abi.Float64}}, func(b *abi.Batch) error {
				vs = append(vs, b.Columns[0].Float64s()...)
				return nil
			})
			if err != nil {
				return errs.New(errs.KindOf(err), "%s: quantiles of %q: %w", src.what(), name, duckReason(err))
			}
			out[name] = vs
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return out, nil
}

// quantileList writes the probabilities as an SQL list.
func quantileList(probs []float64) (string, error) {
	if len(probs) == 0 {
		return "", errs.New(errs.Invalid, "quantiles: no probabilities given")
	}
	parts := make([]string, len(probs))
	for i, p := range probs {
		if !(p >= 0 && p <= 1) { // NaN too
			return "", errs.New(errs.Invalid, "quantiles: %v is no probability between 0 and 1", p)
		}
		parts[i] = strconv.FormatFloat(p, 'e', -1, 64) + "::DOUBLE"
	}
	return "[" + strings.Join(parts, ", ") + "]", nil
}

// numberSQL is a column as a DOUBLE expression.
func numberSQL(src Source, fields []abi.Field, name string) (string, error) {
	for _, f := range fields {
		if f.Name != name {
			continue
		}
		switch f.Type {
		case abi.Bool, abi.Int32, abi.Int64, abi.Float32, abi.Float64:
			return quoteIdent(name) + "::DOUBLE", nil
		case abi.Timestamp:
			return "epoch_us(" + quoteIdent(name) + ")::DOUBLE", nil
		}
		return "", errs.New(errs.Invalid, "%s: column %q is %s: quantiles need numbers", src.what(), name, f.Type)
	}
	names := make([]string, len(fields))
	for i, f := range fields {
		names[i] = f.Name
	}
	return "", errs.New(errs.NotFound, "%s has no column %q; its columns are %s", src.what(), name, strings.Join(names, ", "))
}
