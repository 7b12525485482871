package plugin

import (
	"bytes"
	"context"
	"encoding/json"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/weir-ml/weir/host/errs"
	"github.com/weir-ml/weir/sdk/abi"
)

// buildExtism builds the modules once: a toolchain that is not there is a failure.
var buildExtism = sync.OnceValue(func() error {
	cmd := exec.Command("testdata/extism/build.sh")
	out, err := cmd.CombinedOutput()
	if err != nil {
		return errs.New(errs.Unavailable, "%w: %s", err, out)
	}
	return nil
})

func extismFile(t testing.TB, name string) []byte {
	t.Helper()
	if err := buildExtism(); err != nil {
		t.Fatal(err)
	}
	wasm, err := os.ReadFile(filepath.Join("../../.cache/extism", name+".wasm"))
	if err != nil {
		t.Fatal(err)
	}
	return wasm
}

type extismCase struct {
	options Options
	module  string
	params  string
	limits  Limits
	exports ExtismExports
	grants  *Grants
}

func (c extismCase) open(t testing.TB) *Plugin {
	t.Helper()
	c.options.CacheDir = codeDir
	h, err := New(c.options)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { h.Close() })
	p, err := h.Open(context.Background(), extismFile(t, c.module), json.RawMessage(c.params), c.limits, WithExtism(c.exports), WithGrants(c.grants))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { p.Close() })
	return p
}

func body(t testing.TB, p *Plugin, in string) (string, error) {
	t.Helper()
	r, err := p.Handle(context.Background(), abi.Request{Kind: "http", Body: []byte(in)})
	return string(r.Body), err
}

func TestExtismEcho(t *testing.T) {
	for _, module := range []string{"go-echo", "assemblyscript-echo"} {
		p := extismCase{module: module}.open(t) // its only function is the handler
		for _, n := range []int{0, 1, 7, 8, 9, 100, 65_537, 300_000} {
			in := strings.Repeat("weir ☃ ", n/9+1)[:n]
			if got, err := body(t, p, in); err != nil || got != in {
				t.Errorf("%s: %d bytes came back as %d, %v", module, n, len(got), err)
			}
		}
		if d := p.Description(); len(d.Worlds) != 1 || d.Worlds[0] != abi.WorldHandler || !nameOK(d.Name) {
			t.Errorf("%s describes itself as %+v", module, d)
		}
		if s := p.Stats(); s.ColdStarts != 1 || s.Fuel == 0 {
			t.Errorf("%s: %+v", module, s)
		}
		r, err := p.Handle(context.Background(), abi.Request{Body: []byte(`{"a": 1}`)})
		if err != nil || r.Status != 200 || r.Headers["Content-Type"][0] != "application/json" {
			t.Errorf("%s: %+v, %v", module, r, err)
		}
		if _, err := p.Gate(context.Background(), []byte("{}")); !errs.Is(err, errs.Invalid) {
			t.Errorf("%s as a gate: %v", module, err)
		}
	}
}

// TestExtismConfigAndVars: parameters are the configuration, and variables last as long as their instance.
func TestExtismConfigAndVars(t *testing.T) {
	vowels := extismCase{module: "go-vowels", params: `{"vowels":"xyz","more":{"a":[1, 2]}}`, exports: ExtismExports{Handler: "count_vowels"}, limits: Limits{MaxInstances: 1}}.open(t)
	for i, want := range []string{`{"count":2,"total":2,"vowels":"xyz"}`, `{"count":2,"total":4,"vowels":"xyz"}`} {
		if got, err := body(t, vowels, "xylophone"); err != nil || got != want {
			t.Errorf("call %d: %s, %v, want %s", i, got, err, want)
		}
	}
	plain := extismCase{module: "go-vowels", exports: ExtismExports{Handler: "count_vowels"}}.open(t)
	if got, err := body(t, plain, "Hello, World"); err != nil || got != `{"count":3,"total":3,"vowels":"aeiouAEIOU"}` {
		t.Errorf("%s, %v", got, err)
	}
	count := extismCase{module: "assemblyscript-tools", params: `{"unit":{"a":[1, true]}}`, exports: ExtismExports{Handler: "count", Gate: "judge"}, limits: Limits{MaxInstances: 1}}.open(t)
	for _, want := range []string{`{"calls":1,"unit":"{"a":[1,true]}","input":"e"}`, `{"calls":2,"unit":"{"a":[1,true]}","input":"e"}`} {
		if got, err := body(t, count, "e"); err != nil || got != want {
			t.Errorf("%s, %v, want %s", got, err, want)
		}
	}
	hoard := extismCase{module: "go-vowels", exports: ExtismExports{Handler: "hoard"}}.open(t)
	_, err := body(t, hoard, strings.Repeat("v", 100_000))
	wantFault(t, err, hoard, errs.Exhausted, "var_set: its variables need more than 1048576 bytes")
	if _, err := body(t, hoard, strings.Repeat("v", 900)); err != nil {
		t.Errorf("1,000 variables of 900 bytes on a new instance: %v", err)
	}
}

func TestExtismGate(t *testing.T) {
	p := extismCase{module: "go-judge", params: `{"min":0.9}`, exports: ExtismExports{Gate: "judge"}}.open(t)
	for accuracy, want := range map[string]abi.Outcome{"0.95": abi.Pass, "0.5": abi.Fail} {
		v, err := p.Gate(context.Background(), []byte(`{"candidate":{"metrics":{"accuracy":`+accuracy+`}}}`))
		if err != nil || v.Outcome != want || len(v.Reasons) != 1 || !strings.Contains(v.Reasons[0], accuracy) {
			t.Errorf("%s: %+v, %v", accuracy, v, err)
		}
	}
	_, err := p.Gate(context.Background(), []byte(`nonsense`))
	wantFault(t, err, p, errs.Invalid, "invalid character")
	as := extismCase{module: "assemblyscript-tools", exports: ExtismExports{Gate: "judge"}}.open(t)
	if v, err := as.Gate(context.Background(), []byte(`{"accuracy":1}`)); err != nil || v.Outcome != abi.Pass {
		t.Errorf("%+v, %v", v, err)
	}
	scribble := extismCase{module: "go-judge", exports: ExtismExports{Gate: "scribble"}}.open(t)
	_, err = scribble.Gate(context.Background(), []byte(`{}`))
	wantFault(t, err, scribble, errs.Invalid, "scribble answered no verdict")
}

// webService is a web without rules, as host/app's is with its own.
type webService struct{}

func (webService) Do(ctx context.Context, q abi.HTTPRequest, maxBody int64, _ func(*url.URL) bool) (abi.Response, error) {
	r, err := http.NewRequestWithContext(ctx, q.Method, q.URL, bytes.NewReader(q.Body))
	if err != nil {
		return abi.Response{}, err
	}
	r.Header = q.Headers
	resp, err := http.DefaultTransport.RoundTrip(r)
	if err != nil {
		return abi.Response{}, errs.New(errs.Unavailable, "%w", err)
	}
	defer resp.Body.Close()
	var b bytes.Buffer
	_, err = b.ReadFrom(resp.Body)
	return abi.Response{Status: resp.StatusCode, Headers: resp.Header, Body: b.Bytes()}, err
}

// TestExtismHTTP: denied by default, and by the grant let through to that host alone.
func TestExtismHTTP(t *testing.T) {
	web := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var b bytes.Buffer
		_, _ = b.ReadFrom(r.Body)
		w.Header().Set("X-Seen", r.Header.Get("X-Asked"))
		w.WriteHeader(http.StatusAccepted)
		w.Write(append([]byte(r.Method+" "), b.Bytes()...))
	}))
	defer web.Close()
	defer http.DefaultTransport.(*http.Transport).CloseIdleConnections()
	u, err := url.Parse(web.URL)
	if err != nil {
		t.Fatal(err)
	}
	c := extismCase{module: "go-web", exports: ExtismExports{Handler: "fetch"}, options: Options{Services: Services{HTTP: webService{}}}}
	denied := c.open(t)
	_, err = body(t, denied, "GET "+web.URL+"/a")
	wantFault(t, err, denied, errs.Forbidden, `http_request is refused: the plugin was not given the grant http.out for "`+u.Host+`"`)
	c.grants = allGrants(t, []string{"http.out:" + u.Host}, everything[:0:0])
	_, err = body(t, c.open(t), "GET "+web.URL+"/a")
	if !errs.Is(err, errs.Forbidden) {
		t.Errorf("beyond the ceiling: %v", err)
	}
	c.grants = allGrants(t, []string{"http.out:" + u.Host}, Ceiling{{"http.out", u.Host}})
	p := c.open(t)
	if got, err := body(t, p, "GET "+web.URL+"/a"); err != nil || got != "202 yes GET " {
		t.Errorf("%q, %v", got, err)
	}
	if got, err := body(t, p, "POST "+web.URL+"/a the body"); err != nil || got != "202 yes POST the body" {
		t.Errorf("%q, %v", got, err)
	}
	for in, want := range map[string]struct {
		kind errs.Kind
		text string
	}{
		"GET http://localhost:1/":         {errs.Forbidden, "http_request is refused"},
		"GET file:///etc/passwd":          {errs.Invalid, "is not an address like"},
		"GET http://" + u.Host + "@x.org": {errs.Invalid, "is not an address like"},
	} {
		_, err := body(t, p, in)
		wantFault(t, err, p, want.kind, want.text)
	}
	// A call that went out is played back without going out.
	j := NewJournal()
	if _, err := p.Handle(WithJournal(context.Background(), j), abi.Request{Body: []byte("GET " + web.URL + "/a")}); err != nil {
		t.Fatal(err)
	}
	web.Close()
	again, err := j.Replay()
	if err != nil {
		t.Fatal(err)
	}
	r, err := p.Handle(WithJournal(context.Background(), again), abi.Request{Body: []byte("GET " + web.URL + "/a")})
	if err != nil || string(r.Body) != "202 yes GET " {
		t.Errorf("played back: %q, %v", r.Body, err)
	}
	_, err = body(t, p, "GET "+web.URL+"/a")
	wantFault(t, err, p, errs.Invalid, "connection refused")
}

// TestExtismLog: with the grant each level arrives as it is, without it nothing does.
func TestExtismLog(t *testing.T) {
	for _, module := range []string{"go-web", "assemblyscript-tools"} {
		var logged bytes.Buffer
		c := extismCase{module: module, exports: ExtismExports{Handler: "speak"}, options: Options{Logger: slog.New(slog.NewTextHandler(&logged, &slog.HandlerOptions{Level: slog.LevelDebug}))}}
		if _, err := body(t, c.open(t), ""); err != nil || strings.Contains(logged.String(), "plugin output") {
			t.Errorf("%s without the grant: %v, %s", module, err, logged.String())
		}
		c.grants = allGrants(t, []string{"log"}, everything)
		if _, err := body(t, c.open(t), ""); err != nil {
			t.Fatal(err)
		}
		want := []string{`level=DEBUG msg="plugin output"`, `level=INFO msg="plugin output"`, `level=WARN msg="plugin output"`, `level=ERROR msg="plugin output"`, `text="at error"`}
		if module != "go-web" {
			want = []string{`level=WARN msg="plugin output"`, `text="spoken by AssemblyScript"`}
		}
		for _, w := range want {
			if !strings.Contains(logged.String(), w) {
				t.Errorf("%s: %s is not in the log:\n%s", module, w, logged.String())
			}
		}
	}
}

// TestExtismFailures: errors, traps and limits cost the instance and name the plugin; the next call works.
func TestExtismFailures(t *testing.T) {
	for _, tc := range []struct {
		module, function, in string
		kind                 errs.Kind
		text                 string
	}{
		{"go-web", "fail", "that", errs.Invalid, "no luck with that"},
		{"go-web", "code", "", errs.Invalid, "code answered the code 7 without saying why"},
		{"go-web", "whisper", "", errs.Invalid, "quietly"},
		{"go-web", "spin", "", errs.Timeout, "time limit of 300ms"},
		{"go-web", "hoard", "", errs.Exhausted, "its blocks need more than its memory limit of 33554432 bytes"},
		{"go-web", "stray", "", errs.Invalid, "load_u64: bytes at 1099511627776, 8 of them, are outside its blocks"},
		{"go-web", "crash", "", errs.Invalid, ""},
		{"assemblyscript-tools", "crash", "", errs.Invalid, "aborted: nothing to do"},
		{"go-echo", "echo", strings.Repeat("x", 40<<20), errs.Exhausted, "an input of 41943040 bytes"},
	} {
		p := extismCase{module: tc.module, exports: ExtismExports{Handler: tc.function}, limits: Limits{Timeout: 300 * time.Millisecond, MemoryBytes: 32 << 20, MaxInstances: 1}}.open(t)
		_, err := body(t, p, tc.in)
		wantFault(t, err, p, tc.kind, tc.text)
		if s := p.Stats(); s.Live != 0 || s.Traps != 1 {
			t.Errorf("%s of %s: the instance lives on: %+v", tc.function, tc.module, s)
		}
	}
	p := extismCase{module: "assemblyscript-tools", exports: ExtismExports{Handler: "crash"}}.open(t)
	for range 3 {
		if _, err := body(t, p, ""); err == nil {
			t.Error("no error")
		}
		if _, err := body(t, p, "something"); err != nil {
			t.Errorf("afterwards: %v", err)
		}
	}
	r, err := extismCase{module: "go-web", exports: ExtismExports{Handler: "bytes"}}.open(t).Handle(context.Background(), abi.Request{})
	if err != nil || r.Headers["Content-Type"][0] != "application/octet-stream" || !bytes.Equal(r.Body, []byte{0, 1, 2, 0xff}) {
		t.Errorf("%+v, %v", r, err)
	}
	if r, err := (extismCase{module: "go-web", exports: ExtismExports{Handler: "silence"}}).open(t).Handle(context.Background(), abi.Request{}); err != nil || len(r.Headers)+len(r.Body) > 0 || r.Status != 200 {
		t.Errorf("%+v, %v", r, err)
	}
}

// TestExtismClock: WASI's clock is real with the grant, and tells nothing without.
func TestExtismClock(t *testing.T) {
	c := extismCase{module: "go-web", exports: ExtismExports{Handler: "clock"}}
	if got, err := body(t, c.open(t), ""); err != nil || !strings.HasPrefix(got, "2022-01-01T00:00:0") {
		t.Errorf("%s, %v", got, err)
	}
	c.grants = allGrants(t, []string{"clock"}, everything)
	before := time.Now()
	got, err := body(t, c.open(t), "")
	at, perr := time.Parse(time.RFC3339Nano, got)
	if err != nil || perr != nil || at.Before(before.Truncate(time.Microsecond)) || at.After(time.Now()) {
		t.Errorf("%s, %v, %v", got, err, perr)
	}
}

// TestExtismNames: which functions a module has for which world is checked before anything runs.
func TestExtismNames(t *testing.T) {
	h, err := New(Options{CacheDir: codeDir})
	if err != nil {
		t.Fatal(err)
	}
	defer h.Close()
	ctx := context.Background()
	tools := extismFile(t, "assemblyscript-tools")
	for name, tc := range map[string]struct {
		wasm []byte
		e    ExtismExports
		want string
	}{
		"several and none named": {tools, ExtismExports{}, "say which function of this Extism module is the handler (spec.extism.handler, --handler) or the gate (spec.extism.gate, --gate): it has count, crash, judge, speak"},
		"not there":              {tools, ExtismExports{Gate: "judges"}, `it has no function "judges" of type () → i32 to be the gate: it has count, crash, judge, speak`},
		"no Extism module":       {hostile(t), ExtismExports{Handler: "weir_handle"}, "it is no Extism module"},
	} {
		if _, err := h.Open(ctx, tc.wasm, nil, Limits{}, WithExtism(tc.e)); !errs.Is(err, errs.Invalid) || !strings.Contains(err.Error(), tc.want) {
			t.Errorf("%s: %v, want %q", name, err, tc.want)
		}
		if _, err := h.Inspect(ctx, tc.wasm, WithExtism(tc.e)); !errs.Is(err, errs.Invalid) || !strings.Contains(err.Error(), tc.want) {
			t.Errorf("%s, inspected: %v, want %q", name, err, tc.want)
		}
	}
	i, err := h.Inspect(ctx, tools)
	if err != nil || len(i.Description.Worlds) != 0 || strings.Join(i.Exports, " ") != "count crash judge speak" {
		t.Errorf("%+v, %v", i, err)
	}
	i, err = h.Inspect(ctx, tools, WithExtism(ExtismExports{Handler: "count", Gate: "judge"}))
	if err != nil || len(i.Description.Worlds) != 2 || i.Description.Summary != "An Extism module. Handler: count. Gate: judge." {
		t.Errorf("%+v, %v", i, err)
	}
	for params, want := range map[string]string{`[1]`: "the parameters of an Extism module are an object", `"x"`: "are an object"} {
		if _, err := h.Open(ctx, tools, json.RawMessage(params), Limits{}, WithExtism(ExtismExports{Handler: "count"})); !errs.Is(err, errs.Invalid) || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", params, err)
		}
	}
	// Imports: (module env name) of one function type () → (), called by nobody.
	for name, want := range map[string]string{
		"extism:host/user lookup": "extism:host/user.lookup: functions of a certain host's own are not to be had here",
		"extism:host/env reset":   "extism:host/env.reset, which is not to be had",
		"extism:host/env alloc":   "its import extism:host/env.alloc is () → (), not (i64) → (i64)",
	} {
		mod, fn, _ := strings.Cut(name, " ")
		if _, err := h.Inspect(ctx, importing(mod, fn)); !errs.Is(err, errs.Invalid) || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", name, err, want)
		}
	}
}

// importing is a module with a memory and one import of type () → ().
func importing(module, name string) []byte {
	text := func(s string) []byte { return append([]byte{byte(len(s))}, s...) }
	section := func(id byte, body ...byte) []byte { return append([]byte{id, byte(len(body))}, body...) }
	imports := append(append(append([]byte{1}, text(module)...), text(name)...), 0, 0)
	return bytes.Join([][]byte{
		[]byte("\x00asm\x01\x00\x00\x00"), section(1, 1, 0x60, 0, 0), section(2, imports...), section(5, 1, 0, 1),
		section(7, append(append([]byte{1}, text("memory")...), 2, 0)...),
	}, nil)
}

// TestExtismFuel: the same call burns the same.
func TestExtismFuel(t *testing.T) {
	p := extismCase{module: "assemblyscript-echo", limits: Limits{MaxInstances: 1}}.open(t)
	var last uint64
	for i := range 4 {
		before := p.Stats().Fuel
		if _, err := body(t, p, strings.Repeat("x", 1000)); err != nil {
			t.Fatal(err)
		}
		spent := p.Stats().Fuel - before
		if i > 1 && spent != last {
			t.Errorf("call %d burned %d units, the one before %d", i, spent, last)
		}
		last = spent
	}
	starved := extismCase{module: "assemblyscript-echo", limits: Limits{Fuel: 1_000_000}}.open(t)
	_, err := body(t, starved, strings.Repeat("x", 1<<20))
	wantFault(t, err, starved, errs.Exhausted, "fuel")
}

// TestExtismMemory: blocks are apart, zero when new, reused after free, and bounded.
func TestExtismMemory(t *testing.T) {
	m := newExtismMemory(1 << 16)
	a, b := m.put([]byte("one")), m.put([]byte("twotwotwo"))
	if a%8 != 0 || b%8 != 0 || string(m.block(a)) != "one" || string(m.block(b)) != "twotwotwo" || m.alloc(0) != 0 {
		t.Errorf("blocks %d %q and %d %q", a, m.block(a), b, m.block(b))
	}
	m.free(a)
	m.free(a)
	m.free(12345)
	if m.block(a) != nil {
		t.Error("a freed block is there")
	}
	if c := m.alloc(5); c != a || string(m.block(c)) != "\x00\x00\x00\x00\x00" {
		t.Errorf("the freed block is not used again: %d, %q", c, m.block(c))
	}
	for range 1 << 16 {
		m.free(m.alloc(1000))
	}
	refused := func(what string, f func()) {
		t.Helper()
		defer func() {
			if f, ok := recover().(*fault); !ok || f.kind != errs.Exhausted && f.kind != errs.Invalid {
				t.Errorf("%s is not refused", what)
			}
		}()
		f()
	}
	refused("too much at once", func() { m.alloc(1 << 16) })
	refused("far too much", func() { m.alloc(1 << 63) })
	refused("too much in all", func() {
		for {
			m.alloc(1000)
		}
	})
	refused("before the first", func() { m.span("x", 8, 8) })
	refused("beyond the last", func() { m.span("x", uint64(len(m.buf))-4, 8) })
	refused("a wrapping end", func() { m.span("x", 16, 1<<64-1) })
	m.reset()
	if at := m.alloc(3); at != extismFirst || string(m.block(at)) != "\x00\x00\x00" {
		t.Errorf("after a reset: %d %q", at, m.block(at))
	}
}
