package plugin

import (
	"fmt"
	"strings"
	"testing"

	"github.com/weir-ml/weir/host/errs"
)

func TestParseGrant(t *testing.T) {
	for _, s := range []string{
		"log", "clock", "random", "kv.read:a", "kv.read:*", "kv.write:team/*", "features.read:clicks", "model.infer:churn*",
		"kv.read:with space:and colon", "http.out:*", "http.out:example.org", "http.out:example.org:8443", "http.out:*.example.org",
		"http.out:*.example.org:81", "http.out:127.0.0.1:8080", "http.out:[::1]", "http.out:[::1]:8080", "http.out:localhost", "http.out:xn--bcher-kva.example",
	} {
		if g, err := ParseGrant(s); err != nil || g.String() != s {
			t.Errorf("%s: %v, %v", s, g, err)
		}
	}
	if g, err := ParseGrant("http.out:EXAMPLE.org"); err != nil || g.String() != "http.out:example.org" {
		t.Errorf("upper case: %v, %v", g, err)
	}
	for s, want := range map[string]string{
		"":                                    "unknown: use clock, features.read, http.out, kv.read, kv.write, log, model.infer, random",
		"disk":                                "unknown",
		"Log":                                 "unknown",
		"log:all":                             `takes no scope: write "log"`,
		"log:":                                "takes no scope",
		"kv.read":                             "the scope is missing: write kv.read:name, kv.read:prefix*, or kv.read:* for everything",
		"kv.read:":                            "the scope is missing",
		"kv.read:a*b":                         "a * can only end a scope",
		"kv.read:**":                          "a * can only end a scope",
		"kv.read:a\nb":                        "control character",
		"kv.read:\xff":                        "not UTF-8",
		"kv.read:" + strings.Repeat("k", 513): "the limit is 512",
		"http.out":                            "the host is missing",
		"http.out:https://example.org":        "a scope is a host",
		"http.out:example.org/path":           "a scope is a host",
		"http.out:user@example.org":           "a scope is a host",
		"http.out:example.org:0":              "not a port",
		"http.out:example.org:65536":          "not a port",
		"http.out:example.org:080":            "not a port",
		"http.out:example.org:":               "the port after : is missing",
		"http.out:ex*mple.org":                "is not a host name",
		"http.out:*.*.org":                    "is not a host name",
		"http.out:*.":                         "is not a host name",
		"http.out:*:80":                       "is not a host name",
		"http.out:bücher.example":             "xn--",
		"http.out:[::1":                       "an address in brackets",
		"http.out:[example]:80":               "an address in brackets",
		"http.out:::1":                        "is not a",
	} {
		if _, err := ParseGrant(s); !errs.Is(err, errs.Invalid) || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %q", s, err, want)
		}
	}
}

func TestGrantsAllow(t *testing.T) {
	for _, tc := range []struct {
		grant, name, what string
		want              bool
	}{
		{"log", "log", "", true},
		{"log", "clock", "", false},
		{"kv.read:a", "kv.read", "a", true},
		{"kv.read:a", "kv.read", "ab", false},
		{"kv.read:a", "kv.write", "a", false},
		{"kv.read:a*", "kv.read", "a", true},
		{"kv.read:a*", "kv.read", "ab", true},
		{"kv.read:a*", "kv.read", "b", false},
		{"kv.read:*", "kv.read", "anything", true},
		{"http.out:example.org", "http.out", "example.org", true},
		{"http.out:example.org", "http.out", "www.example.org", false},
		{"http.out:example.org", "http.out", "example.org:8443", false},
		{"http.out:example.org", "http.out", "notexample.org", false},
		{"http.out:example.org:8443", "http.out", "example.org:8443", true},
		{"http.out:example.org:8443", "http.out", "example.org", false},
		{"http.out:*.example.org", "http.out", "www.example.org", true},
		{"http.out:*.example.org", "http.out", "a.b.example.org", true},
		{"http.out:*.example.org", "http.out", "example.org", false},
		{"http.out:*.example.org", "http.out", ".example.org", false},
		{"http.out:*.example.org", "http.out", "badexample.org", false},
		{"http.out:*.example.org", "http.out", "example.org.evil.net", false},
		{"http.out:*.example.org:81", "http.out", "www.example.org:81", true},
		{"http.out:*", "http.out", "example.org", true},
		{"http.out:*", "http.out", "example.org:81", false},
		{"http.out:[::1]:80", "http.out", "[0:0::1]:80", true},
		{"http.out:127.0.0.1", "http.out", "127.0.0.1", true},
	} {
		g, err := ParseGrant(tc.grant)
		if err != nil {
			t.Fatal(err)
		}
		if got := g.allows(tc.name, tc.what); got != tc.want {
			t.Errorf("%s allows %s on %q: %v", tc.grant, tc.name, tc.what, got)
		}
	}
}

func TestHostPort(t *testing.T) {
	for _, tc := range [][4]string{
		{"https", "Example.ORG.", "", "example.org"}, {"https", "example.org", "443", "example.org"}, {"http", "example.org", "443", "example.org:443"},
		{"http", "example.org", "80", "example.org"}, {"http", "::1", "8080", "[::1]:8080"},
	} {
		if got := hostPort(tc[0], tc[1], tc[2]); got != tc[3] {
			t.Errorf("%v: %q", tc, got)
		}
	}
}

func TestCeiling(t *testing.T) {
	for _, tc := range []struct {
		ceiling, grant string
		want           bool
	}{
		{"log", "log", true},
		{"log", "clock", false},
		{"kv.read:*", "kv.read:team/*", true},
		{"kv.read:team/*", "kv.read:team/a", true},
		{"kv.read:team/*", "kv.read:team/*", true},
		{"kv.read:team/*", "kv.read:*", false},
		{"kv.read:team/*", "kv.read:other", false},
		{"kv.read:team/a", "kv.read:team/a*", false},
		{"kv.read:*", "kv.write:a", false},
		{"http.out:*", "http.out:example.org", true},
		{"http.out:*", "http.out:*.example.org", true},
		{"http.out:*", "http.out:*", true},
		{"http.out:*.example.org", "http.out:*.example.org", true},
		{"http.out:*.example.org", "http.out:*.eu.example.org", true},
		{"http.out:*.eu.example.org", "http.out:*.example.org", false},
		{"http.out:*.example.org", "http.out:www.example.org", true},
		{"http.out:*.example.org", "http.out:*", false},
		{"http.out:example.org", "http.out:example.org:81", false},
	} {
		c, err := ParseCeiling([]string{tc.ceiling})
		if err != nil {
			t.Fatal(err)
		}
		g, err := NewGrants([]string{tc.grant}, c)
		if err != nil {
			t.Fatal(err)
		}
		err = g.Within()
		if (err == nil) != tc.want || err != nil && (!errs.Is(err, errs.Forbidden) || !strings.Contains(err.Error(), "the operator's ceiling, which is "+tc.ceiling)) {
			t.Errorf("%s under %s: %v", tc.grant, tc.ceiling, err)
		}
	}
	if _, err := NewGrants([]string{"log", "log"}, Ceiling{{Name: "log"}}); !errs.Is(err, errs.Invalid) {
		t.Errorf("given twice: %v", err)
	}
	if err := allGrants(t, []string{"log"}, nil).Within(); !errs.Is(err, errs.Forbidden) || !strings.Contains(err.Error(), "nothing") {
		t.Errorf("without a ceiling: %v", err)
	}
	many := make([]string, maxGrants+1)
	for i := range many {
		many[i] = fmt.Sprintf("kv.read:%d", i)
	}
	if _, err := ParseCeiling(many); !errs.Is(err, errs.Invalid) {
		t.Errorf("too many: %v", err)
	}
}

// FuzzParseGrant: what is accepted reads back as it was written, is covered by itself, and permits nothing of another name.
func FuzzParseGrant(f *testing.F) {
	for _, s := range []string{"log", "kv.read:team/*", "http.out:*.example.org:81", "http.out:[::1]:8080", "http.out:a..b", "kv.write:", "x:y"} {
		f.Add(s, "team/a")
	}
	f.Fuzz(func(t *testing.T, s, what string) {
		g, err := ParseGrant(s)
		if err != nil {
			if !errs.Is(err, errs.Invalid) {
				t.Fatalf("%q: %v", s, err)
			}
			return
		}
		again, err := ParseGrant(g.String())
		if err != nil || again != g {
			t.Fatalf("%q reads back as %v, %v", s, again, err)
		}
		if !g.covers(g) {
			t.Fatalf("%q does not cover itself", s)
		}
		for name := range grantKinds {
			if name != g.Name && g.allows(name, what) {
				t.Fatalf("%q permits %s", s, name)
			}
		}
		if every, err := ParseGrant(g.Name + ":*"); err == nil && grantKinds[g.Name] == scopeText && g.allows(g.Name, what) && !every.allows(g.Name, what) {
			t.Fatalf("%q permits %q, which %v does not", s, what, every)
		}
	})
}
