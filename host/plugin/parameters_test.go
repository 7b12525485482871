package plugin

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"
)

// TestSchemasAreRefused: what a description may not say about parameters.
func TestSchemasAreRefused(t *testing.T) {
	deep := strings.Repeat(`{"items":`, 200) + "{}" + strings.Repeat("}", 200)
	// Each level applies the next one twice: 2 to the 30th in 2 kB.
	bomb := `{"$ref":"#/$defs/d0","$defs":{`
	for i := range 30 {
		bomb += fmt.Sprintf(`"d%d":{"allOf":[{"$ref":"#/$defs/d%d"},{"$ref":"#/$defs/d%d"}]},`, i, i+1, i+1)
	}
	bomb += `"d30":{"type":"string"}}}`
	for name, tc := range map[string]struct{ schema, text string }{
		"no schema":             {`3`, "not a JSON Schema"},
		"wrong keyword":         {`{"type":"object","properties":{"x":{"type":"nmber"}}}`, "/properties/x/type"},
		"wrong minimum":         {`{"minimum":"1"}`, "/minimum: is string, and must be number"},
		"wrong pattern":         {`{"pattern":"("}`, "pattern"},
		"a reference to a URL":  {`{"$ref":"https://example.com/schema.json"}`, "nothing is loaded from elsewhere"},
		"a reference to a file": {`{"properties":{"x":{"$ref":"file:///etc/passwd"}}}`, "/properties/x/$ref"},
		"a foreign draft":       {`{"$schema":"https://example.com/draft"}`, "a schema must hold all that it needs"},
		"an anchor":             {`{"$ref":"#node"}`, "is not a JSON pointer"},
		"recursion":             {`{"properties":{"x":{"$ref":"#"}}}`, "leads back to itself"},
		"longer recursion":      {`{"$ref":"#/$defs/a","$defs":{"a":{"items":{"$ref":"#/$defs/b"}},"b":{"not":{"$ref":"#/$defs/a"}}}}`, "leads back to itself"},
		"a dynamic reference":   {`{"$dynamicRef":"#x"}`, "use $ref"},
		"another base":          {`{"items":{"$id":"https://example.com/x"}}`, "only the whole schema may have one"},
		"a dead reference":      {`{"$ref":"#/$defs/x"}`, "there is nothing at"},
		"a dead array item":     {`{"$ref":"#/allOf/1","allOf":[{}]}`, "there is nothing at"},
		"too deep":              {deep, "nested more than 100 deep"},
		"a bomb":                {bomb, "more than 16384 parts"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := compileParameters(json.RawMessage(tc.schema))
			if err == nil || !strings.Contains(err.Error(), tc.text) || !isFault(err) {
				t.Errorf("%v, want %q", err, tc.text)
			}
		})
	}
}

// TestParametersAreExplained: errors name the place and the way out.
func TestParametersAreExplained(t *testing.T) {
	for _, tc := range []struct{ schema, params, want string }{
		{`{}`, `[1]`, ""},
		{`{"properties":{"a/b":{"properties":{"m~n":{"type":"integer"}}}}}`, `{"a/b":{"m~n":1.5}}`, "/a~1b/m~0n: is number, and must be integer"},
		{`{"$defs":{"p q":{"type":["string","null"]}},"properties":{"x":{"$ref":"#/$defs/p%20q"}}}`, `{"x":1}`, "/x: is number, and must be null or string"},
		{`{"properties":{"$ref":{"type":"string"}}}`, `{"$ref":7}`, "/$ref: is number, and must be string"},
		{`{"$id":"https://example.com/p","$schema":"http://json-schema.org/draft-07/schema#","required":["x"]}`, `{}`, `the document: "x" is missing: add it`},
		{`{"properties":{"x":{"maximum":1,"exclusiveMinimum":0}}}`, `{"x":1.5}`, "/x: 3/2 is too large: the most is 1"},
		{`{"properties":{"x":{"exclusiveMinimum":0}}}`, `{"x":0}`, "/x: 0 is too small: it must be above 0"},
		{`{"items":{"type":"string"}}`, `[1,2,3,4,5]`, "/0: is number, and must be string; /1: is number, and must be string; /2: is number, and must be string; and 2 more"},
		{`{"properties":{"s":{"pattern":"^a+$"}}}`, `{"s":"b\u000a"}`, `/s: "b\n" does not match the pattern "^a+$"`},
		{`{"properties":{"s":{"minLength":2,"maxLength":3}}}`, `{"s":"zażółć"}`, "/s: has 6 characters, at most 3 are allowed"},
		{`{"anyOf":[{"type":"string"},{"type":"null"}]}`, `1`, "the document: fits none of the allowed forms; the first: the document: is number, and must be string"},
		{`{"oneOf":[{"type":"number"},{"minimum":0}]}`, `1`, "fits more than one of forms"},
		{`{"const":[1]}`, `[2]`, "the document: [2] must be [1]"},
		{`{"additionalProperties":false}`, `{"x":1}`, `the document: "x" is not known here: leave it out`},
		{`{"uniqueItems":true}`, `[1,2,1]`, "the document: items at 0 and 2 are equal"},
		{`false`, `1`, "the document: false schema"},
		{`{"minimum":0}`, `1e999999999999`, "the parameters"},
	} {
		s, err := compileParameters(json.RawMessage(tc.schema))
		if err != nil {
			t.Errorf("%s: %v", tc.schema, err)
			continue
		}
		err = s.check(json.RawMessage(tc.params))
		if tc.want == "" && err != nil || tc.want != "" && (err == nil || !strings.Contains(err.Error(), tc.want)) {
			t.Errorf("%s %s: %v, want %q", tc.schema, tc.params, err, tc.want)
		}
		if err != nil && !isFault(err) {
			t.Errorf("%s: %T is no fault", tc.schema, err)
		}
	}
}

// FuzzParameterSchema: any schema and any document end soon, in a verdict or a fault.
func FuzzParameterSchema(f *testing.F) {
	f.Add(`{"properties":{"x":{"$ref":"#/$defs/a"}},"$defs":{"a":{"type":"integer"}},"required":["x"]}`, `{"x":1.5}`)
	f.Add(`{"anyOf":[{"const":1},{"pattern":"a|b"},{"not":{}}],"uniqueItems":true}`, `[1,1]`)
	f.Add(`{"$schema":"http://json-schema.org/draft-04/schema#","id":"x","multipleOf":0.1}`, `1e308`)
	f.Add(`{"unevaluatedProperties":false,"if":true,"dependentSchemas":{"a":false}}`, `{"a":0}`)
	f.Fuzz(func(t *testing.T, schema, params string) {
		began := time.Now()
		s, err := compileParameters(json.RawMessage(schema))
		if err != nil {
			if !isFault(err) {
				t.Fatalf("%T: %v", err, err)
			}
			return
		}
		if json.Valid([]byte(params)) {
			if err := s.check(json.RawMessage(params)); err != nil && !isFault(err) {
				t.Fatalf("%T: %v", err, err)
			}
		}
		if d := time.Since(began); d > 20*time.Second { // a hang, not a measurement
			t.Fatalf("%v", d)
		}
	})
}
