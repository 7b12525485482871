package plugintest

import (
	"encoding/json"

	"github.com/weir-ml/weir/sdk/abi"
)

// Case is one vector. Which fields are set depends on World; a case of which only the parameters are refused has World "".
type Case struct {
	Name       string
	World      abi.World
	Parameters json.RawMessage // nil: {}

	Input, Output *abi.Batch // transform

	Reference, Current *abi.Batch // metric
	Scores             []Score

	Context  json.RawMessage // gate
	Outcome  abi.Outcome
	Reasons  []string       // nil: not compared
	Evidence map[string]any // members given are compared; numbers are json.Number

	Request  abi.Request // handler
	Response Response

	// Error, when not "", stands for the result: the parameters or the input must be refused with a text that holds it.
	Error string
	// Tolerance bounds floats, relative or absolute: |got - want| <= Tolerance · max(1, |want|). 0 wants the same bits, though any
	// NaN equals any other.
	Tolerance float64
	// MergeTolerance, for a metric that keeps floating sums: its scores may differ so much between splits and merge orders, and
	// its states are not compared. 0: states and scores have the same bits.
	MergeTolerance float64
}

// Score is one expected figure.
type Score struct {
	Column, Name string
	Value        *float64       // nil: undefined
	Note         *string        // nil: not compared
	Detail       map[string]any // members given are compared; numbers are json.Number
}

// Response is what a handler must answer; headers and a body are compared when given.
type Response struct {
	Status  int                 // 0 is 200
	Headers map[string][]string // of those named
	Body    []byte
	HasBody bool
}

// Result is the outcome of one check.
type Result struct {
	Case   string `json:"case"`
	Check  string `json:"check"` // "vectors", or the property's name
	OK     bool   `json:"ok"`
	Detail string `json:"detail,omitempty"` // what differs, or what was covered
}

// Report lists results in the order of the cases.
type Report struct {
	Results []Result `json:"results"`
}

// Failures are the results that are not OK.
func (r Report) Failures() []Result {
	var out []Result
	for _, x := range r.Results {
		if !x.OK {
			out = append(out, x)
		}
	}
	return out
}

func (r *Report) add(c *Case, check, wrong, covered string) {
	res := Result{Case: c.Name, Check: check, OK: wrong == "", Detail: wrong}
	if res.OK {
		res.Detail = covered
	}
	r.Results = append(r.Results, res)
}
