package rest

import (
	"errors"

	"github.com/weir-ml/weir/host/edge/httpd"
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
