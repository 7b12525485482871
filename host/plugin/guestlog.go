package plugin

import (
	"context"
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
	g.record(slog.LevelDebug, p)
	return len(p), nil
}

// record logs a guest's text, or drops it. A nil log drops all.
func (g *guestLog) record(level slog.Level, text []byte, attrs ...any) {
	if g == nil {
		return
	}
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
		return
	}
	g.written++
	g.log.Log(context.Background(), level, "plugin output", append(attrs, "text", printable(text[:min(len(text), logLineBytes)]))...)
}
