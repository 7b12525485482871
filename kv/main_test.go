package kv_test

import (
	"os"
	"testing"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) {
	if dir := os.Getenv("WEIR_KV_CRASH_DIR"); dir != "" { // crash_test.go runs this binary again as its victim
		crashChild(dir)
		return
	}
	goleak.VerifyTestMain(m)
}
