// Package arch holds the rules of who may import whom, and the test that asserts them over the whole tree. A new rule is a
// line in Rules with its reason, not a paragraph in a guide.
//
// It is not imported by anything. Read rules.go, then arch_test.go.
package arch

import (
	"path"
	"strings"
)

// Module is the import path of the tree's root.
const Module = "github.com/weir-ml/weir"

// Rule forbids imports, with its reason.
type Rule struct {
	From   []string // importers: patterns of paths within the module, "host/edge/..." means it and everything below
	Except []string // importers that may
	To     []string // imports: paths within the module, or of other modules with a leading "!"; "std" never matches
	Allow  []string // imports that are fine although To matches
	Why    string
}

// match reports whether a path is one of the patterns. "..." alone is everything of the module, "!..." every other module.
func match(patterns []string, p string) bool {
	for _, pat := range patterns {
		base, below := strings.CutSuffix(pat, "...")
		base = strings.TrimSuffix(base, "/")
		switch {
		case below && (base == "" || base == "!"):
			if strings.HasPrefix(p, "!") == (base == "!") {
				return true
			}
		case below && (p == base || strings.HasPrefix(p, base+"/")):
			return true
		case !below:
			if ok, err := path.Match(pat, p); err == nil && ok {
				return true
			}
		}
	}
	return false
}

// local turns an import path into the form that patterns have; std is true for the standard library.
func local(importPath string) (p string, std bool) {
	if importPath == Module {
		return ".", false
	}
	if rest, ok := strings.CutPrefix(importPath, Module+"/"); ok {
		return rest, false
	}
	first, _, _ := strings.Cut(importPath, "/")
	return "!" + importPath, !strings.Contains(first, ".")
}

// Check returns the rules that an import breaks.
func Check(from, imported string) []Rule {
	f, _ := local(from)
	to, std := local(imported)
	if std {
		return nil
	}
	var broken []Rule
	for _, r := range Rules {
		if match(r.From, f) && !match(r.Except, f) && match(r.To, to) && !match(r.Allow, to) {
			broken = append(broken, r)
		}
	}
	return broken
}
