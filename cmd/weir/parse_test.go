package main

import (
	"encoding/json"
	"strings"
	"testing"
)

const digest = "sha256:0000000000000000000000000000000000000000000000000000000000000000"

func TestReplaceEntry(t *testing.T) {
	cases := []struct{ name, in, want string }{
		{"block", "spec:\n  file: a.wasm # note\n", "spec:\n  blob: \"D\" # note\n"},
		{"quoted", "spec:\n  file: \"a b.wasm\"\n", "spec:\n  blob: \"D\"\n"},
		{"single quoted", "spec:\n  file: 'a.wasm'\n", "spec:\n  blob: \"D\"\n"},
		{"flow", "spec: {file: a.wasm, x: 1}\n", "spec: {blob: \"D\", x: 1}\n"},
		{"json", `{"spec":{"file":"a.wasm","x":1}}`, `{"spec":{"blob": "D","x":1}}`},
		{"documents", "spec: {file: a}\n---\nspec:\n  x: 1\n  file: b\n", "spec: {blob: \"D\"}\n---\nspec:\n  x: 1\n  blob: \"D\"\n"},
		{"elsewhere", "file: a\nspec: {model: {file: b}}\n", "file: a\nspec: {model: {file: b}}\n"},
		{"not yaml", "a: [", "a: ["},
		{"umlauts before", "spec: {name: größe, file: a.onnx}\n", "spec: {name: größe, blob: \"D\"}\n"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			got, ok := replaceAll([]byte(c.in))
			if !ok || strings.ReplaceAll(got, digest, "D") != c.want {
				t.Errorf("%q, want %q", got, c.want)
			}
		})
	}
}

// replaceAll does what withBlobs does, without a server.
func replaceAll(text []byte) (string, bool) {
	m := manifest{text: text}
	lines := strings.SplitAfter(string(text), "\n")
	files := m.files()
	for i := len(files) - 1; i >= 0; i-- {
		at := files[i].key.Position.Line - 1
		if at >= len(lines) {
			return "", false
		}
		l, ok := replaceEntry(lines[at], files[i], digest)
		if !ok {
			return "", false
		}
		lines[at] = l
	}
	return strings.Join(lines, ""), true
}

func FuzzManifestFiles(f *testing.F) {
	f.Add([]byte("spec:\n  file: a.wasm # note\n"))
	f.Add([]byte(`{"spec":{"file":"a.wasm","x":1}}`))
	f.Add([]byte("spec: &a {file: x}\n---\nspec: *a\n"))
	f.Fuzz(func(t *testing.T, text []byte) {
		got, ok := replaceAll(text)
		if ok && strings.Count(got, "\n") != strings.Count(string(text), "\n") {
			t.Fatalf("%q became %q: lines moved", text, got)
		}
	})
}

func TestBodyOfCSV(t *testing.T) {
	cases := []struct{ in, want string }{
		{"1, 2.50,1e3", `{"features":[[1,2.50,1e3]]}`},
		{"1,\n2,NaN\n", `{"features":[[1,null],[2,"NaN"]]}`},
		{"+1,.5,0x1p4,inf", `{"features":[[1,0.5,16,"Infinity"]]}`},
		{"a,b\n1,x\n,y\n", `{"columns":{"a":[1,null],"b":["x","y"]}}`},
	}
	for _, c := range cases {
		got, err := bodyOfCSV(c.in)
		if err != nil || string(got) != c.want {
			t.Errorf("%q: %s %v, want %s", c.in, got, err, c.want)
		}
	}
	for _, bad := range []string{"", "1,2\n3\n", "1\nx\n", "\"1"} {
		if got, err := bodyOfCSV(bad); err == nil {
			t.Errorf("%q became %s", bad, got)
		}
	}
}

func FuzzBodyOfCSV(f *testing.F) {
	f.Add("1,2\n3,4")
	f.Add("a,b\n1,x")
	f.Add("0x1p-2,inf,1_0")
	f.Fuzz(func(t *testing.T, text string) {
		if got, err := bodyOfCSV(text); err == nil && !json.Valid(got) {
			t.Fatalf("%q became %s", text, got)
		}
	})
}
