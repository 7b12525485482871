package runtest_test

import (
	"testing"

	"github.com/weir-ml/weir/host/monitor"
	"github.com/weir-ml/weir/host/monitor/runtest"
)

func TestMemory(t *testing.T) {
	t.Run("reports", func(t *testing.T) {
		runtest.TestReports(t, func(*testing.T) monitor.Reports { return &runtest.Memory{} })
	})
	t.Run("cache", func(t *testing.T) {
		runtest.TestCache(t, func(*testing.T) monitor.Cache { return &runtest.Memory{} })
	})
}
