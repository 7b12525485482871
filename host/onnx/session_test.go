package onnx

import (
	"bytes"
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"log/slog"
	"math"
	"math/rand/v2"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	breastcancer "github.com/weir-ml/weir/examples/breast-cancer"
	"github.com/weir-ml/weir/host/errs"
	"github.com/weir-ml/weir/host/schema"
)

// open makes a Runtime on the real library. A missing library fails the test: a skip would look like a pass.
func open(t testing.TB) *Runtime {
	t.Helper()
	if _, err := FindLibrary(""); err != nil {
		t.Fatal(err)
	}
	r := New(Options{Logger: slog.New(slog.DiscardHandler)})
	t.Cleanup(func() { _ = r.Close() })
	return r
}

func load(t testing.TB, r *Runtime, model []byte) *Session {
	t.Helper()
	s, err := r.Load(context.Background(), model, SessionOptions{Device: "cpu", IntraOpThreads: 1})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return s
}

func file(t testing.TB, name string) []byte {
	t.Helper()
	b, err := os.ReadFile("testdata/" + name)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func le[T any](v ...T) []byte {
	b, err := binary.Append(nil, binary.LittleEndian, v)
	if err != nil {
		panic(err)
	}
	return b
}

func floats(b []byte) []float32 {
	out := make([]float32, len(b)/4)
	for i := range out {
		out[i] = math.Float32frombits(binary.LittleEndian.Uint32(b[4*i:]))
	}
	return out
}

type vectors struct {
	Features [][]float32
	Models   map[string]struct {
		Label         []int64
		Probabilities [][]float32
	}
}

func readVectors(t testing.TB) vectors {
	t.Helper()
	var v vectors
	if err := json.Unmarshal(file(t, "vectors.json"), &v); err != nil {
		t.Fatal(err)
	}
	return v
}

func features(rows [][]float32) schema.Tensor {
	t := schema.Tensor{Name: "features", Type: schema.FP32, Shape: []int64{int64(len(rows)), 30}}
	for _, r := range rows {
		t.Data = append(t.Data, le(r...)...)
	}
	return t
}

// The reference is ONNX Runtime's Python package on the same models (testdata/make.py); tolerance 1e-6.
func TestAgreesWithPython(t *testing.T) {
	r, v := open(t), readVectors(t)
	for name, model := range map[string][]byte{"model": breastcancer.Model, "worse": breastcancer.WorseModel, "better": breastcancer.BetterModel} {
		t.Run(name, func(t *testing.T) {
			s, want := load(t, r, model), v.Models[name]
			for _, n := range []int{1, 7, len(v.Features)} {
				out, err := s.Run(context.Background(), []schema.Tensor{features(v.Features[:n])}, []string{"probabilities", "label"})
				if err != nil {
					t.Fatal(err)
				}
				if !bytes.Equal(out[1].Data, le(want.Label[:n]...)) || out[1].Type != schema.Int64 || len(out[1].Shape) != 1 {
					t.Errorf("%d rows: label %+v", n, out[1])
				}
				got := floats(out[0].Data)
				if len(got) != 2*n || out[0].Shape[0] != int64(n) || out[0].Shape[1] != 2 {
					t.Fatalf("%d rows: probabilities of shape %v", n, out[0].Shape)
				}
				for i, p := range got {
					if d := math.Abs(float64(p - want.Probabilities[i/2][i%2])); !(d <= 1e-6) {
						t.Errorf("row %d: probability %v, want %v", i/2, p, want.Probabilities[i/2])
					}
				}
			}
		})
	}
}

func TestEveryElementType(t *testing.T) {
	s := load(t, open(t), file(t, "types.onnx"))
	data := map[schema.DType][]byte{
		schema.FP32: le[float32](1, -2, float32(math.Inf(1)), 0.5), schema.FP64: le(1e300, -2, math.Pi, 0), schema.FP16: le[uint16](0x3c00, 0xc000, 0x7bff, 1),
		schema.BF16: le[uint16](0x3f80, 0xc000, 0x7f7f, 1), schema.Int8: le[int8](-128, 127, 0, 1), schema.Int16: le[int16](-32768, 32767, 0, 1),
		schema.Int32: le[int32](math.MinInt32, math.MaxInt32, 0, 1), schema.Int64: le[int64](math.MinInt64, math.MaxInt64, 0, 1),
		schema.Uint8: {0, 255, 1, 2}, schema.Uint16: le[uint16](0, 65535, 1, 2), schema.Uint32: le[uint32](0, math.MaxUint32, 1, 2),
		schema.Uint64: le[uint64](0, math.MaxUint64, 1, 2), schema.Bool: {0, 1, 1, 0}, schema.Bytes: encodeBytes([]string{"", "weir", "Grüße", "x y"}),
	}
	var in []schema.Tensor
	for _, sp := range s.Inputs() {
		if len(sp.Shape) != 2 || sp.Shape[0] != -1 || sp.Shape[1] != 2 {
			t.Fatalf("%s has shape %v, want [-1 2]", sp.Name, sp.Shape)
		}
		// An odd offset: the data of a request may start anywhere.
		raw := append([]byte{0}, data[sp.Type]...)
		in = append(in, schema.Tensor{Name: sp.Name, Type: sp.Type, Shape: []int64{2, 2}, Data: raw[1:]})
	}
	if len(in) != len(data) {
		t.Fatalf("%d inputs, %d types", len(in), len(data))
	}
	out, err := s.Run(context.Background(), in, nil)
	if err != nil {
		t.Fatal(err)
	}
	for i, o := range out {
		if o.Type != in[i].Type || o.Name != in[i].Name+"_out" || !bytes.Equal(o.Data, in[i].Data) || o.Shape[0] != 2 || o.Shape[1] != 2 {
			t.Errorf("%s: got %+v, want %v", in[i].Name, o, in[i].Data)
		}
	}
}

func TestScalarsAndEmptyTensors(t *testing.T) {
	r := open(t)
	s := load(t, r, file(t, "scalar.onnx"))
	for range 3 {
		out, err := s.Run(context.Background(), []schema.Tensor{{Name: "x", Type: schema.FP32, Shape: []int64{3}, Data: le[float32](1, 2, 4)}}, nil)
		if err != nil {
			t.Fatal(err)
		}
		if len(out[0].Shape) != 0 || floats(out[0].Data)[0] != 7 || floats(out[1].Data)[2] != 8 {
			t.Fatalf("got %+v", out)
		}
	}
	out, err := s.Run(context.Background(), []schema.Tensor{{Name: "x", Type: schema.FP32, Shape: []int64{0}}}, []string{"twice"})
	if err != nil || len(out) != 1 || out[0].Shape[0] != 0 || len(out[0].Data) != 0 {
		t.Fatalf("empty: %+v, %v", out, err)
	}
}

func TestRefusals(t *testing.T) {
	r := open(t)
	model := load(t, r, breastcancer.Model)
	types := load(t, r, file(t, "types.onnx"))
	gather := load(t, r, file(t, "gather.onnx"))
	x := func(name string, typ schema.DType, shape []int64, size int) []schema.Tensor {
		return []schema.Tensor{{Name: name, Type: typ, Shape: shape, Data: make([]byte, size)}}
	}
	words := func(data []byte) []schema.Tensor {
		return []schema.Tensor{{Name: "BYTES", Type: schema.Bytes, Shape: []int64{1, 2}, Data: data}}
	}
	cases := []struct {
		name string
		s    *Session
		in   []schema.Tensor
		out  []string
		want []string
	}{
		{"unknown input", model, x("feature", schema.FP32, []int64{1, 30}, 120), nil, []string{`"feature"`, `"features"`}},
		{"missing input", model, nil, nil, []string{`"features" is missing`}},
		{"twice", model, append(x("features", schema.FP32, []int64{1, 30}, 120), x("features", schema.FP32, []int64{1, 30}, 120)...), nil, []string{"twice"}},
		{"type", model, x("features", schema.FP64, []int64{1, 30}, 240), nil, []string{`"features"`, "FP64", "FP32"}},
		{"columns", model, x("features", schema.FP32, []int64{1, 29}, 116), nil, []string{"[1 29]", "[-1 30]"}},
		{"rank", model, x("features", schema.FP32, []int64{30}, 120), nil, []string{"[30]", "[-1 30]"}},
		{"negative", model, x("features", schema.FP32, []int64{-1, 30}, 120), nil, []string{"[-1 30]"}},
		{"overflow", model, x("features", schema.FP32, []int64{math.MaxInt64 / 2, 30}, 120), nil, []string{"no tensor"}},
		{"short data", model, x("features", schema.FP32, []int64{2, 30}, 120), nil, []string{"120 bytes"}},
		{"unknown output", model, x("features", schema.FP32, []int64{1, 30}, 120), []string{"score"}, []string{`"score"`, `"label", "probabilities"`}},
		{"bool", types, []schema.Tensor{{Name: "BOOL", Type: schema.Bool, Shape: []int64{1, 2}, Data: []byte{1, 2}}}, nil, []string{"BOOL", "2"}},
		{"bytes short", types, words([]byte{9, 0, 0, 0, 'a'}), nil, []string{"BYTES"}},
		{"bytes long", types, words(append(encodeBytes([]string{"a", "b"}), 0)), nil, []string{"follow"}},
		{"bytes zero", types, words(encodeBytes([]string{"a\x00", "b"})), nil, []string{"zero byte"}},
		{"inside the run", gather, []schema.Tensor{{Name: "index", Type: schema.Int64, Shape: []int64{1}, Data: le[int64](3)}}, nil, []string{"refuses", "indices"}},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			_, err := c.s.Run(context.Background(), c.in, c.out)
			if !errs.Is(err, errs.Invalid) {
				t.Fatalf("got %v, want an Invalid error", err)
			}
			for _, w := range c.want {
				if !strings.Contains(err.Error(), w) {
					t.Errorf("%q does not say %s", err, w)
				}
			}
		})
	}
	// The sessions still serve after all of that.
	if _, err := model.Run(context.Background(), x("features", schema.FP32, []int64{1, 30}, 120), nil); err != nil {
		t.Fatal(err)
	}
}

func TestBadModels(t *testing.T) {
	r := open(t)
	cut := breastcancer.Model[:len(breastcancer.Model)/2]
	flipped := bytes.Clone(breastcancer.Model)
	for i := 40; i < len(flipped); i += 7 {
		flipped[i] ^= 0xff
	}
	cases := []struct {
		name  string
		model []byte
		kind  errs.Kind
	}{
		{"empty", nil, errs.Invalid},
		{"text", []byte("not a model"), errs.Invalid},
		{"cut", cut, errs.Invalid},
		{"flipped", flipped, errs.Invalid},
		{"sequence output", file(t, "sequence.onnx"), errs.Unimplemented},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			_, err := r.Load(context.Background(), c.model, SessionOptions{Device: "cpu"})
			if !errs.Is(err, c.kind) {
				t.Fatalf("got %v, want %v", err, c.kind)
			}
		})
	}
	load(t, r, breastcancer.Model)
}

// A damaged model is refused or loads; the process stays up either way. Seeded, so that a crash repeats. It is not run: an
// operator may abort on attributes that contradict each other (doc.go).
func TestDamagedModels(t *testing.T) {
	r, rng := open(t), rand.New(rand.NewPCG(1, 2))
	refused := 0
	for range 400 {
		m := bytes.Clone(breastcancer.Model)
		for range 1 + rng.IntN(4) {
			m[rng.IntN(len(m))] = byte(rng.Uint32())
		}
		s, err := r.Load(context.Background(), m, SessionOptions{Device: "cpu", IntraOpThreads: 1})
		if err != nil {
			if k := errs.KindOf(err); k != errs.Invalid && k != errs.Unimplemented {
				t.Fatalf("%v: want Invalid or Unimplemented", err)
			}
			refused++
			continue
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
	}
	if refused < 20 || refused == 400 {
		t.Errorf("%d of 400 damaged models were refused", refused)
	}
}

func TestDevices(t *testing.T) {
	var log bytes.Buffer
	r := New(Options{Logger: slog.New(slog.NewTextHandler(&log, nil))})
	defer r.Close()
	rep, err := r.Devices()
	if err != nil {
		t.Fatal(err)
	}
	if rep.CUDA == (rep.Reason != "") {
		t.Fatalf("%+v: a reason goes with the lack of CUDA", rep)
	}
	s, err := r.Load(context.Background(), breastcancer.Model, SessionOptions{Device: "cuda"})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	_, strict := r.Load(context.Background(), breastcancer.Model, SessionOptions{Device: "cuda", DeviceID: 99, Strict: true})
	if !errs.Is(strict, errs.Unavailable) {
		t.Errorf("GPU 99 with Strict: %v, want Unavailable", strict)
	}
	if s.Device() == "cpu" && (s.DeviceNote() == "" || strings.Count(log.String(), "falls back to the CPU") != 1) {
		t.Errorf("device %s, note %q, log %s", s.Device(), s.DeviceNote(), &log)
	}
	if _, err := r.Load(context.Background(), breastcancer.Model, SessionOptions{Device: "tpu"}); !errs.Is(err, errs.Invalid) {
		t.Errorf("tpu: %v, want Invalid", err)
	}
}

func TestManyCallersAndClose(t *testing.T) {
	r, v := open(t), readVectors(t)
	s := load(t, r, breastcancer.Model)
	want := v.Models["model"].Probabilities
	var wg sync.WaitGroup
	for g := range 16 {
		wg.Add(1)
		go func() {
			defer wg.Done()
			for i := 0; ; i++ {
				row := (g + i) % len(v.Features)
				out, err := s.Run(context.Background(), []schema.Tensor{features(v.Features[row : row+1])}, []string{"probabilities"})
				if errs.Is(err, errs.Unavailable) {
					return
				}
				if err != nil {
					t.Error(err)
					return
				}
				if d := math.Abs(float64(floats(out[0].Data)[1] - want[row][1])); d > 1e-6 {
					t.Errorf("row %d differs by %g", row, d)
					return
				}
				if i == 200 && g == 0 {
					if err := s.Close(); err != nil {
						t.Error(err)
					}
				}
			}
		}()
	}
	wg.Wait()
	if err := s.Close(); err != nil {
		t.Error(err)
	}
}

func TestCancelStopsARun(t *testing.T) {
	s := load(t, open(t), file(t, "spin.onnx"))
	in := []schema.Tensor{{Name: "n", Type: schema.Int64, Shape: []int64{}, Data: le[int64](1 << 60)}, {Name: "start", Type: schema.FP32, Shape: []int64{1}, Data: le[float32](0)}}
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Millisecond)
	defer cancel()
	if _, err := s.Run(ctx, in, nil); !errors.Is(err, context.DeadlineExceeded) {
		t.Fatalf("got %v, want the deadline", err)
	}
	in[0].Data = le[int64](3)
	if _, err := s.Run(context.Background(), in, nil); err != nil {
		t.Fatalf("after a cancelled run: %v", err)
	}
}

// Loading and closing must not keep memory: 200 rounds may grow the process by 64 MiB at most, after 20 rounds of warming up.
func TestLoadCloseKeepsMemoryBounded(t *testing.T) {
	r, v := open(t), readVectors(t)
	in := []schema.Tensor{features(v.Features)}
	round := func() {
		s, err := r.Load(context.Background(), breastcancer.Model, SessionOptions{Device: "cpu"})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := s.Run(context.Background(), in, nil); err != nil {
			t.Fatal(err)
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
	}
	for range 20 {
		round()
	}
	before := resident(t)
	for range 200 {
		round()
	}
	if grown := resident(t) - before; grown > 64<<20 {
		t.Fatalf("resident memory grew by %d MiB", grown>>20)
	}
}

func resident(t *testing.T) int64 {
	t.Helper()
	b, err := os.ReadFile("/proc/self/statm")
	if err != nil {
		t.Fatal(err)
	}
	var pages int64
	for _, c := range strings.Fields(string(b))[1] {
		pages = pages*10 + int64(c-'0')
	}
	return pages * int64(os.Getpagesize())
}

func FuzzDecodeBytes(f *testing.F) {
	f.Add(encodeBytes([]string{"a", "", "bc"}), int64(3))
	f.Add([]byte{255, 255, 255, 255}, int64(1))
	f.Add([]byte{}, int64(1<<62))
	f.Fuzz(func(t *testing.T, data []byte, n int64) {
		if n < 0 {
			return // Elements never gives a negative count to it
		}
		words, err := decodeBytes(data, n)
		if err == nil && (int64(len(words)) != n || !bytes.Equal(encodeBytes(words), data)) {
			t.Fatalf("%d words do not encode to the %d bytes they came from", len(words), len(data))
		}
	})
}

func BenchmarkRun1(b *testing.B) {
	s, v := load(b, open(b), breastcancer.Model), readVectors(b)
	in, out := []schema.Tensor{features(v.Features[:1])}, []string{"probabilities"}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := s.Run(context.Background(), in, out); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkRun64(b *testing.B) {
	s, v := load(b, open(b), breastcancer.Model), readVectors(b)
	rows := append(append([][]float32{}, v.Features...), v.Features...)[:64]
	in := []schema.Tensor{features(rows)}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := s.Run(context.Background(), in, nil); err != nil {
			b.Fatal(err)
		}
	}
}
