package rest

import (
	"encoding"
	"encoding/json"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/weir-ml/weir/functions"
	"github.com/weir-ml/weir/host/datasets"
	"github.com/weir-ml/weir/host/gates"
	"github.com/weir-ml/weir/host/monitor"
	"github.com/weir-ml/weir/host/resource"
	"github.com/weir-ml/weir/host/schema"
	"github.com/weir-ml/weir/host/serving"
	"github.com/weir-ml/weir/sdk/client"
)

// The Go client has types of its own; each must have the fields of the server's, under the same names and in the same form.
func TestClientTypesMatch(t *testing.T) {
	for _, p := range []struct{ server, client any }{
		{Info{}, client.Info{}}, {Blob{}, client.Blob{}}, {resource.KindInfo{}, client.Kind{}}, {resource.Object{}, client.Object{}},
		{resource.Result{}, client.ApplyResult{}}, {PluginInfo{}, client.Plugin{}}, {PluginSummary{}, client.PluginSummary{}},
		{RemovedPlugin{}, client.RemovedPlugin{}}, {PluginTarget{}, client.PluginTarget{}}, {functions.Status{}, client.Function{}},
		{functions.DeadLetter{}, client.DeadLetter{}}, {datasets.Version{}, client.Dataset{}}, {Build{}, client.Build{}},
		{Published{}, client.Published{}}, {EventJSON{}, client.Event{}}, {StreamInfo{}, client.Stream{}},
		{serving.ModelStatus{}, client.Model{}}, {monitor.Report{}, client.Report{}},
		{gates.Evaluation{}, client.Evaluation{}}, {gates.Decision{}, client.Decision{}}, {schema.TensorSpec{}, client.TensorSpec{}},
	} {
		compare(t, reflect.TypeOf(p.server).String(), reflect.TypeOf(p.server), reflect.TypeOf(p.client))
	}
}

// compare walks two types as JSON sees them. A client may leave a document unread (json.RawMessage, any).
func compare(t *testing.T, path string, s, c reflect.Type) {
	for s.Kind() == reflect.Pointer {
		s = s.Elem()
	}
	for c.Kind() == reflect.Pointer {
		c = c.Elem()
	}
	text := reflect.TypeFor[encoding.TextMarshaler]()
	switch {
	case c == reflect.TypeFor[json.RawMessage](), s.Kind() == reflect.Interface, s == c:
		return
	case s == reflect.TypeFor[time.Time]() || s.Implements(text):
		if c != s && c.Kind() != reflect.String {
			t.Errorf("%s: %v against %v", path, s, c)
		}
		return
	case s.Kind() != c.Kind():
		t.Errorf("%s: %v against %v", path, s, c)
		return
	}
	switch s.Kind() {
	case reflect.Slice:
		compare(t, path+"[]", s.Elem(), c.Elem())
	case reflect.Map:
		compare(t, path+"{}", s.Elem(), c.Elem())
	case reflect.Struct:
		want, got := fields(s), fields(c)
		for n, f := range want {
			if g, ok := got[n]; ok {
				compare(t, path+"."+n, f, g)
			} else {
				t.Errorf("%s.%s: the client lacks it", path, n)
			}
		}
		for n := range got {
			if _, ok := want[n]; !ok {
				t.Errorf("%s.%s: the server has no such field", path, n)
			}
		}
	}
}

func fields(t reflect.Type) map[string]reflect.Type {
	out := map[string]reflect.Type{}
	for i := range t.NumField() {
		if n, _, _ := strings.Cut(t.Field(i).Tag.Get("json"), ","); n != "" && n != "-" {
			out[n] = t.Field(i).Type
		}
	}
	return out
}
