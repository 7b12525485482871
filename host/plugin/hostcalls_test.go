package plugin

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/weir-ml/weir/host/errs"
	"github.com/weir-ml/weir/sdk/abi"
)

// everyGrant is what testdata/grants asks for, and ceiling one that allows it.
var (
	everyGrant = []string{"log", "clock", "random", "kv.read:team/*", "kv.write:team/*", "features.read:clicks", "model.infer:churn", "http.out:example.org"}
	everything = Ceiling{
		{"log", ""}, {"clock", ""}, {"random", ""}, {"kv.read", "*"}, {"kv.write", "*"}, {"features.read", "*"}, {"model.infer", "*"}, {"http.out", "*"},
	}
)

// services is a KV, a feature store, a model and a web that remember what they were asked.
type services struct {
	mu    sync.Mutex
	kv    map[string][]byte
	slow  time.Duration // every KV read takes so long, or until the context ends
	asked []string
	fail  error
	big   int // bytes of a response's body
	to    []string
}

func (s *services) note(what string) {
	s.mu.Lock()
	s.asked = append(s.asked, what)
	s.mu.Unlock()
}

func (s *services) Get(ctx context.Context, key string) ([]byte, error) {
	s.note("get " + key)
	if s.slow > 0 {
		select {
		case <-time.After(s.slow):
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
	v, ok := s.kv[key]
	if !ok {
		return nil, errs.New(errs.NotFound, "there is no key %q", key)
	}
	return v, s.fail
}

func (s *services) Put(_ context.Context, key string, value []byte) error {
	s.note("put " + key)
	s.kv[key] = value
	return s.fail
}

func (s *services) Delete(_ context.Context, key string) error {
	s.note("delete " + key)
	delete(s.kv, key)
	return nil
}

func (s *services) Read(_ context.Context, view string, request []byte) ([]byte, error) {
	s.note("read " + view)
	return append([]byte("rows of "), request...), nil
}

func (s *services) Infer(_ context.Context, model string, rows json.RawMessage) ([]byte, error) {
	s.note("infer " + model)
	return append([]byte("predictions of "), rows...), nil
}

func (s *services) Do(_ context.Context, r abi.HTTPRequest, maxBody int64, allowed func(*url.URL) bool) (abi.Response, error) {
	s.note(r.Method + " " + r.URL)
	for _, to := range s.to {
		u, err := url.Parse(to)
		if err != nil {
			return abi.Response{}, err
		}
		if !allowed(u) {
			return abi.Response{}, errs.New(errs.Forbidden, "the redirect to %s is refused", to)
		}
	}
	if int64(s.big) > maxBody {
		return abi.Response{}, errs.New(errs.Exhausted, "the body is larger than %d bytes", maxBody)
	}
	return abi.Response{Status: 200, Body: []byte("hello " + string(r.Body))}, nil
}

// granted opens the guest with grants under the ceiling, on services s (nil: there are none).
func granted(t testing.TB, o Options, params string, l Limits, g *Grants) *Plugin {
	t.Helper()
	o.CacheDir = codeDir
	h, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { h.Close() })
	p, err := h.Open(context.Background(), guestFile(t, "testdata/grants/grants.wasm"), json.RawMessage(params), l, WithGrants(g))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { p.Close() })
	return p
}

func allGrants(t testing.TB, list []string, c Ceiling) *Grants {
	t.Helper()
	g, err := NewGrants(list, c)
	if err != nil {
		t.Fatal(err)
	}
	return g
}

// script runs lines ("function|argument|…") in the guest's gate and returns "status reply" of each.
func script(ctx context.Context, p *Plugin, lines ...string) ([]string, error) {
	v, err := p.Gate(ctx, []byte(strings.ReplaceAll(strings.Join(lines, "\n"), "|", "\t")))
	return v.Reasons, err
}

// grantedCalls are the guest's calls that work with everyGrant, with their answers; "*" is any text.
var grantedCalls = []struct{ call, function, grant, want string }{
	{"log|1|hello", "log", "log", "0"},
	{"clock", "clock", "clock", "0 *"},
	{"random|16", "random", "random", "0 *"},
	{"kv_put|team/a|one", "kv_put", "kv.write:team/*", "0"},
	{"kv_get|team/a", "kv_get", "kv.read:team/*", "0 one"},
	{"kv_delete|team/a", "kv_delete", "kv.write:team/*", "0"},
	{"kv_get|team/a", "kv_get", "kv.read:team/*", `1 there is no key "team/a"`},
	{`features_read|{"view":"clicks"}`, "features_read", "features.read:clicks", `0 rows of {"view":"clicks"}`},
	{`model_infer|{"model":"churn","rows":[{"x":1}]}`, "model_infer", "model.infer:churn", `0 predictions of [{"x":1}]`},
	{`http_request|{"method":"GET","url":"https://example.org/a","body":"Ym8="}`, "http_request", "http.out:example.org", `0 {"status":200,"body":"aGVsbG8gYm8="}`},
}

// hostCallCount reads weir_plugin_host_calls_total of a function ("": of all) with an outcome.
func hostCallCount(t testing.TB, reg *prometheus.Registry, function, outcome string) (n float64) {
	t.Helper()
	families, err := reg.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range families {
		if f.GetName() != "weir_plugin_host_calls_total" {
			continue
		}
		for _, m := range f.GetMetric() {
			labels := map[string]string{}
			for _, l := range m.GetLabel() {
				labels[l.GetName()] = l.GetValue()
			}
			if (function == "" || labels["function"] == function) && labels["outcome"] == outcome {
				n += m.GetCounter().GetValue()
			}
		}
	}
	return n
}

func matches(got, want string) bool {
	if prefix, ok := strings.CutSuffix(want, "*"); ok {
		return strings.HasPrefix(got, prefix)
	}
	return got == want
}

// TestGrantsGive: with its grant every function works, is counted, and reaches the service behind it.
func TestGrantsGive(t *testing.T) {
	reg := prometheus.NewRegistry()
	s := &services{kv: map[string][]byte{}}
	var logged bytes.Buffer
	g := allGrants(t, everyGrant, everything)
	p := granted(t, Options{Services: Services{s, s, s, s}, Registerer: reg, Logger: slog.New(slog.NewTextHandler(&logged, &slog.HandlerOptions{Level: slog.LevelInfo}))}, "", Limits{}, g)
	for _, tc := range grantedCalls {
		got, err := script(context.Background(), p, tc.call)
		if err != nil || len(got) != 1 || !matches(got[0], tc.want) {
			t.Errorf("%s: %q, %v, want %q", tc.call, got, err, tc.want)
		}
	}
	if text := logged.String(); !strings.Contains(text, "level=INFO") || !strings.Contains(text, "plugin=grants") || !strings.Contains(text, "text=hello") {
		t.Errorf("logged %q", text)
	}
	want := []string{"put team/a", "get team/a", "delete team/a", "get team/a", "read clicks", "infer churn", "GET https://example.org/a"}
	if !slices.Equal(s.asked, want) {
		t.Errorf("the services were asked %q, want %q", s.asked, want)
	}
	uses, refused := g.Report(p.Description().Grants)
	for _, u := range uses {
		n := uint64(1)
		if strings.HasPrefix(u.Grant, "kv.") {
			n = 2
		}
		if !u.Asked || !u.Given || u.Uses != n {
			t.Errorf("%+v, want asked, given and %d uses", u, n)
		}
	}
	if len(uses) != len(everyGrant) || len(refused) > 0 {
		t.Errorf("%d grants, refused %v", len(uses), refused)
	}
	for _, c := range []struct {
		function, outcome string
		n                 float64
	}{{"kv_get", "done", 1}, {"kv_get", "absent", 1}, {"http_request", "done", 1}, {"log", "done", 1}} {
		if got := hostCallCount(t, reg, c.function, c.outcome); got != c.n {
			t.Errorf("weir_plugin_host_calls_total{%s,%s} = %v", c.function, c.outcome, got)
		}
	}
}

// TestGrantsRefuse: without its grant, outside of its scope, and beyond the ceiling no call gets through.
func TestGrantsRefuse(t *testing.T) {
	outside := []string{"kv_put|other|one", "kv_get|tea", "kv_delete|team", `features_read|{"view":"views"}`, `model_infer|{"model":"churn2","rows":[]}`,
		`http_request|{"method":"GET","url":"https://www.example.org/"}`, `http_request|{"method":"GET","url":"https://example.org:8443/"}`,
		`http_request|{"method":"GET","url":"http://example.org.evil.net/"}`}
	ctx := context.Background()
	run := func(t *testing.T, g *Grants, calls []string) {
		t.Helper()
		reg := prometheus.NewRegistry()
		s := &services{kv: map[string][]byte{"team/a": []byte("secret"), "tea": []byte("secret")}}
		p := granted(t, Options{Services: Services{s, s, s, s}, Registerer: reg}, "", Limits{}, g)
		for _, call := range calls {
			got, err := script(ctx, p, call)
			if err != nil || len(got) != 1 || !strings.HasPrefix(got[0], "2 ") || !strings.Contains(got[0], "was not given the grant") {
				t.Errorf("%s: %q, %v", call, got, err)
			}
		}
		if len(s.asked) > 0 {
			t.Errorf("the services were asked %q", s.asked)
		}
		if refused := hostCallCount(t, reg, "", "refused"); refused != float64(len(calls)) {
			t.Errorf("%v refusals were counted for %d calls", refused, len(calls))
		}
	}
	var all []string
	for _, tc := range grantedCalls {
		all = append(all, tc.call)
	}
	t.Run("nothing given", func(t *testing.T) { run(t, nil, all) })
	t.Run("outside the scope", func(t *testing.T) {
		g := allGrants(t, everyGrant, everything)
		run(t, g, outside)
		if _, refused := g.Report(nil); refused["kv.read"] != 1 || refused["http.out"] != 3 {
			t.Errorf("refusals by grant: %v", refused)
		}
	})
	t.Run("beyond the ceiling", func(t *testing.T) {
		run(t, allGrants(t, everyGrant, Ceiling{{"kv.read", "other/*"}, {"http.out", "*.example.org"}}), all)
	})
	t.Run("one grant each", func(t *testing.T) {
		for i, only := range grantedCalls {
			var others []string
			for _, tc := range grantedCalls {
				if tc.grant != only.grant {
					others = append(others, tc.call)
				}
			}
			if i > 0 && grantedCalls[i-1].grant == only.grant {
				continue
			}
			run(t, allGrants(t, []string{only.grant}, everything), others)
		}
	})
}

// TestGrantsInPureFunctions: in transforms and metrics, and while an instance starts, all but log is refused.
func TestGrantsInPureFunctions(t *testing.T) {
	s := &services{kv: map[string][]byte{}}
	ctx := context.Background()
	calls := []string{"log|1|hello", "clock", "random|16", "kv_put|team/a|one", "kv_get|team/a", "kv_delete|team/a"}
	params := `"` + strings.Join(calls, ";") + `"`
	g := allGrants(t, everyGrant, everything)
	p := granted(t, Options{Services: Services{s, s, s, s}}, params, Limits{}, g)
	check := func(what string, err error) {
		t.Helper()
		if err == nil {
			t.Errorf("%s: no error", what)
			return
		}
		text := err.Error()
		if !strings.Contains(text, `["0","2 clock is refused here`) || strings.Count(text, `"2 `) != len(calls)-1 || strings.Contains(text, `"1 `) {
			t.Errorf("%s: %s", what, text)
		}
	}
	in := &abi.Batch{Rows: 1, Columns: []abi.Column{abi.Float64Column("x", []float64{1})}}
	_, err := p.Transform(ctx, in)
	check("transform", err)
	for what, f := range map[string]func(*Metric) error{
		"update": func(m *Metric) error { return m.Update(ctx, abi.Current, in) },
		"state":  func(m *Metric) error { _, err := m.State(ctx); return err },
		"merge":  func(m *Metric) error { return m.Merge(ctx, []byte("0")) },
		"finish": func(m *Metric) error { _, err := m.Finish(ctx); return err },
	} {
		m, err := p.Metric(ctx)
		if err != nil {
			t.Fatal(err)
		}
		check(what, f(m))
		m.Close()
	}
	h := p.pool.host
	_, err = h.Open(ctx, guestFile(t, "testdata/grants/grants.wasm"), json.RawMessage(`"!`+strings.Join(calls, ";")+`"`), Limits{}, WithGrants(g))
	check("weir_init", err)
	if len(s.asked) > 0 {
		t.Errorf("the services were asked %q", s.asked)
	}
}

// TestHostCallArguments: wrong pointers stop the guest and name the function, wrong arguments are answers.
func TestHostCallArguments(t *testing.T) {
	s := &services{kv: map[string][]byte{"team/big": make([]byte, 9<<20)}}
	p := granted(t, Options{Services: Services{s, s, s, s}}, "", Limits{}, allGrants(t, everyGrant, everything))
	ctx := context.Background()
	for call, want := range map[string]string{
		"kv_get at|4294967295|2":       "kv_get: the key is bytes 4294967295..4294967297 of a memory of",
		"kv_put at|4294967280|100":     "kv_put: the value is bytes",
		"log at|2147483648|10":         "log: the text is bytes",
		"clock at|4294967292":          "clock: the place of the reading is bytes",
		"random at|0|4294967295":       "random: the place of the bytes is bytes 0..4294967295",
		"http_request at|4294967295|1": "http_request: the request is bytes",
		"reply_read at|4294967290":     "reply_read: the reply's place is bytes",
	} {
		_, err := script(ctx, p, call)
		wantFault(t, err, p, errs.Invalid, want)
	}
	for call, want := range map[string]string{
		"kv_get|":                  "4 kv_get: the key is empty",
		"kv_get|#513":              "3 kv_get: the key has 513 bytes, the limit is 512",
		"kv_get|\xff":              "4 kv_get: the key is not valid UTF-8",
		"kv_put|team/a|#524289":    "3 kv_put: the value has 524289 bytes, the limit is 524288",
		"kv_get|team/big":          "3 the reply of kv_get has 9437184 bytes, the limit is 8388608",
		"features_read|no":         "4 features_read: the request is not such a document*",
		`model_infer|{"model":1}`:  "4 model_infer: the request is not such a document*",
		`http_request|{"url":"x"}`: `4 http_request: "x" is not an address like https://example.org/path`,
		`http_request|{"url":"ftp://example.org/"}`:      "4 *",
		`http_request|{"url":"http://u:p@example.org/"}`: "4 *",
		"log|7|x": "4 log: the level is 0 (debug), 1 (info), 2 (warning) or 3 (error), not 7",
	} {
		got, err := script(ctx, p, call)
		if err != nil || len(got) != 1 || !matches(got[0], want) {
			t.Errorf("%s: %.200q, %v, want %q", call, got, err, want)
		}
	}
	s.fail = errors.New("the secret of the store")
	if got, err := script(ctx, p, "kv_put|team/a|one"); err != nil || got[0] != "4 kv_put failed on the host" {
		t.Errorf("an inner failure: %q, %v", got, err)
	}
	s.fail, s.big = nil, 64<<20
	if got, err := script(ctx, p, `http_request|{"url":"http://example.org/"}`); err != nil || !strings.HasPrefix(got[0], "3 the body is larger than") {
		t.Errorf("a large body: %q, %v", got, err)
	}
	s.big, s.to = 0, []string{"http://example.org/next", "http://evil.net/"}
	if got, err := script(ctx, p, `http_request|{"url":"http://example.org/"}`); err != nil || got[0] != "2 the redirect to http://evil.net/ is refused" {
		t.Errorf("a redirect: %q, %v", got, err)
	}
}

// TestHostWithoutServices: the grant is asked for first, and then the function says what is missing.
func TestHostWithoutServices(t *testing.T) {
	p := granted(t, Options{}, "", Limits{}, allGrants(t, everyGrant, everything))
	got, err := script(context.Background(), p, "kv_get|team/a", `features_read|{"view":"clicks"}`, `model_infer|{"model":"churn"}`, `http_request|{"url":"http://example.org"}`, `features_read|{"view":"other"}`)
	want := []string{"4 this host has no store for plugins", "4 this host has no feature store", "4 this host has no models", "4 this host makes no requests", "2 *"}
	if err != nil || len(got) != len(want) {
		t.Fatalf("%q, %v", got, err)
	}
	for i := range want {
		if !matches(got[i], want[i]) {
			t.Errorf("%q, want %q", got[i], want[i])
		}
	}
}

// TestHostCallsEnd: however a guest spends its time in the host, it is stopped: by the call's time limit, by the caller, by
// its fuel. A slow host call alone is an answer.
func TestHostCallsEnd(t *testing.T) {
	s := &services{kv: map[string][]byte{"team/a": []byte("x")}}
	g := allGrants(t, everyGrant, everything)
	h := granted(t, Options{Services: Services{s, s, s, s}}, "", Limits{}, g).pool.host
	openWith := func(l Limits) *Plugin {
		p, err := h.Open(context.Background(), guestFile(t, "testdata/grants/grants.wasm"), nil, l, WithGrants(g))
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { p.Close() })
		return p
	}
	ctx := context.Background()
	limited := openWith(Limits{Timeout: 200 * time.Millisecond, HostCallTimeout: 10 * time.Second})
	for _, call := range []string{"kv_get forever|team/a", "clock forever", "log forever"} {
		_, err := script(ctx, limited, call)
		wantFault(t, err, limited, errs.Timeout, "time limit of 200ms")
	}
	s.slow = 20 * time.Millisecond // a drip: each call alone is well within its own limit
	_, err := script(ctx, limited, "kv_get forever|team/a")
	wantFault(t, err, limited, errs.Timeout, "time limit of 200ms")
	s.slow = time.Hour // one call, cut off by the deadline of the whole
	_, err = script(ctx, limited, "kv_get|team/a")
	wantFault(t, err, limited, errs.Timeout, "time limit of 200ms")

	gaveUp, cancel := context.WithTimeout(ctx, 50*time.Millisecond)
	defer cancel()
	patient := openWith(Limits{Timeout: time.Hour, HostCallTimeout: 100 * time.Millisecond})
	_, err = script(gaveUp, patient, "kv_get|team/a")
	wantFault(t, err, patient, errs.Timeout, "the caller gave up")
	if got, err := script(ctx, patient, "kv_get|team/a"); err != nil || got[0] != "3 kv_get took longer than 100ms" {
		t.Errorf("a slow call: %q, %v", got, err)
	}
	s.slow = 0
	thrifty := openWith(Limits{Timeout: time.Hour, Fuel: 3_000_000})
	_, err = script(ctx, thrifty, "kv_get forever|team/a")
	wantFault(t, err, thrifty, errs.Exhausted, "fuel")
}

// TestHostCallFuel: what a call moves is paid for, and the same call costs the same.
func TestHostCallFuel(t *testing.T) {
	s := &services{kv: map[string][]byte{"team/a": []byte("x"), "team/b": make([]byte, 400_000)}}
	p := granted(t, Options{Services: Services{s, s, s, s}}, "", Limits{MaxInstances: 1}, allGrants(t, everyGrant, everything))
	cost := func(call string) uint64 {
		before := p.Stats().Fuel
		if _, err := script(context.Background(), p, call); err != nil {
			t.Fatal(err)
		}
		return p.Stats().Fuel - before
	}
	cost("kv_get|team/a")
	small, random := cost("kv_get|team/a"), cost("random|16")
	if again := cost("kv_get|team/a"); again != small {
		t.Errorf("the same call cost %d, then %d", small, again)
	}
	if again := cost("random|16"); again != random {
		t.Errorf("other random bytes cost %d, not %d", again, random)
	}
	if big := cost("kv_get|team/b"); big < small+100_000 {
		t.Errorf("400 kB more cost %d units more", big-small)
	}
}

// TestLogFlood: a guest that floods the log gets its answers and the log its share.
func TestLogFlood(t *testing.T) {
	var logged bytes.Buffer
	p := granted(t, Options{Logger: slog.New(slog.NewTextHandler(&logged, nil))}, "", Limits{Timeout: 100 * time.Millisecond, LogPerSecond: 5}, allGrants(t, everyGrant, everything))
	_, err := script(context.Background(), p, "log forever")
	wantFault(t, err, p, errs.Timeout, "time limit")
	if n := strings.Count(logged.String(), "text=flood"); n < 1 || n > 10 {
		t.Errorf("%d lines were logged", n)
	}
	logged.Reset()
	q := granted(t, Options{Logger: slog.New(slog.NewTextHandler(&logged, nil))}, "", Limits{}, allGrants(t, everyGrant, everything))
	if _, err := script(context.Background(), q, "log|2|#100000"); err != nil {
		t.Fatal(err)
	}
	if text := logged.String(); !strings.Contains(text, "level=WARN") || strings.Count(text, "x") > logLineBytes+10 {
		t.Errorf("a long line was logged as %d bytes", len(text))
	}
}

// TestWASIClockAndRandom: real with the grants, the same in every run without.
func TestWASIClockAndRandom(t *testing.T) {
	ctx := context.Background()
	calls := []string{"wasi_wall", "wasi_mono", "wasi_random", "wasi_wall", "wasi_mono", "wasi_random"}
	runs := func(g *Grants) (all [2][]string) {
		for i := range all {
			p := granted(t, Options{}, "", Limits{}, g)
			var err error
			if all[i], err = script(ctx, p, calls...); err != nil {
				t.Fatal(err)
			}
		}
		return all
	}
	if r := runs(nil); !slices.Equal(r[0], r[1]) || slices.Contains(r[0][3:], r[0][0]) {
		t.Errorf("without grants two runs answer %q and %q", r[0], r[1])
	}
	r := runs(allGrants(t, []string{"clock", "random"}, everything))
	for i := range calls {
		if r[0][i] == r[1][i] {
			t.Errorf("%s with grants answers %q twice", calls[i], r[0][i])
		}
	}
	p := granted(t, Options{}, "", Limits{}, allGrants(t, []string{"clock"}, everything))
	before := time.Now().UnixNano()
	got, err := script(ctx, p, "wasi_wall", "clock", "wasi_random")
	if err != nil {
		t.Fatal(err)
	}
	after := time.Now().UnixNano()
	if wall := int64(littleEndianHex(t, got[0])); wall < before || wall > after {
		t.Errorf("the wall clock says %d, not %d..%d", wall, before, after)
	}
	if micros := int64(littleEndianHex(t, got[1])); micros < before/1000 || micros > after/1000 {
		t.Errorf("clock says %d µs, not %d..%d", micros, before/1000, after/1000)
	}
	if fake := runs(nil)[0][2]; got[2] != fake {
		t.Errorf("random numbers without the grant: %q, not %q", got[2], fake)
	}
}

func littleEndianHex(t testing.TB, answer string) uint64 {
	t.Helper()
	var v uint64
	hex, ok := strings.CutPrefix(answer, "0 ")
	if !ok || len(hex) != 16 {
		t.Fatalf("%q is no answer of 8 bytes", answer)
	}
	for i := 14; i >= 0; i -= 2 {
		v = v<<8 | uint64(strings.IndexByte("0123456789abcdef", hex[i]))<<4 | uint64(strings.IndexByte("0123456789abcdef", hex[i+1]))
	}
	return v
}
