package demo

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// host is a weir process of its own, so that the demo can kill it like a power cut would.
type host struct {
	binary string
	data   string
	cmd    *exec.Cmd
	exited chan struct{}
	err    error // of Wait, after exited

	HTTP, GRPC string        // addresses
	Ready      time.Duration // from start to the ready line
	log        string        // file; a pipe would break when the demo ends before the host
	detached   bool          // outlives the demo
}

// tail is the last n bytes of the process's log.
func (h *host) tail(n int) string {
	raw, _ := os.ReadFile(h.log) // an unreadable log has nothing to say
	return string(raw[max(0, len(raw)-n):])
}

// start runs `weir up` on the data folder and waits for its ready line.
func (h *host) start(ctx context.Context) error {
	log, err := os.OpenFile(h.log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	defer log.Close()
	h.cmd = exec.Command(h.binary, "up", "--data", h.data, "--http", h.addr(h.HTTP), "--grpc", h.addr(h.GRPC))
	h.cmd.Stderr = log
	if h.detached {
		h.cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true} // the terminal's Ctrl-C is not for it
	} else {
		h.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL} // no orphan when the demo itself is killed
	}
	out, err := h.cmd.StdoutPipe()
	if err != nil {
		return err
	}
	began := time.Now()
	if err := h.cmd.Start(); err != nil {
		return fmt.Errorf("start %s: %w", h.binary, err)
	}
	h.exited = make(chan struct{})
	line := make(chan string, 1)
	go func() {
		s := bufio.NewScanner(out)
		if s.Scan() {
			line <- s.Text()
		}
		for s.Scan() { // keep the pipe empty
		}
		h.err = h.cmd.Wait()
		close(h.exited)
	}()
	select {
	case l := <-line:
		h.Ready = time.Since(began)
		var ready struct{ Event, HTTP, GRPC string }
		if err := json.Unmarshal([]byte(l), &ready); err != nil || ready.Event != "ready" {
			return errors.Join(fmt.Errorf("weir up printed %q instead of its ready line", l), h.kill())
		}
		h.HTTP, h.GRPC = ready.HTTP, ready.GRPC
		return nil
	case <-h.exited:
		return fmt.Errorf("weir up ended before it was ready (%w)\n%s", h.err, h.tail(2000))
	case <-ctx.Done():
		return errors.Join(ctx.Err(), h.kill())
	case <-time.After(20 * time.Second):
		return errors.Join(fmt.Errorf("weir up was not ready after 20 s\n%s", h.tail(2000)), h.kill())
	}
}

// addr keeps the first run's port, so that a restarted host is found where it was.
func (h *host) addr(last string) string {
	if last == "" {
		return "127.0.0.1:0"
	}
	return last
}

// kill ends the process as a power cut would, and waits until it is gone.
func (h *host) kill() error {
	err := h.cmd.Process.Kill()
	<-h.exited
	return err
}

// stop asks the process to drain and waits; it reports an unclean end.
func (h *host) stop() error {
	select {
	case <-h.exited:
		return nil
	default:
	}
	if err := h.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		return err
	}
	select {
	case <-h.exited:
		return h.err
	case <-time.After(15 * time.Second):
		return errors.Join(fmt.Errorf("weir up did not drain within 15 s"), h.kill())
	}
}

// residentMB reads the process's resident memory in megabytes (10^6 bytes); 0 where /proc has none.
func (h *host) residentMB() float64 {
	raw, err := os.ReadFile(filepath.Join("/proc", strconv.Itoa(h.cmd.Process.Pid), "status"))
	if err != nil {
		return 0
	}
	for line := range strings.Lines(string(raw)) {
		if rest, ok := strings.CutPrefix(line, "VmRSS:"); ok {
			kb, _ := strconv.ParseFloat(strings.Fields(rest)[0], 64)
			return kb * 1024 / 1e6
		}
	}
	return 0
}
