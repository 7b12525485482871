package plugin

import (
	"log/slog"
	"sync"
	"time"
)

// logLineBytes cuts what guests print.
const logLineBytes = 512

// guestLog takes what the instances of one pool print, cuts it and lets through only so much a second.
type guestLog struct {
	log       *slog.Logger
	now       func() time.Time
	perSecond int

	mu      sync.Mutex
	window  time.Time
	written int
	dropped int
}

// Write logs p as one record. It never fails: a guest must not learn what the host does with its words.
func (g *guestLog) Write(p []byte) (int, error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	now := g.now()
	if now.Sub(g.window) >= time.Second {
		if g.dropped > 0 {
			g.log.Debug("plugin output dropped", "records", g.dropped)
		}
		g.window, g.written, g.dropped = now, 0, 0
	}
	if g.written >= g.perSecond {
		g.dropped++
		return len(p), nil
	}
	g.written++
	g.log.Debug("plugin output", "text", printable(p[:min(len(p), logLineBytes)]))
	return len(p), nil
}
