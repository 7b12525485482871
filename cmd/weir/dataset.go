package main

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"github.com/weir-ml/weir/sdk/client"
)

func (s *session) datasetCommand() *cobra.Command {
	return group("dataset", "Import, build and read data sets", s.datasetImport(), s.datasetList(), s.datasetGet(), s.datasetBuild(), s.datasetDelete())
}

func (s *session) datasetImport() *cobra.Command {
	var format string
	var onServer bool
	c := &cobra.Command{
		Use: "import NAME FILE", Short: "Import a CSV or Parquet file as the next version", Args: args(2, 2),
		RunE: func(cmd *cobra.Command, a []string) error {
			if format == "" {
				if format = client.FormatOf(a[1]); format == "" {
					return wrong("%s: the name does not say what the file is: add --format csv or --format parquet", a[1])
				}
			}
			c, err := s.client()
			if err != nil {
				return err
			}
			if onServer {
				v, err := c.ImportServerFile(cmd.Context(), a[0], format, a[1])
				if err != nil {
					return err
				}
				return s.show(v, func(w io.Writer) { showDataset(w, v) })
			}
			r, done, err := s.source(a[1])
			if err != nil {
				return err
			}
			defer done()
			v, err := c.ImportDataset(cmd.Context(), a[0], format, filepath.Base(a[1]), r)
			if err != nil {
				return err
			}
			return s.show(v, func(w io.Writer) { showDataset(w, v) })
		},
	}
	c.Flags().StringVar(&format, "format", "", "csv or parquet (default: by the file's name)")
	c.Flags().BoolVar(&onServer, "on-server", false, "FILE is one of the server's machine, below its --data-root")
	return c
}

func (s *session) datasetList() *cobra.Command {
	return &cobra.Command{
		Use: "ls [NAME]", Short: "List data sets, or the versions of one", Args: args(0, 1),
		RunE: func(cmd *cobra.Command, a []string) error {
			c, err := s.client()
			if err != nil {
				return err
			}
			var list []client.Dataset
			if len(a) == 1 {
				list, err = c.DatasetVersions(cmd.Context(), a[0])
			} else {
				list, err = c.Datasets(cmd.Context())
			}
			if err != nil {
				return err
			}
			return s.show(list, func(w io.Writer) {
				line(w, "NAME", "VERSION", "ROWS", "COLUMNS", "BYTES", "AGE", "SOURCE", "DIGEST")
				for _, v := range list {
					line(w, v.Name, v.Version, v.Rows, len(v.Columns), v.Bytes, age(v.Created), v.Source, short(v.Digest))
				}
			})
		},
	}
}

func (s *session) datasetGet() *cobra.Command {
	var to string
	var head int
	c := &cobra.Command{
		Use: "get REF", Short: "Show a version (name, name@3), some of its rows, or save its file", Args: args(1, 1),
		RunE: func(cmd *cobra.Command, a []string) error {
			c, err := s.client()
			if err != nil {
				return err
			}
			switch {
			case to != "" && head > 0:
				return wrong("--to saves the whole file: it has no use with --head")
			case to != "":
				r, err := c.DatasetData(cmd.Context(), a[0], "parquet", 0)
				if err != nil {
					return err
				}
				defer r.Close()
				return save(s.out, to, r)
			case head > 0:
				format := map[string]string{"table": "csv", "json": "json", "yaml": "json"}[s.format]
				r, err := c.DatasetData(cmd.Context(), a[0], format, head)
				if err != nil {
					return err
				}
				defer r.Close()
				_, err = io.Copy(s.out, r)
				return err
			}
			v, err := c.Dataset(cmd.Context(), a[0])
			if err != nil {
				return err
			}
			return s.show(v, func(w io.Writer) { showDataset(w, v) })
		},
	}
	c.Flags().StringVar(&to, "to", "", "save the Parquet file here; - is standard output")
	c.Flags().IntVar(&head, "head", 0, "print so many rows, as CSV or with -o json as JSON")
	return c
}

// save writes a whole file or none.
func save(out io.Writer, to string, r io.Reader) error {
	if to == "-" {
		_, err := io.Copy(out, r)
		return err
	}
	tmp, err := os.CreateTemp(filepath.Dir(to), "."+filepath.Base(to)+".*")
	if err != nil {
		return err
	}
	defer os.Remove(tmp.Name()) // gone already when all went well
	if _, err := io.Copy(tmp, r); err != nil {
		_ = tmp.Close() // the first error counts
		return err
	}
	if err := tmp.Close(); err != nil {
		return err
	}
	return os.Rename(tmp.Name(), to)
}

func (s *session) datasetBuild() *cobra.Command {
	var sql string
	var inputs, functions []string
	c := &cobra.Command{
		Use: "build NAME --sql SELECT --input REF...", Short: "Build the next version from others by SQL", Args: args(1, 1),
		Long: "Build the next version of a data set from others by SQL. Each input is a view of its name. --function NAME=PLUGIN makes a\n" +
			"plugin callable; parameters follow after a second equals sign as JSON: --function 'scale=standardize={\"columns\":[…]}'.",
		RunE: func(cmd *cobra.Command, a []string) error {
			text, err := s.argument(sql)
			if err != nil {
				return err
			}
			b := client.Build{SQL: string(text), Inputs: inputs}
			for _, f := range functions {
				parts := strings.SplitN(f, "=", 3)
				if len(parts) < 2 {
					return wrong("--function %q: write NAME=PLUGIN or NAME=PLUGIN={…}", f)
				}
				ref := client.FunctionRef{Name: parts[0], Plugin: parts[1]}
				if len(parts) == 3 {
					raw, err := s.argument(parts[2])
					if err != nil {
						return err
					}
					if !json.Valid(raw) {
						return wrong("--function %q: the parameters are not JSON", f)
					}
					ref.Parameters = raw
				}
				b.Functions = append(b.Functions, ref)
			}
			c, err := s.client()
			if err != nil {
				return err
			}
			v, err := c.BuildDataset(cmd.Context(), a[0], b)
			if err != nil {
				return err
			}
			return s.show(v, func(w io.Writer) { showDataset(w, v) })
		},
	}
	f := c.Flags()
	f.StringVar(&sql, "sql", "", "one SELECT; @file reads it from a file")
	f.StringArrayVar(&inputs, "input", nil, "a data set, name or name@3; may be given several times")
	f.StringArrayVar(&functions, "function", nil, "NAME=PLUGIN[=PARAMETERS]; may be given several times")
	return c
}

func (s *session) datasetDelete() *cobra.Command {
	return &cobra.Command{
		Use: "delete REF", Short: "Forget one version (name@3) or a whole data set (name)", Args: args(1, 1),
		RunE: func(cmd *cobra.Command, a []string) error {
			c, err := s.client()
			if err != nil {
				return err
			}
			if err := c.DeleteDataset(cmd.Context(), a[0]); err != nil {
				return err
			}
			return s.show(map[string]string{"ref": a[0], "action": "deleted"}, func(w io.Writer) { line(w, "dataset", a[0], "deleted") })
		},
	}
}

func showDataset(w io.Writer, v client.Dataset) {
	line(w, "dataset:", fmt.Sprintf("%s@%d", v.Name, v.Version))
	line(w, "rows:", v.Rows)
	line(w, "bytes:", v.Bytes)
	line(w, "digest:", v.Digest)
	line(w, "source:", v.Source)
	columns := make([]string, len(v.Columns))
	for i, f := range v.Columns {
		columns[i] = f.Name + " " + f.Type.String()
	}
	line(w, "columns:", strings.Join(columns, ", "))
	if l := v.Lineage; l != nil {
		line(w, "inputs:", strings.Join(l.Inputs, ", "))
		line(w, "sql:", strings.Join(strings.Fields(l.SQL), " "))
		for _, f := range l.Functions {
			line(w, "function:", fmt.Sprintf("%s = %s (%s)", f.Name, f.Plugin, short(f.Digest)))
		}
	}
}
