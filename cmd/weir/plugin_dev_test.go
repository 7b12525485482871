package main

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/weir-ml/weir/sdk/scaffold"
)

// spy is an output that a test may read meanwhile.
type spy struct {
	mu   sync.Mutex
	text strings.Builder
}

func (s *spy) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.text.Write(p)
}

func (s *spy) await(t *testing.T, want string) {
	t.Helper()
	for deadline := time.Now().Add(patience); ; time.Sleep(5 * time.Millisecond) {
		s.mu.Lock()
		text := s.text.String()
		s.mu.Unlock()
		if strings.Contains(text, want) {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("no %q after %s in:\n%s", want, patience, text)
		}
	}
}

// TestDevSurvives: what does not compile, fails its tests, or is no project any more is said, and the next good state is built.
// testdata/script/plugin-dev.txtar pushes to a server.
func TestDevSurvives(t *testing.T) {
	shareCaches(t)
	dir := filepath.Join(t.TempDir(), "p")
	if _, err := scaffold.Write(dir, scaffold.Options{Name: "p", Language: "c", World: "transform"}); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	var out, messages spy
	done := make(chan int, 1)
	go func() {
		done <- run(ctx, []string{"plugin", "dev", dir, "--local"}, strings.NewReader(""), &out, &messages)
	}()
	out.await(t, "start: built in ")
	out.await(t, "24 checks in ")

	source := filepath.Join(dir, "plugin.c")
	good, err := os.ReadFile(source)
	if err != nil {
		t.Fatal(err)
	}
	write := func(file, text string) {
		t.Helper()
		if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	write(source, string(good)+"\nthis is no C\n")
	out.await(t, "plugin.c: p does not compile: the compiler ended with exit status 1\n")
	messages.await(t, "error: unknown type name 'this'")
	write(source, strings.Replace(string(good), "x[i] * factor", "x[i] + factor", 1))
	out.await(t, "checks failed: not pushed\n")
	messages.await(t, `vectors of "doubles": column "x", row 0: got 3, want 2`)

	project := filepath.Join(dir, projectFile)
	write(project, "{")
	out.await(t, projectFile+": unexpected EOF")
	write(project, `{"name":"p","language":"c","source":"plugin.c"}`)
	// A folder that is new is watched, too.
	if err := os.Mkdir(filepath.Join(dir, "vectors"), 0o755); err != nil {
		t.Fatal(err)
	}
	write(filepath.Join(dir, "vectors.json"), `[{"name":"a","parameters":1,"error":"object"}]`)
	write(source, string(good)+"/* back */\n")
	out.await(t, ", 1 checks in ")
	write(filepath.Join(dir, "vectors", "vectors.json"), `[{"name":"b","parameters":2,"error":"object"}]`)
	out.await(t, ", 2 checks in ")

	cancel()
	if code := <-done; code != 0 {
		t.Errorf("exit %d", code)
	}
}
