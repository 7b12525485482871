package app

import (
	"bytes"
	"io"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/weir-ml/weir/host/plugin"
	"github.com/weir-ml/weir/host/resource"
	"github.com/weir-ml/weir/sdk/abi"
	"github.com/weir-ml/weir/sdk/client"
)

// TestExtismFunction: a module of Extism's development kit is pushed as it is, answers HTTP, and judges.
func TestExtismFunction(t *testing.T) {
	if out, err := exec.Command("../plugin/testdata/extism/build.sh").CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	wasm, err := os.ReadFile("../../.cache/extism/assemblyscript-tools.wasm")
	if err != nil {
		t.Fatal(err)
	}
	a := open(t, t.TempDir())
	defer serve(t, a)()
	c, err := client.New("http://"+a.HTTPAddr(), nil)
	if err != nil {
		t.Fatal(err)
	}
	ctx := t.Context()
	if _, err := c.PushPlugin(ctx, "tools", bytes.NewReader(wasm)); err == nil || !strings.Contains(err.Error(), "it has count, crash, judge, speak") {
		t.Errorf("none of several functions named: %v", err)
	}
	if _, err := c.PushExtism(ctx, "tools", client.ExtismFunctions{Handler: "counts"}, bytes.NewReader(wasm)); err == nil || !strings.Contains(err.Error(), `no function "counts"`) {
		t.Errorf("a wrong name: %v", err)
	}
	p, err := c.PushExtism(ctx, "tools", client.ExtismFunctions{Handler: "count", Gate: "judge"}, bytes.NewReader(wasm))
	if err != nil || len(p.Description.Worlds) != 2 {
		t.Fatalf("%+v, %v", p, err)
	}
	if p, err = c.PushPlugin(ctx, "tools", bytes.NewReader(wasm)); err != nil || len(p.Description.Worlds) != 2 {
		t.Errorf("pushed again, the names are gone: %+v, %v", p, err)
	}
	manifest := "apiVersion: weir.dev/v1\nkind: Function\nmetadata: {name: count}\nspec: {http: {}, handler: {plugin: tools, parameters: {unit: pieces}}}\n"
	if _, err := a.resources.Apply(ctx, []byte(manifest), resource.ApplyOptions{}); err != nil {
		t.Fatal(err)
	}
	res, err := http.Post("http://"+a.HTTPAddr()+"/fn/count", "text/plain", strings.NewReader("nuts"))
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	got, err := io.ReadAll(res.Body)
	if err != nil || res.StatusCode != 200 || string(got) != `{"calls":1,"unit":"pieces","input":"nuts"}` || res.Header.Get("Content-Type") != "application/json" {
		t.Errorf("%d %q %v %v", res.StatusCode, got, res.Header, err)
	}
	g, err := a.catalog.open(ctx, "tools@1", nil, plugin.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	defer g.Close()
	if v, err := g.Gate(ctx, []byte(`{"accuracy":1}`)); err != nil || v.Outcome != abi.Pass {
		t.Errorf("%+v, %v", v, err)
	}
}
