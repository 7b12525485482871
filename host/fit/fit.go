// Package fit learns parameter documents of plugins from datasets: the mean and standard deviation that standardize divides
// by, the categories of a one-hot encoding, the bins of a stability index. A fit runs as SQL over one version of a dataset;
// what it finds is checked by opening the plugin with it, and kept as a numbered, immutable document with its lineage: the
// dataset and its digest, the plugin's digest, the queries. That is scikit-learn's fit and transform, with the fitted part
// stored where every path (SQL, HTTP, events, serving) reads the same bytes.
//
// The package runs neither SQL nor plugins (Data and Plugins are handed in) and does not know where a document is used:
// a manifest names one by writing "parameters": "name@2" where the object would stand, and the composition root resolves it.
//
// Read this file first, then service.go, and recipes.go for what can be fitted.
package fit

import (
	"encoding/json"
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/weir-ml/weir/host/errs"
)

// Document is one fitted parameter document. docs/formats/parameters.md describes its JSON.
type Document struct {
	Name         string          `json:"name"`
	Version      int             `json:"version"`       // from 1, dense, never given twice
	Plugin       string          `json:"plugin"`        // as it was asked for: a name, name@version or a digest
	PluginDigest string          `json:"plugin_digest"` // what that was at the time; it accepted the parameters
	Parameters   json.RawMessage `json:"parameters"`
	Digest       string          `json:"digest"` // "sha256:<64 hex>" of Parameters as they are here
	Lineage      Lineage         `json:"lineage"`
	Created      time.Time       `json:"created"`
}

// Lineage is what a document was learned from: the same request gives the same document again.
type Lineage struct {
	Dataset       string          `json:"dataset"` // name@version
	DatasetDigest string          `json:"dataset_digest"`
	Rows          int64           `json:"rows"`
	Columns       []string        `json:"columns"`
	Options       json.RawMessage `json:"options,omitempty"`
	Recipe        string          `json:"recipe"`  // name and version of the rules that were applied, "standardize/1"
	Queries       []string        `json:"queries"` // in order; the dataset is the view "data"
}

// Ref is the document's full reference, "name@3".
func (d Document) Ref() string { return fmt.Sprintf("%s@%d", d.Name, d.Version) }

var validName = regexp.MustCompile(`^[a-z][a-z0-9_-]{0,62}$`)

// CheckName reports whether a document can have that name: a lower-case letter, then up to 62 lower-case letters, digits,
// dashes and underscores.
func CheckName(name string) error {
	if !validName.MatchString(name) {
		return errs.New(errs.Invalid, "parameter document name %.80q: use a lower-case letter, then up to 62 lower-case letters, digits, - and _", name)
	}
	return nil
}

// ParseRef reads "name" or "name@latest" (version 0) and "name@3".
func ParseRef(s string) (name string, version int, err error) {
	name, v, has := strings.Cut(s, "@")
	if err := CheckName(name); err != nil {
		return "", 0, err
	}
	if !has || v == "latest" {
		return name, 0, nil
	}
	n, err := strconv.Atoi(v)
	if err != nil || n < 1 || strconv.Itoa(n) != v {
		return "", 0, errs.New(errs.Invalid, "parameter document %.120q: the version is a number from 1 or \"latest\"", s)
	}
	return name, n, nil
}
