package plugin

import (
	"fmt"
	"net"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/weir-ml/weir/host/errs"
)

// A grant is a permission to call some functions of the import module weir:host (sdk/abi/ABI.md, section 9). Nothing is
// permitted that was not given, and nothing beyond the operator's ceiling.

// scopeKind says how a grant's scope is written and matched.
type scopeKind int

const (
	scopeNone scopeKind = iota
	scopeText           // a text, or a prefix that ends in *
	scopeHost           // host, host:port, *.domain, *.domain:port or *
)

// grantKinds are the grants that there are.
var grantKinds = map[string]scopeKind{
	"log": scopeNone, "clock": scopeNone, "random": scopeNone,
	"kv.read": scopeText, "kv.write": scopeText, "features.read": scopeText, "model.infer": scopeText, "http.out": scopeHost,
}

// Bounds of grants.
const (
	maxScopeBytes = 512 // as long as a key may be
	maxGrants     = 64  // of one plugin, or of one ceiling
)

// Grant is one permission. Make it with ParseGrant.
type Grant struct {
	Name  string // "log", "kv.read", "http.out", …
	Scope string // "" for grants without one; a trailing * stands for any ending, *.domain for any host below
}

// String is the grant as ParseGrant reads it.
func (g Grant) String() string {
	if g.Scope == "" {
		return g.Name
	}
	return g.Name + ":" + g.Scope
}

// ParseGrant reads "name" or "name:scope". Errors are errs.Invalid and say what is wrong and how it is written.
func ParseGrant(s string) (Grant, error) {
	name, scope, scoped := strings.Cut(s, ":")
	kind, ok := grantKinds[name]
	bad := func(format string, args ...any) (Grant, error) {
		return Grant{}, errs.New(errs.Invalid, "grant %q: "+format, append([]any{clipText(s)}, args...)...)
	}
	switch {
	case !ok:
		return bad("unknown: use %s", strings.Join(sortedKeys(grantKinds), ", "))
	case kind == scopeNone && scoped:
		return bad("%s takes no scope: write %q", name, name)
	case kind == scopeNone:
		return Grant{Name: name}, nil
	case scope == "" && kind == scopeHost:
		return bad("the host is missing: write http.out:example.org, http.out:example.org:8443, http.out:*.example.org, or http.out:* for every host")
	case scope == "":
		return bad("the scope is missing: write %s:name, %s:prefix*, or %s:* for everything", name, name, name)
	case len(scope) > maxScopeBytes:
		return bad("the scope has %d bytes, the limit is %d", len(scope), maxScopeBytes)
	}
	for i, r := range scope {
		if r < ' ' || r == 0x7f || r == 0xfffd {
			return bad("the scope holds a control character or bytes that are not UTF-8, at byte %d", i)
		}
	}
	if kind == scopeText {
		if at := strings.IndexByte(scope, '*'); at >= 0 && at != len(scope)-1 {
			return bad("a * can only end a scope")
		}
		return Grant{name, scope}, nil
	}
	scope = strings.ToLower(scope)
	if strings.Contains(scope, "/") {
		return bad("a scope is a host, not an address with a path: write example.org or example.org:8443")
	}
	host, port, err := splitHostScope(scope)
	if err != nil {
		return bad("%v", err)
	}
	if port != "" {
		if n, err := strconv.ParseUint(port, 10, 16); err != nil || n == 0 || strconv.FormatUint(n, 10) != port {
			return bad("%q is not a port", port)
		}
	}
	if host == "*" && port == "" || net.ParseIP(host) != nil {
		return Grant{name, scope}, nil
	}
	if strings.ContainsAny(host, "?#@ %[]\\") {
		return bad("a scope is a host, not an address with a path: write example.org or example.org:8443")
	}
	labels := strings.Split(strings.TrimPrefix(host, "*."), ".")
	for _, l := range labels {
		if l == "" || len(l) > 63 || strings.Trim(l, "abcdefghijklmnopqrstuvwxyz0123456789-_") != "" || strings.Contains(l, "*") {
			return bad("%q is not a host name (a * stands only for whole labels in front: *.example.org; other scripts are written as xn--…)", host)
		}
	}
	return Grant{name, scope}, nil
}

// splitHostScope parts host[:port], where host may be an IPv6 address in brackets, which are taken off.
func splitHostScope(s string) (host, port string, err error) {
	if strings.HasPrefix(s, "[") {
		end := strings.IndexByte(s, ']')
		if end < 0 || net.ParseIP(s[1:end]) == nil {
			return "", "", errs.New(errs.Invalid, "an address in brackets is written [::1] or [::1]:8080")
		}
		host, rest := s[1:end], s[end+1:]
		if rest != "" && !strings.HasPrefix(rest, ":") || rest == ":" {
			return "", "", errs.New(errs.Invalid, "an address in brackets is written [::1] or [::1]:8080")
		}
		return host, strings.TrimPrefix(rest, ":"), nil
	}
	host, port, found := strings.Cut(s, ":")
	if found && port == "" {
		return "", "", errs.New(errs.Invalid, "the port after : is missing")
	}
	return host, port, nil
}

// allows reports whether the grant permits name on what: a key, view or model, or host:port as hostPort writes it, with the
// scheme's own port cut.
func (g Grant) allows(name, what string) bool {
	if g.Name != name {
		return false
	}
	switch grantKinds[name] {
	case scopeNone:
		return true
	case scopeText:
		if prefix, ok := strings.CutSuffix(g.Scope, "*"); ok {
			return strings.HasPrefix(what, prefix)
		}
		return what == g.Scope
	}
	if g.Scope == what {
		return true
	}
	have, havePort, err := splitHostScope(g.Scope)
	if err != nil {
		return false
	}
	host, port, err := splitHostScope(what)
	if err != nil || port != havePort {
		return false
	}
	if have == "*" {
		return true
	}
	domain, ok := strings.CutPrefix(have, "*.")
	if !ok { // two spellings of one address
		a, b := net.ParseIP(have), net.ParseIP(host)
		return a != nil && b != nil && a.Equal(b)
	}
	return strings.HasSuffix(host, "."+domain) && len(host) > len(domain)+1
}

// covers reports whether all that other permits is permitted by g, too.
func (g Grant) covers(other Grant) bool {
	if g.Name != other.Name {
		return false
	}
	switch grantKinds[g.Name] {
	case scopeText:
		if prefix, ok := strings.CutSuffix(g.Scope, "*"); ok {
			return strings.HasPrefix(strings.TrimSuffix(other.Scope, "*"), prefix)
		}
		return g.Scope == other.Scope
	case scopeHost:
		if domain, ok := strings.CutPrefix(other.Scope, "*."); ok && g.Scope != "*" {
			return g.Scope == other.Scope || strings.HasPrefix(g.Scope, "*.") && strings.HasSuffix("."+domain, g.Scope[1:])
		}
		return g.Scope == other.Scope || other.Scope != "*" && g.allows(g.Name, other.Scope)
	}
	return true
}

// hostPort is a URL's host as scopes are compared with it: lower case, without a final dot, IPv6 in brackets, and the port
// only when it is not the scheme's own.
func hostPort(scheme, host, port string) string {
	host = strings.TrimSuffix(strings.ToLower(host), ".")
	if strings.Contains(host, ":") {
		host = "[" + host + "]"
	}
	if port == "" || scheme == "http" && port == "80" || scheme == "https" && port == "443" {
		return host
	}
	return host + ":" + port
}

// Ceiling is what an operator lets plugins be given at most.
type Ceiling []Grant

// ParseCeiling reads a ceiling. Errors are errs.Invalid and name the grant.
func ParseCeiling(list []string) (Ceiling, error) {
	if len(list) > maxGrants {
		return nil, errs.New(errs.Invalid, "%d grants: the limit is %d", len(list), maxGrants)
	}
	c := make(Ceiling, 0, len(list))
	for _, s := range list {
		g, err := ParseGrant(s)
		if err != nil {
			return nil, err
		}
		c = append(c, g)
	}
	return c, nil
}

// Grants are the permissions of one plugin, with the count of their use. It is safe for concurrent use; nil permits nothing.
type Grants struct {
	list    []Grant
	ceiling Ceiling
	uses    []atomic.Uint64 // by index in list

	mu      sync.Mutex
	refused map[string]uint64 // by grant name
}

// NewGrants reads the grants that a manifest gives. At each call what is used must lie within the ceiling, too.
func NewGrants(list []string, ceiling Ceiling) (*Grants, error) {
	given, err := ParseCeiling(list)
	if err != nil {
		return nil, err
	}
	for i, g := range given {
		if slices.Contains(given[:i], g) {
			return nil, errs.New(errs.Invalid, "grant %q is given twice", g)
		}
	}
	return &Grants{list: given, ceiling: ceiling, uses: make([]atomic.Uint64, len(given)), refused: map[string]uint64{}}, nil
}

// Within reports as errs.Forbidden a grant that reaches beyond the ceiling, wholly or in part.
func (g *Grants) Within() error {
	for _, x := range g.list {
		if !slices.ContainsFunc(g.ceiling, func(c Grant) bool { return c.covers(x) }) {
			return errs.New(errs.Forbidden, "grant %q is beyond the operator's ceiling, which is %s", x, g.ceiling)
		}
	}
	return nil
}

// String lists the ceiling's grants.
func (c Ceiling) String() string {
	if len(c) == 0 {
		return "nothing"
	}
	all := make([]string, len(c))
	for i, g := range c {
		all[i] = g.String()
	}
	return strings.Join(all, ", ")
}

// use reports whether name on what is permitted, and counts.
func (g *Grants) use(name, what string) bool {
	if g == nil {
		return false
	}
	for i, have := range g.list {
		if have.allows(name, what) && slices.ContainsFunc(g.ceiling, func(c Grant) bool { return c.allows(name, what) }) {
			g.uses[i].Add(1)
			return true
		}
	}
	g.refuse(name)
	return false
}

// refuse counts a refusal.
func (g *Grants) refuse(name string) {
	if g == nil {
		return
	}
	g.mu.Lock()
	g.refused[name]++
	g.mu.Unlock()
}

// has reports whether a grant of the name is given, whatever its scope.
func (g *Grants) has(name string) bool {
	return g != nil && slices.ContainsFunc(g.list, func(x Grant) bool { return x.Name == name })
}

// GrantUse is one grant of a plugin, asked for or given, and how often it was used.
type GrantUse struct {
	Grant string // as ParseGrant reads it
	Asked bool   // by the module's description
	Given bool   // by the manifest
	Uses  uint64 // since the plugin was applied in this process
}

// Report lists what a module asks for and what it was given, sorted, and how often it was refused by name of the grant. g
// may be nil.
func (g *Grants) Report(asked []string) (uses []GrantUse, refused map[string]uint64) {
	at := map[string]int{}
	add := func(name string) *GrantUse {
		i, ok := at[name]
		if !ok {
			i = len(uses)
			at[name] = i
			uses = append(uses, GrantUse{Grant: name})
		}
		return &uses[i]
	}
	for _, a := range asked {
		if p, err := ParseGrant(a); err == nil {
			a = p.String()
		}
		add(a).Asked = true
	}
	if g != nil {
		for i, x := range g.list {
			u := add(x.String())
			u.Given, u.Uses = true, g.uses[i].Load()
		}
		g.mu.Lock()
		for name, n := range g.refused {
			if refused == nil {
				refused = map[string]uint64{}
			}
			refused[name] = n
		}
		g.mu.Unlock()
	}
	slices.SortFunc(uses, func(a, b GrantUse) int { return strings.Compare(a.Grant, b.Grant) })
	return uses, refused
}

// clipText cuts a text of outside for an error's message.
func clipText(s string) string {
	if len(s) > 80 {
		return s[:80] + "…"
	}
	return s
}

// OpenOption is what Host.Open takes beside limits.
type OpenOption func(*opening)

// opening is what the options say.
type opening struct {
	grants *Grants
	extism ExtismExports
	strict bool // inspecting: names that do not fit are an error, as they are in opening
}

// WithGrants lets the plugin ask the host for what g permits.
func WithGrants(g *Grants) OpenOption { return func(o *opening) { o.grants = g } }

// key tells pools apart: those of other grants count their uses elsewhere.
func (o opening) key() string { return fmt.Sprintf("%p|%q", o.grants, o.extism) }
