package monitorkv_test

import (
	"testing"

	"github.com/weir-ml/weir/host/monitor"
	"github.com/weir-ml/weir/host/monitor/monitorkv"
	"github.com/weir-ml/weir/host/monitor/runtest"
	"github.com/weir-ml/weir/kv/kvtest"
)

func open(t *testing.T) *monitorkv.Store {
	s, err := monitorkv.Open(t.Context(), kvtest.Open(t))
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestReports(t *testing.T) {
	runtest.TestReports(t, func(t *testing.T) monitor.Reports { return open(t) })
}

func TestCache(t *testing.T) {
	runtest.TestCache(t, func(t *testing.T) monitor.Cache { return open(t) })
}
