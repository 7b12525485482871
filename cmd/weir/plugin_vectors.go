package main

import (
	"context"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/weir-ml/weir/host/errs"
	"github.com/weir-ml/weir/host/plugin"
	"github.com/weir-ml/weir/host/plugin/plugintest"
)

// Names of the files that hold vectors; docs/formats/vectors.md has what is in them.
const (
	vectorsName   = "vectors.json"
	inputSuffix   = ".input.csv"
	expectSuffix  = ".expected.csv"
	paramsSuffix  = ".parameters.json"
	suffixPattern = "NAME" + inputSuffix + " beside NAME" + expectSuffix
)

func vectorsFile(name string) bool {
	return name == vectorsName || strings.HasSuffix(name, inputSuffix) || strings.HasSuffix(name, expectSuffix) || strings.HasSuffix(name, paramsSuffix)
}

func sortedKeys[T any](m map[string]T) []string { return slices.Sorted(maps.Keys(m)) }

// tested is the answer of `plugin test`.
type tested struct {
	Plugin     string              `json:"plugin"`
	Digest     string              `json:"digest"`
	Cases      int                 `json:"cases"`
	Checks     int                 `json:"checks"`
	Failures   int                 `json:"failures"`
	DurationMS float64             `json:"duration_ms"`
	Results    []plugintest.Result `json:"results"`
}

func (s *session) pluginTest() *cobra.Command {
	var vectors []string
	var junit string
	var tolerance float64
	c := &cobra.Command{
		Use: "test [DIR|FILE.wasm]", Short: "Run a plugin on its vectors and check its properties, without a server", Args: args(0, 1),
		Long: "Run a plugin on its vectors, and check what holds for every good plugin: the same answers for any size of chunks, for single\n" +
			"rows, in a fresh instance, and for any split and merge order of a metric. No server is needed. A folder is built first when a\n" +
			"source is newer than its module.\n\n" +
			"Vectors are JSON (vectors.json), or CSV for transforms: NAME.input.csv beside NAME.expected.csv, the first line of both naming\n" +
			"and typing the columns (age:float64,city:utf8), and NAME.parameters.json if there are parameters. Without --vectors all such files\n" +
			"beside the plugin and in its folders vectors and testdata are run. docs/formats/vectors.md has the formats.\n\n" +
			"The exit code is 1 when a check fails; each failure names case, column, row, what was got and what was wanted.",
		RunE: func(cmd *cobra.Command, a []string) error {
			t, err := s.test(cmd.Context(), folder(a), vectors, tolerance)
			if err != nil {
				return err
			}
			if junit != "" {
				if err := writeTestJUnit(junit, t); err != nil {
					return err
				}
			}
			if err := s.show(t, func(w io.Writer) { showTested(w, t) }); err != nil {
				return err
			}
			if t.Failures > 0 {
				return &exit{code: 1}
			}
			return nil
		},
	}
	f := c.Flags()
	f.StringArrayVar(&vectors, "vectors", nil, "file or folder of vectors; may be given again (default: those of the plugin)")
	f.Float64Var(&tolerance, "tolerance", 0, "how much floats of CSV vectors may differ, relative or absolute; 0 wants the same bits")
	f.StringVar(&junit, "junit", "", "write the results here as a JUnit report, for CI")
	return c
}

// subject is a module to test or measure, and where its vectors lie.
type subject struct {
	name string
	wasm []byte
	dir  string
}

// subject reads a module, or builds the folder's.
func (s *session) subject(ctx context.Context, ref string) (subject, error) {
	st, err := os.Stat(ref)
	if err != nil {
		return subject{}, errs.New(errs.NotFound, "%w", err)
	}
	if !st.IsDir() {
		wasm, err := os.ReadFile(ref)
		return subject{strings.TrimSuffix(filepath.Base(ref), ".wasm"), wasm, filepath.Dir(ref)}, err
	}
	p, err := openProject(ref)
	if err != nil {
		return subject{}, err
	}
	fresh, err := p.fresh()
	if err != nil {
		return subject{}, err
	}
	if !fresh {
		b, err := s.build(ctx, p, s.err)
		return subject{p.Name, b.wasm, ref}, err
	}
	wasm, err := os.ReadFile(p.wasm())
	return subject{p.Name, wasm, ref}, err
}

// localHost runs plugins within this process; machine code is kept in the user's cache.
func localHost() (*plugin.Host, error) {
	dir, err := cacheFolder("code")
	if err != nil {
		return nil, err
	}
	return plugin.New(plugin.Options{CacheDir: dir, Logger: slog.New(slog.DiscardHandler)})
}

func (s *session) test(ctx context.Context, ref string, vectors []string, tolerance float64) (tested, error) {
	sub, err := s.subject(ctx, ref)
	if err != nil {
		return tested{}, err
	}
	cases, err := sub.cases(vectors, tolerance)
	if err != nil {
		return tested{}, err
	}
	h, err := localHost()
	if err != nil {
		return tested{}, err
	}
	defer h.Close()
	return runTests(ctx, h, sub, cases)
}

func runTests(ctx context.Context, h *plugin.Host, sub subject, cases []plugintest.Case) (tested, error) {
	began := time.Now()
	info, err := h.Inspect(ctx, sub.wasm)
	if err != nil {
		return tested{}, err
	}
	t := tested{Plugin: info.Description.Name, Digest: info.Digest, Cases: len(cases)}
	for _, run := range []func(context.Context, *plugin.Host, []byte, []plugintest.Case) (plugintest.Report, error){plugintest.Run, plugintest.Properties} {
		r, err := run(ctx, h, sub.wasm, cases)
		if err != nil {
			return t, err
		}
		t.Results = append(t.Results, r.Results...)
		t.Failures += len(r.Failures())
	}
	t.Checks, t.DurationMS = len(t.Results), milliseconds(time.Since(began))
	return t, nil
}

// cases reads the vectors named, or those that lie with the plugin.
func (sub subject) cases(named []string, tolerance float64) ([]plugintest.Case, error) {
	places := named
	if named == nil {
		// A module in dist has its vectors one folder up.
		places = []string{sub.dir, filepath.Join(sub.dir, "vectors"), filepath.Join(sub.dir, "testdata")}
		if filepath.Base(sub.dir) == "dist" {
			places = append(places, filepath.Dir(sub.dir))
		}
	}
	var files []string
	for _, place := range places {
		found, err := vectorsIn(place)
		if errors.Is(err, fs.ErrNotExist) && named == nil {
			continue
		}
		if err != nil {
			return nil, errs.New(errs.NotFound, "vectors: %w", err)
		}
		if len(found) == 0 && named != nil {
			return nil, errs.New(errs.NotFound, "vectors: %s holds neither %s nor %s", place, vectorsName, suffixPattern)
		}
		files = append(files, found...)
	}
	if len(files) == 0 {
		return nil, errs.New(errs.NotFound, "%s has no vectors: write %s, or %s, or name them with --vectors", sub.name, filepath.Join(sub.dir, vectorsName), suffixPattern)
	}
	var all []plugintest.Case
	from := map[string]string{}
	for _, file := range files {
		cases, err := readVectors(file, tolerance)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", file, err)
		}
		for _, c := range cases {
			if other, twice := from[c.Name]; twice {
				return nil, errs.New(errs.Invalid, "%s: case %q is also in %s: names differ", file, c.Name, other)
			}
			from[c.Name] = file
		}
		all = append(all, cases...)
	}
	return all, nil
}

// vectorsIn lists the vectors of a folder in order, or is the file itself.
func vectorsIn(place string) ([]string, error) {
	st, err := os.Stat(place)
	if err != nil {
		return nil, err
	}
	if !st.IsDir() {
		return []string{place}, nil
	}
	entries, err := os.ReadDir(place)
	if err != nil {
		return nil, err
	}
	var out []string
	for _, e := range entries {
		if !e.IsDir() && (e.Name() == vectorsName || strings.HasSuffix(e.Name(), inputSuffix)) {
			out = append(out, filepath.Join(place, e.Name()))
		}
	}
	return out, nil
}

// readVectors reads a JSON file, or the pair of CSV files of which file is the input.
func readVectors(file string, tolerance float64) ([]plugintest.Case, error) {
	f, err := os.Open(file)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	stem, pair := strings.CutSuffix(file, inputSuffix)
	if !pair {
		if strings.HasSuffix(file, ".csv") {
			return nil, errs.New(errs.Invalid, "vectors in CSV are two files, %s: name the first", suffixPattern)
		}
		return plugintest.Read(f)
	}
	expected, err := os.Open(stem + expectSuffix)
	if err != nil {
		return nil, errs.New(errs.NotFound, "there is an input without what is expected: %w", err)
	}
	defer expected.Close()
	c, err := plugintest.ReadCSV(filepath.Base(stem), f, expected)
	if err != nil {
		return nil, err
	}
	c.Tolerance = tolerance
	if c.Parameters, err = os.ReadFile(stem + paramsSuffix); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	return []plugintest.Case{c}, nil
}

func showTested(w io.Writer, t tested) {
	line(w, "CHECK", "CASE", "RESULT", "")
	for _, r := range t.Results {
		result := "ok"
		if !r.OK {
			result = "FAILED"
		}
		line(w, r.Check, r.Case, result, strings.ReplaceAll(r.Detail, "\n", " "))
	}
	fmt.Fprintf(w, "%s (%s): %d cases, %d checks, %d failed\n", t.Plugin, short(t.Digest), t.Cases, t.Checks, t.Failures)
}

type testSuite struct {
	XMLName  xml.Name   `xml:"testsuite"`
	Name     string     `xml:"name,attr"`
	Tests    int        `xml:"tests,attr"`
	Failures int        `xml:"failures,attr"`
	Time     float64    `xml:"time,attr"`
	Cases    []testCase `xml:"testcase"`
}

type testCase struct {
	Name    string     `xml:"name,attr"`
	Class   string     `xml:"classname,attr"`
	Failure *junitText `xml:"failure"`
	Out     string     `xml:"system-out,omitempty"`
}

// writeTestJUnit writes each check as a test case of the class of its check.
func writeTestJUnit(file string, t tested) error {
	s := testSuite{Name: "weir plugin test " + t.Plugin, Tests: t.Checks, Failures: t.Failures, Time: t.DurationMS / 1000}
	for _, r := range t.Results {
		c := testCase{Name: r.Case, Class: "weir.plugin." + r.Check}
		if r.OK {
			c.Out = r.Detail
		} else {
			c.Failure = &junitText{Message: r.Check + " failed", Text: r.Detail}
		}
		s.Cases = append(s.Cases, c)
	}
	raw, err := xml.MarshalIndent(s, "", "  ")
	if err != nil {
		return err
	}
	return os.WriteFile(file, append([]byte(xml.Header), append(raw, '\n')...), 0o644)
}
