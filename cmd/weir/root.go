package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/weir-ml/weir/host/errs"
	"github.com/weir-ml/weir/sdk/client"
)

// session is what the commands of one run share.
type session struct {
	in       io.Reader
	out, err io.Writer
	server   string // --server
	format   string // --output
}

// run is the whole program: it returns the exit code. 0: fine; 1: failed; 2: used wrongly. Some commands say more with
// their code: gate, drift and diff.
func run(ctx context.Context, args []string, stdin io.Reader, stdout, stderr io.Writer) int {
	s := &session{in: stdin, out: stdout, err: stderr}
	root := s.root()
	root.SetArgs(args)
	root.SetIn(stdin)
	root.SetOut(stdout)
	root.SetErr(stderr)
	cmd, err := root.ExecuteContextC(ctx)
	if err == nil {
		return 0
	}
	var code *exit
	if errors.As(err, &code) {
		if code.err != nil {
			s.complain(code.err)
		}
		return code.code
	}
	s.complain(err)
	var u *usage
	if errors.As(err, &u) {
		fmt.Fprintf(stderr, "usage: %s\n", cmd.UseLine())
		return 2
	}
	return 1
}

// exit ends the program with a code; err nil says nothing more.
type exit struct {
	code int
	err  error
}

func (e *exit) Error() string { return fmt.Sprintf("exit %d", e.code) }

// usage marks a wrong command line.
type usage struct{ error }

func (u *usage) Unwrap() error { return u.error }

func wrong(format string, args ...any) error { return &usage{fmt.Errorf(format, args...)} }

// complain prints an error and what to do about it.
func (s *session) complain(err error) {
	fmt.Fprintf(s.err, "weir: %s\n", err)
	if h := hint(err); h != "" {
		fmt.Fprintf(s.err, "hint: %s\n", h)
	}
}

func hint(err error) string {
	var ce *client.Error
	if errors.As(err, &ce) {
		switch {
		case ce.Status == 0 && ce.Kind == "unavailable":
			return "is it running? Start one with `weir up`, or name another with --server or WEIR_SERVER"
		case ce.Kind == "not_found":
			return "`weir get` lists what is applied, `weir plugin ls` the plugins, `weir dataset ls` the data sets"
		case ce.Kind == "conflict":
			return "read it again with `weir get`, then retry"
		case ce.Kind == "exhausted":
			return "wait and retry, or raise the limit: `weir config reference` lists them"
		case ce.Kind == "unavailable" || ce.Kind == "timeout":
			return "`weir get models` and /readyz say what is missing; then retry"
		case ce.Kind == "internal":
			return "the server's log has the cause under that id"
		}
		return "mend the request; `weir describe` shows a resource as the server has it, /docs the API"
	}
	var u *usage
	if errors.As(err, &u) {
		return "add --help to see what the command takes"
	}
	switch errs.KindOf(err) {
	case errs.Invalid:
		return "mend what is named above; `weir config reference` lists the configuration"
	case errs.Conflict:
		return "stop the other process, or choose another folder with --data"
	case errs.Unavailable, errs.NotFound:
		return "what is in the way is named above: mend it, or name another, then run the command again"
	}
	return "run with --help to see what the command takes"
}

func (s *session) root() *cobra.Command {
	root := &cobra.Command{
		Use: "weir", Short: "The machine-learning loop in one binary", Version: version,
		SilenceErrors: true, SilenceUsage: true, Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error { return c.Help() },
	}
	root.PersistentFlags().StringVar(&s.server, "server", "", "address of the server (default: WEIR_SERVER, else the one of the data folder, else http://127.0.0.1:8080)")
	root.PersistentFlags().StringVarP(&s.format, "output", "o", "table", "table, json or yaml")
	root.SetFlagErrorFunc(func(_ *cobra.Command, err error) error { return &usage{err} })
	root.PersistentPreRunE = func(*cobra.Command, []string) error {
		switch s.format {
		case "table", "json", "yaml":
			return nil
		}
		return wrong("--output %q: use table, json or yaml", s.format)
	}
	root.AddCommand(s.upCommand(), s.trialCommand(), s.applyCommand(), s.diffCommand(), s.getCommand(), s.describeCommand(), s.deleteCommand(),
		s.pluginCommand(), s.functionCommand(), s.predictCommand(), s.datasetCommand(), s.driftCommand(), s.gateCommand(),
		s.eventCommand(), s.configCommand(), s.versionCommand())
	s.addDemo(root)
	return root
}

// args wants between least and most arguments; most < 0 means any number.
func args(least, most int) cobra.PositionalArgs {
	return func(c *cobra.Command, a []string) error {
		if len(a) < least || most >= 0 && len(a) > most {
			return wrong("%s takes %s, got %d", c.CommandPath(), count(least, most), len(a))
		}
		return nil
	}
}

func count(least, most int) string {
	switch {
	case most == 0:
		return "no arguments"
	case least == most:
		return fmt.Sprintf("%d argument(s)", least)
	case most < 0:
		return fmt.Sprintf("at least %d argument(s)", least)
	}
	return fmt.Sprintf("%d to %d arguments", least, most)
}

// group makes a command that only holds others.
func group(use, short string, subs ...*cobra.Command) *cobra.Command {
	c := &cobra.Command{Use: use, Short: short, RunE: func(c *cobra.Command, a []string) error {
		if len(a) > 0 {
			return wrong("%s has no command %q", c.CommandPath(), a[0])
		}
		return c.Help()
	}}
	c.AddCommand(subs...)
	return c
}

// client finds the server: --server, WEIR_SERVER, the running process of the data folder (WEIR_DATA, else ./weir-data), the
// default address.
func (s *session) client() (*client.Client, error) {
	server := s.server
	if server == "" {
		server = os.Getenv("WEIR_SERVER")
	}
	if server == "" {
		server = runningIn(os.Getenv("WEIR_DATA"))
	}
	if server == "" {
		server = "http://127.0.0.1:8080"
	}
	c, err := client.New(server, nil)
	if err != nil {
		return nil, &usage{err}
	}
	return c, nil
}

func runningIn(data string) string {
	if data == "" {
		data = "./weir-data"
	}
	raw, err := os.ReadFile(filepath.Join(data, "weir.json"))
	if err != nil {
		return "" // nobody runs there
	}
	var ready struct {
		HTTP string `json:"http"`
	}
	if json.Unmarshal(raw, &ready) != nil {
		return ""
	}
	return ready.HTTP
}

// terminal reports whether w is one.
func terminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}
