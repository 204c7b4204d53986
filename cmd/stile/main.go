// Stile logs in to protected MCP servers and uses them: the command line of
// package httpdriver, which is the OAuth 2.1 client of MCP authorization
// 2026-07-28 and the three revisions before it.
//
//	stile demo                        the whole life of a login, on this machine
//	stile login https://mcp.example/mcp
//	stile call https://mcp.example/mcp get_time '{"zone":"UTC"}'
//
// What it guarantees: no secret in an argument, an error, a trace or a table;
// nothing that a server wrote reaches the terminal unescaped; the exit status
// says whose fault a failure is (exit.go).
package main

import (
	"context"
	"io"
	"os"
	"os/signal"
	"syscall"

	"github.com/mattn/go-isatty"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	code := run(ctx, os.Args[1:], &app{
		in: os.Stdin, out: os.Stdout, err: os.Stderr, getenv: os.Getenv, terminal: isTerminal,
	})
	stop()
	os.Exit(code)
}

func isTerminal(stream io.Writer) bool {
	f, ok := stream.(*os.File)
	return ok && isatty.IsTerminal(f.Fd())
}
