package app

import (
	"bufio"
	"context"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/weir-ml/weir/host/edge/rest"
	"github.com/weir-ml/weir/host/schema"
)

const pusherEnv = "WEIR_TEST_PUSHER_DIR"

// pusher is the child of TestKillNine: it pushes, rolls back and moves an alias until it is killed, and says each
// acknowledged push on a line: "acked NAME VERSION DIGEST".
func pusher(dir string) error {
	a, err := New(context.Background(), settings(dir), Options{Version: "test"}, slog.New(slog.DiscardHandler))
	if err != nil {
		return err
	}
	go func() { // the parent is gone
		_, _ = bufio.NewReader(os.Stdin).ReadByte()
		os.Exit(1)
	}()
	ctx := context.Background()
	for {
		name := []string{"p", "q"}[rand.IntN(2)]
		wasm := variant(rand.Uint64N(60))
		info, err := a.life().Push(ctx, rest.PluginPush{Name: name}, wasm)
		if err != nil {
			return err
		}
		fmt.Printf("acked %s %d %s\n", name, info.Version, schema.DigestOf(wasm))
		if rand.IntN(3) == 0 && info.Version > 1 {
			if _, err := a.life().Rollback(ctx, name, "1"); err != nil {
				return err
			}
		}
		if rand.IntN(3) == 0 {
			if _, err := a.life().SetAlias(ctx, name, "prod", "current"); err != nil {
				return err
			}
		}
	}
}

// TestKillNine kills a host that pushes at random moments. Every acknowledged version is there afterwards, under the number
// that was told; numbers have no gaps; resource and catalogue agree.
func TestKillNine(t *testing.T) {
	dir := t.TempDir()
	acked := map[string]string{} // name@version → digest
	rounds := 6
	if testing.Short() {
		rounds = 2
	}
	for round := range rounds {
		n := killPusher(t, dir, acked)
		a := open(t, dir)
		for _, name := range []string{"p", "q"} {
			if _, ok := a.catalog.versions.Plugin(name); ok {
				checkLife(t, a, name)
			}
		}
		for ref, digest := range acked {
			if r, err := a.catalog.resolve(ref); err != nil || r.digest != digest {
				t.Errorf("round %d: %s is %s (%v), acknowledged as %s", round, ref, r.digest, err, digest)
			}
		}
		if err := a.Close(); err != nil {
			t.Error(err)
		}
		if t.Failed() {
			t.Fatalf("round %d, %d pushes acknowledged in it", round, n)
		}
	}
	t.Logf("%d rounds, %d versions acknowledged", rounds, len(acked))
}

// killPusher runs one child, kills it after a random number of acknowledgements, and returns their number.
func killPusher(t *testing.T, dir string, acked map[string]string) (n int) {
	t.Helper()
	cmd := exec.Command(os.Args[0], "-test.run=^$")
	cmd.Env = append(os.Environ(), pusherEnv+"="+dir)
	cmd.Stderr = os.Stderr
	stdin, err := cmd.StdinPipe() // its end tells the child that the parent is gone
	if err != nil {
		t.Fatal(err)
	}
	defer stdin.Close()
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	target := 1 + rand.IntN(12)
	lines := bufio.NewReader(out)
	for {
		line, err := lines.ReadString('\n') // a line without its end is no acknowledgement
		if err != nil {
			break
		}
		f := strings.Fields(line)
		if len(f) != 4 || f[0] != "acked" {
			t.Errorf("child: %s", line)
			break
		}
		ref := f[1] + "@" + f[2]
		if old, told := acked[ref]; told && old != f[3] {
			t.Errorf("%s was acknowledged as %s, now as %s", ref, old, f[3])
		}
		acked[ref] = f[3]
		if n++; n == target {
			time.AfterFunc(time.Duration(rand.IntN(30))*time.Millisecond, func() { _ = cmd.Process.Kill() })
		}
	}
	_ = cmd.Process.Kill() // it may have ended by itself, which the counts show
	_ = cmd.Wait()
	if n == 0 {
		t.Fatal("the child ended before it acknowledged anything")
	}
	return n
}
