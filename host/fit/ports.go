package fit

import (
	"context"
	"encoding/json"

	"github.com/weir-ml/weir/host/errs"
	"github.com/weir-ml/weir/sdk/abi"
)

// Table is one version of a dataset.
type Table struct {
	Ref     string // name@version
	Digest  string
	Rows    int64
	Columns []abi.Field
}

// Data reads datasets. Safe for concurrent use; its errors are kinded and name the dataset.
type Data interface {
	// Get finds a version by reference; NotFound.
	Get(ctx context.Context, ref string) (Table, error)
	// Select runs one SELECT over that version, which is the view "data". Each batch belongs to fn.
	Select(ctx context.Context, ref, sql string, fn func(*abi.Batch) error) error
}

// Plugins knows what a plugin's name stands for. Safe for concurrent use.
type Plugins interface {
	// Identify answers the digest of a plugin and the name by which recipes know it: its module's own.
	Identify(ctx context.Context, plugin string) (module, digest string, err error)
	// Accept opens the plugin with the parameters and closes it again; its error is the plugin's.
	Accept(ctx context.Context, digest string, parameters json.RawMessage) error
}

// ErrTaken is Store.Add's answer when the version is not the document's next: somebody else was faster.
var ErrTaken = errs.New(errs.Conflict, "the parameter document has got another version meanwhile")

// Store keeps documents. Safe for concurrent use, by several processes too; values are copied both ways. runtest.TestStore
// holds every implementation to this contract.
type Store interface {
	// Add stores d if d.Version is one more than the last number ever given to d.Name, and answers ErrTaken otherwise. When
	// it has answered nil, the document survives a crash.
	Add(ctx context.Context, d Document) error
	// Last is the last number ever given to a name, deleted versions included; 0: none.
	Last(ctx context.Context, name string) (int, error)
	// List returns the versions of one document, or of all where name is empty, by name and then by number. Unknown: none.
	List(ctx context.Context, name string) ([]Document, error)
	// Delete forgets one version; NotFound when there is none.
	Delete(ctx context.Context, name string, version int) error
}
