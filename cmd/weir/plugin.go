package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"os"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/weir-ml/weir/host/plugin"
	"github.com/weir-ml/weir/sdk/abi"
	"github.com/weir-ml/weir/sdk/client"
)

func (s *session) pluginCommand() *cobra.Command {
	return group("plugin", "Make, test, push, compare, move, remove and fit wasm plugins",
		s.pluginNew(), s.pluginBuild(), s.pluginTest(), s.pluginBench(), s.pluginDev(),
		s.pluginPush(), s.pluginList(), s.pluginInspect(), s.pluginDiff(), s.pluginAlias(), s.pluginRollback(), s.pluginRemove(),
		s.pluginFit(), s.pluginParameters(),
	)
}

func (s *session) pluginPush() *cobra.Command {
	var name string
	var extism client.ExtismFunctions
	c := &cobra.Command{
		Use: "push FILE", Short: "Check, compile and store a module, and make it the current version of its name", Args: args(1, 1),
		Long: "Check, compile and store a module, and make it the current version of its name.\n" +
			"What uses the name takes the new version at once; running calls end on the old one. The same bytes again change nothing.",
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
			p, err := c.PushExtism(cmd.Context(), name, extism, r)
			if err != nil {
				return err
			}
			return s.moved(p, func(w io.Writer) { showPlugin(w, p) })
		},
	}
	c.Flags().StringVar(&name, "name", "", "name of the resource (default: the module's own)")
	c.Flags().StringVar(&extism.Handler, "handler", "", "of an Extism module: the function that is the handler (default: its only one)")
	c.Flags().StringVar(&extism.Gate, "gate", "", "of an Extism module: the function that is the gate")
	return c
}

func (s *session) pluginInspect() *cobra.Command {
	return &cobra.Command{
		Use: "inspect FILE|REF", Short: "Show what a module says of itself, and how it is used", Args: args(1, 1),
		Long: "Show what a module says of itself, its versions, who uses it, its limits and its pools.\n" +
			"REF is NAME, NAME@VERSION, NAME@ALIAS or a digest. A file of this machine is inspected here, without a server.",
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
	if err != nil {
		return p, err
	}
	p = client.Plugin{Digest: i.Digest, Size: i.Size, Description: i.Description, Exports: i.Exports}
	if opened, err := h.Open(ctx, wasm, nil, plugin.Limits{}); err == nil { // it needs no parameters: its columns are known
		if sc, err := opened.Schema(ctx); err == nil {
			p.Schema = &sc
		}
		_ = opened.Close() // never fails
	}
	return p, nil
}

// moved shows a plugin after a change of what its name or an alias stands for. Exit 1 when something that uses it cannot take
// that: it goes on with what it had.
func (s *session) moved(p client.Plugin, table func(io.Writer)) error {
	if err := s.show(p, table); err != nil {
		return err
	}
	for _, u := range p.UsedBy {
		if u.State == "failed" {
			return &exit{1, fmt.Errorf("%s %q uses %s and is not ready: %s", u.Kind, u.Name, u.Ref, u.Reason)}
		}
	}
	return nil
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
	if p.Version > 0 {
		what := "current"
		if p.Version != p.Current {
			what = fmt.Sprintf("current is %d", p.Current)
		}
		if p.Action != "" {
			what += ", " + p.Action
		}
		line(w, "version:", p.Version, "("+what+")")
		line(w, "aliases:", aliases(p.Aliases))
	}
	line(w, "module:", p.Description.Name+" "+p.Description.Version)
	line(w, "summary:", p.Description.Summary)
	line(w, "worlds:", strings.Join(worlds, ", "))
	showGrants(w, p)
	line(w, "digest:", p.Digest)
	line(w, "size:", p.Size, "bytes")
	line(w, "exports:", strings.Join(p.Exports, ", "))
	if p.Schema != nil && len(p.Schema.Inputs)+len(p.Schema.Outputs) > 0 {
		line(w, "inputs:", fields(p.Schema.Inputs))
		line(w, "outputs:", fields(p.Schema.Outputs))
	}
	if len(p.Limits) > 0 {
		line(w, "limits:", limits(p.Limits))
		line(w, "pools:", fmt.Sprintf("%d, %d instances (%d idle), %d calls, %d traps, %d fuel, %d cold starts, the last in %s", p.Pools.Pools, p.Pools.Live,
			p.Pools.Idle, p.Pools.Calls, p.Pools.Traps, p.Pools.Fuel, p.Pools.ColdStarts, p.Pools.LastColdStart))
	}
	for _, u := range p.UsedBy {
		line(w, "used by:", strings.TrimSpace(fmt.Sprintf("%s %s as %s: %s %s", u.Kind, u.Name, u.Ref, u.State, u.Reason)))
	}
	for i := len(p.Versions) - 1; i >= 0; i-- {
		v := p.Versions[i]
		line(w, fmt.Sprintf("@%d:", v.Version), short(v.Digest), fmt.Sprintf("module %s, %d bytes, %s ago", v.ModuleVersion, v.Size, age(v.Created)))
	}
	for i := len(p.Moves) - 1; i >= max(0, len(p.Moves)-10); i-- {
		m := p.Moves[i]
		line(w, "moved:", fmt.Sprintf("%s %s from %d to %d by %s", m.When.Format("2006-01-02T15:04:05Z07:00"), m.What, m.From, m.To, m.Why))
	}
}

func aliases(m map[string]int) string {
	var out []string
	for _, a := range slices.Sorted(maps.Keys(m)) {
		out = append(out, fmt.Sprintf("%s=%d", a, m[a]))
	}
	return strings.Join(out, ", ")
}

func fields(list []abi.Field) string {
	out := make([]string, len(list))
	for i, f := range list {
		out[i] = f.Name + " " + f.Type.String()
	}
	return strings.Join(out, ", ")
}

// limits writes a limits document on one line.
func limits(raw json.RawMessage) string {
	var m map[string]any
	d := json.NewDecoder(bytes.NewReader(raw))
	d.UseNumber()
	if d.Decode(&m) != nil {
		return string(raw)
	}
	var out []string
	for _, k := range slices.Sorted(maps.Keys(m)) {
		out = append(out, fmt.Sprintf("%s=%v", k, m[k]))
	}
	return strings.Join(out, " ")
}
