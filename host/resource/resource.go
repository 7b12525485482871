// Package resource keeps the declared state of weir: manifests (YAML or JSON with apiVersion, kind, metadata and spec), their
// kinds, and what apply, diff and delete mean. One file is applied as a whole or not at all.
//
// It is not for the meaning of a spec: each kind has a Controller, filled by the composition root from the room that owns
// the noun. Read kind.go for that contract, manifest.go for parsing and service.go for the walk of an apply.
package resource

import (
	"context"
	"encoding/json"
	"regexp"
	"time"

	"github.com/weir-ml/weir/host/errs"
)

// APIVersion is the only version of manifests so far.
const APIVersion = "weir.dev/v1"

// Metadata names an object.
type Metadata struct {
	Name   string            `json:"name"`
	Labels map[string]string `json:"labels,omitempty"`
}

// Object is one applied resource. Spec is normalised JSON: the kind's struct written out, so that equal meaning gives equal
// bytes whatever the manifest looked like.
type Object struct {
	APIVersion string          `json:"apiVersion"`
	Kind       string          `json:"kind"`
	Metadata   Metadata        `json:"metadata"`
	Spec       json.RawMessage `json:"spec"`
	// Revision is the sequence of the object's last change in the store; 0 before it is stored.
	Revision uint64    `json:"revision,omitempty"`
	Created  time.Time `json:"created,omitzero"`
	Updated  time.Time `json:"updated,omitzero"`
	// Status is what the owning room says of the object now; it is never stored.
	Status any `json:"status,omitempty"`
}

// Ref names an object.
type Ref struct {
	Kind string `json:"kind"`
	Name string `json:"name"`
	// At says what of the object is meant, in words of its kind, such as a plugin's version or alias; "": the object as it is.
	At string `json:"at,omitempty"`
}

// Object is the reference without At: what there is one of.
func (r Ref) Object() Ref { return Ref{Kind: r.Kind, Name: r.Name} }

// String is "name" or "name@at".
func (r Ref) String() string {
	if r.At == "" {
		return r.Name
	}
	return r.Name + "@" + r.At
}

// Ref is the object's name.
func (o Object) Ref() Ref { return Ref{Kind: o.Kind, Name: o.Metadata.Name} }

// Change is a write of one object, or its removal.
type Change struct {
	Object Object // what to write; for a removal only kind and name count
	Remove bool
	// Revision is the revision that the change was made from; 0 means that the object must not exist yet.
	Revision uint64
}

// Store keeps objects. It must be safe for concurrent use.
type Store interface {
	// List returns every object, with its revision, in no particular order.
	List(ctx context.Context) ([]Object, error)
	// Commit makes all changes or none. A revision that is no longer current is an errs.Conflict. It returns the revision
	// that every written object now has, durable when the call returns.
	Commit(ctx context.Context, changes []Change) ([]uint64, error)
}

var (
	nameForm  = regexp.MustCompile(`^[a-z0-9]([a-z0-9_-]{0,61}[a-z0-9])?$`)
	labelForm = regexp.MustCompile(`^[A-Za-z0-9._/-]{1,128}$`)
)

// CheckName reports whether name can name an object: 1 to 63 lower-case letters, digits, dashes and underscores, the first
// and last a letter or a digit.
func CheckName(name string) error {
	if !nameForm.MatchString(name) {
		return errs.New(errs.Invalid, "name %q: use 1 to 63 lower-case letters, digits, '-' and '_', beginning and ending with a letter or digit", name)
	}
	return nil
}
