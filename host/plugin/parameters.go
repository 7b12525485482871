package plugin

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"github.com/santhosh-tekuri/jsonschema/v6/kind"

	"github.com/weir-ml/weir/host/errs"
)

// Bounds of the schema in a Description. It comes from strangers and is applied by the host, outside any fuel.
const (
	maxDescriptionBytes = 1 << 20
	maxParameterBytes   = 32 << 20
	maxSchemaNodes      = 1 << 14 // of the schema with each $ref replaced by what it names
	maxSchemaDepth      = 100
	shownFaults         = 3 // in one error
)

// parameterSchema is the JSON Schema of a plugin's parameters, compiled. nil accepts everything.
type parameterSchema struct {
	root     any // the document, for the names in error texts
	compiled *jsonschema.Schema
}

const parameterURL = "weir:///parameters"

// compileParameters reads the member parameters of a Description. It accepts draft 2020-12 (and older drafts by $schema) as far as nothing is
// loaded from elsewhere and the work of applying it is bounded: a $ref is a JSON pointer into the document and never leads
// back to itself. Errors are faults that name the place.
func compileParameters(raw json.RawMessage) (*parameterSchema, error) {
	if len(raw) == 0 || string(raw) == "null" || string(raw) == "{}" {
		return nil, nil
	}
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(raw))
	if err != nil {
		return nil, faultf(errs.Invalid, causeOutput, "its description's parameters are not a JSON Schema: %v", err)
	}
	w := schemaWalk{root: doc, sizes: map[string]int{}}
	if w.size("", doc, 0); w.err != nil {
		return nil, faultf(errs.Invalid, causeOutput, "its description's parameters: %v", w.err)
	}
	c := jsonschema.NewCompiler()
	c.UseLoader(noLoader{})
	if err := c.AddResource(parameterURL, doc); err != nil {
		return nil, faultf(errs.Invalid, causeOutput, "its description's parameters are not a JSON Schema: %v", err)
	}
	s, err := c.Compile(parameterURL)
	if err != nil {
		var bad *jsonschema.SchemaValidationError
		if v := (*jsonschema.ValidationError)(nil); errors.As(err, &bad) && errors.As(bad.Err, &v) {
			return nil, faultf(errs.Invalid, causeOutput, "its description's parameters are not a JSON Schema: %s", (&parameterSchema{}).explain(v))
		}
		return nil, faultf(errs.Invalid, causeOutput, "its description's parameters are not a JSON Schema: %s", strings.ReplaceAll(firstLine(err.Error()), parameterURL, ""))
	}
	return &parameterSchema{root: doc, compiled: s}, nil
}

// noLoader refuses every document that is not the one at hand or a draft's own.
type noLoader struct{}

func (noLoader) Load(at string) (any, error) {
	return nil, errs.New(errs.Invalid, "it refers to %q: a schema must hold all that it needs", at)
}

// schemaWalk measures a schema: every node counts, and a $ref counts what it names.
type schemaWalk struct {
	root  any
	sizes map[string]int // by JSON pointer, of what a $ref named; -1 while it is being measured
	err   error
}

func (w *schemaWalk) size(at string, v any, depth int) int {
	if w.err != nil {
		return 0
	}
	if depth > maxSchemaDepth {
		w.err = fmt.Errorf("%s: nested more than %d deep", place(at), maxSchemaDepth)
		return 0
	}
	n := 1
	switch v := v.(type) {
	case []any:
		for i, item := range v {
			n += w.size(at+"/"+strconv.Itoa(i), item, depth+1)
		}
	case map[string]any:
		for _, key := range slices.Sorted(maps.Keys(v)) {
			switch here := at + "/" + escaped(key); key {
			case "$dynamicRef", "$recursiveRef":
				w.err = fmt.Errorf("%s: use $ref with a JSON pointer, such as #/$defs/name", place(here))
			case "$id", "id":
				if _, text := v[key].(string); text && at != "" {
					w.err = fmt.Errorf("%s: only the whole schema may have one", place(here))
				}
			case "$ref":
				if ref, text := v[key].(string); text {
					n += w.named(here, ref, depth)
					continue
				}
				fallthrough // a property of that name
			default:
				n += w.size(here, v[key], depth+1)
			}
		}
	}
	if n > maxSchemaNodes && w.err == nil {
		w.err = fmt.Errorf("%s: with its references it has more than %d parts", place(at), maxSchemaNodes)
	}
	return n
}

// named is the size of what a reference names.
func (w *schemaWalk) named(at, ref string, depth int) int {
	pointer, ok := strings.CutPrefix(ref, "#")
	pointer, err := url.PathUnescape(pointer)
	if !ok || err != nil || pointer != "" && pointer[0] != '/' {
		w.err = fmt.Errorf("%s: %q is not a JSON pointer into this schema, such as #/$defs/name; nothing is loaded from elsewhere", place(at), ref)
		return 0
	}
	n, known := w.sizes[pointer]
	switch {
	case n < 0 || pointer == "":
		w.err = fmt.Errorf("%s: %q leads back to itself, and recursive schemas are not supported", place(at), ref)
		return 0
	case known:
		return n
	}
	v, ok := lookup(w.root, pointer)
	if !ok {
		w.err = fmt.Errorf("%s: there is nothing at %q", place(at), ref)
		return 0
	}
	w.sizes[pointer] = -1
	n = w.size(pointer, v, depth+1)
	w.sizes[pointer] = n
	return n
}

var (
	escaper   = strings.NewReplacer("~", "~0", "/", "~1")
	unescaper = strings.NewReplacer("~1", "/", "~0", "~")
)

func escaped(s string) string { return escaper.Replace(s) }

// place is a JSON pointer for people.
func place(pointer string) string {
	if pointer == "" {
		return "the document"
	}
	return pointer
}

// lookup follows a JSON pointer (RFC 6901).
func lookup(v any, pointer string) (any, bool) {
	for pointer != "" {
		var token string
		token, pointer, _ = strings.Cut(pointer[1:], "/")
		if pointer != "" || strings.HasSuffix(token, "/") {
			pointer = "/" + pointer
		}
		token = unescaper.Replace(token)
		switch at := v.(type) {
		case map[string]any:
			next, ok := at[token]
			if !ok {
				return nil, false
			}
			v = next
		case []any:
			i, err := strconv.Atoi(token)
			if err != nil || i < 0 || i >= len(at) {
				return nil, false
			}
			v = at[i]
		default:
			return nil, false
		}
	}
	return v, true
}

// check checks a document. Its fault names each place by JSON pointer, and what would be right there.
func (s *parameterSchema) check(params json.RawMessage) error {
	if len(params) > maxParameterBytes {
		return faultf(errs.Invalid, causeParameters, "the parameters have %d bytes, the limit is %d", len(params), maxParameterBytes)
	}
	if s == nil {
		return nil
	}
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(params))
	if err != nil {
		return faultf(errs.Invalid, causeParameters, "the parameters are not JSON: %v", err)
	}
	if err = s.validate(doc); err == nil {
		return nil
	}
	var v *jsonschema.ValidationError
	if !errors.As(err, &v) {
		return faultf(errs.Invalid, causeParameters, "the parameters cannot be checked: %v", err)
	}
	return faultf(errs.Invalid, causeParameters, "the parameters do not fit: %s", s.explain(v))
}

// validate turns a panic of the library into an error: the schema and the numbers are strangers'.
func (s *parameterSchema) validate(doc any) (err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("the checker gave up: %v", r)
		}
	}()
	return s.compiled.Validate(doc)
}

// explain lists the first faults.
func (s *parameterSchema) explain(v *jsonschema.ValidationError) string {
	var texts []string
	more := 0
	var visit func(*jsonschema.ValidationError)
	visit = func(v *jsonschema.ValidationError) {
		switch v.ErrorKind.(type) {
		case *kind.Schema, *kind.Group, *kind.Reference, *kind.AllOf:
			for _, c := range v.Causes {
				visit(c)
			}
			return
		}
		if len(texts) == shownFaults {
			more++
			return
		}
		at := ""
		for _, token := range v.InstanceLocation {
			at += "/" + escaped(token)
		}
		texts = append(texts, printable([]byte(place(at)+": "+s.wrong(v))))
	}
	visit(v)
	if more > 0 {
		texts = append(texts, fmt.Sprintf("and %d more", more))
	}
	return strings.Join(texts, "; ")
}

// wrong says what one fault is and what to write instead.
func (s *parameterSchema) wrong(v *jsonschema.ValidationError) string {
	switch k := v.ErrorKind.(type) {
	case *kind.Required:
		return fmt.Sprintf("%s is missing: add it", quoted(k.Missing))
	case *kind.AdditionalProperties:
		text := quoted(k.Properties) + " is not known here"
		if names := s.members(v.SchemaURL); len(names) > 0 {
			return text + ": use " + quoted(names)
		}
		return text + ": leave it out"
	case *kind.Type:
		return fmt.Sprintf("is %s, and must be %s", k.Got, strings.Join(k.Want, " or "))
	case *kind.Enum:
		return fmt.Sprintf("%s is none of the allowed values: use one of %s", document(k.Got), document(k.Want))
	case *kind.Const:
		return fmt.Sprintf("%s must be %s", document(k.Got), document(k.Want))
	case *kind.Minimum:
		return fmt.Sprintf("%s is too small: the least is %s", k.Got.RatString(), k.Want.RatString())
	case *kind.Maximum:
		return fmt.Sprintf("%s is too large: the most is %s", k.Got.RatString(), k.Want.RatString())
	case *kind.ExclusiveMinimum:
		return fmt.Sprintf("%s is too small: it must be above %s", k.Got.RatString(), k.Want.RatString())
	case *kind.ExclusiveMaximum:
		return fmt.Sprintf("%s is too large: it must be below %s", k.Got.RatString(), k.Want.RatString())
	case *kind.MinItems:
		return fmt.Sprintf("has %d items, at least %d are needed", k.Got, k.Want)
	case *kind.MaxItems:
		return fmt.Sprintf("has %d items, at most %d are allowed", k.Got, k.Want)
	case *kind.MinLength:
		return fmt.Sprintf("has %d characters, at least %d are needed", k.Got, k.Want)
	case *kind.MaxLength:
		return fmt.Sprintf("has %d characters, at most %d are allowed", k.Got, k.Want)
	case *kind.Pattern:
		return fmt.Sprintf("%s does not match the pattern %s", document(k.Got), document(k.Want))
	case *kind.AnyOf, *kind.OneOf:
		if len(v.Causes) > 0 {
			return "fits none of the allowed forms; the first: " + s.explain(v.Causes[0])
		}
		return "fits more than one of forms that exclude each other"
	}
	// The library's own words for the rarer ones, without its preamble.
	text := v.Error()
	if _, after, ok := strings.Cut(text, "': "); ok {
		text = after
	}
	return strings.Join(strings.Fields(text), " ")
}

// members names the members that the schema at a URL knows, sorted.
func (s *parameterSchema) members(at string) []string {
	_, pointer, _ := strings.Cut(at, "#")
	pointer, err := url.PathUnescape(pointer)
	if err != nil {
		return nil
	}
	found, ok := lookup(s.root, pointer)
	if !ok {
		return nil
	}
	o, _ := found.(map[string]any)
	known, _ := o["properties"].(map[string]any)
	return slices.Sorted(maps.Keys(known))
}

func quoted(names []string) string {
	q := make([]string, 0, 8)
	for i, n := range names {
		if i == cap(q) {
			return strings.Join(q, ", ") + ", …"
		}
		q = append(q, strconv.Quote(n))
	}
	return strings.Join(q, ", ")
}

// document is a value as JSON, cut.
func document(v any) string {
	raw, _ := json.Marshal(v)
	if len(raw) > 100 {
		return strings.ToValidUTF8(string(raw[:100]), "") + "…"
	}
	return string(raw)
}
