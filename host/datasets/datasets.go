// Package datasets keeps named, versioned, immutable tables: what models are trained on and what monitors compare with.
// A version is a Parquet blob, known by its digest, and a record of where it came from; versions are numbered from 1 without
// gaps, and a number is never given twice, not even after a delete. A version that was built by SQL carries its lineage: the
// query, the inputs with their digests, the plugins with theirs and their parameters.
//
// It is not the engine that reads files (an Engine is handed in, host/offline in production) nor the place where bytes or
// records lie (Blobs and Store).
//
// Read this file first, then service.go; ports.go lists what the room needs from others.
package datasets

import (
	"encoding/json"
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/weir-ml/weir/host/errs"
	"github.com/weir-ml/weir/sdk/abi"
)

// Version is one immutable state of a dataset. docs/formats/datasets.md describes its JSON.
type Version struct {
	Name    string      `json:"name"`
	Version int         `json:"version"` // from 1
	Digest  string      `json:"digest"`  // of the Parquet blob, "sha256:…"
	Rows    int64       `json:"rows"`
	Columns []abi.Field `json:"columns"`
	Bytes   int64       `json:"bytes"` // of the Parquet blob
	Created time.Time   `json:"created"`
	Source  string      `json:"source"`            // the importer's own words (a file name, an address), or "build"
	Lineage *Lineage    `json:"lineage,omitempty"` // of a built version; nil for an imported one
}

// Ref is the version's full reference, "name@3".
func (v Version) Ref() string { return fmt.Sprintf("%s@%d", v.Name, v.Version) }

// Lineage is what a built version was made of; with the blobs still there, the same build can be repeated.
type Lineage struct {
	SQL          string            `json:"sql"`
	Inputs       []string          `json:"inputs"`        // as name@version, in the order of the request
	InputDigests map[string]string `json:"input_digests"` // by those references
	Functions    []FunctionLineage `json:"functions,omitempty"`
}

// FunctionLineage says which plugin stood behind an SQL function.
type FunctionLineage struct {
	Name       string          `json:"name"`
	Plugin     string          `json:"plugin"`
	Digest     string          `json:"digest"` // of the plugin's module
	Parameters json.RawMessage `json:"parameters,omitempty"`
	Fitted     string          `json:"fitted,omitempty"` // the parameter document that was named; Parameters is what it held
}

// BuildSource is Version.Source of a built version.
const BuildSource = "build"

// Ref names a dataset, or one version of it.
type Ref struct {
	Name    string
	Version int // 0 = the latest
}

// String writes the reference as ParseRef reads it.
func (r Ref) String() string {
	if r.Version == 0 {
		return r.Name
	}
	return fmt.Sprintf("%s@%d", r.Name, r.Version)
}

var validName = regexp.MustCompile(`^[a-z][a-z0-9_-]{0,62}$`)

// CheckName reports whether a dataset can have that name: a lower-case letter, then up to 62 lower-case letters, digits,
// dashes and underscores. In SQL a name with a dash is quoted: "my-data".
func CheckName(name string) error {
	if !validName.MatchString(name) {
		return errs.New(errs.Invalid, "dataset name %.80q: use a lower-case letter, then up to 62 lower-case letters, digits, - and _", name)
	}
	return nil
}

// ParseRef reads "name" or "name@latest" (the latest version) and "name@3".
func ParseRef(s string) (Ref, error) {
	name, version, has := strings.Cut(s, "@")
	if err := CheckName(name); err != nil {
		return Ref{}, err
	}
	if !has || version == "latest" {
		return Ref{Name: name}, nil
	}
	n, err := strconv.Atoi(version)
	if err != nil || n < 1 || strconv.Itoa(n) != version {
		return Ref{}, errs.New(errs.Invalid, "dataset reference %.120q: the version is a number from 1 or \"latest\"", s)
	}
	return Ref{Name: name, Version: n}, nil
}
