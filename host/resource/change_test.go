package resource_test

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/weir-ml/weir/host/errs"
	"github.com/weir-ml/weir/host/resource"
)

const three = `apiVersion: weir.dev/v1
kind: Part
metadata: {name: p}
spec: {size: 1}
---
apiVersion: weir.dev/v1
kind: Whole
metadata: {name: follows}
spec: {part: p}
---
apiVersion: weir.dev/v1
kind: Whole
metadata: {name: pinned}
spec: {part: p@one}
---
apiVersion: weir.dev/v1
kind: Whole
metadata: {name: other}
spec: {part: p@two}
`

func sized(size int, wait string) string {
	return fmt.Sprintf("apiVersion: weir.dev/v1\nkind: Part\nmetadata: {name: p}\nspec: {size: %d, wait: %s}\n", size, wait)
}

func (w *world) told(t *testing.T, want ...string) {
	t.Helper()
	if d := cmp.Diff(want, w.log); d != "" {
		t.Error(d)
	}
	w.log = nil
}

// A change reaches the references that follow it, and no other.
func TestFollows(t *testing.T) {
	w := newWorld(t)
	if _, err := w.apply(t, three); err != nil {
		t.Fatal(err)
	}
	w.log = nil
	if _, err := w.apply(t, sized(2, "0s")); err != nil {
		t.Fatal(err)
	}
	w.told(t, "part p=2", "whole follows of p")
	if _, err := w.apply(t, sized(2, "1s")); err != nil {
		t.Fatal(err)
	}
	w.told(t, "part p=2", "whole follows of p", "whole other of p@two", "whole pinned of p@one")
}

func TestTouch(t *testing.T) {
	w := newWorld(t)
	if _, err := w.apply(t, three); err != nil {
		t.Fatal(err)
	}
	w.log = nil
	one := resource.Ref{Kind: "Part", Name: "p", At: "one"}
	w.broken["pinned"] = errs.New(errs.Invalid, "it does not fit")
	got, err := w.service.Touch(t.Context(), func(context.Context) ([]resource.Ref, error) { return []resource.Ref{one}, nil })
	if err != nil || len(got) != 1 || got[0].Name != "pinned" || got[0].State != "failed" || got[0].Reason != "it does not fit" {
		t.Errorf("%+v, %v", got, err)
	}
	w.told(t, "whole pinned of p@one")
	users := w.service.Users(func(r resource.Ref) bool { return r.Object().Name == "p" })
	if d := cmp.Diff([]resource.Use{
		{Kind: "Whole", Name: "follows", Ref: "p", State: "ready"}, {Kind: "Whole", Name: "other", Ref: "p@two", State: "ready"},
		{Kind: "Whole", Name: "pinned", Ref: "p@one", State: "failed", Reason: "it does not fit"},
	}, users); d != "" {
		t.Error(d)
	}
	if _, err := w.service.Touch(t.Context(), func(context.Context) ([]resource.Ref, error) { return nil, errs.New(errs.Conflict, "no") }); !errs.Is(err, errs.Conflict) {
		t.Errorf("%v", err)
	}
	w.told(t)
	// Mended, it is ready again.
	delete(w.broken, "pinned")
	got, err = w.service.Touch(t.Context(), func(context.Context) ([]resource.Ref, error) { return []resource.Ref{one}, nil })
	if err != nil || len(got) != 1 || got[0].State != "ready" {
		t.Errorf("%+v, %v", got, err)
	}
}

// What only a version or alias refers to keeps the object, too, and so does a built-in one's namesake.
func TestDeleteWithVersions(t *testing.T) {
	w := newWorld(t)
	text := strings.ReplaceAll(three, "name: p}", "name: builtin}")
	text = strings.ReplaceAll(text, "part: p", "part: builtin")
	if _, err := w.apply(t, text); err != nil {
		t.Fatal(err)
	}
	err := w.service.Delete(t.Context(), "Part", "builtin")
	if !errs.Is(err, errs.Conflict) || !strings.Contains(err.Error(), "used by Whole other, Whole pinned:") {
		t.Errorf("%v", err)
	}
	for _, name := range []string{"pinned", "other"} {
		if err := w.service.Delete(t.Context(), "Whole", name); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.service.Delete(t.Context(), "Part", "builtin"); err != nil { // Whole follows goes on with the built-in one
		t.Error(err)
	}
}

// Many editors at once each see what the one before left.
func TestEdit(t *testing.T) {
	w := newWorld(t)
	var wg sync.WaitGroup
	for range 16 {
		wg.Go(func() {
			_, err := w.service.Edit(t.Context(), "Part", "n", func(o resource.Object, exists bool) ([]byte, error) {
				size := 0
				if exists {
					if _, err := fmt.Sscanf(string(o.Spec), `{"size":%d`, &size); err != nil {
						return nil, err
					}
				}
				return []byte(strings.Replace(sized(size+1, "0s"), "name: p", "name: n", 1)), nil
			})
			if err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	o, err := w.service.Get(t.Context(), "Part", "n")
	if err != nil || !strings.HasPrefix(string(o.Spec), `{"size":16`) {
		t.Errorf("%s, %v", o.Spec, err)
	}
	if _, err := w.service.Edit(t.Context(), "Part", "n", func(resource.Object, bool) ([]byte, error) { return nil, errs.New(errs.Invalid, "no") }); !errs.Is(err, errs.Invalid) {
		t.Errorf("%v", err)
	}
}
