package app

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	versions "github.com/weir-ml/weir/host/catalog"
	"github.com/weir-ml/weir/host/edge/rest"
	"github.com/weir-ml/weir/host/errs"
	"github.com/weir-ml/weir/host/resource"
	"github.com/weir-ml/weir/host/resource/resourcekv"
	"github.com/weir-ml/weir/host/schema"
	"github.com/weir-ml/weir/kv"
	"github.com/weir-ml/weir/plugins"
)

// variant is the identity plugin with a custom section of its own: it does the same under another digest.
func variant(n uint64) []byte {
	for _, a := range plugins.Builtin() {
		if a.Name == "identity" {
			section := append([]byte{0, 1 + 1 + 8, 1, 'v'}, binary.LittleEndian.AppendUint64(nil, n)...)
			return append(bytes.Clone(a.Wasm), section...)
		}
	}
	panic("there is no identity plugin")
}

func (a *App) life() lifecycle { return lifecycle{a.catalog, a.resources} }

func push(t testing.TB, a *App, name string, n uint64) rest.PluginInfo {
	t.Helper()
	p, err := a.life().Push(context.Background(), rest.PluginPush{Name: name}, variant(n))
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// checkLife asserts what must be true of a name at any time: numbers without gaps, one number a digest, moves that lead from
// one to the next, a current version that is the resource's, and bytes for every version.
func checkLife(t testing.TB, a *App, name string) versions.Plugin {
	t.Helper()
	p, ok := a.catalog.versions.Plugin(name)
	if !ok {
		t.Fatalf("%s is not in the catalogue", name)
	}
	seen := map[string]bool{}
	for i, v := range p.Versions {
		if v.Version != i+1 || seen[v.Digest] {
			t.Errorf("%s: version %d at place %d, its digest twice: %v", name, v.Version, i, seen[v.Digest])
		}
		seen[v.Digest] = true
		if _, err := a.kv.Blobs().ReadAll(t.Context(), v.Digest); err != nil {
			t.Errorf("%s@%d: %v", name, v.Version, err)
		}
	}
	at := map[string]int{}
	for _, m := range p.Moves {
		if from, moved := at[m.What]; moved && from != m.From {
			t.Errorf("%s: %s moved from %d, but was at %d", name, m.What, m.From, from)
		}
		at[m.What] = m.To
	}
	r, err := a.catalog.resolve(name)
	if err != nil || r.version != p.Current || at[versions.Current] != p.Current {
		t.Errorf("%s: resource says version %d (%v), catalogue %d, the last move %d", name, r.version, err, p.Current, at[versions.Current])
	}
	return p
}

// A new version of a plugin that a function runs answers at once, and no request fails on the way, whatever moves it: a push,
// a roll back, an alias.
func TestHotSwap(t *testing.T) {
	a := open(t, t.TempDir())
	defer serve(t, a)()
	first := push(t, a, "p", 1)
	if _, err := a.life().SetAlias(t.Context(), "p", "prod", "1"); err != nil {
		t.Fatal(err)
	}
	if _, err := a.resources.Apply(t.Context(), []byte(`apiVersion: weir.dev/v1
kind: Function
metadata: {name: follows}
spec: {http: {}, transform: {plugin: p}}
---
apiVersion: weir.dev/v1
kind: Function
metadata: {name: aliased}
spec: {http: {}, transform: {plugin: p@prod}}
`), resource.ApplyOptions{}); err != nil {
		t.Fatal(err)
	}
	ask := func(function string) (string, error) {
		res, err := http.Post("http://"+a.HTTPAddr()+"/fn/"+function, "application/json", strings.NewReader(`{"rows":[{"x":1.5}]}`))
		if err != nil {
			return "", err
		}
		defer res.Body.Close()
		body, err := io.ReadAll(res.Body)
		if err != nil || res.StatusCode != 200 || !strings.Contains(string(body), `"x":1.5`) {
			return "", fmt.Errorf("%s: %d %s %w", function, res.StatusCode, body, err)
		}
		return res.Header.Get("Weir-Plugin-Digest"), nil
	}
	// Two callers a function ask without a pause and remember what they last saw.
	done := make(chan struct{})
	var wg sync.WaitGroup
	var saw [4]atomic.Value
	var calls atomic.Int64
	for i := range saw {
		wg.Go(func() {
			for {
				select {
				case <-done:
					return
				default:
				}
				d, err := ask([]string{"follows", "aliased"}[i%2])
				if err != nil {
					t.Error(err)
					return
				}
				saw[i].Store(d)
				calls.Add(1)
			}
		})
	}
	defer wg.Wait()
	defer close(done)
	await := func(what string, who int, digest string) {
		t.Helper()
		began := time.Now()
		for _, i := range []int{who, who + 2} {
			for saw[i].Load() != digest {
				if t.Failed() || time.Since(began) > time.Minute {
					t.Fatalf("%s: caller %d sees %v, not %s", what, i, saw[i].Load(), digest)
				}
				time.Sleep(time.Millisecond)
			}
		}
	}
	await("at first", 0, first.Digest)
	await("at first", 1, first.Digest)
	for n := uint64(2); n <= 6; n++ {
		began := time.Now()
		p := push(t, a, "p", n)
		took := time.Since(began)
		await("after a push", 0, p.Digest)
		t.Logf("push of version %d: %s, visible to all callers after %s", p.Version, took.Round(time.Millisecond), time.Since(began).Round(time.Millisecond))
		if got := saw[1].Load(); got != first.Digest {
			t.Errorf("the alias moved with the push, to %v", got)
		}
	}
	back, err := a.life().Rollback(t.Context(), "p", "")
	if err != nil || back.Current != 5 {
		t.Fatalf("roll back: %d, %v", back.Current, err)
	}
	await("after the roll back", 0, back.Digest)
	if _, err := a.life().SetAlias(t.Context(), "p", "prod", "6"); err != nil {
		t.Fatal(err)
	}
	six, err := a.catalog.resolve("p@6")
	if err != nil {
		t.Fatal(err)
	}
	await("after the alias", 1, six.digest)
	if calls.Load() < 10 {
		t.Errorf("only %d requests ran beside the changes", calls.Load())
	}
	checkLife(t, a, "p")
}

// When a push has answered, machine code, rewritten module and bytes are on disk: nothing is left for the first call to find out.
func TestPushLeavesCodeOnDisk(t *testing.T) {
	dir := t.TempDir()
	a := open(t, dir)
	defer a.Close()
	wasm := variant(1)
	p, err := a.life().Push(t.Context(), rest.PluginPush{Name: "p"}, wasm)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(filepath.Join(dir, "cache", "plugins", strings.TrimPrefix(p.Digest, "sha256:")+".seal")); err != nil {
		t.Error(err)
	}
	if n, err := a.kv.Blobs().Stat(p.Digest); err != nil || n != int64(len(wasm)) {
		t.Errorf("%d bytes, %v", n, err)
	}
	before := a.catalog.versions
	if _, err := a.life().Push(t.Context(), rest.PluginPush{Name: "p"}, wasm[:len(wasm)-3]); !errs.Is(err, errs.Invalid) {
		t.Errorf("a broken module: %v", err)
	}
	if q, _ := before.Plugin("p"); len(q.Versions) != 1 || q.Current != 1 {
		t.Errorf("a broken module left %+v", q)
	}
	if _, err := a.life().Push(t.Context(), rest.PluginPush{Name: "Not A Name"}, wasm); !errs.Is(err, errs.Invalid) {
		t.Errorf("a bad name: %v", err)
	}
}

// Sixteen clients push, roll back and move an alias at once: no version is lost, and there is one current at any time.
func TestLifeHammer(t *testing.T) {
	a := open(t, t.TempDir())
	defer a.Close()
	push(t, a, "p", 0)
	var mu sync.Mutex
	acked := map[string]bool{} // digests
	var wg sync.WaitGroup
	for g := range 16 {
		wg.Go(func() {
			r := rand.New(rand.NewPCG(uint64(g), 7))
			for range 6 {
				switch r.IntN(4) {
				case 0:
					if _, err := a.life().Rollback(context.Background(), "p", ""); err != nil && !errs.Is(err, errs.Invalid) { // the first has none before it
						t.Error(err)
					}
				case 1:
					if _, err := a.life().SetAlias(context.Background(), "p", "prod", "latest"); err != nil {
						t.Error(err)
					}
				default:
					wasm := variant(uint64(r.IntN(24)))
					if _, err := a.life().Push(context.Background(), rest.PluginPush{Name: "p"}, wasm); err != nil {
						t.Error(err)
						continue
					}
					mu.Lock()
					acked[string(schema.DigestOf(wasm))] = true
					mu.Unlock()
				}
			}
		})
	}
	wg.Wait()
	p := checkLife(t, a, "p")
	for d := range acked {
		if _, ok := p.ByDigest(d); !ok {
			t.Errorf("the acknowledged module %s has no version", d)
		}
	}
	why := map[versions.Why]int{}
	for _, m := range p.Moves {
		why[m.Why]++
	}
	if why[versions.Push] == 0 || why[versions.Rollback] == 0 || why[versions.Alias] == 0 {
		t.Errorf("moves by reason: %v", why)
	}
}

// A crash between the resource's commit and the catalogue's leaves either one ahead; the start mends both.
func TestCatalogueIsMended(t *testing.T) {
	dir := t.TempDir()
	a := open(t, dir)
	push(t, a, "p", 1)
	push(t, a, "gone", 1)
	if err := a.Close(); err != nil {
		t.Fatal(err)
	}
	// What a crashed process had done so far, by the store's own hands.
	s, err := kv.Open(t.Context(), kv.Options{Dir: dir + "/store"})
	if err != nil {
		t.Fatal(err)
	}
	objects, err := resourcekv.New(t.Context(), s)
	if err != nil {
		t.Fatal(err)
	}
	second, _, err := s.Blobs().Put(t.Context(), bytes.NewReader(variant(2)))
	if err != nil {
		t.Fatal(err)
	}
	all, err := objects.List(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, o := range all {
		c := resource.Change{Object: o, Remove: o.Metadata.Name == "gone", Revision: o.Revision}
		c.Object.Spec = []byte(`{"blob":"` + second + `"}`)
		if _, err := objects.Commit(t.Context(), []resource.Change{c}); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}

	a = open(t, dir)
	defer a.Close()
	p := checkLife(t, a, "p")
	if p.Current != 2 || len(p.Live()) != 2 {
		t.Errorf("p is at %d of %d versions", p.Current, len(p.Live()))
	}
	if _, err := a.catalog.resolve("gone"); !errs.Is(err, errs.NotFound) {
		t.Errorf("a plugin without a resource: %v", err)
	}
	if gone, _ := a.catalog.versions.Plugin("gone"); gone.Current != 0 || len(gone.Live()) != 0 {
		t.Errorf("it still has versions: %+v", gone)
	}
	if again := push(t, a, "gone", 1); again.Version != 1 || again.Action != "created" {
		t.Errorf("pushed again: version %d, %s", again.Version, again.Action)
	}
}

// New limits concern every reference to the name, a version among them, although no digest changes.
func TestLimitsReachPinnedVersions(t *testing.T) {
	a := open(t, t.TempDir())
	defer a.Close()
	p := push(t, a, "p", 1)
	before := a.catalog.identity("p@1")
	manifest := func(text string) []byte {
		return fmt.Appendf(nil, "apiVersion: weir.dev/v1\nkind: Plugin\nmetadata: {name: p}\nspec: {blob: \"%s\", %s}\n", p.Digest, text)
	}
	if _, err := a.resources.Apply(t.Context(), manifest("description: hers"), resource.ApplyOptions{}); err != nil {
		t.Fatal(err)
	}
	if got := a.catalog.identity("p@1"); got != before {
		t.Errorf("a description is no reason to open anew: %s, then %s", before, got)
	}
	if _, err := a.resources.Apply(t.Context(), manifest("limits: {timeout: 1s}"), resource.ApplyOptions{}); err != nil {
		t.Fatal(err)
	}
	if got := a.catalog.identity("p@1"); got == before {
		t.Error("a limit changed and the identity did not")
	}
	if moves := checkLife(t, a, "p").Moves; len(moves) != 1 {
		t.Errorf("limits moved the version: %v", moves)
	}
}

func TestFollowsPlugin(t *testing.T) {
	base := PluginSpec{Blob: "a"}
	limited := PluginSpec{Blob: "a", Limits: PluginLimits{MaxInstances: 1}}
	for _, c := range []struct {
		before, after PluginSpec
		at            string
		want          bool
	}{
		{base, PluginSpec{Blob: "b"}, "", true}, {base, PluginSpec{Blob: "b"}, "latest", true}, {base, PluginSpec{Blob: "b"}, "current", true},
		{base, PluginSpec{Blob: "b"}, "3", false}, {base, PluginSpec{Blob: "b"}, "prod", false},
		{base, limited, "3", true}, {base, limited, "", true},
		{base, PluginSpec{Blob: "a", Description: "d"}, "", false},
	} {
		if got := followsPlugin(c.before, c.after, c.at); got != c.want {
			t.Errorf("%+v → %+v at %q: %v", c.before, c.after, c.at, got)
		}
	}
}

// A gate and a monitor open their plugin at each use; that a new version does not suit them shows at the push.
func TestGateShowsWhatItCannotTake(t *testing.T) {
	a := open(t, t.TempDir())
	defer a.Close()
	var judge []byte
	for _, b := range plugins.Builtin() {
		if b.Name == "beats-baseline" {
			judge = b.Wasm
		}
	}
	if _, err := a.life().Push(t.Context(), rest.PluginPush{Name: "judge"}, judge); err != nil {
		t.Fatal(err)
	}
	if _, err := a.resources.Apply(t.Context(), []byte(strings.Replace(gateManifest[:strings.Index(gateManifest, "---")], "plugin: beats-baseline", "plugin: judge", 1)), resource.ApplyOptions{}); err != nil {
		t.Fatal(err)
	}
	p, err := a.life().Push(t.Context(), rest.PluginPush{Name: "judge"}, variant(1))
	if err != nil {
		t.Fatal(err)
	}
	if len(p.UsedBy) != 1 || p.UsedBy[0].State != "failed" || p.UsedBy[0].Reason == "" {
		t.Errorf("used by %+v", p.UsedBy)
	}
	if p, err = a.life().Rollback(t.Context(), "judge", ""); err != nil || len(p.UsedBy) != 1 || p.UsedBy[0].State != "ready" {
		t.Errorf("after the roll back: %+v, %v", p.UsedBy, err)
	}
}
