// Package httpdtest runs an httpd.Server on a free loopback port for the tests of the edge rooms. Read this one file.
package httpdtest

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"testing"

	"go.uber.org/goleak"

	"github.com/weir-ml/weir/host/edge/httpd"
)

// Start serves what add registers until the test ends, and returns the server and its URL without a last slash.
func Start(t testing.TB, o httpd.Options, add func(*httpd.Server)) (*httpd.Server, string) {
	t.Helper()
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	s := httpd.New(o)
	add(s)
	if err := s.Listen("127.0.0.1:0"); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- s.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := errors.Join(<-done, s.Close()); err != nil {
			t.Error(err)
		}
		http.DefaultClient.CloseIdleConnections()
	})
	return s, "http://" + s.Addr()
}

// Leaks are fasthttp's and fiber's goroutines that outlive a server by design: two clocks that run for the life of the
// process, and each server's worker cleaner, which sleeps up to 10 s before it sees that it is no longer wanted.
func Leaks() []goleak.Option {
	return []goleak.Option{
		goleak.IgnoreAnyFunction("github.com/valyala/fasthttp.updateServerDate.func1"),
		goleak.IgnoreAnyFunction("github.com/gofiber/fiber/v2/utils.StartTimeStampUpdater.func1"),
		goleak.IgnoreAnyFunction("github.com/gofiber/fiber/v2/utils.StartTimeStampUpdater.func1.1"),
		goleak.IgnoreAnyFunction("github.com/valyala/fasthttp.(*workerPool).Start.func2"),
	}
}
