package client

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"net/url"
)

// Info describes the server.
func (c *Client) Info(ctx context.Context) (Info, error) {
	return call[Info](ctx, c, http.MethodGet, path("info"), nil, nil, "")
}

// PutBlob stores what r gives, streamed, and returns its digest.
func (c *Client) PutBlob(ctx context.Context, r io.Reader) (Blob, error) {
	return call[Blob](ctx, c, http.MethodPost, path("blobs"), nil, r, "application/octet-stream")
}

// Blob opens stored bytes, with their size; the caller closes the reader.
func (c *Client) Blob(ctx context.Context, digest string) (io.ReadCloser, int64, error) {
	return c.stream(ctx, path("blobs", digest), nil)
}

// HasBlob asks whether the server has these bytes.
func (c *Client) HasBlob(ctx context.Context, digest string) (bool, error) {
	res, err := c.send(ctx, request{method: http.MethodHead, path: path("blobs", digest)})
	if err != nil {
		return false, err
	}
	defer res.Body.Close()
	switch res.StatusCode {
	case http.StatusOK:
		return true, nil
	case http.StatusNotFound:
		return false, nil
	}
	return false, failure(res)
}

// Kinds lists the kinds of resources with their schemas.
func (c *Client) Kinds(ctx context.Context) ([]Kind, error) {
	return list[Kind](ctx, c, path("kinds"), nil)
}

// Apply applies a manifest (YAML, several documents allowed, or JSON), all or nothing; dryRun only checks and diffs. Files of
// this machine do not travel with it: store them by PutBlob and name their digests.
func (c *Client) Apply(ctx context.Context, manifest []byte, dryRun bool) ([]ApplyResult, error) {
	q := url.Values{}
	if dryRun {
		q.Set("dry_run", "true")
	}
	l, err := call[items[ApplyResult]](ctx, c, http.MethodPost, path("apply"), q, bytes.NewReader(manifest), "application/yaml")
	return l.Items, err
}

// List returns the resources of a kind; "" means all kinds.
func (c *Client) List(ctx context.Context, kind string) ([]Object, error) {
	if kind == "" {
		return list[Object](ctx, c, path("resources"), nil)
	}
	return list[Object](ctx, c, path("resources", kind), nil)
}

// Get returns one resource with its status.
func (c *Client) Get(ctx context.Context, kind, name string) (Object, error) {
	return call[Object](ctx, c, http.MethodGet, path("resources", kind, name), nil, nil, "")
}

// Delete removes a resource; the kind of the error is "conflict" while others refer to it.
func (c *Client) Delete(ctx context.Context, kind, name string) error {
	_, err := call[struct{}](ctx, c, http.MethodDelete, path("resources", kind, name), nil, nil, "")
	return err
}

// Models describes all models.
func (c *Client) Models(ctx context.Context) ([]Model, error) {
	return list[Model](ctx, c, path("models"), nil)
}

// Model describes one model.
func (c *Client) Model(ctx context.Context, name string) (Model, error) {
	return call[Model](ctx, c, http.MethodGet, path("models", name), nil, nil, "")
}

// Predict asks a model; features is [rows][columns] in the order of Model.Columns. NaN and the infinities may be sent.
func (c *Client) Predict(ctx context.Context, model string, features [][]float64) (Prediction, error) {
	return c.PredictJSON(ctx, model, bytes.NewReader(appendFeatures(features)), false)
}

// PredictJSON asks a model with a body of your own: {"features":[[…]]}, {"rows":[{…}]} or {"columns":{…}}. all asks for every
// output of the model.
func (c *Client) PredictJSON(ctx context.Context, model string, body io.Reader, all bool) (Prediction, error) {
	q := url.Values{}
	if all {
		q.Set("outputs", "all")
	}
	return call[Prediction](ctx, c, http.MethodPost, "/models/"+url.PathEscape(model)+"/predict", q, body, "application/json")
}

// RunMonitor compares a data set version with the monitor's reference.
func (c *Client) RunMonitor(ctx context.Context, monitor, current string) (Report, error) {
	return call[Report](ctx, c, http.MethodPost, path("monitors", monitor, "run"), nil, map[string]string{"current": current}, "")
}

// Reports lists a monitor's newest reports, newest first; limit 0 takes the server's default.
func (c *Client) Reports(ctx context.Context, monitor string, limit int) ([]Report, error) {
	q := url.Values{}
	number(q, "limit", limit)
	return list[Report](ctx, c, path("monitors", monitor, "reports"), q)
}

// Report reads one report.
func (c *Client) Report(ctx context.Context, monitor, id string) (Report, error) {
	return call[Report](ctx, c, http.MethodGet, path("monitors", monitor, "reports", id), nil, nil, "")
}

// Evaluate asks a gate. The decision's outcome is pass, fail, review, or error when the gate could not judge; all of them
// come without an error.
func (c *Client) Evaluate(ctx context.Context, gate string, e Evaluation) (Decision, error) {
	return call[Decision](ctx, c, http.MethodPost, path("gates", gate, "evaluate"), nil, e, "")
}

// Decisions lists a gate's newest decisions, newest first; limit 0 takes the server's default.
func (c *Client) Decisions(ctx context.Context, gate string, limit int) ([]Decision, error) {
	q := url.Values{}
	number(q, "limit", limit)
	return list[Decision](ctx, c, path("gates", gate, "decisions"), q)
}

// Decision reads one decision.
func (c *Client) Decision(ctx context.Context, gate, id string) (Decision, error) {
	return call[Decision](ctx, c, http.MethodGet, path("gates", gate, "decisions", id), nil, nil, "")
}

// Health reads /health: whether the process answers, and whether a model is loaded.
func (c *Client) Health(ctx context.Context) (Health, error) {
	return call[Health](ctx, c, http.MethodGet, "/health", nil, nil, "")
}

// Ready asks /readyz; reasons says why not.
func (c *Client) Ready(ctx context.Context) (ready bool, reasons []Reason, err error) {
	res, err := c.send(ctx, request{method: http.MethodGet, path: "/readyz"})
	if err != nil {
		return false, nil, err
	}
	defer res.Body.Close()
	var doc struct {
		Ready   bool     `json:"ready"`
		Reasons []Reason `json:"reasons"`
	}
	if err := decodeBody(res.Body, &doc); err != nil {
		return false, nil, errors.Join(failure(res), err)
	}
	return doc.Ready, doc.Reasons, nil
}
