package monitor

import (
	"context"
	"encoding/json"

	"github.com/weir-ml/weir/host/schema"
	"github.com/weir-ml/weir/sdk/abi"
)

// Datasets reads data sets. ref is "name" (the latest version) or "name@3". Safe for concurrent use.
type Datasets interface {
	// Get resolves ref; NotFound when there is no such data set or version.
	Get(ctx context.Context, ref string) (Dataset, error)
	// Batches calls fn with all rows of the columns, in batches that are fn's for the time of the call only.
	Batches(ctx context.Context, ref string, columns []string, fn func(*abi.Batch) error) error
	Quantiler
}

// Quantiler computes exact quantiles.
type Quantiler interface {
	// Quantiles answers, for each column, one value for each probability, interpolated linearly between the two nearest
	// values (numpy's default, type 7). Nulls do not count. A column without values has none, or NaN.
	Quantiles(ctx context.Context, ref string, columns []string, probs []float64) (map[string][]float64, error)
}

// Dataset is a resolved version.
type Dataset struct {
	Ref     string // name@version
	Digest  schema.Digest
	Rows    int64
	Columns []abi.Field
}

// Metrics opens metric plugins by the name of their resource. Safe for concurrent use.
type Metrics interface {
	// Open answers NotFound for an unknown plugin, Invalid for one that is not of world metric or refuses the parameters.
	Open(ctx context.Context, plugin string, parameters json.RawMessage) (MetricPlugin, error)
}

// MetricPlugin is an opened metric plugin. Close comes after its metrics are closed.
type MetricPlugin interface {
	Digest() string // "sha256:<hex>" of the module
	Metric(ctx context.Context) (Metric, error)
	Close() error
}

// Metric is one running, mergeable summary, for one goroutine. Close it.
type Metric interface {
	Update(ctx context.Context, side abi.Side, b *abi.Batch) error
	State(ctx context.Context) ([]byte, error)
	Merge(ctx context.Context, state []byte) error
	Finish(ctx context.Context) ([]abi.Score, error)
	Close()
}

// Reports keeps reports for good. Safe for concurrent use.
type Reports interface {
	// PutReport stores a new report durably; Exists when its ID is taken.
	PutReport(ctx context.Context, r Report) error
	// Report reads one; NotFound for an unknown ID.
	Report(ctx context.Context, id string) (Report, error)
	// Reports is the newest limit reports of a monitor, newest first; limit ≤ 0 means all. An unknown monitor has none.
	Reports(ctx context.Context, monitor string, limit int) ([]Report, error)
}

// Cache keeps what can be computed again, under hex keys. Losing an entry costs time and nothing else. Safe for concurrent use.
type Cache interface {
	// Load answers nil, without error, when there is no entry.
	Load(ctx context.Context, key string) ([]byte, error)
	Save(ctx context.Context, key string, value []byte) error
}
