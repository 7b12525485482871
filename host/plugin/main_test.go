package plugin

import (
	"fmt"
	"os"
	"testing"
	"time"

	"go.uber.org/goleak"
)

// codeDir is one code cache for all tests but those about the cache: compiling a Go guest takes most of a second.
var codeDir string

func TestMain(m *testing.M) {
	dir, err := os.MkdirTemp("", "weir-plugin-code")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	codeDir = dir
	compileTime = 10 * time.Minute
	code := m.Run()
	os.RemoveAll(dir)
	if code == 0 {
		if err := goleak.Find(); err != nil {
			fmt.Fprintln(os.Stderr, "goroutines leak:", err)
			code = 1
		}
	}
	os.Exit(code)
}
