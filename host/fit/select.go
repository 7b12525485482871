package fit

import (
	"context"
	"math"
	"strings"

	"github.com/weir-ml/weir/host/errs"
	"github.com/weir-ml/weir/sdk/abi"
)

// fitting is one fit under way.
type fitting struct {
	ctx     context.Context
	data    Data
	table   Table
	columns []abi.Field
	queries []string
}

// quote writes a column's name for SQL.
func quote(name string) string { return `"` + strings.ReplaceAll(name, `"`, `""`) + `"` }

// rows runs a query and hands over each row's values: float64, int64, string, bool or nil.
func (f *fitting) rows(sql string, each func(row []any) error) error {
	f.queries = append(f.queries, sql)
	var row []any
	return f.data.Select(f.ctx, f.table.Ref, sql, func(b *abi.Batch) error {
		if row == nil {
			row = make([]any, len(b.Columns))
		}
		for r := range b.Rows {
			for i := range b.Columns {
				row[i] = value(&b.Columns[i], r)
			}
			if err := each(row); err != nil {
				return err
			}
		}
		return nil
	})
}

// one runs a query that answers one row of numbers; null is NaN.
func (f *fitting) one(sql string) (out []float64, err error) {
	err = f.rows(sql, func(row []any) error {
		out = make([]float64, len(row))
		for i, v := range row {
			switch v := v.(type) {
			case float64:
				out[i] = v
			case int64:
				out[i] = float64(v)
			default:
				out[i] = math.NaN()
			}
		}
		return nil
	})
	if err == nil && out == nil {
		err = errs.New(errs.Internal, "the query answered no row: %s", sql)
	}
	return out, err
}

func value(c *abi.Column, r int) any {
	if c.IsNull(r) {
		return nil
	}
	switch c.Type {
	case abi.UTF8:
		return c.TextAt(r)
	case abi.Bool:
		return c.BoolAt(r)
	case abi.Int64, abi.Timestamp:
		return c.Int64s()[r]
	}
	v, ok := c.Float64At(r)
	if !ok {
		return nil
	}
	return v
}
