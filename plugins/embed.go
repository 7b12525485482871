// Package plugins carries weir's built-in plugins: their compiled modules, embedded, and the digests under which they are
// known. Sources, parameters and test vectors lie in the folder of each; build.sh rebuilds them bit for bit.
//
// It is not for running them: host/plugin does that.
package plugins

import (
	"crypto/sha256"
	_ "embed" // the modules
	"encoding/hex"
)

//go:embed beats-baseline/beats-baseline.wasm
var beatsBaseline []byte

//go:embed identity/identity.wasm
var identity []byte

//go:embed onehot/onehot.wasm
var onehot []byte

//go:embed psi/psi.wasm
var psi []byte

//go:embed standardize/standardize.wasm
var standardize []byte

// Artifact is one built-in plugin.
type Artifact struct {
	Name   string
	Wasm   []byte // must not be changed
	Digest string // "sha256:<64 hex>" of Wasm
	Doc    string // one line
}

// Builtin lists the built-in plugins, sorted by name.
func Builtin() []Artifact {
	return []Artifact{
		artifact("beats-baseline", beatsBaseline, "Gate: passes a candidate that is no worse than the baseline and better somewhere."),
		artifact("identity", identity, "Transform: returns every batch unchanged."),
		artifact("onehot", onehot, "Transform: one 0/1 column for each category of text columns."),
		artifact("psi", psi, "Metric: population stability index of each column over given bins."),
		artifact("standardize", standardize, "Transform: (x - mean) / std of each column."),
	}
}

func artifact(name string, wasm []byte, doc string) Artifact {
	sum := sha256.Sum256(wasm)
	return Artifact{Name: name, Wasm: wasm, Digest: "sha256:" + hex.EncodeToString(sum[:]), Doc: doc}
}
