package client

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"time"

	"github.com/weir-ml/weir/sdk/abi"
)

// Plugin is what a module says of itself, where the server knows it from, and how it is doing.
type Plugin struct {
	Name        string          `json:"name,omitempty"`
	BuiltIn     bool            `json:"built_in,omitempty"`
	Action      string          `json:"action,omitempty"` // after a change: created, updated or unchanged
	Digest      string          `json:"digest"`
	Size        int             `json:"size"`
	Description abi.Description `json:"description"`
	Exports     []string        `json:"exports"`
	// What the module asks for and what its manifest gives, and how often that was used since it was applied in the server's process.
	Grants  []PluginGrant     `json:"grants,omitempty"`
	Refused map[string]uint64 `json:"refused,omitempty"` // calls that were refused, by name of the grant that they lacked
	Schema  *abi.Schema       `json:"schema,omitempty"`  // the columns without parameters; nil for a plugin that needs some

	Version  int             `json:"version,omitempty"` // the one described here; 0 for built-in plugins and digests
	Current  int             `json:"current,omitempty"` // what the name alone stands for
	Aliases  map[string]int  `json:"aliases,omitempty"`
	Versions []PluginVersion `json:"versions,omitempty"` // those that are there, oldest first
	Moves    []PluginMove    `json:"moves,omitempty"`    // oldest first
	UsedBy   []Use           `json:"used_by,omitempty"`

	Limits json.RawMessage `json:"limits,omitempty"` // in force
	Pools  PluginPools     `json:"pools"`
}

// PluginGrant is one grant of a plugin.
type PluginGrant struct {
	Grant string `json:"grant"` // a name, or name:scope
	Asked bool   `json:"asked"` // by the module's description
	Given bool   `json:"given"` // by the manifest
	Uses  uint64 `json:"uses"`
}

// PluginVersion is one module under a name.
type PluginVersion struct {
	Version       int       `json:"version"`
	Digest        string    `json:"digest"`
	ModuleVersion string    `json:"module_version,omitempty"`
	Size          int64     `json:"size"`
	Worlds        []string  `json:"worlds"`
	Created       time.Time `json:"created"`
	Removed       time.Time `json:"removed,omitzero"`
}

// PluginMove is one change of what a name ("current") or an alias stands for; version 0 is nothing.
type PluginMove struct {
	When time.Time `json:"when"`
	What string    `json:"what"`
	From int       `json:"from"`
	To   int       `json:"to"`
	Why  string    `json:"why"` // push, rollback, alias or remove
}

// Use is one resource that refers to another.
type Use struct {
	Kind   string `json:"kind"`
	Name   string `json:"name"`
	Ref    string `json:"ref"`
	State  string `json:"state"`
	Reason string `json:"reason,omitempty"`
}

// PluginPools sums a module's pools. Counters run since those that are there were opened.
type PluginPools struct {
	Pools         int           `json:"pools"`
	Live          int           `json:"live"`
	Idle          int           `json:"idle"`
	Waiting       int           `json:"waiting"` // calls that wait for an instance
	Calls         uint64        `json:"calls"`
	Fuel          uint64        `json:"fuel"`
	Traps         uint64        `json:"traps"`
	ColdStarts    uint64        `json:"cold_starts"`
	LastColdStart time.Duration `json:"last_cold_start_ns"`
}

// PluginSummary is one line of the list of plugins.
type PluginSummary struct {
	Name          string         `json:"name"`
	BuiltIn       bool           `json:"built_in,omitempty"`
	Version       int            `json:"version,omitempty"`
	Versions      int            `json:"versions,omitempty"`
	Aliases       map[string]int `json:"aliases,omitempty"`
	Digest        string         `json:"digest"`
	ModuleVersion string         `json:"module_version,omitempty"`
	Size          int64          `json:"size"`
	Worlds        []string       `json:"worlds"`
	UsedBy        int            `json:"used_by"`
}

// RemovedPlugin says what a removal took away; Digests are modules whose bytes are gone as well.
type RemovedPlugin struct {
	Name     string   `json:"name"`
	Versions []int    `json:"versions"`
	Digests  []string `json:"digests,omitempty"`
}

// PluginTarget is the body of changes.
type PluginTarget struct {
	To string `json:"to,omitempty"`
}

// PushPlugin checks, compiles and stores a module and makes it the current version of a name. name "" takes the module's own.
func (c *Client) PushPlugin(ctx context.Context, name string, wasm io.Reader) (Plugin, error) {
	return c.PushExtism(ctx, name, ExtismFunctions{}, wasm)
}

// ExtismFunctions names the functions of an Extism module that are its handler and its gate; "" is none.
type ExtismFunctions struct{ Handler, Gate string }

// PushExtism is PushPlugin for an Extism module: f may be empty when the module has one function, which then is the handler.
func (c *Client) PushExtism(ctx context.Context, name string, f ExtismFunctions, wasm io.Reader) (Plugin, error) {
	q := url.Values{}
	for key, value := range map[string]string{"name": name, "handler": f.Handler, "gate": f.Gate} {
		if value != "" {
			q.Set(key, value)
		}
	}
	return call[Plugin](ctx, c, http.MethodPost, path("plugins"), q, wasm, "application/wasm")
}

// Plugins lists applied and built-in plugins.
func (c *Client) Plugins(ctx context.Context) ([]PluginSummary, error) {
	return list[PluginSummary](ctx, c, path("plugins"), nil)
}

// Plugin finds one: name, name@3, name@alias or sha256:….
func (c *Client) Plugin(ctx context.Context, ref string) (Plugin, error) {
	return call[Plugin](ctx, c, http.MethodGet, path("plugins", ref), nil, nil, "")
}

// RemovePlugin removes one version (name@3) or a whole plugin (name); the kind of the error is "conflict" while something
// uses it.
func (c *Client) RemovePlugin(ctx context.Context, ref string) (RemovedPlugin, error) {
	return call[RemovedPlugin](ctx, c, http.MethodDelete, path("plugins", ref), nil, nil, "")
}

// RollbackPlugin makes an earlier version current again: to is a version or an alias, "" the version before the current one.
func (c *Client) RollbackPlugin(ctx context.Context, name, to string) (Plugin, error) {
	return call[Plugin](ctx, c, http.MethodPost, path("plugins", name, "rollback"), nil, PluginTarget{to}, "")
}

// SetPluginAlias points an alias to a version, or to where another alias points.
func (c *Client) SetPluginAlias(ctx context.Context, name, alias, to string) (Plugin, error) {
	return call[Plugin](ctx, c, http.MethodPut, path("plugins", name, "aliases", alias), nil, PluginTarget{to}, "")
}

// DeletePluginAlias takes an alias away that no resource uses.
func (c *Client) DeletePluginAlias(ctx context.Context, name, alias string) (Plugin, error) {
	return call[Plugin](ctx, c, http.MethodDelete, path("plugins", name, "aliases", alias), nil, nil, "")
}
