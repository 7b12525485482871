package functions

import (
	"context"
	"encoding/json"
	"time"

	"github.com/weir-ml/weir/host/errs"
	"github.com/weir-ml/weir/sdk/abi"
)

// Plugins opens plugins by reference: the name of a resource, name@version, name@alias or a digest. Safe for concurrent use.
type Plugins interface {
	// Open answers NotFound for an unknown plugin and Invalid for refused parameters. parameters is a JSON object.
	Open(ctx context.Context, plugin string, parameters json.RawMessage, limits Limits) (Plugin, error)
	// Identity says what the reference stands for at this moment: while it stays equal, Open gives the same module under the
	// same conditions. "" for what is unknown.
	Identity(plugin string) string
}

// Limits bound one plugin of a function; a zero means the host's default.
type Limits struct {
	MemoryBytes int64
	Timeout     time.Duration
	IdleAfter   time.Duration // the pool shrinks to nothing when unused for so long
}

// Plugin is an opened plugin with its pool of instances. All methods but Close may be called by many goroutines; Close
// comes once, after the last call has returned.
type Plugin interface {
	Description() abi.Description
	Digest() string // "sha256:<hex>" of the module
	Work
	Stats() PoolStats
	Close() error
}

// Work is what a plugin does; which methods work depends on its worlds.
type Work interface {
	// Schema is the columns with the plugin's parameters. Empty Inputs: it takes what it is given.
	Schema(ctx context.Context) (abi.Schema, error)
	// Transform answers as many rows as it was given, in the same order. The caller owns the result.
	Transform(ctx context.Context, in *abi.Batch) (*abi.Batch, error)
	// Handle answers one request or event.
	Handle(ctx context.Context, r abi.Request) (abi.Response, error)
}

// PoolStats is a plugin's pool now. Counters run since the plugin was opened.
type PoolStats struct {
	Live          int           `json:"live"` // instances, busy or idle
	Idle          int           `json:"idle"`
	Waiting       int           `json:"waiting"` // calls that wait for an instance
	Calls         uint64        `json:"calls"`
	Fuel          uint64        `json:"fuel"` // units burned by all instances
	Traps         uint64        `json:"traps"`
	ColdStarts    uint64        `json:"cold_starts"`
	LastColdStart time.Duration `json:"last_cold_start_ns"`
}

// Predictor runs models on batches. Safe for concurrent use.
type Predictor interface {
	// Predict answers one row for each row of in, in order. It does not keep in. Unavailable and NotFound mean that the
	// model is not there now; Invalid that it will never take these rows.
	Predict(ctx context.Context, model string, in *abi.Batch) (Prediction, error)
}

// Prediction is what a model answers.
type Prediction struct {
	Outputs      *abi.Batch // the columns that join the result, "prediction" among them
	ModelVersion string
	BatchSize    int // rows of the batch that the model ran, which may hold other callers' rows
}

// Events is the storage behind event functions. Safe for concurrent use.
type Events interface {
	// Check reports what Open would refuse, and creates nothing. Conflict names the stream that has the output subject.
	Check(ctx context.Context, b Binding) error
	// Open makes what is missing (the input stream, the consumer, the function's own stream) and connects to it.
	Open(ctx context.Context, b Binding) (Feed, error)
	// Forget deletes the function's own stream: results, dead letters, markers. The position in the input stays.
	Forget(ctx context.Context, function string) error
}

// Binding is what connects a function to its streams.
type Binding struct {
	Function      string
	Stream        string // input
	Subject       string // filter on the input; may have wildcards
	OutputSubject string // "" when the function has no results
	AckWait       time.Duration
}

// ErrProcessed says that a commit held an input whose marker is there already; nothing of the commit was written.
var ErrProcessed = errs.New(errs.Conflict, "an input of the batch is processed already")

// Feed is one function's connection to its input and its own stream. Methods may be called by many goroutines.
type Feed interface {
	// Fetch waits up to wait for a first message, and returns at most max of those at hand; none is no error.
	Fetch(ctx context.Context, max int, wait time.Duration) ([]Event, error)
	// Processed tells of each event whether it has its marker (or lies behind the floor where markers were).
	Processed(ctx context.Context, events []Event) ([]bool, error)
	// Commit writes the outcomes with their markers, all or nothing, durably. ErrProcessed when an input has a marker.
	// After any other error the outcome is unknown until Processed is asked. At most MaxBatchSize outcomes.
	Commit(ctx context.Context, outcomes []Outcome) error
	Letters
	// Info reads the consumer's position.
	Info(ctx context.Context) (FeedInfo, error)
	// Close ends background work; unacknowledged events are delivered again to whoever opens next.
	Close() error
}

// Letters reads and replays a function's dead letters.
type Letters interface {
	// DeadLetters is a page in order of Sequence, beginning at from (0: the oldest).
	DeadLetters(ctx context.Context, from uint64, limit int) ([]DeadLetter, error)
	// Replay publishes the letter's payload to its input stream again under a message id of its own, so that two replays
	// at a time are one, and removes the letter. It returns the new input sequence. NotFound when there is no such letter.
	Replay(ctx context.Context, sequence uint64) (uint64, error)
}

// Event is one delivered message.
type Event struct {
	Stream string
	// Incarnation tells one stream of a name from the next, made after the first was deleted. Opaque to this package.
	Incarnation string
	Subject     string
	Sequence    uint64 // in the input stream
	Attempt     int    // deliveries up to now, this one included; 1 = first
	Time        time.Time
	Header      map[string]string
	Data        []byte
	Delivery
}

// Delivery answers a delivered message. A message that gets no answer within its ack wait is delivered again.
type Delivery interface {
	AckAsync() error               // done; not confirmed, because a lost ack only means a redelivery that finds its marker
	Nak(delay time.Duration) error // deliver it again after the delay
	InProgress() error             // the ack wait begins anew
}

// Outcome is what became of one input: a result, a dead letter, or neither (a handler that answers nothing).
type Outcome struct {
	Input  Event
	Result *Result
	Dead   *Failure
}

// Result is one message on the output subject.
type Result struct {
	Data   []byte
	Header map[string]string
}

// Failure is why an input became a dead letter.
type Failure struct {
	Reason   Reason
	Error    string
	Attempts int
	// Bare leaves payload and headers out (they do not fit into one message with the rest); a replay reads the input stream.
	Bare bool
}

// Reason classes dead letters.
type Reason string

// The reasons. The first two do not wait for the last attempt: no retry could succeed.
const (
	Undecodable Reason = "undecodable"        // the payload is not the row the function wants
	Refused     Reason = "refused"            // a handler answered a 4xx status other than 408 and 429
	Exhausted   Reason = "attempts_exhausted" // plugin or model failed on every attempt
	Unstorable  Reason = "result_unstorable"  // the store refuses the result; it is too large
)

// DeadLetter is a stored failure with its input.
type DeadLetter struct {
	Sequence      uint64            `json:"sequence"` // in the function's own stream: what Replay takes
	Function      string            `json:"function"`
	Reason        Reason            `json:"reason"`
	Error         string            `json:"error"`
	Attempts      int               `json:"attempts"`
	Stream        string            `json:"input_stream"`
	InputSequence uint64            `json:"input_sequence"`
	Subject       string            `json:"input_subject"`
	Header        map[string]string `json:"input_headers,omitempty"`
	Data          []byte            `json:"payload"` // base64 in JSON; nil when Bare
	Bare          bool              `json:"payload_omitted,omitempty"`
	Time          time.Time         `json:"time"`
}

// FeedInfo is the consumer's position.
type FeedInfo struct {
	AckFloor   uint64 // every input up to here is done
	Pending    uint64 // not delivered yet
	AckPending uint64 // delivered, not done
}
