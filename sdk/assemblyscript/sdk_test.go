package assemblyscript

import (
	"bytes"
	"context"
	"encoding/binary"
	"encoding/json"
	"math"
	"math/big"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"strconv"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/weir-ml/weir/host/errs"
	"github.com/weir-ml/weir/host/plugin"
	"github.com/weir-ml/weir/host/plugin/plugintest"
	"github.com/weir-ml/weir/sdk/abi"
)

func probe(t testing.TB, o plugin.Options, l plugin.Limits, options ...plugin.OpenOption) *plugin.Plugin {
	t.Helper()
	p, err := host(t, o).Open(context.Background(), guest(t, "probe"), nil, l, options...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = p.Close() })
	return p
}

func ask(p *plugin.Plugin, path string, body []byte) ([]byte, error) {
	r, err := p.Handle(context.Background(), abi.Request{Kind: "event", Path: path, Body: body})
	return r.Body, err
}

// typesBatch has every type, with nulls, and as many rows as a bitmap's bytes do not fit.
func typesBatch() *abi.Batch {
	const rows = 19
	var (
		bools  = make([]bool, rows)
		i32s   = make([]int32, rows)
		i64s   = make([]int64, rows)
		f32s   = make([]float32, rows)
		f64s   = make([]float64, rows)
		texts  = make([]string, rows)
		raws   = make([][]byte, rows)
		vector = make([]float32, 3*rows)
	)
	for i := range rows {
		bools[i], i32s[i], i64s[i] = i%3 == 0, int32(i-9)*100_000_000, int64(i-9)<<58
		f32s[i], f64s[i] = float32(i)/7, float64(i)/7
		texts[i], raws[i] = strings.Repeat("ż🐢", i%4), bytes.Repeat([]byte{0xff, 0}, i%3)
	}
	for i := range vector {
		vector[i] = float32(i) / 3
	}
	b := &abi.Batch{Rows: rows, Columns: []abi.Column{
		abi.BoolColumn("b", bools), abi.Int32Column("i", i32s), abi.Int64Column("l", i64s), abi.Float32Column("f", f32s), abi.Float64Column("d", f64s),
		abi.UTF8Column("s", texts), abi.BinaryColumn("raw", raws), abi.TimestampColumn("t", i64s), abi.FloatVectorColumn("v", 3, vector),
	}}
	for k := range b.Columns {
		b.Columns[k] = b.Columns[k].WithNulls(rows, k, k+5, rows-1)
	}
	return b
}

// TestTypes: every type comes back as it went in, in batches of any size and as single rows.
func TestTypes(t *testing.T) {
	ctx, h, wasm := context.Background(), host(t, plugin.Options{}), guest(t, "types")
	p, err := h.Open(ctx, wasm, nil, plugin.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	in := typesBatch()
	out, err := p.Transform(ctx, in)
	if err != nil {
		t.Fatal(err)
	}
	if got := (&abi.Batch{Rows: out.Rows, Columns: out.Columns[:9]}); !got.Equal(in) {
		t.Fatalf("got %+v\nwant %+v", got, in)
	}
	both, text, i32s, f64s := &out.Columns[9], &out.Columns[10], &in.Columns[1], &in.Columns[4]
	for r := range in.Rows {
		a, ok := i32s.Float64At(r)
		b, too := f64s.Float64At(r)
		if got, there := both.Float64At(r); there != (ok && too) || there && got != a+b {
			t.Errorf("row %d: %v, %v; want %v + %v", r, got, there, a, b)
		}
		want := "żółw 🐢"
		if ok {
			want = strconv.Itoa(int(a))
		}
		if got := text.TextAt(r); got != want {
			t.Errorf("row %d: got the text %q, want %q", r, got, want)
		}
	}
	for _, c := range []plugintest.Case{{Name: "all types", World: abi.WorldTransform, Input: in, Output: out}} {
		report, err := plugintest.Properties(ctx, h, wasm, []plugintest.Case{c})
		if err != nil {
			t.Fatal(err)
		}
		checked := map[string]bool{}
		for _, r := range report.Results {
			checked[r.Check] = true
			if !r.OK {
				t.Errorf("%s: %s", r.Check, r.Detail)
			}
		}
		if !checked["rows"] || !checked["chunks"] {
			t.Errorf("only %v were checked", checked)
		}
	}
}

// TestReadme compiles and runs the plugin of README.md.
func TestReadme(t *testing.T) {
	raw, err := os.ReadFile("README.md")
	if err != nil {
		t.Fatal(err)
	}
	_, source, _ := strings.Cut(string(raw), "```ts\n")
	source, _, found := strings.Cut(source, "```")
	if !found {
		t.Fatal("README.md has no plugin")
	}
	// Where the test's folder lies, the library is elsewhere.
	dir := t.TempDir()
	here, err := filepath.Abs("assembly")
	if err != nil {
		t.Fatal(err)
	}
	if here, err = filepath.Rel(dir, here); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "doubler.ts"), []byte(strings.ReplaceAll(source, "../sdk/assemblyscript/assembly", here)), 0o644); err != nil {
		t.Fatal(err)
	}
	wasm := filepath.Join(dir, "doubler.wasm")
	if out, err := exec.Command("./build.sh", filepath.Join(dir, "doubler.ts"), wasm).CombinedOutput(); err != nil || len(out) > 0 {
		t.Fatalf("%v\n%s", err, out)
	}
	module, err := os.ReadFile(wasm)
	if err != nil {
		t.Fatal(err)
	}
	cases, err := plugintest.Read(strings.NewReader(`[{"name":"doubled","input":[{"name":"x","type":"float64","values":[1,null,-2.5]}],"output":[{"name":"y","type":"float64","values":[2,null,-5]}]}]`))
	if err != nil {
		t.Fatal(err)
	}
	for _, run := range []func(context.Context, *plugin.Host, []byte, []plugintest.Case) (plugintest.Report, error){plugintest.Run, plugintest.Properties} {
		report, err := run(context.Background(), host(t, plugin.Options{}), module, cases)
		if err != nil || len(report.Failures()) > 0 || len(report.Results) == 0 {
			t.Fatalf("%+v, %v", report, err)
		}
	}
}

func TestInputsAreChecked(t *testing.T) {
	ctx, h, wasm := context.Background(), host(t, plugin.Options{}), guest(t, "types")
	for want, change := range map[string]func(*abi.Batch){
		`input column "s" is missing`:                         func(b *abi.Batch) { b.Columns = append(b.Columns[:5:5], b.Columns[6:]...) },
		`input column "d" must be float64`:                    func(b *abi.Batch) { b.Columns[4] = abi.Int64Column("d", make([]int64, b.Rows)) },
		`input column "v" must be float_vector of 3 elements`: func(b *abi.Batch) { b.Columns[8] = abi.FloatVectorColumn("v", 2, make([]float32, 2*b.Rows)) },
	} {
		p, err := h.Open(ctx, wasm, nil, plugin.Limits{})
		if err != nil {
			t.Fatal(err)
		}
		in := typesBatch()
		change(in)
		if _, err := p.Transform(ctx, in); !errs.Is(err, errs.Invalid) || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %s", err, want)
		}
		p.Close()
	}
	p, err := h.Open(ctx, wasm, nil, plugin.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	in := typesBatch()
	in.Columns[0], in.Columns[8] = in.Columns[8], in.Columns[0]
	in.Columns = append(in.Columns, abi.Float64Column("more", make([]float64, in.Rows)))
	if out, err := p.Transform(ctx, in); err != nil || !(&abi.Batch{Rows: out.Rows, Columns: out.Columns[:9]}).Equal(typesBatch()) {
		t.Errorf("another order of the columns, and one more: %v", err)
	}
}

// TestNumbers reads numbers that are hard to round, and writes what was read; strconv is the reference of both.
func TestNumbers(t *testing.T) {
	p := probe(t, plugin.Options{}, plugin.Limits{})
	random := rand.New(rand.NewPCG(1, 2))
	texts := []string{
		"0", "-0", "0.0", "1", "-1.5", "0.1", "1e22", "1e23", "9007199254740993", "9007199254740993.0000000000000000000000000000001", "9007199254740992.99999999999999999999", "5e-324", "2.4703282292062327e-324",
		"2.4703282292062328e-324", "2.2250738585072011e-308", "2.2250738585072012e-308", "1.7976931348623157e308", "1.7976931348623158e308", "1e-400", "0e999999999999", "1e-99999999999", "0.000000000000000000001e21",
		"123456789012345678901234567890", "1" + strings.Repeat("0", 300), "0." + strings.Repeat("0", 320) + "1", "1." + strings.Repeat("0", 900) + "1", "9007199254740993" + "." + strings.Repeat("0", 1000) + "1",
		"6.631236846766476e-316", "3.237883913302901e-319", "4.9406564584124654e-324", "8.41e21", "9.5e-20",
	}
	for range 4000 {
		f := math.Abs(math.Float64frombits(random.Uint64()))
		if math.IsNaN(f) || math.IsInf(f, 0) {
			continue
		}
		texts = append(texts, strconv.FormatFloat(f, 'g', -1, 64), strconv.FormatFloat(f, 'e', 10+random.IntN(20), 64), strconv.FormatFloat(random.Float64()*1000, 'f', random.IntN(25), 64))
		if len(texts)%8 == 0 { // the point halfway to the next double, exactly, and a little beside it
			h := halfway(f)
			e := strings.LastIndex(h, "e")
			texts = append(texts, h, h[:e]+"1"+h[e:], h[:700]+h[e:])
		}
	}
	for from := 0; from < len(texts); from += 500 {
		chunk := texts[from:min(from+500, len(texts))]
		raw, err := ask(p, "/bits", []byte("["+strings.Join(chunk, ",")+"]"))
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		if err := json.Unmarshal(raw, &got); err != nil || len(got) != len(chunk) {
			t.Fatal(err, len(got))
		}
		for i, s := range chunk {
			want, err := strconv.ParseFloat(s, 64)
			if err != nil {
				t.Fatal(s, err)
			}
			if got[i] != strconv.FormatUint(math.Float64bits(want), 10) {
				t.Errorf("%s reads as bits %s, want %d", s, got[i], math.Float64bits(want))
			}
		}
		raw, err = ask(p, "/copy", []byte("["+strings.Join(chunk, ",")+"]"))
		if err != nil {
			t.Fatal(err)
		}
		for i, s := range strings.Split(strings.Trim(string(raw), "[]"), ",") {
			want, _ := strconv.ParseFloat(chunk[i], 64)
			if got, err := strconv.ParseFloat(s, 64); err != nil || math.Float64bits(got) != math.Float64bits(want) {
				t.Fatalf("%s is written as %s, %v", chunk[i], s, err)
			}
		}
	}
}

// halfway is the point halfway between f and the next double, with all its digits.
func halfway(f float64) string {
	m, e := math.Frexp(f)
	i := new(big.Float).SetPrec(2000).SetInt64(2*int64(m*(1<<53)) + 1)
	return i.SetMantExp(i, e-54).Text('e', 800)
}

func TestDocuments(t *testing.T) {
	h := host(t, plugin.Options{})
	for doc, want := range map[string]string{
		``:                         "line 1, column 1: the document ends where a value should follow",
		` {"a":1,}`:                "line 1, column 9: a value should follow, not",
		`{"a" 1}`:                  `line 1, column 6: ":" after the name of a member should follow, not "1"`,
		"[1\n,2 3]":                `line 2, column 4: "," or "]" should follow, not "3"`,
		`["żółw",]`:                "line 1, column 9: a value should follow",
		`{"a":1} x`:                `line 1, column 9: the end of the document should follow, not "x"`,
		`01`:                       `line 1, column 2: the end of the document should follow, not "1"`,
		`[1.]`:                     "line 1, column 2: the number is damaged",
		`[-]`:                      "line 1, column 2: the number is damaged",
		`1e999`:                    "line 1, column 1: the number 1e999 is too large",
		`"a`:                       "the document ends inside a text",
		"\"a\tb\"":                 "line 1, column 3: a control character (9) in a text must be escaped",
		`"\x"`:                     "line 1, column 2: the escape in the text is damaged",
		`"\u12g4"`:                 "line 1, column 2: the escape in the text is damaged",
		"\"\xff\"":                 "line 1, column 2: the text is not valid UTF-8",
		"[\xff]":                   "line 1, column 2: a value should follow, not the byte 255",
		`nul`:                      `line 1, column 1: "null" should follow`,
		strings.Repeat("[", 257):   "line 1, column 257: the document is nested deeper than 256",
		`{"a":[true,{"b":falsé}]}`: `line 1, column 17: "false" should follow`,
	} {
		p, err := h.Open(context.Background(), guest(t, "probe"), nil, plugin.Limits{})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := ask(p, "/copy", []byte(doc)); !errs.Is(err, errs.Invalid) || !strings.Contains(err.Error(), want) {
			t.Errorf("%.30q: got %v, want %s", doc, err, want)
		}
		p.Close()
	}
	p := probe(t, plugin.Options{}, plugin.Limits{})
	if _, err := ask(p, "/leftover", []byte("[1]")); err != nil {
		t.Error(err) // nobody asked whether the document was read to its end
	}
	for doc, want := range map[string]string{
		`{"columns": "x"}`:    "unknown field \"columns\"",
		`{"a":1}`:             "unknown field \"a\"",
		"[]":                  "an object is expected, not an array",
		`{"outcome":"maybe"}`: `a verdict needs the outcome pass, fail or review, not "maybe"`,
		`{"outcome":"pass"}`:  "a verdict needs a reason",
	} {
		if _, err := p.Gate(context.Background(), []byte(doc)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got %v, want %s", doc, err, want)
		}
	}
	if v, err := p.Gate(context.Background(), []byte(`{"outcome":"review","reason":"żółw \"quoted\" \u0001 \ud83d\ude00 \ud800."}`)); err != nil || v.Outcome != abi.Review || v.Reasons[0] != "żółw \"quoted\" \x01 😀 \ufffd." {
		t.Errorf("%+v, %v", v, err)
	}
	if _, err := h.Open(context.Background(), guest(t, "probe"), json.RawMessage(`{"x":1}`), plugin.Limits{}); err == nil || !strings.Contains(err.Error(), `parameters: line 1, column 6: unknown field "x"`) {
		t.Errorf("parameters that there are not: %v", err)
	}
}

// FuzzReader: the guest takes the documents that encoding/json takes, but for deep nesting and invalid UTF-8, and writes what means the same.
func FuzzReader(f *testing.F) {
	for _, s := range []string{
		`{"columns":[{"name":"age","edges":[25,35.5,-0,1e-7]}]}`, `{"a":{"b":1},"c":{"d":[2,[]]}}`, `[]`, ` { } `, `null`, `tru`, `"\ud83d\ude00\ud800\ud800\u0041\udc00x\/\b"`, `"\u00zz"`, `"\ud800\ud83d\ude00"`,
		`-`, `-01`, `1.5E+07`, `1e400`, `1e-400`, `[1,]`, `{"a":1,}`, `{"a"}`, "\"\x7f\u2028<\"", "[\"\xff\"]", strings.Repeat("[", 50) + strings.Repeat("]", 50), `0.1234567890123456789012345678901234567890`,
	} {
		f.Add([]byte(s))
	}
	p := probe(f, plugin.Options{}, plugin.Limits{})
	f.Fuzz(func(t *testing.T, doc []byte) {
		got, err := ask(p, "/copy", doc)
		var want any
		wantErr := json.Unmarshal(doc, &want)
		if err != nil {
			if !errs.Is(err, errs.Invalid) || !strings.Contains(err.Error(), "line ") {
				t.Fatalf("%q: %v", doc, err)
			}
			if wantErr == nil && utf8.Valid(doc) && !strings.Contains(err.Error(), "nested deeper than 256") {
				t.Fatalf("%q was refused: %v", doc, err)
			}
			return
		}
		if wantErr != nil {
			t.Fatalf("%q was accepted; encoding/json: %v", doc, wantErr)
		}
		var again any
		if err := json.Unmarshal(got, &again); err != nil || !reflect.DeepEqual(again, want) {
			t.Fatalf("%q: wrote %s, %v", doc, got, err)
		}
	})
}

// TestLog1p compares with the check values of sdk/examples/SPEC.md.
func TestLog1p(t *testing.T) {
	p := probe(t, plugin.Options{}, plugin.Limits{})
	var in []byte
	checks := []struct {
		x    float64
		want uint64
	}{
		{1, 0x3fe62e42fefa39ef}, {0.5, 0x3fd9f323ecbf984c}, {-0.5, 0xbfe62e42fefa39ef}, {1e-05, 0x3ee4f8aea9ae7317}, {-0.999, 0xc01ba18a998fff9f}, {0.4142135623730951, 0x3fd62e42fefa39f0},
		{-0.2929, 0xbfd62e6b3842a25c}, {3, 0x3ff62e42fefa39ef}, {1e10, 0x4037069e2aa3184e}, {1e300, 0x4085963447f87fb5}, {8.673617379884035e-19, 0x3c30000000000000}, {-0.9999999999999999, 0xc0425e4f7b2737fa},
		{99, 0x40126bb1bbb55516}, {0.1, 0x3fb8663f793c46c7}, {math.NaN(), 0x7ff8000000000000}, {math.Float64frombits(0xfff0000000000001), 0x7ff8000000000000}, {-1.5, 0x7ff8000000000000}, {math.Inf(-1), 0x7ff8000000000000},
		{-1, 0xfff0000000000000}, {math.Inf(1), 0x7ff0000000000000}, {0, 0}, {math.Copysign(0, -1), 1 << 63}, {5e-324, 1},
	}
	for _, c := range checks {
		in = binary.LittleEndian.AppendUint64(in, math.Float64bits(c.x))
	}
	out, err := ask(p, "/log1p", in)
	if err != nil || len(out) != len(in) {
		t.Fatal(err, len(out))
	}
	for i, c := range checks {
		if got := binary.LittleEndian.Uint64(out[8*i:]); got != c.want {
			t.Errorf("log1p(%v) is %#x, want %#x", c.x, got, c.want)
		}
	}
}

// TestMemoryStaysConstant: an instance that makes garbage in each of 100,000 calls keeps its size.
func TestMemoryStaysConstant(t *testing.T) {
	p := probe(t, plugin.Options{}, plugin.Limits{MaxInstances: 1, MemoryBytes: 8 << 20})
	var warm, now [3]int
	for call := 1; call <= 100_000; call++ {
		raw, err := ask(p, "/garbage", nil)
		if err != nil {
			t.Fatal(err)
		}
		if call != 1000 && call != 100_000 {
			continue
		}
		if err := json.Unmarshal(raw, &now); err != nil {
			t.Fatal(err)
		}
		if now[0] != call {
			t.Fatalf("the instance has seen %d calls, not %d: it was replaced", now[0], call)
		}
		if call == 1000 {
			warm = now
		}
	}
	if now[1] != warm[1] || now[1] > 16 {
		t.Errorf("%d pages after 1,000 calls, %d after 100,000", warm[1], now[1])
	}
}

func TestFailures(t *testing.T) {
	for path, want := range map[string]string{
		"/fail":     "): asked to fail: żółw",
		"/throw":    "it aborted: asked to throw (test/probe.ts, line ",
		"/no\"such": `): no such path: "/no\"such"`,
	} {
		p := probe(t, plugin.Options{}, plugin.Limits{})
		if _, err := ask(p, path, nil); !errs.Is(err, errs.Invalid) || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got %v, want %s", path, err, want)
		}
		if _, err := ask(p, "/copy", []byte("1")); err != nil {
			t.Errorf("%s: after the failure: %v", path, err)
		}
	}
}

func TestRequestAndResponse(t *testing.T) {
	p := probe(t, plugin.Options{}, plugin.Limits{})
	for n := range 20 {
		body := bytes.Repeat([]byte{0xfb, 0xff, 0, 'a'}, n)[:n]
		r, err := p.Handle(context.Background(), abi.Request{Kind: "http", Method: "PUT", Path: "/echo", Query: "q=ż", Subject: "s", ID: "7", Headers: map[string][]string{"Accept": {"a", "b"}, "Empty": {}}, Body: body})
		if err != nil {
			t.Fatal(err)
		}
		want := map[string][]string{"X-Kind": {"http", "PUT", "q=ż", "s", "7"}, "X-First": {"a", ""}}
		if r.Status != 418 || !reflect.DeepEqual(r.Headers, want) || !bytes.Equal(r.Body, body) {
			t.Fatalf("%d bytes: %+v", n, r)
		}
	}
}

// store is a KV in a map.
type store map[string][]byte

func (s store) Get(_ context.Context, key string) ([]byte, error) {
	if v, ok := s[key]; ok {
		return v, nil
	}
	return nil, errs.New(errs.NotFound, "no key %s", key)
}
func (s store) Put(_ context.Context, key string, value []byte) error { s[key] = value; return nil }
func (s store) Delete(_ context.Context, key string) error            { delete(s, key); return nil }

func TestHostCalls(t *testing.T) {
	o := plugin.Options{Services: plugin.Services{KV: store{}}}
	var ceiling plugin.Ceiling
	list := []string{"log", "clock", "random", "kv.read:*", "kv.write:*"}
	for _, s := range list {
		g, err := plugin.ParseGrant(s)
		if err != nil {
			t.Fatal(err)
		}
		ceiling = append(ceiling, g)
	}
	grants, err := plugin.NewGrants(list, ceiling)
	if err != nil {
		t.Fatal(err)
	}
	got, err := ask(probe(t, o, plugin.Limits{}, plugin.WithGrants(grants)), "/host", []byte("a żółw"))
	if want := `[0,true,0,0,true,"a żółw",0,1,2,2,4,true]`; err != nil || string(got) != want {
		t.Errorf("got %s, %v, want %s", got, err, want)
	}
	got, err = ask(probe(t, o, plugin.Limits{}), "/host", []byte("x"))
	if err != nil || !strings.HasPrefix(string(got), `[2,false,2,2,false,"`) {
		t.Errorf("without grants: %s, %v", got, err)
	}
}

// TestMemoryLimit: a guest that runs out says so, and by the host's words.
func TestMemoryLimit(t *testing.T) {
	p := probe(t, plugin.Options{}, plugin.Limits{MemoryBytes: 4 << 20})
	_, err := ask(p, "/copy", []byte("\""+strings.Repeat("x", 2<<20)+"\""))
	if !errs.Is(err, errs.Exhausted) || !strings.Contains(err.Error(), "memory limit") {
		t.Fatal(err)
	}
}
