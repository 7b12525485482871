package catalog

import (
	"regexp"
	"strconv"
	"strings"

	"github.com/weir-ml/weir/host/errs"
	"github.com/weir-ml/weir/host/schema"
)

// The reserved aliases. They cannot be set; they move by themselves.
const (
	Current = "current" // the version that the name alone stands for
	Latest  = "latest"  // the newest version that is there, which a roll back leaves ahead of the current one
)

// Ref is a reference to a plugin, parsed. Either Digest is set, or Name with an optional At.
type Ref struct {
	Digest string // "sha256:<64 hex>"
	Name   string
	At     string // "" (the name alone), a version ("3"), or an alias
}

// String is the text that ParseRef reads.
func (r Ref) String() string {
	switch {
	case r.Digest != "":
		return r.Digest
	case r.At != "":
		return r.Name + "@" + r.At
	}
	return r.Name
}

// Version is the version that At says in digits; 0 when At is something else.
func (r Ref) Version() int { return number(r.At) }

// Follows reports whether the reference may mean something else after the name's current version has moved: a version or
// an alias of one's own does not.
func (r Ref) Follows() bool {
	return r.Digest == "" && (r.At == "" || r.At == Current || r.At == Latest)
}

var (
	nameForm  = regexp.MustCompile(`^[a-z0-9]([a-z0-9_-]{0,61}[a-z0-9])?$`) // as every resource's
	aliasForm = regexp.MustCompile(`^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$`)
)

// ParseRef reads name, name@3, name@alias or sha256:…. It says nothing about whether that exists. Errors are errs.Invalid.
func ParseRef(text string) (Ref, error) {
	if strings.HasPrefix(text, "sha256:") {
		if _, err := schema.ParseDigest(text); err != nil {
			return Ref{}, err
		}
		return Ref{Digest: text}, nil
	}
	name, at, has := strings.Cut(text, "@")
	if !nameForm.MatchString(name) {
		return Ref{}, errs.New(errs.Invalid, "plugin %.80q: want a name, name@version, name@alias or sha256:… ; a name has 1 to 63 lower-case letters, digits, '-' and '_'", text)
	}
	if has && number(at) == 0 && (!aliasForm.MatchString(at) || digits(at)) {
		return Ref{}, errs.New(errs.Invalid, "plugin %.80q: after the @ want a version (1, 2, …), an alias of your own, %s or %s", text, Current, Latest)
	}
	return Ref{Name: name, At: at}, nil
}

// CheckAlias reports whether an alias can be set by that name: 1 to 63 lower-case letters, digits and dashes, not all
// digits, and none of the reserved ones.
func CheckAlias(alias string) error {
	switch {
	case !aliasForm.MatchString(alias):
		return errs.New(errs.Invalid, "alias %.80q: use 1 to 63 lower-case letters, digits and '-', beginning and ending with a letter or digit", alias)
	case digits(alias):
		return errs.New(errs.Invalid, "alias %q reads like a version: add a letter", alias)
	case alias == Current:
		return errs.New(errs.Invalid, "alias %q is reserved: it is the version that the name alone stands for; push or roll back to move it", alias)
	case alias == Latest:
		return errs.New(errs.Invalid, "alias %q is reserved: it is always the newest version", alias)
	}
	return nil
}

func digits(s string) bool { return strings.Trim(s, "0123456789") == "" }

// number reads a version in its one written form (no sign, no leading zero); 0 for anything else.
func number(s string) int {
	n, err := strconv.Atoi(s)
	if err != nil || n < 1 || strconv.Itoa(n) != s {
		return 0
	}
	return n
}
