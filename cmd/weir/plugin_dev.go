package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path/filepath"
	"strings"
	"time"

	"github.com/fsnotify/fsnotify"
	"github.com/spf13/cobra"

	"github.com/weir-ml/weir/host/errs"
	"github.com/weir-ml/weir/host/plugin"
	"github.com/weir-ml/weir/sdk/client"
)

// debounce is how long it must be quiet before a round begins: editors write a file in several steps.
const debounce = 60 * time.Millisecond

func (s *session) pluginDev() *cobra.Command {
	var name string
	var local bool
	c := &cobra.Command{
		Use: "dev [DIR]", Short: "Build, test and push a plugin whenever a file changes", Args: args(0, 1),
		Long: "Watch a plugin's folder: whenever a file changes, compile it, run its tests, and push it to the running server, where whatever\n" +
			"uses the plugin goes on with the new one. One line a round; what does not compile or fails its tests is shown and not pushed.\n" +
			"Ctrl-C ends it.",
		RunE: func(cmd *cobra.Command, a []string) error {
			p, err := openProject(folder(a))
			if err != nil {
				return err
			}
			d := &developer{s: s, dir: p.dir, name: name}
			if name == "" {
				d.name = p.Name
			}
			if !local {
				if d.client, err = s.client(); err != nil {
					return err
				}
			}
			return d.run(cmd.Context())
		},
	}
	f := c.Flags()
	f.StringVar(&name, "name", "", "name of the Plugin resource (default: the project's)")
	f.BoolVar(&local, "local", false, "build and test alone, push nothing")
	return c
}

// developer is a running `plugin dev`.
type developer struct {
	s      *session
	dir    string
	name   string         // of the resource
	client *client.Client // nil: nothing is pushed
	host   *plugin.Host
	pushed string // digest of the module that the server has
}

// run does a round at once and then one after each change, until ctx ends, which is no error.
func (d *developer) run(ctx context.Context) error {
	w, err := fsnotify.NewWatcher()
	if err != nil {
		return errs.New(errs.Unavailable, "the folder cannot be watched: %w", err)
	}
	defer w.Close()
	if err := watch(w, d.dir); err != nil {
		return err
	}
	if d.host, err = localHost(); err != nil {
		return err
	}
	defer d.host.Close()
	fmt.Fprintf(d.s.out, "watching %s; Ctrl-C ends it\n", d.dir)
	quiet := time.NewTimer(0) // the first round
	defer quiet.Stop()
	because := "start"
	for {
		select {
		case <-ctx.Done():
			return nil
		case err := <-w.Errors:
			return errs.New(errs.Unavailable, "watch %s: %w", d.dir, err)
		case e := <-w.Events:
			if !d.matters(w, e) {
				continue
			}
			because = filepath.Base(e.Name)
			quiet.Reset(debounce)
		case <-quiet.C:
			d.round(ctx, because)
		}
	}
}

// watch adds dir and the folders below it that may hold sources.
func watch(w *fsnotify.Watcher, dir string) error {
	return filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
		if err != nil || !e.IsDir() {
			return err
		}
		if path != dir && passedOver(e.Name()) {
			return fs.SkipDir
		}
		return w.Add(path)
	})
}

// matters reports whether an event is a change of a source or of vectors. New folders are watched from now on.
func (d *developer) matters(w *fsnotify.Watcher, e fsnotify.Event) bool {
	rel, err := filepath.Rel(d.dir, e.Name)
	if err != nil || e.Op == fsnotify.Chmod {
		return false
	}
	for _, part := range strings.Split(filepath.ToSlash(rel), "/") {
		if passedOver(part) {
			return false
		}
	}
	if e.Has(fsnotify.Create) {
		_ = watch(w, e.Name) // it may be gone again, or no folder
	}
	return !strings.HasSuffix(rel, "~")
}

// round builds, tests and pushes, and says so in a line.
func (d *developer) round(ctx context.Context, because string) {
	var did []string
	say := func(format string, args ...any) { did = append(did, fmt.Sprintf(format, args...)) }
	details, err := d.steps(ctx, say)
	if ctx.Err() != nil {
		return
	}
	if err != nil {
		say("%s", firstLine(err.Error()))
	}
	fmt.Fprintf(d.s.out, "%s  %s: %s\n", time.Now().Format(time.TimeOnly), because, strings.Join(did, ", "))
	_, _ = io.WriteString(d.s.err, details)
}

func firstLine(text string) string {
	line, _, _ := strings.Cut(text, "\n")
	return line
}

// steps answers what to show besides the line: the compiler's words, or failed checks.
func (d *developer) steps(ctx context.Context, say func(string, ...any)) (details string, err error) {
	p, err := openProject(d.dir) // it may be what has changed
	if err != nil {
		return "", err
	}
	var messages bytes.Buffer
	b, err := d.s.build(ctx, p, &messages)
	if err != nil {
		return messages.String(), err
	}
	say("built in %.0f ms", b.DurationMS)
	sub := subject{p.Name, b.wasm, p.dir}
	began := time.Now()
	cases, err := sub.cases(nil, 0)
	switch {
	case errs.Is(err, errs.NotFound):
		if _, err := d.host.Inspect(ctx, b.wasm); err != nil {
			return messages.String(), err
		}
		say("no vectors")
	case err != nil:
		return messages.String(), err
	default:
		t, err := runTests(ctx, d.host, sub, cases)
		if err != nil {
			return messages.String(), err
		}
		if t.Failures > 0 {
			for _, r := range t.Results {
				if !r.OK {
					fmt.Fprintf(&messages, "  %s of %q: %s\n", r.Check, r.Case, r.Detail)
				}
			}
			return messages.String(), errors.New(fmt.Sprint(t.Failures, " of ", t.Checks, " checks failed: not pushed"))
		}
		say("%d checks in %.0f ms", t.Checks, milliseconds(time.Since(began)))
	}
	switch {
	case d.client == nil:
	case b.Digest == d.pushed:
		say("the module is as it was")
	default:
		began := time.Now()
		if _, err := d.client.PushPlugin(ctx, d.name, bytes.NewReader(b.wasm)); err != nil {
			return messages.String(), fmt.Errorf("not pushed: %w", err)
		}
		d.pushed = b.Digest
		say("pushed %s (%s) in %.0f ms", d.name, short(b.Digest), milliseconds(time.Since(began)))
	}
	return messages.String(), nil
}
