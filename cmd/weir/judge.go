package main

import (
	"encoding/json"
	"encoding/xml"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"github.com/weir-ml/weir/sdk/client"
)

func (s *session) driftCommand() *cobra.Command {
	var current string
	var code bool
	c := &cobra.Command{
		Use: "drift MONITOR --current REF", Short: "Compare a data set version with a monitor's reference", Args: args(1, 1),
		RunE: func(cmd *cobra.Command, a []string) error {
			if current == "" {
				return wrong("--current is missing: name the data set version to look at")
			}
			c, err := s.client()
			if err != nil {
				return err
			}
			r, err := c.RunMonitor(cmd.Context(), a[0], current)
			if err != nil {
				return err
			}
			err = s.show(r, func(w io.Writer) {
				line(w, "COLUMN", "VERDICT", "SCORE", "VALUE", "NOTE")
				for _, k := range r.Columns {
					value := ""
					if k.Value != nil {
						value = fmt.Sprintf("%.4f", *k.Value)
					}
					line(w, k.Column, k.Verdict, k.Score, value, k.Note)
				}
				fmt.Fprintf(w, "\n%s: %d of %d columns drifted (%.0f%%, threshold %.0f%%); %s (%d rows) against %s (%d rows)\n",
					strings.ToUpper(r.Verdict), len(r.DriftedColumns), len(r.Columns), r.Share*100, r.DatasetThreshold*100, r.Current.Ref, r.Current.Rows, r.Reference.Ref, r.Reference.Rows)
				if r.Note != "" {
					fmt.Fprintln(w, r.Note)
				}
				fmt.Fprintf(w, "report %s\n", r.ID)
			})
			if err == nil && code {
				switch r.Verdict {
				case "drift":
					return &exit{code: 1}
				case "stable":
				default:
					return &exit{code: 2}
				}
			}
			return err
		},
	}
	c.Flags().StringVar(&current, "current", "", "the data set version: name, name@3")
	c.Flags().BoolVar(&code, "exit-code", false, "exit with 1 on drift and with 2 when there is too little data")
	return c
}

func (s *session) gateCommand() *cobra.Command {
	var candidate, baseline, extra, junit string
	c := &cobra.Command{
		Use: "gate GATE --candidate FILE [--baseline FILE]", Short: "Judge a candidate: exit 0 pass, 1 fail or review, 2 could not judge", Args: args(1, 1),
		Long: "Judge a candidate against a baseline. The files are JSON: {\"name\":…,\"version\":…,\"metrics\":{…}}, or the metrics alone.\n\n" +
			"The exit code is 0 when the gate passes, 1 when it fails or wants a person's review (only a pass lets a candidate\n" +
			"through), and 2 when nothing was judged: the gate's plugin failed, a file does not read, the server is not there.",
		RunE: func(cmd *cobra.Command, a []string) error {
			d, err := s.judge(cmd, a[0], candidate, baseline, extra)
			if junit != "" {
				if werr := writeJUnit(junit, a[0], d, err); werr != nil && err == nil {
					err = werr
				}
			}
			if err != nil {
				return &exit{2, err}
			}
			if err := s.show(d, func(w io.Writer) {
				fmt.Fprintf(w, "%s: %s\n", a[0], strings.ToUpper(d.Outcome))
				for _, r := range d.Reasons {
					fmt.Fprintf(w, "  %s\n", r)
				}
				fmt.Fprintf(w, "decision %s\n", d.ID)
			}); err != nil {
				return &exit{2, err}
			}
			switch d.Outcome {
			case "pass":
				return nil
			case "fail", "review":
				return &exit{code: 1}
			}
			return &exit{code: 2}
		},
	}
	f := c.Flags()
	f.StringVar(&candidate, "candidate", "", "file with the candidate's metrics")
	f.StringVar(&baseline, "baseline", "", "file with the metrics to beat; left out for a first version")
	f.StringVar(&extra, "context", "", "file with a JSON object of anything else the gate asks for")
	f.StringVar(&junit, "junit", "", "write the decision here as a JUnit report, for CI")
	return c
}

func (s *session) judge(cmd *cobra.Command, gate, candidate, baseline, extra string) (client.Decision, error) {
	if candidate == "" {
		return client.Decision{}, wrong("--candidate is missing: name a file with its metrics")
	}
	var e client.Evaluation
	var err error
	if e.Candidate, err = readSubject(candidate); err != nil {
		return client.Decision{}, err
	}
	if baseline != "" {
		b, err := readSubject(baseline)
		if err != nil {
			return client.Decision{}, err
		}
		e.Baseline = &b
	}
	if extra != "" {
		raw, err := os.ReadFile(extra)
		if err != nil {
			return client.Decision{}, err
		}
		if err := json.Unmarshal(raw, &e.Context); err != nil {
			return client.Decision{}, wrong("%s: want a JSON object: %v", extra, err)
		}
	}
	c, err := s.client()
	if err != nil {
		return client.Decision{}, err
	}
	return c.Evaluate(cmd.Context(), gate, e)
}

// readSubject reads {"name":…,"metrics":{…}} or the metrics alone; the name is then the file's.
func readSubject(file string) (client.Subject, error) {
	raw, err := os.ReadFile(file)
	if err != nil {
		return client.Subject{}, err
	}
	name := strings.TrimSuffix(filepath.Base(file), filepath.Ext(file))
	var keys map[string]json.RawMessage
	if err := json.Unmarshal(raw, &keys); err != nil {
		return client.Subject{}, wrong("%s: want a JSON object: %v", file, err)
	}
	if m, ok := keys["metrics"]; ok && len(m) > 0 && m[0] == '{' {
		var sub client.Subject
		if err := json.Unmarshal(raw, &sub); err != nil {
			return sub, wrong("%s: %v", file, err)
		}
		if sub.Name == "" {
			sub.Name = name
		}
		return sub, nil
	}
	sub := client.Subject{Name: name}
	if err := json.Unmarshal(raw, &sub.Metrics); err != nil {
		return sub, wrong("%s: metrics are numbers by name: %v", file, err)
	}
	return sub, nil
}

type junitSuite struct {
	XMLName  xml.Name  `xml:"testsuite"`
	Name     string    `xml:"name,attr"`
	Tests    int       `xml:"tests,attr"`
	Failures int       `xml:"failures,attr"`
	Errors   int       `xml:"errors,attr"`
	Case     junitCase `xml:"testcase"`
}

type junitCase struct {
	Name    string     `xml:"name,attr"`
	Class   string     `xml:"classname,attr"`
	Time    float64    `xml:"time,attr"`
	Failure *junitText `xml:"failure"`
	Error   *junitText `xml:"error"`
	Out     string     `xml:"system-out,omitempty"`
}

type junitText struct {
	Message string `xml:"message,attr"`
	Text    string `xml:",chardata"`
}

// writeJUnit writes one test case: the gate. err is why there is no decision.
func writeJUnit(file, gate string, d client.Decision, err error) error {
	s := junitSuite{Name: "weir gate", Tests: 1, Case: junitCase{Name: gate, Class: "weir.gate", Time: d.DurationMS / 1000}}
	reasons := strings.Join(d.Reasons, "\n")
	switch {
	case err != nil:
		s.Errors, s.Case.Error = 1, &junitText{Message: "could not judge", Text: err.Error()}
	case d.Outcome == "pass":
		s.Case.Out = reasons
	case d.Outcome == "fail" || d.Outcome == "review":
		s.Failures, s.Case.Failure = 1, &junitText{Message: d.Outcome, Text: reasons}
	default:
		s.Errors, s.Case.Error = 1, &junitText{Message: "could not judge", Text: reasons}
	}
	raw, merr := xml.MarshalIndent(s, "", "  ")
	if merr != nil {
		return merr
	}
	return os.WriteFile(file, append([]byte(xml.Header), append(raw, '\n')...), 0o644)
}
