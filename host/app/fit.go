package app

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"

	"github.com/weir-ml/weir/host/datasets"
	"github.com/weir-ml/weir/host/errs"
	"github.com/weir-ml/weir/host/fit"
	"github.com/weir-ml/weir/host/plugin"
	"github.com/weir-ml/weir/host/resource"
	"github.com/weir-ml/weir/sdk/abi"
)

type fitPlugins struct{ *catalog }

var _ fit.Plugins = fitPlugins{}

func (c fitPlugins) Identify(ctx context.Context, ref string) (module, digest string, err error) {
	i, err := c.inspect(ctx, ref)
	return i.Description.Name, i.Digest, err
}

func (c fitPlugins) Accept(ctx context.Context, digest string, params json.RawMessage) error {
	p, err := c.open(ctx, digest, params, plugin.Limits{})
	if err != nil {
		return err
	}
	return p.Close()
}

type fitData struct{ *datasets.Service }

var _ fit.Data = fitData{}

func (d fitData) Get(ctx context.Context, ref string) (fit.Table, error) {
	v, err := d.Service.Get(ctx, ref)
	if err != nil {
		return fit.Table{}, err
	}
	return fit.Table{Ref: v.Ref(), Digest: v.Digest, Rows: v.Rows, Columns: v.Columns}, nil
}

func (d fitData) Select(ctx context.Context, ref, sql string, fn func(*abi.Batch) error) error {
	return d.Service.Select(ctx, ref, sql, fn)
}

// parameters answers the parameters themselves where a specification names a stored document: a JSON string instead of an
// object.
func (c *catalog) parameters(ctx context.Context, params json.RawMessage) (json.RawMessage, error) {
	if len(params) == 0 || params[0] != '"' {
		return params, nil
	}
	var ref string
	if err := json.Unmarshal(params, &ref); err != nil {
		return nil, errs.New(errs.Invalid, "parameters: %w", err)
	}
	if c.documents == nil {
		return nil, errs.New(errs.Unavailable, "parameter documents cannot be read yet")
	}
	d, err := c.documents.Get(ctx, ref)
	if err != nil {
		return nil, fmt.Errorf("parameters: %w", err)
	}
	return d.Parameters, nil
}

// parameterUsers names the applied resources whose specifications name a parameter document: its number, or the latest one.
func parameterUsers(resources func() *resource.Service) func(context.Context, string, int, bool) ([]string, error) {
	return func(ctx context.Context, name string, version int, latest bool) ([]string, error) {
		refs := []string{fmt.Sprintf("%s@%d", name, version)}
		if latest {
			refs = append(refs, name, name+"@latest")
		}
		all, err := resources().List(ctx, "")
		if err != nil {
			return nil, err
		}
		var users []string
		for _, o := range all {
			var spec any
			if err := json.Unmarshal(o.Spec, &spec); err != nil {
				return nil, fmt.Errorf("%s %s: %w", o.Kind, o.Metadata.Name, err)
			}
			if namesParameters(spec, refs) {
				users = append(users, o.Kind+" "+o.Metadata.Name)
			}
		}
		return users, nil
	}
}

func namesParameters(v any, refs []string) bool {
	switch v := v.(type) {
	case map[string]any:
		for k, x := range v {
			if s, ok := x.(string); ok && k == "parameters" && slices.Contains(refs, s) || namesParameters(x, refs) {
				return true
			}
		}
	case []any:
		return slices.ContainsFunc(v, func(x any) bool { return namesParameters(x, refs) })
	}
	return false
}
