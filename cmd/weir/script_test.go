package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/weir-ml/weir/internal/golden"
)

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"weir": func() { os.Exit(mainCode()) }})
}

// Each script is a user's session: it starts a weir of its own on free ports with `exec weir up &up&` and `await up`. Verbs
// beside testscript's own:
//
//	await up                     wait until the process answers /readyz, and point weir and http at it
//	await PATTERN COMMAND...     run a command again and again until its output matches
//	http METHOD PATH STATUS [BODY]   send a request (BODY: text, or @file); the answer goes to stdout
func TestScripts(t *testing.T) {
	root, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	testscript.Run(t, testscript.Params{
		Dir: "testdata/script", RequireExplicitExec: true, UpdateScripts: golden.Updating(),
		Setup: func(e *testscript.Env) error {
			e.Setenv("ROOT", root)
			e.Setenv("WEIR_DATA", filepath.Join(e.WorkDir, "data"))
			e.Setenv("WEIR_HTTP", "127.0.0.1:0")
			e.Setenv("WEIR_GRPC", "127.0.0.1:0")
			e.Setenv("WEIR_DRAIN_TIMEOUT", "5s")
			e.Setenv("WEIR_ONNXRUNTIME_LIB", library(root))
			e.Setenv("WEIR_TOOLCHAINS", filepath.Join(root, ".cache"))
			e.Setenv("XDG_CACHE_HOME", filepath.Join(e.WorkDir, "cache"))
			return nil
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){"await": await, "http": httpVerb},
	})
}

// library is where `make setup` puts ONNX Runtime; a script that needs it fails with the server's own message when it is
// not there.
func library(root string) string {
	if lib := os.Getenv("WEIR_ONNXRUNTIME_LIB"); lib != "" {
		return lib
	}
	cache := filepath.Join(root, ".cache/onnxruntime")
	if found, err := filepath.Glob(cache + "/*/libonnxruntime.so.*"); err == nil && len(found) > 0 {
		return found[len(found)-1]
	}
	return cache + "/libonnxruntime.so"
}

const patience = 60 * time.Second

func address(ts *testscript.TestScript) string {
	raw, err := os.ReadFile(filepath.Join(ts.Getenv("WEIR_DATA"), "weir.json"))
	if err != nil {
		return ""
	}
	var r struct{ HTTP string }
	ts.Check(json.Unmarshal(raw, &r))
	return "http://" + r.HTTP
}

func await(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) == 0 {
		ts.Fatalf("usage: await up | await PATTERN COMMAND...")
	}
	deadline := time.Now().Add(patience)
	if args[0] == "up" {
		for {
			if a := address(ts); a != "" {
				res, err := http.Get(a + "/readyz")
				if err == nil {
					res.Body.Close()
					if res.StatusCode == 200 {
						return
					}
				}
			}
			if time.Now().After(deadline) {
				ts.Fatalf("weir is not ready after %s", patience)
			}
			time.Sleep(10 * time.Millisecond)
		}
	}
	want, err := regexp.Compile(args[0])
	ts.Check(err)
	for {
		err := ts.Exec(args[1], args[2:]...)
		out := ts.ReadFile("stdout")
		if err == nil && want.MatchString(out) {
			return
		}
		if time.Now().After(deadline) {
			ts.Fatalf("no output like %q after %s; the last was:\n%s%s", args[0], patience, out, ts.ReadFile("stderr"))
		}
		time.Sleep(50 * time.Millisecond)
	}
}

func httpVerb(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 3 || len(args) > 4 {
		ts.Fatalf("usage: http METHOD PATH STATUS [BODY]")
	}
	status, err := strconv.Atoi(args[2])
	ts.Check(err)
	body := ""
	if len(args) == 4 {
		if body = args[3]; strings.HasPrefix(body, "@") {
			body = ts.ReadFile(body[1:])
		}
	}
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, args[0], address(ts)+args[1], strings.NewReader(body))
	ts.Check(err)
	res, err := http.DefaultClient.Do(req)
	ts.Check(err)
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	ts.Check(err)
	fmt.Fprint(ts.Stdout(), string(text))
	if res.StatusCode != status {
		ts.Fatalf("%s %s: %d, want %d\n%s", args[0], args[1], res.StatusCode, status, text)
	}
}
