package main

import (
	"context"
	"errors"
	"sync"
	"time"
)

// errNoAnswer says that the MCP server did not answer in time.
var errNoAnswer = errors.New("the MCP server did not answer")

// patience ends a context when nothing has happened for a while: no request was sent
// to the MCP server, and no login made a step. The command is then waiting for the
// server, either for an HTTP answer or for an answer in a stream. A login under way
// stops the clock, because it has its own limits and waits for the user.
type patience struct {
	span time.Duration // 0 waits forever
	end  context.CancelCauseFunc

	mu      sync.Mutex
	timer   *time.Timer
	logging bool // a login, or a refresh, is under way
}

// waiting gives the context of a session with the MCP server.
func (p *patience) waiting(ctx context.Context) context.Context {
	ctx, p.end = context.WithCancelCause(ctx)
	p.moved(false)
	return ctx
}

// moved says that something happened: the clock starts again.
func (p *patience) moved(logging bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.end == nil || p.span <= 0 {
		return
	}
	p.logging = logging
	if p.timer == nil {
		p.timer = time.AfterFunc(p.span, p.over)
	} else {
		p.timer.Reset(p.span)
	}
}

func (p *patience) over() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.logging {
		p.end(errNoAnswer)
	}
}

// stop ends the wait.
func (p *patience) stop() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.timer != nil {
		p.timer.Stop()
	}
	if p.end != nil {
		p.end(nil)
		p.end = nil
	}
}
