package plugin

import (
	"bytes"
	"encoding/json"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/weir-ml/weir/sdk/abi"
)

var anyText = rapid.OneOf(rapid.String(), rapid.StringMatching(`[a-zA-Z0-9/"\\ -]*`), rapid.Map(rapid.SliceOf(rapid.Byte()), func(b []byte) string { return string(b) }))

// TestRequestIsWhatJSONReads: reading the hand-written document gives what reading encoding/json's gives.
func TestRequestIsWhatJSONReads(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		r := abi.Request{
			Kind: anyText.Draw(t, "kind"), Method: anyText.Draw(t, "method"), Path: anyText.Draw(t, "path"), Query: anyText.Draw(t, "query"),
			Subject: anyText.Draw(t, "subject"), ID: anyText.Draw(t, "id"), Body: rapid.SliceOf(rapid.Byte()).Draw(t, "body"),
			Headers: rapid.MapOf(rapid.StringMatching(`[A-Z][a-z"é-]{0,9}`), rapid.SliceOf(anyText)).Draw(t, "headers"),
		}
		want, err := json.Marshal(r)
		if err != nil {
			t.Fatal(err)
		}
		var a, b abi.Request
		if err := json.Unmarshal(want, &a); err != nil {
			t.Fatal(err)
		}
		got := appendRequest(nil, &r)
		if err := json.Unmarshal(got, &b); err != nil {
			t.Fatalf("%s: %v", got, err)
		}
		if d := cmp.Diff(a, b); d != "" {
			t.Fatalf("%s\n%s\n%s", d, got, want)
		}
	})
}

var responses = []string{
	`{"status":200,"headers":{"Content-Type":["application/json"]},"body":"aGk="}`, `{}`, `{"body":""}`, `{"status":404}`, `{"status":0}`, `{"status":007}`, `{"status":-1}`,
	`{"headers":{}}`, `{"headers":{"A":[],"B":["x","y"]}}`, `{"headers":{"A":["x"],"A":["y"]}}`, `{"headers":null}`, `{"headers":{"A":null}}`, ` {"status" : 200 }`,
	`{"status":200,"status":201}`, `{"body":"aGk"}`, `{"body":"a\u0047k="}`, `{"body":null}`, `{"status":200}x`, `{"status":200,}`, `{"other":1,"status":200}`, `{"Status":201}`,
	`{"headers":{"É":["ü"]}}`, `{"headers":{"A":["\n"]}}`, `{"status":99999}`, `{"status":2e2}`, `[`, `null`, `{"headers":{"A":["x"`, `{"headers":{"A":["x",]}}`, `{"headers":{"A":["x"],}}`,
}

// FuzzResponse: every document is read, or refused, as encoding/json does it.
func FuzzResponse(f *testing.F) {
	for _, s := range responses {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, doc []byte) {
		var want, got abi.Response
		errWant, errGot := json.Unmarshal(doc, &want), parseResponse(doc, &got)
		if (errWant == nil) != (errGot == nil) {
			t.Fatalf("%q: %v, want %v", doc, errGot, errWant)
		}
		if errWant != nil {
			return
		}
		if got.Status != want.Status || !bytes.Equal(got.Body, want.Body) {
			t.Fatalf("%q: %+v, want %+v", doc, got, want)
		}
		if d := cmp.Diff(want.Headers, got.Headers); d != "" {
			t.Fatalf("%q: %s", doc, d)
		}
	})
}

func BenchmarkDocuments(b *testing.B) {
	r := abi.Request{Kind: "http", Method: "POST", Path: "/x", Headers: map[string][]string{"Content-Type": {"application/json"}, "Host": {"localhost"}, "Content-Length": {"80"}},
		Body: bytes.Repeat([]byte("x"), 80)}
	b.Run("request", func(b *testing.B) {
		var doc []byte
		for b.Loop() {
			doc = appendRequest(doc[:0], &r)
		}
	})
	b.Run("request/json", func(b *testing.B) {
		for b.Loop() {
			if _, err := json.Marshal(r); err != nil {
				b.Fatal(err)
			}
		}
	})
	doc := []byte(`{"status":200,"headers":{"Content-Type":["application/json"]},"body":"eyJ1c2VyIjoiYW5uIiwiY291bnQiOjgsInN1bSI6MzYuNzUsIm1heCI6OC4yNX0="}`)
	b.Run("response", func(b *testing.B) {
		for b.Loop() {
			var out abi.Response
			if err := parseResponse(doc, &out); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("response/json", func(b *testing.B) {
		for b.Loop() {
			var out abi.Response
			if err := json.Unmarshal(doc, &out); err != nil {
				b.Fatal(err)
			}
		}
	})
}
