package offline

import (
	"context"
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/weir-ml/weir/sdk/abi"
)

func TestMetrics(t *testing.T) {
	r := prometheus.NewRegistry()
	e := open(t, Options{Registerer: r})
	for _, sql := range []string{"SELECT 1 AS a", "SELECT 2 AS a", "nonsense"} {
		_ = e.Batches(context.Background(), Query{SQL: sql}, func(*abi.Batch) error { return nil })
	}
	families, err := r.Gather()
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]uint64{}
	for _, f := range families {
		for _, m := range f.GetMetric() {
			key := f.GetName()
			for _, l := range m.GetLabel() {
				key += fmt.Sprintf(" %s=%s", l.GetName(), l.GetValue())
			}
			got[key] = m.GetHistogram().GetSampleCount()
		}
	}
	want := map[string]uint64{"weir_offline_operation_seconds operation=batches outcome=ok": 2, "weir_offline_operation_seconds operation=batches outcome=invalid": 1}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
}
