// Package abi is the one vocabulary that the host and its guests share: column types, columnar batches and their layout
// in a guest's linear memory. ABI.md documents the same byte by byte, enough to write a guest in a language weir has
// never seen. The package uses the standard library alone, so that Go guests can import it,
// and neither fmt nor reflection, so that they stay small.
//
// It is not for moving bytes in and out of a running module: host/plugin does that.
// Read ABI.md first, then this file, batch.go (batches in Go), and layout.go and wire.go (batches in linear memory).
package abi

import (
	"strconv"

	"github.com/weir-ml/weir/sdk/internal/text"
)

// Version is the version of the batch ABI that this package describes; a guest's weir_abi_version must answer it.
const Version = 1

// Magic opens every batch header: "WBT1" in little-endian order.
const Magic uint32 = 0x31544257

// Sizes of the fixed structures, in bytes, and the limits that the host enforces.
const (
	HeaderSize     = 32      // batch header
	DescriptorSize = 32      // column descriptor
	MaxRows        = 8192    // rows of one chunk
	MaxColumns     = 4096    // columns of one batch
	MaxNameBytes   = 1024    // bytes of one column name
	MaxListSize    = 1 << 20 // elements of one fixed-size list
	Alignment      = 8       // of every buffer
)

// Type is a column's physical type. The codes are part of the ABI and never change.
type Type uint8

// The types. Zero is no type, so that a forgotten field is refused.
const (
	Bool        Type = 1 // bitmap, least significant bit first, as Arrow
	Int32       Type = 2
	Int64       Type = 3
	Float32     Type = 4 // IEEE 754; NaN is a value, not a null
	Float64     Type = 5 // IEEE 754; NaN is a value, not a null
	UTF8        Type = 6 // int32 offsets (rows+1) and bytes that are valid UTF-8
	Binary      Type = 7 // int32 offsets (rows+1) and bytes
	Timestamp   Type = 8 // int64 microseconds since 1970-01-01T00:00:00Z
	FloatVector Type = 9 // fixed-size list of float32: ListSize elements a row, row-major
)

var typeNames = [...]string{
	Bool: "bool", Int32: "int32", Int64: "int64", Float32: "float32", Float64: "float64",
	UTF8: "utf8", Binary: "binary", Timestamp: "timestamp", FloatVector: "float_vector",
}

// String is the type's name as manifests and plugin schemas write it, for example "float64".
func (t Type) String() string {
	if t.Valid() {
		return typeNames[t]
	}
	return "type(" + strconv.Itoa(int(t)) + ")"
}

// ParseType is the inverse of String.
func ParseType(name string) (Type, error) {
	for t, n := range typeNames {
		if n == name && n != "" {
			return Type(t), nil
		}
	}
	return 0, text.Errorf("unknown column type %q: use bool, int32, int64, float32, float64, utf8, binary, timestamp or float_vector", name)
}

// MarshalText writes the type's name; it lets JSON and YAML carry types.
func (t Type) MarshalText() ([]byte, error) {
	if !t.Valid() {
		return nil, text.Errorf("cannot write column type %d", uint8(t))
	}
	return []byte(t.String()), nil
}

// UnmarshalText reads a type's name.
func (t *Type) UnmarshalText(b []byte) error {
	v, err := ParseType(string(b))
	if err == nil {
		*t = v
	}
	return err
}

// Valid reports whether t is a type of this ABI version.
func (t Type) Valid() bool { return t >= Bool && t <= FloatVector }

// Variable reports whether rows have varying sizes, so that the column carries offsets.
func (t Type) Variable() bool { return t == UTF8 || t == Binary }

// Width is the bytes of one fixed-width value (one list element for FloatVector); 0 for Bool (a bit) and variable types.
func (t Type) Width() int {
	switch t {
	case Int32, Float32, FloatVector:
		return 4
	case Int64, Float64, Timestamp:
		return 8
	}
	return 0
}

// Field names and types one column, without values. ListSize is the elements a row of a FloatVector, otherwise 0.
type Field struct {
	Name     string `json:"name"`
	Type     Type   `json:"type"`
	ListSize int    `json:"list_size,omitempty"`
}

// World is a role that a plugin can play; one module may export several.
type World string

// The four worlds; ABI.md lists the exports of each.
const (
	WorldTransform World = "transform" // batch → batch, a pure function of input and parameters, row for row
	WorldMetric    World = "metric"    // a mergeable summary of a reference and a current side
	WorldGate      World = "gate"      // context → verdict with reasons
	WorldHandler   World = "handler"   // request or event → response
)

// Description is what weir_describe answers, as JSON: what the host shows before it runs anything.
type Description struct {
	Name       string         `json:"name"`                 // lower-case words joined by dashes
	Version    string         `json:"version"`              // the author's version, any text
	Summary    string         `json:"summary,omitempty"`    // one line
	Worlds     []World        `json:"worlds"`               // at least one
	Parameters map[string]any `json:"parameters,omitempty"` // JSON Schema of the parameters document
	Grants     []string       `json:"grants,omitempty"`     // host capabilities the plugin asks for
}

// Schema is what weir_schema answers after weir_init, as JSON: the columns as they are with these parameters.
// A plugin without fixed inputs leaves Inputs empty and takes what it is given.
type Schema struct {
	Inputs  []Field `json:"inputs"`
	Outputs []Field `json:"outputs"`
}

// Side says which sample a metric's rows belong to.
type Side uint32

// The two sides of a metric.
const (
	Reference Side = 0
	Current   Side = 1
)

// Score is one figure of a metric's result. Column is empty for a figure about the whole batch.
// Value is null (a nil pointer) where the figure is undefined, with the reason in Note.
type Score struct {
	Column string         `json:"column,omitempty"`
	Name   string         `json:"name"`
	Value  *float64       `json:"value"`
	Note   string         `json:"note,omitempty"`
	Detail map[string]any `json:"detail,omitempty"`
}

// Outcome is a gate's decision.
type Outcome string

// The outcomes. Review means: a person must look.
const (
	Pass   Outcome = "pass"
	Fail   Outcome = "fail"
	Review Outcome = "review"
)

// Verdict is what weir_gate answers, as JSON.
type Verdict struct {
	Outcome  Outcome        `json:"outcome"`
	Reasons  []string       `json:"reasons"`            // at least one, each a sentence with its figures
	Evidence map[string]any `json:"evidence,omitempty"` // the figures the decision rests on
}

// Request is what a handler is given, as JSON: an HTTP request or an event. Body is base64 in JSON.
type Request struct {
	Kind    string              `json:"kind"` // "http" or "event"
	Method  string              `json:"method,omitempty"`
	Path    string              `json:"path,omitempty"`  // below /fn/{function}
	Query   string              `json:"query,omitempty"` // raw
	Headers map[string][]string `json:"headers,omitempty"`
	Subject string              `json:"subject,omitempty"` // events
	ID      string              `json:"id,omitempty"`      // events: stream and sequence
	Body    []byte              `json:"body,omitempty"`
}

// Response is what a handler answers, as JSON. Status 0 means 200.
type Response struct {
	Status  int                 `json:"status,omitempty"`
	Headers map[string][]string `json:"headers,omitempty"`
	Body    []byte              `json:"body,omitempty"`
}
