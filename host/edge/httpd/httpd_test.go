package httpd

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/goleak"

	"github.com/weir-ml/weir/host/errs"
)

func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m, goleak.IgnoreAnyFunction("github.com/valyala/fasthttp.updateServerDate.func1"),
		goleak.IgnoreAnyFunction("github.com/gofiber/fiber/v2/utils.StartTimeStampUpdater.func1"),
		// Sleeps up to 10 s before it sees that its server is gone.
		goleak.IgnoreAnyFunction("github.com/valyala/fasthttp.(*workerPool).Start.func2"))
}

type running struct {
	*Server
	url  string
	logs *lockedBuffer
	stop func() error
}

type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lockedBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lockedBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

func start(t *testing.T, o Options, routes ...Route) *running {
	t.Helper()
	logs := &lockedBuffer{}
	o.Logger = slog.New(slog.NewJSONHandler(logs, nil))
	s := New(o)
	s.Add(routes...)
	if err := s.Listen("127.0.0.1:0"); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- s.Run(ctx) }()
	var once sync.Once
	var err error
	stop := func() error {
		once.Do(func() { cancel(); err = <-done })
		return err
	}
	t.Cleanup(func() {
		if err := errors.Join(stop(), s.Close()); err != nil {
			t.Error(err)
		}
		http.DefaultClient.CloseIdleConnections()
	})
	return &running{s, "http://" + s.Addr(), logs, stop}
}

func get(t *testing.T, method, url string, body io.Reader) (int, string, http.Header) {
	t.Helper()
	req, err := http.NewRequest(method, url, body)
	if err != nil {
		t.Fatal(err)
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return res.StatusCode, string(b), res.Header
}

func echo(c *Call) error {
	b, err := c.Body()
	if err != nil {
		return err
	}
	return c.Bytes(200, "application/octet-stream", b)
}

func TestRouting(t *testing.T) {
	r := start(t, Options{Registerer: prometheus.NewRegistry()},
		Route{Method: "GET", Path: "/things/:name", Protocol: "rest", Handle: func(c *Call) error {
			n, err := c.Param("name")
			if err != nil {
				return err
			}
			return c.JSON(200, map[string]string{"name": n, "q": c.Query("q"), "id": c.ID()})
		}},
		Route{Method: "GET", Path: "/bad", Protocol: "rest", Handle: func(*Call) error { return errs.New(errs.Conflict, "moved on") }},
		Route{Method: "GET", Path: "/fault", Protocol: "rest", Handle: func(*Call) error { return errors.New("the secret cause") }},
		Route{Method: "GET", Path: "/panic", Protocol: "rest", Handle: func(*Call) error { panic("the secret panic") }},
	)
	cases := []struct {
		name, method, path string
		status             int
		want               string
	}{
		{"decoded once", "GET", "/things/a%2Fb%2520c?q=%26", 200, `"name":"a/b%20c","q":"\u0026"`},
		{"bad escape", "GET", "/things/100%25%zz", 400, `"kind":"invalid"`},
		{"case matters", "GET", "/Things/x", 404, `"kind":"not_found"`},
		{"unknown", "GET", "/nothing", 404, `/openapi.json`},
		{"method", "POST", "/things/x", 405, `"kind":"invalid"`},
		{"kinded", "GET", "/bad", 409, `{"error":{"kind":"conflict","message":"moved on"}}`},
		{"internal", "GET", "/fault", 500, `"kind":"internal"`},
		{"panic", "GET", "/panic", 500, `"kind":"internal"`},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			// The raw path must reach the server as it is written here.
			conn, err := net.Dial("tcp", r.Addr())
			if err != nil {
				t.Fatal(err)
			}
			defer conn.Close()
			fmt.Fprintf(conn, "%s %s HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", c.method, c.path)
			res, err := http.ReadResponse(bufio.NewReader(conn), nil)
			if err != nil {
				t.Fatal(err)
			}
			defer res.Body.Close()
			b, _ := io.ReadAll(res.Body)
			if res.StatusCode != c.status || !strings.Contains(string(b), c.want) {
				t.Errorf("%d %s, want %d with %s", res.StatusCode, b, c.status, c.want)
			}
			if strings.Contains(string(b), "secret") {
				t.Errorf("the cause leaks: %s", b)
			}
			id := res.Header.Get("X-Request-Id")
			if id == "" {
				t.Error("no request id")
			}
			if c.status == 500 && (!strings.Contains(string(b), id) || !strings.Contains(r.logs.String(), id) || !strings.Contains(r.logs.String(), "the secret")) {
				t.Errorf("id %q does not lead from the answer to the log:\n%s\n%s", id, b, r.logs)
			}
		})
	}
	_, _, h := get(t, "HEAD", r.url+"/things/x", nil)
	if h.Get("Content-Length") == "" || h.Get("Content-Length") == "0" {
		t.Errorf("HEAD: %v", h)
	}
	m, err := r.o.Registerer.(*prometheus.Registry).Gather()
	if err != nil || len(m) == 0 {
		t.Errorf("no access metrics: %v", err)
	}
}

func TestRequestIDs(t *testing.T) {
	for given, kept := range map[string]bool{"abc-1.2_Z": true, "": false, "a b": false, "a\r\nX: y": false, strings.Repeat("a", 129): false} {
		got := requestID([]byte(given))
		if kept != (got == given) || len(got) == 0 {
			t.Errorf("%q became %q", given, got)
		}
	}
}

func TestBodyLimits(t *testing.T) {
	r := start(t, Options{BodyLimit: 1000}, Route{Method: "POST", Path: "/echo", Protocol: "rest", Handle: echo},
		Route{Method: "POST", Path: "/big", Protocol: "rest", MaxBody: 50 << 20, Handle: echo},
		Route{Method: "POST", Path: "/ignore", Protocol: "rest", Handle: func(c *Call) error { return c.NoContent() }})
	chunked := func(n int) io.Reader { return io.MultiReader(strings.NewReader(strings.Repeat("x", n))) } // no known length
	for _, n := range []int{0, 1, 999, 1000, 1001, 9000, 100_000} {
		want := 200
		if n > 1000 {
			want = 413
		}
		for name, body := range map[string]io.Reader{"length": strings.NewReader(strings.Repeat("x", n)), "chunked": chunked(n)} {
			code, text, _ := get(t, "POST", r.url+"/echo", body)
			if code != want || code == 200 && len(text) != n {
				t.Errorf("%s, %d bytes: %d with %d bytes back", name, n, code, len(text))
			}
		}
		if code, _, _ := get(t, "POST", r.url+"/ignore", chunked(n)); code != 204 {
			t.Errorf("unread body of %d: %d", n, code)
		}
	}
	big := bytes.Repeat([]byte("0123456789abcdef"), 3<<20/16)
	if code, text, _ := get(t, "POST", r.url+"/big", bytes.NewReader(big)); code != 200 || text != string(big) {
		t.Errorf("3 MiB: %d, %d bytes", code, len(text))
	}
}

// A body that breaks off must never look complete.
func TestTruncatedBodies(t *testing.T) {
	got := make(chan error, 1)
	r := start(t, Options{}, Route{Method: "POST", Path: "/", Protocol: "rest", Handle: func(c *Call) error {
		_, err := c.Body()
		got <- err
		return err
	}})
	for name, text := range map[string]string{
		"length":             "Content-Length: 20000\r\n\r\n" + strings.Repeat("x", 15000),
		"inside a chunk":     "Transfer-Encoding: chunked\r\n\r\n5\r\nab",
		"between two chunks": "Transfer-Encoding: chunked\r\n\r\n5\r\nabcde\r\n",
		"bad chunk":          "Transfer-Encoding: chunked\r\n\r\nzz\r\nabcde\r\n",
	} {
		t.Run(name, func(t *testing.T) {
			c, err := net.Dial("tcp", r.Addr())
			if err != nil {
				t.Fatal(err)
			}
			fmt.Fprintf(c, "POST / HTTP/1.1\r\nHost: x\r\n%s", text)
			if err := c.(*net.TCPConn).CloseWrite(); err != nil {
				t.Fatal(err)
			}
			if err := <-got; !errs.Is(err, errs.Invalid) {
				t.Errorf("the handler saw %v", err)
			}
			c.Close()
		})
	}
}

func TestPipelinedRequestsStayApart(t *testing.T) {
	r := start(t, Options{}, Route{Method: "POST", Path: "/", Protocol: "rest", Handle: echo})
	c, err := net.Dial("tcp", r.Addr())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	fmt.Fprint(c, "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n3\r\none\r\n0\r\n\r\n"+
		"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\ntwo")
	in := bufio.NewReader(c)
	for _, want := range []string{"one", "two"} {
		res, err := http.ReadResponse(in, nil)
		if err != nil {
			t.Fatal(err)
		}
		b, _ := io.ReadAll(res.Body)
		if string(b) != want {
			t.Errorf("%q, want %q", b, want)
		}
	}
}

func TestClientThatLeavesEndsTheHandler(t *testing.T) {
	begun, ended := make(chan struct{}), make(chan error, 1)
	r := start(t, Options{}, Route{Method: "GET", Path: "/", Protocol: "rest", Handle: func(c *Call) error {
		close(begun)
		<-c.Context().Done()
		ended <- c.Context().Err()
		return c.Context().Err()
	}})
	c, err := net.Dial("tcp", r.Addr())
	if err != nil {
		t.Fatal(err)
	}
	fmt.Fprint(c, "GET / HTTP/1.1\r\nHost: x\r\n\r\n")
	<-begun
	c.Close()
	select {
	case err := <-ended:
		if !errors.Is(err, context.Canceled) {
			t.Error(err)
		}
	case <-time.After(20 * time.Second):
		t.Fatal("the handler never heard of it")
	}
}

func TestRequestTimeout(t *testing.T) {
	r := start(t, Options{}, Route{Method: "GET", Path: "/", Protocol: "rest", Timeout: time.Millisecond, Handle: func(c *Call) error {
		<-c.Context().Done()
		return fmt.Errorf("wait for nothing: %w", c.Context().Err())
	}})
	if code, text, _ := get(t, "GET", r.url+"/", nil); code != 504 || !strings.Contains(text, "longer than it may") {
		t.Errorf("%d %s", code, text)
	}
}

func TestDrain(t *testing.T) {
	begun, free := make(chan struct{}), make(chan struct{})
	r := start(t, Options{DrainTimeout: 30 * time.Second},
		Route{Method: "GET", Path: "/slow", Protocol: "rest", Handle: func(c *Call) error {
			close(begun)
			<-free
			return c.JSON(200, "done")
		}},
		Route{Method: "GET", Path: "/work", Protocol: "rest", Handle: func(c *Call) error { return c.JSON(200, "x") }},
		Route{Method: "GET", Path: "/livez", Protocol: "probe", Always: true, Handle: func(c *Call) error { return c.JSON(200, "alive") }})
	silent, err := net.Dial("tcp", r.Addr()) // must not hold the drain up
	if err != nil {
		t.Fatal(err)
	}
	defer silent.Close()
	answer := make(chan string, 1)
	go func() {
		code, text, _ := get(t, "GET", r.url+"/slow", nil)
		answer <- fmt.Sprint(code, text)
	}()
	<-begun
	r.Drain()
	if code, text, h := get(t, "GET", r.url+"/work", nil); code != 503 || h.Get("Retry-After") == "" || !strings.Contains(text, "unavailable") {
		t.Errorf("while draining: %d %s", code, text)
	}
	if code, _, _ := get(t, "GET", r.url+"/livez", nil); code != 200 {
		t.Errorf("probe while draining: %d", code)
	}
	stopped := make(chan error, 1)
	go func() { stopped <- r.stop() }()
	close(free)
	if got := <-answer; got != "200\"done\"\n" {
		t.Errorf("the request in flight got %q", got)
	}
	if err := <-stopped; err != nil {
		t.Error(err)
	}
	if _, err := net.Dial("tcp", r.Addr()); err == nil {
		t.Error("the port is still open")
	}
}

func TestDrainTimeoutEndsContexts(t *testing.T) {
	begun := make(chan struct{})
	r := start(t, Options{DrainTimeout: time.Millisecond}, Route{Method: "GET", Path: "/", Protocol: "rest", Handle: func(c *Call) error {
		close(begun)
		<-c.Context().Done()
		return c.Context().Err()
	}})
	go func() {
		res, err := http.Get(r.url + "/")
		if err == nil {
			res.Body.Close()
		}
	}()
	<-begun
	if err := r.stop(); err != nil {
		t.Error(err)
	}
}

// The drain may close a connection whose handler then goes on to answer: that must not bring the process down.
func TestHandlerThatOutlivesItsConnection(t *testing.T) {
	begun, free := make(chan struct{}), make(chan struct{})
	r := start(t, Options{DrainTimeout: time.Millisecond}, Route{Method: "GET", Path: "/", Protocol: "rest", Handle: func(c *Call) error {
		close(begun)
		<-free
		return c.JSON(200, "late")
	}})
	c, err := net.Dial("tcp", r.Addr())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	fmt.Fprint(c, "GET / HTTP/1.1\r\nHost: x\r\n\r\n")
	<-begun
	stopped := make(chan error, 1)
	go func() { stopped <- r.stop() }()
	if b, err := io.ReadAll(c); len(b) > 0 { // returns when the server has cut the connection
		t.Errorf("%q %v", b, err)
	}
	close(free)
	if err := <-stopped; err != nil && !errors.Is(err, context.DeadlineExceeded) {
		t.Error(err)
	}
}

func TestStreamClosesItsReader(t *testing.T) {
	closed := make(chan struct{}, 2)
	r := start(t, Options{}, Route{Method: "GET", Path: "/", Protocol: "rest", Handle: func(c *Call) error {
		return c.Stream(200, "text/plain", &noteClose{strings.NewReader("hello"), closed}, 5)
	}})
	if code, text, h := get(t, "GET", r.url+"/", nil); code != 200 || text != "hello" || h.Get("Content-Length") != "5" {
		t.Errorf("%d %q %v", code, text, h)
	}
	<-closed
	if _, text, h := get(t, "HEAD", r.url+"/", nil); text != "" || h.Get("Content-Length") != "5" {
		t.Errorf("HEAD: %q %v", text, h)
	}
	<-closed
}

type noteClose struct {
	io.Reader
	closed chan struct{}
}

func (n *noteClose) Close() error { n.closed <- struct{}{}; return nil }

func TestFailureBodyIsJSON(t *testing.T) {
	for _, k := range errs.Kinds {
		f := fail(errs.New(k, "a \"quoted\" message\n"), "id-1")
		var b ErrorBody
		if err := json.Unmarshal(f.Body(), &b); err != nil || b.Error.Kind != k.String() || f.Status == 0 {
			t.Errorf("%v: %s (%v)", k, f.Body(), err)
		}
	}
}

func FuzzRequest(f *testing.F) {
	s := New(Options{Logger: slog.New(slog.DiscardHandler)})
	s.Add(Route{Method: "POST", Path: "/x/:name", Protocol: "rest", Handle: func(c *Call) error {
		if _, err := c.Param("name"); err != nil {
			return err
		}
		return echo(c)
	}})
	s.app.Handler() // sets the routes up
	f.Add([]byte("POST /x/a HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\none"))
	f.Add([]byte("POST /x/%61 HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n3\r\none\r\n0\r\n\r\n"))
	f.Add([]byte("GET /../x HTTP/1.0\r\n\r\n"))
	f.Fuzz(func(t *testing.T, raw []byte) {
		_ = s.app.Server().ServeConn(&memConn{Reader: bytes.NewReader(raw)}) // its error is the client's
	})
}

// memConn is a client that has sent everything and reads nothing.
type memConn struct {
	io.Reader
	net.Conn
}

func (m *memConn) Read(p []byte) (int, error)       { return m.Reader.Read(p) }
func (m *memConn) Write(p []byte) (int, error)      { return len(p), nil }
func (m *memConn) Close() error                     { return nil }
func (m *memConn) LocalAddr() net.Addr              { return &net.TCPAddr{} }
func (m *memConn) RemoteAddr() net.Addr             { return &net.TCPAddr{} }
func (m *memConn) SetDeadline(time.Time) error      { return nil }
func (m *memConn) SetReadDeadline(time.Time) error  { return nil }
func (m *memConn) SetWriteDeadline(time.Time) error { return nil }

func BenchmarkEcho(b *testing.B) {
	s := New(Options{Logger: slog.New(slog.DiscardHandler), Registerer: prometheus.NewRegistry()})
	s.Add(Route{Method: "POST", Path: "/echo/:name", Protocol: "rest", Handle: echo})
	if err := s.Listen("127.0.0.1:0"); err != nil {
		b.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- s.Run(ctx) }()
	c, err := net.Dial("tcp", s.Addr())
	if err != nil {
		b.Fatal(err)
	}
	in := bufio.NewReader(c)
	req := []byte("POST /echo/a HTTP/1.1\r\nHost: x\r\nContent-Length: 300\r\n\r\n" + strings.Repeat("x", 300))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := c.Write(req); err != nil {
			b.Fatal(err)
		}
		res, err := http.ReadResponse(in, nil)
		if err != nil {
			b.Fatal(err)
		}
		if _, err := io.Copy(io.Discard, res.Body); err != nil {
			b.Fatal(err)
		}
	}
	c.Close()
	cancel()
	<-done
}

// A context that ends before the server got to serving must still end Run.
func TestRunEndsWhenItNeverBegan(t *testing.T) {
	for range 20 {
		s := New(Options{Logger: slog.New(slog.DiscardHandler)})
		if err := s.Listen("127.0.0.1:0"); err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(context.Background())
		cancel()
		ended := make(chan error, 1)
		go func() { ended <- s.Run(ctx) }()
		select {
		case err := <-ended:
			if err != nil {
				t.Fatal(err)
			}
		case <-time.After(10 * time.Second):
			t.Fatal("Run did not end")
		}
	}
}
