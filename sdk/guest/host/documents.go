package host

import (
	"encoding/base64"

	"github.com/weir-ml/weir/sdk/abi"
	"github.com/weir-ml/weir/sdk/guest/json"
	"github.com/weir-ml/weir/sdk/internal/text"
)

// HTTP makes a request. The status of the answer is for the caller to judge: 404 is no error here. Grant: http.out:host.
func HTTP(r abi.HTTPRequest) (abi.Response, error) {
	doc, err := ask("http_request", callHTTP, map[string]any{"method": r.Method, "url": r.URL, "headers": r.Headers, "body": base64.StdEncoding.EncodeToString(r.Body)})
	if err != nil {
		return abi.Response{}, err
	}
	return parseResponse(doc)
}

func parseResponse(doc []byte) (p abi.Response, err error) {
	p.Status = 200
	r := json.NewReader(doc)
	r.Object(func(name string) {
		switch name {
		case "status":
			if status := int(r.Number()); status != 0 {
				p.Status = status
			}
		case "headers":
			p.Headers = map[string][]string{}
			r.Object(func(name string) {
				values := []string{}
				r.Array(func() { values = append(values, r.Text()) })
				p.Headers[name] = values
			})
		case "body":
			if r.Null() {
				return
			}
			body, err := base64.StdEncoding.DecodeString(r.Text())
			if err != nil {
				r.Fail("the body is not base64: %w", err)
			}
			p.Body = body
		default:
			r.Skip()
		}
	})
	if err := r.End(); err != nil {
		return abi.Response{}, text.Errorf("http_request: the response is not one: %w", err)
	}
	return p, nil
}

// Infer lets a model predict; rows hold features by name, with values of the types that json.Append lists. Grant: model.infer:model.
func Infer(model string, rows []map[string]any) (p abi.InferResponse, err error) {
	list := make([]any, len(rows))
	for i, r := range rows {
		list[i] = r
	}
	doc, err := ask("model_infer", callInfer, map[string]any{"model": model, "rows": list})
	if err != nil {
		return p, err
	}
	return parsePredictions(doc)
}

func parsePredictions(doc []byte) (p abi.InferResponse, err error) {
	r := json.NewReader(doc)
	r.Object(func(name string) {
		switch name {
		case "predictions":
			r.Array(func() { p.Predictions = append(p.Predictions, r.Any()) })
		case "model_version":
			p.ModelVersion = r.Text()
		default:
			r.Skip()
		}
	})
	if err := r.End(); err != nil {
		return abi.InferResponse{}, text.Errorf("model_infer: the answer is not one: %w", err)
	}
	return p, nil
}

// FeaturesRead reads features of a view: one row for each of the entities, whose objects hold the values of the view's keys. No
// features named means all. Grant: features.read:view.
func FeaturesRead(view string, entities []map[string]any, features ...string) (rows []map[string]any, err error) {
	list := make([]any, len(entities))
	for i, e := range entities {
		list[i] = e
	}
	q := map[string]any{"view": view, "entities": list}
	if len(features) > 0 {
		q["features"] = features
	}
	doc, err := ask("features_read", callFeatures, q)
	if err != nil {
		return nil, err
	}
	return parseRows(doc)
}

func parseRows(doc []byte) (rows []map[string]any, err error) {
	r := json.NewReader(doc)
	r.Object(func(name string) {
		if name != "rows" {
			r.Skip()
			return
		}
		r.Array(func() {
			row := map[string]any{}
			r.Object(func(name string) { row[name] = r.Any() })
			rows = append(rows, row)
		})
	})
	if err := r.End(); err != nil {
		return nil, text.Errorf("features_read: the answer is not one: %w", err)
	}
	return rows, nil
}

// ask sends a document and answers the reply.
func ask(name string, f func(doc []byte) abi.Status, q map[string]any) ([]byte, error) {
	doc, err := json.Append(nil, q)
	if err != nil {
		return nil, text.Errorf("%s: %w", name, err)
	}
	return do(name, true, func() abi.Status { return f(doc) })
}
