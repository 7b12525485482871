// Command beats-baseline is the built-in gate that compares a candidate's metrics with a baseline's; README.md states its rule.
package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math"
	"strconv"

	"github.com/weir-ml/weir/sdk/abi"
	"github.com/weir-ml/weir/sdk/guest"
)

var rules []rule

func init() {
	guest.Register(guest.Plugin{
		Description: abi.Description{
			Name: "beats-baseline", Version: "1.0.0", Summary: "Passes a candidate that is no worse than the baseline and better somewhere.",
			Worlds: []abi.World{abi.WorldGate}, Parameters: schema(),
		},
		Init: func(params []byte) (err error) { rules, err = parse(params); return err },
		Gate: func(context []byte) (abi.Verdict, error) { return judge(rules, context) },
	})
}

func main() {}

func schema() map[string]any {
	var v map[string]any
	err := json.Unmarshal([]byte(`{"type":"object","additionalProperties":false,"required":["metrics"],"properties":{"metrics":{"type":"array","minItems":1,
		"items":{"type":"object","additionalProperties":false,"required":["name"],"properties":{"name":{"type":"string"},
		"direction":{"enum":["higher","lower"],"default":"higher","description":"which way is better"},
		"min_delta":{"type":"number","minimum":0,"default":0},"max_regression":{"type":"number","minimum":0,"default":0}}}}}}`), &v)
	if err != nil {
		panic(err)
	}
	return v
}

// rule is one metric's.
type rule struct {
	Name          string  `json:"name"`
	Direction     string  `json:"direction"`
	MinDelta      float64 `json:"min_delta"`
	MaxRegression float64 `json:"max_regression"`
}

func parse(params []byte) ([]rule, error) {
	var doc struct {
		Metrics []rule `json:"metrics"`
	}
	d := json.NewDecoder(bytes.NewReader(params))
	d.DisallowUnknownFields()
	if err := d.Decode(&doc); err != nil {
		return nil, fmt.Errorf("parameters: %w", err)
	}
	if len(doc.Metrics) == 0 {
		return nil, fmt.Errorf(`parameters: "metrics" is missing: give [{"name", "direction", "min_delta", "max_regression"}]`)
	}
	seen := map[string]bool{}
	for i := range doc.Metrics {
		r := &doc.Metrics[i]
		if r.Direction == "" {
			r.Direction = "higher"
		}
		switch {
		case r.Name == "":
			return nil, fmt.Errorf("parameters: metric %d has no name", i)
		case seen[r.Name]:
			return nil, fmt.Errorf("parameters: metric %q is listed twice", r.Name)
		case r.Direction != "higher" && r.Direction != "lower":
			return nil, fmt.Errorf("parameters: metric %q has the direction %q: use higher or lower", r.Name, r.Direction)
		case r.MinDelta < 0 || r.MaxRegression < 0:
			return nil, fmt.Errorf("parameters: metric %q has a negative min_delta or max_regression", r.Name)
		}
		seen[r.Name] = true
	}
	return doc.Metrics, nil
}

// model is one side of the context. Metrics are any JSON, since null and "NaN" are how a missing figure travels.
type model struct {
	Name    string         `json:"name"`
	Metrics map[string]any `json:"metrics"`
}

// figure is a metric's value; why is not empty when there is none.
func (m *model) figure(name string) (v float64, why string) {
	switch x := m.Metrics[name].(type) {
	case float64:
		return x, ""
	case string:
		if v, err := strconv.ParseFloat(x, 64); err == nil && !math.IsNaN(v) && !math.IsInf(v, 0) {
			return v, ""
		}
		return 0, "is " + x
	case nil:
		if _, there := m.Metrics[name]; there {
			return 0, "is null"
		}
		return 0, "is missing"
	}
	return 0, "is not a number"
}

func num(v float64) string { return strconv.FormatFloat(v, 'g', -1, 64) }

// judge applies the rule of README.md.
func judge(rules []rule, context []byte) (abi.Verdict, error) {
	var doc struct {
		Candidate *model `json:"candidate"`
		Baseline  *model `json:"baseline"`
	}
	if err := json.Unmarshal(context, &doc); err != nil {
		return abi.Verdict{}, fmt.Errorf("context: %w", err)
	}
	if doc.Candidate == nil {
		return abi.Verdict{}, fmt.Errorf(`context: "candidate" is missing`)
	}
	v := abi.Verdict{Outcome: abi.Pass, Evidence: map[string]any{"candidate": doc.Candidate.Name}}
	worse := func(o abi.Outcome) {
		if v.Outcome != abi.Fail {
			v.Outcome = o
		}
	}
	say := func(format string, args ...any) { v.Reasons = append(v.Reasons, fmt.Sprintf(format, args...)) }
	if doc.Baseline != nil {
		v.Evidence["baseline"] = doc.Baseline.Name
	}
	improved, figures := false, map[string]any{}
	for _, r := range rules {
		c, why := doc.Candidate.figure(r.Name)
		if why != "" {
			worse(abi.Fail)
			say("%s: the candidate's value %s", r.Name, why)
			continue
		}
		if doc.Baseline == nil {
			figures[r.Name] = map[string]any{"candidate": c}
			continue
		}
		b, why := doc.Baseline.figure(r.Name)
		if why != "" {
			worse(abi.Review)
			say("%s: the baseline's value %s, so the candidate's %s cannot be compared", r.Name, why, num(c))
			continue
		}
		gain := c - b
		if r.Direction == "lower" {
			gain = b - c
		}
		figures[r.Name] = map[string]any{"candidate": c, "baseline": b, "gain": gain}
		facts := fmt.Sprintf("%s (%s is better): candidate %s, baseline %s, gain %s", r.Name, r.Direction, num(c), num(b), num(gain))
		switch {
		case gain < -r.MaxRegression:
			worse(abi.Fail)
			say("%s: regresses by more than the %s allowed", facts, num(r.MaxRegression))
		case gain >= r.MinDelta:
			improved = true
			say("%s: improves by at least %s", facts, num(r.MinDelta))
		default:
			say("%s: neither regresses by more than %s nor improves by %s", facts, num(r.MaxRegression), num(r.MinDelta))
		}
	}
	v.Evidence["metrics"] = figures
	switch {
	case doc.Baseline == nil && v.Outcome == abi.Pass:
		say("there is no baseline to beat")
	case doc.Baseline != nil && v.Outcome == abi.Pass && !improved:
		v.Outcome = abi.Fail
		say("no metric improves by its min_delta")
	}
	return v, nil
}
