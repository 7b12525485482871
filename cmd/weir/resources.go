package main

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"os"

	"github.com/spf13/cobra"

	"github.com/weir-ml/weir/sdk/client"
)

func digestOf(path string) (string, error) {
	f, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer f.Close()
	h := sha256.New()
	if _, err := io.Copy(h, f); err != nil {
		return "", err
	}
	return "sha256:" + hex.EncodeToString(h.Sum(nil)), nil
}

func (s *session) applyCommand() *cobra.Command {
	var file string
	var dry bool
	c := &cobra.Command{
		Use: "apply -f FILE", Short: "Apply a manifest, all or nothing", Args: args(0, 0),
		Long: "Apply the resources of a manifest (YAML or JSON, several documents allowed), all or nothing.\n" +
			"Files that a spec names by `file`, relative to the manifest, are uploaded first. Applying twice changes nothing.",
		RunE: func(c *cobra.Command, _ []string) error {
			results, err := s.send(c.Context(), file, dry)
			if err != nil {
				return err
			}
			if err := s.show(results, func(w io.Writer) {
				for _, r := range results {
					action := r.Action
					if dry {
						action = "would be " + action
					}
					line(w, r.Kind, r.Name, action, r.State, r.Reason)
					if s.format == "table" {
						for _, f := range r.Changes {
							fmt.Fprintf(w, "  %s\n", change(f))
						}
					}
				}
			}); err != nil {
				return err
			}
			return failedObjects(results)
		},
	}
	c.Flags().StringVarP(&file, "file", "f", "", "the manifest; - is standard input")
	c.Flags().BoolVar(&dry, "dry-run", false, "check and show what would change")
	return c
}

func (s *session) send(ctx context.Context, file string, dry bool) ([]client.ApplyResult, error) {
	m, err := s.readManifest(file)
	if err != nil {
		return nil, err
	}
	c, err := s.client()
	if err != nil {
		return nil, err
	}
	text, err := s.withBlobs(ctx, c, m)
	if err != nil {
		return nil, err
	}
	return c.Apply(ctx, text, dry)
}

// failedObjects is exit 1 when something was stored but could not be made so.
func failedObjects(results []client.ApplyResult) error {
	for _, r := range results {
		if r.State == "failed" {
			return &exit{1, fmt.Errorf("%s %q is stored, but not ready: %s", r.Kind, r.Name, r.Reason)}
		}
	}
	return nil
}

func change(f client.FieldChange) string {
	text := func(v any) string {
		b, err := json.Marshal(v)
		if err != nil {
			return fmt.Sprint(v)
		}
		return string(b)
	}
	switch {
	case f.Old == nil:
		return fmt.Sprintf("+ %s: %s", f.Path, text(f.New))
	case f.New == nil:
		return fmt.Sprintf("- %s: %s", f.Path, text(f.Old))
	}
	return fmt.Sprintf("~ %s: %s → %s", f.Path, text(f.Old), text(f.New))
}

func (s *session) diffCommand() *cobra.Command {
	var file string
	var code bool
	c := &cobra.Command{
		Use: "diff -f FILE", Short: "Show what apply would change", Args: args(0, 0),
		RunE: func(c *cobra.Command, _ []string) error {
			results, err := s.send(c.Context(), file, true)
			if err != nil && code {
				return &exit{2, err}
			}
			if err != nil {
				return err
			}
			differs := false
			for _, r := range results {
				differs = differs || r.Action != "unchanged"
			}
			err = s.show(results, func(w io.Writer) {
				for _, r := range results {
					if r.Action == "unchanged" {
						continue
					}
					fmt.Fprintf(w, "%s %s (%s)\n", r.Kind, r.Name, r.Action)
					for _, f := range r.Changes {
						fmt.Fprintf(w, "  %s\n", change(f))
					}
				}
			})
			if err == nil && code && differs {
				return &exit{code: 1}
			}
			return err
		},
	}
	c.Flags().StringVarP(&file, "file", "f", "", "the manifest; - is standard input")
	c.Flags().BoolVar(&code, "exit-code", false, "exit with 1 when something would change, with 2 when it cannot be told")
	return c
}

func (s *session) getCommand() *cobra.Command {
	return &cobra.Command{
		Use: "get [KIND [NAME]]", Short: "List resources, or show one", Args: args(0, 2),
		RunE: func(cmd *cobra.Command, a []string) error {
			c, err := s.client()
			if err != nil {
				return err
			}
			var list []client.Object
			var v any
			if len(a) == 2 {
				o, err := c.Get(cmd.Context(), a[0], a[1])
				if err != nil {
					return err
				}
				list, v = []client.Object{o}, o
			} else {
				kind := ""
				if len(a) == 1 {
					kind = a[0]
				}
				if list, err = c.List(cmd.Context(), kind); err != nil {
					return err
				}
				v = list
			}
			return s.show(v, func(w io.Writer) {
				line(w, "KIND", "NAME", "STATE", "REVISION", "AGE", "REASON")
				for _, o := range list {
					var st client.ObjectStatus
					if o.Status != nil {
						st = *o.Status
					}
					line(w, o.Kind, o.Metadata.Name, st.State, o.Revision, age(o.Updated), st.Reason)
				}
			})
		},
	}
}

func (s *session) describeCommand() *cobra.Command {
	return &cobra.Command{
		Use: "describe KIND NAME", Short: "Show a resource with its spec and status", Args: args(2, 2),
		RunE: func(cmd *cobra.Command, a []string) error {
			c, err := s.client()
			if err != nil {
				return err
			}
			o, err := c.Get(cmd.Context(), a[0], a[1])
			if err != nil {
				return err
			}
			text, err := toYAML(o)
			if err != nil {
				return err
			}
			return s.show(o, func(w io.Writer) { fmt.Fprintf(w, "%s", text) })
		},
	}
}

func (s *session) deleteCommand() *cobra.Command {
	return &cobra.Command{
		Use: "delete KIND NAME", Short: "Delete a resource that nothing refers to", Args: args(2, 2),
		RunE: func(cmd *cobra.Command, a []string) error {
			c, err := s.client()
			if err != nil {
				return err
			}
			if err := c.Delete(cmd.Context(), a[0], a[1]); err != nil {
				return err
			}
			return s.show(map[string]string{"kind": a[0], "name": a[1], "action": "deleted"}, func(w io.Writer) { line(w, a[0], a[1], "deleted") })
		},
	}
}
