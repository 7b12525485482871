package resource

import (
	"bytes"
	"encoding/json"
	"fmt"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"

	"github.com/weir-ml/weir/host/errs"
)

// MaxManifestBytes bounds one manifest file.
const MaxManifestBytes = 4 << 20

// maxDepth bounds nesting; the YAML library recurses.
const maxDepth = 64

// parsed is an object with its decoded spec.
type parsed struct {
	Object
	spec Spec
	kind Kind
}

// parse reads a manifest of one or more documents. Errors are errs.Invalid and show line, column and the offending text.
func (s *Service) parse(data []byte) (out []parsed, err error) {
	defer func() {
		if r := recover(); r != nil { // the YAML library panics on some documents that are none
			out, err = nil, errs.New(errs.Invalid, "manifest is not YAML: %v", r)
		}
	}()
	if len(data) > MaxManifestBytes {
		return nil, errs.New(errs.Invalid, "manifest has %d bytes, the limit is %d", len(data), MaxManifestBytes)
	}
	if err := checkDepth(data); err != nil {
		return nil, err
	}
	file, err := parser.ParseBytes(data, 0)
	if err != nil {
		return nil, errs.New(errs.Invalid, "manifest: %s", err)
	}
	seen := map[Ref]bool{}
	for i, doc := range file.Docs {
		if doc.Body == nil || doc.Body.Type() == ast.NullType || doc.Body.Type() == ast.CommentType {
			continue
		}
		p, err := s.parseDocument(doc.Body)
		if err != nil {
			return nil, errs.New(errs.Invalid, "manifest document %d: %w", i+1, err)
		}
		if seen[p.Ref()] {
			return nil, errs.New(errs.Invalid, "manifest document %d: %s %q appears twice in this file", i+1, p.Kind, p.Metadata.Name)
		}
		seen[p.Ref()] = true
		out = append(out, p)
	}
	if len(out) == 0 {
		return nil, errs.New(errs.Invalid, "manifest is empty: want documents with apiVersion, kind, metadata and spec")
	}
	return out, nil
}

func (s *Service) parseDocument(body ast.Node) (parsed, error) {
	var p parsed
	m, ok := body.(ast.MapNode)
	if !ok {
		return p, fmt.Errorf("want a mapping with apiVersion, kind, metadata and spec, got %s", body.Type())
	}
	var spec ast.Node
	for it := m.MapRange(); it.Next(); {
		var err error
		switch key := keyText(it.Key()); key {
		case "apiVersion":
			err = yaml.NodeToValue(it.Value(), &p.APIVersion)
		case "kind":
			err = yaml.NodeToValue(it.Value(), &p.Kind)
		case "metadata":
			err = yaml.NodeToValue(it.Value(), &p.Metadata, yaml.Strict())
		case "spec":
			spec = it.Value()
		case "revision", "created", "updated", "status": // what get prints can be applied again
		default:
			err = fmt.Errorf("line %d: unknown key %q: want apiVersion, kind, metadata and spec", it.Key().GetToken().Position.Line, key)
		}
		if err != nil {
			return p, err
		}
	}
	if p.APIVersion != APIVersion {
		return p, fmt.Errorf("apiVersion is %q: want %q", p.APIVersion, APIVersion)
	}
	kind, err := s.kind(p.Kind)
	if err != nil {
		return p, err
	}
	p.kind, p.Kind = kind, kind.Name
	if err := CheckName(p.Metadata.Name); err != nil {
		return p, fmt.Errorf("%s: metadata.name: %w", p.Kind, err)
	}
	for k, v := range p.Metadata.Labels {
		if !labelForm.MatchString(k) || len(v) > 256 {
			return p, fmt.Errorf("%s %q: metadata.labels: %q=%q: keys are 1 to 128 of A-Z a-z 0-9 . _ / -, values at most 256 bytes", p.Kind, p.Metadata.Name, k, v)
		}
	}
	if p.Spec, p.spec, err = kind.fromNode(spec); err != nil {
		return p, fmt.Errorf("%s %q: spec: %w", p.Kind, p.Metadata.Name, err)
	}
	if err := p.spec.Validate(); err != nil {
		return p, fmt.Errorf("%s %q: %w", p.Kind, p.Metadata.Name, err)
	}
	return p, nil
}

func keyText(k ast.MapKeyNode) string {
	var s string
	if err := yaml.NodeToValue(k, &s); err != nil {
		return k.String()
	}
	return s
}

// checkDepth refuses documents nested deeper than any spec is, before a recursive parser sees them. Flow brackets and
// indentation both count; an indentation step is at least one column.
func checkDepth(data []byte) error {
	flow := 0
	for n, line := range bytes.Split(data, []byte("\n")) {
		indent := len(line) - len(bytes.TrimLeft(line, " -?\t"))
		for _, c := range line {
			switch c {
			case '[', '{':
				flow++
			case ']', '}':
				flow = max(0, flow-1)
			}
		}
		if flow > maxDepth || indent > 4*maxDepth {
			return errs.New(errs.Invalid, "manifest: line %d is nested too deeply", n+1)
		}
	}
	return nil
}

// diff lists the leaves in which two JSON documents differ, by path, in the order of the second document's keys sorted.
func diff(path string, before, after json.RawMessage) []FieldChange {
	var a, b any
	_ = json.Unmarshal(before, &a) // both were written by json.Marshal; an absent document is nil
	_ = json.Unmarshal(after, &b)
	return diffValues(path, a, b)
}
