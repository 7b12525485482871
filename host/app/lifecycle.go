package app

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"slices"

	versions "github.com/weir-ml/weir/host/catalog"
	"github.com/weir-ml/weir/host/edge/rest"
	"github.com/weir-ml/weir/host/errs"
	"github.com/weir-ml/weir/host/plugin"
	"github.com/weir-ml/weir/host/resource"
	"github.com/weir-ml/weir/host/schema"
)

// lifecycle is what the API does with plugins: each change is one edit of a resource or of the catalogue, and everything
// that follows from it.
type lifecycle struct {
	*catalog
	resources *resource.Service
}

var (
	_ rest.Plugins        = lifecycle{}
	_ rest.PluginVersions = lifecycle{}
)

// Push implements rest.Plugins. The module is compiled under the limits that it will have, and its bytes are on disk, before
// the resource commits.
func (l lifecycle) Push(ctx context.Context, push rest.PluginPush, wasm []byte) (rest.PluginInfo, error) {
	name, named := push.Name, ExtismSpec{Handler: push.Handler, Gate: push.Gate}
	if name == "" {
		i, err := l.host.Inspect(ctx, wasm, PluginSpec{Extism: named}.engine())
		if err != nil {
			return rest.PluginInfo{}, err
		}
		name = i.Description.Name
	}
	if err := resource.CheckName(name); err != nil {
		return rest.PluginInfo{}, err
	}
	why := &reason{why: versions.Push}
	defer l.forget(name, why)
	results, err := l.resources.Edit(ctx, "Plugin", name, func(o resource.Object, exists bool) ([]byte, error) {
		var spec PluginSpec
		if exists {
			if err := json.Unmarshal(o.Spec, &spec); err != nil {
				return nil, fmt.Errorf("spec of plugin %q: %w", name, err)
			}
		}
		if named != (ExtismSpec{}) {
			spec.Extism = named
		}
		if _, err := l.host.InspectWithin(ctx, wasm, spec.Limits.engine(), spec.engine()); err != nil {
			return nil, err
		}
		// Only now, so that nobody takes the bytes of an old version away between this and the resource.
		digest, _, err := l.blobs.Put(ctx, bytes.NewReader(wasm))
		if err != nil {
			return nil, err
		}
		return l.manifest(name, o, spec, digest, why)
	})
	if err != nil {
		return rest.PluginInfo{}, err
	}
	return l.applied(ctx, name, results)
}

// manifest is the resource as it is, or a new one, with the digest put in: limits that were set by hand stay. The apply that
// follows remembers why.
func (l lifecycle) manifest(name string, o resource.Object, spec PluginSpec, digest string, why *reason) ([]byte, error) {
	why.digest = digest
	l.mu.Lock()
	l.because[name] = why
	l.mu.Unlock()
	spec.Blob = digest
	o.Metadata.Name = name
	return json.Marshal(map[string]any{"apiVersion": resource.APIVersion, "kind": "Plugin", "metadata": o.Metadata, "spec": spec})
}

// forget drops a reason that no apply took, because nothing changed or the change was refused.
func (l lifecycle) forget(name string, why *reason) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.because[name] == why {
		delete(l.because, name)
	}
}

// applied describes a plugin after a change of its resource.
func (l lifecycle) applied(ctx context.Context, name string, results []resource.Result) (rest.PluginInfo, error) {
	info, err := l.Plugin(ctx, name)
	if err == nil && len(results) > 0 {
		info.Action = string(results[0].Action)
	}
	return info, err
}

// Rollback implements rest.PluginVersions.
func (l lifecycle) Rollback(ctx context.Context, name, to string) (rest.PluginInfo, error) {
	why := &reason{why: versions.Rollback}
	defer l.forget(name, why)
	results, err := l.resources.Edit(ctx, "Plugin", name, func(o resource.Object, exists bool) ([]byte, error) {
		if !exists {
			return nil, l.notApplied(name)
		}
		var spec PluginSpec
		if err := json.Unmarshal(o.Spec, &spec); err != nil {
			return nil, fmt.Errorf("spec of plugin %q: %w", name, err)
		}
		p, _ := l.versions.Plugin(name)
		v, err := p.At(to)
		if to == "" {
			v, err = p.Previous()
		}
		if err != nil {
			return nil, err
		}
		return l.manifest(name, o, spec, v.Digest, why)
	})
	if err != nil {
		return rest.PluginInfo{}, err
	}
	return l.applied(ctx, name, results)
}

// notApplied is the error for a name that has no resource, whose versions could be changed.
func (l lifecycle) notApplied(name string) error {
	if _, ok := l.builtin[name]; ok {
		return errs.New(errs.Invalid, "plugin %q is built in: it has no versions, and it comes and goes with weir", name)
	}
	_, err := l.resolve(name)
	if err == nil {
		err = errs.New(errs.NotFound, "plugin %q is not applied", name)
	}
	return err
}

// SetAlias implements rest.PluginVersions.
func (l lifecycle) SetAlias(ctx context.Context, name, alias, to string) (rest.PluginInfo, error) {
	return l.alias(ctx, name, alias, func(ctx context.Context) (bool, error) {
		if !l.isApplied(name) {
			return false, l.notApplied(name)
		}
		_, moved, err := l.versions.SetAlias(ctx, name, alias, to)
		return moved, err
	})
}

// DeleteAlias implements rest.PluginVersions.
func (l lifecycle) DeleteAlias(ctx context.Context, name, alias string) (rest.PluginInfo, error) {
	return l.alias(ctx, name, alias, func(ctx context.Context) (bool, error) {
		if !l.isApplied(name) {
			return false, l.notApplied(name)
		}
		at := resource.Ref{Kind: "Plugin", Name: name, At: alias}
		if users := l.resources.Users(func(r resource.Ref) bool { return r == at }); len(users) > 0 {
			return false, errs.New(errs.Conflict, "alias %s is used by %s: change these first", at, resource.Names(users))
		}
		return true, l.versions.DeleteAlias(ctx, name, alias)
	})
}

func (l lifecycle) alias(ctx context.Context, name, alias string, change func(context.Context) (bool, error)) (rest.PluginInfo, error) {
	action := resource.Unchanged
	_, err := l.resources.Touch(ctx, func(ctx context.Context) ([]resource.Ref, error) {
		moved, err := change(ctx)
		if err != nil || !moved {
			return nil, err
		}
		action = resource.Updated
		return []resource.Ref{{Kind: "Plugin", Name: name, At: alias}}, nil
	})
	if err != nil {
		return rest.PluginInfo{}, err
	}
	info, err := l.Plugin(ctx, name)
	info.Action = string(action)
	return info, err
}

// Remove implements rest.Plugins.
func (l lifecycle) Remove(ctx context.Context, text string) (rest.RemovedPlugin, error) {
	ref, err := versions.ParseRef(text)
	if err != nil {
		return rest.RemovedPlugin{}, err
	}
	if ref.Digest != "" {
		return rest.RemovedPlugin{}, errs.New(errs.Invalid, "plugin %s: name what is to go, as name or name@version; its bytes go with the last version that holds them (now: %v)", text, l.versions.Holders(text))
	}
	if !l.isApplied(ref.Name) {
		return rest.RemovedPlugin{}, l.notApplied(ref.Name)
	}
	if ref.At == "" {
		return l.removeName(ctx, ref.Name)
	}
	return l.removeVersion(ctx, ref)
}

func (l lifecycle) removeName(ctx context.Context, name string) (out rest.RemovedPlugin, err error) {
	p, _ := l.versions.Plugin(name)
	live := p.Live()
	if err := l.resources.Delete(ctx, "Plugin", name); err != nil {
		return out, err
	}
	out.Name = name
	var digests []string
	for _, v := range live {
		out.Versions = append(out.Versions, v.Version)
		digests = append(digests, v.Digest)
	}
	_, err = l.resources.Touch(ctx, func(ctx context.Context) ([]resource.Ref, error) {
		out.Digests, err = l.dropBytes(ctx, digests)
		return nil, err
	})
	return out, err
}

func (l lifecycle) removeVersion(ctx context.Context, ref versions.Ref) (out rest.RemovedPlugin, err error) {
	_, err = l.resources.Touch(ctx, func(ctx context.Context) ([]resource.Ref, error) {
		v, err := l.versions.Resolve(ref.Name, ref.At)
		if err != nil {
			return nil, err
		}
		if ref.Version() == 0 {
			return nil, errs.New(errs.Invalid, "plugin %s is version %d: say %s@%d to remove that, or `weir plugin alias --delete` to remove an alias", ref, v.Version, ref.Name, v.Version)
		}
		newest, err := l.versions.Resolve(ref.Name, versions.Latest)
		if err != nil {
			return nil, err
		}
		users := l.resources.Users(func(r resource.Ref) bool {
			return r.Kind == "Plugin" && r.Name == ref.Name && (r.At == ref.At || r.At == versions.Latest && newest.Version == v.Version)
		})
		if len(users) > 0 {
			return nil, errs.New(errs.Conflict, "plugin %s is used by %s: change these first", ref, resource.Names(users))
		}
		if err := l.versions.RemoveVersion(ctx, ref.Name, v.Version); err != nil {
			return nil, err
		}
		out.Name, out.Versions = ref.Name, []int{v.Version}
		out.Digests, err = l.dropBytes(ctx, []string{v.Digest})
		return nil, err
	})
	return out, err
}

// dropBytes deletes modules that no version holds and no resource names by digest, and returns those. Nothing is applied
// meanwhile.
func (l lifecycle) dropBytes(ctx context.Context, digests []string) (dropped []string, err error) {
	slices.Sort(digests)
	for _, d := range slices.Compact(digests) {
		if len(l.versions.Holders(d)) > 0 || len(l.resources.Users(func(r resource.Ref) bool { return r.Kind == "Plugin" && r.Name == d })) > 0 {
			continue
		}
		if err := l.blobs.Delete(ctx, d); err != nil && !errs.Is(err, errs.NotFound) {
			return dropped, fmt.Errorf("module %s: %w", d, err)
		}
		dropped = append(dropped, d)
	}
	return dropped, nil
}

// Plugins implements rest.Plugins. It reads no module.
func (l lifecycle) Plugins() []rest.PluginSummary {
	var out []rest.PluginSummary
	for _, name := range l.names() {
		r, err := l.resolve(name)
		if err != nil {
			continue // removed between the two calls
		}
		s := rest.PluginSummary{Name: name, BuiltIn: r.builtin != nil, Digest: r.digest, Version: r.version, UsedBy: len(l.users(name, ""))}
		if b := r.builtin; b != nil {
			m := moduleOf(plugin.Info{Size: len(b.Wasm), Description: b.Description})
			s.ModuleVersion, s.Worlds, s.Size = m.ModuleVersion, m.Worlds, m.Size
		}
		p, _ := l.versions.Plugin(name)
		if v, ok := p.ByDigest(r.digest); ok && r.builtin == nil {
			s.ModuleVersion, s.Worlds, s.Size = v.ModuleVersion, v.Worlds, v.Size
			s.Versions, s.Aliases = len(p.Live()), p.Aliases
		}
		out = append(out, s)
	}
	return out
}

// Plugin implements rest.Plugins.
func (l lifecycle) Plugin(ctx context.Context, text string) (rest.PluginInfo, error) {
	r, err := l.resolve(text)
	if err != nil {
		return rest.PluginInfo{}, err
	}
	i, err := l.inspect(ctx, text)
	if err != nil {
		return rest.PluginInfo{}, err
	}
	info := rest.PluginInfo{
		Name: r.name, BuiltIn: r.builtin != nil, Digest: i.Digest, Size: i.Size, Description: i.Description, Exports: i.Exports,
		Version: r.version, UsedBy: l.users(r.name, r.digest), Limits: limitsOf(l.host.Effective(r.spec.Limits.engine())),
	}
	info.Grants, info.Refused = l.grantsOf(r.name, i.Description.Grants)
	if r.builtin == nil {
		p, _ := l.versions.Plugin(r.name)
		info.Current, info.Aliases, info.Versions, info.Moves = p.Current, p.Aliases, p.Live(), p.Moves
	}
	// A plugin whose parameters may all be left out has columns that can be shown; the others' depend on their parameters.
	if opened, err := l.open(ctx, text, nil, plugin.Limits{}); err == nil {
		if s, err := opened.Schema(ctx); err == nil {
			info.Schema = &s
		}
		_ = opened.Close() // never fails
	}
	pools, s := l.host.Usage(r.digest)
	info.Pools = rest.PluginPools{
		Pools: pools, Live: s.Live, Idle: s.Idle, Waiting: s.Waiting, Calls: s.Calls, Fuel: s.Fuel, Traps: s.Traps, ColdStarts: s.ColdStarts, LastColdStart: s.LastColdStart,
	}
	return info, nil
}

// users lists what refers to the name (any version or alias of it) or to the digest; "" matches nothing.
func (l lifecycle) users(name, digest string) []resource.Use {
	return l.resources.Users(func(r resource.Ref) bool {
		return r.Kind == "Plugin" && r.Name != "" && (r.Name == name || r.Name == digest)
	})
}

// limitsOf is the form that manifests have.
func limitsOf(l plugin.Limits) PluginLimits {
	return PluginLimits{
		MemoryBytes: l.MemoryBytes, Timeout: schema.Duration(l.Timeout), MaxInstances: l.MaxInstances, IdleAfter: schema.Duration(l.IdleAfter),
		FuelPerCall: l.Fuel, FuelPerSecond: l.FuelPerSecond, MaxOutputBytes: l.MaxOutputBytes, LogPerSecond: l.LogPerSecond,
		HostCallTimeout: schema.Duration(l.HostCallTimeout),
	}
}
