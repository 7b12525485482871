package row_test

import (
	"github.com/weir-ml/weir/sdk/abi"
	"github.com/weir-ml/weir/sdk/guest"
	"github.com/weir-ml/weir/sdk/guest/row"
)

// A plugin that doubles x, for batches and for single rows. In a plugin the calls of Register stand in init, and main is empty.
func Example() {
	fields := []abi.Field{{Name: "x", Type: abi.Float64}}
	guest.Register(guest.Plugin{
		Description: abi.Description{Name: "double", Version: "1.0.0", Worlds: []abi.World{abi.WorldTransform}},
		Schema:      func() abi.Schema { return abi.Schema{Inputs: fields, Outputs: fields} },
		Transform: func(in *abi.Batch) (*abi.Batch, error) {
			x := in.Column("x")
			y := make([]float64, in.Rows)
			for i, v := range x.Float64s() {
				y[i] = 2 * v
			}
			out := abi.Float64Column("x", y)
			out.Validity = x.Validity
			return &abi.Batch{Rows: in.Rows, Columns: []abi.Column{out}}, nil
		},
	})
	row.Register(func(in *row.In, out *row.Out) error {
		if !in.Null(0) {
			out.SetFloat64(0, 2*in.Float64(0))
		}
		return nil
	})
}
