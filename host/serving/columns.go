package serving

import "github.com/weir-ml/weir/sdk/abi"

// Columns is the answer as columns of p.Rows rows: "prediction" is Value, followed by every output under its own name. An
// output of several FP32 numbers a row is one FloatVector; of another type it is one column a number, name_0 and on.
// errs.Invalid when an output has no row for each row.
func (p Prediction) Columns() (*abi.Batch, error) {
	value := p.Value
	value.Name = "prediction"
	out := &abi.Batch{Rows: p.Rows}
	cols, err := toColumns(value, p.Rows)
	if err != nil {
		return nil, err
	}
	out.Columns = cols
	for _, t := range p.Outputs {
		if cols, err = toColumns(t, p.Rows); err != nil {
			return nil, err
		}
		out.Columns = append(out.Columns, cols...)
	}
	return out, nil
}
