package serving

import (
	"bytes"
	"encoding/json"
	"testing"

	"github.com/weir-ml/weir/host/schema"
)

// Whatever tensor a client sends: it is refused, or it can be batched with itself, cut apart again and written as JSON.
func FuzzTensor(f *testing.F) {
	f.Add(0, int64(2), int64(2), le[float32](1, 2, 3, 4))
	f.Add(13, int64(2), int64(1), []byte{1, 0, 0, 0, 'a', 0, 0, 0, 0})
	f.Add(13, int64(1), int64(1), []byte{255, 255, 255, 255})
	f.Add(3, int64(1<<62), int64(4), []byte{})
	f.Add(3, int64(1<<62), int64(0), []byte{})
	f.Add(0, int64(-1), int64(2), []byte{1})
	types := []schema.DType{schema.FP32, schema.FP64, schema.FP16, schema.BF16, schema.Bool, schema.Int8, schema.Int16, schema.Int32, schema.Int64, schema.Uint8, schema.Uint16, schema.Uint32, schema.Uint64, schema.Bytes}
	f.Fuzz(func(t *testing.T, kind int, rows, width int64, data []byte) {
		typ := types[uint(kind)%uint(len(types))]
		m := &model{name: "m", batchable: true, freeShapes: []bool{true}, inputs: []schema.TensorSpec{{Name: "x", Type: typ, Shape: []int64{-1, -1}}}}
		in, n, _, err := m.arrange([]schema.Tensor{{Name: "x", Type: typ, Shape: []int64{rows, width}, Data: data}}, nil)
		if err != nil {
			return
		}
		b := newBatcher(nil, 1, 4, 0, 1, ignore)
		members := []*request{{in: in, rows: n}, {in: in, rows: n}}
		joined, all, _ := b.join(members)
		parts, err := split(joined, members, all)
		if err != nil || !bytes.Equal(parts[0][0].Data, data) || !bytes.Equal(parts[1][0].Data, data) {
			t.Fatalf("%v: %v, from %v", err, parts, data)
		}
		if out := AppendJSON(nil, in[0]); !json.Valid(out) {
			t.Fatalf("not JSON: %s", out)
		}
	})
}
