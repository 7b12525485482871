package gates

import (
	"encoding/json"
	"math"
	"time"

	"github.com/weir-ml/weir/host/errs"
	"github.com/weir-ml/weir/host/schema"
	"github.com/weir-ml/weir/sdk/abi"
)

// Subject is one of the two things compared: a model version, a data set, anything with figures.
type Subject struct {
	Name    string             `json:"name"`
	Version string             `json:"version,omitempty"`
	Digest  string             `json:"digest,omitempty"` // sha256:<hex> of its bytes, when it has bytes
	Metrics map[string]float64 `json:"metrics,omitempty"`
}

// Evaluation is one question to a gate.
type Evaluation struct {
	Candidate Subject `json:"candidate"`
	// Baseline is what the candidate has to beat; nil when there is nothing yet (a first version).
	Baseline *Subject `json:"baseline,omitempty"`
	// Context is anything else the gate's plugin asks for. It must marshal to JSON.
	Context map[string]any `json:"context,omitempty"`
}

// Outcome is a decision's result: the plugin's, or Error when there is none.
type Outcome string

// The outcomes. Only Pass lets a candidate through.
const (
	Pass   = Outcome(abi.Pass)
	Fail   = Outcome(abi.Fail)
	Review = Outcome(abi.Review) // a person must look
	Error  = Outcome("error")    // could not judge
)

// Decision is the stored answer to an evaluation; it never changes.
type Decision struct {
	// ID is "<gate>.<time>-<random>": the time is UTC to the microsecond with a fixed width, so that a gate's decisions
	// sort by time.
	ID      string  `json:"id"`
	Gate    string  `json:"gate"`
	Outcome Outcome `json:"outcome"`
	// Reasons has at least one sentence.
	Reasons []string `json:"reasons"`
	// Findings are the figures the plugin says it decided on; may be nil.
	Findings map[string]any `json:"findings,omitempty"`
	// Evidence is what the plugin was given, so that the decision can be made again.
	Evidence   Evidence        `json:"evidence"`
	Plugin     string          `json:"plugin"`
	Digest     string          `json:"plugin_digest,omitempty"` // empty when the plugin could not be opened
	Parameters json.RawMessage `json:"parameters"`
	When       time.Time       `json:"when"`
	DurationMS float64         `json:"duration_ms"`
}

// Evidence is the exact context document that the plugin was given.
type Evidence struct {
	Context json.RawMessage `json:"context"`
	SHA256  schema.Digest   `json:"sha256"` // of Context's bytes
}

// wireSubject is a Subject in the context document. JSON has no NaN: metrics that are no finite numbers travel as the texts
// "NaN", "Infinity" and "-Infinity", which no plugin can take for a good figure.
type wireSubject struct {
	Name    string         `json:"name"`
	Version string         `json:"version,omitempty"`
	Digest  string         `json:"digest,omitempty"`
	Metrics map[string]any `json:"metrics"`
}

func (s Subject) wire() *wireSubject {
	w := &wireSubject{Name: s.Name, Version: s.Version, Digest: s.Digest, Metrics: make(map[string]any, len(s.Metrics))}
	for n, v := range s.Metrics {
		switch {
		case math.IsNaN(v):
			w.Metrics[n] = "NaN"
		case math.IsInf(v, 1):
			w.Metrics[n] = "Infinity"
		case math.IsInf(v, -1):
			w.Metrics[n] = "-Infinity"
		default:
			w.Metrics[n] = v
		}
	}
	return w
}

// document renders the evaluation as the plugin sees it: object keys sorted, no spaces, the same bytes for the same question.
func (e Evaluation) document(gate string) ([]byte, error) {
	d := struct {
		Gate      string         `json:"gate"`
		Candidate *wireSubject   `json:"candidate"`
		Baseline  *wireSubject   `json:"baseline"` // null when there is none
		Context   map[string]any `json:"context"`
	}{Gate: gate, Candidate: e.Candidate.wire(), Context: e.Context}
	if e.Baseline != nil {
		d.Baseline = e.Baseline.wire()
	}
	if d.Context == nil {
		d.Context = map[string]any{}
	}
	doc, err := json.Marshal(d)
	if err != nil {
		return nil, errs.New(errs.Invalid, "evaluation of gate %q: context cannot be written as JSON: %w", gate, err)
	}
	return doc, nil
}
