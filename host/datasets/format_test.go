package datasets

import (
	"bytes"
	"encoding/json"
	"os"
	"testing"
)

// TestFormatPage: the example in docs/formats/datasets.md is exactly what a version is written as.
func TestFormatPage(t *testing.T) {
	page, err := os.ReadFile("../../docs/formats/datasets.md")
	if err != nil {
		t.Fatal(err)
	}
	_, rest, ok := bytes.Cut(page, []byte("```json\n"))
	example, _, closed := bytes.Cut(rest, []byte("```"))
	if !ok || !closed {
		t.Fatal("the page has no JSON example")
	}
	var v Version
	d := json.NewDecoder(bytes.NewReader(example))
	d.DisallowUnknownFields()
	if err := d.Decode(&v); err != nil {
		t.Fatal(err)
	}
	var want bytes.Buffer
	if err := json.Compact(&want, example); err != nil {
		t.Fatal(err)
	}
	got, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want.Bytes()) {
		t.Errorf("a version is written as\n%s\nthe page says\n%s", got, want.Bytes())
	}
	if v.Ref() != "train@3" {
		t.Error(v.Ref())
	}
}
