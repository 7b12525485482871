// Package fn is the edge that turns HTTP requests below /fn/{function} into invocations, and their responses back.
//
// What a function does with a request is host-independent and lies in functions. Read this one file.
package fn

import (
	"context"
	"errors"
	"net/http"
	"net/textproto"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/weir-ml/weir/functions"
	"github.com/weir-ml/weir/host/edge/httpd"
	"github.com/weir-ml/weir/host/errs"
	"github.com/weir-ml/weir/sdk/abi"
)

// Invoker runs functions; *functions.Service does. It is called concurrently and must not keep the request's body.
type Invoker interface {
	Invoke(ctx context.Context, name string, r abi.Request) (abi.Response, functions.InvokeInfo, error)
}

var _ Invoker = (*functions.Service)(nil)

// Deps are what the room needs.
type Deps struct {
	Functions Invoker
	MaxBody   int64 // bytes; 0 = the server's
}

var methods = []string{"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"}

// Register adds /fn/{function} and everything below it to the server, and POST /api/v1/functions/{name}/invoke, which the
// rest room describes.
func Register(s *httpd.Server, d Deps) {
	s.Add(httpd.Route{Method: "POST", Path: "/api/v1/functions/:name/invoke", Protocol: "rest", MaxBody: d.MaxBody, Handle: func(c *httpd.Call) error {
		return invoke(c, d.Functions, "/api/v1/functions/", "/invoke")
	}})
	for _, m := range methods {
		if m == "HEAD" {
			continue // comes with GET
		}
		for _, p := range []string{"/fn/:name", "/fn/:name/*"} {
			s.Add(httpd.Route{Method: m, Path: p, Protocol: "fn", MaxBody: d.MaxBody, Handle: func(c *httpd.Call) error { return invoke(c, d.Functions, "/fn/", "") }})
		}
	}
}

// invoke answers one call whose path is prefix, the function's name (parameter "name"), suffix, and the path that the
// function is shown.
func invoke(c *httpd.Call, f Invoker, prefix, suffix string) error {
	name, err := c.Param("name")
	if err != nil {
		return err
	}
	r, err := toRequest(c, prefix, suffix)
	if err != nil {
		return err
	}
	resp, info, err := f.Invoke(c.Context(), name, r)
	describe(c, info)
	switch {
	case errors.Is(err, functions.ErrMethodNotAllowed):
		return httpd.WithStatus(http.StatusMethodNotAllowed, err)
	case errors.Is(err, functions.ErrBodyTooLarge):
		return httpd.WithStatus(http.StatusRequestEntityTooLarge, err)
	case err != nil:
		return err
	}
	return answer(c, name, resp)
}

func toRequest(c *httpd.Call, prefix, suffix string) (abi.Request, error) {
	body, err := c.Body()
	if err != nil {
		return abi.Request{}, err
	}
	path, err := below(c.RawPath(), prefix, suffix)
	if err != nil {
		return abi.Request{}, err
	}
	h := c.Headers()
	for k := range h {
		if hopByHop(k) {
			delete(h, k)
		}
	}
	return abi.Request{Kind: "http", Method: c.Method(), Path: path, Query: c.RawQuery(), Headers: h, Body: body}, nil
}

// below is the part of the path after prefix, the function's name and suffix, percent-decoded: "" or something that begins
// with '/'.
func below(raw, prefix, suffix string) (string, error) {
	rest := strings.TrimPrefix(raw, prefix)
	i := strings.IndexByte(rest, '/')
	if i < 0 {
		return "", nil
	}
	p, err := url.PathUnescape(strings.TrimPrefix(rest[i:], suffix))
	if err != nil {
		return "", errs.New(errs.Invalid, "path: %w", err)
	}
	return p, nil
}

// describe says in headers what the invocation cost.
func describe(c *httpd.Call, i functions.InvokeInfo) {
	set := func(k, v string) {
		if v != "" && v != "0" {
			c.SetHeader(k, v)
		}
	}
	set("Weir-Cold-Start-Us", strconv.FormatInt(i.ColdStart.Microseconds(), 10))
	set("Weir-Compute-Us", strconv.FormatInt(max(i.Compute, time.Duration(0)).Microseconds(), 10))
	set("Weir-Instances", strconv.Itoa(i.Instances))
	set("Weir-Batch-Size", strconv.Itoa(i.BatchSize))
	set("Weir-Plugin-Digest", i.PluginDigest)
	set("Weir-Model", i.Model)
}

// answer writes what the function said. Its word is checked: a status or header that HTTP cannot carry is the function's
// fault, a 502.
func answer(c *httpd.Call, name string, r abi.Response) error {
	status := r.Status
	if status == 0 {
		status = 200
	}
	if status < 200 || status > 599 {
		return badGateway("function %q answered status %d: want 200 to 599", name, r.Status)
	}
	contentType := ""
	for k, vs := range r.Headers {
		canonical := textproto.CanonicalMIMEHeaderKey(k)
		if !validName(k) {
			return badGateway("function %q answered a header with the name %q, which is no header name", name, k)
		}
		if hopByHop(canonical) || canonical == "Content-Length" || canonical == "X-Request-Id" {
			continue
		}
		for _, v := range vs {
			if strings.ContainsAny(v, "\r\n\x00") {
				return badGateway("function %q answered header %s with a line break in it", name, canonical)
			}
			if canonical == "Content-Type" {
				contentType = v
				continue
			}
			c.AddHeader(canonical, v)
		}
	}
	return c.Bytes(status, contentType, r.Body)
}

func badGateway(format string, args ...any) error {
	return httpd.WithStatus(http.StatusBadGateway, errs.New(errs.Invalid, format, args...))
}

func validName(s string) bool {
	for i := range len(s) {
		b := s[i]
		if b <= ' ' || b >= 0x7f || strings.IndexByte(`()<>@,;:\"/[]?={}`, b) >= 0 {
			return false
		}
	}
	return s != ""
}

func hopByHop(k string) bool {
	switch k {
	case "Connection", "Keep-Alive", "Proxy-Authenticate", "Proxy-Authorization", "Proxy-Connection", "Te", "Trailer", "Transfer-Encoding", "Upgrade":
		return true
	}
	return false
}
