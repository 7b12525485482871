package rest

import "github.com/weir-ml/weir/host/edge/httpd"

// PluginTarget says which version is meant, in the bodies of changes.
type PluginTarget struct {
	To string `json:"to,omitempty" jsonschema:"description=A version (3) or an alias; a roll back without it goes to the version before the current one"`
}

func (a *api) pushPlugin(c *httpd.Call) error {
	wasm, err := c.Body()
	if err != nil {
		return err
	}
	p, err := a.d.Plugins.Push(c.Context(), PluginPush{Name: c.Query("name"), Handler: c.Query("handler"), Gate: c.Query("gate")}, wasm)
	return answer(c, 200, p, err)
}

func (a *api) listPlugins(c *httpd.Call) error {
	v, err := list(a.d.Plugins.Plugins(), nil)
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

func (a *api) deletePlugin(c *httpd.Call) error {
	ref, err := c.Param("ref")
	if err != nil {
		return err
	}
	r, err := a.d.Plugins.Remove(c.Context(), ref)
	return answer(c, 200, r, err)
}

func (a *api) rollbackPlugin(c *httpd.Call) error {
	name, err := c.Param("name")
	if err != nil {
		return err
	}
	t, err := decode[PluginTarget](c)
	if err != nil {
		return err
	}
	p, err := a.d.PluginVersions.Rollback(c.Context(), name, t.To)
	return answer(c, 200, p, err)
}

func (a *api) setPluginAlias(c *httpd.Call) error {
	name, alias, err := two(c, "name", "alias")
	if err != nil {
		return err
	}
	t, err := decode[PluginTarget](c)
	if err != nil {
		return err
	}
	p, err := a.d.PluginVersions.SetAlias(c.Context(), name, alias, t.To)
	return answer(c, 200, p, err)
}

func (a *api) deletePluginAlias(c *httpd.Call) error {
	name, alias, err := two(c, "name", "alias")
	if err != nil {
		return err
	}
	p, err := a.d.PluginVersions.DeleteAlias(c.Context(), name, alias)
	return answer(c, 200, p, err)
}
