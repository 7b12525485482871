package plugintest

import (
	"bytes"
	"context"
	"fmt"

	"github.com/weir-ml/weir/host/plugin"
	"github.com/weir-ml/weir/sdk/abi"
)

// summary is what a metric ends with.
type summary struct {
	state  []byte
	scores []abi.Score
}

func summarise(ctx context.Context, m *plugin.Metric) (s summary, err error) {
	if s.state, err = m.State(ctx); err != nil {
		return s, err
	}
	s.scores, err = m.Finish(ctx)
	return s, err
}

// differ compares two summaries; a tolerance above 0 leaves the states alone.
func (s summary) differ(want summary, tolerance float64) string {
	if len(s.scores) != len(want.scores) {
		return fmt.Sprintf("got %d scores, want %d", len(s.scores), len(want.scores))
	}
	for i, w := range want.scores {
		g := s.scores[i]
		switch {
		case g.Column != w.Column || g.Name != w.Name || g.Note != w.Note:
			return fmt.Sprintf("score %d: got %s, want %s", i, document(g), document(w))
		case (g.Value == nil) != (w.Value == nil) || g.Value != nil && !within(*g.Value, *w.Value, tolerance):
			return fmt.Sprintf("score %d (%q of column %q): got %s, want %s", i, w.Name, w.Column, optional(g.Value), optional(w.Value))
		case tolerance == 0 && document(g.Detail) != document(w.Detail):
			return fmt.Sprintf("score %d (%q of column %q): got the detail %s, want %s", i, w.Name, w.Column, document(g.Detail), document(w.Detail))
		}
	}
	if tolerance == 0 && !bytes.Equal(s.state, want.state) {
		return fmt.Sprintf("the scores agree, the states do not: got %d bytes %s, want %d bytes %s", len(s.state), hexCut(s.state), len(want.state), hexCut(want.state))
	}
	return ""
}

func hexCut(b []byte) string { return cut(fmt.Sprintf("%x", b)) }

// merges splits both sides at random, deals the pieces to some summaries, and merges these in a random tree.
func (t *trial) merges() (string, error) {
	p, err := t.open(instances)
	if err != nil {
		return "", err
	}
	defer p.Close()
	got, err := t.ask(p)
	if err != nil {
		return "", err
	}
	want := got.(summary)
	for n := range trials {
		how, err := t.split(p, want)
		if err != nil {
			return "", fmt.Errorf("split %d (%s): %w", n+1, how, err)
		}
	}
	return fmt.Sprintf("%d random splits and merge trees of %d and %d rows", trials, t.c.Reference.Rows, t.c.Current.Rows), nil
}

// piece is some rows of one side.
type piece struct {
	side abi.Side
	rows *abi.Batch
}

func (t *trial) split(p *plugin.Plugin, want summary) (how string, err error) {
	var todo []piece
	for side, b := range []*abi.Batch{t.c.Reference, t.c.Current} {
		most := 1 + t.random.IntN(max(b.Rows, 1))
		for from := 0; from < b.Rows; {
			to := min(from+t.random.IntN(most+1), b.Rows) // a piece of no rows is one, too
			if b.Rows-from > 200*most {
				to = from + b.Rows/20 // not thousands of calls
			}
			todo = append(todo, piece{abi.Side(side), b.Slice(from, to)})
			from = to
		}
	}
	t.random.Shuffle(len(todo), func(i, j int) { todo[i], todo[j] = todo[j], todo[i] })
	parts := make([]*plugin.Metric, 1+t.random.IntN(instances-1))
	how = fmt.Sprintf("%d pieces in %d summaries", len(todo), len(parts))
	defer func() {
		for _, m := range parts {
			if m != nil {
				m.Close()
			}
		}
	}()
	for i := range parts {
		if parts[i], err = p.Metric(t.ctx); err != nil {
			return how, err
		}
	}
	for _, x := range todo {
		m := parts[t.random.IntN(len(parts))]
		if err := m.Update(t.ctx, x.side, x.rows); err != nil {
			return how, err
		}
		if t.random.IntN(4) == 0 { // looking must not change anything
			if _, err := summarise(t.ctx, m); err != nil {
				return how, err
			}
		}
	}
	for len(parts) > 1 {
		last := len(parts) - 1
		from := t.random.IntN(len(parts))
		parts[from], parts[last] = parts[last], parts[from]
		state, err := parts[last].State(t.ctx)
		if err == nil {
			err = parts[t.random.IntN(last)].Merge(t.ctx, state)
		}
		if err != nil {
			return how, err
		}
		parts[last].Close()
		parts = parts[:last]
	}
	got, err := summarise(t.ctx, parts[0])
	if err != nil {
		return how, err
	}
	if d := got.differ(want, t.c.MergeTolerance); d != "" {
		return how, fmt.Errorf("one summary of all rows answers otherwise: %s", d)
	}
	return how, nil
}
