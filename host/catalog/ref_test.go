package catalog_test

import (
	"strings"
	"testing"

	"github.com/weir-ml/weir/host/catalog"
	"github.com/weir-ml/weir/host/errs"
)

var hex = strings.Repeat("0a", 32)

func TestParseRef(t *testing.T) {
	for text, want := range map[string]catalog.Ref{
		"scale":             {Name: "scale"},
		"a_b-1":             {Name: "a_b-1"},
		"scale@3":           {Name: "scale", At: "3"},
		"scale@prod":        {Name: "scale", At: "prod"},
		"scale@latest":      {Name: "scale", At: "latest"},
		"scale@3-candidate": {Name: "scale", At: "3-candidate"},
		"sha256:" + hex:     {Digest: "sha256:" + hex},
	} {
		got, err := catalog.ParseRef(text)
		if err != nil || got != want || got.String() != text {
			t.Errorf("%q: %+v (%s), %v", text, got, got, err)
		}
	}
	for _, text := range []string{"", "@", "@3", "A", "a b", "a@", "a@0", "a@03", "a@-1", "a@+1", "a@x@y", "a@UP", "a@99999999999999999999", "sha256:", "sha256:" + hex + "0", "sha256:xyz", "-a", "a@-"} {
		if got, err := catalog.ParseRef(text); !errs.Is(err, errs.Invalid) {
			t.Errorf("%q: %+v, %v", text, got, err)
		}
	}
}

func TestFollows(t *testing.T) {
	for text, want := range map[string]bool{"a": true, "a@current": true, "a@latest": true, "a@2": false, "a@prod": false, "sha256:" + hex: false} {
		r, err := catalog.ParseRef(text)
		if err != nil || r.Follows() != want {
			t.Errorf("%q: %v, %v", text, r.Follows(), err)
		}
	}
}

// What parses is written back as it was, and never stands for two things.
func FuzzParseRef(f *testing.F) {
	for _, s := range []string{"scale", "scale@3", "scale@prod", "sha256:" + hex, "a@0", "@", "a@@", "ä@1", "a@ 1"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		r, err := catalog.ParseRef(text)
		if err != nil {
			if !errs.Is(err, errs.Invalid) {
				t.Errorf("%q: %v", text, err)
			}
			return
		}
		if r.String() != text {
			t.Errorf("%q became %q", text, r)
		}
		if (r.Digest == "") == (r.Name == "") {
			t.Errorf("%q: both or none of digest and name: %+v", text, r)
		}
		if r.Version() > 0 && catalog.CheckAlias(r.At) == nil {
			t.Errorf("%q is a version and could be an alias", text)
		}
	})
}
