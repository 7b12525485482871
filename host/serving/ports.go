package serving

import (
	"context"
	"encoding/json"

	"github.com/weir-ml/weir/host/schema"
	"github.com/weir-ml/weir/sdk/abi"
)

// LoadOptions say where a model runs.
type LoadOptions struct {
	Device   string // "cpu", "cuda" or "auto"
	DeviceID int    // the GPU's index
	Threads  int    // threads inside one operator; 0 leaves it to the runtime
	Strict   bool   // refuse rather than fall back from cuda to the CPU
}

// Loader makes executors from a model's bytes. A model that cannot be loaded is errs.Invalid with the reason.
type Loader interface {
	Load(ctx context.Context, model []byte, o LoadOptions) (Executor, error)
}

// Executor runs one loaded model. It is safe for many concurrent callers. Run only reads its inputs, has finished reading them
// when it returns, and returns memory of its own; outputs nil means all, in the order of Outputs. Close waits for running calls.
type Executor interface {
	Inputs() []schema.TensorSpec
	Outputs() []schema.TensorSpec
	Device() string
	DeviceNote() string // why a wished-for GPU is not used, or ""
	Run(ctx context.Context, in []schema.Tensor, outputs []string) ([]schema.Tensor, error)
	Close() error
}

// Plugins opens transform plugins by the reference that a Step gives, with their parameters.
type Plugins interface {
	OpenTransform(ctx context.Context, plugin string, parameters json.RawMessage) (Transformer, error)
	// Identity says what the reference stands for at this moment: while it stays equal, OpenTransform gives the same module
	// under the same conditions. "" for what is unknown.
	Identity(plugin string) string
}

// Transformer is one opened plugin: a pure function from rows to as many rows. It is safe for concurrent use; the result of
// Transform is the caller's.
type Transformer interface {
	Digest() string
	Schema(ctx context.Context) (abi.Schema, error)
	Transform(ctx context.Context, in *abi.Batch) (*abi.Batch, error)
	Close() error
}

// Blobs reads bytes by digest and verifies them. A digest that is not stored is errs.NotFound.
type Blobs interface {
	ReadAll(ctx context.Context, digest string) ([]byte, error)
}
