// Package demo is `weir demo`: the main job, end to end, on real data. It starts a host as a process of its own, drives it
// over its public ports as any client would, checks every figure against its own reading of the data, and kills the host
// mid-work to see what is left. A claim that does not hold makes it fail.
//
// It is not a test suite and not a benchmark: figures are printed with the machine's noise in them. Read demo.go for the
// order, steps_*.go for the steps and host.go for the process.
package demo

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"time"

	"github.com/weir-ml/weir/sdk/client"
)

// Options configure a run.
type Options struct {
	Out    io.Writer // the report; progress bars only when it is a terminal
	Binary string    // the weir binary to start
	Data   string    // data folder; "" makes a temporary one and removes it
	Keep   bool      // leave the host running when all is done
}

// demo is one run.
type demo struct {
	*printer
	host  *host
	table *table
	c     *client.Client

	digest string                 // of the pushed transform
	http   map[string]prediction  // held-out id → what HTTP answered, to compare events with
	models map[string]heldOutFigs // by file: what the host's predictions score
}

// Run runs the demo. The error names every claim that did not hold.
func Run(ctx context.Context, o Options) (err error) {
	if o.Data == "" {
		dir, err := os.MkdirTemp("", "weir-demo-")
		if err != nil {
			return err
		}
		o.Data = filepath.Join(dir, "data")
		if !o.Keep {
			defer os.RemoveAll(dir)
		}
	}
	t, err := readTable()
	if err != nil {
		return err
	}
	d := &demo{printer: newPrinter(o.Out), table: t, host: &host{binary: o.Binary, data: o.Data, log: o.Data + ".log", detached: o.Keep}, http: map[string]prediction{}, models: map[string]heldOutFigs{}}
	fmt.Fprintf(o.Out, "weir demo: the breast-cancer Wisconsin table (%d rows × %d measurements), %d CPUs, data in %s\n", len(t.rows), len(t.columns), runtime.NumCPU(), o.Data)
	if err := d.start(ctx); err != nil {
		return err
	}
	kept := false
	defer func() {
		if !kept {
			err = errors.Join(err, d.host.stop())
		}
	}()
	d.say("a host started on an empty folder: ready in %.0f ms (goal 300), %.0f MB resident (goal 120)", ms(d.host.Ready), d.host.residentMB())
	d.next("curl http://%s/readyz", d.host.HTTP)

	for _, step := range []func(context.Context) error{
		d.pushTransform, d.buildTrainingSet, d.serveRows, d.serveModel, d.streamEvents,
		d.catchDrift, d.gateCandidates, d.scaleToZero, d.surviveKill,
	} {
		if err := step(ctx); err != nil {
			return fmt.Errorf("step %d: %w", d.step, err)
		}
	}
	fmt.Fprintf(o.Out, "\n%d steps in %.1f s.\n", d.step, time.Since(d.began).Seconds())
	if err := d.verdict(); err != nil {
		return err
	}
	fmt.Fprintln(o.Out, "Every claim was computed and holds.")
	if o.Keep {
		kept = true
		d.tryOut(o.Out)
	}
	return nil
}

// start starts the host and points the client at it.
func (d *demo) start(ctx context.Context) error {
	if err := d.host.start(ctx); err != nil {
		return err
	}
	c, err := client.New("http://"+d.host.HTTP, nil)
	d.c = c
	return err
}

func (d *demo) tryOut(w io.Writer) {
	fmt.Fprintf(w, `
The host is still running (pid %d, data in %s, log beside it in %[4]s). Try:
  curl -s http://%[3]s/models/breast-cancer/predict -d '{"features":[%[5]s]}'
  curl -s http://%[3]s/fn/standardize -d '{"rows":[…]}'
  curl -s http://%[3]s/api/v1/resources
  curl -s http://%[3]s/metrics | grep weir_
  open   http://%[3]s/docs
Stop it with: kill %[1]d
`, d.host.cmd.Process.Pid, d.host.data, d.host.HTTP, d.host.log, jsonFloats(d.table.test[0].features))
}

func ms(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }
