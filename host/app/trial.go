package app

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/weir-ml/weir/host/errs"
	"github.com/weir-ml/weir/host/onnx"
	"github.com/weir-ml/weir/host/schema"
)

// trialTime bounds a trial; a model that takes longer is let through with a warning, because slow is not broken.
const trialTime = time.Minute

// modelTrials runs each new model once, on zeros, in a process of its own, before this process loads it: a graph that
// contradicts itself can make ONNX Runtime end the process it runs in, which no error handling catches. It is a net for
// damaged files, not a sandbox.
type modelTrials struct {
	command []string // of the child, which calls TryModel; nil: no trials
	passed  string   // folder with an empty file for each digest that has passed
	log     *slog.Logger
}

// try is errs.Invalid when the trial's process was ended by the model.
func (t modelTrials) try(ctx context.Context, model []byte) error {
	if len(t.command) == 0 {
		return nil
	}
	mark := filepath.Join(t.passed, strings.TrimPrefix(string(schema.DigestOf(model)), "sha256:"))
	if _, err := os.Stat(mark); err == nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, trialTime)
	defer cancel()
	var out, said bytes.Buffer
	c := exec.CommandContext(ctx, t.command[0], t.command[1:]...)
	c.Stdin, c.Stdout, c.Stderr = bytes.NewReader(model), &out, &said
	err := c.Run()
	var exit *exec.ExitError
	switch {
	case err != nil && !errors.As(err, &exit) && ctx.Err() == nil:
		return fmt.Errorf("try the model in a process of its own: %w", err)
	case errors.Is(ctx.Err(), context.DeadlineExceeded):
		t.log.Warn("a model's trial took too long and was given up; the model is loaded all the same", "limit_s", trialTime.Seconds())
	case ctx.Err() != nil:
		return ctx.Err()
	case !strings.Contains(out.String(), trialReturned):
		first, _, _ := strings.Cut(said.String(), "\n")
		return errs.New(errs.Invalid, "the model is damaged or contradicts itself: running it once ended ONNX Runtime's process: %s", first[:min(len(first), 400)])
	}
	// A model that did not load or run, but in order, is the loader's to refuse, with a better reason.
	if err := errors.Join(os.MkdirAll(t.passed, 0o700), os.WriteFile(mark, nil, 0o600)); err != nil {
		t.log.Warn("a passed trial could not be noted; it will be repeated", "error", err)
	}
	return nil
}

// trialReturned is what the trial's process writes when the model let it live. Its exit code does not tell: Go's runtime
// turns the signals that end it into ordinary ones.
const trialReturned = "the trial returned"

// TryModel is what the trial's process does: load the model from r on the CPU and run it once on zeros, free dimensions
// being 1. That it returns at all is the answer, which it writes to w; how the model answered is the loader's business.
func TryModel(ctx context.Context, library string, r io.Reader, w io.Writer) error {
	_ = unix.Setrlimit(unix.RLIMIT_CORE, &unix.Rlimit{}) // a crash is expected here: no core file
	model, err := io.ReadAll(r)
	if err != nil {
		return fmt.Errorf("read the model: %w", err)
	}
	outcome := "in order"
	if err := tryModel(ctx, library, model); err != nil {
		outcome = err.Error()
	}
	_, err = fmt.Fprintf(w, "%s: %s\n", trialReturned, outcome)
	return err
}

func tryModel(ctx context.Context, library string, model []byte) error {
	rt := onnx.New(onnx.Options{LibraryPath: library})
	defer rt.Close()
	s, err := rt.Load(ctx, model, onnx.SessionOptions{Device: "cpu", IntraOpThreads: 1})
	if err != nil {
		return err
	}
	defer s.Close()
	var in []schema.Tensor
	for _, spec := range s.Inputs() {
		in = append(in, zeros(spec))
	}
	_, err = s.Run(ctx, in, nil)
	return err
}

// zeros is a tensor of the spec's type with 1 for each free dimension: zeros, or empty texts.
func zeros(spec schema.TensorSpec) schema.Tensor {
	t := schema.Tensor{Name: spec.Name, Type: spec.Type, Shape: make([]int64, len(spec.Shape))}
	for i, d := range spec.Shape {
		t.Shape[i] = max(d, 1)
	}
	n := schema.Elements(t.Shape)
	if t.Type != schema.Bytes {
		t.Data = make([]byte, n*int64(t.Type.Size()))
		return t
	}
	for range n {
		t.Data = binary.LittleEndian.AppendUint32(t.Data, 0)
	}
	return t
}
