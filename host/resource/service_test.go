package resource_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/weir-ml/weir/host/errs"
	"github.com/weir-ml/weir/host/resource"
	"github.com/weir-ml/weir/host/resource/runtest"
	"github.com/weir-ml/weir/host/schema"
)

type partSpec struct {
	Size  int             `json:"size"`
	Extra json.RawMessage `json:"extra,omitempty"`
	Wait  schema.Duration `json:"wait,omitempty"`
}

func (p partSpec) Validate() error {
	if p.Size < 0 {
		return errs.New(errs.Invalid, "spec.size: %d is negative", p.Size)
	}
	return nil
}

type wholeSpec struct {
	Part string `json:"part"` // a name, or name@at
}

func (w wholeSpec) ref() resource.Ref {
	name, at, _ := strings.Cut(w.Part, "@")
	return resource.Ref{Kind: "Part", Name: name, At: at}
}

func (wholeSpec) Validate() error { return nil }

// world records what controllers were told.
type world struct {
	log     []string
	refuse  map[string]error // Check
	broken  map[string]error // Apply
	store   *runtest.Memory
	service *resource.Service
}

func newWorld(t *testing.T) *world {
	w := &world{refuse: map[string]error{}, broken: map[string]error{}, store: runtest.NewMemory()}
	w.restart(t)
	return w
}

func (w *world) restart(t *testing.T) {
	t.Helper()
	part := resource.Define("Part", 1, resource.Controller[partSpec]{
		Check: func(_ context.Context, n string, _ partSpec) error { return w.refuse[n] },
		Apply: func(_ context.Context, n string, s partSpec) error {
			w.log = append(w.log, fmt.Sprintf("part %s=%d", n, s.Size))
			return w.broken[n]
		},
		Remove: func(_ context.Context, n string) error { w.log = append(w.log, "remove part "+n); return nil },
		Exists: func(n string) bool { return n == "builtin" },
		// A change of size concerns those who name the part without at; anything else concerns everybody.
		Follows: func(a, b partSpec, at string) bool {
			return at == "" || !bytes.Equal(a.Extra, b.Extra) || a.Wait != b.Wait
		},
	})
	whole := resource.Define("Whole", 2, resource.Controller[wholeSpec]{
		Apply: func(_ context.Context, n string, s wholeSpec) error {
			w.log = append(w.log, "whole "+n+" of "+s.Part)
			return w.broken[n]
		},
		Remove: func(_ context.Context, n string) error { w.log = append(w.log, "remove whole "+n); return nil },
		Refs:   func(s wholeSpec) []resource.Ref { return []resource.Ref{s.ref()} },
	})
	w.service = resource.New(w.store, slog.New(slog.DiscardHandler), whole, part)
	if err := w.service.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
}

func (w *world) apply(t *testing.T, manifest string) ([]resource.Result, error) {
	t.Helper()
	return w.service.Apply(t.Context(), []byte(manifest), resource.ApplyOptions{})
}

func part(name string, size int) string {
	return fmt.Sprintf("apiVersion: weir.dev/v1\nkind: Part\nmetadata: {name: %s}\nspec: {size: %d}\n---\n", name, size)
}

func whole(name, part string) string {
	return fmt.Sprintf("apiVersion: weir.dev/v1\nkind: Whole\nmetadata: {name: %s}\nspec: {part: %s}\n---\n", name, part)
}

func TestApplyIsIdempotentAndShowsTheDiff(t *testing.T) {
	w := newWorld(t)
	first, err := w.apply(t, part("p", 1))
	if err != nil || first[0].Action != resource.Created || first[0].State != "ready" {
		t.Fatalf("%+v, %v", first, err)
	}
	again, err := w.apply(t, `{"apiVersion":"weir.dev/v1","kind":"Part","metadata":{"name":"p"},"spec":{"size":1}}`)
	if err != nil || again[0].Action != resource.Unchanged || again[0].Revision != first[0].Revision {
		t.Fatalf("%+v, %v", again, err)
	}
	changed, err := w.apply(t, part("p", 2))
	if err != nil {
		t.Fatal(err)
	}
	want := []resource.FieldChange{{Path: "spec.size", Old: 1.0, New: 2.0}}
	if d := cmp.Diff(want, changed[0].Changes); d != "" || changed[0].Action != resource.Updated {
		t.Errorf("%+v\n%s", changed, d)
	}
	if d := cmp.Diff([]string{"part p=1", "part p=2"}, w.log); d != "" {
		t.Errorf("the room was told something else:\n%s", d)
	}
}

func TestApplyIsAllOrNothing(t *testing.T) {
	cases := []struct{ name, manifest, want string }{
		{"second document invalid", part("a", 1) + part("b", -1), "document 2"},
		{"field path", part("b", -1), `Part "b": spec.size: -1 is negative`},
		{"unknown key", "apiVersion: weir.dev/v1\nkind: Part\nmetadata: {name: a}\nspec:\n  sise: 3\n", "[5:3] unknown field"},
		{"unknown top key", "apiVersion: weir.dev/v1\nkind: Part\nmetadata: {name: a}\nsppec: 1\n", `line 4: unknown key "sppec"`},
		{"unknown kind", strings.ReplaceAll(part("a", 1), "Part", "Prat"), `kind "Prat" is not known: use one of [Part Whole]`},
		{"bad name", part("Not_OK!", 1), "metadata.name"},
		{"bad version", strings.ReplaceAll(part("a", 1), "weir.dev/v1", "weir.dev/v9"), `apiVersion is "weir.dev/v9"`},
		{"twice", part("a", 1) + part("a", 2), "appears twice"},
		{"missing reference", part("a", 1) + whole("w", "nowhere"), `refers to Part "nowhere"`},
		{"check refuses", part("a", 1) + part("refused", 1), "will not do"},
		{"duplicate key", "apiVersion: weir.dev/v1\nkind: Part\nkind: Part\n", "already defined"},
		{"empty", "# nothing\n", "manifest is empty"},
		{"number duration", "apiVersion: weir.dev/v1\nkind: Part\nmetadata: {name: a}\nspec: {wait: 3}\n", "is not a duration"},
		{"deep", "a: " + strings.Repeat("[", 5000), "nested too deeply"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			w := newWorld(t)
			w.refuse["refused"] = errs.New(errs.Invalid, "will not do")
			_, err := w.apply(t, c.manifest)
			if !errs.Is(err, errs.Invalid) || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v\nwant an invalid error with %q", err, c.want)
			}
			if all, _ := w.store.List(t.Context()); len(all) > 0 || len(w.log) > 0 {
				t.Errorf("half of it happened: %v %v", all, w.log)
			}
		})
	}
}

func TestReferences(t *testing.T) {
	w := newWorld(t)
	if _, err := w.apply(t, whole("w", "p")+part("p", 1)+whole("x", "builtin")); err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff([]string{"part p=1", "whole w of p", "whole x of builtin"}, w.log); d != "" {
		t.Errorf("kinds must be applied in order:\n%s", d)
	}
	err := w.service.Delete(t.Context(), "part", "p")
	if !errs.Is(err, errs.Conflict) || !strings.Contains(err.Error(), "Whole w") {
		t.Errorf("deleting what is used: %v", err)
	}
	w.log = nil
	if _, err := w.apply(t, part("p", 5)); err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff([]string{"part p=5", "whole w of p"}, w.log); d != "" {
		t.Errorf("dependents must be applied again:\n%s", d)
	}
	w.log = nil
	for _, r := range [][2]string{{"Wholes", "w"}, {"Part", "p"}} {
		if err := w.service.Delete(t.Context(), r[0], r[1]); err != nil {
			t.Fatal(err)
		}
	}
	if d := cmp.Diff([]string{"remove whole w", "remove part p"}, w.log); d != "" {
		t.Error(d)
	}
	if _, err := w.service.Get(t.Context(), "Part", "p"); !errs.Is(err, errs.NotFound) {
		t.Errorf("got %v", err)
	}
}

func TestAFileThatARoomRefusesIsTakenBack(t *testing.T) {
	w := newWorld(t)
	if _, err := w.apply(t, part("old", 1)+whole("user", "old")); err != nil {
		t.Fatal(err)
	}
	w.log = nil
	w.broken["new"] = errs.New(errs.Exhausted, "no room")
	_, err := w.apply(t, part("fine", 1)+part("old", 2)+part("new", 1))
	if !errs.Is(err, errs.Exhausted) || !strings.Contains(err.Error(), `Part "new": no room`) {
		t.Fatalf("got %v", err)
	}
	// Parts are enacted by name; "new" comes before "old", which is therefore not told of anything but its old size.
	want := []string{"part fine=1", "part new=1", "remove part new", "remove part fine", "part old=1", "whole user of old"}
	if d := cmp.Diff(want, w.log); d != "" {
		t.Errorf("the rooms were told something else:\n%s", d)
	}
	o, err := w.service.Get(t.Context(), "Part", "old")
	if err != nil || !strings.Contains(string(o.Spec), `"size":1`) {
		t.Errorf("the old object is %s, %v", o.Spec, err)
	}
	w.restart(t)
	if all, err := w.service.List(t.Context(), ""); err != nil || len(all) != 2 {
		t.Errorf("after a restart there are %d objects, want 2 (%v)", len(all), err)
	}
	delete(w.broken, "new")
	if _, err := w.apply(t, part("fine", 1)+part("old", 2)+part("new", 1)); err != nil {
		t.Errorf("the same file later: %v", err)
	}
}

func TestAFailedRoomIsShownAndTriedAgain(t *testing.T) {
	w := newWorld(t)
	if _, err := w.apply(t, part("p", 1)); err != nil {
		t.Fatal(err)
	}
	w.broken["p"] = errors.New("no disk")
	w.restart(t)
	r, err := w.apply(t, part("p", 1))
	if err != nil || r[0].State != "failed" || r[0].Reason != "no disk" || r[0].Action != resource.Unchanged {
		t.Fatalf("%+v, %v", r, err)
	}
	delete(w.broken, "p")
	if r, err = w.apply(t, part("p", 1)); err != nil || r[0].State != "ready" || r[0].Action != resource.Unchanged {
		t.Fatalf("%+v, %v", r, err)
	}
}

func TestRestartAppliesWhatIsStored(t *testing.T) {
	w := newWorld(t)
	if _, err := w.apply(t, whole("w", "p")+part("p", 3)); err != nil {
		t.Fatal(err)
	}
	w.log = nil
	w.restart(t)
	if d := cmp.Diff([]string{"part p=3", "whole w of p"}, w.log); d != "" {
		t.Error(d)
	}
	if r, err := w.apply(t, part("p", 3)); err != nil || r[0].Action != resource.Unchanged {
		t.Errorf("%+v, %v", r, err)
	}
}

func TestDryRunAndStoreFailureChangeNothing(t *testing.T) {
	w := newWorld(t)
	r, err := w.service.Apply(t.Context(), []byte(part("p", 1)), resource.ApplyOptions{DryRun: true})
	if err != nil || r[0].Action != resource.Created || r[0].State != "" {
		t.Fatalf("%+v, %v", r, err)
	}
	w.store.Fail = errs.New(errs.Unavailable, "disk full")
	if _, err := w.apply(t, part("p", 1)); !errs.Is(err, errs.Unavailable) {
		t.Errorf("got %v", err)
	}
	if all, _ := w.service.List(t.Context(), ""); len(all) != 0 || len(w.log) != 0 {
		t.Errorf("something happened: %v %v", all, w.log)
	}
}

func TestWhatGetPrintsCanBeAppliedAgain(t *testing.T) {
	w := newWorld(t)
	if _, err := w.apply(t, part("p", 1)); err != nil {
		t.Fatal(err)
	}
	o, err := w.service.Get(t.Context(), "Part", "p")
	if err != nil {
		t.Fatal(err)
	}
	raw, err := json.Marshal(o)
	if err != nil {
		t.Fatal(err)
	}
	if r, err := w.apply(t, string(raw)); err != nil || r[0].Action != resource.Unchanged {
		t.Errorf("%+v, %v", r, err)
	}
}

func TestKindsHaveSchemas(t *testing.T) {
	var names []string
	for _, k := range newWorld(t).service.Kinds() {
		names = append(names, k.Name)
		if !json.Valid(k.Schema) || !strings.Contains(string(k.Schema), `"additionalProperties":false`) {
			t.Errorf("schema of %s: %s", k.Name, k.Schema)
		}
	}
	if !slices.Equal(names, []string{"Part", "Whole"}) {
		t.Errorf("kinds %v", names)
	}
}

func TestMemoryKeepsTheContract(t *testing.T) {
	runtest.TestStore(t, func(testing.TB) resource.Store { return runtest.NewMemory() })
}

func FuzzApply(f *testing.F) {
	f.Add(part("p", 1) + whole("w", "p"))
	f.Add(`{"apiVersion":"weir.dev/v1","kind":"Part","metadata":{"name":"p","labels":{"a":"b"}},"spec":{"extra":{"k":[1,2]},"wait":"2s"}}`)
	f.Add("a: &x [*x]\n")
	f.Add("? [a]\n: b\n")
	f.Add(string("0008: ..:0\nmodels: !0000000000000000000000 ")) // the YAML library panics on it
	f.Fuzz(func(t *testing.T, manifest string) {
		w := &world{store: runtest.NewMemory()}
		w.restart(t)
		r, err := w.apply(t, manifest)
		if err != nil {
			if k := errs.KindOf(err); k != errs.Invalid {
				t.Fatalf("kind %s: %v", k, err)
			}
			return
		}
		again, err := w.apply(t, manifest)
		if err != nil || len(again) != len(r) {
			t.Fatalf("the second apply: %+v %v", again, err)
		}
		for _, x := range again {
			if x.Action != resource.Unchanged {
				t.Fatalf("not idempotent: %+v", x)
			}
		}
	})
}
