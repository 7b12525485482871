package app

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"sync"

	versions "github.com/weir-ml/weir/host/catalog"
	"github.com/weir-ml/weir/host/config"
	"github.com/weir-ml/weir/host/errs"
	"github.com/weir-ml/weir/host/fit"
	"github.com/weir-ml/weir/host/plugin"
	"github.com/weir-ml/weir/host/schema"
	"github.com/weir-ml/weir/kv"
	"github.com/weir-ml/weir/plugins"
	"github.com/weir-ml/weir/sdk/abi"
)

// PluginSpec is what a manifest of kind Plugin says: which bytes the name stands for, and their limits.
type PluginSpec struct {
	Description string `json:"description,omitempty"`
	// Blob is the digest of the module's bytes in the blob store. `weir apply` writes it when the manifest says `file`.
	Blob string `json:"blob"`
	// Limits bound each instance and pool; what is left out takes the host's defaults, and nothing exceeds the operator's ceilings.
	Limits PluginLimits `json:"limits,omitzero"`
	// Grants let the plugin ask the host for something: log, clock, random, kv.read:KEY, kv.write:KEY, features.read:VIEW,
	// model.infer:MODEL, http.out:HOST; a * may end a scope. Nothing is granted that is not listed, nor beyond the operator's
	// plugin_grants.
	Grants []string `json:"grants,omitempty"`
	// Extism names the functions of an Extism module that play weir's worlds. Its only function is the handler when none is named.
	Extism ExtismSpec `json:"extism,omitzero"`
}

// ExtismSpec says which function of an Extism module is what.
type ExtismSpec struct {
	Handler string `json:"handler,omitempty"` // input: the request's body; output: the answer's
	Gate    string `json:"gate,omitempty"`    // input: the gate's context; output: a verdict
}

// engine are the options of opening and inspecting what the spec stands for.
func (s PluginSpec) engine() plugin.OpenOption {
	return plugin.WithExtism(plugin.ExtismExports(s.Extism))
}

// PluginLimits are a plugin's limits in a manifest.
type PluginLimits struct {
	MemoryBytes     int64           `json:"memory_bytes,omitempty"`      // linear memory of one instance
	Timeout         schema.Duration `json:"timeout,omitempty"`           // one call into the guest
	MaxInstances    int             `json:"max_instances,omitempty"`     // at once
	IdleAfter       schema.Duration `json:"idle_after,omitempty"`        // an instance unused this long is closed
	FuelPerCall     int64           `json:"fuel_per_call,omitempty"`     // units that one call may burn
	FuelPerSecond   int64           `json:"fuel_per_second,omitempty"`   // units a second, over all instances; callers over it wait
	MaxOutputBytes  int64           `json:"max_output_bytes,omitempty"`  // one answer
	LogPerSecond    int             `json:"log_per_second,omitempty"`    // records, over all instances
	HostCallTimeout schema.Duration `json:"host_call_timeout,omitempty"` // one call of the guest into the host
}

func (l PluginLimits) engine() plugin.Limits {
	return plugin.Limits{
		MemoryBytes: l.MemoryBytes, Timeout: l.Timeout.Std(), MaxInstances: l.MaxInstances, IdleAfter: l.IdleAfter.Std(),
		Fuel: l.FuelPerCall, FuelPerSecond: l.FuelPerSecond, MaxOutputBytes: l.MaxOutputBytes, LogPerSecond: l.LogPerSecond,
		HostCallTimeout: l.HostCallTimeout.Std(),
	}
}

// pluginCeilings are the operator's.
func pluginCeilings(c config.Config) plugin.Limits {
	return plugin.Limits{
		MemoryBytes: c.PluginMemoryBytes, Timeout: c.PluginTimeout.Std(), MaxInstances: c.MaxPluginInstances(),
		Fuel: c.PluginFuelPerCall, FuelPerSecond: c.PluginFuelPerSecond, MaxOutputBytes: c.PluginOutputBytes,
		LogPerSecond: c.PluginLogPerSecond, HostCallTimeout: c.PluginHostCallTimeout.Std(),
	}
}

// Validate checks the spec alone.
func (s PluginSpec) Validate() error {
	if s.Blob == "" {
		return errs.New(errs.Invalid, "spec.blob is missing: give the digest of an uploaded module, or let `weir apply` upload spec.file")
	}
	if _, err := schema.ParseDigest(s.Blob); err != nil {
		return errs.New(errs.Invalid, "spec.blob: %w", err)
	}
	if l := s.Limits; min(l.MemoryBytes, int64(l.Timeout), int64(l.MaxInstances), int64(l.IdleAfter), l.FuelPerCall, l.FuelPerSecond, l.MaxOutputBytes,
		int64(l.LogPerSecond), int64(l.HostCallTimeout)) < 0 {
		return errs.New(errs.Invalid, "spec.limits: a limit is negative")
	}
	return nil
}

// catalog knows which bytes a reference to a plugin stands for, and opens them: applied Plugin resources and their versions
// first, then the built-in ones. It is the one place where references are resolved. It is safe for concurrent use.
type catalog struct {
	host     *plugin.Host
	blobs    *kv.Blobs
	versions *versions.Service
	ceiling  plugin.Limits // the operator's; asking for more is refused

	documents *fit.Service // fitted parameters that specifications name; set once, before the first open

	mu      sync.RWMutex
	applied map[string]PluginSpec
	builtin map[string]plugins.Artifact // by name

	grantCeiling plugin.Ceiling
	granted      map[string]grantedPlugin // by name of an applied plugin
	// because holds why a name is about to get a digest, from the edit of its resource to the apply that follows.
	because map[string]*reason
}

type reason struct {
	digest string
	why    versions.Why
}

func newCatalog(host *plugin.Host, blobs *kv.Blobs, known *versions.Service, ceiling plugin.Limits) *catalog {
	c := &catalog{host: host, blobs: blobs, versions: known, ceiling: ceiling,
		applied: map[string]PluginSpec{}, builtin: map[string]plugins.Artifact{}, because: map[string]*reason{}}
	for _, a := range plugins.Builtin() {
		c.builtin[a.Name] = a
	}
	return c
}

// resolved is what a reference stands for.
type resolved struct {
	digest  string
	grants  *plugin.Grants // nil for built-in plugins and digests
	name    string         // "" for a digest
	version int            // of an applied plugin, else 0
	spec    PluginSpec
	builtin *plugins.Artifact // set for built-in plugins
}

// inspection are the options of inspecting: a digest alone may be an Extism module whose functions nobody has named.
func (r resolved) inspection() []plugin.OpenOption {
	if r.name == "" {
		return nil
	}
	return []plugin.OpenOption{r.spec.engine()}
}

// resolve finds what name, name@3, name@alias or sha256:… stands for. What is not there is errs.NotFound with a list of what
// is. Limits and the like come from the name's resource, whichever version is meant; a digest alone has none.
func (c *catalog) resolve(text string) (resolved, error) {
	ref, err := versions.ParseRef(text)
	if err != nil {
		return resolved{}, err
	}
	c.mu.RLock()
	defer c.mu.RUnlock()
	if ref.Digest != "" {
		for _, a := range c.builtin {
			if a.Digest == ref.Digest {
				return resolved{digest: ref.Digest, builtin: &a}, nil
			}
		}
		return resolved{digest: ref.Digest}, nil
	}
	if s, ok := c.applied[ref.Name]; ok {
		r := resolved{name: ref.Name, digest: s.Blob, spec: s, grants: c.granted[ref.Name].grants}
		if ref.At == "" || ref.At == versions.Current { // the resource is the truth of these
			p, _ := c.versions.Plugin(ref.Name)
			v, _ := p.ByDigest(s.Blob)
			r.version = v.Version
			return r, nil
		}
		v, err := c.versions.Resolve(ref.Name, ref.At)
		r.digest, r.version = v.Digest, v.Version
		return r, err
	}
	if a, ok := c.builtin[ref.Name]; ok {
		if !ref.Follows() {
			return resolved{}, errs.New(errs.NotFound, "plugin %q is built in and has no version or alias %q: name it %s, or push a module under a name of your own", ref.Name, ref.At, ref.Name)
		}
		return resolved{name: ref.Name, digest: a.Digest, builtin: &a}, nil
	}
	return resolved{}, errs.Unknown("plugin", ref.Name, c.namesLocked())
}

// identity changes when opening the reference would give another module or another treatment of it.
func (c *catalog) identity(ref string) string {
	r, err := c.resolve(ref)
	if err != nil {
		return ""
	}
	r.spec.Description, r.spec.Blob = "", r.digest
	raw, err := json.Marshal(r.spec)
	if err != nil {
		return r.digest // a spec that came from JSON goes back to it
	}
	return string(raw)
}

func (c *catalog) namesLocked() []string {
	names := map[string]bool{}
	for n := range c.builtin {
		names[n] = true
	}
	for n := range c.applied {
		names[n] = true
	}
	return slices.Sorted(maps.Keys(names))
}

// names lists every plugin that can be referred to, sorted.
func (c *catalog) names() []string {
	c.mu.RLock()
	defer c.mu.RUnlock()
	return c.namesLocked()
}

// bytes reads the module; a digest that nobody uploaded is errs.NotFound.
func (c *catalog) bytes(ctx context.Context, r resolved) ([]byte, error) {
	if r.builtin != nil {
		return r.builtin.Wasm, nil
	}
	wasm, err := c.blobs.ReadAll(ctx, r.digest)
	if err != nil {
		return nil, errs.New(errs.KindOf(err), "plugin module: %w", err)
	}
	return wasm, nil
}

// open makes a plugin ready with its parameters. over's non-zero limits win over the resource's.
func (c *catalog) open(ctx context.Context, ref string, params json.RawMessage, over plugin.Limits) (*plugin.Plugin, error) {
	r, err := c.resolve(ref)
	if err != nil {
		return nil, err
	}
	wasm, err := c.bytes(ctx, r)
	if err != nil {
		return nil, err
	}
	l := r.spec.Limits.engine()
	if over.MemoryBytes > 0 {
		l.MemoryBytes = over.MemoryBytes
	}
	if over.Timeout > 0 {
		l.Timeout = over.Timeout
	}
	if over.IdleAfter > 0 {
		l.IdleAfter = over.IdleAfter
	}
	if err := c.allow(l); err != nil {
		return nil, err
	}
	if params, err = c.parameters(ctx, params); err != nil {
		return nil, err
	}
	return c.host.Open(ctx, wasm, params, l, plugin.WithGrants(r.grants), r.spec.engine())
}

// openAs opens a plugin for one use and refuses one that is of other worlds, so that this shows before the first call.
func (c *catalog) openAs(ctx context.Context, w abi.World, ref string, params json.RawMessage) (*plugin.Plugin, error) {
	p, err := c.open(ctx, ref, params, plugin.Limits{})
	if err != nil {
		return nil, err
	}
	if worlds := p.Description().Worlds; !slices.Contains(worlds, w) {
		_ = p.Close() // never fails
		return nil, errs.New(errs.Invalid, "plugin %q is of world %v, not %s", ref, worlds, w)
	}
	return p, nil
}

// allow refuses limits beyond the operator's ceilings; what a manifest leaves out is cut to them by the host.
func (c *catalog) allow(l plugin.Limits) error {
	top := c.ceiling
	for _, asked := range []struct {
		limit, key string
		v, ceiling any
		over       bool
	}{
		{"memory_bytes", "plugin_memory_bytes", l.MemoryBytes, top.MemoryBytes, l.MemoryBytes > top.MemoryBytes},
		{"timeout", "plugin_timeout", l.Timeout, top.Timeout, l.Timeout > top.Timeout},
		{"max_instances", "plugin_max_instances", l.MaxInstances, top.MaxInstances, l.MaxInstances > top.MaxInstances},
		{"fuel_per_call", "plugin_fuel_per_call", l.Fuel, top.Fuel, l.Fuel > top.Fuel},
		{"fuel_per_second", "plugin_fuel_per_second", l.FuelPerSecond, top.FuelPerSecond, top.FuelPerSecond > 0 && l.FuelPerSecond > top.FuelPerSecond},
		{"max_output_bytes", "plugin_output_bytes", l.MaxOutputBytes, top.MaxOutputBytes, l.MaxOutputBytes > top.MaxOutputBytes},
		{"log_per_second", "plugin_log_per_second", l.LogPerSecond, top.LogPerSecond, l.LogPerSecond > top.LogPerSecond},
		{"host_call_timeout", "plugin_host_call_timeout", l.HostCallTimeout, top.HostCallTimeout, l.HostCallTimeout > top.HostCallTimeout},
	} {
		if asked.over {
			return errs.New(errs.Invalid, "%s: %v is above the operator's ceiling of %v (%s)", asked.limit, asked.v, asked.ceiling, asked.key)
		}
	}
	return nil
}

// inspect describes a plugin by name or digest. The built-in ones' descriptions are known without running them.
func (c *catalog) inspect(ctx context.Context, ref string) (plugin.Info, error) {
	r, err := c.resolve(ref)
	if err != nil {
		return plugin.Info{}, err
	}
	if b := r.builtin; b != nil {
		return plugin.Info{Digest: b.Digest, Size: len(b.Wasm), Description: b.Description, Exports: b.Exports}, nil
	}
	wasm, err := c.bytes(ctx, r)
	if err != nil {
		return plugin.Info{}, err
	}
	return c.host.InspectWithin(ctx, wasm, r.spec.Limits.engine(), r.inspection()...)
}

// check compiles the module and asks what it is, so that a broken one is refused before anything is stored.
func (c *catalog) check(ctx context.Context, name string, s PluginSpec) error {
	if err := c.allow(s.Limits.engine()); err != nil {
		return fmt.Errorf("spec.limits: %w", err)
	}
	if err := c.checkGrants(s.Grants); err != nil {
		return err
	}
	wasm, err := c.blobs.ReadAll(ctx, s.Blob)
	if err != nil {
		return errs.New(errs.Invalid, "spec.blob: %w: upload the module first", err)
	}
	if _, err = c.host.InspectWithin(ctx, wasm, s.Limits.engine(), s.engine()); err != nil {
		return err
	}
	return c.versions.Admit(name, s.Blob)
}

// apply makes the name stand for the spec and sees to it that the digest is one of its versions. It runs at every start too,
// which mends the catalogue after a crash between the two writes.
func (c *catalog) apply(ctx context.Context, name string, s PluginSpec) error {
	c.mu.Lock()
	c.applied[name] = s
	why := versions.Push
	if r, ok := c.because[name]; ok && r.digest == s.Blob {
		why = r.why
	}
	delete(c.because, name)
	err := c.grantLocked(name, s.Grants)
	c.mu.Unlock()
	if err != nil {
		return err
	}
	m := versions.Module{Digest: s.Blob}
	if p, _ := c.versions.Plugin(name); p.Current == 0 || !holds(p, s.Blob) {
		i, err := c.inspect(ctx, name)
		if err != nil {
			return err
		}
		m = moduleOf(i)
	} else {
		v, _ := p.ByDigest(s.Blob)
		m.ModuleVersion, m.Size, m.Worlds = v.ModuleVersion, v.Size, v.Worlds
	}
	_, err = c.versions.Record(ctx, name, m, why)
	return err
}

func holds(p versions.Plugin, digest string) bool {
	_, ok := p.ByDigest(digest)
	return ok
}

func moduleOf(i plugin.Info) versions.Module {
	m := versions.Module{Digest: i.Digest, ModuleVersion: i.Description.Version, Size: int64(i.Size)}
	for _, w := range i.Description.Worlds {
		m.Worlds = append(m.Worlds, string(w))
	}
	return m
}

func (c *catalog) remove(ctx context.Context, name string) error {
	c.mu.Lock()
	delete(c.applied, name)
	delete(c.granted, name)
	c.mu.Unlock()
	return c.versions.Retire(ctx, name)
}

// settle retires names whose resource is gone: a crash came between its removal and the catalogue's.
func (c *catalog) settle(ctx context.Context) error {
	for _, name := range c.versions.Names() {
		if !c.isApplied(name) {
			if err := c.versions.Retire(ctx, name); err != nil {
				return err
			}
		}
	}
	return nil
}

// isBuiltin tells of names that can be referred to without a Plugin resource: built-in plugins, and digests, whose bytes
// are looked for when the plugin is opened.
func (c *catalog) isBuiltin(name string) bool {
	if _, ok := c.builtin[name]; ok {
		return true
	}
	_, err := schema.ParseDigest(name)
	return err == nil
}

func (c *catalog) isApplied(name string) bool {
	c.mu.RLock()
	defer c.mu.RUnlock()
	_, ok := c.applied[name]
	return ok
}
