package guest_test

import (
	"fmt"

	"github.com/weir-ml/weir/sdk/abi"
	"github.com/weir-ml/weir/sdk/guest"
)

// A plugin that doubles every float64 column. In a plugin the call of Register stands in init, and main is empty.
func ExampleRegister() {
	var arena guest.Arena
	double := func(in *abi.Batch) (*abi.Batch, error) {
		arena.Reset()
		out := &abi.Batch{Rows: in.Rows}
		for _, c := range in.Columns {
			if c.Type != abi.Float64 {
				return nil, fmt.Errorf("input column %q is %s, not float64", c.Name, c.Type)
			}
			y := arena.Float64s(in.Rows)
			for i, x := range c.Float64s() {
				y[i] = 2 * x
			}
			o := abi.Float64Column(c.Name, y)
			o.Validity = c.Validity // outputs may share the input's buffers
			out.Columns = append(out.Columns, o)
		}
		return out, nil
	}
	guest.Register(guest.Plugin{
		Description: abi.Description{Name: "double", Version: "1.0.0", Worlds: []abi.World{abi.WorldTransform}},
		Transform:   double,
	})

	out, err := double(&abi.Batch{Rows: 2, Columns: []abi.Column{abi.Float64Column("x", []float64{1.5, -2})}})
	fmt.Println(out.Columns[0].Float64s(), err)
	// Output: [3 -4] <nil>
}
