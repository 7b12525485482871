package demo

import (
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/schollz/progressbar/v3"
	"golang.org/x/term"
)

// printer writes the demo's report: steps, what each did, its figure, and where to look next.
type printer struct {
	w     io.Writer
	bars  bool // progress bars only on a terminal
	step  int
	began time.Time
	wrong []error // claims that did not hold
}

func newPrinter(w io.Writer) *printer {
	p := &printer{w: w, began: time.Now()}
	if f, ok := w.(interface{ Fd() uintptr }); ok {
		p.bars = term.IsTerminal(int(f.Fd()))
	}
	return p
}

func (p *printer) title(format string, args ...any) {
	p.step++
	fmt.Fprintf(p.w, "\n%d. %s\n", p.step, fmt.Sprintf(format, args...))
}

func (p *printer) say(format string, args ...any) {
	fmt.Fprintf(p.w, "   %s\n", fmt.Sprintf(format, args...))
}

// next says where to look.
func (p *printer) next(format string, args ...any) {
	fmt.Fprintf(p.w, "   → %s\n", fmt.Sprintf(format, args...))
}

// claim prints a checked statement; one that does not hold fails the demo in the end.
func (p *printer) claim(holds bool, format string, args ...any) {
	text, mark := fmt.Sprintf(format, args...), "✓"
	if !holds {
		mark = "✗"
		p.wrong = append(p.wrong, fmt.Errorf("step %d: %s", p.step, text))
	}
	fmt.Fprintf(p.w, "   %s %s\n", mark, text)
}

// verdict is nil when every claim held.
func (p *printer) verdict() error {
	if len(p.wrong) > 0 {
		return fmt.Errorf("%d claims do not hold: %w", len(p.wrong), errors.Join(p.wrong...))
	}
	return nil
}

// bar shows progress towards total while something is waited for; done removes it.
func (p *printer) bar(total int, what string) (set func(int), done func()) {
	if !p.bars {
		return func(int) {}, func() {}
	}
	b := progressbar.NewOptions(total, progressbar.OptionSetWriter(p.w), progressbar.OptionSetDescription("   "+what),
		progressbar.OptionSetWidth(30), progressbar.OptionShowCount(), progressbar.OptionClearOnFinish())
	return func(n int) { _ = b.Set(n) }, func() { _ = b.Finish() }
}
