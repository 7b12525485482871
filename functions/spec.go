package functions

import (
	"bytes"
	"encoding/json"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/weir-ml/weir/host/errs"
	"github.com/weir-ml/weir/host/schema"
)

// Limits and defaults of a spec.
const (
	DefaultBatchSize    = 256
	MaxBatchSize        = 400 // a result and a marker for each input, in one atomic write of at most 1,000 messages
	DefaultMaxWait      = 500 * time.Millisecond
	DefaultAckWait      = 10 * time.Second
	DefaultTimeout      = 5 * time.Second
	DefaultMaxAttempts  = 5
	DefaultBackoff      = 200 * time.Millisecond
	DefaultMaxBackoff   = 30 * time.Second
	DefaultMaxBodyBytes = 4 << 20
)

// Spec is what a manifest of kind Function says. It needs a trigger (http, event) and a step (handler; or transform, model,
// or both in this order).
type Spec struct {
	Description string        `json:"description,omitempty"`
	HTTP        *HTTPTrigger  `json:"http,omitempty"`
	Event       *EventTrigger `json:"event,omitempty"`

	// Handler is given each request or event raw. It excludes Transform and Model.
	Handler *PluginRef `json:"handler,omitempty"`
	// Transform is given rows.
	Transform *PluginRef `json:"transform,omitempty"`
	// Model names the model that predicts on the transform's outputs, or on the rows themselves without a transform.
	Model string `json:"model,omitempty"`

	// Output says where an event function's results go. Transform and model functions with an event trigger need it.
	Output *Output `json:"output,omitempty"`
	Retry  Retry   `json:"retry,omitzero"`

	IdleAfter    schema.Duration `json:"idle_after,omitempty"`     // instances idle for so long are dropped; default: the host's
	Timeout      schema.Duration `json:"timeout,omitempty"`        // of one call of all steps; default 5s
	MemoryBytes  int64           `json:"memory_bytes,omitempty"`   // of one instance; default: the host's
	MaxBodyBytes int64           `json:"max_body_bytes,omitempty"` // of an HTTP request; default 4 MiB
}

// HTTPTrigger answers requests below /fn/{function}.
type HTTPTrigger struct {
	// Methods allowed; default: POST for rows, any for a handler.
	Methods []string `json:"methods,omitempty"`
}

// EventTrigger takes messages from a stream. A stream that does not exist is created with the subject.
type EventTrigger struct {
	Stream    string          `json:"stream"`
	Subject   string          `json:"subject"` // may have wildcards
	BatchSize int             `json:"batch_size,omitempty"`
	MaxWait   schema.Duration `json:"max_wait,omitempty"` // how long a fetch waits for a first message, and Close for the fetch; default 500ms
	// AckWait is how long a message may stay unacknowledged before it is delivered again: the pause after a crash.
	// Running work extends it by itself. Default 10s.
	AckWait schema.Duration `json:"ack_wait,omitempty"`
}

// PluginRef names a Plugin resource and the parameters it is started with.
type PluginRef struct {
	Plugin     string          `json:"plugin"`
	Parameters json.RawMessage `json:"parameters,omitempty"` // a JSON object, or a string that names a fitted parameter document; empty means {}
}

// Output is where results go.
type Output struct {
	// Subject of the result messages, without wildcards. It belongs to the function's own stream.
	Subject string `json:"subject"`
	// Keep names input fields that are copied into the result as they are; default ["id"]. A field that an input lacks is
	// left out; an output column of the same name wins.
	Keep []string `json:"keep,omitempty"`
}

// Retry says what happens to an event that fails. The delay before attempt n+1 is Backoff·2ⁿ⁻¹, at most MaxBackoff, and
// between half and all of that at random.
type Retry struct {
	MaxAttempts int             `json:"max_attempts,omitempty"` // deliveries, the first included; default 5
	Backoff     schema.Duration `json:"backoff,omitempty"`      // default 200ms
	MaxBackoff  schema.Duration `json:"max_backoff,omitempty"`  // default 30s
}

var (
	namePattern   = regexp.MustCompile(`^[A-Za-z0-9_][A-Za-z0-9_-]{0,127}$`)
	methodPattern = regexp.MustCompile(`^[A-Z]{1,20}$`)
)

func invalid(format string, args ...any) error { return errs.New(errs.Invalid, format, args...) }

// CheckName reports whether name can be a function: it is a token of subjects and a segment of paths.
func CheckName(name string) error {
	if !namePattern.MatchString(name) {
		return invalid("function name %q: use 1 to 128 letters, digits, '_' and '-', not beginning with '-'", name)
	}
	return nil
}

// Validate checks the spec alone, without plugins, models or streams. Errors are Invalid and begin with the field's path.
func (s Spec) Validate() error {
	if s.HTTP == nil && s.Event == nil {
		return invalid("spec has no trigger: add http: {} or event: {stream: …, subject: …}")
	}
	switch {
	case s.Handler == nil && s.Transform == nil && s.Model == "":
		return invalid("spec has no step: add handler, transform or model")
	case s.Handler != nil && (s.Transform != nil || s.Model != ""):
		return invalid("spec.handler excludes transform and model: a handler gets the raw request, not rows")
	}
	for path, ref := range map[string]*PluginRef{"spec.handler": s.Handler, "spec.transform": s.Transform} {
		if err := ref.validate(path); err != nil {
			return err
		}
	}
	if s.HTTP != nil {
		for i, m := range s.HTTP.Methods {
			if !methodPattern.MatchString(m) {
				return invalid("spec.http.methods[%d]: %q is not an HTTP method in capitals", i, m)
			}
		}
	}
	if s.Event != nil {
		if err := s.Event.validate(); err != nil {
			return err
		}
		if s.Handler == nil && s.Output == nil {
			return invalid("spec.output is missing: an event function of rows has results; say their subject")
		}
	}
	if s.Output != nil {
		if s.Event == nil {
			return invalid("spec.output has no use without spec.event: an HTTP function answers its caller")
		}
		if err := checkSubject("spec.output.subject", s.Output.Subject, false); err != nil {
			return err
		}
		if Overlaps(s.Event.Subject, s.Output.Subject) {
			return invalid("spec.output.subject: %q is taken in by spec.event.subject %q: the function would feed itself", s.Output.Subject, s.Event.Subject)
		}
		for i, k := range s.Output.Keep {
			if k == "" {
				return invalid("spec.output.keep[%d] is empty: name an input field", i)
			}
		}
	}
	for _, n := range []struct {
		path  string
		value int64
	}{
		{"spec.retry.max_attempts", int64(s.Retry.MaxAttempts)}, {"spec.retry.backoff", int64(s.Retry.Backoff)},
		{"spec.retry.max_backoff", int64(s.Retry.MaxBackoff)}, {"spec.idle_after", int64(s.IdleAfter)},
		{"spec.timeout", int64(s.Timeout)}, {"spec.memory_bytes", s.MemoryBytes}, {"spec.max_body_bytes", s.MaxBodyBytes},
	} {
		if n.value < 0 {
			return invalid("%s is negative", n.path)
		}
	}
	return nil
}

func (r *PluginRef) validate(path string) error {
	if r == nil {
		return nil
	}
	if r.Plugin == "" {
		return invalid("%s.plugin is missing", path)
	}
	if p := bytes.TrimSpace(r.Parameters); len(p) > 0 && p[0] != '"' && string(p) != "null" {
		var object map[string]json.RawMessage
		if err := json.Unmarshal(p, &object); err != nil {
			return invalid("%s.parameters must be a JSON object, or the name of a fitted parameter document: %w", path, err)
		}
	}
	return nil
}

func (r *PluginRef) parameters() json.RawMessage {
	if p := bytes.TrimSpace(r.Parameters); len(p) > 0 && string(p) != "null" {
		return slices.Clone(p)
	}
	return json.RawMessage(`{}`)
}

func (e *EventTrigger) validate() error {
	if !namePattern.MatchString(e.Stream) {
		return invalid("spec.event.stream: %q is not a stream name: use letters, digits, '_' and '-'", e.Stream)
	}
	if err := checkSubject("spec.event.subject", e.Subject, true); err != nil {
		return err
	}
	if e.BatchSize < 0 || e.BatchSize > MaxBatchSize {
		return invalid("spec.event.batch_size is %d: use 1 to %d, or leave it out for %d", e.BatchSize, MaxBatchSize, DefaultBatchSize)
	}
	if e.MaxWait < 0 || e.MaxWait.Std() > 5*time.Second {
		return invalid("spec.event.max_wait is %s: use at most 5s", e.MaxWait.Std())
	}
	if e.AckWait < 0 || e.AckWait != 0 && e.AckWait.Std() < 500*time.Millisecond {
		return invalid("spec.event.ack_wait is %s: use at least 500ms", e.AckWait.Std())
	}
	return nil
}

// checkSubject wants tokens joined by dots; wildcards ("*" for a token, a last ">" for the rest) where allowed.
func checkSubject(path, subject string, wildcards bool) error {
	if subject == "" {
		return invalid("%s is missing", path)
	}
	tokens := strings.Split(subject, ".")
	for i, t := range tokens {
		switch {
		case t == "":
			return invalid("%s: %q has an empty token", path, subject)
		case strings.ContainsFunc(t, func(r rune) bool { return r <= ' ' || r == 0x7f }):
			return invalid("%s: %q has a space or control character", path, subject)
		case !strings.ContainsAny(t, "*>"):
		case !wildcards:
			return invalid("%s: %q has a wildcard; name one subject", path, subject)
		case t != "*" && (t != ">" || i != len(tokens)-1):
			return invalid("%s: %q: '*' stands for one whole token, '>' for the rest at the end", path, subject)
		}
	}
	if first := tokens[0]; strings.HasPrefix(first, "$") || !wildcards && first == "weir" {
		return invalid("%s: subjects beginning with %q are reserved", path, first)
	}
	return nil
}

// Overlaps reports whether some subject matches both patterns (tokens joined by dots; "*" is one token, a last ">" the rest).
func Overlaps(a, b string) bool {
	x, y := strings.Split(a, "."), strings.Split(b, ".")
	for i := 0; ; i++ {
		switch {
		case i < len(x) && x[i] == ">":
			return i < len(y)
		case i < len(y) && y[i] == ">":
			return i < len(x)
		case i == len(x) || i == len(y):
			return len(x) == len(y)
		case x[i] != "*" && y[i] != "*" && x[i] != y[i]:
			return false
		}
	}
}

// withDefaults fills what the manifest left out.
func (s Spec) withDefaults() Spec {
	if s.Event != nil {
		e := *s.Event
		if e.BatchSize == 0 {
			e.BatchSize = DefaultBatchSize
		}
		e.MaxWait = schema.Duration(e.MaxWait.Or(DefaultMaxWait))
		e.AckWait = schema.Duration(e.AckWait.Or(DefaultAckWait))
		s.Event = &e
	}
	if s.Output != nil {
		o := *s.Output
		if o.Keep == nil {
			o.Keep = []string{"id"}
		}
		s.Output = &o
	}
	if s.Retry.MaxAttempts == 0 {
		s.Retry.MaxAttempts = DefaultMaxAttempts
	}
	s.Retry.Backoff = schema.Duration(s.Retry.Backoff.Or(DefaultBackoff))
	s.Retry.MaxBackoff = schema.Duration(s.Retry.MaxBackoff.Or(DefaultMaxBackoff))
	s.Timeout = schema.Duration(s.Timeout.Or(DefaultTimeout))
	if s.MaxBodyBytes == 0 {
		s.MaxBodyBytes = DefaultMaxBodyBytes
	}
	if s.HTTP != nil && len(s.HTTP.Methods) == 0 && s.Handler == nil {
		s.HTTP = &HTTPTrigger{Methods: []string{"POST"}}
	}
	return s
}
