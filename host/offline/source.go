package offline

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/weir-ml/weir/host/errs"
	"github.com/weir-ml/weir/sdk/abi"
)

// Format is a file format.
type Format string

// The formats.
const (
	CSV     Format = "csv"
	Parquet Format = "parquet"
)

// Source is a file that SQL sees as a view.
type Source struct {
	Name   string // of the view; messages use it too, and the file's base name where it is empty
	Path   string
	Format Format
}

func (s Source) what() string {
	if s.Name != "" {
		return string(s.Format) + " " + strconv.Quote(s.Name)
	}
	return string(s.Format) + " file " + strconv.Quote(filepath.Base(s.Path))
}

// path checks what must hold of a path before it is written into SQL and into the list of allowed ones.
func cleanPath(what, path string) (string, error) {
	abs, err := filepath.Abs(path)
	if err != nil || path == "" {
		return "", errs.New(errs.Invalid, "%s: no usable path", what)
	}
	if strings.ContainsAny(abs, "*?[]{}\x00") {
		return "", errs.New(errs.Invalid, "%s: the path holds one of * ? [ ] { }, which DuckDB reads as a pattern", what)
	}
	return abs, nil
}

func (s *Source) check() error {
	if s.Format != CSV && s.Format != Parquet {
		return errs.New(errs.Invalid, "source %q has the format %q: use csv or parquet", s.Name, s.Format)
	}
	p, err := cleanPath(s.what(), s.Path)
	if err != nil {
		return err
	}
	s.Path = p
	return fileExists(p, s.what())
}

// relation is a source as SQL: a SELECT whose columns have the types of fields.
type relation struct {
	sql    string
	fields []abi.Field
}

// nulls are the CSV cells that mean "no value", beside the empty one, quoted or not.
const csvOptions = `header = true, quote = '"', escape = '"', comment = '', nullstr = ['', 'NA', 'N/A', 'NULL', 'null'], allow_quoted_nulls = true, null_padding = false, ignore_errors = false`

// csvTypes are tried in this order. TIME is not among them: it has no batch type and stays text.
const csvTypes = `['BOOLEAN', 'BIGINT', 'DOUBLE', 'DATE', 'TIMESTAMP', 'TIMESTAMPTZ', 'VARCHAR']`

// open works out a source's columns. For CSV that reads the file twice: once for its structure, once for its types.
func (s *session) open(ctx context.Context, src Source) (relation, error) {
	from := "read_parquet(" + quoteText(src.Path) + ")"
	if src.Format == CSV {
		var err error
		if from, err = s.openCSV(ctx, src); err != nil {
			return relation{}, err
		}
	}
	cols, err := s.describe(ctx, "SELECT * FROM "+from)
	if err != nil {
		return relation{}, fmt.Errorf("%s: %w", src.what(), duckReason(err))
	}
	sizes, err := s.vectorSizes(ctx, src, from, cols)
	if err != nil {
		return relation{}, err
	}
	list, fields, err := project(src.what(), cols, sizes)
	if err != nil {
		return relation{}, err
	}
	return relation{sql: "SELECT " + list + " FROM " + from, fields: fields}, nil
}

func (s *session) openCSV(ctx context.Context, src Source) (from string, err error) {
	f, err := os.Open(src.Path)
	if err != nil {
		return "", fmt.Errorf("%s: %w", src.what(), err)
	}
	defer f.Close()
	shape, err := scanCSV(src.what(), ctxReader{ctx, f})
	if err != nil {
		return "", err
	}
	options := fmt.Sprintf("%s, delim = %s, max_line_size = %d", csvOptions, quoteText(string(shape.delim)), maxLine)
	// The sniffer's own text for a column's type and for the formats of dates goes back into the reader, so that the
	// file is not sniffed again each time that the view is bound.
	const one = "coalesce(DateFormat, ''), coalesce(TimestampFormat, '')"
	found, err := s.texts(ctx, "SELECT unnest([c.type FOR c IN Columns] || ["+one+"]) FROM sniff_csv("+quoteText(src.Path)+
		", sample_size = -1, auto_type_candidates = "+csvTypes+", "+options+")")
	if err != nil {
		return "", csvError(src, err)
	}
	if len(found) != len(shape.names)+2 {
		return "", errs.New(errs.Invalid, "%s: the header has %d columns and the rows have %d", src.what(), len(shape.names), len(found)-2)
	}
	types := make([]string, len(shape.names))
	for i, n := range shape.names {
		types[i] = quoteText(n) + ": " + quoteText(found[i])
	}
	for i, name := range []string{"dateformat", "timestampformat"} {
		if v := found[len(shape.names)+i]; v != "" {
			options += fmt.Sprintf(", %s = %s", name, quoteText(v))
		}
	}
	return "read_csv(" + quoteText(src.Path) + ", auto_detect = false, " + options + ", columns = {" + strings.Join(types, ", ") + "})", nil
}

// vectorsKey is the Parquet metadata key under which a file written here keeps the lengths of its vectors, as JSON
// {"column": n}: Parquet itself has only lists.
const vectorsKey = "weir_vectors"

// vectorSizes finds the length of each float list: from the file's own metadata, else by measuring the rows.
func (s *session) vectorSizes(ctx context.Context, src Source, from string, cols []column) (map[string]int, error) {
	var lists []string
	for _, c := range cols {
		if c.duck.floatList() {
			lists = append(lists, c.name)
		}
	}
	if len(lists) == 0 {
		return nil, nil
	}
	sizes := map[string]int{}
	if src.Format == Parquet {
		texts, err := s.texts(ctx, "SELECT decode(value) FROM parquet_kv_metadata("+quoteText(src.Path)+") WHERE decode(key) = "+quoteText(vectorsKey))
		if err != nil {
			return nil, fmt.Errorf("%s: read metadata: %w", src.what(), err)
		}
		for _, t := range texts {
			if err := json.Unmarshal([]byte(t), &sizes); err != nil {
				return nil, errs.New(errs.Invalid, "%s: metadata %s is no JSON object of lengths: %w", src.what(), vectorsKey, err)
			}
		}
	}
	for _, name := range lists {
		if n := sizes[name]; n > 0 && n <= MaxVector {
			continue
		}
		id := quoteIdent(name)
		var least, most int64
		err := s.stream(ctx, fmt.Sprintf("SELECT coalesce(min(len(%s)), 0)::BIGINT, coalesce(max(len(%s)), 0)::BIGINT FROM %s", id, id, from),
			[]abi.Field{{Name: "min", Type: abi.Int64}, {Name: "max", Type: abi.Int64}}, func(b *abi.Batch) error {
				least, most = b.Columns[0].Int64s()[0], b.Columns[1].Int64s()[0]
				return nil
			})
		if err != nil {
			return nil, fmt.Errorf("%s: column %q: %w", src.what(), name, duckReason(err))
		}
		if least != most || least < 1 || most > MaxVector {
			return nil, errs.New(errs.Invalid, "%s: column %q is a list of %d to %d elements: a vector column has the same number, 1 to %d, in every row", src.what(), name, least, most, MaxVector)
		}
		sizes[name] = int(least)
	}
	return sizes, nil
}

// vectorMetadata is the KV_METADATA clause that vectorSizes reads back; "" when there is no vector.
func vectorMetadata(fields []abi.Field) string {
	sizes := map[string]int{}
	for _, f := range fields {
		if f.Type == abi.FloatVector {
			sizes[f.Name] = f.ListSize
		}
	}
	if len(sizes) == 0 {
		return ""
	}
	b, _ := json.Marshal(sizes) // a map of strings and numbers always marshals, its keys sorted
	return fmt.Sprintf(", KV_METADATA {%s: %s}", vectorsKey, quoteText(string(b)))
}

// csvError keeps of DuckDB's CSV error, which lists every option, the sentences that say where and why.
func csvError(src Source, err error) error {
	msg := err.Error()
	if !strings.Contains(msg, "CSV Error") && !strings.Contains(msg, "sniffing") {
		return fmt.Errorf("%s: %w", src.what(), duckReason(err))
	}
	var keep []string
	for _, line := range strings.Split(msg, "\n") {
		line = strings.TrimSpace(line)
		if strings.HasPrefix(line, "Possible") || strings.HasPrefix(line, "file") {
			break
		}
		if line != "" {
			keep = append(keep, line)
		}
	}
	return errs.New(errs.Invalid, "%s: %s", src.what(), strings.Join(keep, "; "))
}

// ctxReader stops a long read when ctx ends.
type ctxReader struct {
	ctx context.Context
	f   *os.File
}

func (r ctxReader) Read(p []byte) (int, error) {
	if r.ctx.Err() != nil {
		return 0, context.Cause(r.ctx)
	}
	return r.f.Read(p)
}
