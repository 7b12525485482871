// Package schema holds the value types that every room may pass to every other: digests, tensors, durations, and the JSON
// form of columnar rows. It knows no storage, no wire protocol and no library.
//
// Read schema.go for the types and rows.go for the JSON form of a batch.
package schema

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"strings"
	"time"

	"github.com/weir-ml/weir/host/errs"
)

// Digest names bytes by their content: "sha256:" and 64 lower-case hex digits.
type Digest string

// DigestOf computes the digest of b.
func DigestOf(b []byte) Digest {
	sum := sha256.Sum256(b)
	return Digest("sha256:" + hex.EncodeToString(sum[:]))
}

// ParseDigest checks the form of s.
func ParseDigest(s string) (Digest, error) {
	h, ok := strings.CutPrefix(s, "sha256:")
	if !ok || len(h) != 64 || strings.ToLower(h) != h {
		return "", errs.New(errs.Invalid, "%q is not a digest: want sha256: and 64 lower-case hex digits", s)
	}
	if _, err := hex.DecodeString(h); err != nil {
		return "", errs.New(errs.Invalid, "%q is not a digest: want sha256: and 64 lower-case hex digits", s)
	}
	return Digest(s), nil
}

// Short is the first 12 hex digits, for people.
func (d Digest) Short() string {
	h := strings.TrimPrefix(string(d), "sha256:")
	return h[:min(12, len(h))]
}

// Duration is a time.Duration that manifests write as text ("2s", "150ms").
type Duration time.Duration

// MarshalText writes the Go form of the duration.
func (d Duration) MarshalText() ([]byte, error) { return []byte(time.Duration(d).String()), nil }

// UnmarshalText reads the Go form of a duration; it must not be negative.
func (d *Duration) UnmarshalText(b []byte) error {
	v, err := time.ParseDuration(string(b))
	if err != nil {
		return errs.New(errs.Invalid, "%q is not a duration: write for example 250ms, 2s or 5m", b)
	}
	if v < 0 {
		return errs.New(errs.Invalid, "duration %q is negative", b)
	}
	*d = Duration(v)
	return nil
}

// UnmarshalJSON reads a JSON string; a bare number is refused because its unit is unknown.
func (d *Duration) UnmarshalJSON(b []byte) error {
	var s string
	if err := json.Unmarshal(b, &s); err != nil {
		return errs.New(errs.Invalid, "%s is not a duration: write text with a unit, for example \"2s\"", b)
	}
	return d.UnmarshalText([]byte(s))
}

// Std is the duration as the standard library's type.
func (d Duration) Std() time.Duration { return time.Duration(d) }

// Or is d, or def when d is zero.
func (d Duration) Or(def time.Duration) time.Duration {
	if d == 0 {
		return def
	}
	return time.Duration(d)
}

// DType is a tensor element type under the name that the KServe protocol and Triton use.
type DType string

// The element types. BYTES elements are length-prefixed in Tensor.Data.
const (
	Bool   DType = "BOOL"
	Uint8  DType = "UINT8"
	Uint16 DType = "UINT16"
	Uint32 DType = "UINT32"
	Uint64 DType = "UINT64"
	Int8   DType = "INT8"
	Int16  DType = "INT16"
	Int32  DType = "INT32"
	Int64  DType = "INT64"
	FP16   DType = "FP16"
	BF16   DType = "BF16"
	FP32   DType = "FP32"
	FP64   DType = "FP64"
	Bytes  DType = "BYTES"
)

// Size is the bytes of one element; 0 for Bytes and unknown types.
func (t DType) Size() int {
	switch t {
	case Bool, Uint8, Int8:
		return 1
	case Uint16, Int16, FP16, BF16:
		return 2
	case Uint32, Int32, FP32:
		return 4
	case Uint64, Int64, FP64:
		return 8
	}
	return 0
}

// Tensor is a dense array: Shape in elements, Data row-major and little-endian. A BYTES element is a uint32 length
// (little-endian) and that many bytes. Data may be shared; who receives a Tensor must not change it.
type Tensor struct {
	Name  string
	Type  DType
	Shape []int64
	Data  []byte
}

// TensorSpec describes a model's input or output. A dimension of -1 is free.
type TensorSpec struct {
	Name  string  `json:"name"`
	Type  DType   `json:"datatype"`
	Shape []int64 `json:"shape"`
}

// Match compares an input tensor's type and shape with what a model wants and answers its number of elements. The data is
// not looked at. Errors are errs.Invalid and name the input, what it is and what is wanted.
func (want TensorSpec) Match(t Tensor) (elements int64, err error) {
	if t.Type != want.Type {
		return 0, errs.New(errs.Invalid, "input %q is %s, want %s", t.Name, t.Type, want.Type)
	}
	ok := len(want.Shape) == 0 || len(t.Shape) == len(want.Shape) // an empty shape is a scalar's, or an unknown rank
	for i := range want.Shape {
		ok = ok && t.Shape[i] >= 0 && (want.Shape[i] < 0 || want.Shape[i] == t.Shape[i])
	}
	if !ok {
		return 0, errs.New(errs.Invalid, "input %q has shape %v, want %v (-1 is any size)", t.Name, t.Shape, want.Shape)
	}
	n := Elements(t.Shape)
	if n < 0 {
		return 0, errs.New(errs.Invalid, "input %q has shape %v, which no tensor can have", t.Name, t.Shape)
	}
	return n, nil
}

// Elements multiplies shape out; it is -1 when a dimension is negative or the product overflows.
func Elements(shape []int64) int64 {
	n := int64(1)
	for _, d := range shape {
		if d < 0 || d > 0 && n > (1<<62)/d {
			return -1
		}
		n *= d
	}
	return n
}
