package offline

import (
	"context"
	"slices"
	"strings"

	"github.com/duckdb/duckdb-go/v2/mapping"

	"github.com/weir-ml/weir/host/errs"
	"github.com/weir-ml/weir/sdk/abi"
)

// MaxSQL is the longest SQL text, in bytes: DuckDB plans longer ones (10,000 UNIONs, say) for minutes, without a way to
// interrupt it.
const MaxSQL = 128 << 10

// Query is one SELECT over files.
type Query struct {
	SQL       string     // exactly one SELECT statement, without parameters
	Sources   []Source   // each is a view; quote names that are no SQL words: "my-data"
	Functions []Function // plugins that the SQL may call
	Output    string     // path of the Parquet file that Query writes; Batches ignores it
}

// Query runs a SELECT and writes its result to q.Output as Parquet, rows in the order of the result. The same sources,
// SQL and functions give the same bytes when the SQL itself fixes the order.
//
// Errors: Invalid with DuckDB's message and position for SQL that is wrong, is no SELECT, or yields a column without a
// batch type; Forbidden when it reaches for files, extensions or settings; NotFound for a missing source; Exhausted when
// memory and disk do not suffice; the Transformer's own kind when a function fails. After an error there is no output.
func (e *Engine) Query(ctx context.Context, q Query) (Table, error) {
	out, err := cleanPath("output", q.Output)
	if err != nil {
		return Table{}, err
	}
	var t Table
	err = e.query(ctx, opQuery, q, []string{out}, func(ctx context.Context, s *session, query string, fields []abi.Field) error {
		rows, err := s.copyTo(ctx, query, fields, out)
		t = Table{Columns: fields, Rows: rows}
		return err
	})
	if err != nil {
		return Table{}, err
	}
	return t, nil
}

// Batches runs a SELECT and hands its result to fn in order, in batches of at most abi.MaxRows rows that belong to fn.
// No rows means no call. The result is never held whole. An error of fn's ends the query and is returned as it is.
// Other errors are Query's. fn must not call the engine: it holds one of its slots.
func (e *Engine) Batches(ctx context.Context, q Query, fn func(*abi.Batch) error) error {
	var fnErr error
	err := e.query(ctx, opBatches, q, nil, func(ctx context.Context, s *session, query string, fields []abi.Field) error {
		j := newJoiner(fields)
		flush := func() error {
			if b := j.take(); b != nil {
				fnErr = fn(b)
			}
			return fnErr
		}
		err := s.stream(ctx, query, fields, func(b *abi.Batch) error {
			if !j.fits(b.Rows) {
				if err := flush(); err != nil {
					return err
				}
			}
			j.add(b)
			return nil
		})
		if err != nil {
			return err
		}
		return flush()
	})
	if fnErr != nil {
		return fnErr
	}
	return err
}

// query sets the session up for q, checks the SQL and calls use with a SELECT that gives its result in batch types.
func (e *Engine) query(ctx context.Context, op string, q Query, files []string, use func(ctx context.Context, s *session, query string, fields []abi.Field) error) error {
	q.Sources = slices.Clone(q.Sources)
	sources, err := checkSources(q.Sources)
	if err != nil {
		return err
	}
	return e.with(ctx, op, append(files, sources...), func(ctx context.Context, s *session) error {
		for _, src := range q.Sources {
			rel, err := s.open(ctx, src)
			if err != nil {
				return err
			}
			if _, err := s.exec(ctx, "CREATE VIEW "+quoteIdent(src.Name)+" AS "+rel.sql); err != nil {
				return errs.New(errs.KindOf(err), "%s cannot be a view: %w", src.what(), duckReason(err))
			}
		}
		fns, err := e.register(ctx, s, q.Functions)
		if err != nil {
			return err
		}
		cols, err := s.selectColumns(ctx, q.SQL)
		if err == nil {
			// query('…') takes the user's text as a value: whatever it holds, it cannot leave its place.
			from := "query(" + quoteText(q.SQL) + ")"
			var list string
			var fields []abi.Field
			if list, fields, err = s.projectQuery(ctx, from, cols); err == nil {
				err = duckReason(use(ctx, s, "SELECT "+list+" FROM "+from, fields))
			}
		}
		if ferr := fns.failure(); ferr != nil && ctx.Err() == nil {
			return ferr
		}
		return err
	})
}

// projectQuery is project for a user's query; lists of floats have the length that the query's rows have.
func (s *session) projectQuery(ctx context.Context, from string, cols []column) (string, []abi.Field, error) {
	seen := map[string]string{}
	for i, c := range cols {
		if err := checkName("the query's result", i, c.name, seen); err != nil {
			return "", nil, err
		}
	}
	for _, c := range cols {
		if c.duck.floatList() {
			return "", nil, errs.New(errs.Invalid, "the query's result: column %q is a list of any length: cast it to a vector, for example %s::FLOAT[3]", c.name, quoteIdent(c.name))
		}
	}
	return project("the query's result", cols, nil)
}

// selectColumns parses and binds the user's SQL, which must be one SELECT, and returns its columns.
func (s *session) selectColumns(ctx context.Context, sql string) (cols []column, err error) {
	if len(sql) > MaxSQL {
		return nil, errs.New(errs.Invalid, "the SQL has %d bytes, at most %d are allowed: put long lists into a source", len(sql), MaxSQL)
	}
	if strings.ContainsRune(sql, 0) {
		return nil, errs.New(errs.Invalid, "the SQL holds a NUL byte")
	}
	err = s.watched(ctx, func() error {
		stmt, n, err := s.prepare(sql)
		if err != nil {
			return err
		}
		defer mapping.DestroyPrepare(&stmt)
		switch {
		case n == 0:
			return errs.New(errs.Invalid, "the SQL is empty: write one SELECT statement")
		case n > 1:
			return errs.New(errs.Invalid, "the SQL holds %d statements (some, like a PIVOT without IN, become several): write one SELECT statement", n)
		case mapping.PreparedStatementType(stmt) != mapping.StatementTypeSelect:
			return errs.New(errs.Forbidden, "only a SELECT statement is allowed: sources are read-only, and settings, files and extensions are out of reach")
		case mapping.NParams(stmt) > 0:
			return errs.New(errs.Invalid, "the SQL has %d parameters (? or $1): write the values", mapping.NParams(stmt))
		}
		cols = statementColumns(stmt)
		return nil
	})
	return cols, err
}
