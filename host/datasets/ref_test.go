package datasets

import (
	"strings"
	"testing"

	"github.com/weir-ml/weir/host/errs"
)

func TestParseRef(t *testing.T) {
	for in, want := range map[string]Ref{
		"flows": {"flows", 0}, "flows@latest": {"flows", 0}, "flows@1": {"flows", 1}, "my-data_2@17": {"my-data_2", 17}, strings.Repeat("a", 63): {strings.Repeat("a", 63), 0},
	} {
		if got, err := ParseRef(in); err != nil || got != want {
			t.Errorf("%q: %v, %v", in, got, err)
		}
	}
	for _, in := range []string{"", "@", "@1", "Flows", "a b", "1a", "-a", "a.b", "a/b", "a@", "a@0", "a@-1", "a@01", "a@+1", "a@1.0", "a@Latest", "a@1@2", "a@99999999999999999999", "ä", "a\n", "a@1\n", strings.Repeat("a", 64)} {
		if got, err := ParseRef(in); !errs.Is(err, errs.Invalid) {
			t.Errorf("%q: %v, %v", in, got, err)
		}
	}
}

func FuzzParseRef(f *testing.F) {
	for _, s := range []string{"a", "a@1", "a@latest", "A@x", "a@@", "a@00"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		r, err := ParseRef(s)
		if err != nil {
			if !errs.Is(err, errs.Invalid) {
				t.Fatal(err)
			}
			return
		}
		if back := r.String(); back != s && s != back+"@latest" {
			t.Fatalf("%q became %q", s, back)
		}
	})
}
