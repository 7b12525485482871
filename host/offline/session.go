package offline

import (
	"context"
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"

	bindings "github.com/duckdb/duckdb-go-bindings"
	"github.com/duckdb/duckdb-go/v2/mapping"

	"github.com/weir-ml/weir/host/errs"
	"github.com/weir-ml/weir/sdk/abi"
)

// interruptEvery is the pause between interrupts of a cancelled query: one alone can be lost between two of its phases.
const interruptEvery = 10 * time.Millisecond

// session is one in-memory DuckDB instance with one connection, used by one goroutine at a time. It goes through the
// driver's exported C mapping rather than database/sql, which has neither data chunks nor chunk callbacks.
type session struct {
	db   mapping.Database
	conn mapping.Connection
}

// openSession opens an instance that can spill to dir and can open the files listed, and locks its settings.
func openSession(o Options, dir string, files []string) (*session, error) {
	var cfg mapping.Config
	if mapping.CreateConfig(&cfg) == mapping.StateError {
		return nil, errs.New(errs.Internal, "create DuckDB's configuration")
	}
	defer mapping.DestroyConfig(&cfg)
	for _, kv := range [][2]string{
		{"threads", strconv.Itoa(o.Threads)},
		{"memory_limit", o.MemoryLimit},
		{"temp_directory", dir},
		{"autoinstall_known_extensions", "false"},
		{"autoload_known_extensions", "false"},
		{"allow_community_extensions", "false"},
		{"allow_persistent_secrets", "false"},
	} {
		if mapping.SetConfig(cfg, kv[0], kv[1]) == mapping.StateError {
			return nil, errs.New(errs.Invalid, "offline engine: DuckDB refuses %s = %q", kv[0], kv[1])
		}
	}
	s := &session{}
	var msg string
	if mapping.OpenExt("", &s.db, cfg, &msg) == mapping.StateError {
		return nil, errs.New(errs.Invalid, "offline engine: open DuckDB (memory limit %q, %d threads): %s", o.MemoryLimit, o.Threads, msg)
	}
	if mapping.Connect(s.db, &s.conn) == mapping.StateError {
		mapping.Close(&s.db)
		return nil, errs.New(errs.Internal, "connect to DuckDB")
	}
	quoted := make([]string, len(files))
	for i, f := range files {
		quoted[i] = quoteText(f)
	}
	// The order matters: paths can be allowed only while access is free, and nothing can change after the lock.
	for _, q := range []string{
		"SET TimeZone = 'UTC'",
		"SET preserve_insertion_order = true",
		"SET allowed_paths = [" + strings.Join(quoted, ", ") + "]::VARCHAR[]",
		"SET enable_external_access = false",
		"SET lock_configuration = true",
	} {
		if _, err := s.exec(context.Background(), q); err != nil {
			s.close()
			return nil, errs.New(errs.Internal, "configure DuckDB: %s: %w", q, err)
		}
	}
	return s, nil
}

func (s *session) close() {
	mapping.Disconnect(&s.conn)
	mapping.Close(&s.db)
}

// watched runs fn, a call into DuckDB, and interrupts it when ctx ends; the error is then the context's.
func (s *session) watched(ctx context.Context, fn func() error) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	done, finished := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(finished)
		select {
		case <-done:
			return
		case <-ctx.Done():
		}
		for tick := time.NewTicker(interruptEvery); ; {
			mapping.Interrupt(s.conn)
			select {
			case <-done:
				tick.Stop()
				return
			case <-tick.C:
			}
		}
	}()
	err := func() error {
		defer func() { close(done); <-finished }() // a panic in a caller's function, too, ends the watch
		return fn()
	}()
	if err != nil && ctx.Err() != nil {
		return fmt.Errorf("query interrupted: %w", context.Cause(ctx))
	}
	return err
}

// column is a result column as DuckDB types it.
type column struct {
	name string
	duck duckType
}

// prepare parses and binds a text that must hold exactly one statement; the statement must be destroyed.
func (s *session) prepare(query string) (stmt mapping.PreparedStatement, statements int, err error) {
	var list mapping.ExtractedStatements
	n := mapping.ExtractStatements(s.conn, query, &list)
	defer mapping.DestroyExtracted(&list)
	if n == 0 {
		msg := mapping.ExtractStatementsError(list)
		if msg == "" {
			return stmt, 0, nil
		}
		return stmt, 0, duckError(msg)
	}
	if n > 1 {
		return stmt, int(n), nil
	}
	if mapping.PrepareExtractedStatement(s.conn, list, 0, &stmt) == mapping.StateError {
		err = duckError(mapping.PrepareError(stmt))
		mapping.DestroyPrepare(&stmt)
		return stmt, 1, err
	}
	return stmt, 1, nil
}

// prepared runs fn with our own query, prepared.
func (s *session) prepared(query string, fn func(mapping.PreparedStatement) error) error {
	stmt, n, err := s.prepare(query)
	if err != nil {
		return err
	}
	if n != 1 {
		return errs.New(errs.Internal, "%d statements in %q", n, query)
	}
	defer mapping.DestroyPrepare(&stmt)
	return fn(stmt)
}

// exec runs one of our own statements to its end and returns the number of rows it changed or copied.
func (s *session) exec(ctx context.Context, query string) (rows int64, err error) {
	err = s.watched(ctx, func() error {
		return s.prepared(query, func(stmt mapping.PreparedStatement) error {
			res, err := run(stmt, false)
			if err != nil {
				return err
			}
			rows = int64(mapping.RowsChanged(&res))
			mapping.DestroyResult(&res)
			return nil
		})
	})
	return rows, err
}

func run(stmt mapping.PreparedStatement, streaming bool) (res mapping.Result, err error) {
	var pending mapping.PendingResult
	start := mapping.PendingPrepared
	if streaming {
		// Deprecated since DuckDB announced another way to ask for the same; the driver's mapping leaves it out.
		start = bindings.PendingPreparedStreaming
	}
	state := start(stmt, &pending)
	defer mapping.DestroyPending(&pending)
	if state == mapping.StateError {
		return res, duckError(mapping.PendingError(pending))
	}
	if mapping.ExecutePending(pending, &res) == mapping.StateError {
		err = duckError(mapping.ResultError(&res))
		mapping.DestroyResult(&res)
	}
	return res, err
}

// describe returns the columns of one of our own SELECT statements without running it.
func (s *session) describe(ctx context.Context, query string) (cols []column, err error) {
	err = s.watched(ctx, func() error {
		return s.prepared(query, func(stmt mapping.PreparedStatement) error {
			cols = statementColumns(stmt)
			return nil
		})
	})
	return cols, err
}

func statementColumns(stmt mapping.PreparedStatement) []column {
	cols := make([]column, mapping.PreparedStatementColumnCount(stmt))
	for i := range cols {
		t := mapping.PreparedStatementColumnLogicalType(stmt, mapping.IdxT(i))
		cols[i] = column{name: mapping.PreparedStatementColumnName(stmt, mapping.IdxT(i)), duck: duckTypeOf(t)}
		mapping.DestroyLogicalType(&t)
	}
	return cols
}

// stream runs one of our own SELECT statements, whose columns have the types of fields, and hands over its chunks as
// they come; a chunk's batch views DuckDB's memory and is valid only inside use. Memory stays bounded.
func (s *session) stream(ctx context.Context, query string, fields []abi.Field, use func(*abi.Batch) error) error {
	var fnErr error // an error of the caller's is not DuckDB's and is not replaced by the context's
	err := s.watched(ctx, func() error {
		return s.prepared(query, func(stmt mapping.PreparedStatement) error {
			res, err := run(stmt, true)
			if err != nil {
				return err
			}
			defer mapping.DestroyResult(&res)
			r := newChunkReader(fields)
			for {
				chunk := mapping.FetchChunk(res)
				if chunk.Ptr == nil {
					if msg := mapping.ResultError(&res); msg != "" {
						return duckError(msg)
					}
					return nil
				}
				b, err := r.read(chunk)
				if err == nil && b.Rows > 0 {
					fnErr = use(b)
				}
				mapping.DestroyDataChunk(&chunk)
				if err != nil {
					return err
				}
				if fnErr != nil {
					return nil
				}
				if ctx.Err() != nil {
					return context.Cause(ctx)
				}
			}
		})
	})
	if fnErr != nil {
		return fnErr
	}
	return err
}

// texts runs one of our own queries with one VARCHAR column without nulls.
func (s *session) texts(ctx context.Context, query string) (out []string, err error) {
	err = s.stream(ctx, query, []abi.Field{{Name: "text", Type: abi.UTF8}}, func(b *abi.Batch) error {
		for i := range b.Rows {
			out = append(out, b.Columns[0].TextAt(i))
		}
		return nil
	})
	return out, err
}

// fileExists gives the usual answer to a missing source before DuckDB gives a longer one.
func fileExists(path, what string) error {
	st, err := os.Stat(path)
	switch {
	case os.IsNotExist(err):
		return errs.New(errs.NotFound, "%s: the file does not exist", what)
	case err != nil:
		return fmt.Errorf("%s: %w", what, err)
	case !st.Mode().IsRegular():
		return errs.New(errs.Invalid, "%s: not a regular file", what)
	}
	return nil
}
