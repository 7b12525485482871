package rest

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/weir-ml/weir/host/edge/httpd"
	"github.com/weir-ml/weir/host/errs"
	"github.com/weir-ml/weir/host/resource"
	"github.com/weir-ml/weir/host/schema"
)

// Blob names stored bytes.
type Blob struct {
	Digest string `json:"digest"`
	Size   int64  `json:"size"`
}

func (a *api) putBlob(c *httpd.Call) error {
	digest, size, err := a.d.Blobs.Put(c.Context(), c.BodyReader())
	return answer(c, 201, Blob{digest, size}, err)
}

func (a *api) getBlob(c *httpd.Call) error {
	digest, err := c.Param("digest")
	if err != nil {
		return err
	}
	if _, err := schema.ParseDigest(digest); err != nil {
		return err
	}
	r, size, err := a.d.Blobs.Open(c.Context(), digest)
	if err != nil {
		return err
	}
	return c.Stream(200, anyBytes, r, size)
}

func (a *api) kinds(c *httpd.Call) error {
	v, err := list(a.d.Resources.Kinds(), nil)
	return answer(c, 200, v, err)
}

func (a *api) apply(c *httpd.Call) error {
	dry, err := flag(c, "dry_run")
	if err != nil {
		return err
	}
	manifest, err := c.Body()
	if err != nil {
		return err
	}
	v, err := list(a.d.Resources.Apply(c.Context(), manifest, resource.ApplyOptions{DryRun: dry}))
	return answer(c, 200, v, err)
}

func (a *api) listResources(c *httpd.Call) error {
	kind, err := c.Param("kind")
	if err != nil {
		return err
	}
	v, err := list(a.d.Resources.List(c.Context(), kind))
	return answer(c, 200, v, err)
}

func (a *api) getResource(c *httpd.Call) error {
	kind, name, err := two(c, "kind", "name")
	if err != nil {
		return err
	}
	o, err := a.d.Resources.Get(c.Context(), kind, name)
	return answer(c, 200, o, err)
}

func (a *api) deleteResource(c *httpd.Call) error {
	kind, name, err := two(c, "kind", "name")
	if err != nil {
		return err
	}
	if err := a.d.Resources.Delete(c.Context(), kind, name); err != nil {
		return err
	}
	return c.NoContent()
}

func (a *api) pushPlugin(c *httpd.Call) error {
	wasm, err := c.Body()
	if err != nil {
		return err
	}
	info, err := a.d.Plugins.Inspect(c.Context(), wasm)
	if err != nil {
		return err
	}
	if info.Name = c.Query("name"); info.Name == "" {
		info.Name = info.Description.Name
	}
	if err := resource.CheckName(info.Name); err != nil {
		return err
	}
	digest, _, err := a.d.Blobs.Put(c.Context(), bytesReader(wasm))
	if err != nil {
		return err
	}
	manifest, err := a.pluginManifest(c.Context(), info.Name, digest)
	if err != nil {
		return err
	}
	_, err = a.d.Resources.Apply(c.Context(), manifest, resource.ApplyOptions{})
	return answer(c, 200, info, err)
}

// pluginManifest is the Plugin resource as it is, or a new one, with the digest put in: limits that were set by hand stay.
func (a *api) pluginManifest(ctx context.Context, name, digest string) ([]byte, error) {
	o := resource.Object{APIVersion: resource.APIVersion, Kind: "Plugin", Metadata: resource.Metadata{Name: name}}
	spec := map[string]json.RawMessage{}
	switch old, err := a.d.Resources.Get(ctx, "Plugin", name); {
	case err == nil:
		o.Metadata.Labels = old.Metadata.Labels
		if err := json.Unmarshal(old.Spec, &spec); err != nil {
			return nil, fmt.Errorf("spec of plugin %q: %w", name, err)
		}
	case !errs.Is(err, errs.NotFound):
		return nil, err
	}
	spec["blob"] = json.RawMessage(`"` + digest + `"`)
	return json.Marshal(map[string]any{"apiVersion": o.APIVersion, "kind": o.Kind, "metadata": o.Metadata, "spec": spec})
}

func (a *api) listPlugins(c *httpd.Call) error {
	var all []PluginInfo
	for _, n := range a.d.Plugins.Names() {
		p, err := a.d.Plugins.Plugin(c.Context(), n)
		if errs.Is(err, errs.NotFound) {
			continue // deleted between the two calls
		}
		if err != nil {
			return err
		}
		all = append(all, p)
	}
	v, err := list(all, nil)
	return answer(c, 200, v, err)
}

func (a *api) getPlugin(c *httpd.Call) error {
	ref, err := c.Param("ref")
	if err != nil {
		return err
	}
	p, err := a.d.Plugins.Plugin(c.Context(), ref)
	return answer(c, 200, p, err)
}

func (a *api) listModels(c *httpd.Call) error {
	v, err := list(a.d.Models.Models(), nil)
	return answer(c, 200, v, err)
}

func (a *api) getModel(c *httpd.Call) error {
	name, err := c.Param("name")
	if err != nil {
		return err
	}
	m, err := a.d.Models.Status(name)
	return answer(c, 200, m, err)
}

var errStop = errors.New("enough rows")
