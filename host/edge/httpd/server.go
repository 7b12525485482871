package httpd

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math"
	"net"
	"net/http"
	"runtime/debug"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/gofiber/fiber/v2"
	"github.com/gofiber/fiber/v2/middleware/adaptor"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/weir-ml/weir/host/errs"
)

// Options set a Server up; zero values take the default beside them.
type Options struct {
	BodyLimit      int64         // of routes that name none: 64 MiB
	MaxConnections int           // 16,384
	ReadTimeout    time.Duration // for a whole request to arrive, and for an answer to be taken: 10 minutes
	IdleTimeout    time.Duration // of a connection between requests: 2 minutes
	RequestTimeout time.Duration // for work on one request: 10 minutes
	DrainTimeout   time.Duration // for requests in flight when Run's context ends; 0 = none
	Logger         *slog.Logger
	Registerer     prometheus.Registerer // nil = no metrics
}

// Route is one method and path. Paths are fiber's: ":name" is one segment, a last "*" the rest.
type Route struct {
	Method   string
	Path     string
	Protocol string        // label of the metrics, from a closed set: "rest", "predict", "fn", "probe"
	MaxBody  int64         // 0 = Options.BodyLimit
	Timeout  time.Duration // 0 = Options.RequestTimeout
	Always   bool          // answer while draining, too (probes)
	Handle   func(*Call) error
}

// Server is one HTTP port. Add all routes before Run.
type Server struct {
	o        Options
	log      *slog.Logger
	app      *fiber.App
	ln       *listener
	draining atomic.Bool
	base     context.Context
	stop     context.CancelFunc
	requests *prometheus.CounterVec
	seconds  *prometheus.HistogramVec
}

// New makes a server that does not listen yet.
func New(o Options) *Server {
	def(&o.BodyLimit, 64<<20)
	def(&o.MaxConnections, 16384)
	def(&o.ReadTimeout, 10*time.Minute)
	def(&o.IdleTimeout, 2*time.Minute)
	def(&o.RequestTimeout, 10*time.Minute)
	s := &Server{o: o, log: o.Logger.With("room", "httpd")}
	s.base, s.stop = context.WithCancel(context.Background())
	s.requests = prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "weir_edge_requests_total", Help: "Requests answered, by protocol and status code (499: the client left first).",
	}, []string{"protocol", "code"})
	s.seconds = prometheus.NewHistogramVec(prometheus.HistogramOpts{
		Name: "weir_edge_request_seconds", Help: "Time from a request's headers to its handler's end.",
		Buckets: []float64{.0001, .00025, .0005, .001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 60},
	}, []string{"protocol"})
	if o.Registerer != nil {
		o.Registerer.MustRegister(s.requests, s.seconds)
	}
	s.app = fiber.New(fiber.Config{
		CaseSensitive: true, StrictRouting: true, StreamRequestBody: true, DisableStartupMessage: true,
		DisablePreParseMultipartForm: true, ReadBufferSize: 64 << 10, BodyLimit: math.MaxInt,
		Concurrency: o.MaxConnections, ReadTimeout: o.ReadTimeout, WriteTimeout: o.ReadTimeout, IdleTimeout: o.IdleTimeout, ErrorHandler: s.routeless,
	})
	s.app.Server().CloseOnShutdown = true
	return s
}

func def[T int | int64 | time.Duration](v *T, d T) {
	if *v <= 0 {
		*v = d
	}
}

// Add registers routes. A GET route answers HEAD as well, unless a HEAD route was added before.
func (s *Server) Add(routes ...Route) {
	for _, r := range routes {
		s.app.Add(r.Method, r.Path, s.serve(&r))
		if r.Method == http.MethodGet {
			s.app.Add(http.MethodHead, r.Path, s.serve(&r))
		}
	}
}

// AddHandler registers a standard library handler for GET, answered while draining, too.
func (s *Server) AddHandler(path, protocol string, h http.Handler) {
	f := adaptor.HTTPHandler(h)
	s.Add(Route{Method: http.MethodGet, Path: path, Protocol: protocol, Always: true, Handle: func(c *Call) error { return f(c.f) }})
}

func (s *Server) serve(r *Route) fiber.Handler {
	return func(f *fiber.Ctx) error {
		c := &Call{f: f, srv: s, route: r, start: time.Now()}
		c.id = requestID(f.Request().Header.Peek("X-Request-Id"))
		f.Response().Header.Set("X-Request-Id", c.id)
		timeout := r.Timeout
		if timeout == 0 {
			timeout = s.o.RequestTimeout
		}
		c.ctx, c.cancel = context.WithTimeout(s.base, timeout)
		if c.conn, _ = f.Context().Conn().(*conn); c.conn != nil {
			c.conn.call.Store(c)
		}
		err := s.handle(c)
		if err != nil {
			s.answer(c, err)
		}
		if b := c.reader(); !b.drained(16 << 20) {
			f.Response().SetConnectionClose()
		}
		code := f.Response().StatusCode()
		if errors.Is(context.Cause(c.ctx), context.Canceled) && c.conn != nil && c.conn.gone() {
			code = 499
		}
		if !c.held {
			c.finish()
		}
		s.count(r.Protocol, code, c.start)
		return nil
	}
}

func (s *Server) handle(c *Call) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("panic: %v\n%s", p, debug.Stack())
		}
	}()
	if s.draining.Load() && !c.route.Always {
		c.SetHeader("Retry-After", "1")
		return errs.New(errs.Unavailable, "weir is shutting down: try again shortly")
	}
	return c.route.Handle(c)
}

// answer writes the failure; what the handler had begun to answer is dropped.
func (s *Server) answer(c *Call, err error) {
	f := fail(err, c.id)
	if f.Kind == errs.Internal {
		s.log.Error("request failed", "id", c.id, "method", c.Method(), "path", c.RawPath(), "cause", err)
	}
	c.f.Response().ResetBody()
	_ = c.Bytes(f.Status, "application/json", append(f.Body(), '\n')) // cannot fail
}

// routeless answers what no route took: unknown paths, other methods, requests that do not parse.
func (s *Server) routeless(f *fiber.Ctx, err error) error {
	start := time.Now()
	id := requestID(f.Request().Header.Peek("X-Request-Id"))
	x := fail(err, id)
	if x.Kind == errs.Internal {
		s.log.Error("request failed", "id", id, "cause", err)
	}
	f.Response().Header.Set("X-Request-Id", id)
	f.Response().SetStatusCode(x.Status)
	f.Response().Header.SetContentType("application/json")
	f.Response().SetBodyRaw(append(x.Body(), '\n'))
	if st := f.Request().BodyStream(); st != nil {
		b := &body{r: st, want: f.Request().Header.ContentLength(), limit: 1 << 62}
		if !b.drained(16 << 20) {
			f.Response().SetConnectionClose()
		}
	}
	s.count("none", x.Status, start)
	return nil
}

func (s *Server) count(protocol string, code int, start time.Time) {
	s.requests.WithLabelValues(protocol, codeText(code)).Inc()
	s.seconds.WithLabelValues(protocol).Observe(time.Since(start).Seconds())
}

func codeText(code int) string {
	if code == 200 {
		return "200" // the hot path
	}
	return strconv.Itoa(code)
}

// requestID takes over the client's id when it is 1 to 128 letters, digits, '.', '_' and '-'.
func requestID(given []byte) string {
	ok := len(given) >= 1 && len(given) <= 128
	for _, b := range given {
		ok = ok && (b >= 'a' && b <= 'z' || b >= 'A' && b <= 'Z' || b >= '0' && b <= '9' || b == '.' || b == '_' || b == '-')
	}
	if ok {
		return string(given)
	}
	var b [12]byte
	_, _ = rand.Read(b[:]) // never fails
	return hex.EncodeToString(b[:])
}

// Listen binds the address; port 0 picks a free one.
func (s *Server) Listen(addr string) error {
	ln, err := net.Listen("tcp", addr)
	if err != nil {
		return errs.New(errs.Unavailable, "listen for HTTP on %s: %w", addr, err)
	}
	s.ln = &listener{Listener: ln, open: map[*conn]struct{}{}}
	return nil
}

// Addr is the bound address, host:port; "" before Listen.
func (s *Server) Addr() string {
	if s.ln == nil {
		return ""
	}
	return s.ln.Addr().String()
}

// Draining reports whether the server has stopped taking work.
func (s *Server) Draining() bool { return s.draining.Load() }

// Drain refuses new work with 503 from now on; probes are still answered.
func (s *Server) Drain() { s.draining.Store(true) }

// Run serves until ctx ends, then drains: new work is refused, requests in flight are given DrainTimeout, after that
// their contexts end and, a second later, their connections are closed. Call Listen first, and Run once.
func (s *Server) Run(ctx context.Context) error {
	served := make(chan error, 1)
	go func() { served <- s.app.Listener(s.ln) }()
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for {
		select {
		case err := <-served:
			s.stop()
			return fmt.Errorf("serve HTTP: %w", err)
		case now := <-tick.C:
			s.watch(now)
		case <-ctx.Done():
			return s.shutdown(tick, served)
		}
	}
}

// watch ends the contexts of requests whose client left.
func (s *Server) watch(now time.Time) {
	for _, c := range s.ln.conns() {
		if call := c.call.Load(); call != nil && now.Sub(call.start) > 50*time.Millisecond && c.gone() {
			call.cancel()
		}
	}
}

func (s *Server) shutdown(tick *time.Ticker, served <-chan error) error {
	s.Drain()
	patience, cancel := context.WithTimeout(context.Background(), s.o.DrainTimeout+2*time.Second)
	defer cancel()
	done := make(chan error, 1)
	go func() { done <- s.app.ShutdownWithContext(patience) }()
	soft := time.NewTimer(s.o.DrainTimeout)
	defer soft.Stop()
	hard := time.NewTimer(s.o.DrainTimeout + time.Second)
	defer hard.Stop()
	var err error
	for waiting := true; waiting; {
		select {
		case err = <-done:
			waiting = false
		case now := <-tick.C:
			s.watch(now)
			s.closeSilent()
		case <-soft.C:
			s.stop()
		case <-hard.C:
			for _, c := range s.ln.conns() {
				_ = c.Close() // its error is the client's
			}
		}
	}
	s.stop()
	// fasthttp's shutdown closes the listeners it serves; one that it was only about to serve would stay open.
	_ = s.ln.Close() // closed already, mostly
	if serveErr := <-served; serveErr != nil && !errors.Is(serveErr, net.ErrClosed) && !errors.Is(serveErr, io.EOF) {
		err = errors.Join(err, serveErr)
	}
	return err
}

// closeSilent closes connections that have never sent anything; fasthttp itself closes those that wait for a further request.
func (s *Server) closeSilent() {
	for _, c := range s.ln.conns() {
		if !c.began.Load() {
			_ = c.Close() // its error is the client's
		}
	}
}

// Close frees the port of a server that never ran. Safe twice.
func (s *Server) Close() error {
	s.stop()
	if s.ln == nil {
		return nil
	}
	if err := s.ln.Close(); err != nil && !errors.Is(err, net.ErrClosed) {
		return err
	}
	return nil
}
