package plugin

import (
	"context"

	"github.com/weir-ml/weir/host/errs"
	"github.com/weir-ml/weir/sdk/abi"
)

// chunk transforms rows [from, to): one row by the entry for single rows, where the module has it and the columns are those of
// its schema, and all else as a batch. The result views the guest's memory until its next call.
func (p *Plugin) chunk(ctx context.Context, i *instance, in *abi.Batch, from, to int) (*abi.Batch, error) {
	if to == 1 && from == 0 && p.rows && p.rowFits(i, in) {
		return p.row(ctx, i, in)
	}
	ptr, err := i.put(ctx, in, from, to)
	if err != nil {
		return nil, err
	}
	v, err := i.call(ctx, fnTransform, uint64(ptr))
	if err != nil {
		return nil, err
	}
	if uint32(v) == 0 {
		return nil, i.guestError(ctx, fnTransform)
	}
	if err := abi.Decode(i.memory(), uint32(v), abi.DecodeLimits{Rows: to - from, Bytes: i.limits.MaxOutputBytes}, &i.out); err != nil {
		return nil, faultf(errs.Invalid, causeOutput, "weir_transform answered a batch that breaks the ABI: %v", err)
	}
	// A schema without outputs leaves them open; otherwise it is a promise.
	if want := p.pool.schema.Load().Outputs; len(want) > 0 {
		if len(want) != len(i.out.Columns) {
			return nil, faultf(errs.Invalid, causeOutput, "weir_transform answered %d columns, its schema says %d", len(i.out.Columns), len(want))
		}
		for c := range want {
			if got := i.out.Columns[c].Field; got != want[c] {
				return nil, faultf(errs.Invalid, causeOutput, "weir_transform answered column %d as %+v, its schema says %+v", c, got, want[c])
			}
		}
	}
	return &i.out, nil
}

// HasRow reports whether single rows go through an entry of their own: the module exports weir_row, and its schema, with these
// parameters, fixes inputs and outputs. TransformChunk and Transform use it for a batch of one row with exactly the schema's
// columns in its order; other batches go through weir_transform, which answers the same values.
func (p *Plugin) HasRow() bool { return p.rows }

// Row is TransformChunk for one row, always through weir_row: in has one row and exactly the schema's columns in its order,
// otherwise errs.Invalid says what differs.
func (p *Plugin) Row(ctx context.Context, in *abi.Batch, use func(out *abi.Batch) error) error {
	switch {
	case !p.rows:
		return errs.New(errs.Invalid, "plugin %s takes no single rows: it exports no weir_row, or its schema leaves columns open", p.pool.code)
	case in.Rows != 1:
		return errs.New(errs.Invalid, "plugin %s: a row is a batch of 1 row, not of %d", p.pool.code, in.Rows)
	}
	want := p.pool.schema.Load().Inputs
	if len(in.Columns) != len(want) {
		return errs.New(errs.Invalid, "plugin %s: the row has %d columns, the schema %d", p.pool.code, len(in.Columns), len(want))
	}
	for c := range want {
		if got := in.Columns[c].Field; got != want[c] {
			return errs.New(errs.Invalid, "plugin %s: column %d of the row is %+v, the schema says %+v", p.pool.code, c, got, want[c])
		}
	}
	return p.TransformChunk(ctx, in, use)
}

// takesRows reports whether weir_row can be used.
func (p *pool) takesRows() bool {
	s := p.schema.Load()
	if len(s.Inputs) == 0 || len(s.Outputs) == 0 || !p.code.exportsFunction(fnRow) {
		return false
	}
	// What has no layout as a row, has none as a batch either: the batch's error is the one to show.
	_, err := abi.NewRowLayout(s.Inputs)
	_, err2 := abi.NewRowLayout(s.Outputs)
	return err == nil && err2 == nil
}

// rowFits reports whether in has the columns of the row entry, making the layouts on the first call.
func (p *Plugin) rowFits(i *instance, in *abi.Batch) bool {
	if i.rowIn == nil {
		s := p.pool.schema.Load()
		i.rowIn, _ = abi.NewRowLayout(s.Inputs) // takesRows has tried both
		i.rowOut, _ = abi.NewRowLayout(s.Outputs)
	}
	return i.rowIn.Fits(in)
}

func (p *Plugin) row(ctx context.Context, i *instance, in *abi.Batch) (*abi.Batch, error) {
	ptr, err := i.putRow(ctx, in)
	if err != nil {
		return nil, err
	}
	v, err := i.call(ctx, fnRow, uint64(ptr))
	if err != nil {
		return nil, err
	}
	if uint32(v) == 0 {
		return nil, i.guestError(ctx, fnRow)
	}
	out, err := i.rowOut.Decode(i.memory(), uint32(v), i.limits.MaxOutputBytes)
	if err != nil {
		return nil, faultf(errs.Invalid, causeOutput, "weir_row answered a row that breaks the ABI: %v", err)
	}
	return out, nil
}
