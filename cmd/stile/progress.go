package main

import (
	"fmt"
	"time"
)

// progressEvery is the time between two updates of a progress line.
const progressEvery = 100 * time.Millisecond

// progress is a line on a terminal that says how far a command has got. Each update
// overwrites it. If the output is not a terminal, nothing is printed.
type progress struct {
	a     *app
	last  time.Time
	shown bool
}

// to updates the line, unless it was updated a moment ago.
func (p *progress) to(format string, args ...any) {
	if !p.a.tty.err || p.a.json || time.Since(p.last) < progressEvery {
		return
	}
	p.last, p.shown = time.Now(), true
	text := fmt.Sprintf(format, args...)
	if w := p.a.width(); len(text) > w-1 {
		text = text[:w-1]
	}
	p.a.note("\r\x1b[K%s", text)
}

// end removes the line.
func (p *progress) end() {
	if p.shown {
		p.a.note("\r\x1b[K")
		p.shown = false
	}
}
