package httpd

import (
	"errors"
	"io"
	"net"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// listener hands out conns and remembers the open ones.
type listener struct {
	net.Listener
	mu   sync.Mutex
	open map[*conn]struct{}
}

func (l *listener) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	w := &conn{Conn: c, from: l}
	if s, ok := c.(syscall.Conn); ok {
		w.raw, _ = s.SyscallConn() // nil: the client's leaving goes unseen, deadlines still hold
	}
	l.mu.Lock()
	l.open[w] = struct{}{}
	l.mu.Unlock()
	return w, nil
}

func (l *listener) conns() []*conn {
	l.mu.Lock()
	defer l.mu.Unlock()
	out := make([]*conn, 0, len(l.open))
	for c := range l.open {
		out = append(out, c)
	}
	return out
}

// conn is one connection. fasthttp tells a handler neither that its client left nor that a body broke off between two
// chunks; conn sees both.
type conn struct {
	net.Conn
	from  *listener
	raw   syscall.RawConn
	call  atomic.Pointer[Call] // the request in work, or nil
	began atomic.Bool          // bytes have come
	ended atomic.Bool          // a read met the end of the stream
	once  sync.Once
	err   error
}

func (c *conn) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	if n > 0 {
		c.began.Store(true)
	}
	if errors.Is(err, io.EOF) {
		c.ended.Store(true)
	}
	return n, err
}

// fasthttp panics when a deadline cannot be set, which a connection that the drain has closed refuses. Its next read or
// write fails anyway.
func (c *conn) SetReadDeadline(t time.Time) error  { return unlessClosed(c.Conn.SetReadDeadline(t)) }
func (c *conn) SetWriteDeadline(t time.Time) error { return unlessClosed(c.Conn.SetWriteDeadline(t)) }
func (c *conn) SetDeadline(t time.Time) error      { return unlessClosed(c.Conn.SetDeadline(t)) }

func unlessClosed(err error) error {
	if errors.Is(err, net.ErrClosed) {
		return nil
	}
	return err
}

func (c *conn) Close() error {
	c.once.Do(func() {
		c.from.mu.Lock()
		delete(c.from.open, c)
		c.from.mu.Unlock()
		c.err = c.Conn.Close()
	})
	return c.err
}

// gone peeks at the socket without taking a byte from it: the peer has closed or reset it.
func (c *conn) gone() bool {
	if c.raw == nil {
		return false
	}
	gone := false
	err := c.raw.Control(func(fd uintptr) {
		var b [1]byte
		n, _, err := unix.Recvfrom(int(fd), b[:], unix.MSG_PEEK|unix.MSG_DONTWAIT)
		gone = err == nil && n == 0 || errors.Is(err, unix.ECONNRESET)
	})
	return gone || err != nil
}
