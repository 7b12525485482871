package datasetstest

import (
	"testing"

	"github.com/weir-ml/weir/host/datasets"
)

func TestMemoryStore(t *testing.T) {
	TestStore(t, func(*testing.T) datasets.Store { return NewStore() })
}
