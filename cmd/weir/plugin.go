package main

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"os"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/weir-ml/weir/host/plugin"
	"github.com/weir-ml/weir/sdk/client"
)

func (s *session) pluginCommand() *cobra.Command {
	return group("plugin", "Make, test, push, inspect and fit wasm plugins",
		s.pluginNew(), s.pluginBuild(), s.pluginTest(), s.pluginPush(), s.pluginInspect(), s.pluginFit(), s.pluginParameters())
}

func (s *session) pluginPush() *cobra.Command {
	var name string
	c := &cobra.Command{
		Use: "push FILE", Short: "Check a module, store it and apply its Plugin resource", Args: args(1, 1),
		RunE: func(cmd *cobra.Command, a []string) error {
			c, err := s.client()
			if err != nil {
				return err
			}
			r, done, err := s.source(a[0])
			if err != nil {
				return err
			}
			defer done()
			p, err := c.PushPlugin(cmd.Context(), name, r)
			if err != nil {
				return err
			}
			return s.show(p, func(w io.Writer) { showPlugin(w, p) })
		},
	}
	c.Flags().StringVar(&name, "name", "", "name of the resource (default: the module's own)")
	return c
}

func (s *session) pluginInspect() *cobra.Command {
	return &cobra.Command{
		Use: "inspect FILE|NAME|DIGEST", Short: "Show what a module says of itself", Args: args(1, 1),
		Long: "Show what a module says of itself. A file of this machine is inspected here, without a server.",
		RunE: func(cmd *cobra.Command, a []string) error {
			p, err := s.inspect(cmd.Context(), a[0])
			if err != nil {
				return err
			}
			return s.show(p, func(w io.Writer) { showPlugin(w, p) })
		},
	}
}

func (s *session) inspect(ctx context.Context, ref string) (client.Plugin, error) {
	if st, err := os.Stat(ref); err == nil && st.Mode().IsRegular() {
		return inspectFile(ctx, ref)
	}
	c, err := s.client()
	if err != nil {
		return client.Plugin{}, err
	}
	return c.Plugin(ctx, ref)
}

func inspectFile(ctx context.Context, file string) (p client.Plugin, err error) {
	wasm, err := os.ReadFile(file)
	if err != nil {
		return p, err
	}
	cache, err := os.MkdirTemp("", "weir-inspect-")
	if err != nil {
		return p, err
	}
	defer os.RemoveAll(cache)
	h, err := plugin.New(plugin.Options{CacheDir: cache, Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		return p, err
	}
	defer h.Close()
	i, err := h.Inspect(ctx, wasm)
	return client.Plugin{Digest: i.Digest, Size: i.Size, Description: i.Description, Exports: i.Exports}, err
}

// showGrants lists what a module asks for and what it was given.
func showGrants(w io.Writer, p client.Plugin) {
	grants := p.Grants
	if len(grants) == 0 { // of a file, or of an older server
		for _, g := range p.Description.Grants {
			grants = append(grants, client.PluginGrant{Grant: g, Asked: true})
		}
	}
	for _, g := range grants {
		note := "asked for, not given"
		switch {
		case g.Asked && g.Given:
			note = "given"
		case g.Given:
			note = "given, not asked for"
		}
		if g.Given {
			note += fmt.Sprintf(", used %d times", g.Uses)
		}
		line(w, "grant:", g.Grant, "("+note+")")
	}
	for _, name := range slices.Sorted(maps.Keys(p.Refused)) {
		line(w, "refused:", name, fmt.Sprintf("(%d calls)", p.Refused[name]))
	}
}

func showPlugin(w io.Writer, p client.Plugin) {
	from := "applied"
	switch {
	case p.BuiltIn:
		from = "built in"
	case p.Name == "":
		from = "known by digest alone"
	}
	worlds := make([]string, len(p.Description.Worlds))
	for i, x := range p.Description.Worlds {
		worlds[i] = string(x)
	}
	line(w, "name:", p.Name, "("+from+")")
	line(w, "module:", p.Description.Name+" "+p.Description.Version)
	line(w, "summary:", p.Description.Summary)
	line(w, "worlds:", strings.Join(worlds, ", "))
	showGrants(w, p)
	line(w, "digest:", p.Digest)
	line(w, "size:", p.Size, "bytes")
	line(w, "exports:", strings.Join(p.Exports, ", "))
}
