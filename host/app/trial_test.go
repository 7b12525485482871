package app

import (
	"context"
	_ "embed"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"go.uber.org/goleak"

	breastcancer "github.com/weir-ml/weir/examples/breast-cancer"
	"github.com/weir-ml/weir/host/edge/httpd/httpdtest"
	"github.com/weir-ml/weir/host/errs"
)

//go:embed testdata/contradiction.onnx
var contradiction []byte

const trialEnv = "WEIR_TEST_MODEL_TRIAL"

func TestMain(m *testing.M) {
	if os.Getenv(trialEnv) != "" { // this process is a trial's child
		if err := TryModel(context.Background(), "", os.Stdin, os.Stdout); err != nil {
			os.Stderr.WriteString(err.Error() + "\n")
			os.Exit(1)
		}
		os.Exit(0)
	}
	if dir := os.Getenv(pusherEnv); dir != "" { // this process is to be killed
		if err := pusher(dir); err != nil {
			os.Stderr.WriteString(err.Error() + "\n")
		}
		os.Exit(1)
	}
	goleak.VerifyTestMain(m, httpdtest.Leaks()...)
}

func TestModelTrial(t *testing.T) {
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	t.Setenv(trialEnv, "1")
	trials := modelTrials{command: []string{self}, passed: filepath.Join(t.TempDir(), "trials"), log: slog.New(slog.DiscardHandler)}
	err = trials.try(t.Context(), contradiction)
	if !errs.Is(err, errs.Invalid) || !strings.Contains(err.Error(), "contradicts itself") {
		t.Errorf("a model that ends its process got %v, want invalid", err)
	}
	for _, ok := range [][]byte{breastcancer.Model, []byte("no model at all"), nil} {
		if err := trials.try(t.Context(), ok); err != nil {
			t.Errorf("a model of %d bytes: %v", len(ok), err)
		}
	}
	noted, err := os.ReadDir(trials.passed)
	if err != nil || len(noted) != 3 {
		t.Errorf("%d passed trials are noted, want 3 (%v)", len(noted), err)
	}
	trials.command = []string{"/nonexistent"}
	if err := trials.try(t.Context(), breastcancer.Model); err != nil {
		t.Errorf("a noted model was tried again: %v", err)
	}
}
