// Package grpcd is the one gRPC server that every gRPC protocol of weir shares: health, reflection, message sizes, the gzip
// and deflate codecs, panics, and the table from error kinds to status codes.
//
// It knows no service but health: the rooms that speak a protocol register theirs on Registrar before Run.
// Read this file, then codes.go.
package grpcd

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	_ "google.golang.org/grpc/encoding/gzip" // registers the codec
	"google.golang.org/grpc/health"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/reflection"
	"google.golang.org/grpc/status"

	"github.com/weir-ml/weir/host/errs"
)

// Options set a Server up.
type Options struct {
	MessageBytes   int64         // largest message either way; 0 = 128 MiB
	RequestTimeout time.Duration // of a unary call whose client sets no earlier deadline; 0 = 10 minutes
	DrainTimeout   time.Duration // for calls in flight when Run's context ends
	Logger         *slog.Logger
	Registerer     prometheus.Registerer // nil = no metrics
}

// Server is one gRPC port.
type Server struct {
	o        Options
	log      *slog.Logger
	srv      *grpc.Server
	health   *health.Server
	ln       net.Listener
	requests *prometheus.CounterVec
	seconds  *prometheus.HistogramVec
	ran      atomic.Bool
	once     sync.Once
}

// New makes a server that does not listen yet; its health is NOT_SERVING until SetReady.
func New(o Options) *Server {
	if o.MessageBytes <= 0 {
		o.MessageBytes = 128 << 20
	}
	if o.RequestTimeout <= 0 {
		o.RequestTimeout = 10 * time.Minute
	}
	registerDeflate()
	s := &Server{o: o, log: o.Logger.With("room", "grpcd"), health: health.NewServer()}
	s.requests = prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "weir_grpc_requests_total", Help: "gRPC calls answered, by status code.",
	}, []string{"code"})
	s.seconds = prometheus.NewHistogramVec(prometheus.HistogramOpts{
		Name: "weir_grpc_request_seconds", Help: "Time of a gRPC call.",
		Buckets: []float64{.0001, .00025, .0005, .001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 60},
	}, []string{"form"})
	if o.Registerer != nil {
		o.Registerer.MustRegister(s.requests, s.seconds)
	}
	s.srv = grpc.NewServer(grpc.MaxRecvMsgSize(int(o.MessageBytes)), grpc.MaxSendMsgSize(int(o.MessageBytes)),
		grpc.UnaryInterceptor(s.unary), grpc.StreamInterceptor(s.stream))
	healthpb.RegisterHealthServer(s.srv, s.health)
	reflection.Register(s.srv)
	s.SetReady(false)
	return s
}

// Registrar takes further services, before Run.
func (s *Server) Registrar() grpc.ServiceRegistrar { return s.srv }

// SetReady changes what the health service answers for the whole server.
func (s *Server) SetReady(ready bool) {
	state := healthpb.HealthCheckResponse_NOT_SERVING
	if ready {
		state = healthpb.HealthCheckResponse_SERVING
	}
	s.health.SetServingStatus("", state)
}

func (s *Server) unary(ctx context.Context, req any, _ *grpc.UnaryServerInfo, h grpc.UnaryHandler) (resp any, err error) {
	ctx, cancel := context.WithTimeout(ctx, s.o.RequestTimeout)
	defer cancel()
	defer s.done("unary", time.Now(), &err)
	return h(ctx, req)
}

func (s *Server) stream(srv any, ss grpc.ServerStream, _ *grpc.StreamServerInfo, h grpc.StreamHandler) (err error) {
	defer s.done("stream", time.Now(), &err)
	return h(srv, ss)
}

// done recovers, maps the error and counts; it is deferred directly, because recover works nowhere else.
func (s *Server) done(form string, start time.Time, err *error) {
	if p := recover(); p != nil {
		*err = fmt.Errorf("panic: %v\n%s", p, debug.Stack())
	}
	*err = s.fail(*err)
	s.requests.WithLabelValues(status.Code(*err).String()).Inc()
	s.seconds.WithLabelValues(form).Observe(time.Since(start).Seconds())
}

// fail gives err a status; errors of gRPC itself keep theirs.
func (s *Server) fail(err error) error {
	if err == nil {
		return nil
	}
	if st, ok := status.FromError(err); ok {
		return st.Err()
	}
	k := errs.KindOf(err)
	if k == errs.Internal {
		id := newID()
		s.log.Error("call failed", "id", id, "cause", err)
		return status.Errorf(codes.Internal, "internal error: the log has its cause under id %s", id)
	}
	return status.Error(Code(k), err.Error())
}

// Listen binds the address; port 0 picks a free one.
func (s *Server) Listen(addr string) error {
	ln, err := net.Listen("tcp", addr)
	if err != nil {
		return errs.New(errs.Unavailable, "listen for gRPC on %s: %w", addr, err)
	}
	s.ln = ln
	return nil
}

// Addr is the bound address, host:port; "" before Listen.
func (s *Server) Addr() string {
	if s.ln == nil {
		return ""
	}
	return s.ln.Addr().String()
}

// Run serves until ctx ends, then lets calls in flight end, for DrainTimeout at most. Call Listen first, and Run once.
func (s *Server) Run(ctx context.Context) error {
	s.ran.Store(true)
	served := make(chan error, 1)
	go func() { served <- s.srv.Serve(s.ln) }()
	select {
	case err := <-served:
		return fmt.Errorf("serve gRPC: %w", err)
	case <-ctx.Done():
	}
	s.health.Shutdown()
	graceful := make(chan struct{})
	go func() { s.srv.GracefulStop(); close(graceful) }()
	t := time.NewTimer(s.o.DrainTimeout)
	defer t.Stop()
	select {
	case <-graceful:
	case <-t.C:
		s.srv.Stop()
		<-graceful
	}
	return <-served
}

// Close frees the port of a server that never ran, and cuts off what runs. Safe twice.
func (s *Server) Close() error {
	s.once.Do(func() {
		s.srv.Stop()
		if s.ln != nil && !s.ran.Load() {
			_ = s.ln.Close() // nobody has used it
		}
	})
	return nil
}
