package kv

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/weir-ml/weir/host/errs"
)

// Options says where a store lives. Only Dir is required.
type Options struct {
	Dir        string                // folder of this store; made when missing, locked while open
	Listen     string                // host:port for NATS clients; "" opens no socket
	Logger     *slog.Logger          // nil discards
	Registerer prometheus.Registerer // nil = no metrics
	Clock      Clock                 // of leases; nil = the real one
}

// Store is one open folder of state. Its methods are safe for concurrent use.
type Store struct {
	dir     string
	log     *slog.Logger
	clock   Clock
	lock    *os.File
	srv     *server.Server
	writes  *nats.Conn // committers only, so that a big read never stands before an acknowledgement
	reads   *nats.Conn
	js      jetstream.JetStream // on reads
	metrics *metrics
	blobs   *Blobs

	ensure sync.Mutex // one create-or-update of a stream at a time

	mu         sync.Mutex
	closing    bool                  // no new mirrors and leases
	closed     bool                  // no new writes
	committers map[string]*committer // by stream name
	parts      map[part]struct{}     // mirrors and leases, stopped by Close

	closeOnce sync.Once
	closeErr  error
}

// part is something with a goroutine of its own that must not outlive the store.
type part interface{ stop() }

// Open opens the store in o.Dir, making it when the folder is missing or empty, and starts the embedded server. Data that
// cannot be read is an error that names the file, and nothing is changed then. A folder that another store has open is
// errs.Conflict. ctx bounds the opening only.
func Open(ctx context.Context, o Options) (*Store, error) {
	if o.Dir == "" {
		return nil, errs.New(errs.Invalid, "a store needs a folder: Dir is empty")
	}
	dir, err := filepath.Abs(o.Dir)
	if err != nil {
		return nil, errs.New(errs.Invalid, "folder %q: %w", o.Dir, err)
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	if o.Clock == nil {
		o.Clock = realClock{}
	}
	if err := checkDir(dir); err != nil {
		return nil, err
	}
	s := &Store{dir: dir, log: o.Logger.With("room", "kv"), clock: o.Clock, committers: map[string]*committer{}, parts: map[part]struct{}{}}
	if s.lock, err = lockDir(dir); err != nil {
		return nil, err
	}
	if err := s.open(ctx, o); err != nil {
		_ = s.Close()
		return nil, err
	}
	return s, nil
}

func (s *Store) open(ctx context.Context, o Options) error {
	// Again under the lock: before it, another process may have been writing.
	streams, mend, err := checkData(s.dir)
	if err != nil {
		return err
	}
	if err := mendStreams(s.dir, mend); err != nil {
		return err
	}
	if err := writeFormat(s.dir); err != nil {
		return err
	}
	if s.metrics, err = newMetrics(o.Registerer); err != nil {
		return err
	}
	if s.blobs, err = openBlobs(filepath.Join(s.dir, blobsDir), s.metrics); err != nil {
		return err
	}
	if s.srv, err = startServer(s.dir, o.Listen, s.log); err != nil {
		return err
	}
	if s.writes, err = connect(s.srv, "weir-writes", s.log); err != nil {
		return err
	}
	if s.reads, err = connect(s.srv, "weir-reads", s.log); err != nil {
		return err
	}
	if s.js, err = jetstream.New(s.reads); err != nil {
		return errs.New(errs.Internal, "open JetStream: %w", err)
	}
	return s.checkRecovered(ctx, streams)
}

// checkRecovered asks the running server for every stream whose folder holds data: a stream that it could not bring back
// must not look like an empty one.
func (s *Store) checkRecovered(ctx context.Context, names []string) error {
	for _, name := range names {
		st, err := s.js.Stream(ctx, name)
		if err != nil {
			return errs.New(errs.Internal, "open %s: stream %q was not recovered: %w", s.dir, name, err)
		}
		if lost := st.CachedInfo().State.Lost; lost != nil && len(lost.Msgs) > 0 {
			return errs.New(errs.Internal, "open %s: stream %q has lost %d messages, the first is %d: restore the folder from a backup", s.dir, name, len(lost.Msgs), lost.Msgs[0])
		}
	}
	return nil
}

// Addr is the address that NATS clients reach, host:port; "" without Options.Listen.
func (s *Store) Addr() string {
	if a := s.srv.Addr(); a != nil {
		return a.String()
	}
	return ""
}

// Close finishes the writes that are queued, releases leases, stops mirrors and shuts the server down. It is safe to call twice;
// writes that come after it fail with ErrClosed.
func (s *Store) Close() error {
	s.closeOnce.Do(func() { s.closeErr = s.close() })
	return s.closeErr
}

func (s *Store) close() error {
	s.mu.Lock()
	s.closing = true
	parts := make([]part, 0, len(s.parts))
	for p := range s.parts {
		parts = append(parts, p)
	}
	s.mu.Unlock()
	for _, p := range parts { // leases write their release, so they go before the committers
		p.stop()
	}
	s.mu.Lock()
	s.closed = true
	committers := make([]*committer, 0, len(s.committers))
	for _, c := range s.committers {
		committers = append(committers, c)
	}
	s.mu.Unlock()
	for _, c := range committers {
		c.close()
	}
	if s.writes != nil {
		s.writes.Close()
	}
	if s.reads != nil {
		s.reads.Close()
	}
	if s.srv != nil {
		s.srv.Shutdown()
		s.srv.WaitForShutdown()
	}
	if s.lock != nil {
		if err := s.lock.Close(); err != nil {
			return fmt.Errorf("unlock %s: %w", s.dir, err)
		}
	}
	return nil
}

// committerOf returns the one committer of a stream, starting it at the first call.
func (s *Store) committerOf(stream string, keys bool) (*committer, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return nil, ErrClosed
	}
	if c := s.committers[stream]; c != nil {
		return c, nil
	}
	c, err := newCommitter(s.writes, stream, keys, s.metrics)
	if err != nil {
		return nil, err
	}
	s.committers[stream] = c
	return c, nil
}

// dropCommitter ends the committer of a stream that is being deleted.
func (s *Store) dropCommitter(stream string) {
	s.mu.Lock()
	c := s.committers[stream]
	delete(s.committers, stream)
	s.mu.Unlock()
	if c != nil {
		c.close()
	}
}

func (s *Store) addPart(p part) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closing {
		return ErrClosed
	}
	s.parts[p] = struct{}{}
	return nil
}

func (s *Store) removePart(p part) {
	s.mu.Lock()
	delete(s.parts, p)
	s.mu.Unlock()
}

// ensureStream opens the stream name, or makes it from want. On an existing stream, merge changes the present configuration
// in place and reports whether it has to be written.
func (s *Store) ensureStream(ctx context.Context, want jetstream.StreamConfig, merge func(have *jetstream.StreamConfig) bool) (jetstream.Stream, error) {
	s.ensure.Lock()
	defer s.ensure.Unlock()
	ctx, cancel := withDefaultTimeout(ctx)
	defer cancel()
	st, err := s.js.Stream(ctx, want.Name)
	if isNotFound(err) {
		return s.createStream(ctx, want)
	}
	if err != nil {
		return nil, err
	}
	have := st.CachedInfo().Config
	if !merge(&have) {
		return st, nil
	}
	done, err := markChange(s.dir, want.Name)
	if err != nil {
		return nil, err
	}
	updated, err := s.js.UpdateStream(ctx, have)
	if api := (*jetstream.APIError)(nil); err == nil || errors.As(err, &api) { // otherwise it may still be going on
		done()
	}
	return updated, err
}

// createStream makes a stream. The server removes its folder of streams together with the last of them, and a creation that
// comes just then fails (nats-server, stream.stop): that is worth another try.
func (s *Store) createStream(ctx context.Context, want jetstream.StreamConfig) (jetstream.Stream, error) {
	for try := 0; ; try++ {
		st, err := s.js.CreateStream(ctx, want)
		var api *jetstream.APIError
		if !errors.As(err, &api) || api.ErrorCode != codeCreateStore || try == 10 {
			return st, err
		}
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-time.After(time.Duration(try+1) * 2 * time.Millisecond):
		}
	}
}

// opError gives an error of the client library its kind; after Close it is always ErrClosed.
func (s *Store) opError(op string, err error) error {
	if err == nil {
		return nil
	}
	s.mu.Lock()
	closed := s.closed
	s.mu.Unlock()
	if closed {
		return ErrClosed
	}
	return kinded(op, err)
}

func (s *Store) deleteStream(ctx context.Context, stream, what string) error {
	ctx, cancel := withDefaultTimeout(ctx)
	defer cancel()
	s.ensure.Lock()
	defer s.ensure.Unlock()
	err := s.js.DeleteStream(ctx, stream)
	if isNotFound(err) {
		return errs.New(errs.NotFound, "%s does not exist", what)
	}
	if err != nil {
		return s.opError("delete "+what, err)
	}
	s.dropCommitter(stream)
	return nil
}
