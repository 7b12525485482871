package schema

import (
	"strings"
	"testing"

	"github.com/weir-ml/weir/host/errs"
)

func TestTensorSpecMatch(t *testing.T) {
	want := TensorSpec{Name: "x", Type: FP32, Shape: []int64{-1, 3}}
	cases := []struct {
		name string
		spec TensorSpec
		in   Tensor
		n    int64
		text string
	}{
		{"free dimension", want, Tensor{Name: "x", Type: FP32, Shape: []int64{4, 3}}, 12, ""},
		{"no rows", want, Tensor{Name: "x", Type: FP32, Shape: []int64{0, 3}}, 0, ""},
		{"any rank", TensorSpec{Type: FP32}, Tensor{Type: FP32, Shape: []int64{2, 2, 2}}, 8, ""},
		{"type", want, Tensor{Name: "x", Type: FP64, Shape: []int64{4, 3}}, 0, `input "x" is FP64, want FP32`},
		{"rank", want, Tensor{Name: "x", Type: FP32, Shape: []int64{3}}, 0, "has shape [3], want [-1 3]"},
		{"size", want, Tensor{Name: "x", Type: FP32, Shape: []int64{4, 2}}, 0, "has shape [4 2]"},
		{"negative", want, Tensor{Name: "x", Type: FP32, Shape: []int64{-1, 3}}, 0, "has shape [-1 3]"},
		{"overflow", TensorSpec{Type: FP32}, Tensor{Type: FP32, Shape: []int64{1 << 40, 1 << 40}}, 0, "no tensor can have"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			n, err := c.spec.Match(c.in)
			if c.text == "" && (err != nil || n != c.n) {
				t.Errorf("%d, %v, want %d", n, err, c.n)
			}
			if c.text != "" && (!errs.Is(err, errs.Invalid) || !strings.Contains(err.Error(), c.text)) {
				t.Errorf("got %v, want an invalid error with %q", err, c.text)
			}
		})
	}
}
