package main

import (
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"github.com/weir-ml/weir/sdk/client"
)

func (s *session) pluginList() *cobra.Command {
	return &cobra.Command{
		Use: "ls", Short: "List applied and built-in plugins", Args: args(0, 0),
		RunE: func(cmd *cobra.Command, _ []string) error {
			c, err := s.client()
			if err != nil {
				return err
			}
			list, err := c.Plugins(cmd.Context())
			if err != nil {
				return err
			}
			return s.show(list, func(w io.Writer) {
				line(w, "NAME", "CURRENT", "VERSIONS", "ALIASES", "DIGEST", "MODULE", "WORLDS", "SIZE", "FROM", "USED BY")
				for _, p := range list {
					from, current, versions := "applied", fmt.Sprint(p.Version), fmt.Sprint(p.Versions)
					if p.BuiltIn {
						from, current, versions = "built-in", "", ""
					}
					line(w, p.Name, current, versions, strings.ReplaceAll(aliases(p.Aliases), ", ", ","), short(p.Digest), p.ModuleVersion,
						strings.Join(p.Worlds, ","), p.Size, from, p.UsedBy)
				}
			})
		},
	}
}

func (s *session) pluginAlias() *cobra.Command {
	var del bool
	c := &cobra.Command{
		Use: "alias NAME ALIAS VERSION | --delete NAME ALIAS", Short: "Point an alias to a version", Args: args(2, 3),
		Long: "Point an alias to a version, so that NAME@ALIAS means it; what uses the alias follows at once.\n" +
			"VERSION may be another alias. `latest` and `current` are always there and move by themselves.",
		RunE: func(cmd *cobra.Command, a []string) error {
			if del != (len(a) == 2) {
				return wrong("give NAME ALIAS VERSION, or --delete NAME ALIAS")
			}
			c, err := s.client()
			if err != nil {
				return err
			}
			var p client.Plugin
			if del {
				p, err = c.DeletePluginAlias(cmd.Context(), a[0], a[1])
			} else {
				p, err = c.SetPluginAlias(cmd.Context(), a[0], a[1], a[2])
			}
			if err != nil {
				return err
			}
			return s.moved(p, func(w io.Writer) {
				if del {
					line(w, a[0]+"@"+a[1], "deleted")
				} else {
					line(w, a[0]+"@"+a[1], fmt.Sprintf("version %d", p.Aliases[a[1]]), p.Action)
				}
			})
		},
	}
	c.Flags().BoolVar(&del, "delete", false, "delete the alias")
	return c
}

func (s *session) pluginRollback() *cobra.Command {
	var to string
	c := &cobra.Command{
		Use: "rollback NAME", Short: "Make an earlier version current again", Args: args(1, 1),
		Long: "Make an earlier version current again: the one before the current, or --to VERSION or ALIAS. Later versions stay.",
		RunE: func(cmd *cobra.Command, a []string) error {
			c, err := s.client()
			if err != nil {
				return err
			}
			p, err := c.RollbackPlugin(cmd.Context(), a[0], to)
			if err != nil {
				return err
			}
			return s.moved(p, func(w io.Writer) { line(w, p.Name, fmt.Sprintf("version %d", p.Current), short(p.Digest), p.Action) })
		},
	}
	c.Flags().StringVar(&to, "to", "", "a version or an alias")
	return c
}

func (s *session) pluginRemove() *cobra.Command {
	return &cobra.Command{
		Use: "rm NAME|NAME@VERSION", Short: "Remove a plugin, or one version of it, that nothing uses", Args: args(1, 1),
		Long: "Remove a plugin with all its versions and aliases, or one version of it. What uses it is named and keeps it from going.\n" +
			"The module's bytes go when no other version, name or resource holds them.",
		RunE: func(cmd *cobra.Command, a []string) error {
			c, err := s.client()
			if err != nil {
				return err
			}
			r, err := c.RemovePlugin(cmd.Context(), a[0])
			if err != nil {
				return err
			}
			return s.show(r, func(w io.Writer) {
				line(w, a[0], "removed", fmt.Sprintf("versions %v", r.Versions), fmt.Sprintf("%d modules deleted", len(r.Digests)))
			})
		},
	}
}
