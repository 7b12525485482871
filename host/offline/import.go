package offline

import (
	"context"
	"fmt"
	"os"

	"github.com/weir-ml/weir/host/errs"
	"github.com/weir-ml/weir/sdk/abi"
)

// Table says what a Parquet file written here holds.
type Table struct {
	Columns []abi.Field
	Rows    int64
}

// Every Parquet file is written with these options, in the order of its rows, so that one input has one digest.
// The row group size is DuckDB's own default, pinned.
const parquetOptions = "FORMAT parquet, USE_TMP_FILE false, COMPRESSION zstd, ROW_GROUP_SIZE 122880, PARQUET_VERSION V1"

// Import reads a CSV or Parquet file and writes it to out as Parquet, every column in one of the batch types (Supported
// lists them, with what is converted). The order of rows stays; the same content gives the same bytes.
//
// CSV: UTF-8, a header line, the delimiter , ; tab or |, quotes doubled inside quotes; types are inferred over the whole
// file; an empty cell and NA, N/A, NULL, null are nulls. Errors of kind Invalid name line and column.
//
// An existing out is replaced; after an error there is none. It is not fsynced.
func (e *Engine) Import(ctx context.Context, src Source, out string) (Table, error) {
	if err := src.check(); err != nil {
		return Table{}, err
	}
	out, err := cleanPath("output", out)
	if err != nil {
		return Table{}, err
	}
	var t Table
	err = e.with(ctx, opImport, []string{src.Path, out}, func(ctx context.Context, s *session) error {
		rel, err := s.open(ctx, src)
		if err != nil {
			return err
		}
		t.Columns = rel.fields
		if t.Rows, err = s.copyTo(ctx, rel.sql, rel.fields, out); err != nil {
			if src.Format == CSV {
				return csvError(src, err)
			}
			return fmt.Errorf("%s: %w", src.what(), duckReason(err))
		}
		return nil
	})
	if err != nil {
		return Table{}, err
	}
	return t, nil
}

// copyTo writes a SELECT of ours as Parquet. What is left of a failed write is removed.
func (s *session) copyTo(ctx context.Context, query string, fields []abi.Field, out string) (int64, error) {
	rows, err := s.exec(ctx, "COPY ("+query+") TO "+quoteText(out)+" ("+parquetOptions+vectorMetadata(fields)+")")
	if err != nil {
		_ = os.Remove(out) // it may never have been made; the query's error matters
		return 0, err
	}
	return rows, nil
}

// checkSources checks a query's sources and lists their files.
func checkSources(sources []Source) (files []string, err error) {
	seen := map[string]string{}
	for i := range sources {
		src := &sources[i]
		if src.Name == "" {
			return nil, errs.New(errs.Invalid, "source %d has no name", i+1)
		}
		if err := checkName("sources", i, src.Name, seen); err != nil {
			return nil, err
		}
		if err := src.check(); err != nil {
			return nil, err
		}
		files = append(files, src.Path)
	}
	return files, nil
}
