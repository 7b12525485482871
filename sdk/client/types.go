package client

import (
	"encoding/json"
	"time"

	"github.com/weir-ml/weir/sdk/abi"
)

// Info describes the server.
type Info struct {
	Version string          `json:"version"`
	HTTP    string          `json:"http"`
	GRPC    string          `json:"grpc"`
	PID     int             `json:"pid"`
	Started time.Time       `json:"started"`
	Devices json.RawMessage `json:"devices,omitempty"`
}

// Health is what /health says.
type Health struct {
	Status      string `json:"status"`
	ModelLoaded bool   `json:"model_loaded"`
}

// Reason is a check of readiness that fails.
type Reason struct {
	Check  string `json:"check"`
	Reason string `json:"reason"`
}

// Blob names stored bytes.
type Blob struct {
	Digest string `json:"digest"`
	Size   int64  `json:"size"`
}

// Kind is a kind of resource with the JSON Schema of its spec.
type Kind struct {
	Name   string          `json:"name"`
	Schema json.RawMessage `json:"schema"`
}

// Metadata names a resource.
type Metadata struct {
	Name   string            `json:"name"`
	Labels map[string]string `json:"labels,omitempty"`
}

// Object is an applied resource.
type Object struct {
	APIVersion string          `json:"apiVersion"`
	Kind       string          `json:"kind"`
	Metadata   Metadata        `json:"metadata"`
	Spec       json.RawMessage `json:"spec"`
	Revision   uint64          `json:"revision,omitempty"`
	Created    time.Time       `json:"created,omitzero"`
	Updated    time.Time       `json:"updated,omitzero"`
	Status     *ObjectStatus   `json:"status,omitempty"`
}

// ObjectStatus is how an object is now; Detail depends on its kind.
type ObjectStatus struct {
	State  string          `json:"state"` // ready or failed
	Reason string          `json:"reason,omitempty"`
	Detail json.RawMessage `json:"detail,omitempty"`
}

// ApplyResult tells what an apply did to one object.
type ApplyResult struct {
	Kind     string        `json:"kind"`
	Name     string        `json:"name"`
	Action   string        `json:"action"` // created, updated or unchanged
	Changes  []FieldChange `json:"changes,omitempty"`
	Revision uint64        `json:"revision,omitempty"`
	State    string        `json:"state,omitempty"` // ready, failed, or "" for a dry run
	Reason   string        `json:"reason,omitempty"`
}

// FieldChange is one leaf that differs; Old or New is nil where the leaf is absent.
type FieldChange struct {
	Path string `json:"path"`
	Old  any    `json:"old,omitempty"`
	New  any    `json:"new,omitempty"`
}

// Function is a function's state. Counters run since it was applied in the server's process.
type Function struct {
	Name          string         `json:"name"`
	State         string         `json:"state"` // ready, running or paused
	Plugin        string         `json:"plugin,omitempty"`
	PluginDigest  string         `json:"plugin_digest,omitempty"`
	Model         string         `json:"model,omitempty"`
	Invocations   uint64         `json:"invocations"`
	InvokeErrors  uint64         `json:"invoke_errors"`
	Pool          Pool           `json:"pool"`
	Event         *FunctionEvent `json:"event,omitempty"`
	FeedUnknown   string         `json:"feed_unknown,omitempty"`
	OutputSubject string         `json:"output_subject,omitempty"`
}

// Pool is a plugin's instances.
type Pool struct {
	Live          int           `json:"live"`
	Idle          int           `json:"idle"`
	Waiting       int           `json:"waiting"` // calls that wait for an instance
	Calls         uint64        `json:"calls"`
	Traps         uint64        `json:"traps"`
	ColdStarts    uint64        `json:"cold_starts"`
	LastColdStart time.Duration `json:"last_cold_start_ns"`
	Fuel          uint64        `json:"fuel"` // units burned by all instances
}

// FunctionEvent is the consumption of a stream.
type FunctionEvent struct {
	Stream      string            `json:"stream"`
	Subject     string            `json:"subject"`
	Pending     uint64            `json:"pending"`
	AckPending  uint64            `json:"ack_pending"`
	AckFloor    uint64            `json:"ack_floor"`
	Processed   uint64            `json:"processed"`
	Retried     uint64            `json:"retried"`
	Dead        uint64            `json:"dead"`
	Duplicates  uint64            `json:"duplicates"`
	LastError   string            `json:"last_error,omitempty"`
	LastErrorAt *time.Time        `json:"last_error_at,omitempty"`
	Batches     map[string]uint64 `json:"batches,omitempty"`
}

// DeadLetter is an event that a function gave up on.
type DeadLetter struct {
	Sequence      uint64            `json:"sequence"`
	Function      string            `json:"function"`
	Reason        string            `json:"reason"`
	Error         string            `json:"error"`
	Attempts      int               `json:"attempts"`
	Stream        string            `json:"input_stream"`
	InputSequence uint64            `json:"input_sequence"`
	Subject       string            `json:"input_subject"`
	Header        map[string]string `json:"input_headers,omitempty"`
	Data          []byte            `json:"payload"`
	Bare          bool              `json:"payload_omitted,omitempty"`
	Time          time.Time         `json:"time"`
}

// Dataset is one immutable version of a data set.
type Dataset struct {
	Name    string      `json:"name"`
	Version int         `json:"version"`
	Digest  string      `json:"digest"`
	Rows    int64       `json:"rows"`
	Columns []abi.Field `json:"columns"`
	Bytes   int64       `json:"bytes"`
	Created time.Time   `json:"created"`
	Source  string      `json:"source"`
	Lineage *Lineage    `json:"lineage,omitempty"`
}

// Lineage is what a built version was made of.
type Lineage struct {
	SQL          string            `json:"sql"`
	Inputs       []string          `json:"inputs"`
	InputDigests map[string]string `json:"input_digests"`
	Functions    []FunctionLineage `json:"functions,omitempty"`
}

// FunctionLineage says which plugin stood behind an SQL function.
type FunctionLineage struct {
	Name       string          `json:"name"`
	Plugin     string          `json:"plugin"`
	Digest     string          `json:"digest"`
	Parameters json.RawMessage `json:"parameters,omitempty"`
	Fitted     string          `json:"fitted,omitempty"` // the parameter document that was named
}

// Build makes a data set from others by SQL: each input is a view of its name.
type Build struct {
	SQL       string        `json:"sql"`
	Inputs    []string      `json:"inputs"`
	Functions []FunctionRef `json:"functions,omitempty"`
}

// FunctionRef makes a plugin callable under an SQL name.
type FunctionRef struct {
	Name       string          `json:"name"`
	Plugin     string          `json:"plugin"`
	Parameters json.RawMessage `json:"parameters,omitempty"`
}

// Published says where published events are.
type Published struct {
	Stream    string   `json:"stream"`
	Sequences []uint64 `json:"sequences"`
}

// Event is a stored event: Data when the payload is JSON, else DataBase64 (decoded).
type Event struct {
	Stream     string            `json:"stream"`
	Subject    string            `json:"subject"`
	Sequence   uint64            `json:"sequence"`
	Time       time.Time         `json:"time"`
	Header     map[string]string `json:"header,omitempty"`
	Data       json.RawMessage   `json:"data,omitempty"`
	DataBase64 []byte            `json:"data_base64,omitempty"`
}

// Stream is a stream's present state.
type Stream struct {
	Name     string    `json:"name"`
	Subjects []string  `json:"subjects"`
	Messages uint64    `json:"messages"`
	Bytes    uint64    `json:"bytes"`
	FirstSeq uint64    `json:"first_sequence"`
	LastSeq  uint64    `json:"last_sequence"`
	Created  time.Time `json:"created"`
}

// Model is a model's status; Spec and Stats are the server's documents.
type Model struct {
	Name              string          `json:"name"`
	State             string          `json:"state"` // loading, ready or failed
	Version           string          `json:"version,omitempty"`
	Reason            string          `json:"reason,omitempty"`
	FailedVersion     string          `json:"failed_version,omitempty"`
	Note              string          `json:"note,omitempty"`
	Spec              json.RawMessage `json:"spec,omitempty"`
	Inputs            []TensorSpec    `json:"inputs,omitempty"`
	Outputs           []TensorSpec    `json:"outputs,omitempty"`
	Columns           []string        `json:"columns,omitempty"`
	Device            string          `json:"device,omitempty"`
	Instances         int             `json:"instances,omitempty"`
	PreprocessDigest  string          `json:"preprocess_digest,omitempty"`
	PostprocessDigest string          `json:"postprocess_digest,omitempty"`
	LoadedAt          time.Time       `json:"loaded_at,omitzero"`
	Stats             json.RawMessage `json:"stats,omitempty"`
}

// TensorSpec is a model's input or output; -1 is a free dimension.
type TensorSpec struct {
	Name  string  `json:"name"`
	Type  string  `json:"datatype"`
	Shape []int64 `json:"shape"`
}

// Prediction is a model's answer: Predictions has an element a row, Outputs (when asked for) every output by name.
type Prediction struct {
	Predictions  json.RawMessage            `json:"predictions"`
	Outputs      map[string]json.RawMessage `json:"outputs,omitempty"`
	ModelVersion string                     `json:"model_version"`
}

// Subject is one of the two things that a gate compares.
type Subject struct {
	Name    string             `json:"name"`
	Version string             `json:"version,omitempty"`
	Digest  string             `json:"digest,omitempty"`
	Metrics map[string]float64 `json:"metrics,omitempty"`
}

// Evaluation is a question to a gate. Baseline nil: there is nothing yet to beat.
type Evaluation struct {
	Candidate Subject        `json:"candidate"`
	Baseline  *Subject       `json:"baseline,omitempty"`
	Context   map[string]any `json:"context,omitempty"`
}

// Decision is a gate's stored answer.
type Decision struct {
	ID         string          `json:"id"`
	Gate       string          `json:"gate"`
	Outcome    string          `json:"outcome"` // pass, fail, review or error
	Reasons    []string        `json:"reasons"`
	Findings   map[string]any  `json:"findings,omitempty"`
	Evidence   Evidence        `json:"evidence"`
	Plugin     string          `json:"plugin"`
	Digest     string          `json:"plugin_digest,omitempty"`
	Parameters json.RawMessage `json:"parameters"`
	When       time.Time       `json:"when"`
	DurationMS float64         `json:"duration_ms"`
}

// Evidence is what the gate's plugin was given.
type Evidence struct {
	Context json.RawMessage `json:"context"`
	SHA256  string          `json:"sha256"`
}

// Report is the stored result of a monitor's run.
type Report struct {
	ID               string         `json:"id"`
	Monitor          string         `json:"monitor"`
	Verdict          string         `json:"verdict"` // drift, stable or "insufficient data"
	Drifted          bool           `json:"drifted"`
	Note             string         `json:"note,omitempty"`
	DriftedColumns   []string       `json:"drifted_columns"`
	Share            float64        `json:"share"`
	Columns          []ColumnReport `json:"columns"`
	Reference        Sample         `json:"reference"`
	Current          Sample         `json:"current"`
	Plugin           string         `json:"plugin"`
	PluginDigest     string         `json:"plugin_digest"`
	ParametersDigest string         `json:"parameters_digest"`
	Threshold        float64        `json:"threshold"`
	DatasetThreshold float64        `json:"dataset_threshold"`
	MinRows          int64          `json:"min_rows"`
	ReferenceCached  bool           `json:"reference_cached"`
	Started          time.Time      `json:"started"`
	DurationMS       float64        `json:"duration_ms"`
}

// Sample is one side of a monitor's comparison.
type Sample struct {
	Ref    string `json:"ref"`
	Digest string `json:"digest"`
	Rows   int64  `json:"rows"`
}

// ColumnReport is one column's result; Value is nil where the figure is undefined, with the reason in Note.
type ColumnReport struct {
	Column          string         `json:"column"`
	Score           string         `json:"score,omitempty"`
	Value           *float64       `json:"value"`
	Verdict         string         `json:"verdict"` // stable, watch, drift or "insufficient data"
	Drifted         bool           `json:"drifted"`
	Note            string         `json:"note,omitempty"`
	ReferenceValues int64          `json:"reference_values"`
	CurrentValues   int64          `json:"current_values"`
	Detail          map[string]any `json:"detail,omitempty"`
}
