// Command weir is the whole of weir: the server and the tool that talks to it.
//
// main only delegates; a command is flags, one call of the client and a table. Read root.go for how commands share their
// server, output and errors, then the file of a command.
package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"
)

// version is set by the linker.
var version = "dev"

func main() { os.Exit(mainCode()) }

func mainCode() int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	context.AfterFunc(ctx, stop) // a second signal kills at once
	return run(ctx, os.Args[1:], os.Stdin, os.Stdout, os.Stderr)
}
