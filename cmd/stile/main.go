// Stile logs in to protected MCP servers and uses them. It is the command line
// of package httpdriver, the OAuth 2.1 client of MCP authorization 2026-07-28
// and the three revisions before it.
//
//	stile demo
//	stile login https://mcp.example/mcp
//	stile call https://mcp.example/mcp get_time '{"zone":"UTC"}'
//
// The command guarantees: no secret appears in an argument, an error, a trace
// or a table; nothing that a server wrote reaches the terminal unescaped; the
// exit status says whose fault a failure is (exit.go).
package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"

	"github.com/mattn/go-isatty"
)

func main() {
	stopping := []os.Signal{os.Interrupt, syscall.SIGTERM}
	if !signal.Ignored(syscall.SIGHUP) { // under nohup it stays ignored
		stopping = append(stopping, syscall.SIGHUP)
	}
	ctx, stop := signal.NotifyContext(context.Background(), stopping...)
	context.AfterFunc(ctx, stop) // a second signal ends the process at once
	code := run(ctx, os.Args[1:], &app{
		in: os.Stdin, out: os.Stdout, err: os.Stderr, getenv: os.Getenv, terminal: isTerminal, columns: columns,
	})
	stop()
	os.Exit(code)
}

func isTerminal(stream any) bool {
	f, ok := stream.(*os.File)
	return ok && isatty.IsTerminal(f.Fd())
}
