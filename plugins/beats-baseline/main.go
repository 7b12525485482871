// Command beats-baseline is the built-in gate that compares a candidate's metrics with a baseline's; README.md states its rule.
package main

import (
	"math"
	"strconv"
	"strings"

	"github.com/weir-ml/weir/sdk/abi"
	"github.com/weir-ml/weir/sdk/guest"
	"github.com/weir-ml/weir/sdk/guest/json"
)

var rules []rule

func init() {
	guest.Register(guest.Plugin{
		Description: abi.Description{
			Name: "beats-baseline", Version: "1.0.0", Summary: "Passes a candidate that is no worse than the baseline and better somewhere.",
			Worlds: []abi.World{abi.WorldGate}, Parameters: parameters,
		},
		Init: func(params []byte) (err error) { rules, err = parse(params); return err },
		Gate: func(context []byte) (abi.Verdict, error) { return judge(rules, context) },
	})
}

func main() {}

// parameters is the JSON Schema of the parameters.
var parameters = map[string]any{
	"type": "object", "additionalProperties": false, "required": []any{"metrics"},
	"properties": map[string]any{"metrics": map[string]any{
		"type": "array", "minItems": 1,
		"items": map[string]any{
			"type": "object", "additionalProperties": false, "required": []any{"name"},
			"properties": map[string]any{
				"name":           map[string]any{"type": "string"},
				"direction":      map[string]any{"enum": []any{"higher", "lower"}, "default": "higher", "description": "which way is better"},
				"min_delta":      map[string]any{"type": "number", "minimum": 0, "default": 0},
				"max_regression": map[string]any{"type": "number", "minimum": 0, "default": 0},
			},
		},
	}},
}

// rule is one metric's.
type rule struct {
	Name          string
	Direction     string
	MinDelta      float64
	MaxRegression float64
}

// read takes one rule; a null is a member left out.
func read(r *json.Reader) (m rule) {
	r.Object(func(name string) {
		switch {
		case r.Null():
		case name == "name":
			m.Name = r.Text()
		case name == "direction":
			m.Direction = r.Text()
		case name == "min_delta":
			m.MinDelta = r.Number()
		case name == "max_regression":
			m.MaxRegression = r.Number()
		default:
			r.Unknown(name)
		}
	})
	return m
}

func parse(params []byte) (rules []rule, err error) {
	r := json.NewReader(params)
	r.Object(func(name string) {
		if name != "metrics" {
			r.Unknown(name)
			return
		}
		r.Array(func() { rules = append(rules, read(r)) })
	})
	if err := r.End(); err != nil {
		return nil, guest.Errorf("parameters: %w", err)
	}
	if len(rules) == 0 {
		return nil, guest.Errorf(`parameters: "metrics" is missing: give [{"name", "direction", "min_delta", "max_regression"}]`)
	}
	seen := map[string]bool{}
	for i := range rules {
		r := &rules[i]
		if r.Direction == "" {
			r.Direction = "higher"
		}
		switch {
		case r.Name == "":
			return nil, guest.Errorf("parameters: metric %d has no name", i)
		case seen[r.Name]:
			return nil, guest.Errorf("parameters: metric %q is listed twice", r.Name)
		case r.Direction != "higher" && r.Direction != "lower":
			return nil, guest.Errorf("parameters: metric %q has the direction %q: use higher or lower", r.Name, r.Direction)
		case r.MinDelta < 0 || r.MaxRegression < 0:
			return nil, guest.Errorf("parameters: metric %q has a negative min_delta or max_regression", r.Name)
		}
		seen[r.Name] = true
	}
	return rules, nil
}

// model is one side of the context. Metrics are any JSON, since null and "NaN" are how a missing figure travels.
type model struct {
	Name    string
	Metrics map[string]any
}

// side takes one side of the context, nil for null.
func side(r *json.Reader) *model {
	if r.Null() {
		return nil
	}
	m := &model{Metrics: map[string]any{}}
	r.Object(func(name string) {
		switch {
		case r.Null():
		case name == "metrics":
			r.Object(func(name string) { m.Metrics[name] = r.Any() })
		case name == "name":
			m.Name = r.Text()
		default:
			r.Skip()
		}
	})
	return m
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
	var candidate, baseline *model
	r := json.NewReader(context)
	r.Object(func(name string) {
		switch name {
		case "candidate":
			candidate = side(r)
		case "baseline":
			baseline = side(r)
		default:
			r.Skip()
		}
	})
	if err := r.End(); err != nil {
		return abi.Verdict{}, guest.Errorf("context: %w", err)
	}
	if candidate == nil {
		return abi.Verdict{}, guest.Errorf(`context: "candidate" is missing`)
	}
	v := abi.Verdict{Outcome: abi.Pass, Evidence: map[string]any{"candidate": candidate.Name}}
	worse := func(o abi.Outcome) {
		if v.Outcome != abi.Fail {
			v.Outcome = o
		}
	}
	say := func(parts ...string) { v.Reasons = append(v.Reasons, strings.Join(parts, "")) }
	if baseline != nil {
		v.Evidence["baseline"] = baseline.Name
	}
	improved, figures := false, map[string]any{}
	for _, r := range rules {
		c, why := candidate.figure(r.Name)
		if why != "" {
			worse(abi.Fail)
			say(r.Name, ": the candidate's value ", why)
			continue
		}
		if baseline == nil {
			figures[r.Name] = map[string]any{"candidate": c}
			continue
		}
		b, why := baseline.figure(r.Name)
		if why != "" {
			worse(abi.Review)
			say(r.Name, ": the baseline's value ", why, ", so the candidate's ", num(c), " cannot be compared")
			continue
		}
		gain := c - b
		if r.Direction == "lower" {
			gain = b - c
		}
		figures[r.Name] = map[string]any{"candidate": c, "baseline": b, "gain": gain}
		facts := r.Name + " (" + r.Direction + " is better): candidate " + num(c) + ", baseline " + num(b) + ", gain " + num(gain)
		switch {
		case gain < -r.MaxRegression:
			worse(abi.Fail)
			say(facts, ": regresses by more than the ", num(r.MaxRegression), " allowed")
		case gain >= r.MinDelta:
			improved = true
			say(facts, ": improves by at least ", num(r.MinDelta))
		default:
			say(facts, ": neither regresses by more than ", num(r.MaxRegression), " nor improves by ", num(r.MinDelta))
		}
	}
	v.Evidence["metrics"] = figures
	switch {
	case baseline == nil && v.Outcome == abi.Pass:
		say("there is no baseline to beat")
	case baseline != nil && v.Outcome == abi.Pass && !improved:
		v.Outcome = abi.Fail
		say("no metric improves by its min_delta")
	}
	return v, nil
}
