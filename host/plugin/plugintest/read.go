package plugintest

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strconv"
	"unicode/utf8"

	"github.com/weir-ml/weir/host/errs"
	"github.com/weir-ml/weir/sdk/abi"
)

// MaxBytes bounds a file of vectors.
const MaxBytes = 64 << 20

// Read reads a JSON array of cases. It is strict: unknown and repeated members, values that do not fit their column's type,
// columns of different lengths, and names used twice are errs.Invalid, naming case and field.
func Read(r io.Reader) ([]Case, error) {
	raw, err := io.ReadAll(io.LimitReader(r, MaxBytes+1))
	if err != nil {
		return nil, fmt.Errorf("read vectors: %w", err)
	}
	switch {
	case len(raw) > MaxBytes:
		return nil, errs.New(errs.Invalid, "vectors: more than %d bytes: split the file", MaxBytes)
	case !utf8.Valid(raw):
		return nil, errs.New(errs.Invalid, "vectors: not UTF-8")
	}
	items, err := array(raw)
	if err != nil {
		return nil, errs.New(errs.Invalid, "vectors: %w", err)
	}
	cases := make([]Case, 0, len(items))
	seen := map[string]bool{}
	for i, item := range items {
		c, err := readCase(item)
		if err == nil && seen[c.Name] {
			err = errors.New("another case has this name")
		}
		if err != nil {
			return nil, errs.New(errs.Invalid, "vectors: case %d%s: %w", i+1, quoted(c.Name), err)
		}
		seen[c.Name] = true
		cases = append(cases, c)
	}
	return cases, nil
}

func quoted(name string) string {
	if name == "" {
		return ""
	}
	return " (" + strconv.Quote(name) + ")"
}

// groups are the members that make a case one of a world: the first is its input, the others its result.
var groups = []struct {
	world           abi.World
	inputs, results []string
}{
	{abi.WorldTransform, []string{"input"}, []string{"output"}},
	{abi.WorldMetric, []string{"reference", "current"}, []string{"scores"}},
	{abi.WorldGate, []string{"context"}, []string{"outcome", "reasons", "evidence"}},
	{abi.WorldHandler, []string{"request"}, []string{"response"}},
}

func readCase(raw json.RawMessage) (c Case, err error) {
	have := map[string]bool{}
	err = object(raw, func(key string, value json.RawMessage) (err error) {
		have[key] = true
		switch key {
		case "name":
			c.Name, err = nonEmpty(value)
		case "parameters":
			c.Parameters = value
		case "input":
			c.Input, err = batch(value)
		case "output":
			c.Output, err = batch(value)
		case "reference":
			c.Reference, err = batch(value)
		case "current":
			c.Current, err = batch(value)
		case "scores":
			c.Scores, err = scores(value)
		case "context":
			c.Context = value
		case "outcome":
			err = strict(value, &c.Outcome)
			if err == nil && c.Outcome != abi.Pass && c.Outcome != abi.Fail && c.Outcome != abi.Review {
				err = fmt.Errorf("%q is none of pass, fail, review", c.Outcome)
			}
		case "reasons":
			c.Reasons = []string{}
			err = strict(value, &c.Reasons)
		case "evidence":
			c.Evidence, err = freeObject(value)
		case "request":
			c.Request, err = request(value)
		case "response":
			c.Response, err = response(value)
		case "error":
			c.Error, err = nonEmpty(value)
		case "tolerance":
			c.Tolerance, err = bound(value)
		case "merge_tolerance":
			c.MergeTolerance, err = bound(value)
		default:
			return errors.New("unknown member")
		}
		return err
	})
	if err != nil {
		return c, err
	}
	return c, c.complete(have)
}

// complete checks that the members that are there make one case of one world, and sets that.
func (c *Case) complete(have map[string]bool) error {
	if c.Name == "" {
		return errors.New(`"name" is missing`)
	}
	for _, g := range groups {
		for _, key := range append(append([]string(nil), g.inputs...), g.results...) {
			if !have[key] {
				continue
			}
			if c.World != "" && c.World != g.world {
				return fmt.Errorf("%q belongs to a %s, other members to a %s: one case tests one world", key, g.world, c.World)
			}
			c.World = g.world
		}
	}
	for _, g := range groups {
		if g.world != c.World {
			continue
		}
		for _, key := range g.inputs {
			if !have[key] {
				return fmt.Errorf("%q is missing", key)
			}
		}
		if result := g.results[0]; have[result] == (c.Error != "") {
			return fmt.Errorf("give %q or \"error\", one of the two", result)
		}
		for _, key := range g.results[1:] {
			if have[key] && c.Error != "" {
				return fmt.Errorf("%q cannot stand beside \"error\"", key)
			}
		}
	}
	switch {
	case c.World == "" && c.Error == "":
		return errors.New("there is nothing to test: give input and output, reference, current and scores, context and outcome, request and response, or error")
	case c.World != abi.WorldMetric && have["merge_tolerance"]:
		return errors.New("merge_tolerance: only a metric merges")
	case c.Output != nil && c.Output.Rows != c.Input.Rows:
		return fmt.Errorf("output: %d rows, the input has %d", c.Output.Rows, c.Input.Rows)
	}
	return nil
}

func scores(raw json.RawMessage) ([]Score, error) {
	items, err := array(raw)
	if err != nil {
		return nil, err
	}
	out := []Score{}
	for i, item := range items {
		s, hasValue := Score{}, false
		err := object(item, func(key string, value json.RawMessage) (err error) {
			switch key {
			case "column":
				return strict(value, &s.Column)
			case "name":
				s.Name, err = nonEmpty(value)
			case "value":
				hasValue = true
				err = strict(value, &s.Value)
			case "note":
				s.Note = new(string)
				err = strict(value, s.Note)
			case "detail":
				s.Detail, err = freeObject(value)
			default:
				err = errors.New("unknown member")
			}
			return err
		})
		switch {
		case err != nil:
		case s.Name == "":
			err = errors.New(`"name" is missing`)
		case !hasValue:
			err = errors.New(`"value" is missing: null means undefined`)
		}
		if err != nil {
			return nil, fmt.Errorf("[%d]: %w", i, err)
		}
		out = append(out, s)
	}
	return out, nil
}

// request reads a Request of the ABI; "text" may stand in place of "body", for people.
func request(raw json.RawMessage) (r abi.Request, err error) {
	bodies := 0
	err = object(raw, func(key string, value json.RawMessage) error {
		switch key {
		case "kind":
			return strict(value, &r.Kind)
		case "method":
			return strict(value, &r.Method)
		case "path":
			return strict(value, &r.Path)
		case "query":
			return strict(value, &r.Query)
		case "headers":
			return strict(value, &r.Headers)
		case "subject":
			return strict(value, &r.Subject)
		case "id":
			return strict(value, &r.ID)
		case "body", "text":
			bodies++
			return body(key, value, &r.Body)
		}
		return errors.New("unknown member")
	})
	switch {
	case err != nil:
	case bodies > 1:
		err = errors.New(`give "body" or "text", not both`)
	case r.Kind != "http" && r.Kind != "event":
		err = fmt.Errorf("kind: %q is neither http nor event", r.Kind)
	}
	return r, err
}

func response(raw json.RawMessage) (r Response, err error) {
	err = object(raw, func(key string, value json.RawMessage) error {
		switch key {
		case "status":
			return strict(value, &r.Status)
		case "headers":
			return strict(value, &r.Headers)
		case "body", "text":
			if r.HasBody {
				return errors.New(`give "body" or "text", not both`)
			}
			r.HasBody = true
			return body(key, value, &r.Body)
		}
		return errors.New("unknown member")
	})
	return r, err
}

func body(key string, raw json.RawMessage, into *[]byte) error {
	if key == "body" {
		return strict(raw, into)
	}
	var s string
	err := strict(raw, &s)
	*into = []byte(s)
	return err
}

func nonEmpty(raw json.RawMessage) (s string, err error) {
	if err = strict(raw, &s); err == nil && s == "" {
		err = errors.New("may not be empty")
	}
	return s, err
}

func bound(raw json.RawMessage) (v float64, err error) {
	if err = strict(raw, &v); err == nil && v < 0 {
		err = fmt.Errorf("%v is negative", v)
	}
	return v, err
}

// strict decodes a value into a pointer to a plain type; null is refused unless v can hold it.
func strict(raw json.RawMessage, v any) error {
	if _, nullable := v.(**float64); !nullable && string(raw) == "null" {
		return errors.New("null is no value here")
	}
	if err := json.Unmarshal(raw, v); err != nil {
		var t *json.UnmarshalTypeError
		if errors.As(err, &t) {
			return fmt.Errorf("a JSON %s where a %s is expected", t.Value, t.Type)
		}
		return err
	}
	return nil
}

// freeObject decodes any object, numbers as json.Number.
func freeObject(raw json.RawMessage) (map[string]any, error) {
	out := map[string]any{}
	err := object(raw, func(key string, value json.RawMessage) error {
		d := json.NewDecoder(bytes.NewReader(value))
		d.UseNumber()
		var v any
		err := d.Decode(&v)
		out[key] = v
		return err
	})
	return out, err
}

// object calls f for the members of a JSON object in their order; f's error is prefixed with the member's name.
func object(raw json.RawMessage, f func(key string, value json.RawMessage) error) error {
	d := json.NewDecoder(bytes.NewReader(raw))
	if err := opens(d, '{', "an object"); err != nil {
		return err
	}
	seen := map[string]bool{}
	for d.More() {
		t, err := d.Token()
		if err != nil {
			return at(d, err)
		}
		key := t.(string) // the decoder answers nothing else here
		if seen[key] {
			return fmt.Errorf("%s: given twice", key)
		}
		seen[key] = true
		var value json.RawMessage
		if err := d.Decode(&value); err != nil {
			return at(d, err)
		}
		if err := f(key, value); err != nil {
			return joined(key, err)
		}
	}
	return ends(d)
}

// joined puts a member's name before an error within it: input[0].values[2]: ….
func joined(key string, err error) error {
	if s := err.Error(); s != "" && s[0] == '[' {
		return fmt.Errorf("%s%w", key, err)
	}
	return fmt.Errorf("%s: %w", key, err)
}

func array(raw json.RawMessage) ([]json.RawMessage, error) {
	d := json.NewDecoder(bytes.NewReader(raw))
	if err := opens(d, '[', "an array"); err != nil {
		return nil, err
	}
	out := []json.RawMessage{}
	for d.More() {
		var item json.RawMessage
		if err := d.Decode(&item); err != nil {
			return nil, at(d, err)
		}
		out = append(out, item)
	}
	return out, ends(d)
}

func opens(d *json.Decoder, bracket json.Delim, what string) error {
	t, err := d.Token()
	if err != nil {
		return at(d, err)
	}
	if t != bracket {
		return fmt.Errorf("%s is expected, not %v", what, t)
	}
	return nil
}

func ends(d *json.Decoder) error {
	if _, err := d.Token(); err != nil { // the closing bracket
		return at(d, err)
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return fmt.Errorf("byte %d: nothing may follow", d.InputOffset())
	}
	return nil
}

func at(d *json.Decoder, err error) error {
	if errors.Is(err, io.EOF) {
		err = io.ErrUnexpectedEOF
	}
	return fmt.Errorf("byte %d: %w", d.InputOffset(), err)
}
