package runtest_test

import (
	"testing"

	"github.com/weir-ml/weir/host/gates"
	"github.com/weir-ml/weir/host/gates/runtest"
)

func TestMemory(t *testing.T) {
	runtest.TestStore(t, func(*testing.T) gates.Store { return &runtest.Memory{} })
}
