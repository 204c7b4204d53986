package httpdriver

import (
	"context"
	"errors"
	"net/http"
	"strings"

	"golang.org/x/oauth2"
)

// Handler has the shape of the go-sdk's auth.OAuthHandler, without importing
// it: give it to a transport that sets the Authorization header itself and
// calls Authorize on 401 and 403.
type Handler struct{ s *session }

// Handler gives the Handler of an account.
func (d *Driver) Handler(a Account) (*Handler, error) {
	s, err := d.session(a)
	if err != nil {
		return nil, err
	}
	return &Handler{s}, nil
}

// TokenSource gives a source of the held token. It is nil if no token is held, so that
// the request is sent without one. It begins no login.
func (h *Handler) TokenSource(ctx context.Context) (oauth2.TokenSource, error) {
	t, _, err := h.s.ready(ctx)
	if t == nil {
		return nil, err
	}
	if t.prover != nil {
		return nil, ErrBound
	}
	return oauth2.StaticTokenSource(t.oauth2()), nil
}

// Authorize takes a refusal to the machine. When it returns nil the request
// may be tried again. It closes the response's body.
func (h *Handler) Authorize(ctx context.Context, req *http.Request, resp *http.Response) error {
	defer drop(resp.Body)
	_, again, err := h.s.challenged(ctx, h.s.sentWith(req), nil, resp)
	if err == nil && !again {
		return errors.Join(ErrNotChallenged, errors.New(resp.Status))
	}
	return err
}

// sentWith finds the token that a request carried, by its header: the held token, or an
// older one, which only shows that the refusal is out of date.
func (s *session) sentWith(req *http.Request) *token {
	sent := req.Header.Get("Authorization")
	if sent == "" {
		return nil
	}
	if t := s.held.Load(); t != nil && strings.EqualFold(t.header[0], sent) {
		return t
	}
	return &token{header: [1]string{sent}}
}
