package restkv

import (
	"fmt"
	"testing"

	"github.com/weir-ml/weir/host/edge/rest"
	"github.com/weir-ml/weir/host/errs"
	"github.com/weir-ml/weir/kv"
	"github.com/weir-ml/weir/kv/kvtest"
)

func TestEvents(t *testing.T) {
	ctx := t.Context()
	store := kvtest.Open(t)
	e := New(store, func() []string { return []string{"tx", "gone", "tx"} })
	if _, _, err := e.Publish(ctx, "tx.a", []rest.Event{{Data: []byte("1")}}); !errs.Is(err, errs.NotFound) {
		t.Fatalf("no stream: %v", err)
	}
	if _, err := store.Stream(ctx, kv.StreamConfig{Name: "tx", Subjects: []string{"tx.>"}}); err != nil {
		t.Fatal(err)
	}
	one := []rest.Event{{ID: "id-1", Header: map[string]string{"K": "v"}, Data: []byte(`{"a":1}`)}}
	for range 2 { // the same id is stored once
		stream, seqs, err := e.Publish(ctx, "tx.a", one)
		if err != nil || stream != "tx" || len(seqs) != 1 || seqs[0] != 1 {
			t.Fatalf("%s %v %v", stream, seqs, err)
		}
	}
	many := make([]rest.Event, 1500)
	for i := range many {
		many[i].Data = fmt.Append(nil, i)
	}
	_, seqs, err := e.Publish(ctx, "tx.b", many)
	if err != nil || len(seqs) != len(many) || seqs[0] != 2 || seqs[1499] != 1501 {
		t.Fatalf("%v", err)
	}
	got, err := e.Read(ctx, "tx.*", 0, 3)
	if err != nil || len(got) != 3 || got[0].Header["K"] != "v" || string(got[2].Data) != "1" || got[2].Subject != "tx.b" || got[2].Sequence != 3 {
		t.Errorf("%+v %v", got, err)
	}
	if got, err := e.Read(ctx, "tx.b", 1500, 10); err != nil || len(got) != 1 || got[0].Sequence != 1501 {
		t.Errorf("%+v %v", got, err)
	}
	infos, err := e.Streams(ctx)
	if err != nil || len(infos) != 1 || infos[0].Messages != 1501 {
		t.Errorf("%+v %v", infos, err)
	}
}
