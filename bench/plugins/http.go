package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"text/tabwriter"
	"time"

	"github.com/weir-ml/weir/host/app"
	"github.com/weir-ml/weir/host/config"
	"github.com/weir-ml/weir/host/edge/httpd"
	"github.com/weir-ml/weir/sdk/client"
)

// connections is how many clients ask at once, each as soon as it has its answer.
const connections = 16

var (
	requestBody = []byte(`{"user":"ann","values":[1,2,3.5,4,5,6,7,8.25],"note":"a field that nobody reads"}`)
	answerBody  = `{"user":"ann","count":8,"sum":36.75,"max":8.25}`
)

// kinds are the servers, the yardstick first: weir's own HTTP server with the function in native Go.
var kinds = []struct{ name, kind, path string }{
	{"native Go on weir's server", "native", "/fn/totals"},
	{"weir, C", "weir", "/fn/totals"},
	{"native Go on net/http", "nethttp", "/fn/totals"},
	{"Redpanda Connect, wasm processor, C", "connect", "/fn/totals"},
	{"Extism Go SDK on net/http, C", "extism", "/fn/totals"},
}

// servers starts every server as a process of its own and loads them in turn.
func servers(ctx context.Context, s settings) error {
	self, err := os.Executable()
	if err != nil {
		return err
	}
	rate, p99, addresses := make([][]float64, len(kinds)), make([][]float64, len(kinds)), make([]string, len(kinds))
	for i, k := range kinds {
		dir, err := os.MkdirTemp("", "bench-plugins-")
		if err != nil {
			return err
		}
		defer os.RemoveAll(dir)
		child, stop := context.WithCancel(ctx)
		cmd := exec.CommandContext(child, self, "-root", s.root, "-serve", k.kind, "-data", dir, "-profile", s.profile)
		cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) }
		cmd.WaitDelay = 10 * time.Second
		cmd.Stderr = os.Stderr
		out, err := cmd.StdoutPipe()
		if err != nil {
			stop()
			return err
		}
		if err := cmd.Start(); err != nil {
			stop()
			return err
		}
		defer func() { stop(); _ = cmd.Wait() }()
		line, err := bufio.NewReader(out).ReadString('\n')
		if err != nil {
			return fmt.Errorf("%s did not start: %w", k.name, err)
		}
		addresses[i] = strings.TrimSpace(line)
	}
	for round := range 3 {
		for i, k := range kinds {
			r, tail, err := load(ctx, addresses[i], k.path, s.load)
			if err != nil {
				return fmt.Errorf("%s at %s: %w", k.name, addresses[i], err)
			}
			if round >= 0 {
				rate[i], p99[i] = append(rate[i], r), append(p99[i], tail)
			}
		}
	}
	fmt.Printf("\nA JSON function over HTTP, %d connections, the client on the same processors\n", connections)
	w := tabwriter.NewWriter(os.Stdout, 0, 4, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintf(w, "\trequests/s\tp99 ms\tto native\t\n")
	for i, k := range kinds {
		fmt.Fprintf(w, "%s\t%.0f\t%.2f\t%.0f%%\t\n", k.name, middle(rate[i]), middle(p99[i]), 100*middle(rate[i])/middle(rate[0]))
	}
	return w.Flush()
}

func middle(v []float64) float64 {
	slices.Sort(v)
	return v[len(v)/2]
}

// load asks for that long and answers requests a second and the 99th percentile in milliseconds. Every answer is checked.
func load(ctx context.Context, address, path string, d time.Duration) (rate, p99 float64, err error) {
	request := fmt.Appendf(nil, "POST %s HTTP/1.1\r\nHost: bench\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s", path, len(requestBody), requestBody)
	var done atomic.Bool
	var mu sync.Mutex
	var all []time.Duration
	var group sync.WaitGroup
	var failed error
	began := time.Now()
	for range connections {
		group.Go(func() {
			took, err := ask(address, request, &done)
			mu.Lock()
			defer mu.Unlock()
			all = append(all, took...)
			if err != nil {
				failed = err
				done.Store(true)
			}
		})
	}
	select {
	case <-time.After(d):
	case <-ctx.Done():
	}
	done.Store(true)
	group.Wait()
	if failed != nil {
		return 0, 0, failed
	}
	slices.Sort(all)
	return float64(len(all)) / time.Since(began).Seconds(), float64(all[len(all)*99/100]) / 1e6, ctx.Err()
}

// ask is one connection's work, as light as it can be, since the client takes its time from the server.
func ask(address string, request []byte, done *atomic.Bool) (took []time.Duration, err error) {
	c, err := net.Dial("tcp", address)
	if err != nil {
		return nil, err
	}
	defer c.Close()
	r := bufio.NewReaderSize(c, 4096)
	body := make([]byte, 4096)
	for !done.Load() {
		began := time.Now()
		if _, err := c.Write(request); err != nil {
			return took, err
		}
		length, status := 0, ""
		for {
			line, err := r.ReadSlice('\n')
			if err != nil {
				return took, err
			}
			line = bytes.TrimRight(line, "\r\n")
			if len(line) == 0 {
				break
			}
			if status == "" {
				status = string(line)
			} else if i := bytes.IndexByte(line, ':'); i > 0 && bytes.EqualFold(line[:i], []byte("content-length")) {
				if length, err = strconv.Atoi(string(bytes.TrimSpace(line[i+1:]))); err != nil || length > len(body) {
					return took, fmt.Errorf("content length %q", line)
				}
			}
		}
		if _, err := io.ReadFull(r, body[:length]); err != nil {
			return took, err
		}
		if got := string(bytes.TrimSpace(body[:length])); got != answerBody || !strings.Contains(status, " 200") {
			return took, fmt.Errorf("%s: %s", status, got)
		}
		took = append(took, time.Since(began))
	}
	return took, nil
}

// total is the function in Go.
func total(body []byte) ([]byte, error) {
	var in struct {
		User   string    `json:"user"`
		Values []float64 `json:"values"`
	}
	if err := json.Unmarshal(body, &in); err != nil {
		return nil, err
	}
	out := struct {
		User  string  `json:"user"`
		Count int     `json:"count"`
		Sum   float64 `json:"sum"`
		Max   float64 `json:"max"`
	}{User: in.User, Count: len(in.Values)}
	for i, v := range in.Values {
		out.Sum += v
		if i == 0 || v > out.Max {
			out.Max = v
		}
	}
	return json.Marshal(out)
}

// beServer serves until it is interrupted, having printed its address.
func beServer(ctx context.Context, s settings, kind, dir string) error {
	log := slog.New(slog.DiscardHandler)
	switch kind {
	case "native":
		h := httpd.New(httpd.Options{Logger: log})
		h.Add(httpd.Route{Method: "POST", Path: "/fn/totals", Protocol: "fn", Handle: func(c *httpd.Call) error {
			body, err := c.Body()
			if err != nil {
				return err
			}
			out, err := total(body)
			if err != nil {
				return err
			}
			return c.Bytes(200, "application/json", out)
		}})
		if err := h.Listen("127.0.0.1:0"); err != nil {
			return err
		}
		fmt.Println(h.Addr())
		return errors.Join(h.Run(ctx), h.Close())
	case "weir":
		return weirServer(ctx, s, dir, log)
	case "connect":
		return connectServer(ctx, s)
	case "nethttp":
		return serveHTTP(ctx, total)
	case "extism":
		var mu sync.Mutex
		var idle []*extismPlugin
		return serveHTTP(ctx, func(body []byte) ([]byte, error) {
			mu.Lock()
			var e *extismPlugin
			if n := len(idle); n > 0 {
				e, idle = idle[n-1], idle[:n-1]
			}
			mu.Unlock()
			if e == nil {
				var err error
				if e, err = newExtism(context.Background(), s, "totals"); err != nil {
					return nil, err
				}
			}
			out, err := e.call(body)
			out = bytes.Clone(out)
			mu.Lock()
			idle = append(idle, e)
			mu.Unlock()
			return out, err
		})
	}
	return fmt.Errorf("no server %q", kind)
}

func serveHTTP(ctx context.Context, f func([]byte) ([]byte, error)) error {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	srv := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err == nil {
			body, err = f(body)
		}
		if err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
		w.Header().Set("Content-Type", "application/json")
		_, _ = w.Write(body) // the client has gone
	})}
	go func() { <-ctx.Done(); _ = srv.Close() }()
	fmt.Println(l.Addr())
	if err := srv.Serve(l); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}

// weirServer is the whole product, as `weir up` runs it, with one function.
func weirServer(ctx context.Context, s settings, dir string, log *slog.Logger) error {
	wasm, err := s.guest("weir")
	if err != nil {
		return err
	}
	cfg := config.Default()
	cfg.Data, cfg.HTTP, cfg.GRPC = dir, "127.0.0.1:0", "127.0.0.1:0"
	a, err := app.New(ctx, cfg, app.Options{Version: "bench"}, log)
	if err != nil {
		return err
	}
	failed := make(chan error, 1)
	err = a.Run(ctx, func(r app.Ready) {
		go func() {
			c, err := client.New("http://"+r.HTTP, nil)
			if err == nil {
				_, err = c.PushPlugin(ctx, "totals", bytes.NewReader(wasm))
			}
			if err == nil {
				_, err = c.Apply(ctx, []byte("apiVersion: weir.dev/v1\nkind: Function\nmetadata: {name: totals}\nspec: {http: {}, handler: {plugin: totals}}\n"), false)
			}
			if err != nil {
				failed <- err
				fmt.Println("")
				return
			}
			fmt.Println(r.HTTP)
		}()
	})
	select {
	case e := <-failed:
		err = errors.Join(err, e)
	default:
	}
	return errors.Join(err, a.Close())
}
