package serving

import (
	"encoding/binary"

	"github.com/weir-ml/weir/host/errs"
	"github.com/weir-ml/weir/host/schema"
)

// withRows is the shape with its first dimension replaced.
func withRows(shape []int64, rows int) []int64 {
	out := append(make([]int64, 0, len(shape)), shape...)
	out[0] = int64(rows)
	return out
}

// bytesOfRows is the size of n of a tensor's rows from a byte offset on; the tensor has rows rows in all and valid data.
func bytesOfRows(t schema.Tensor, offset, n, rows int) int {
	if t.Type != schema.Bytes {
		return len(t.Data) / rows * n
	}
	end := offset
	for range schema.Elements(t.Shape) / int64(rows) * int64(n) {
		end += 4 + int(binary.LittleEndian.Uint32(t.Data[end:]))
	}
	return end - offset
}

// join lays the members' rows one below the other, in order, in one pooled buffer. The caller puts the buffer back after the run.
func (b *batcher) join(members []*request) (in []schema.Tensor, rows int, buffer *[]byte) {
	buffer, _ = b.buffers.Get().(*[]byte)
	if buffer == nil {
		buffer = new([]byte)
	}
	size := 0
	for _, r := range members {
		rows += r.rows
		for i := range r.in {
			size += len(r.in[i].Data)
		}
	}
	size += 8 * len(members[0].in)
	if cap(*buffer) < size {
		*buffer = make([]byte, size+size/4)
	}
	buf := (*buffer)[:0]
	in = make([]schema.Tensor, len(members[0].in))
	for i, first := range members[0].in {
		for len(buf)%8 != 0 {
			buf = append(buf, 0) // the next tensor starts aligned
		}
		from := len(buf)
		for _, r := range members {
			buf = append(buf, r.in[i].Data...)
		}
		in[i] = schema.Tensor{Name: first.Name, Type: first.Type, Shape: withRows(first.Shape, rows), Data: buf[from:len(buf):len(buf)]}
	}
	return in, rows, buffer
}

func sameRows(out []schema.Tensor, rows int) error {
	for _, t := range out {
		if len(t.Shape) == 0 || t.Shape[0] != int64(rows) {
			return errs.New(errs.Invalid, "output %q has shape %v for %d rows: the model does not treat rows one by one; set batching.max_batch_size to 1", t.Name, t.Shape, rows)
		}
	}
	return nil
}

// split cuts a batch's outputs into its members' rows, in order. The parts share the outputs' memory.
func split(out []schema.Tensor, members []*request, rows int) ([][]schema.Tensor, error) {
	if err := sameRows(out, rows); err != nil {
		return nil, err
	}
	parts := make([][]schema.Tensor, len(members))
	all := make([]schema.Tensor, len(members)*len(out))
	for m := range members {
		parts[m] = all[m*len(out) : (m+1)*len(out) : (m+1)*len(out)]
	}
	for i, t := range out {
		at := 0
		for m, r := range members {
			size := bytesOfRows(t, at, r.rows, rows)
			parts[m][i] = schema.Tensor{Name: t.Name, Type: t.Type, Shape: withRows(t.Shape, r.rows), Data: t.Data[at : at+size : at+size]}
			at += size
		}
	}
	return parts, nil
}

// concat lays the outputs of a request's pieces one below the other. Their dimensions after the first must agree.
func concat(pieces [][]schema.Tensor, rows int) ([]schema.Tensor, error) {
	out := make([]schema.Tensor, len(pieces[0]))
	for i, t := range pieces[0] {
		size := 0
		for _, p := range pieces {
			if shapeKey(p[i].Shape) != shapeKey(t.Shape) {
				return nil, errs.New(errs.Invalid, "output %q has shape %v in one piece and %v in another: the request is larger than batching.max_batch_size, and its pieces do not fit together", t.Name, t.Shape, p[i].Shape)
			}
			size += len(p[i].Data)
		}
		data := make([]byte, 0, size)
		for _, p := range pieces {
			data = append(data, p[i].Data...)
		}
		out[i] = schema.Tensor{Name: t.Name, Type: t.Type, Shape: withRows(t.Shape, rows), Data: data}
	}
	return out, nil
}

// shapeKey writes the dimensions after the first.
func shapeKey(shape []int64) string {
	var b []byte
	for _, d := range shape[min(1, len(shape)):] {
		b = binary.LittleEndian.AppendUint64(b, uint64(d))
	}
	return string(b)
}
