package predict

import (
	"context"
	"encoding/binary"
	"encoding/json"
	"io"
	"math"
	"net/http"
	"strings"
	"testing"

	"go.uber.org/goleak"

	"github.com/weir-ml/weir/host/edge/httpd"
	"github.com/weir-ml/weir/host/edge/httpd/httpdtest"
	"github.com/weir-ml/weir/host/errs"
	"github.com/weir-ml/weir/host/schema"
	"github.com/weir-ml/weir/host/serving"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m, httpdtest.Leaks()...) }

// sums answers each row's sum, and its sign as a second output.
type sums []serving.ModelStatus

func (s sums) Models() []serving.ModelStatus { return s }

func (s sums) Predict(_ context.Context, r serving.PredictRequest) (serving.Prediction, error) {
	if r.Model != "default" && r.Model != "a/b" && r.Model != "only" {
		return serving.Prediction{}, errs.New(errs.NotFound, "model %q not found", r.Model)
	}
	rows := r.Features
	if r.Rows != nil {
		rows = make([][]float64, r.Rows.Rows)
		for i := range rows {
			for c := range r.Rows.Columns {
				v, _ := r.Rows.Columns[c].Float64At(i)
				rows[i] = append(rows[i], v)
			}
		}
	}
	sum := schema.Tensor{Name: "sum", Type: schema.FP64, Shape: []int64{int64(len(rows))}}
	sign := schema.Tensor{Name: "sign", Type: schema.Bool, Shape: []int64{int64(len(rows)), 1}}
	for _, row := range rows {
		t := 0.0
		for _, v := range row {
			t += v
		}
		sum.Data = binary.LittleEndian.AppendUint64(sum.Data, math.Float64bits(t))
		sign.Data = append(sign.Data, map[bool]byte{true: 1}[t < 0])
	}
	return serving.Prediction{Model: r.Model, Version: `3"x`, Rows: len(rows), Value: sum, Outputs: []schema.Tensor{sum, sign}, BatchSize: 7}, nil
}

func TestPredict(t *testing.T) {
	one := sums{{Name: "broken"}, {Name: "only", Version: "1"}}
	two := sums{{Name: "a", Version: "1"}, {Name: "b", Version: "1"}}
	cases := []struct {
		name         string
		models       sums
		method, path string
		body         string
		status       int
		want         string
	}{
		{"matrix", one, "POST", "/models/only/predict", `{"features":[[0.1,0.2],[-1,null]]}`, 200, `{"predictions":[0.30000000000000004,"NaN"],"model_version":"3\"x"}`},
		{"rows", one, "POST", "/models/only/predict", `{"rows":[{"a":1,"b":2}]}`, 200, `{"predictions":[3],"model_version":"3\"x"}`},
		{"columns", one, "POST", "/models/only/predict", `{"columns":{"a":[1,2]}}`, 200, `{"predictions":[1,2],`},
		{"all outputs", one, "POST", "/models/only/predict?outputs=all", `{"features":[[-1]]}`, 200, `{"predictions":[-1],"outputs":{"sum":[-1],"sign":[[true]]},"model_version":"3\"x"}`},
		{"escaped name", one, "POST", "/models/a%2Fb/predict", `{"features":[[1]]}`, 200, `{"predictions":[1]`},
		{"unknown", one, "POST", "/models/x/predict", `{"features":[[1]]}`, 404, `model \"x\" not found`},
		{"bad body", one, "POST", "/models/only/predict", `{"features":[[a]]}`, 400, `features[0][0]`},
		{"bad query", one, "POST", "/models/only/predict?outputs=some", `{"features":[[1]]}`, 400, "use all"},
		{"root, only ready model", one, "POST", "/predict", `{"features":[[1]]}`, 200, `{"predictions":[1]`},
		{"root, default", sums{{Name: "a", Version: "1"}, {Name: "default", Version: "1"}}, "POST", "/predict", `{"features":[[1]]}`, 200, `{"predictions":[1]`},
		{"root, several", two, "POST", "/predict", `{"features":[[1]]}`, 400, "several models (a, b)"},
		{"root, none", sums{{Name: "broken"}}, "POST", "/predict", `{"features":[[1]]}`, 503, "no model is ready"},
		{"ping", one, "GET", "/ping", "", 200, "{}"},
		{"ping, several", two, "GET", "/ping", "", 400, "several models"},
		{"ping, none", nil, "GET", "/ping", "", 503, "no model is ready"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			_, url := httpdtest.Start(t, httpd.Options{}, func(s *httpd.Server) { Register(s, Deps{Models: c.models}) })
			req, err := http.NewRequest(c.method, url+c.path, strings.NewReader(c.body))
			if err != nil {
				t.Fatal(err)
			}
			res, err := http.DefaultClient.Do(req)
			if err != nil {
				t.Fatal(err)
			}
			defer res.Body.Close()
			b, _ := io.ReadAll(res.Body)
			if res.StatusCode != c.status || !strings.Contains(string(b), c.want) || !json.Valid(b) {
				t.Errorf("%d %s, want %d %s", res.StatusCode, b, c.status, c.want)
			}
			if c.method == "POST" && c.status == 200 && res.Header.Get("Weir-Batch-Size") != "7" {
				t.Errorf("headers: %v", res.Header)
			}
		})
	}
}
