// Command gate passes a candidate whose metric is at least a minimum and has not dropped by more than is allowed from the baseline's; it
// asks for a person's look when the candidate has no such metric.
package main

import (
	"math"
	"strconv"

	"github.com/weir-ml/weir/sdk/abi"
	"github.com/weir-ml/weir/sdk/guest"
	"github.com/weir-ml/weir/sdk/guest/json"
)

func init() {
	guest.Register(guest.Plugin{
		Description: abi.Description{
			Name: "gate", Version: "1.0.0", Summary: "Passes a candidate that is good enough and not much worse than the baseline.",
			Worlds: []abi.World{abi.WorldGate}, Parameters: parameters,
		},
		Init: initialise,
		Gate: judge,
	})
}

func main() {}

// parameters is the JSON Schema of the parameters.
var parameters = map[string]any{
	"type": "object", "additionalProperties": false, "required": []any{"metric", "min", "max_drop"},
	"properties": map[string]any{
		"metric":   map[string]any{"type": "string", "minLength": 1},
		"min":      map[string]any{"type": "number"},
		"max_drop": map[string]any{"type": "number", "minimum": 0},
	},
}

var (
	metric         string
	least, maxDrop = math.NaN(), math.NaN() // until they are given
)

func initialise(params []byte) error {
	r := json.NewReader(params)
	r.Object(func(name string) {
		switch name {
		case "metric":
			metric = r.Text()
		case "min":
			least = r.Number()
		case "max_drop":
			maxDrop = r.Number()
		default:
			r.Unknown(name)
		}
	})
	if err := r.End(); err != nil {
		return guest.Errorf("parameters: %w", err)
	}
	if metric == "" || least != least || !(maxDrop >= 0) {
		return guest.Errorf(`parameters: "metric", "min" and "max_drop" are needed, max_drop not negative`)
	}
	return nil
}

// figure reads one side of the context: the metric's value, nil when there is no number.
func figure(r *json.Reader) (v *float64) {
	object(r, func(name string) {
		if name != "metrics" {
			r.Skip()
			return
		}
		object(r, func(name string) {
			if name == metric && r.Kind() == json.Number {
				x := r.Number()
				v = &x
			} else {
				r.Skip()
			}
		})
	})
	return v
}

// object reads an object; any other value is passed over, as if it were an object without members.
func object(r *json.Reader, member func(name string)) {
	if r.Kind() == json.Object {
		r.Object(member)
	} else {
		r.Skip()
	}
}

// six writes a figure with six decimals, by arithmetic that is the same in every language.
func six(v float64) string {
	scaled := math.Abs(v) * 1000000
	switch {
	case v >= 1e9:
		return "over 999999999"
	case v <= -1e9:
		return "under -999999999"
	}
	n := uint64(scaled)
	if scaled-float64(n) >= 0.5 {
		n++
	}
	sign := ""
	if v < 0 && n > 0 {
		sign = "-"
	}
	return sign + strconv.FormatUint(n/1000000, 10) + "." + strconv.FormatUint(1000000+n%1000000, 10)[1:]
}

func judge(context []byte) (abi.Verdict, error) {
	var candidate, baseline *float64
	r := json.NewReader(context)
	r.Object(func(name string) {
		switch name {
		case "candidate":
			candidate = figure(r)
		case "baseline":
			baseline = figure(r)
		default:
			r.Skip()
		}
	})
	if err := r.End(); err != nil {
		return abi.Verdict{}, guest.Errorf("context: %w", err)
	}
	v := abi.Verdict{Outcome: abi.Pass, Evidence: map[string]any{"candidate": candidate, "baseline": baseline}}
	if candidate == nil {
		v.Outcome, v.Reasons = abi.Review, []string{"the candidate has no finite " + metric}
		return v, nil
	}
	is := metric + " " + six(*candidate)
	if *candidate < least {
		v.Outcome = abi.Fail
		v.Reasons = append(v.Reasons, is+" is below the minimum "+six(least))
	}
	if baseline != nil && *baseline-*candidate > maxDrop {
		v.Outcome = abi.Fail
		v.Reasons = append(v.Reasons, is+" drops by "+six(*baseline-*candidate)+" from the baseline "+six(*baseline)+", more than the "+six(maxDrop)+" allowed")
	}
	if v.Outcome == abi.Pass {
		why := is + " is at least the minimum " + six(least)
		if baseline == nil {
			why += "; there is no baseline"
		} else {
			why += " and drops by no more than " + six(maxDrop) + " from the baseline " + six(*baseline)
		}
		v.Reasons = []string{why}
	}
	return v, nil
}
