package main

import (
	"io"
	"runtime"

	"github.com/stile-oauth/stile/states/wire"
)

// colours reports whether to colour the output to a stream: only a terminal gets
// colours, and NO_COLOR (no-color.org) or TERM=dumb turn them off.
func (a *app) colours(w io.Writer) bool {
	if a.json || a.getenv("NO_COLOR") != "" || a.getenv("TERM") == "dumb" || !a.isTerminal(w) {
		return false
	}
	return runtime.GOOS != "windows" || a.getenv("WT_SESSION") != ""
}

// isTerminal reports whether standard output or standard error is a terminal.
func (a *app) isTerminal(w io.Writer) bool {
	if w == a.err {
		return a.tty.err
	}
	return a.tty.out
}

// paint colours text when it is true.
type paint bool

func (p paint) wrap(code, s string) raw {
	s = wire.Clean(s, maxShown)
	if !p {
		return raw(s)
	}
	return raw("\x1b[" + code + "m" + s + "\x1b[0m")
}

func (p paint) bold(s string) raw   { return p.wrap("1", s) }
func (p paint) dim(s string) raw    { return p.wrap("2", s) }
func (p paint) red(s string) raw    { return p.wrap("31", s) }
func (p paint) green(s string) raw  { return p.wrap("32", s) }
func (p paint) yellow(s string) raw { return p.wrap("33", s) }
func (p paint) cyan(s string) raw   { return p.wrap("36", s) }
