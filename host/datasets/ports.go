package datasets

import (
	"context"
	"encoding/json"
	"io"

	"github.com/weir-ml/weir/host/errs"
	"github.com/weir-ml/weir/sdk/abi"
)

// Source is a file that the engine reads, and in a query the view that it becomes.
type Source struct {
	Name   string
	Path   string
	Format string // "csv" or "parquet"
}

// Table is what the engine found in a file or wrote to one.
type Table struct {
	Columns []abi.Field
	Rows    int64
}

// Query is one SELECT over sources. Output is the Parquet file to write, empty where the rows are handed over.
type Query struct {
	SQL       string
	Sources   []Source
	Functions []Function
	Output    string
}

// Function is a Transformer under its SQL name.
type Function struct {
	Name string
	T    Transformer
}

// Engine reads and writes files. Users' SQL runs in it: it must keep that SQL to the sources. The same input must give
// the same bytes, for a digest to mean something. Safe for concurrent use; its errors are kinded and name the source.
type Engine interface {
	Import(ctx context.Context, src Source, out string) (Table, error)
	Query(ctx context.Context, q Query) (Table, error)
	Batches(ctx context.Context, q Query, fn func(*abi.Batch) error) error // each batch belongs to fn
	Quantiles(ctx context.Context, src Source, columns []string, probs []float64) (map[string][]float64, error)
}

// Blobs keeps bytes by digest. What Put has answered is on disk. Safe for concurrent use.
type Blobs interface {
	Put(ctx context.Context, r io.Reader) (digest string, size int64, err error)
	Open(ctx context.Context, digest string) (io.ReadSeekCloser, int64, error)
	Path(digest string) (string, error) // of a file that the engine can read; it must not be written
}

// ErrTaken is Store.Add's answer when the version is not the dataset's next: somebody else was faster.
var ErrTaken = errs.New(errs.Conflict, "the dataset has got another version meanwhile")

// Store keeps the records of versions. Safe for concurrent use, by several processes too; values are copied both ways.
// datasetstest.TestStore holds every implementation to this contract.
type Store interface {
	// Add stores v if v.Version is one more than the last number ever given to v.Name, and answers ErrTaken otherwise.
	// When it has answered nil, the record survives a crash.
	Add(ctx context.Context, v Version) error
	// Last is the last number ever given to a name, deleted versions included; 0: none.
	Last(ctx context.Context, name string) (int, error)
	// List returns the versions of one dataset, or of all where name is empty, by name and then by number. Unknown: none.
	List(ctx context.Context, name string) ([]Version, error)
	// Delete forgets one version; NotFound when there is none.
	Delete(ctx context.Context, name string, version int) error
}

// Transformer is a plugin with its parameters, as an SQL function runs it; the engine says what it expects of the first
// two methods.
type Transformer interface {
	Schema(ctx context.Context) (abi.Schema, error)
	TransformChunk(ctx context.Context, in *abi.Batch, use func(out *abi.Batch) error) error
	Digest() string              // of the module, for the lineage
	Parameters() json.RawMessage // it was opened with, for the lineage: those of a stored document where that was named
	Close() error
}

// Plugins opens plugins by name or digest. Whoever opens one closes it.
type Plugins interface {
	OpenTransformer(ctx context.Context, plugin string, parameters json.RawMessage) (Transformer, error)
}
