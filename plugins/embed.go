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

//go:embed identity/identity.wasm
var identity []byte

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
		artifact("identity", identity, "Returns every batch unchanged."),
		artifact("standardize", standardize, "(x - mean) / std of each column."),
	}
}

func artifact(name string, wasm []byte, doc string) Artifact {
	sum := sha256.Sum256(wasm)
	return Artifact{Name: name, Wasm: wasm, Digest: "sha256:" + hex.EncodeToString(sum[:]), Doc: doc}
}
