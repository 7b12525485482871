package httpd

import (
	"context"
	"encoding/json"
	"io"
	"net/url"
	"time"

	"github.com/gofiber/fiber/v2"

	"github.com/weir-ml/weir/host/errs"
)

// Call is one request and its answer, valid until the handler returns. Every string and byte slice that it hands out is
// the caller's own (fasthttp's alias buffers that the next request overwrites), path parameters are percent-decoded once,
// and Context ends when the client leaves, the time is up, or the server has drained long enough.
// A Call is not safe for concurrent use.
type Call struct {
	f      *fiber.Ctx
	srv    *Server
	route  *Route
	conn   *conn
	ctx    context.Context
	cancel context.CancelFunc
	id     string
	start  time.Time
	body   *body
	held   bool // cancel belongs to the response's stream
}

// Context is the request's context.
func (c *Call) Context() context.Context { return c.ctx }

// ID is the request's id: the client's X-Request-Id when that is well formed, else one of ours. The answer carries it.
func (c *Call) ID() string { return c.id }

// Method is the request's method, for example "GET".
func (c *Call) Method() string { return string(c.f.Request().Header.Method()) }

// Param is a path parameter, percent-decoded; "" when the route has none of that name. "*" is the rest of the path.
func (c *Call) Param(name string) (string, error) {
	raw := c.f.Params(name)
	s, err := url.PathUnescape(raw)
	if err != nil {
		return "", errs.New(errs.Invalid, "path: %w", err)
	}
	if len(s) > 0 && len(raw) == len(s) {
		s = string(append([]byte(nil), s...)) // PathUnescape returns its operand when there is nothing to decode
	}
	return s, nil
}

// RawPath is the path as sent, not decoded or normalised.
func (c *Call) RawPath() string { return string(c.f.Request().URI().PathOriginal()) }

// RawQuery is the query as sent, without the question mark.
func (c *Call) RawQuery() string { return string(c.f.Request().URI().QueryString()) }

// Query is the first value of a query key, decoded; "" when absent.
func (c *Call) Query(key string) string { return string(c.f.Request().URI().QueryArgs().Peek(key)) }

// Header is the first value of a request header; "" when absent.
func (c *Call) Header(key string) string { return string(c.f.Request().Header.Peek(key)) }

// Headers copies all request headers under their canonical names.
func (c *Call) Headers() map[string][]string {
	out := map[string][]string{}
	c.f.Request().Header.VisitAll(func(k, v []byte) { out[string(k)] = append(out[string(k)], string(v)) })
	return out
}

// Body reads the whole body. Larger than the route allows: status 413.
func (c *Call) Body() ([]byte, error) { return c.reader().all() }

// BodyReader streams the body; the route's limit holds here, too. An error that it returns is ready to be answered.
func (c *Call) BodyReader() io.Reader { return c.reader() }

func (c *Call) reader() *body {
	if c.body != nil {
		return c.body
	}
	req := c.f.Request()
	b := &body{conn: c.conn, want: req.Header.ContentLength(), limit: c.route.MaxBody}
	if b.limit == 0 {
		b.limit = c.srv.o.BodyLimit
	}
	if b.r = req.BodyStream(); b.r == nil {
		b.r, b.want = eof{}, 0
	}
	c.body = b
	return b
}

type eof struct{}

func (eof) Read([]byte) (int, error) { return 0, io.EOF }

// SetHeader sets a header of the answer.
func (c *Call) SetHeader(key, value string) { c.f.Response().Header.Set(key, value) }

// AddHeader adds a header to the answer.
func (c *Call) AddHeader(key, value string) { c.f.Response().Header.Add(key, value) }

// JSON answers v as JSON.
func (c *Call) JSON(status int, v any) error {
	b, err := json.Marshal(v)
	if err != nil {
		return err
	}
	return c.Bytes(status, "application/json", append(b, '\n'))
}

// Bytes answers b, which the server may keep until the answer is sent. An empty contentType sends none.
func (c *Call) Bytes(status int, contentType string, b []byte) error {
	r := c.f.Response()
	r.SetStatusCode(status)
	if contentType != "" {
		r.Header.SetContentType(contentType)
	} else {
		r.Header.SetNoDefaultContentType(true)
	}
	r.SetBodyRaw(b)
	return nil
}

// Stream answers size bytes of r and closes r, also when the client leaves. Context stays alive until then.
func (c *Call) Stream(status int, contentType string, r io.ReadCloser, size int64) error {
	if c.Method() == "HEAD" {
		c.f.Response().SetStatusCode(status)
		c.f.Response().Header.SetContentType(contentType)
		c.f.Response().Header.SetContentLength(int(size))
		c.f.Response().SkipBody = true
		return r.Close()
	}
	c.held = true
	c.f.Response().SetStatusCode(status)
	c.f.Response().Header.SetContentType(contentType)
	c.f.Response().SetBodyStream(&stream{ReadCloser: r, done: c.finish}, int(size))
	return nil
}

type stream struct {
	io.ReadCloser
	done func()
}

func (s *stream) Close() error {
	defer s.done()
	return s.ReadCloser.Close()
}

// finish ends the request's context and lets the watcher forget it.
func (c *Call) finish() {
	c.cancel()
	if c.conn != nil {
		c.conn.call.CompareAndSwap(c, nil)
	}
}

// NoContent answers 204.
func (c *Call) NoContent() error {
	c.f.Response().SetStatusCode(204)
	c.f.Response().Header.SetNoDefaultContentType(true)
	return nil
}
