package rest

import (
	"context"
	"io"
	"io/fs"
	"time"

	"github.com/weir-ml/weir/functions"
	"github.com/weir-ml/weir/host/datasets"
	"github.com/weir-ml/weir/host/fit"
	"github.com/weir-ml/weir/host/gates"
	"github.com/weir-ml/weir/host/monitor"
	"github.com/weir-ml/weir/host/resource"
	"github.com/weir-ml/weir/host/serving"
	"github.com/weir-ml/weir/sdk/abi"
)

// Deps are what the room needs; the composition root fills all of them.
type Deps struct {
	Info        func() Info
	UploadLimit int64 // bytes of one uploaded file
	Files       fs.FS // files of this machine that a call may name; nil = none. Must refuse to be left
	Resources   *resource.Service
	Blobs       Blobs
	Plugins     Plugins
	Functions   *functions.Service
	Datasets    *datasets.Service
	Events      Events
	Models      *serving.Service
	Monitors    *monitor.Service
	Gates       *gates.Service
	Fits        *fit.Service
}

// Info describes the running process.
type Info struct {
	Version string    `json:"version"`
	HTTP    string    `json:"http"`
	GRPC    string    `json:"grpc"`
	PID     int       `json:"pid"`
	Started time.Time `json:"started"`
	Devices any       `json:"devices,omitempty" jsonschema:"description=What models can run on; absent until a model was loaded"`
}

// Blobs keeps bytes by digest; what Put has answered is on disk. An unknown digest is errs.NotFound. Safe for concurrent use.
type Blobs interface {
	Put(ctx context.Context, r io.Reader) (digest string, size int64, err error)
	Open(ctx context.Context, digest string) (io.ReadSeekCloser, int64, error)
}

// PluginInfo is what a module says of itself, and where weir knows it from.
type PluginInfo struct {
	Name        string          `json:"name,omitempty" jsonschema:"description=Of the resource or the built-in plugin; empty when it is known by digest alone"`
	BuiltIn     bool            `json:"built_in,omitempty"`
	Digest      string          `json:"digest"`
	Size        int             `json:"size"`
	Description abi.Description `json:"description"`
	Exports     []string        `json:"exports"`
	// What the module asks for and what its manifest gives, and how often that was used since it was applied in this process.
	Grants []PluginGrant `json:"grants,omitempty"`
	// Calls that were refused, by name of the grant that they lacked.
	Refused map[string]uint64 `json:"refused,omitempty" jsonschema:"description=Calls that were refused, by the grant that they lacked"`
}

// PluginGrant is one grant of a plugin.
type PluginGrant struct {
	Grant string `json:"grant"`
	Asked bool   `json:"asked"` // by the module's description
	Given bool   `json:"given"` // by the manifest
	Uses  uint64 `json:"uses"`
}

// Plugins knows every plugin that a spec can name. Safe for concurrent use.
type Plugins interface {
	// Inspect validates a module and asks it what it is; errs.Invalid with the reason for a bad one. It keeps nothing.
	Inspect(ctx context.Context, wasm []byte) (PluginInfo, error)
	// Plugin finds one by name or digest; errs.NotFound.
	Plugin(ctx context.Context, ref string) (PluginInfo, error)
	// Names lists applied and built-in plugins, sorted.
	Names() []string
}

// Event is one message to store.
type Event struct {
	ID     string // stored once within the stream's window; "" = no such check
	Header map[string]string
	Data   []byte
}

// StoredEvent is one stored message. Data that is JSON is shown as such.
type StoredEvent struct {
	Stream   string
	Subject  string
	Sequence uint64
	Time     time.Time
	Header   map[string]string
	Data     []byte
}

// StreamInfo is a stream's present state.
type StreamInfo struct {
	Name     string    `json:"name"`
	Subjects []string  `json:"subjects"`
	Messages uint64    `json:"messages"`
	Bytes    uint64    `json:"bytes"`
	FirstSeq uint64    `json:"first_sequence"`
	LastSeq  uint64    `json:"last_sequence"`
	Created  time.Time `json:"created"`
}

// Events publishes to and reads from streams by subject. A subject that no stream stores is errs.NotFound. Safe for
// concurrent use.
type Events interface {
	// Publish stores the messages in order and returns when all are durable. sequences[i] is 0 where message i failed; the
	// error is the first failure's.
	Publish(ctx context.Context, subject string, events []Event) (stream string, sequences []uint64, err error)
	// Read returns at most limit messages of a subject (wildcards allowed) after a sequence, in order; none is no error.
	Read(ctx context.Context, subject string, after uint64, limit int) ([]StoredEvent, error)
	// Streams lists the streams that hold events, by name.
	Streams(ctx context.Context) ([]StreamInfo, error)
}
