package rest

import (
	"bytes"
	"context"
	"encoding/csv"
	"errors"
	"io"
	"io/fs"
	"mime"
	"strconv"
	"strings"

	"github.com/weir-ml/weir/host/datasets"
	"github.com/weir-ml/weir/host/edge/httpd"
	"github.com/weir-ml/weir/host/errs"
	"github.com/weir-ml/weir/host/schema"
	"github.com/weir-ml/weir/sdk/abi"
)

// Build is the body of a build: SQL over other data sets, each a view of its name.
type Build struct {
	SQL       string                 `json:"sql"`
	Inputs    []string               `json:"inputs"`
	Functions []datasets.FunctionRef `json:"functions,omitempty"`
}

func (a *api) listDatasets(c *httpd.Call) error {
	v, err := list(a.d.Datasets.List(c.Context()))
	return answer(c, 200, v, err)
}

func (a *api) datasetVersions(c *httpd.Call) error {
	name, err := c.Param("name")
	if err != nil {
		return err
	}
	v, err := list(a.d.Datasets.Versions(c.Context(), name))
	return answer(c, 200, v, err)
}

func (a *api) getDataset(c *httpd.Call) error {
	ref, err := c.Param("ref")
	if err != nil {
		return err
	}
	v, err := a.d.Datasets.Get(c.Context(), ref)
	return answer(c, 200, v, err)
}

func (a *api) deleteDataset(c *httpd.Call) error {
	ref, err := c.Param("ref")
	if err != nil {
		return err
	}
	if err := a.d.Datasets.Delete(c.Context(), ref); err != nil {
		return err
	}
	return c.NoContent()
}

func (a *api) importDataset(c *httpd.Call) error {
	name, err := c.Param("name")
	if err != nil {
		return err
	}
	format, err := importFormat(c.Query("format"), c.Header("Content-Type"))
	if err != nil {
		return err
	}
	source, from := c.Query("source"), c.BodyReader()
	if p := c.Query("path"); p != "" {
		f, err := a.serverFile(p)
		if err != nil {
			return err
		}
		defer f.Close()
		from = f
		if source == "" {
			source = p
		}
	}
	if source == "" {
		source = "upload"
	}
	v, err := a.d.Datasets.Import(c.Context(), name, format, from, source)
	return answer(c, 200, v, err)
}

// serverFile opens a file of this machine. The root refuses to be left, by "..", an absolute path or a link.
func (a *api) serverFile(path string) (io.ReadCloser, error) {
	if a.d.Files == nil {
		return nil, errs.New(errs.Forbidden, "query path: this server names no data root (--data-root), so no file of its machine can be read: send the file itself")
	}
	path = strings.Clone(path) // the query's memory is the server's
	if !fs.ValidPath(path) {
		return nil, errs.New(errs.Invalid, "query path: %q: want a path below the data root, without . and .. and a leading /", path)
	}
	f, err := a.d.Files.Open(path)
	if err != nil {
		return nil, errs.New(errs.NotFound, "query path: %q cannot be read below the data root: %w", path, errors.Unwrap(err))
	}
	if i, err := f.Stat(); err != nil || !i.Mode().IsRegular() {
		_ = f.Close() // it was only read
		return nil, errs.New(errs.Invalid, "query path: %q is not a file", path)
	}
	return f, nil
}

func importFormat(query, contentType string) (string, error) {
	switch query {
	case "csv", "parquet":
		return query, nil
	case "":
	default:
		return "", errs.New(errs.Invalid, "query format: %q: use csv or parquet", query)
	}
	t, _, err := mime.ParseMediaType(contentType)
	switch {
	case err != nil && contentType != "":
		return "", errs.New(errs.Invalid, "Content-Type %q: %w", contentType, err)
	case t == "text/csv":
		return "csv", nil
	case t == parquetType || t == "application/x-parquet" || t == "application/parquet":
		return "parquet", nil
	}
	return "", errs.New(errs.Invalid, "Content-Type %q does not say what the file is: send text/csv or %s, or ?format=csv or ?format=parquet", contentType, parquetType)
}

func (a *api) buildDataset(c *httpd.Call) error {
	name, err := c.Param("name")
	if err != nil {
		return err
	}
	b, err := decode[Build](c)
	if err != nil {
		return err
	}
	v, err := a.d.Datasets.Build(c.Context(), datasets.BuildRequest{Name: name, SQL: b.SQL, Inputs: b.Inputs, Functions: b.Functions})
	return answer(c, 200, v, err)
}

func (a *api) datasetData(c *httpd.Call) error {
	ref, err := c.Param("ref")
	if err != nil {
		return err
	}
	format := c.Query("format")
	if format == "" || format == "parquet" {
		r, size, err := a.d.Datasets.OpenData(c.Context(), ref)
		if err != nil {
			return err
		}
		return c.Stream(200, parquetType, r, size)
	}
	if format != "json" && format != "csv" {
		return errs.New(errs.Invalid, "query format: %q: use parquet, json or csv", format)
	}
	n, err := limit(c, 100, 10_000)
	if err != nil {
		return err
	}
	var columns []string
	if q := c.Query("columns"); q != "" {
		columns = strings.Split(q, ",")
	}
	b, err := a.head(c.Context(), ref, columns, n)
	if err != nil {
		return err
	}
	if format == "json" {
		return c.Bytes(200, "application/json", schema.EncodeRows(b, schema.RowsForm))
	}
	text, err := csvOf(b)
	if err != nil {
		return err
	}
	return c.Bytes(200, "text/csv", text)
}

// head is the first n rows of a data set version.
func (a *api) head(ctx context.Context, ref string, columns []string, n int) (*abi.Batch, error) {
	v, err := a.d.Datasets.Get(ctx, ref)
	if err != nil {
		return nil, err
	}
	var rows [][]byte // as JSON objects: batches may end anywhere
	fields := v.Columns
	err = a.d.Datasets.Batches(ctx, v.Ref(), columns, func(b *abi.Batch) error {
		fields = b.Fields()
		for r := range b.Rows {
			if len(rows) == n {
				return errStop
			}
			rows = append(rows, schema.AppendObject(nil, b, r))
		}
		return nil
	})
	if err != nil && !errors.Is(err, errStop) {
		return nil, err
	}
	return schema.DecodeObjects(rows, fields)
}

// csvOf writes a header line and the rows. A null is an empty field; vectors are JSON arrays.
func csvOf(b *abi.Batch) ([]byte, error) {
	var out bytes.Buffer
	w := csv.NewWriter(&out)
	line := make([]string, len(b.Columns))
	for i, f := range b.Fields() {
		line[i] = f.Name
	}
	if err := w.Write(line); err != nil {
		return nil, err
	}
	for r := range b.Rows {
		for i := range b.Columns {
			line[i] = csvValue(&b.Columns[i], r)
		}
		if err := w.Write(line); err != nil {
			return nil, err
		}
	}
	w.Flush()
	return out.Bytes(), w.Error()
}

func csvValue(c *abi.Column, r int) string {
	if c.IsNull(r) {
		return ""
	}
	if c.Type == abi.UTF8 {
		return c.TextAt(r)
	}
	text := string(schema.AppendValue(nil, c, r))
	if s, err := strconv.Unquote(text); err == nil {
		return s
	}
	return text
}
