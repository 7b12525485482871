package monitor

import (
	"crypto/rand"
	"encoding/hex"
	"strings"
	"time"

	"github.com/weir-ml/weir/host/schema"
)

// Verdict is what a run says of a column or of the data set.
type Verdict string

// The verdicts.
const (
	Stable       Verdict = "stable"
	Watch        Verdict = "watch" // from half the threshold on; columns only
	Drift        Verdict = "drift"
	Insufficient Verdict = "insufficient data"
)

// Report is the stored result of one run; it never changes.
type Report struct {
	// ID is "<monitor>.<time>-<random>"; the time is UTC to the microsecond with a fixed width, so that IDs sort by time.
	ID      string  `json:"id"`
	Monitor string  `json:"monitor"`
	Verdict Verdict `json:"verdict"` // drift, stable or insufficient data
	// Drifted is Verdict == drift: Share has reached DatasetThreshold.
	Drifted bool   `json:"drifted"`
	Note    string `json:"note,omitempty"`
	// DriftedColumns is sorted; Share is its length over the number of judged columns, 0 when none was judged.
	DriftedColumns []string       `json:"drifted_columns"`
	Share          float64        `json:"share"`
	Columns        []ColumnReport `json:"columns"` // in the order of the reference's columns
	Reference      Sample         `json:"reference"`
	Current        Sample         `json:"current"`

	Plugin           string        `json:"plugin"`
	PluginDigest     string        `json:"plugin_digest"`
	ParametersDigest schema.Digest `json:"parameters_digest"` // of the document the plugin was given, bins included
	Threshold        float64       `json:"threshold"`
	DatasetThreshold float64       `json:"dataset_threshold"`
	MinRows          int64         `json:"min_rows"`
	// ReferenceCached says that the reference's side of the metric was there from an earlier run.
	ReferenceCached bool      `json:"reference_cached"`
	Started         time.Time `json:"started"`
	DurationMS      float64   `json:"duration_ms"`
}

// Sample is one side of the comparison.
type Sample struct {
	Ref    string        `json:"ref"` // name@version, or what the caller called the rows it sent
	Digest schema.Digest `json:"digest"`
	Rows   int64         `json:"rows"`
}

// ColumnReport is one column's result.
type ColumnReport struct {
	Column string `json:"column"`
	Score  string `json:"score,omitempty"` // the figure's name, for example psi
	// Value is null where the figure is undefined, with the reason in Note.
	Value   *float64 `json:"value"`
	Verdict Verdict  `json:"verdict"`
	Drifted bool     `json:"drifted"`
	Note    string   `json:"note,omitempty"`
	// ReferenceValues and CurrentValues count rows that are neither null nor NaN.
	ReferenceValues int64          `json:"reference_values"`
	CurrentValues   int64          `json:"current_values"`
	Detail          map[string]any `json:"detail,omitempty"` // the plugin's
}

// newID sorts by time within a monitor.
func newID(monitor string, t time.Time) string {
	var r [4]byte
	rand.Read(r[:]) // never fails (crypto/rand)
	stamp := t.UTC().Format("20060102t150405.000000")
	return monitor + "." + strings.Replace(stamp, ".", "", 1) + "z-" + hex.EncodeToString(r[:])
}
