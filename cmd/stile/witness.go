package main

import (
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/stile-oauth/stile/fsm"
	"github.com/stile-oauth/stile/httpdriver"
)

// witness remembers the first failure below the MCP client, which wraps, or
// loses, what stopped it.
type witness struct {
	next    http.RoundTripper
	c       *client
	session context.Context
}

// parting is how long the MCP client's farewells may take once the session is
// over: it tells the server what is not wanted any more, and a server that was
// given up, or left by Control-C, is not waited for again.
const parting = 250 * time.Millisecond

func (w *witness) RoundTrip(r *http.Request) (*http.Response, error) {
	if w.session.Err() != nil {
		ctx, cancel := context.WithTimeout(r.Context(), parting)
		time.AfterFunc(parting, cancel)
		r = r.WithContext(ctx)
	} else {
		w.c.patience.moved(false)
	}
	resp, err := w.next.RoundTrip(r)
	if err == nil {
		w.c.redirected(resp)
		return resp, nil
	}
	_, fault := fsm.FaultOf(err)
	fault = fault || errors.Is(err, httpdriver.ErrOutside) || errors.Is(err, httpdriver.ErrNotReplayable)
	w.c.mu.Lock()
	defer w.c.mu.Unlock()
	if fault && w.c.fault == nil {
		w.c.fault = err
	}
	w.c.unreachable = w.c.unreachable || !fault
	return resp, err
}
