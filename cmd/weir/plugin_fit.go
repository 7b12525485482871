package main

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"github.com/weir-ml/weir/sdk/client"
)

func (s *session) pluginFit() *cobra.Command {
	var name, dataset, options string
	var columns []string
	c := &cobra.Command{
		Use: "fit PLUGIN --dataset REF", Short: "Learn a plugin's parameters from a data set and store them", Args: args(1, 1),
		Long: `Learn a plugin's parameters from a data set (scikit-learn's fit) and store them as the next version of a parameter document,
with their lineage. A manifest then says "parameters": "NAME@VERSION" where the object would stand.`,
		RunE: func(cmd *cobra.Command, a []string) error {
			if dataset == "" {
				return wrong("name the data to learn from: --dataset NAME or NAME@VERSION")
			}
			if name == "" {
				name, _, _ = strings.Cut(a[0], "@")
			}
			r := client.FitRequest{Plugin: a[0], Dataset: dataset, Columns: columns}
			if options != "" {
				r.Options = json.RawMessage(options)
				if from, ok := strings.CutPrefix(options, "@"); ok {
					raw, err := os.ReadFile(from)
					if err != nil {
						return err
					}
					r.Options = raw
				}
				if !json.Valid(r.Options) {
					return wrong("--options is no JSON: give an object, or @FILE")
				}
			}
			c, err := s.client()
			if err != nil {
				return err
			}
			d, err := c.Fit(cmd.Context(), name, r)
			if err != nil {
				return err
			}
			return s.show(d, func(w io.Writer) { showParameters(w, d) })
		},
	}
	c.Flags().StringVar(&name, "name", "", "name of the parameter document (default: the plugin's)")
	c.Flags().StringVar(&dataset, "dataset", "", "the data set version to learn from")
	c.Flags().StringSliceVar(&columns, "columns", nil, "columns to learn from, in order (default: all that the recipe can take)")
	c.Flags().StringVar(&options, "options", "", "the recipe's options: a JSON object, or @FILE")
	return c
}

func (s *session) pluginParameters() *cobra.Command {
	var versions, forget bool
	c := &cobra.Command{
		Use: "parameters [NAME|NAME@VERSION]", Short: "List, show or delete fitted parameter documents", Args: args(0, 1),
		RunE: func(cmd *cobra.Command, a []string) error {
			c, err := s.client()
			if err != nil {
				return err
			}
			if len(a) == 1 && forget {
				return c.DeleteParameters(cmd.Context(), a[0])
			}
			if len(a) == 1 && !versions {
				d, err := c.ParameterDocument(cmd.Context(), a[0])
				if err != nil {
					return err
				}
				return s.show(d, func(w io.Writer) { showParameters(w, d) })
			}
			var list []client.Parameters
			switch {
			case len(a) == 1:
				list, err = c.ParameterVersions(cmd.Context(), a[0])
			case forget:
				return wrong("--delete needs a NAME or NAME@VERSION")
			default:
				list, err = c.ParameterDocuments(cmd.Context())
			}
			if err != nil {
				return err
			}
			return s.show(list, func(w io.Writer) {
				line(w, "NAME", "VERSION", "PLUGIN", "DATASET", "ROWS", "COLUMNS", "AGE", "DIGEST")
				for _, d := range list {
					line(w, d.Name, d.Version, d.Plugin, d.Lineage.Dataset, d.Lineage.Rows, len(d.Lineage.Columns), age(d.Created), short(d.Digest))
				}
			})
		},
	}
	c.Flags().BoolVar(&versions, "versions", false, "list all versions of NAME")
	c.Flags().BoolVar(&forget, "delete", false, "forget the version, or all of NAME")
	return c
}

func showParameters(w io.Writer, d client.Parameters) {
	line(w, "document:", fmt.Sprintf("%s@%d", d.Name, d.Version))
	line(w, "plugin:", d.Plugin, "("+short(d.PluginDigest)+")")
	line(w, "dataset:", d.Lineage.Dataset, "("+short(d.Lineage.DatasetDigest)+")")
	line(w, "rows:", d.Lineage.Rows)
	line(w, "columns:", strings.Join(d.Lineage.Columns, ", "))
	line(w, "recipe:", d.Lineage.Recipe)
	line(w, "digest:", d.Digest)
	text := string(d.Parameters)
	if len(text) > 400 {
		text = text[:400] + "… (all of it: -o json)"
	}
	line(w, "parameters:", text)
}
