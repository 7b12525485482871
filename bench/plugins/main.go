// Command plugins measures plugins beside their peers, in one run on one machine: native Go, numpy, weir with a guest in each
// language of its SDK (with fuel, and the same module unrewritten), wasmtime from Python, Extism's Go SDK, and Redpanda Connect's
// stream engine with a wasm processor of its kind. Batches, single rows, and a JSON function over HTTP at 16 connections.
//
//	make bench-plugins
//
// It is not a test and not part of the product. Times are the best of several rounds, taken in turn, since a disturbance only
// ever adds; trust the ratios. Read this file, then batch.go and http.go.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"runtime"
	"runtime/pprof"
	"strings"
	"text/tabwriter"
	"time"
)

type settings struct {
	root   string        // of the repository
	rounds int           // of every batch and row figure
	load   time.Duration // of each round of HTTP

	profile string // where servers write their CPU profiles; "" = nowhere
}

func main() {
	var s settings
	var only, serve, data, profile string
	flag.StringVar(&s.root, "root", ".", "the repository")
	flag.IntVar(&s.rounds, "rounds", 15, "rounds of batches and rows")
	flag.DurationVar(&s.load, "load", 3*time.Second, "load on each server and round")
	flag.StringVar(&only, "only", "batch,row,http", "what to measure")
	flag.StringVar(&serve, "serve", "", "for the bench itself: be one of the servers")
	flag.StringVar(&data, "data", "", "for the bench itself: a server's folder")
	flag.StringVar(&profile, "profile", "", "write a CPU profile of each server to this file and its name")
	flag.Parse()
	s.profile = profile
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, s, only, serve, data); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, s settings, only, serve, data string) error {
	if serve != "" {
		if s.profile != "" {
			f, err := os.Create(s.profile + "." + serve)
			if err != nil {
				return err
			}
			defer f.Close()
			if err := pprof.StartCPUProfile(f); err != nil {
				return err
			}
			defer pprof.StopCPUProfile()
		}
		return beServer(ctx, s, serve, data)
	}
	fmt.Printf("%s, %s/%s, %d processors, %s\n", time.Now().UTC().Format("2006-01-02"), runtime.GOOS, runtime.GOARCH, runtime.NumCPU(), runtime.Version())
	for _, part := range strings.Split(only, ",") {
		var err error
		switch part {
		case "batch":
			err = batches(ctx, s)
		case "row":
			err = rows(ctx, s)
		case "http":
			err = servers(ctx, s)
		default:
			err = fmt.Errorf("there is no part %q: use batch, row and http", part)
		}
		if err != nil {
			return fmt.Errorf("%s: %w", part, err)
		}
	}
	return nil
}

// contestant is one line of a table: f does the work once.
type contestant struct {
	name string
	f    func() error
	took time.Duration // the best round, or what somebody else measured
}

// race runs the contestants in turn, round by round, each as often as needed for a few milliseconds.
func race(ctx context.Context, rounds int, list []*contestant) error {
	repeat := make([]int, len(list))
	for i, c := range list {
		if c.f == nil {
			continue
		}
		if err := c.f(); err != nil { // warm
			return fmt.Errorf("%s: %w", c.name, err)
		}
		began := time.Now()
		if err := c.f(); err != nil {
			return fmt.Errorf("%s: %w", c.name, err)
		}
		repeat[i] = max(1, int(2*time.Millisecond/max(time.Since(began), 1)))
		c.took = 1 << 62
	}
	for range rounds {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		for i, c := range list {
			if c.f == nil {
				continue
			}
			runtime.GC()
			began := time.Now()
			for range repeat[i] {
				if err := c.f(); err != nil {
					return fmt.Errorf("%s: %w", c.name, err)
				}
			}
			c.took = min(c.took, time.Since(began)/time.Duration(repeat[i]))
		}
	}
	return nil
}

// show prints the contestants beside the first, which is the yardstick.
func show(title, unit string, per float64, list []*contestant) {
	fmt.Printf("\n%s\n", title)
	w := tabwriter.NewWriter(os.Stdout, 0, 4, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintf(w, "\t%s\tto %s\t\n", unit, list[0].name)
	for _, c := range list {
		fmt.Fprintf(w, "%s\t%.3f\t%.2f×\t\n", c.name, float64(c.took)/per, float64(c.took)/float64(list[0].took))
	}
	w.Flush()
}
