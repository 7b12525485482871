package app

import (
	"context"
	"reflect"

	"github.com/weir-ml/weir/functions"
	versions "github.com/weir-ml/weir/host/catalog"
	"github.com/weir-ml/weir/host/gates"
	"github.com/weir-ml/weir/host/monitor"
	"github.com/weir-ml/weir/host/resource"
	"github.com/weir-ml/weir/host/serving"
)

// kinds is the list of resource kinds, each with the room that makes it real, in the order of enacting.
func (a *App) kinds() []resource.Kind {
	return []resource.Kind{
		resource.Define("Plugin", 10, resource.Controller[PluginSpec]{
			Check: a.catalog.check, Apply: a.catalog.apply, Remove: a.catalog.remove, Exists: a.catalog.isBuiltin, Follows: followsPlugin,
		}),
		resource.Define("Model", 20, resource.Controller[serving.ModelSpec]{
			Check: a.serving.Check, Apply: a.serving.Apply, Remove: a.serving.Remove,
			Status: func(name string) any { return orNil(a.serving.Status(name)) },
			Refs: func(s serving.ModelSpec) []resource.Ref {
				var refs []resource.Ref
				for _, step := range []*serving.Step{s.Preprocess, s.Postprocess} {
					if step != nil && step.Plugin != "" {
						refs = append(refs, pluginRef(step.Plugin))
					}
				}
				return refs
			},
			Exists: func(name string) bool { _, err := a.serving.Status(name); return err == nil }, // from a model folder
		}),
		resource.Define("Function", 30, resource.Controller[functions.Spec]{
			Check: a.functions.Check, Apply: a.functions.Apply, Remove: a.functions.Remove,
			Refs: func(s functions.Spec) []resource.Ref {
				var refs []resource.Ref
				for _, r := range []*functions.PluginRef{s.Handler, s.Transform} {
					if r != nil {
						refs = append(refs, pluginRef(r.Plugin))
					}
				}
				if s.Model != "" {
					refs = append(refs, resource.Ref{Kind: "Model", Name: s.Model})
				}
				return refs
			},
		}),
		resource.Define("Monitor", 40, resource.Controller[monitor.Spec]{
			Check: a.monitor.Check, Apply: tried(a, a.monitor.Apply, a.monitor.Check), Remove: a.monitor.Remove,
			Refs: func(s monitor.Spec) []resource.Ref { return []resource.Ref{pluginRef(s.Metric.Plugin)} },
		}),
		resource.Define("Gate", 50, resource.Controller[gates.Spec]{
			Check: a.gates.Check, Apply: tried(a, a.gates.Apply, a.gates.Check), Remove: a.gates.Remove,
			Refs: func(s gates.Spec) []resource.Ref { return []resource.Ref{pluginRef(s.Plugin.Plugin)} },
		}),
	}
}

// tried makes an Apply that, once everything of the last run is enacted, checks as well. Monitors and gates open their plugin
// at each use, so that only this shows at once what a new version of it would refuse.
func tried[S any](a *App, apply, check func(context.Context, string, S) error) func(context.Context, string, S) error {
	return func(ctx context.Context, name string, spec S) error {
		if err := apply(ctx, name, spec); err != nil || !a.enacted {
			return err
		}
		return check(ctx, name, spec)
	}
}

func pluginRef(text string) resource.Ref {
	r := resource.Ref{Kind: "Plugin", Name: text} // what does not parse, and a digest, is a name that is looked for
	if ref, err := versions.ParseRef(text); err == nil && ref.Digest == "" {
		r.Name, r.At = ref.Name, ref.At
	}
	return r
}

// followsPlugin: another module concerns those who name no version or alias of their own; other limits concern everybody.
func followsPlugin(before, after PluginSpec, at string) bool {
	moved := before.Blob != after.Blob
	before.Blob, before.Description, after.Blob, after.Description = "", "", "", ""
	return !reflect.DeepEqual(before, after) || moved && versions.Ref{At: at}.Follows()
}

func orNil[T any](v T, err error) any {
	if err != nil {
		return nil
	}
	return v
}
