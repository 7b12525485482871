// Command vowels is an Extism module that counts vowels: those of the configuration, and in all calls up to now by a variable.
package main

import (
	"strings"

	"github.com/extism/go-pdk"
)

type report struct {
	Count  int    `json:"count"`
	Total  int    `json:"total"`
	Vowels string `json:"vowels"`
}

//go:wasmexport count_vowels
func countVowels() int32 {
	vowels, ok := pdk.GetConfig("vowels")
	if !ok {
		vowels = "aeiouAEIOU"
	}
	r := report{Vowels: vowels}
	for _, c := range pdk.InputString() {
		if strings.ContainsRune(vowels, c) {
			r.Count++
		}
	}
	r.Total = pdk.GetVarInt("total") + r.Count
	pdk.SetVarInt("total", r.Total)
	if err := pdk.OutputJSON(r); err != nil {
		pdk.SetError(err)
		return 1
	}
	return 0
}

//go:wasmexport forget
func forget() int32 {
	pdk.RemoveVar("total")
	return 0
}

// hoard keeps the input as variables until there is no room.
//
//go:wasmexport hoard
func hoard() int32 {
	in := pdk.Input()
	for i := range 1000 {
		pdk.SetVar(string(rune('a'+i)), in)
	}
	return 0
}

func main() {}
