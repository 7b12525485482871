package runtest_test

import (
	"testing"

	"github.com/weir-ml/weir/host/catalog"
	"github.com/weir-ml/weir/host/catalog/runtest"
)

func TestMemory(t *testing.T) {
	runtest.TestStore(t, func(testing.TB) catalog.Store { return runtest.NewMemory() })
}
