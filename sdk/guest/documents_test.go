package guest

import (
	"encoding/json"
	"math"
	"reflect"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/weir-ml/weir/sdk/abi"
)

// same compares what a guest writes with encoding/json, which the host reads with.
func same(rt *rapid.T, v any, got []byte, err error) {
	rt.Helper()
	want, wantErr := json.Marshal(v)
	if (err == nil) != (wantErr == nil) || err == nil && string(got) != string(want) {
		rt.Fatalf("got %s, %v\nwant %s, %v", got, err, want, wantErr)
	}
}

// fill draws every field of the struct at p, so that one that is added to sdk/abi is not forgotten here.
func fill(rt *rapid.T, p any) {
	v := reflect.ValueOf(p).Elem()
	for i := range v.NumField() {
		name := v.Type().Field(i).Name
		if rapid.Bool().Draw(rt, name+" is zero") {
			continue
		}
		text := rapid.SampledFrom([]string{"", "a", "<b>", "ż\u2028", "\xff"})
		switch f := v.Field(i); f.Interface().(type) {
		case map[string]any:
			f.Set(reflect.ValueOf(map[string]any{text.Draw(rt, name): rapid.Float64Range(-1e22, 1e22).Draw(rt, name), "edges": []float64{1, 2}, "n": uint64(3), "deep": map[string]any{"x": nil}}))
		case map[string][]string:
			f.Set(reflect.ValueOf(map[string][]string{text.Draw(rt, name): rapid.SliceOf(text).Draw(rt, name), "none": nil}))
		case []string:
			f.Set(reflect.ValueOf(rapid.SliceOf(text).Draw(rt, name)))
		case []byte:
			f.Set(reflect.ValueOf(rapid.SliceOf(rapid.Byte()).Draw(rt, name)))
		case []abi.World:
			f.Set(reflect.ValueOf([]abi.World{abi.WorldMetric, abi.WorldGate}))
		case []abi.Field:
			f.Set(reflect.ValueOf([]abi.Field{{Name: text.Draw(rt, name), Type: abi.Type(rapid.IntRange(0, 9).Draw(rt, name))}, {Name: "v", Type: abi.FloatVector, ListSize: 3}}))
		case *float64:
			x := rapid.SampledFrom([]float64{0, 1e-7, -2.5, math.NaN(), 1e300}).Draw(rt, name)
			f.Set(reflect.ValueOf(&x))
		case int:
			f.SetInt(int64(rapid.IntRange(-1, 600).Draw(rt, name)))
		default:
			if f.Kind() != reflect.String {
				rt.Fatalf("no way to draw %T", f.Interface())
			}
			f.SetString(text.Draw(rt, name))
		}
	}
}

func TestDocumentsAreAsEncodingJSON(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		var d abi.Description
		fill(rt, &d)
		got, err := appendDescription(nil, d)
		same(rt, d, got, err)

		var s abi.Schema
		fill(rt, &s)
		got, err = appendSchema(nil, s)
		if s.Inputs == nil { // a schema without columns has empty lists
			s.Inputs = []abi.Field{}
		}
		if s.Outputs == nil {
			s.Outputs = []abi.Field{}
		}
		same(rt, s, got, err)

		var scores []abi.Score
		for range rapid.IntRange(0, 2).Draw(rt, "scores") {
			scores = append(scores, abi.Score{})
			fill(rt, &scores[len(scores)-1])
		}
		got, err = appendScores(nil, scores)
		same(rt, scores, got, err)

		var v abi.Verdict
		fill(rt, &v)
		got, err = appendVerdict(nil, v)
		same(rt, v, got, err)

		var r abi.Response
		fill(rt, &r)
		got, err = appendResponse(nil, r)
		same(rt, r, got, err)

		var q, want abi.Request
		fill(rt, &q)
		doc, _ := json.Marshal(q)
		back, err := parseRequest(doc)
		if json.Unmarshal(doc, &want) != nil || err != nil {
			rt.Fatal(err)
		}
		for name, values := range want.Headers { // nil and empty are the same
			if values == nil {
				want.Headers[name] = []string{}
			}
		}
		if !reflect.DeepEqual(back, want) {
			rt.Fatalf("%s: got %+v, want %+v", doc, back, want)
		}
	})
}

func TestDocumentErrorsNameTheField(t *testing.T) {
	_, scores := appendScores(nil, []abi.Score{{Column: "age", Name: "psi", Detail: map[string]any{"odd": struct{}{}}}})
	_, schema := appendSchema(nil, abi.Schema{Outputs: []abi.Field{{Name: "y"}}})
	_, request := parseRequest([]byte(`{"kind":"http","body":"=","new":[1]}`))
	_, other := parseRequest([]byte(`{"kind":1}`))
	for want, err := range map[string]error{
		`score "psi" of column "age": detail: "odd": a value of this type cannot be written`:                     scores,
		`schema: column "y": cannot write column type 0`:                                                         schema,
		"the request is not one: line 1, column 26: the body is not base64: illegal base64 data at input byte 0": request,
		"the request is not one: line 1, column 9: a text is expected, not a number":                             other,
	} {
		if err == nil || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("got %v, want %s", err, want)
		}
	}
}
