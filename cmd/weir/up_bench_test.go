package main

import (
	"bufio"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"
)

// BenchmarkUp starts the program on an empty folder, again and again. It reports the time from the start of the process to
// its ready line (ms) and its resident memory then (MB, 10⁶ bytes); both have goals: 300 ms and 120 MB.
func BenchmarkUp(b *testing.B) {
	self, err := os.Executable()
	if err != nil {
		b.Fatal(err)
	}
	var ready, resident float64
	for b.Loop() {
		up := &exec.Cmd{Path: self, Args: []string{"weir", "up", "--data", filepath.Join(b.TempDir(), "data"), "--http", "127.0.0.1:0", "--grpc", "127.0.0.1:0"}}
		out, err := up.StdoutPipe()
		if err != nil {
			b.Fatal(err)
		}
		began := time.Now()
		if err := up.Start(); err != nil {
			b.Fatal(err)
		}
		if line, err := bufio.NewReader(out).ReadString('\n'); err != nil || !strings.Contains(line, `"ready"`) {
			b.Fatalf("weir up said %q: %v", line, err)
		}
		ready += float64(time.Since(began).Microseconds()) / 1000
		resident += residentMB(b, up.Process.Pid)
		if err := up.Process.Signal(os.Interrupt); err != nil {
			b.Fatal(err)
		}
		if err := up.Wait(); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(ready/float64(b.N), "ready-ms")
	b.ReportMetric(resident/float64(b.N), "resident-MB")
}

func residentMB(b *testing.B, pid int) float64 {
	raw, err := os.ReadFile(filepath.Join("/proc", strconv.Itoa(pid), "status"))
	if err != nil {
		b.Skip("no /proc here: resident memory is not measured")
	}
	for line := range strings.Lines(string(raw)) {
		if rest, ok := strings.CutPrefix(line, "VmRSS:"); ok {
			kb, err := strconv.ParseFloat(strings.Fields(rest)[0], 64)
			if err != nil {
				b.Fatal(err)
			}
			return kb * 1024 / 1e6
		}
	}
	b.Fatal("no VmRSS in /proc")
	return 0
}
