package guest

import (
	"encoding/base64"
	"strconv"

	"github.com/weir-ml/weir/sdk/abi"
	"github.com/weir-ml/weir/sdk/guest/json"
	"github.com/weir-ml/weir/sdk/internal/text"
)

// The documents that cross the boundary, as the json tags in sdk/abi describe them. A test compares each with encoding/json.

// Errorf is fmt.Errorf for guests, with the verbs %s, %v, %d, %q, %w and %% alone, no flags, and strings, byte slices,
// booleans, numbers, errors and what has a String method as arguments. A plugin without fmt is 700 kB smaller.
func Errorf(format string, args ...any) error { return text.Errorf(format, args...) }

// member writes a comma where one is due, and the name.
func member(dst []byte, name string) []byte {
	if dst[len(dst)-1] != '{' {
		dst = append(dst, ',')
	}
	return append(json.AppendText(dst, name), ':')
}

func appendDescription(dst []byte, d abi.Description) ([]byte, error) {
	dst = json.AppendText(member(append(dst, '{'), "name"), d.Name)
	dst = json.AppendText(member(dst, "version"), d.Version)
	if d.Summary != "" {
		dst = json.AppendText(member(dst, "summary"), d.Summary)
	}
	var worlds []string
	for _, w := range d.Worlds {
		worlds = append(worlds, string(w))
	}
	dst = json.AppendTexts(member(dst, "worlds"), worlds)
	if len(d.Parameters) > 0 {
		var err error
		if dst, err = json.Append(member(dst, "parameters"), d.Parameters); err != nil {
			return nil, text.Errorf("description: parameters: %w", err)
		}
	}
	if len(d.Grants) > 0 {
		dst = json.AppendTexts(member(dst, "grants"), d.Grants)
	}
	return append(dst, '}'), nil
}

func appendSchema(dst []byte, s abi.Schema) ([]byte, error) {
	dst, err := appendFields(member(append(dst, '{'), "inputs"), s.Inputs)
	if err == nil {
		dst, err = appendFields(member(dst, "outputs"), s.Outputs)
	}
	return append(dst, '}'), err
}

func appendFields(dst []byte, fields []abi.Field) ([]byte, error) {
	dst = append(dst, '[')
	for i, f := range fields {
		if i > 0 {
			dst = append(dst, ',')
		}
		kind, err := f.Type.MarshalText()
		if err != nil {
			return nil, text.Errorf("schema: column %q: %w", f.Name, err)
		}
		dst = json.AppendText(member(append(dst, '{'), "name"), f.Name)
		dst = json.AppendText(member(dst, "type"), string(kind))
		if f.ListSize != 0 {
			dst = strconv.AppendInt(member(dst, "list_size"), int64(f.ListSize), 10)
		}
		dst = append(dst, '}')
	}
	return append(dst, ']'), nil
}

func appendScores(dst []byte, scores []abi.Score) (out []byte, err error) {
	if scores == nil {
		return append(dst, "null"...), nil
	}
	dst = append(dst, '[')
	for i, s := range scores {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = append(dst, '{')
		if s.Column != "" {
			dst = json.AppendText(member(dst, "column"), s.Column)
		}
		dst = json.AppendText(member(dst, "name"), s.Name)
		if dst, err = json.Append(member(dst, "value"), s.Value); err != nil {
			return nil, text.Errorf("score %q of column %q: %w", s.Name, s.Column, err)
		}
		if s.Note != "" {
			dst = json.AppendText(member(dst, "note"), s.Note)
		}
		if len(s.Detail) > 0 {
			if dst, err = json.Append(member(dst, "detail"), s.Detail); err != nil {
				return nil, text.Errorf("score %q of column %q: detail: %w", s.Name, s.Column, err)
			}
		}
		dst = append(dst, '}')
	}
	return append(dst, ']'), nil
}

func appendVerdict(dst []byte, v abi.Verdict) (out []byte, err error) {
	dst = json.AppendText(member(append(dst, '{'), "outcome"), string(v.Outcome))
	dst = json.AppendTexts(member(dst, "reasons"), v.Reasons)
	if len(v.Evidence) > 0 {
		if dst, err = json.Append(member(dst, "evidence"), v.Evidence); err != nil {
			return nil, text.Errorf("verdict: evidence: %w", err)
		}
	}
	return append(dst, '}'), nil
}

func appendResponse(dst []byte, r abi.Response) (out []byte, err error) {
	dst = append(dst, '{')
	if r.Status != 0 {
		dst = strconv.AppendInt(member(dst, "status"), int64(r.Status), 10)
	}
	if len(r.Headers) > 0 {
		if dst, err = json.Append(member(dst, "headers"), r.Headers); err != nil {
			return nil, text.Errorf("response: headers: %w", err)
		}
	}
	if len(r.Body) > 0 {
		dst = append(base64.StdEncoding.AppendEncode(append(member(dst, "body"), '"'), r.Body), '"')
	}
	return append(dst, '}'), nil
}

// parseRequest reads what the host gives a handler; members that it does not know are passed over.
func parseRequest(doc []byte) (abi.Request, error) {
	var q abi.Request
	r := json.NewReader(doc)
	r.Object(func(name string) {
		if r.Null() {
			return
		}
		switch name {
		case "kind":
			q.Kind = r.Text()
		case "method":
			q.Method = r.Text()
		case "path":
			q.Path = r.Text()
		case "query":
			q.Query = r.Text()
		case "headers":
			q.Headers = map[string][]string{}
			r.Object(func(name string) {
				values := []string{}
				r.Array(func() { values = append(values, r.Text()) })
				q.Headers[name] = values
			})
		case "subject":
			q.Subject = r.Text()
		case "id":
			q.ID = r.Text()
		case "body":
			body, err := base64.StdEncoding.DecodeString(r.Text())
			if err != nil {
				r.Fail("the body is not base64: %w", err)
			}
			q.Body = body
		default:
			r.Skip()
		}
	})
	if err := r.End(); err != nil {
		return abi.Request{}, text.Errorf("the request is not one: %w", err)
	}
	return q, nil
}
