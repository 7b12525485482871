package client

import (
	"context"
	"encoding/json"
	"net/http"
	"time"
)

// Parameters is a fitted parameter document. In a manifest, "parameters": "name@3" stands for what it holds.
type Parameters struct {
	Name         string          `json:"name"`
	Version      int             `json:"version"`
	Plugin       string          `json:"plugin"`
	PluginDigest string          `json:"plugin_digest"`
	Parameters   json.RawMessage `json:"parameters"`
	Digest       string          `json:"digest"` // of Parameters
	Lineage      FitLineage      `json:"lineage"`
	Created      time.Time       `json:"created"`
}

// FitLineage is what a parameter document was learned from.
type FitLineage struct {
	Dataset       string          `json:"dataset"` // name@version
	DatasetDigest string          `json:"dataset_digest"`
	Rows          int64           `json:"rows"`
	Columns       []string        `json:"columns"`
	Options       json.RawMessage `json:"options,omitempty"`
	Recipe        string          `json:"recipe"`
	Queries       []string        `json:"queries"`
}

// FitRequest asks for a fit: Columns empty means every column that the recipe can take.
type FitRequest struct {
	Plugin  string          `json:"plugin"`
	Dataset string          `json:"dataset"`
	Columns []string        `json:"columns,omitempty"`
	Options json.RawMessage `json:"options,omitempty"`
}

// Fit learns a plugin's parameters from a data set and stores them as the next version of the document name.
func (c *Client) Fit(ctx context.Context, name string, r FitRequest) (Parameters, error) {
	return call[Parameters](ctx, c, http.MethodPost, path("parameters", name), nil, r, "")
}

// ParameterDocuments lists the latest version of every parameter document.
func (c *Client) ParameterDocuments(ctx context.Context) ([]Parameters, error) {
	return list[Parameters](ctx, c, path("parameters"), nil)
}

// ParameterVersions lists the versions of one document, oldest first.
func (c *Client) ParameterVersions(ctx context.Context, name string) ([]Parameters, error) {
	return list[Parameters](ctx, c, path("parameters", name, "versions"), nil)
}

// ParameterDocument reads one version: name, name@3 or name@latest.
func (c *Client) ParameterDocument(ctx context.Context, ref string) (Parameters, error) {
	return call[Parameters](ctx, c, http.MethodGet, path("parameters", ref), nil, nil, "")
}

// DeleteParameters forgets one version (name@3) or a whole document (name); the kind of the error is "conflict" while something uses it.
func (c *Client) DeleteParameters(ctx context.Context, ref string) error {
	_, err := call[struct{}](ctx, c, http.MethodDelete, path("parameters", ref), nil, nil, "")
	return err
}
