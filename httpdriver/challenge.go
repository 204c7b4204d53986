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

// hello is the first request of an MCP client. A login that a user asks for sends it
// without a token, to get the server's challenge. The challenge names the scopes, and
// may be the only place that names the address of the metadata.
const hello = `{"jsonrpc":"2.0","id":1,"method":"initialize","params":{"protocolVersion":"2025-11-25","capabilities":{},"clientInfo":{"name":"stile","version":"1"}}}`

// mostChallenge bounds the wait for the server's challenge.
const mostChallenge = 10 * time.Second

// inquiry is a request for the server's challenge. All callers that need the challenge
// at the same time share it.
type inquiry struct {
	cancel    context.CancelFunc
	done      chan struct{}
	challenge *states.Challenged // to be read after done
}

// serversChallenge asks the server for its challenge. It is nil if the server gives
// none because it answers without a login, or not at all; the login then uses what is
// stored or discovered. Nothing is asked while a login is under way, or with
// Options.Send, because the driver then has no connection to the server itself.
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

// inquire sends hello, and ends the session if the server began one.
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
	_ = contain("Options.WrapTransport", func() (err error) {
		resp, err = s.d.guard.Transport().RoundTrip(req)
		return err
	})
	return resp // nil if there is none
}
