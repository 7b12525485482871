package monitor_test

import (
	"encoding/json"
	"math"
	"os"
	"testing"

	"github.com/weir-ml/weir/host/monitor"
	"github.com/weir-ml/weir/host/monitor/runtest"
	"github.com/weir-ml/weir/host/plugin"
	"github.com/weir-ml/weir/sdk/abi"
)

// vectors are testdata/psi_vectors.json, which psi_vectors.py computed with numpy.
type vectors struct {
	Reference map[string][]*float64 `json:"reference"`
	Current   map[string][]*float64 `json:"current"`
	Want      map[string]struct {
		Edges []float64 `json:"edges"`
		PSI   float64   `json:"psi"`
	} `json:"want"`
}

// batch turns holes into nulls and NaN by turns.
func batch(cols map[string][]*float64) *abi.Batch {
	fns, rows := map[string]func(int) float64{}, 0
	for n, vs := range cols {
		rows = len(vs)
		fns[n] = func(i int) float64 {
			if vs[i] == nil {
				return math.NaN()
			}
			return *vs[i]
		}
	}
	b := table(rows, fns)
	for i := range b.Columns {
		c := &b.Columns[i]
		var null []int
		for r := range rows {
			if v, _ := c.Float64At(r); math.IsNaN(v) && r%2 == 0 {
				null = append(null, r)
			}
		}
		if len(null) > 0 {
			*c = c.WithNulls(rows, null...)
		}
	}
	return b
}

func TestPSI(t *testing.T) {
	doc, err := os.ReadFile("testdata/psi_vectors.json")
	if err != nil {
		t.Fatal(err)
	}
	var v vectors
	if err := json.Unmarshal(doc, &v); err != nil {
		t.Fatal(err)
	}
	host, err := plugin.New(plugin.Options{CacheDir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	defer host.Close()
	d := &datasets{sets: map[string]*abi.Batch{"ref@1": batch(v.Reference), "cur@1": batch(v.Current)}}
	s := service(t, d, engine{host}, &runtest.Memory{})
	apply(t, s, "m", `{"metric":{"plugin":"psi"},"reference":"ref@1"}`)
	for round := range 2 { // the second from the cached reference
		r, err := s.Run(t.Context(), "m", monitor.Current{Dataset: "cur@1"})
		if err != nil {
			t.Fatal(err)
		}
		if r.ReferenceCached != (round == 1) || len(r.Columns) != len(v.Want) {
			t.Errorf("round %d: cached %v, %d columns", round, r.ReferenceCached, len(r.Columns))
		}
		for _, c := range r.Columns {
			want := v.Want[c.Column]
			if c.Value == nil || math.Abs(*c.Value-want.PSI) > 1e-12*max(1, want.PSI) {
				t.Errorf("round %d: PSI of %s is %v, numpy says %v", round, c.Column, c.Value, want.PSI)
				continue
			}
			if c.Drifted != (want.PSI >= 0.2) || c.Score != "psi" {
				t.Errorf("%s: %+v", c.Column, c)
			}
		}
	}
	st, err := s.Status(t.Context(), "m")
	if err != nil {
		t.Fatal(err)
	}
	for _, b := range st.Profile.Columns {
		want := v.Want[b.Name].Edges
		if len(b.Edges) != len(want) {
			t.Errorf("%s has edges %v, numpy says %v", b.Name, b.Edges, want)
			continue
		}
		for i := range want {
			if math.Abs(b.Edges[i]-want[i]) > 1e-12*max(1, math.Abs(want[i])) {
				t.Errorf("%s edge %d is %v, numpy says %v", b.Name, i, b.Edges[i], want[i])
			}
		}
	}
	if st.Last == nil || st.Last.Columns[0].Detail != nil {
		t.Errorf("last report %+v", st.Last)
	}
}
