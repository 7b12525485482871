package abi

// HostModule is the import module of the functions that a guest may ask of its host (ABI.md, section 9). Each needs a grant.
const HostModule = "weir:host"

// The grants. Those with a scope are written "name:scope".
const (
	GrantLog          = "log"
	GrantClock        = "clock"
	GrantRandom       = "random"
	GrantKVRead       = "kv.read"       // scope: a key, or a prefix and *
	GrantKVWrite      = "kv.write"      // scope: a key, or a prefix and *
	GrantFeaturesRead = "features.read" // scope: a feature view
	GrantModelInfer   = "model.infer"   // scope: a model
	GrantHTTPOut      = "http.out"      // scope: host, host:port or *.domain
)

// Status is what a host function answers.
type Status uint32

// The statuses.
const (
	StatusDone    Status = 0
	StatusAbsent  Status = 1 // there is no such key, view or model
	StatusRefused Status = 2 // no grant, outside its scope, or not in this export
	StatusLimit   Status = 3 // of size, rate or time
	StatusFailed  Status = 4
)

// String is the status in words.
func (s Status) String() string {
	switch s {
	case StatusDone:
		return "done"
	case StatusAbsent:
		return "absent"
	case StatusRefused:
		return "refused"
	case StatusLimit:
		return "a limit was met"
	}
	return "failed"
}

// LogLevel is the first argument of log.
type LogLevel uint32

// The levels.
const (
	LogDebug   LogLevel = 0
	LogInfo    LogLevel = 1
	LogWarning LogLevel = 2
	LogError   LogLevel = 3
)

// HTTPRequest is what http_request takes, as JSON. Body is base64 in JSON. The answer is a Response.
type HTTPRequest struct {
	Method  string              `json:"method"`
	URL     string              `json:"url"`
	Headers map[string][]string `json:"headers,omitempty"`
	Body    []byte              `json:"body,omitempty"`
}

// InferRequest is what model_infer takes, as JSON: rows of features by name.
type InferRequest struct {
	Model string           `json:"model"`
	Rows  []map[string]any `json:"rows"`
}

// InferResponse is what model_infer answers, as JSON: one prediction a row.
type InferResponse struct {
	Predictions  []any  `json:"predictions"`
	ModelVersion string `json:"model_version"`
}

// FeaturesRequest is what features_read takes, as JSON: the entities whose features are asked for, one object a row with the
// values of the view's keys, and the features' names; none means all of the view's.
type FeaturesRequest struct {
	View     string           `json:"view"`
	Entities []map[string]any `json:"entities"`
	Features []string         `json:"features,omitempty"`
}

// FeaturesResponse is what features_read answers, as JSON: one row an entity, in order; a feature that is unknown or too old is null.
type FeaturesResponse struct {
	Rows []map[string]any `json:"rows"`
}
