package rest

import (
	"context"
	"io"
	"io/fs"
	"time"

	"github.com/weir-ml/weir/functions"
	"github.com/weir-ml/weir/host/catalog"
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
	Info           func() Info
	UploadLimit    int64 // bytes of one uploaded file
	Files          fs.FS // files of this machine that a call may name; nil = none. Must refuse to be left
	Resources      *resource.Service
	Blobs          Blobs
	Plugins        Plugins
	PluginVersions PluginVersions
	Functions      *functions.Service
	Datasets       *datasets.Service
	Events         Events
	Models         *serving.Service
	Monitors       *monitor.Service
	Gates          *gates.Service
	Fits           *fit.Service
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

// PluginInfo is what a module says of itself, where weir knows it from, and how it is doing.
type PluginInfo struct {
	Name        string          `json:"name,omitempty" jsonschema:"description=Of the resource or the built-in plugin; empty when it was asked for by digest"`
	BuiltIn     bool            `json:"built_in,omitempty"`
	Action      string          `json:"action,omitempty" jsonschema:"description=After a push, a roll back or a change of an alias: created, updated or unchanged"`
	Digest      string          `json:"digest"`
	Size        int             `json:"size"`
	Description abi.Description `json:"description"`
	Exports     []string        `json:"exports"`
	// What the module asks for and what its manifest gives, and how often that was used since it was applied in this process.
	Grants []PluginGrant `json:"grants,omitempty"`
	// Calls that were refused, by name of the grant that they lacked.
	Refused map[string]uint64 `json:"refused,omitempty" jsonschema:"description=Calls that were refused, by the grant that they lacked"`
	// Schema is the columns without parameters; absent for a plugin that needs some.
	Schema *abi.Schema `json:"schema,omitempty" jsonschema:"description=The columns without parameters; absent for a plugin that needs some"`

	Version  int               `json:"version,omitempty" jsonschema:"description=The one described here; absent for built-in plugins and digests"`
	Current  int               `json:"current,omitempty" jsonschema:"description=The version that the name alone stands for"`
	Aliases  map[string]int    `json:"aliases,omitempty"`
	Versions []catalog.Version `json:"versions,omitempty" jsonschema:"description=Those that are there, oldest first"`
	Moves    []catalog.Move    `json:"moves,omitempty" jsonschema:"description=What changed, oldest first"`
	UsedBy   []resource.Use    `json:"used_by,omitempty" jsonschema:"description=Resources that name the plugin, any version of it, or the digest"`

	Limits any         `json:"limits,omitempty" jsonschema:"description=In force: the resource's, else the defaults, within the operator's ceilings"`
	Pools  PluginPools `json:"pools" jsonschema:"description=Of this module, over all its parameters"`
}

// PluginPush says what a pushed module becomes. Handler and Gate name functions of an Extism module; empty ones leave what
// the resource says.
type PluginPush struct{ Name, Handler, Gate string }

// PluginGrant is one grant of a plugin.
type PluginGrant struct {
	Grant string `json:"grant"`
	Asked bool   `json:"asked"` // by the module's description
	Given bool   `json:"given"` // by the manifest
	Uses  uint64 `json:"uses"`
}

// PluginPools sums a module's pools. Counters run since the pools that are there were opened.
type PluginPools struct {
	Pools         int           `json:"pools"`
	Live          int           `json:"live"` // instances, busy or idle
	Idle          int           `json:"idle"`
	Waiting       int           `json:"waiting"` // calls that wait for an instance
	Calls         uint64        `json:"calls"`
	Fuel          uint64        `json:"fuel"`
	Traps         uint64        `json:"traps"`
	ColdStarts    uint64        `json:"cold_starts"`
	LastColdStart time.Duration `json:"last_cold_start_ns"`
}

// PluginSummary is one line of the list of plugins.
type PluginSummary struct {
	Name          string         `json:"name"`
	BuiltIn       bool           `json:"built_in,omitempty"`
	Version       int            `json:"version,omitempty" jsonschema:"description=The current one; absent for built-in plugins"`
	Versions      int            `json:"versions,omitempty" jsonschema:"description=How many are there"`
	Aliases       map[string]int `json:"aliases,omitempty"`
	Digest        string         `json:"digest"`
	ModuleVersion string         `json:"module_version,omitempty"`
	Size          int64          `json:"size"`
	Worlds        []string       `json:"worlds"`
	UsedBy        int            `json:"used_by" jsonschema:"description=How many references resources have to it"`
}

// RemovedPlugin says what a removal took away.
type RemovedPlugin struct {
	Name     string   `json:"name"`
	Versions []int    `json:"versions"`
	Digests  []string `json:"digests,omitempty" jsonschema:"description=Modules whose bytes are gone as well: nothing else holds them"`
}

// Plugins knows every plugin that a spec can name. References are name, name@version, name@alias and sha256:…; what is not
// there is errs.NotFound with a list of what is. Safe for concurrent use.
type Plugins interface {
	// Push checks and compiles a module, stores it and makes it the current version of the name; "" takes the module's own
	// name. A bad module is errs.Invalid with the reason, and nothing has changed.
	Push(ctx context.Context, push PluginPush, wasm []byte) (PluginInfo, error)
	Plugin(ctx context.Context, ref string) (PluginInfo, error)
	// Plugins lists applied and built-in plugins by name.
	Plugins() []PluginSummary
	// Remove takes a name or name@version away; errs.Conflict names what uses it.
	Remove(ctx context.Context, ref string) (RemovedPlugin, error)
}

// PluginVersions moves what names and aliases stand for. to is a version or an alias. Safe for concurrent use.
type PluginVersions interface {
	// Rollback makes an earlier version current again; to "" is the one before the current.
	Rollback(ctx context.Context, name, to string) (PluginInfo, error)
	SetAlias(ctx context.Context, name, alias, to string) (PluginInfo, error)
	// DeleteAlias is errs.Conflict while a resource uses the alias.
	DeleteAlias(ctx context.Context, name, alias string) (PluginInfo, error)
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
