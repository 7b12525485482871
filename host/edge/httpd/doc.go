// Package httpd is the one HTTP server that every HTTP protocol of weir shares: listener, limits, deadlines, clients that
// went away, panics, access metrics, draining, and the table from error kinds to status codes.
//
// It knows no protocol's paths or bodies: those are the rooms beside it, which hand it Routes. Fiber (fasthttp) is its
// engine and stays in here; call.go says which of its traps a Call closes. Read call.go for what a handler sees, then server.go.
package httpd
