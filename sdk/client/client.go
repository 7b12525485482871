// Package client is the Go client of weir's HTTP API: resources, plugins, functions, data sets, events, models, predictions,
// monitors and gates. It uses the standard library alone.
//
// It is not for the protocols of other products that weir also speaks: use their own clients. Read this file for how a
// Client is made and what its errors are, then the file of a noun; types.go has the answers.
package client

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
)

// Client talks to one server. It is safe for concurrent use.
type Client struct {
	base string
	http *http.Client
}

// New makes a client of a server's address: "http://127.0.0.1:8080", or "127.0.0.1:8080". hc nil means http.DefaultClient;
// deadlines come from each call's context.
func New(server string, hc *http.Client) (*Client, error) {
	if hc == nil {
		hc = http.DefaultClient
	}
	if !strings.Contains(server, "://") {
		server = "http://" + server
	}
	u, err := url.Parse(server)
	if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
		return nil, &Error{Kind: "invalid", Message: fmt.Sprintf("server %q: want an address such as http://127.0.0.1:8080", server)}
	}
	return &Client{base: strings.TrimRight(server, "/"), http: hc}, nil
}

// Server is the address that the client talks to.
func (c *Client) Server() string { return c.base }

// Error is a failed call, as the server tells it. Status is 0 when no answer came: the kind is then "unavailable" (or
// "timeout"), and Unwrap has the cause.
type Error struct {
	Kind    string // invalid, not_found, exists, conflict, unauthenticated, forbidden, exhausted, unavailable, timeout, unimplemented, internal
	Message string
	ID      string // of the server's log line; only for internal
	Status  int    // HTTP
	cause   error
}

// Error is the message.
func (e *Error) Error() string { return e.Message }

// Unwrap is the cause when no answer came, else nil.
func (e *Error) Unwrap() error { return e.cause }

// KindOf is the kind of an error that a Client returned, "" for any other error.
func KindOf(err error) string {
	var e *Error
	if errors.As(err, &e) {
		return e.Kind
	}
	return ""
}

// request is one call. Path segments are already escaped.
type request struct {
	method, path string
	query        url.Values
	header       http.Header
	body         io.Reader
	contentType  string
}

// do sends and returns the answer, whose body the caller closes. An answer of 400 and more is an *Error.
func (c *Client) do(ctx context.Context, r request) (*http.Response, error) {
	res, err := c.send(ctx, r)
	if err != nil {
		return nil, err
	}
	if res.StatusCode >= 400 {
		defer res.Body.Close()
		return nil, failure(res)
	}
	return res, nil
}

func (c *Client) send(ctx context.Context, r request) (*http.Response, error) {
	u := c.base + r.path
	if len(r.query) > 0 {
		u += "?" + r.query.Encode()
	}
	req, err := http.NewRequestWithContext(ctx, r.method, u, r.body)
	if err != nil {
		return nil, &Error{Kind: "invalid", Message: err.Error(), cause: err}
	}
	for k, v := range r.header {
		req.Header[k] = v
	}
	if r.contentType != "" {
		req.Header.Set("Content-Type", r.contentType)
	}
	res, err := c.http.Do(req)
	if err != nil {
		kind := "unavailable"
		if errors.Is(err, context.DeadlineExceeded) {
			kind = "timeout"
		}
		return nil, &Error{Kind: kind, Message: fmt.Sprintf("no answer from %s: %v", c.base, errors.Unwrap(err)), cause: err}
	}
	return res, nil
}

const maxErrorBody = 1 << 20

func failure(res *http.Response) error {
	raw, err := io.ReadAll(io.LimitReader(res.Body, maxErrorBody))
	if err != nil {
		raw = nil // the status alone must do
	}
	var doc struct {
		Error struct{ Kind, Message, ID string } `json:"error"`
	}
	if json.Unmarshal(raw, &doc) == nil && doc.Error.Message != "" {
		return &Error{Kind: doc.Error.Kind, Message: doc.Error.Message, ID: doc.Error.ID, Status: res.StatusCode}
	}
	text := strings.TrimSpace(string(raw[:min(len(raw), 300)]))
	return &Error{Kind: kindOfStatus(res.StatusCode), Message: strings.TrimSpace(fmt.Sprintf("%s %s", res.Status, text)), Status: res.StatusCode}
}

// kindOfStatus guesses for answers that do not come from weir itself, such as a proxy's.
func kindOfStatus(status int) string {
	switch status {
	case 401:
		return "unauthenticated"
	case 403:
		return "forbidden"
	case 404:
		return "not_found"
	case 409:
		return "conflict"
	case 413, 429:
		return "exhausted"
	case 502, 503:
		return "unavailable"
	case 408, 504:
		return "timeout"
	case 501:
		return "unimplemented"
	}
	if status >= 500 {
		return "internal"
	}
	return "invalid"
}

// call sends in (nil: nothing; an io.Reader: as it is; else JSON) and decodes the answer into a T.
func call[T any](ctx context.Context, c *Client, method, path string, query url.Values, in any, contentType string) (T, error) {
	var out T
	r := request{method: method, path: path, query: query, contentType: contentType}
	switch v := in.(type) {
	case nil:
	case io.Reader:
		r.body = v
	default:
		raw, err := json.Marshal(in)
		if err != nil {
			return out, &Error{Kind: "invalid", Message: err.Error(), cause: err}
		}
		r.body, r.contentType = bytes.NewReader(raw), "application/json"
	}
	res, err := c.do(ctx, r)
	if err != nil {
		return out, err
	}
	defer res.Body.Close()
	if res.StatusCode == http.StatusNoContent {
		return out, nil
	}
	if err := json.NewDecoder(res.Body).Decode(&out); err != nil {
		return out, &Error{Kind: "internal", Message: fmt.Sprintf("%s %s: the answer does not read: %v", method, path, err), Status: res.StatusCode, cause: err}
	}
	return out, nil
}

// items is the body of lists.
type items[T any] struct {
	Items []T `json:"items"`
}

func list[T any](ctx context.Context, c *Client, path string, query url.Values) ([]T, error) {
	l, err := call[items[T]](ctx, c, http.MethodGet, path, query, nil, "")
	return l.Items, err
}

// path joins escaped segments below /api/v1.
func path(segments ...string) string {
	var b strings.Builder
	b.WriteString("/api/v1")
	for _, s := range segments {
		b.WriteByte('/')
		b.WriteString(url.PathEscape(s))
	}
	return b.String()
}

// number makes a query of one number; 0 is left out.
func number[T int | uint64](q url.Values, key string, n T) {
	if n != 0 {
		q.Set(key, fmt.Sprint(n))
	}
}

// stream hands out an answer's body; the caller closes it.
func (c *Client) stream(ctx context.Context, path string, query url.Values) (io.ReadCloser, int64, error) {
	res, err := c.do(ctx, request{method: http.MethodGet, path: path, query: query})
	if err != nil {
		return nil, 0, err
	}
	return res.Body, res.ContentLength, nil
}
