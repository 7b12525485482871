package arch

import (
	"fmt"
	"go/types"
	"strings"
	"testing"

	"golang.org/x/tools/go/packages"
)

// free lists the rooms whose exported signatures must not carry a third party's type, so that a library is replaced in one
// room. slog is standard library; Prometheus's interfaces are the agreed exception.
var free = []string{"kv", "functions", "functions/functionskv", "host/plugin", "host/onnx", "host/offline", "host/serving", "host/monitor", "host/gates",
	"host/datasets", "host/resource", "host/schema", "host/errs", "host/config", "host/app", "host/edge/httpd", "host/edge/rest", "host/edge/fn", "host/edge/predict", "host/edge/probe",
	"sdk/abi", "sdk/client", "sdk/guest"}

func TestSignaturesAreFree(t *testing.T) {
	paths := make([]string, len(free))
	for i, p := range free {
		paths[i] = Module + "/" + p
	}
	loaded, err := packages.Load(&packages.Config{Mode: packages.NeedName | packages.NeedTypes | packages.NeedImports | packages.NeedExportFile, Dir: root}, paths...)
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range loaded {
		for _, e := range p.Errors {
			t.Errorf("%s: %v", p.PkgPath, e)
		}
		if p.Types == nil {
			t.Errorf("%s was not loaded", p.PkgPath)
			continue
		}
		for _, problem := range foreign(p.Types) {
			t.Error(problem)
		}
	}
	if len(loaded) != len(free) {
		t.Errorf("%d packages loaded, want %d", len(loaded), len(free))
	}
}

// The walk must see what it is there to see: grpcd's Registrar is an exported third-party type on purpose.
func TestSignatureWalkCatches(t *testing.T) {
	loaded, err := packages.Load(&packages.Config{Mode: packages.NeedName | packages.NeedTypes | packages.NeedImports | packages.NeedExportFile, Dir: root}, Module+"/host/edge/grpcd")
	if err != nil || len(loaded) != 1 || loaded[0].Types == nil {
		t.Fatalf("%v %v", loaded, err)
	}
	if got := strings.Join(foreign(loaded[0].Types), "\n"); !strings.Contains(got, "Registrar") || !strings.Contains(got, "google.golang.org/grpc") {
		t.Errorf("found only: %s", got)
	}
}

// foreign lists the exported objects of a package that show another module's types.
func foreign(p *types.Package) []string {
	var out []string
	scope := p.Scope()
	for _, name := range scope.Names() {
		o := scope.Lookup(name)
		if !o.Exported() {
			continue
		}
		w := walker{seen: map[types.Type]bool{}}
		w.visit(o.Type())
		if tn, ok := o.(*types.TypeName); ok {
			if n, ok := types.Unalias(tn.Type()).(*types.Named); ok {
				w.visit(n.Underlying())
				for i := range n.NumMethods() {
					if m := n.Method(i); m.Exported() {
						before := len(w.found)
						w.visit(m.Type())
						for j := before; j < len(w.found); j++ {
							w.found[j] = m.Name() + ": " + w.found[j]
						}
					}
				}
			}
		}
		for _, f := range w.found {
			out = append(out, fmt.Sprintf("%s.%s shows %s", p.Path(), name, f))
		}
	}
	return out
}

type walker struct {
	seen  map[types.Type]bool
	found []string
}

func (w *walker) visit(t types.Type) {
	if w.seen[t] {
		return
	}
	w.seen[t] = true
	switch t := t.(type) {
	case *types.Alias:
		w.visit(types.Unalias(t))
	case *types.Named:
		if p := t.Obj().Pkg(); p != nil && !allowed(p.Path()) {
			w.found = append(w.found, p.Path()+"."+t.Obj().Name())
		}
		for i := range t.TypeArgs().Len() {
			w.visit(t.TypeArgs().At(i))
		}
	case *types.Pointer:
		w.visit(t.Elem())
	case *types.Slice:
		w.visit(t.Elem())
	case *types.Array:
		w.visit(t.Elem())
	case *types.Chan:
		w.visit(t.Elem())
	case *types.Map:
		w.visit(t.Key())
		w.visit(t.Elem())
	case *types.Signature:
		for _, list := range []*types.Tuple{t.Params(), t.Results()} {
			for i := range list.Len() {
				w.visit(list.At(i).Type())
			}
		}
	case *types.Struct:
		for i := range t.NumFields() {
			if t.Field(i).Exported() {
				w.visit(t.Field(i).Type())
			}
		}
	case *types.Interface:
		for i := range t.NumMethods() {
			w.visit(t.Method(i).Type())
		}
	}
}

func allowed(path string) bool {
	_, std := local(path)
	return std || path == Module || strings.HasPrefix(path, Module+"/") || strings.HasPrefix(path, "github.com/prometheus/client_golang/prometheus")
}
