package client

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// decodeBody reads one JSON document.
func decodeBody(r io.Reader, v any) error { return json.NewDecoder(r).Decode(v) }

// appendFeatures writes {"features":[[…]]}: floats with the fewest digits that read back to the same bits.
func appendFeatures(features [][]float64) []byte {
	out := []byte(`{"features":[`)
	for r, row := range features {
		if r > 0 {
			out = append(out, ',')
		}
		out = append(out, '[')
		for i, v := range row {
			if i > 0 {
				out = append(out, ',')
			}
			switch {
			case math.IsNaN(v):
				out = append(out, `"NaN"`...)
			case math.IsInf(v, 0):
				out = append(out, map[bool]string{true: `"Infinity"`, false: `"-Infinity"`}[v > 0]...)
			default:
				out = strconv.AppendFloat(out, v, 'g', -1, 64)
			}
		}
		out = append(out, ']')
	}
	return append(out, "]}"...)
}

// Functions describes all functions.
func (c *Client) Functions(ctx context.Context) ([]Function, error) {
	return list[Function](ctx, c, path("functions"), nil)
}

// Function describes one function.
func (c *Client) Function(ctx context.Context, name string) (Function, error) {
	return call[Function](ctx, c, http.MethodGet, path("functions", name), nil, nil, "")
}

// Invoke sends a request to a function and returns whatever it answers, failures of its own included (they are no error
// here: look at the status). rest is the path below the function, "" or "/…"; the caller closes the answer's body.
func (c *Client) Invoke(ctx context.Context, function, method, rest string, header http.Header, body io.Reader) (*http.Response, error) {
	u := url.URL{Path: rest}
	return c.send(ctx, request{method: method, path: "/fn/" + url.PathEscape(function) + u.EscapedPath(), header: header, body: body})
}

// DeadLetters lists events that a function gave up on, oldest first, from a sequence on (0: the oldest); limit 0 takes the
// server's default.
func (c *Client) DeadLetters(ctx context.Context, function string, from uint64, limit int) ([]DeadLetter, error) {
	q := url.Values{}
	number(q, "from", from)
	number(q, "limit", limit)
	return list[DeadLetter](ctx, c, path("functions", function, "dead-letters"), q)
}

// Replay sends a dead letter through its function again and returns the new message's sequence.
func (c *Client) Replay(ctx context.Context, function string, sequence uint64) (uint64, error) {
	r, err := call[struct {
		Sequence uint64 `json:"sequence"`
	}](ctx, c, http.MethodPost, path("functions", function, "dead-letters", strconv.FormatUint(sequence, 10), "replay"), nil, nil, "")
	return r.Sequence, err
}

// ImportDataset streams a file ("csv" or "parquet") and makes it the data set's next version. source says where it comes from.
func (c *Client) ImportDataset(ctx context.Context, name, format, source string, r io.Reader) (Dataset, error) {
	q := url.Values{"format": {format}}
	if source != "" {
		q.Set("source", source)
	}
	return call[Dataset](ctx, c, http.MethodPost, path("datasets", name), q, r, "application/octet-stream")
}

// ImportServerFile makes a file of the server's machine, named below its data root, the data set's next version.
func (c *Client) ImportServerFile(ctx context.Context, name, format, file string) (Dataset, error) {
	q := url.Values{"format": {format}, "path": {file}}
	return call[Dataset](ctx, c, http.MethodPost, path("datasets", name), q, nil, "")
}

// BuildDataset makes the next version of a data set from others by SQL.
func (c *Client) BuildDataset(ctx context.Context, name string, b Build) (Dataset, error) {
	return call[Dataset](ctx, c, http.MethodPost, path("datasets", name, "build"), nil, b, "")
}

// Datasets lists the latest version of each data set.
func (c *Client) Datasets(ctx context.Context) ([]Dataset, error) {
	return list[Dataset](ctx, c, path("datasets"), nil)
}

// DatasetVersions lists all versions of a data set, oldest first.
func (c *Client) DatasetVersions(ctx context.Context, name string) ([]Dataset, error) {
	return list[Dataset](ctx, c, path("datasets", name, "versions"), nil)
}

// Dataset describes one version: name, name@3 or name@latest.
func (c *Client) Dataset(ctx context.Context, ref string) (Dataset, error) {
	return call[Dataset](ctx, c, http.MethodGet, path("datasets", ref), nil, nil, "")
}

// DeleteDataset forgets one version (name@3) or a whole data set (name).
func (c *Client) DeleteDataset(ctx context.Context, ref string) error {
	_, err := call[struct{}](ctx, c, http.MethodDelete, path("datasets", ref), nil, nil, "")
	return err
}

// DatasetData opens a version's data: "parquet" is the whole file, "json" and "csv" are at most limit rows (0: the server's
// default). The caller closes the reader.
func (c *Client) DatasetData(ctx context.Context, ref, format string, limit int) (io.ReadCloser, error) {
	q := url.Values{"format": {format}}
	number(q, "limit", limit)
	r, _, err := c.stream(ctx, path("datasets", ref, "data"), q)
	return r, err
}

// Publish stores one event and returns its sequence when it is durable. With an id it is stored once, however often it is sent.
func (c *Client) Publish(ctx context.Context, subject string, data []byte, id string, header map[string]string) (Published, error) {
	h := http.Header{}
	for k, v := range header {
		h.Set("Weir-Header-"+k, v)
	}
	if id != "" {
		h.Set("Weir-Message-Id", id)
	}
	res, err := c.do(ctx, request{method: http.MethodPost, path: path("events", subject), header: h, body: bytes.NewReader(data), contentType: "application/json"})
	if err != nil {
		return Published{}, err
	}
	defer res.Body.Close()
	var p Published
	if err := decodeBody(res.Body, &p); err != nil {
		return p, &Error{Kind: "internal", Message: fmt.Sprintf("publish: the answer does not read: %v", err), Status: res.StatusCode, cause: err}
	}
	return p, nil
}

// PublishLines stores an event for each line (JSON) of r, and returns when all are durable.
func (c *Client) PublishLines(ctx context.Context, subject string, r io.Reader) (Published, error) {
	return call[Published](ctx, c, http.MethodPost, path("events", subject), url.Values{"batch": {"ndjson"}}, r, "application/x-ndjson")
}

// Events reads stored events of a subject (wildcards allowed) after a sequence, in order, and waits up to wait for a first one.
func (c *Client) Events(ctx context.Context, subject string, after uint64, limit int, wait time.Duration) ([]Event, error) {
	q := url.Values{}
	number(q, "after", after)
	number(q, "limit", limit)
	if wait > 0 {
		q.Set("wait", wait.String())
	}
	p, err := call[struct {
		Events []Event `json:"events"`
	}](ctx, c, http.MethodGet, path("events", subject), q, nil, "")
	return p.Events, err
}

// Streams lists streams with their present state.
func (c *Client) Streams(ctx context.Context) ([]Stream, error) {
	return list[Stream](ctx, c, path("streams"), nil)
}

// FormatOf is the format that a file name says: "csv", "parquet" or "".
func FormatOf(file string) string {
	switch lower := strings.ToLower(file); {
	case strings.HasSuffix(lower, ".csv"):
		return "csv"
	case strings.HasSuffix(lower, ".parquet"):
		return "parquet"
	}
	return ""
}
