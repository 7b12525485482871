package catalog

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/weir-ml/weir/host/errs"
)

// MaxVersions bounds how many versions one name keeps; removed ones make room first.
const MaxVersions = 2000

// maxMoves bounds the history; the oldest moves go first.
const maxMoves = 256

// Version is one module under a name. A number means one digest for ever: pushing a digest again, even after it was removed,
// gives it its old number back.
type Version struct {
	Version       int       `json:"version"` // from 1 on
	Digest        string    `json:"digest"`  // of the module's bytes
	ModuleVersion string    `json:"module_version,omitempty"`
	Size          int64     `json:"size"` // bytes
	Worlds        []string  `json:"worlds"`
	Created       time.Time `json:"created"`
	Removed       time.Time `json:"removed,omitzero"` // the version is gone; only its number is kept
}

// Why is what moved something.
type Why string

// The reasons of moves.
const (
	Push     Why = "push"     // a module was applied under the name
	Rollback Why = "rollback" // an earlier version was made current again
	Alias    Why = "alias"    // somebody set or deleted an alias
	Remove   Why = "remove"   // the plugin was deleted
)

// Move is one change of what the name alone, or an alias, stands for.
type Move struct {
	When time.Time `json:"when"`
	What string    `json:"what"` // "current", or the alias
	From int       `json:"from"` // a version; 0: nothing before
	To   int       `json:"to"`   // a version; 0: nothing any more
	Why  Why       `json:"why"`
}

// Plugin is all that is known of one name. Values that the service hands out are never changed.
type Plugin struct {
	Name    string `json:"name"`
	Current int    `json:"current"` // 0: no such plugin is applied now
	// Next is the number that the next new digest gets; numbers are never used twice.
	Next     int            `json:"next"`
	Versions []Version      `json:"versions"` // ascending, removed ones among them
	Aliases  map[string]int `json:"aliases,omitempty"`
	Moves    []Move         `json:"moves,omitempty"` // oldest first, the last 256
}

func (p Plugin) clone() Plugin {
	p.Versions, p.Aliases, p.Moves = slices.Clone(p.Versions), maps.Clone(p.Aliases), slices.Clone(p.Moves)
	return p
}

// Live lists the versions that are there, ascending.
func (p Plugin) Live() []Version {
	var out []Version
	for _, v := range p.Versions {
		if v.Removed.IsZero() {
			out = append(out, v)
		}
	}
	return out
}

// Version finds a version that is there.
func (p Plugin) Version(n int) (Version, bool) {
	i, ok := slices.BinarySearchFunc(p.Versions, n, func(v Version, n int) int { return v.Version - n })
	if !ok || !p.Versions[i].Removed.IsZero() {
		return Version{}, false
	}
	return p.Versions[i], true
}

// Latest is the newest version that is there; ok is false when there is none.
func (p Plugin) Latest() (v Version, ok bool) {
	live := p.Live()
	if len(live) == 0 {
		return v, false
	}
	return live[len(live)-1], true
}

// Previous is the newest version that is there and older than the current one: where a roll back goes by itself.
func (p Plugin) Previous() (Version, error) {
	live := p.Live()
	for i := len(live) - 1; i >= 0; i-- {
		if live[i].Version < p.Current {
			return live[i], nil
		}
	}
	return Version{}, errs.New(errs.Invalid, "plugin %q has no version before the current one (%d): %s", p.Name, p.Current, p.list())
}

// ByDigest finds the version that holds a digest and is there.
func (p Plugin) ByDigest(digest string) (Version, bool) {
	i := p.index(digest)
	if i < 0 || !p.Versions[i].Removed.IsZero() {
		return Version{}, false
	}
	return p.Versions[i], true
}

func (p Plugin) index(digest string) int {
	return slices.IndexFunc(p.Versions, func(v Version) bool { return v.Digest == digest })
}

// At resolves what comes after the @; errs.NotFound lists what there is.
func (p Plugin) At(at string) (Version, error) {
	n := number(at)
	switch {
	case at == "" || at == Current:
		n = p.Current
	case at == Latest:
		if v, ok := p.Latest(); ok {
			return v, nil
		}
	case n == 0:
		n = p.Aliases[at]
	}
	if v, ok := p.Version(n); ok {
		return v, nil
	}
	what := "alias " + fmt.Sprintf("%q", at)
	if number(at) > 0 {
		what = "version " + at
	}
	return Version{}, errs.New(errs.NotFound, "plugin %q has no %s; %s", p.Name, what, p.list())
}

// list says which versions and aliases there are, for errors.
func (p Plugin) list() string {
	live := p.Live()
	if len(live) == 0 {
		return "it has no versions"
	}
	var parts []string
	for i, v := range live {
		if skip := len(live) - 20; skip > 0 && i < skip {
			continue
		}
		parts = append(parts, fmt.Sprint(v.Version))
	}
	text := "versions: "
	if len(live) > len(parts) {
		text = fmt.Sprintf("the last of %d versions: ", len(live))
	}
	text += strings.Join(parts, ", ")
	if len(p.Aliases) > 0 {
		parts = parts[:0]
		for _, a := range slices.Sorted(maps.Keys(p.Aliases)) {
			parts = append(parts, fmt.Sprintf("%s=%d", a, p.Aliases[a]))
		}
		text += "; aliases: " + strings.Join(parts, ", ")
	}
	return text
}

// AliasesOf lists the aliases that point to a version, sorted.
func (p Plugin) AliasesOf(version int) []string {
	var out []string
	for a, v := range p.Aliases {
		if v == version {
			out = append(out, a)
		}
	}
	slices.Sort(out)
	return out
}

func (p *Plugin) moved(m Move) {
	p.Moves = append(p.Moves, m)
	if n := len(p.Moves) - maxMoves; n > 0 {
		p.Moves = slices.Clone(p.Moves[n:])
	}
}

// makeRoom forgets the oldest removed versions when the name is full; it reports whether there is room for one more.
func (p *Plugin) makeRoom() bool {
	for len(p.Versions) >= MaxVersions {
		i := slices.IndexFunc(p.Versions, func(v Version) bool { return !v.Removed.IsZero() })
		if i < 0 {
			return false
		}
		p.Versions = slices.Delete(p.Versions, i, i+1)
	}
	return true
}
