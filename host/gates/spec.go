package gates

import (
	"bytes"
	"encoding/json"
	"regexp"

	"github.com/weir-ml/weir/host/errs"
)

// Spec is what a manifest of kind Gate says.
type Spec struct {
	// Description says, for people, what the gate protects.
	Description string `json:"description,omitempty"`
	// Plugin judges.
	Plugin PluginRef `json:"plugin"`
}

// PluginRef names a plugin of world gate and the parameters it is started with.
type PluginRef struct {
	Plugin string `json:"plugin"` // the name of a Plugin resource
	// Parameters is the plugin's parameters document, a JSON object, or a string that names a fitted one; empty means {}.
	Parameters json.RawMessage `json:"parameters,omitempty"`
}

// Validate checks the spec alone, without the plugin. Errors are Invalid and begin with the field's path.
func (s Spec) Validate() error {
	if s.Plugin.Plugin == "" {
		return errs.New(errs.Invalid, "spec.plugin.plugin is missing: name the plugin that judges")
	}
	if p := bytes.TrimSpace(s.Plugin.Parameters); len(p) > 0 && p[0] != '"' && !bytes.Equal(p, []byte("null")) {
		var object map[string]json.RawMessage
		if err := json.Unmarshal(p, &object); err != nil {
			return errs.New(errs.Invalid, "spec.plugin.parameters must be a JSON object, or the name of a fitted parameter document: %w", err)
		}
	}
	return nil
}

// parameters is the document handed to the plugin: never empty, never null.
func (r PluginRef) parameters() json.RawMessage {
	if p := bytes.TrimSpace(r.Parameters); len(p) > 0 && !bytes.Equal(p, []byte("null")) {
		return p
	}
	return json.RawMessage(`{}`)
}

// A name is one token of a key and one segment of a path; "." would end the token.
var namePattern = regexp.MustCompile(`^[A-Za-z0-9_][A-Za-z0-9_-]{0,127}$`)

func checkName(name string) error {
	if !namePattern.MatchString(name) {
		return errs.New(errs.Invalid, "gate name %q: use 1 to 128 letters, digits, '_' and '-', not beginning with '-'", name)
	}
	return nil
}
