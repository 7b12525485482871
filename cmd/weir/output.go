package main

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/goccy/go-yaml"
	"github.com/schollz/progressbar/v3"
)

// show prints v as --output wants it; table writes the human form: cells separated by tabs, a line each.
func (s *session) show(v any, table func(w io.Writer)) error {
	switch s.format {
	case "json":
		e := json.NewEncoder(s.out)
		e.SetIndent("", "  ")
		return e.Encode(v)
	case "yaml":
		text, err := toYAML(v)
		if err != nil {
			return err
		}
		_, err = s.out.Write(text)
		return err
	}
	w := tabwriter.NewWriter(s.out, 0, 4, 2, ' ', 0)
	table(w)
	return w.Flush()
}

// toYAML goes through JSON, so that both have the same keys in the same order.
func toYAML(v any) ([]byte, error) {
	raw, err := json.Marshal(v)
	if err != nil {
		return nil, err
	}
	return yaml.JSONToYAML(raw)
}

// line writes cells; an empty one becomes a dash, so that columns stay readable by eye and by awk.
func line(w io.Writer, cells ...any) {
	for i, c := range cells {
		text := strings.ReplaceAll(fmt.Sprint(c), "\t", " ")
		if text == "" {
			text = "-"
		}
		if i > 0 {
			fmt.Fprint(w, "\t")
		}
		fmt.Fprint(w, text)
	}
	fmt.Fprintln(w)
}

// age writes how long ago t was.
func age(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	d := time.Since(t)
	switch {
	case d < time.Minute:
		return fmt.Sprintf("%ds", int(d.Seconds()))
	case d < time.Hour:
		return fmt.Sprintf("%dm", int(d.Minutes()))
	case d < 48*time.Hour:
		return fmt.Sprintf("%dh", int(d.Hours()))
	}
	return fmt.Sprintf("%dd", int(d.Hours()/24))
}

func short(digest string) string {
	h := strings.TrimPrefix(digest, "sha256:")
	return h[:min(12, len(h))]
}

// argument reads a value of the command line: "@file" is that file, "@-" is standard input, anything else itself.
func (s *session) argument(text string) ([]byte, error) {
	name, isFile := strings.CutPrefix(text, "@")
	switch {
	case !isFile:
		return []byte(text), nil
	case name == "-":
		return io.ReadAll(s.in)
	}
	return os.ReadFile(name)
}

// source opens a file ("-" is standard input) whose reading shows progress on a terminal; the caller calls done.
func (s *session) source(name string) (r io.Reader, done func(), err error) {
	if name == "-" {
		return s.in, func() {}, nil
	}
	f, err := os.Open(name)
	if err != nil {
		return nil, nil, err
	}
	st, err := f.Stat()
	if err != nil {
		_ = f.Close() // the first error counts
		return nil, nil, err
	}
	done = func() { _ = f.Close() } // only read
	if !terminal(s.err) || st.Size() < 1<<20 {
		return f, done, nil
	}
	bar := progressbar.NewOptions64(st.Size(), progressbar.OptionSetWriter(s.err), progressbar.OptionShowBytes(true),
		progressbar.OptionSetDescription(name), progressbar.OptionClearOnFinish(), progressbar.OptionThrottle(100*time.Millisecond))
	return io.TeeReader(f, bar), done, nil
}
