package httpdriver

import (
	"context"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/stile-oauth/stile/states"
	"github.com/stile-oauth/stile/states/wire"
)

// hello is the first request of an MCP client. A login that somebody asks for
// sends it without a token, to hear what the server wants: its challenge names
// the scopes, and may alone name where its metadata is.
const hello = `{"jsonrpc":"2.0","id":1,"method":"initialize","params":{"protocolVersion":"2025-11-25","capabilities":{},"clientInfo":{"name":"stile","version":"1"}}}`

// mostChallenge bounds the wait for the server's challenge.
const mostChallenge = 10 * time.Second

// inquiry is the question what the server's challenge is. All who ask meanwhile
// share it.
type inquiry struct {
	cancel    context.CancelFunc
	done      chan struct{}
	challenge *states.Challenged // to be read after done
}

// serversChallenge asks the server for its challenge; nil when it gives none: it
// answers without a login, or not at all, and the login goes by what is stored
// or found out. Nothing is asked where a login is under way, and with
// Options.Send, where the driver has no way to the server itself.
func (s *session) serversChallenge(ctx context.Context) *states.Challenged {
	s.mu.Lock()
	n := len(s.runs)
	if s.d.o.Send != nil || n > 0 && (s.runs[n-1].shared.login || s.runs[n-1].want.login) {
		s.mu.Unlock()
		return nil
	}
	q := s.inquiry
	if q == nil {
		if !s.d.sessions.enter(&s.d.work) {
			s.mu.Unlock()
			return nil
		}
		asking, cancel := context.WithTimeout(context.Background(), mostChallenge)
		q = &inquiry{cancel: cancel, done: make(chan struct{})}
		s.inquiry = q
		go func() {
			defer s.d.work.Done()
			defer cancel()
			q.challenge = s.inquire(asking)
			s.mu.Lock()
			s.inquiry = nil
			s.mu.Unlock()
			close(q.done)
		}()
	}
	s.mu.Unlock()
	select {
	case <-q.done:
		return q.challenge
	case <-ctx.Done():
		return nil
	}
}

// inquire sends hello, and ends what it began where the server took it.
func (s *session) inquire(ctx context.Context) *states.Challenged {
	resp := s.bare(ctx, http.MethodPost, hello, "")
	if resp == nil {
		return nil
	}
	drop(resp.Body)
	if id := resp.Header.Get("Mcp-Session-Id"); id != "" && resp.StatusCode < 300 {
		if gone := s.bare(ctx, http.MethodDelete, "", id); gone != nil {
			drop(gone.Body)
		}
	}
	if resp.StatusCode != http.StatusUnauthorized && resp.StatusCode != http.StatusForbidden {
		return nil
	}
	return &states.Challenged{Response: wire.Response{Status: resp.StatusCode, Header: fields(resp.Header)}}
}

// bare sends one request without a token to the server of the account.
func (s *session) bare(ctx context.Context, method, body, session string) *http.Response {
	var content io.Reader
	if body != "" {
		content = strings.NewReader(body)
	}
	req, err := http.NewRequestWithContext(ctx, method, s.account.Server, content)
	if err != nil {
		return nil
	}
	req.Header.Set("Accept", "application/json, text/event-stream")
	if body != "" {
		req.Header.Set("Content-Type", "application/json")
	}
	if session != "" {
		req.Header.Set("Mcp-Session-Id", session)
	}
	var resp *http.Response
	if err := contain("Options.WrapTransport", func() (err error) {
		resp, err = s.d.guard.Transport().RoundTrip(req)
		return err
	}); err != nil {
		return nil
	}
	return resp
}
