package app

import (
	"github.com/weir-ml/weir/functions"
	"github.com/weir-ml/weir/host/gates"
	"github.com/weir-ml/weir/host/monitor"
	"github.com/weir-ml/weir/host/resource"
	"github.com/weir-ml/weir/host/serving"
)

// kinds is the list of resource kinds, each with the room that makes it real, in the order of enacting.
func (a *App) kinds() []resource.Kind {
	return []resource.Kind{
		resource.Define("Plugin", 10, resource.Controller[PluginSpec]{
			Check: a.catalog.check, Apply: a.catalog.apply, Remove: a.catalog.remove, Exists: a.catalog.isBuiltin,
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
			Check: a.monitor.Check, Apply: a.monitor.Apply, Remove: a.monitor.Remove,
			Refs: func(s monitor.Spec) []resource.Ref { return []resource.Ref{pluginRef(s.Metric.Plugin)} },
		}),
		resource.Define("Gate", 50, resource.Controller[gates.Spec]{
			Check: a.gates.Check, Apply: a.gates.Apply, Remove: a.gates.Remove,
			Refs: func(s gates.Spec) []resource.Ref { return []resource.Ref{pluginRef(s.Plugin.Plugin)} },
		}),
	}
}

func pluginRef(name string) resource.Ref { return resource.Ref{Kind: "Plugin", Name: name} }

func orNil[T any](v T, err error) any {
	if err != nil {
		return nil
	}
	return v
}
