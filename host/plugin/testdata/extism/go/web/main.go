// Command web is an Extism module that uses the host: it fetches what its input names, logs, fails, reads the clock, and runs off.
package main

import (
	"fmt"
	"strings"
	"time"

	"github.com/extism/go-pdk"
)

// fetch takes "METHOD URL body" and answers "status header body".
//
//go:wasmexport fetch
func fetch() int32 {
	words := strings.SplitN(pdk.InputString(), " ", 3)
	method := pdk.MethodGet
	if words[0] == "POST" {
		method = pdk.MethodPost
	}
	r := pdk.NewHTTPRequest(method, words[1])
	r.SetHeader("X-Asked", "yes")
	if len(words) > 2 {
		r.SetBody([]byte(words[2]))
	}
	res := r.Send()
	pdk.OutputString(fmt.Sprintf("%d %s %s", res.Status(), res.Headers()["x-seen"], res.Body()))
	return 0
}

//go:wasmexport speak
func speak() int32 {
	pdk.Log(pdk.LogDebug, "at debug")
	pdk.Log(pdk.LogInfo, "at info")
	pdk.Log(pdk.LogWarn, "at warn")
	pdk.Log(pdk.LogError, "at error")
	return 0
}

//go:wasmexport fail
func fail() int32 {
	pdk.SetErrorString("no luck with " + pdk.InputString())
	return 1
}

//go:wasmexport code
func code() int32 { return 7 }

// whisper sets an error and answers success.
//
//go:wasmexport whisper
func whisper() int32 {
	pdk.SetErrorString("quietly")
	return 0
}

//go:wasmexport clock
func clock() int32 {
	pdk.OutputString(time.Now().UTC().Format(time.RFC3339Nano))
	return 0
}

//go:wasmexport spin
func spin() int32 {
	for {
		m := pdk.Allocate(8)
		m.Free()
	}
}

//go:wasmexport hoard
func hoard() int32 {
	for {
		pdk.Allocate(1 << 20)
	}
}

//go:wasmexport stray
func stray() int32 {
	var b [8]byte
	m := pdk.NewMemory(1<<40, 8)
	m.Load(b[:])
	return 0
}

//go:wasmexport crash
func crash() int32 { panic("crash") }

// bytes answers what is no text.
//
//go:wasmexport bytes
func bytes() int32 {
	pdk.Output([]byte{0, 1, 2, 0xff})
	return 0
}

//go:wasmexport silence
func silence() int32 { return 0 }

func main() {}
