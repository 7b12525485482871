package resource

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/invopop/jsonschema"

	"github.com/weir-ml/weir/host/errs"
	"github.com/weir-ml/weir/host/schema"
)

// Spec is a kind's manifest struct. Validate checks what can be checked without looking at anything else; its error
// begins with the field's path from "spec." on.
type Spec interface{ Validate() error }

// Controller makes objects of one kind real. The service serialises calls; the controller's own readers may run meanwhile.
type Controller[S Spec] struct {
	// Check is a dry run: could Apply succeed? It must leave nothing behind. siblings names the objects of the same file
	// that do not exist yet. nil: nothing to check.
	Check func(ctx context.Context, name string, spec S) error
	// Apply makes the object so; it is called after the object is durable, at every start, and again when something that
	// the object refers to has changed. A failure leaves the former state working.
	Apply func(ctx context.Context, name string, spec S) error
	// Remove undoes Apply.
	Remove func(ctx context.Context, name string) error
	// Status describes the object now; nil result: nothing to say.
	Status func(name string) any
	// Refs lists what the spec refers to.
	Refs func(spec S) []Ref
	// Exists tells of things with this kind's name that are there without being applied, such as built-in plugins.
	Exists func(name string) bool
	// Follows tells whether a reference with that At must be applied again when the object changes from before to after.
	// nil: every one.
	Follows func(before, after S, at string) bool
}

// Kind is a kind of resource, made by Define.
type Kind struct {
	Name string
	// Order sorts kinds for start and apply: lower first; removal goes the other way.
	Order int

	schema   json.RawMessage
	fromNode func(ast.Node) (json.RawMessage, Spec, error)
	fromJSON func(json.RawMessage) (Spec, error)
	check    func(context.Context, string, Spec) error
	apply    func(context.Context, string, Spec) error
	remove   func(context.Context, string) error
	status   func(string) any
	refs     func(Spec) []Ref
	exists   func(string) bool
	follows  func(before, after Spec) reach
}

// Define makes a kind from its spec type and controller.
func Define[S Spec](name string, order int, c Controller[S]) Kind {
	k := Kind{Name: name, Order: order, remove: c.Remove, status: c.Status, exists: c.Exists}
	k.fromNode = func(n ast.Node) (json.RawMessage, Spec, error) {
		var s S
		if n != nil {
			if err := yaml.NodeToValue(n, &s, yaml.Strict(), yaml.UseJSONUnmarshaler()); err != nil {
				return nil, nil, err
			}
		}
		raw, err := json.Marshal(s)
		return raw, s, err
	}
	k.fromJSON = func(raw json.RawMessage) (Spec, error) {
		var s S
		if err := schema.Strict(raw, &s); err != nil {
			return nil, err
		}
		return s, nil
	}
	k.check = func(ctx context.Context, name string, s Spec) error {
		if c.Check == nil {
			return nil
		}
		return c.Check(ctx, name, s.(S))
	}
	k.apply = func(ctx context.Context, name string, s Spec) error { return c.Apply(ctx, name, s.(S)) }
	k.refs = func(s Spec) []Ref {
		if c.Refs == nil {
			return nil
		}
		return c.Refs(s.(S))
	}
	k.follows = func(before, after Spec) reach {
		if c.Follows == nil {
			return whole
		}
		return func(at string) bool { return c.Follows(before.(S), after.(S), at) }
	}
	if k.exists == nil {
		k.exists = func(string) bool { return false }
	}
	if k.status == nil {
		k.status = func(string) any { return nil }
	}
	k.schema = reflectSchema(new(S))
	return k
}

func reflectSchema(v any) json.RawMessage {
	r := jsonschema.Reflector{ExpandedStruct: true, Anonymous: true, Mapper: mapTypes}
	b, err := json.Marshal(r.Reflect(v))
	if err != nil {
		panic(fmt.Sprintf("schema of %T: %v", v, err)) // a broken struct of ours
	}
	return b
}

// KindInfo is a kind as the API shows it.
type KindInfo struct {
	Name   string          `json:"name"`
	Schema json.RawMessage `json:"schema"` // JSON Schema of the spec
}

func unknownKind(kind string, known []Kind) error {
	names := make([]string, len(known))
	for i, k := range known {
		names[i] = k.Name
	}
	return errs.New(errs.Invalid, "kind %q is not known: use one of %v", kind, names)
}
