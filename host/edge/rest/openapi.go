package rest

import (
	"encoding/json"
	"fmt"
	"html"
	"reflect"
	"regexp"
	"strconv"
	"strings"

	"github.com/invopop/jsonschema"

	"github.com/weir-ml/weir/host/edge/httpd"
	"github.com/weir-ml/weir/host/errs"
	"github.com/weir-ml/weir/host/schema"
	"github.com/weir-ml/weir/sdk/abi"
)

type object = map[string]any

// OpenAPI is the description of the API, OpenAPI 3.1, the same bytes each time.
func OpenAPI() []byte {
	paths := object{}
	for _, o := range operations {
		p := pattern.ReplaceAllString(o.path, "{$1}")
		if paths[p] == nil {
			paths[p] = object{}
		}
		paths[p].(object)[strings.ToLower(o.method)] = o.describe()
	}
	b, err := json.MarshalIndent(object{
		"openapi": "3.1.0",
		"info": object{"title": "weir", "version": "1", "summary": "weir's own API",
			"description": "Errors of every operation have the body of the schema Error. X-Request-Id is taken over from the request or made, and returned."},
		"servers":    []object{{"url": "/"}},
		"paths":      paths,
		"components": object{"schemas": object{"Error": reflectType(httpd.ErrorBody{})}, "responses": object{"Error": object{"description": errorText(), "content": jsonContent(object{"$ref": "#/components/schemas/Error"})}}},
	}, "", "  ")
	if err != nil {
		panic(fmt.Sprintf("describe the API: %v", err)) // a broken struct of ours
	}
	return append(b, '\n')
}

var pattern = regexp.MustCompile(`:(\w+)`)

func errorText() string {
	var parts []string
	for _, k := range errs.Kinds {
		parts = append(parts, fmt.Sprintf("%d %s", httpd.Status(k), k))
	}
	return "By kind: " + strings.Join(parts, ", ") + "; 413 a body that is too large, 405 a method that the path does not take"
}

func jsonContent(s any) object { return object{"application/json": object{"schema": s}} }

func (o operation) describe() object {
	params := []object{}
	for _, m := range pattern.FindAllStringSubmatch(o.path, -1) {
		params = append(params, object{"name": m[1], "in": "path", "required": true, "schema": object{"type": "string"}})
	}
	for in, list := range map[string][]param{"query": o.query, "header": o.header} {
		for _, p := range list {
			params = append(params, object{"name": p.name, "in": in, "description": p.doc, "schema": object{"type": p.kind}})
		}
	}
	// Map order is random; a path has at most a few parameters, sorted within their place.
	sortParams(params)
	answer := object{"description": o.summary}
	if o.response != nil {
		answer["content"] = content(o.response)
	}
	out := object{
		"operationId": operationID(o), "tags": []string{o.tag}, "summary": o.summary,
		"responses": object{strconv.Itoa(o.status): answer, "default": object{"$ref": "#/components/responses/Error"}},
	}
	if len(params) > 0 {
		out["parameters"] = params
	}
	if o.request != nil {
		out["requestBody"] = object{"required": true, "content": content(o.request)}
	}
	return out
}

func sortParams(list []object) {
	rank := func(o object) string {
		return fmt.Sprint(map[string]int{"path": 0, "query": 1, "header": 2}[o["in"].(string)])
	}
	for i := 1; i < len(list); i++ { // insertion keeps the order within a place
		for j := i; j > 0 && rank(list[j]) < rank(list[j-1]); j-- {
			list[j], list[j-1] = list[j-1], list[j]
		}
	}
}

// operationID is the method and the path's words: getDatasetsByNameVersions.
func operationID(o operation) string {
	id := strings.ToLower(o.method)
	for part := range strings.SplitSeq(strings.TrimPrefix(o.path, "/api/v1/"), "/") {
		name, isParam := strings.CutPrefix(part, ":")
		if isParam {
			id += "By"
		}
		for word := range strings.SplitSeq(name, "-") {
			id += strings.ToUpper(word[:1]) + word[1:]
		}
	}
	return id
}

func content(v any) object {
	if m, ok := v.(media); ok {
		return object{string(m): object{}}
	}
	return jsonContent(reflectType(v))
}

func reflectType(v any) *jsonschema.Schema {
	r := jsonschema.Reflector{DoNotReference: true, Anonymous: true, Mapper: mapTypes}
	s := r.Reflect(v)
	s.Version = "" // OpenAPI 3.1 names the dialect itself
	return s
}

func mapTypes(t reflect.Type) *jsonschema.Schema {
	switch t {
	case reflect.TypeFor[schema.Duration]():
		return &jsonschema.Schema{Type: "string", Description: "a duration with its unit, for example 250ms, 2s or 5m"}
	case reflect.TypeFor[json.RawMessage]():
		return &jsonschema.Schema{Description: "any JSON value"}
	case reflect.TypeFor[abi.Type]():
		s := &jsonschema.Schema{Type: "string"}
		for ty := abi.Bool; ty.Valid(); ty++ {
			s.Enum = append(s.Enum, ty.String())
		}
		return s
	}
	return nil
}

// docsPage renders the description as one page without scripts or anything from elsewhere.
func docsPage() []byte {
	var b strings.Builder
	b.WriteString(`<!doctype html><html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>weir API</title><style>
body{font:15px/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem;color:#1b1f24;background:#fff}
h2{margin-top:2.5rem;text-transform:capitalize}details{border:1px solid #d0d7de;border-radius:6px;margin:.4rem 0;padding:.5rem .8rem}
summary{cursor:pointer}code,pre{font:13px/1.45 ui-monospace,monospace}pre{background:#f6f8fa;padding:.8rem;overflow:auto;max-height:28rem}
b{display:inline-block;width:4.5rem}td{padding:.1rem .8rem .1rem 0;vertical-align:top}
@media(prefers-color-scheme:dark){body{color:#e6edf3;background:#0d1117}details{border-color:#30363d}pre{background:#161b22}a{color:#58a6ff}}</style>
<h1>weir API</h1><p>The machine-readable form is <a href="/openapi.json">/openapi.json</a>. `)
	b.WriteString(html.EscapeString("Failed requests answer {\"error\":{\"kind\":…,\"message\":…}}. " + errorText() + "."))
	b.WriteString("</p>")
	tag := ""
	for _, o := range operations {
		if o.tag != tag {
			tag = o.tag
			fmt.Fprintf(&b, "<h2>%s</h2>", html.EscapeString(tag))
		}
		fmt.Fprintf(&b, "<details><summary><b>%s</b><code>%s</code> %s</summary>", o.method, html.EscapeString(pattern.ReplaceAllString(o.path, "{$1}")), html.EscapeString(o.summary))
		if len(o.query)+len(o.header) > 0 {
			b.WriteString("<table>")
			for _, p := range append(append([]param{}, o.query...), o.header...) {
				fmt.Fprintf(&b, "<tr><td><code>%s</code><td>%s<td>%s", html.EscapeString(p.name), p.kind, html.EscapeString(p.doc))
			}
			b.WriteString("</table>")
		}
		part := func(title string, v any) {
			if v == nil {
				return
			}
			text := ""
			if m, ok := v.(media); ok {
				text = string(m)
			} else {
				raw, err := json.MarshalIndent(reflectType(v), "", "  ")
				if err != nil {
					panic(err) // OpenAPI has marshalled the same
				}
				text = string(raw)
			}
			fmt.Fprintf(&b, "<p>%s</p><pre>%s</pre>", title, html.EscapeString(text))
		}
		part("Request body", o.request)
		part("Answer "+strconv.Itoa(o.status), o.response)
		b.WriteString("</details>")
	}
	b.WriteString("</html>\n")
	return []byte(b.String())
}
