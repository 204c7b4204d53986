package main

import (
	"bytes"
	"context"
	"errors"
	"io"
	"mime"
	"net/http"
	"time"

	"github.com/stile-oauth/stile/fsm"
	"github.com/stile-oauth/stile/httpdriver"
	"github.com/stile-oauth/stile/httpdriver/version"
	"github.com/stile-oauth/stile/states/wire"
)

// answer is how the MCP server answered one HTTP request.
type answer struct {
	method     string
	status     int
	media      string // the media type, in lower case
	retryAfter string
	needsTLS   bool   // the server said that it requires TLS
	location   string // the target of a redirect, without its query, which may be private
	sameOrigin bool   // the target is at the server's own origin
}

// exchanges sits between the MCP client of the SDK and the driver. The SDK wraps
// or drops the reason of a failure, so exchanges remembers it: the first failure
// of authorization, and the last answer of the server.
type exchanges struct {
	next    http.RoundTripper
	c       *client
	session context.Context
}

// closingTime is how long the last requests of a session may take. With them the SDK
// ends the session at the server. Nobody waits for that after Ctrl-C, or if the server
// has not answered.
const closingTime = 250 * time.Millisecond

func (x *exchanges) RoundTrip(r *http.Request) (*http.Response, error) {
	r = r.Clone(r.Context())
	if r.Header.Get("User-Agent") == "" {
		r.Header.Set("User-Agent", version.Get().UserAgent())
	}
	if x.session.Err() != nil {
		ctx, cancel := context.WithTimeout(r.Context(), closingTime)
		time.AfterFunc(closingTime, cancel)
		r = r.WithContext(ctx)
	} else {
		x.c.patience.moved(false)
	}
	resp, err := x.next.RoundTrip(r)
	if err == nil {
		x.answered(r, resp)
		return resp, nil
	}
	_, fault := fsm.FaultOf(err)
	fault = fault || errors.Is(err, httpdriver.ErrOutside) || errors.Is(err, httpdriver.ErrNotReplayable)
	x.c.mu.Lock()
	defer x.c.mu.Unlock()
	if fault && x.c.fault == nil {
		x.c.fault = err
	}
	if !fault && x.session.Err() == nil {
		x.c.unreachable = err
	}
	return resp, err
}

// answered remembers an answer. Those that end a session say nothing about the
// server.
func (x *exchanges) answered(r *http.Request, resp *http.Response) {
	if r.Method == http.MethodDelete {
		return
	}
	a := answer{method: r.Method, status: resp.StatusCode, retryAfter: wire.Clean(resp.Header.Get("Retry-After"), 60)}
	if media, _, err := mime.ParseMediaType(resp.Header.Get("Content-Type")); err == nil {
		a.media = wire.Clean(media, 100)
	}
	if to, err := resp.Location(); err == nil && resp.StatusCode/100 == 3 {
		a.location = wire.Clean(to.Scheme+"://"+to.Host+to.EscapedPath(), 300)
		a.sameOrigin = sameOrigin(a.location, x.c.server) != ""
	}
	if resp.StatusCode == http.StatusBadRequest && r.URL.Scheme == "http" {
		a.needsTLS = mentionsHTTPS(resp)
	}
	x.c.mu.Lock()
	defer x.c.mu.Unlock()
	x.c.answer, x.c.unreachable = a, nil
	x.c.sse = x.c.sse || a.method == http.MethodGet && a.status == http.StatusOK && a.media == "text/event-stream"
	if a.location != "" && x.c.redirect.location == "" {
		x.c.redirect = a
	}
}

// mentionsHTTPS searches the beginning of a body for what web servers answer to a
// plain request at a TLS port, and puts the beginning back.
func mentionsHTTPS(resp *http.Response) bool {
	start, _ := io.ReadAll(io.LimitReader(resp.Body, 512))
	resp.Body = struct {
		io.Reader
		io.Closer
	}{io.MultiReader(bytes.NewReader(start), resp.Body), resp.Body}
	return bytes.Contains(start, []byte("HTTPS"))
}
