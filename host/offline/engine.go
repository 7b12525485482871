package offline

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/weir-ml/weir/host/errs"
)

// Options are what an Engine is made of; the zero value works.
type Options struct {
	TempDir     string // where queries spill, a folder of its own for each and removed after it; "" = the system's
	MemoryLimit string // of one query, as DuckDB writes it ("512MB", "4GiB"); "" = 1GiB. What does not fit is spilled
	Threads     int    // of one query; 0 = GOMAXPROCS
	MaxQueries  int    // at work at once, the others wait their turn; 0 = 4
	Logger      *slog.Logger
	Registerer  prometheus.Registerer // nil = no metrics
}

// Engine opens DuckDB instances, one for each call. All its methods are safe for concurrent use.
type Engine struct {
	o     Options
	log   *slog.Logger
	slots chan struct{}
	met   *metrics

	mu      sync.Mutex
	closed  bool
	running sync.WaitGroup
	stop    context.CancelFunc
	life    context.Context // ends with Close; a call's context ends with either

	probed  atomic.Bool // DuckDB's memory looks as expected
	builtin func(ctx context.Context, s *session) (map[string]bool, error)
}

// Open checks the options and returns the engine. DuckDB itself is opened by the first call that needs it.
func Open(o Options) (*Engine, error) {
	if o.Threads < 0 || o.MaxQueries < 0 {
		return nil, errs.New(errs.Invalid, "offline engine: threads (%d) and max queries (%d) cannot be negative", o.Threads, o.MaxQueries)
	}
	if o.Threads == 0 {
		o.Threads = runtime.GOMAXPROCS(0)
	}
	if o.MaxQueries == 0 {
		o.MaxQueries = 4
	}
	if o.MemoryLimit == "" {
		o.MemoryLimit = "1GiB"
	}
	if o.TempDir == "" {
		o.TempDir = os.TempDir()
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	dir, err := filepath.Abs(o.TempDir)
	if err != nil {
		return nil, fmt.Errorf("offline engine: temporary folder: %w", err)
	}
	o.TempDir = dir
	life, stop := context.WithCancel(context.Background())
	return &Engine{o: o, log: o.Logger.With("room", "offline"), slots: make(chan struct{}, o.MaxQueries),
		met: newMetrics(o.Registerer), life: life, stop: stop, builtin: builtinFunctions()}, nil
}

// Close interrupts what runs, waits for it and refuses what comes later. It may be called more than once, but not from
// inside a Transformer or a callback of Batches, which would wait for itself.
func (e *Engine) Close() error {
	e.mu.Lock()
	e.closed = true
	e.mu.Unlock()
	e.stop()
	e.running.Wait()
	return nil
}

// with opens a session for one call, runs fn and tears the session down. It waits for a free slot. The session's files
// (sources to read, output to write) are the only ones it can open besides its own spill folder.
func (e *Engine) with(ctx context.Context, op string, files []string, fn func(ctx context.Context, s *session) error) (err error) {
	defer e.met.observe(op, time.Now(), &err)
	e.mu.Lock()
	if e.closed {
		e.mu.Unlock()
		return errs.New(errs.Unavailable, "the offline engine is closed")
	}
	e.running.Add(1)
	e.mu.Unlock()
	defer e.running.Done()

	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	defer context.AfterFunc(e.life, func() { cancel(errs.New(errs.Unavailable, "the offline engine is closing")) })()

	select {
	case e.slots <- struct{}{}:
		defer func() { <-e.slots }()
	case <-ctx.Done():
		return fmt.Errorf("waiting for one of %d query slots: %w", e.o.MaxQueries, context.Cause(ctx))
	}
	if err := os.MkdirAll(e.o.TempDir, 0o700); err != nil {
		return fmt.Errorf("temporary folder: %w", err)
	}
	dir, err := os.MkdirTemp(e.o.TempDir, "query-")
	if err != nil {
		return fmt.Errorf("temporary folder: %w", err)
	}
	defer func() {
		if err := os.RemoveAll(dir); err != nil {
			e.log.Warn("temporary folder not removed", "folder", dir, "error", err)
		}
	}()
	s, err := openSession(e.o, dir, files)
	if err != nil {
		return err
	}
	defer s.close()
	if !e.probed.Load() {
		if err := probeLayout(ctx, s); err != nil {
			return err
		}
		e.probed.Store(true)
	}
	return fn(ctx, s)
}

// builtinFunctions returns a function that lists the names of DuckDB's own functions, in lower case; it asks once.
func builtinFunctions() func(context.Context, *session) (map[string]bool, error) {
	var mu sync.Mutex
	var names map[string]bool
	return func(ctx context.Context, s *session) (map[string]bool, error) {
		mu.Lock()
		defer mu.Unlock()
		if names != nil {
			return names, nil
		}
		list, err := s.texts(ctx, "SELECT DISTINCT lower(function_name) FROM duckdb_functions()")
		if err != nil {
			return nil, err
		}
		names = make(map[string]bool, len(list))
		for _, n := range list {
			names[n] = true
		}
		return names, nil
	}
}

// quoteIdent writes an SQL identifier, quoteText an SQL string.
func quoteIdent(s string) string { return `"` + strings.ReplaceAll(s, `"`, `""`) + `"` }
func quoteText(s string) string  { return `'` + strings.ReplaceAll(s, `'`, `''`) + `'` }
