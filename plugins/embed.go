// Package plugins carries weir's built-in plugins: their compiled modules, embedded, the digests under which they are known, and
// what they say about themselves, so that listing them compiles nothing. Sources, parameters and test vectors lie in the folder
// of each; build.sh rebuilds them bit for bit and writes plugin.json.
//
// It is not for running them: host/plugin does that.
package plugins

import (
	"embed"
	"encoding/json"
	"slices"
	"sync"

	"github.com/weir-ml/weir/sdk/abi"
)

//go:embed beats-baseline/beats-baseline.wasm
//go:embed bucketise/bucketise.wasm
//go:embed chi-square/chi-square.wasm
//go:embed clip/clip.wasm
//go:embed cross/cross.wasm
//go:embed cyclical-time/cyclical-time.wasm
//go:embed distinct/distinct.wasm
//go:embed geo-distance/geo-distance.wasm
//go:embed hashing/hashing.wasm
//go:embed identity/identity.wasm
//go:embed impute/impute.wasm
//go:embed js/js.wasm
//go:embed ks/ks.wasm
//go:embed log-power/log-power.wasm
//go:embed minmax/minmax.wasm
//go:embed missing/missing.wasm
//go:embed moments/moments.wasm
//go:embed no-drift/no-drift.wasm
//go:embed onehot/onehot.wasm
//go:embed ordinal/ordinal.wasm
//go:embed psi/psi.wasm
//go:embed quantile-bins/quantile-bins.wasm
//go:embed quantiles/quantiles.wasm
//go:embed robust/robust.wasm
//go:embed standardize/standardize.wasm
//go:embed text-hash/text-hash.wasm
//go:embed tfidf/tfidf.wasm
//go:embed threshold/threshold.wasm
//go:embed */plugin.json
var files embed.FS

// Requirements is the lock of the toolchain for C and Zig.
//
//go:embed requirements.txt
var Requirements []byte

// Artifact is one built-in plugin. What its fields refer to must not be changed: all callers share it.
type Artifact struct {
	Name        string
	Wasm        []byte
	Digest      string // "sha256:<64 hex>" of Wasm
	Doc         string // one line
	Description abi.Description
	Exports     []string // the module's functions, sorted
}

// Builtin lists the built-in plugins, sorted by name. The first call reads the embedded manifests, later ones copy a slice.
func Builtin() []Artifact { return slices.Clone(builtin()) }

var builtin = sync.OnceValue(func() []Artifact {
	return []Artifact{
		artifact("beats-baseline", "Gate: passes a candidate that is no worse than the baseline and better somewhere."),
		artifact("bucketise", "Transform: the interval between given edges that a number lies in."),
		artifact("chi-square", "Metric: chi-square test of categorical columns."),
		artifact("clip", "Transform: each column kept between bounds."),
		artifact("cross", "Transform: crossed features, several columns hashed into one bucket number."),
		artifact("cyclical-time", "Transform: fields of timestamps, such as hour, weekday and month, with sine and cosine."),
		artifact("distinct", "Metric: estimated number of different values."),
		artifact("geo-distance", "Transform: great-circle distance in km between two points, and the initial bearing."),
		artifact("hashing", "Transform: feature hashing of texts and numbers into n cells."),
		artifact("identity", "Transform: returns every batch unchanged."),
		artifact("impute", "Transform: a given value where there is none."),
		artifact("js", "Metric: Jensen-Shannon distance over bins or categories."),
		artifact("ks", "Metric: two-sample Kolmogorov-Smirnov distance of each column."),
		artifact("log-power", "Transform: logarithms, roots, powers, Box-Cox and Yeo-Johnson."),
		artifact("minmax", "Transform: each column's range mapped to a given one."),
		artifact("missing", "Metric: share of rows without a value."),
		artifact("moments", "Metric: mean, deviation, skewness, kurtosis and range, and how far the mean has moved."),
		artifact("no-drift", "Gate: passes when the monitors' reports show no drift."),
		artifact("onehot", "Transform: one 0/1 column for each category of text columns."),
		artifact("ordinal", "Transform: categories, texts or numbers, to their positions in a list."),
		artifact("psi", "Metric: population stability index of each column over given bins."),
		artifact("quantile-bins", "Transform: the rank of a number among given quantiles, as rank, normal deviate or bin."),
		artifact("quantiles", "Metric: quantiles of each column, and the Wasserstein distance between the samples."),
		artifact("robust", "Transform: (x - center) / scale of each column."),
		artifact("standardize", "Transform: (x - mean) / std of each column."),
		artifact("text-hash", "Transform: words or characters of a text, hashed into a vector."),
		artifact("tfidf", "Transform: term frequencies times inverse document frequencies of a fitted vocabulary."),
		artifact("threshold", "Gate: passes a candidate whose metrics lie within bounds."),
	}
})

// manifest is what this package reads of a plugin.json.
type manifest struct {
	SHA256      string          `json:"sha256"`
	Description abi.Description `json:"description"`
	Exports     []string        `json:"exports"`
}

// artifact reads an embedded plugin. Tests compare each manifest with its module, so a failure is a broken binary: it panics.
func artifact(name, doc string) Artifact {
	wasm, err := files.ReadFile(name + "/" + name + ".wasm")
	if err != nil {
		panic(err)
	}
	raw, err := files.ReadFile(name + "/plugin.json")
	if err != nil {
		panic(err)
	}
	var m manifest
	if err := json.Unmarshal(raw, &m); err != nil {
		panic("plugins: " + name + "/plugin.json: " + err.Error())
	}
	return Artifact{Name: name, Wasm: wasm, Digest: "sha256:" + m.SHA256, Doc: doc, Description: m.Description, Exports: m.Exports}
}
