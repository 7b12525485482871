package kv

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"strconv"
	"strings"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/weir-ml/weir/host/errs"
)

const (
	startTimeout   = 2 * time.Minute  // a large store that was killed is re-indexed at start
	requestTimeout = 15 * time.Second // of a request whose ctx has no deadline
	maxPending     = 256 << 20        // bytes the server may hold for one of our connections before it calls it slow
)

// startServer boots the embedded server with its files under dir/jetstream.
func startServer(dir, listen string, log *slog.Logger) (*server.Server, error) {
	o := &server.Options{
		ServerName:            "weir",
		DontListen:            true,
		NoSigs:                true,
		JetStream:             true,
		StoreDir:              dir, // the server appends "jetstream"
		SyncAlways:            true,
		JetStreamMaxStore:     1 << 62, // the disk is the limit
		JetStreamMaxMemory:    1 << 62,
		MaxPayload:            MaxValue + headerRoom,
		MaxPending:            maxPending,
		DisableShortFirstPing: true,
	}
	if listen != "" {
		host, port, err := net.SplitHostPort(listen)
		if err != nil {
			return nil, errs.New(errs.Invalid, "listen address %q: %w", listen, err)
		}
		n, err := strconv.Atoi(port)
		if err != nil || n < 0 || n > 65535 {
			return nil, errs.New(errs.Invalid, "listen address %q: port %q must be a number from 0 to 65535", listen, port)
		}
		if n == 0 {
			n = server.RANDOM_PORT
		}
		o.DontListen, o.Host, o.Port = false, host, n
	}
	srv, err := server.NewServer(o)
	if err != nil {
		return nil, errs.New(errs.Internal, "configure the embedded NATS server: %w", err)
	}
	fatal := make(chan string, 1)
	srv.SetLoggerV2(&serverLog{log: log.With("part", "nats"), fatal: fatal}, log.Enabled(context.Background(), slog.LevelDebug), false, false)
	srv.Start()
	if !srv.ReadyForConnections(startTimeout) || !srv.JetStreamEnabled() {
		reason := "it was not ready in time"
		select {
		case reason = <-fatal:
		default:
		}
		srv.Shutdown()
		srv.WaitForShutdown()
		return nil, errs.New(errs.Unavailable, "start the embedded NATS server in %s: %s", dir, reason)
	}
	return srv, nil
}

func connect(srv *server.Server, name string, log *slog.Logger) (*nats.Conn, error) {
	nc, err := nats.Connect("", nats.InProcessServer(srv), nats.Name(name), nats.MaxReconnects(-1), nats.ReconnectWait(10*time.Millisecond),
		nats.ErrorHandler(func(_ *nats.Conn, sub *nats.Subscription, err error) {
			subject := ""
			if sub != nil {
				subject = sub.Subject
			}
			log.Warn("connection to the embedded server", "connection", name, "subject", subject, "error", err)
		}))
	if err != nil {
		return nil, errs.New(errs.Unavailable, "connect to the embedded NATS server: %w", err)
	}
	return nc, nil
}

const serverSays = "the embedded NATS server says"

// serverLog carries the server's log to slog: notices are details to weir.
type serverLog struct {
	log   *slog.Logger
	fatal chan<- string
}

func (l *serverLog) Noticef(format string, v ...any) {
	l.log.Debug(serverSays, "text", fmt.Sprintf(format, v...))
}
func (l *serverLog) Debugf(format string, v ...any) {
	l.log.Debug(serverSays, "text", fmt.Sprintf(format, v...))
}
func (l *serverLog) Tracef(format string, v ...any) {
	l.log.Debug(serverSays, "text", fmt.Sprintf(format, v...))
}
func (l *serverLog) Errorf(format string, v ...any) {
	l.log.Warn(serverSays, "text", fmt.Sprintf(format, v...))
}
func (l *serverLog) Warnf(format string, v ...any) {
	msg := fmt.Sprintf(format, v...)
	if strings.HasPrefix(msg, "Maximum payloads over") { // our own choice, see MaxValue
		l.log.Debug(serverSays, "text", msg)
		return
	}
	l.log.Warn(serverSays, "text", msg)
}

// Fatalf keeps the reason for Open; the server's own logger would end the process here.
func (l *serverLog) Fatalf(format string, v ...any) {
	msg := fmt.Sprintf(format, v...)
	l.log.Error(serverSays, "text", msg)
	select {
	case l.fatal <- msg:
	default:
	}
}

// withDefaultTimeout bounds a request to our own server that its caller did not bound.
func withDefaultTimeout(ctx context.Context) (context.Context, context.CancelFunc) {
	if _, ok := ctx.Deadline(); ok {
		return ctx, func() {}
	}
	return context.WithTimeout(ctx, requestTimeout)
}

func isNotFound(err error) bool {
	return errors.Is(err, jetstream.ErrStreamNotFound) || errors.Is(err, jetstream.ErrConsumerNotFound) || errors.Is(err, jetstream.ErrMsgNotFound)
}
