package runtest_test

import (
	"testing"

	"github.com/weir-ml/weir/functions/runtest"
)

func TestMemory(t *testing.T) {
	runtest.TestEvents(t, func(*testing.T) runtest.Harness {
		m := runtest.NewMemory()
		return runtest.Harness{
			Events: m,
			Publish: func(_ *testing.T, stream, subject string, h map[string]string, data []byte) uint64 {
				return m.Publish(stream, subject, h, data)
			},
			Results: func(_ *testing.T, function string) []runtest.Message { return m.Results(function) },
		}
	})
}
