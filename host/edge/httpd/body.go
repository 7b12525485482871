package httpd

import (
	"bytes"
	"errors"
	"io"
	"net"
	"os"

	"github.com/weir-ml/weir/host/errs"
)

// body reads one request's body. fasthttp's own stream reports a body that broke off as complete, and reads into the next
// request after a chunked body's end; body does neither.
type body struct {
	r     io.Reader
	conn  *conn // or nil
	want  int   // Content-Length; -1 = chunked
	limit int64
	n     int64
	err   error // sticky
}

func (b *body) Read(p []byte) (int, error) {
	if b.err != nil {
		return 0, b.err
	}
	if left := b.limit - b.n + 1; int64(len(p)) > left {
		p = p[:left] // one more than the limit, to see that there is more
	}
	n, err := b.r.Read(p)
	b.n += int64(n)
	switch {
	case b.n > b.limit:
		n, err = n-1, tooLarge(b.limit)
	case errors.Is(err, io.EOF):
		if b.want >= 0 && b.n < int64(b.want) || b.want < 0 && b.conn != nil && b.conn.ended.Load() {
			err = errs.New(errs.Invalid, "the request's body broke off after %d bytes", b.n)
		} else {
			err = io.EOF
		}
	case errors.Is(err, os.ErrDeadlineExceeded):
		err = WithStatus(408, errs.New(errs.Timeout, "the request's body did not arrive in time"))
	case errors.Is(err, net.ErrClosed), errors.Is(err, io.ErrUnexpectedEOF):
		err = errs.New(errs.Invalid, "the request's body broke off after %d bytes", b.n)
	case err != nil:
		err = errs.New(errs.Invalid, "read the request's body: %w", err)
	}
	b.err = err
	return n, err
}

func tooLarge(limit int64) error {
	return WithStatus(413, errs.New(errs.Exhausted, "the request's body is larger than %d bytes", limit))
}

// all reads the rest; the result is the caller's own.
func (b *body) all() ([]byte, error) {
	if b.want >= 0 {
		if int64(b.want) > b.limit {
			b.err = tooLarge(b.limit)
			return nil, b.err
		}
		// The length is the client's claim: believe it as far as bytes arrive.
		buf := bytes.NewBuffer(make([]byte, 0, min(b.want, 1<<20)+bytes.MinRead))
		_, err := buf.ReadFrom(b)
		return buf.Bytes(), err
	}
	return io.ReadAll(b)
}

// drained reads away what the handler left, so that the connection can be used again; false: too much is left.
func (b *body) drained(most int64) bool {
	if errors.Is(b.err, io.EOF) {
		return true
	}
	if b.want >= 0 && int64(b.want)-b.n > most {
		return false
	}
	if b.err != nil && b.n <= b.limit && int64(b.want) <= b.limit {
		return false // the stream itself is broken
	}
	b.err, b.limit = nil, b.n+most
	_, err := io.Copy(io.Discard, b)
	return err == nil
}
