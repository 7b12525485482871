package plugin

import (
	"github.com/weir-ml/weir/host/errs"
	"github.com/weir-ml/weir/sdk/abi"
)

// gather joins output chunks into one batch. Chunks have abi.MaxRows rows except for the last, so bitmaps join at bytes.
type gather struct {
	out abi.Batch
	had int // rows so far
}

// add appends a copy of a chunk; total is the row count to come, for allocation.
func (g *gather) add(chunk *abi.Batch, total int) error {
	if g.had == 0 {
		g.out.Columns = make([]abi.Column, len(chunk.Columns))
		for i := range chunk.Columns {
			c := &chunk.Columns[i]
			g.out.Columns[i].Field = c.Field
			if n := c.ValueBytes(total); n > 0 {
				g.out.Columns[i].Values = make([]byte, 0, n)
			}
		}
	}
	if len(chunk.Columns) != len(g.out.Columns) {
		return faultf(errs.Invalid, causeOutput, "weir_transform answered %d columns for one chunk and %d for another", len(g.out.Columns), len(chunk.Columns))
	}
	for i := range chunk.Columns {
		c, o := &chunk.Columns[i], &g.out.Columns[i]
		if c.Field != o.Field {
			return faultf(errs.Invalid, causeOutput, "weir_transform answered column %d as %+v for one chunk and as %+v for another", i, o.Field, c.Field)
		}
		if c.Validity != nil && o.Validity == nil {
			o.Validity = make([]byte, g.had/8, abi.BitmapBytes(total))
			for j := range o.Validity {
				o.Validity[j] = 0xff
			}
		}
		switch {
		case c.Validity != nil:
			o.Validity = append(o.Validity, c.Validity...)
		case o.Validity != nil:
			for range abi.BitmapBytes(chunk.Rows) {
				o.Validity = append(o.Validity, 0xff)
			}
		}
		if c.Type.Variable() {
			if o.Offsets == nil {
				o.Offsets = append(make([]int32, 0, total+1), 0)
			}
			base := int64(len(o.Values)) - int64(c.Offsets[0])
			if base+int64(c.Offsets[chunk.Rows]) > 1<<31-1 {
				return faultf(errs.Exhausted, causeOutput, "column %q takes more than 2 GiB: transform fewer rows at once", c.Name)
			}
			for _, off := range c.Offsets[1:] {
				o.Offsets = append(o.Offsets, int32(base+int64(off)))
			}
			o.Values = append(o.Values, c.Values[c.Offsets[0]:c.Offsets[chunk.Rows]]...)
			continue
		}
		o.Values = append(o.Values, c.Values...)
	}
	g.had += chunk.Rows
	return nil
}

func (g *gather) batch() *abi.Batch {
	g.out.Rows = g.had
	return &g.out
}
