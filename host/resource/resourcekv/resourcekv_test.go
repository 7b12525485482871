package resourcekv_test

import (
	"context"
	"encoding/json"
	"testing"

	"github.com/weir-ml/weir/host/resource"
	"github.com/weir-ml/weir/host/resource/resourcekv"
	"github.com/weir-ml/weir/host/resource/runtest"
	"github.com/weir-ml/weir/kv/kvtest"
)

func TestStore(t *testing.T) {
	runtest.TestStore(t, func(tb testing.TB) resource.Store {
		s, err := resourcekv.New(context.Background(), kvtest.Open(tb))
		if err != nil {
			tb.Fatal(err)
		}
		return s
	})
}

func TestObjectsSurviveAsWritten(t *testing.T) {
	store, ctx := kvtest.Open(t), t.Context()
	s, err := resourcekv.New(ctx, store)
	if err != nil {
		t.Fatal(err)
	}
	in := resource.Object{APIVersion: resource.APIVersion, Kind: "Model", Metadata: resource.Metadata{Name: "m", Labels: map[string]string{"team": "risk"}},
		Spec: json.RawMessage(`{"mean":14.09384673366835}`), Status: "never stored"}
	if _, err := s.Commit(ctx, []resource.Change{{Object: in}}); err != nil {
		t.Fatal(err)
	}
	again, err := resourcekv.New(ctx, store)
	if err != nil {
		t.Fatal(err)
	}
	out, err := again.List(ctx)
	if err != nil || len(out) != 1 {
		t.Fatalf("%v %v", out, err)
	}
	if o := out[0]; string(o.Spec) != string(in.Spec) || o.Metadata.Labels["team"] != "risk" || o.Status != nil || o.Revision == 0 {
		t.Errorf("%+v", o)
	}
}
