package rest

import (
	"github.com/weir-ml/weir/host/edge/httpd"
	"github.com/weir-ml/weir/host/errs"
	"github.com/weir-ml/weir/host/fit"
)

func (a *api) fitParameters(c *httpd.Call) error {
	name, err := c.Param("name")
	if err != nil {
		return err
	}
	r, err := decode[fit.Request](c)
	if err != nil {
		return err
	}
	switch {
	case r.Plugin == "":
		return errs.New(errs.Invalid, "body: plugin is missing: name the plugin whose parameters are to be learned")
	case r.Dataset == "":
		return errs.New(errs.Invalid, "body: dataset is missing: name the data set version to learn from")
	}
	d, err := a.d.Fits.Fit(c.Context(), name, r)
	return answer(c, 200, d, err)
}

func (a *api) listParameters(c *httpd.Call) error {
	v, err := list(a.d.Fits.List(c.Context()))
	return answer(c, 200, v, err)
}

func (a *api) getParameters(c *httpd.Call) error {
	ref, err := c.Param("ref")
	if err != nil {
		return err
	}
	d, err := a.d.Fits.Get(c.Context(), ref)
	return answer(c, 200, d, err)
}

func (a *api) parameterVersions(c *httpd.Call) error {
	name, err := c.Param("name")
	if err != nil {
		return err
	}
	v, err := list(a.d.Fits.Versions(c.Context(), name))
	return answer(c, 200, v, err)
}

func (a *api) deleteParameters(c *httpd.Call) error {
	ref, err := c.Param("ref")
	if err != nil {
		return err
	}
	if err := a.d.Fits.Delete(c.Context(), ref); err != nil {
		return err
	}
	return c.NoContent()
}
