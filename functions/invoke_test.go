package functions_test

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/weir-ml/weir/functions"
	"github.com/weir-ml/weir/functions/runtest"
	"github.com/weir-ml/weir/host/errs"
	"github.com/weir-ml/weir/sdk/abi"
)

func service(t testing.TB, o functions.Options) *functions.Service {
	t.Helper()
	s, err := functions.New(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		for range 2 {
			if err := s.Close(); err != nil {
				t.Errorf("Close: %v", err)
			}
		}
	})
	return s
}

func apply(t testing.TB, s *functions.Service, name, doc string) {
	t.Helper()
	if err := s.Apply(context.Background(), name, spec(t, doc)); err != nil {
		t.Fatalf("apply %s: %v", name, err)
	}
}

func echo() *runtest.Plugin {
	return &runtest.Plugin{World: abi.WorldHandler, Version: "h1", HandleFunc: func(_ context.Context, r abi.Request) (abi.Response, error) {
		if r.Path == "/boom" {
			return abi.Response{}, errs.New(errs.Internal, "trap")
		}
		return abi.Response{Headers: map[string][]string{"X": {r.Kind + " " + r.Method}}, Body: r.Body}, nil
	}}
}

func TestInvokeRows(t *testing.T) {
	double := runtest.Double()
	s := service(t, functions.Options{Plugins: runtest.Plugins{"double": double}, Predictor: runtest.Model(runtest.AddOne), Registerer: prometheus.NewRegistry()})
	apply(t, s, "double", `{"http":{},"transform":{"plugin":"double","parameters":{"k":1}},"memory_bytes":1048576,"idle_after":"9s"}`)
	apply(t, s, "both", `{"http":{},"transform":{"plugin":"double"},"model":"m"}`)
	apply(t, s, "model", `{"http":{},"model":"m"}`)
	cases := []struct{ name, function, body, want string }{
		{"rows", "double", `{"rows":[{"x":1},{"x":2.5,"other":"ignored"}]}`, `{"rows":[{"y":2},{"y":5}]}`},
		{"columns", "double", `{"columns":{"x":[1,2.5]}}`, `{"columns":{"y":[2,5]}}`},
		{"transform and model", "both", `{"rows":[{"x":4}]}`, `{"rows":[{"y":8,"prediction":9}]}`},
		{"model alone", "model", `{"columns":{"a":[1,2]}}`, `{"columns":{"prediction":[2,3]}}`},
		{"no rows", "double", `{"rows":[]}`, `{"rows":[]}`},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			resp, info, err := s.Invoke(t.Context(), c.function, abi.Request{Method: "POST", Body: []byte(c.body)})
			if err != nil {
				t.Fatal(err)
			}
			if string(resp.Body) != c.want || resp.Status != 200 || resp.Headers["Content-Type"][0] != "application/json" {
				t.Errorf("answered %d %s %v, want %s", resp.Status, resp.Body, resp.Headers, c.want)
			}
			if c.function == "both" && (info.Model != "m@3" || info.BatchSize != 11 || info.Rows != 1 || resp.Headers[functions.HeaderModel][0] != "m@3") {
				t.Errorf("info %+v, headers %v", info, resp.Headers)
			}
		})
	}
	if string(double.Params) != "{}" || double.Limits != (functions.Limits{Timeout: functions.DefaultTimeout}) {
		t.Errorf("the last opened function has parameters %s, limits %+v", double.Params, double.Limits)
	}
	for name, want := range map[string]string{"double": "ready", "nobody": ""} {
		st, err := s.Status(t.Context(), name)
		if want == "" {
			if !errs.Is(err, errs.NotFound) || !strings.Contains(err.Error(), "both, double, model") {
				t.Errorf("status of an unknown function: %v", err)
			}
			continue
		}
		if err != nil || st.State != functions.Ready || st.Invocations != 3 || st.Pool.Live != 1 || st.Event != nil {
			t.Errorf("status %+v, %v", st, err)
		}
	}
}

func TestInvokeColdStart(t *testing.T) {
	s := service(t, functions.Options{Plugins: runtest.Plugins{"echo": echo()}})
	apply(t, s, "e", `{"http":{},"handler":{"plugin":"echo"}}`)
	for i, cold := range []bool{true, false} {
		resp, info, err := s.Invoke(t.Context(), "e", abi.Request{Method: "PATCH", Body: []byte("hi")})
		if err != nil || resp.Status != 200 || string(resp.Body) != "hi" || resp.Headers["X"][0] != "http PATCH" {
			t.Fatalf("call %d: %+v, %v", i, resp, err)
		}
		if (info.ColdStart > 0) != cold || info.Compute <= 0 || info.Instances != 1 || !strings.HasPrefix(info.PluginDigest, "sha256:") {
			t.Errorf("call %d: info %+v", i, info)
		}
	}
}

func TestInvokeErrors(t *testing.T) {
	away := runtest.Model(func(context.Context, string, *abi.Batch) (functions.Prediction, error) {
		return functions.Prediction{}, errs.New(errs.NotFound, "model not loaded")
	})
	s := service(t, functions.Options{
		Plugins: runtest.Plugins{"double": runtest.Double(), "echo": echo()}, Predictor: away, Events: runtest.NewMemory(),
	})
	apply(t, s, "rows", `{"http":{},"transform":{"plugin":"double"},"max_body_bytes":100}`)
	apply(t, s, "model", `{"http":{},"model":"m"}`)
	apply(t, s, "echo", `{"http":{"methods":["GET","POST"]},"handler":{"plugin":"echo"}}`)
	apply(t, s, "events", `{"event":{"stream":"IN","subject":"in"},"handler":{"plugin":"echo"}}`)
	cases := []struct {
		name, function, method, path, body string
		kind                               errs.Kind
		is                                 error
		text                               string
	}{
		{"unknown function", "nope", "POST", "", "", errs.NotFound, nil, "echo, events, model, rows"},
		{"no http trigger", "events", "POST", "", "", errs.NotFound, nil, "no HTTP trigger"},
		{"method", "rows", "GET", "", "", errs.Invalid, functions.ErrMethodNotAllowed, "POST"},
		{"method of a handler", "echo", "PUT", "", "", errs.Invalid, functions.ErrMethodNotAllowed, "GET, POST"},
		{"body too large", "rows", "POST", "", strings.Repeat(" ", 101), errs.Invalid, functions.ErrBodyTooLarge, "101"},
		{"bad JSON", "rows", "POST", "", "{\"rows\":[\n{\"x\":}]}", errs.Invalid, nil, "line 2"},
		{"missing column", "rows", "POST", "", `{"rows":[{"x":1},{"z":1}]}`, errs.Invalid, nil, `rows[1] lacks column "x"`},
		{"wrong type", "rows", "POST", "", `{"rows":[{"x":"a"}]}`, errs.Invalid, nil, `column "x"`},
		{"plugin refuses", "rows", "POST", "", `{"rows":[{"x":-1}]}`, errs.Invalid, nil, "x must not be -1"},
		{"plugin traps", "rows", "POST", "", `{"rows":[{"x":-2}]}`, errs.Internal, nil, "trap"},
		{"handler traps", "echo", "GET", "/boom", "", errs.Internal, nil, "trap"},
		{"model away", "model", "POST", "", `{"rows":[{"x":1}]}`, errs.Unavailable, nil, "model not loaded"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			_, _, err := s.Invoke(t.Context(), c.function, abi.Request{Method: c.method, Path: c.path, Body: []byte(c.body)})
			if err == nil || errs.KindOf(err) != c.kind || !strings.Contains(err.Error(), c.text) || c.is != nil && !errors.Is(err, c.is) {
				t.Errorf("error %v (%v), want %v with %q", err, errs.KindOf(err), c.kind, c.text)
			}
		})
	}
}

func TestColumnFromBothSides(t *testing.T) {
	p := runtest.Double()
	p.Outputs[0].Name = "prediction"
	transform := p.TransformFunc
	p.TransformFunc = func(ctx context.Context, in *abi.Batch) (*abi.Batch, error) {
		out, err := transform(ctx, in)
		if err == nil {
			out.Columns[0].Name = "prediction"
		}
		return out, err
	}
	s := service(t, functions.Options{Plugins: runtest.Plugins{"p": p}, Predictor: runtest.Model(runtest.AddOne)})
	apply(t, s, "f", `{"http":{},"transform":{"plugin":"p"},"model":"m"}`)
	_, _, err := s.Invoke(t.Context(), "f", abi.Request{Method: "POST", Body: []byte(`{"rows":[{"x":1}]}`)})
	if !errs.Is(err, errs.Invalid) || !strings.Contains(err.Error(), `"prediction"`) {
		t.Errorf("error %v, want Invalid naming the column", err)
	}
}

// A model whose output is called prediction, like the column that every model has, answers it once.
func TestModelOutputCalledPrediction(t *testing.T) {
	s := service(t, functions.Options{Plugins: runtest.Plugins{}, Predictor: runtest.Model(func(ctx context.Context, m string, in *abi.Batch) (functions.Prediction, error) {
		p, err := runtest.AddOne(ctx, m, in)
		p.Outputs.Columns = append(p.Outputs.Columns, abi.Float64Column("prediction", []float64{2}), abi.Float64Column("other", []float64{7}))
		return p, err
	})})
	apply(t, s, "f", `{"http":{},"model":"m"}`)
	resp, _, err := s.Invoke(t.Context(), "f", abi.Request{Method: "POST", Body: []byte(`{"rows":[{"x":1}]}`)})
	if err != nil || string(resp.Body) != `{"rows":[{"prediction":2,"other":7}]}` {
		t.Errorf("answered %s, %v", resp.Body, err)
	}
}

func BenchmarkInvokeRows(b *testing.B) {
	s := service(b, functions.Options{Plugins: runtest.Plugins{"double": runtest.Double()}})
	apply(b, s, "f", `{"http":{},"transform":{"plugin":"double"}}`)
	body := []byte(`{"rows":[{"x":1},{"x":2},{"x":3},{"x":4}]}`)
	b.ReportAllocs()
	for b.Loop() {
		if _, _, err := s.Invoke(b.Context(), "f", abi.Request{Method: "POST", Body: body}); err != nil {
			b.Fatal(err)
		}
	}
}
