package resource

import (
	"encoding/json"
	"reflect"

	"github.com/invopop/jsonschema"

	"github.com/weir-ml/weir/host/schema"
)

// mapTypes gives the schema of types that have a JSON form of their own.
func mapTypes(t reflect.Type) *jsonschema.Schema {
	switch t {
	case reflect.TypeFor[schema.Duration]():
		return &jsonschema.Schema{Type: "string", Description: "a duration with its unit, for example 250ms, 2s or 5m"}
	case reflect.TypeFor[json.RawMessage]():
		return &jsonschema.Schema{Description: "any JSON value"}
	}
	return nil
}
