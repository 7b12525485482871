package predict

import (
	"context"
	"encoding/json"
	"strconv"
	"strings"

	"github.com/weir-ml/weir/host/edge/httpd"
	"github.com/weir-ml/weir/host/errs"
	"github.com/weir-ml/weir/host/schema"
	"github.com/weir-ml/weir/host/serving"
)

// Models predicts; *serving.Service does. It is called concurrently.
type Models interface {
	Predict(ctx context.Context, r serving.PredictRequest) (serving.Prediction, error)
	Models() []serving.ModelStatus
}

var _ Models = (*serving.Service)(nil)

// Deps are what the room needs.
type Deps struct {
	Models  Models
	MaxBody int64 // bytes; 0 = the server's
}

// Register adds /models/{name}/predict, /predict and /ping to the server.
func Register(s *httpd.Server, d Deps) {
	s.Add(
		httpd.Route{Method: "POST", Path: "/models/:name/predict", Protocol: "predict", MaxBody: d.MaxBody, Handle: func(c *httpd.Call) error {
			name, err := c.Param("name")
			if err != nil {
				return err
			}
			return d.predict(c, name)
		}},
		httpd.Route{Method: "POST", Path: "/predict", Protocol: "predict", MaxBody: d.MaxBody, Handle: func(c *httpd.Call) error {
			name, err := d.defaultModel()
			if err != nil {
				return err
			}
			return d.predict(c, name)
		}},
		httpd.Route{Method: "GET", Path: "/ping", Protocol: "predict", Handle: func(c *httpd.Call) error {
			if _, err := d.defaultModel(); err != nil {
				return err
			}
			return c.Bytes(200, "application/json", []byte("{}\n"))
		}},
	)
}

// defaultModel is who answers the root paths: the model named "default", else the only ready one.
func (d Deps) defaultModel() (string, error) {
	var ready []string
	for _, m := range d.Models.Models() {
		if m.Name == "default" {
			return m.Name, nil
		}
		if m.Version != "" {
			ready = append(ready, m.Name)
		}
	}
	switch len(ready) {
	case 1:
		return ready[0], nil
	case 0:
		return "", errs.New(errs.Unavailable, "no model is ready")
	}
	return "", errs.New(errs.Invalid, "there are several models (%s) and none is named \"default\": send to /models/{name}/predict", strings.Join(ready, ", "))
}

func (d Deps) predict(c *httpd.Call, model string) error {
	all := c.Query("outputs")
	if all != "" && all != "all" {
		return errs.New(errs.Invalid, "query outputs: %q: use all, or leave it out", all)
	}
	raw, err := c.Body()
	if err != nil {
		return err
	}
	r, err := toDomain(raw, model)
	if err != nil {
		return err
	}
	p, err := d.Models.Predict(c.Context(), r)
	if err != nil {
		return err
	}
	c.SetHeader("Weir-Batch-Size", strconv.Itoa(p.BatchSize))
	return c.Bytes(200, "application/json", fromDomain(p, all != ""))
}

// toDomain reads {"features":[[…]]}, {"rows":[{…}]} or {"columns":{…}}.
func toDomain(raw []byte, model string) (serving.PredictRequest, error) {
	r := serving.PredictRequest{Model: model}
	b, err := decode(raw)
	if err != nil {
		return r, err
	}
	if b.features {
		r.Features = b.matrix.Slices()
		return r, nil
	}
	r.Rows, _, err = schema.DecodeRows(b.named, nil)
	return r, err
}

// fromDomain writes {"predictions":[…],"model_version":"…"}, and with all {"outputs":{name:[…]}} between them. Floats have
// the fewest digits that read back to the same bits; NaN and infinities are texts.
func fromDomain(p serving.Prediction, all bool) []byte {
	out := make([]byte, 0, 64+16*max(p.Rows, 1))
	out = append(out, `{"predictions":`...)
	out = serving.AppendJSON(out, p.Value)
	if all {
		out = append(out, `,"outputs":{`...)
		for i, t := range p.Outputs {
			if i > 0 {
				out = append(out, ',')
			}
			out = append(append(out, quote(t.Name)...), ':')
			out = serving.AppendJSON(out, t)
		}
		out = append(out, '}')
	}
	out = append(out, `,"model_version":`...)
	out = append(out, quote(p.Version)...)
	return append(out, '}', '\n')
}

// quote writes a text as JSON does; Go's own quoting has escapes that JSON lacks.
func quote(s string) []byte {
	b, err := json.Marshal(s)
	if err != nil {
		return []byte(`""`) // a string cannot fail
	}
	return b
}
