// Command judge is an Extism module that is a gate: it passes candidates of at least the configured accuracy.
package main

import (
	"fmt"
	"strconv"

	"github.com/extism/go-pdk"
)

//go:wasmexport judge
func judge() int32 {
	var c struct {
		Candidate struct {
			Metrics map[string]float64 `json:"metrics"`
		} `json:"candidate"`
	}
	if err := pdk.InputJSON(&c); err != nil {
		pdk.SetError(err)
		return 1
	}
	text, _ := pdk.GetConfig("min")
	least, err := strconv.ParseFloat(text, 64)
	if err != nil {
		pdk.SetError(err)
		return 1
	}
	v := map[string]any{"outcome": "pass", "reasons": []string{fmt.Sprintf("accuracy %g is at least %g", c.Candidate.Metrics["accuracy"], least)}}
	if c.Candidate.Metrics["accuracy"] < least {
		v = map[string]any{"outcome": "fail", "reasons": []string{fmt.Sprintf("accuracy %g is below %g", c.Candidate.Metrics["accuracy"], least)}}
	}
	if err := pdk.OutputJSON(v); err != nil {
		pdk.SetError(err)
		return 1
	}
	return 0
}

// scribble answers what is no verdict.
//
//go:wasmexport scribble
func scribble() int32 {
	pdk.OutputString("yes")
	return 0
}

func main() {}
