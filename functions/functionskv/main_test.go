package functionskv_test

import (
	"os"
	"testing"

	"go.uber.org/goleak"
)

// TestMain also is the child of the crash test.
func TestMain(m *testing.M) {
	if dir := os.Getenv(childEnv); dir != "" {
		os.Exit(child(dir))
	}
	goleak.VerifyTestMain(m)
}
