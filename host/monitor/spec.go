package monitor

import (
	"bytes"
	"encoding/json"
	"regexp"

	"github.com/weir-ml/weir/host/errs"
)

// Defaults of a spec.
const (
	DefaultBins             = 10
	DefaultThreshold        = 0.2
	DefaultDatasetThreshold = 0.5
	DefaultMinRows          = 300
	maxBins                 = 1000
)

// Spec is what a manifest of kind Monitor says.
type Spec struct {
	Description string    `json:"description,omitempty"`
	Metric      PluginRef `json:"metric"`
	// Reference is a data set: "name" for its latest version at each run, "name@3" for one version.
	Reference string `json:"reference"`
	// Columns to compare; default: every numeric column of the reference.
	Columns []string `json:"columns,omitempty"`
	// Ignore leaves columns out of the default (keys, time stamps, targets).
	Ignore []string `json:"ignore,omitempty"`
	// Bins is how many the reference's quantiles cut each column into; fewer where quantiles coincide. Default 10.
	Bins int `json:"bins,omitempty"`
	// Score names the figure that is compared with Threshold, for a metric with several a column; default: its first.
	Score string `json:"score,omitempty"`
	// Threshold is the score from which a column has drifted; default 0.2.
	Threshold float64 `json:"threshold,omitempty"`
	// DatasetThreshold is the share of drifted columns, of those judged, from which the data set has drifted; default 0.5.
	DatasetThreshold float64 `json:"dataset_threshold,omitempty"`
	// MinRows is the fewest values a side, below which nothing is judged; default 300.
	MinRows int64 `json:"min_rows,omitempty"`
}

// PluginRef names a plugin of world metric and parameters of its own. The monitor adds "columns": a list of
// {"name": …, "edges": […]} with the inner edges of each column's bins, ascending.
type PluginRef struct {
	Plugin     string          `json:"plugin"`
	Parameters json.RawMessage `json:"parameters,omitempty"` // a JSON object without "columns"
}

func invalid(format string, args ...any) error { return errs.New(errs.Invalid, format, args...) }

// Validate checks the spec alone, without plugin and data. Errors are Invalid and begin with the field's path.
func (s Spec) Validate() error {
	if s.Metric.Plugin == "" {
		return invalid("spec.metric.plugin is missing: name a metric plugin, for example psi")
	}
	if _, err := s.Metric.object(); err != nil {
		return err
	}
	if s.Reference == "" {
		return invalid("spec.reference is missing: name a data set, or one version of it (name@3)")
	}
	for path, names := range map[string][]string{"spec.columns": s.Columns, "spec.ignore": s.Ignore} {
		seen := map[string]bool{}
		for i, n := range names {
			if n == "" || seen[n] {
				return invalid("%s[%d]: %q is empty or listed twice", path, i, n)
			}
			seen[n] = true
		}
	}
	switch {
	case len(s.Columns) > 0 && len(s.Ignore) > 0:
		return invalid("spec.ignore has no use beside spec.columns: leave the column out there")
	case s.Bins < 0 || s.Bins == 1 || s.Bins > maxBins:
		return invalid("spec.bins is %d: use 2 to %d", s.Bins, maxBins)
	case !(s.Threshold >= 0):
		return invalid("spec.threshold is %v: use a number above 0", s.Threshold)
	case !(s.DatasetThreshold >= 0 && s.DatasetThreshold <= 1):
		return invalid("spec.dataset_threshold is %v: use a share above 0, at most 1", s.DatasetThreshold)
	case s.MinRows < 0:
		return invalid("spec.min_rows is %d: use 1 or more", s.MinRows)
	}
	return nil
}

// object is the plugin's own parameters.
func (r PluginRef) object() (map[string]json.RawMessage, error) {
	p := bytes.TrimSpace(r.Parameters)
	object := map[string]json.RawMessage{}
	if len(p) == 0 || string(p) == "null" {
		return object, nil
	}
	if err := json.Unmarshal(p, &object); err != nil {
		return nil, invalid("spec.metric.parameters must be a JSON object: %w", err)
	}
	if _, ok := object["columns"]; ok {
		return nil, invalid("spec.metric.parameters.columns is the monitor's to set: use spec.columns and spec.bins")
	}
	return object, nil
}

func (s Spec) withDefaults() Spec {
	if s.Bins == 0 {
		s.Bins = DefaultBins
	}
	if s.Threshold == 0 {
		s.Threshold = DefaultThreshold
	}
	if s.DatasetThreshold == 0 {
		s.DatasetThreshold = DefaultDatasetThreshold
	}
	if s.MinRows == 0 {
		s.MinRows = DefaultMinRows
	}
	return s
}

// A name is one token of a key and one segment of a path.
var namePattern = regexp.MustCompile(`^[A-Za-z0-9_][A-Za-z0-9_-]{0,127}$`)

func checkName(name string) error {
	if !namePattern.MatchString(name) {
		return invalid("monitor name %q: use 1 to 128 letters, digits, '_' and '-', not beginning with '-'", name)
	}
	return nil
}
