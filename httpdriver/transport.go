package httpdriver

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"sort"
	"strings"

	"github.com/stile-oauth/stile/states"
	"github.com/stile-oauth/stile/states/wire"
)

// ErrNotReplayable says that authorization would help a refused request, but its body
// cannot be sent again.
var ErrNotReplayable = errors.New("httpdriver: the request needs authorization, and its body is too long to be kept for a retry: set GetBody, or raise Options.MaxReplay")

// ErrOutside says that a request goes to an address that the credential is not
// for (rule bearer-bound-resource).
var ErrOutside = errors.New("httpdriver: the address is outside the resource that the token is for")

// Client gives an *http.Client for one account at one server: it authorizes
// its requests, and follows redirects within the server's origin only.
func (d *Driver) Client(a Account) (*http.Client, error) {
	t, err := d.Transport(a, nil)
	if err != nil {
		return nil, err
	}
	return &http.Client{Transport: t, CheckRedirect: func(r *http.Request, via []*http.Request) error {
		if len(via) > 3 || !strings.EqualFold(r.URL.Host, via[0].URL.Host) || r.URL.Scheme != via[0].URL.Scheme {
			return http.ErrUseLastResponse
		}
		return nil
	}}, nil
}

// Transport gives an http.RoundTripper for one account at one server. base
// carries the requests; nil is the driver's own, with its proxies and CAs.
func (d *Driver) Transport(a Account, base http.RoundTripper) (http.RoundTripper, error) {
	s, err := d.session(a)
	if err != nil {
		return nil, err
	}
	if base == nil {
		base = d.guard.Transport()
	}
	return &transport{s: s, base: base}, nil
}

type transport struct {
	s        *session
	base     http.RoundTripper
	messages messages
}

// maxRounds bounds how often one request is sent: without a token, with a stored one, with
// a refreshed one, with more scope. Once for a nonce and once for a clock it may be sent
// beyond that (proofTries).
const maxRounds = 5

// RoundTrip sends the request with the token, and again when the machine has
// found a better one. With a valid token it takes no lock.
func (t *transport) RoundTrip(req *http.Request) (*http.Response, error) {
	req, body := replayed(req, t.s.d.o.MaxReplay)
	resp, err := t.send(req)
	body.settled()
	return resp, err
}

// send is RoundTrip for a request whose body can be sent again, if any can.
func (t *transport) send(req *http.Request) (*http.Response, error) {
	tok, look, err := t.s.ready(req.Context())
	if err != nil {
		drop(req.Body)
		return nil, err
	}
	var tries proofTries
	for round := 1; ; round++ {
		out := req
		if tok != nil {
			if !t.maySend(req, tok) {
				drop(req.Body)
				return nil, fmt.Errorf("%w: %s", ErrOutside, wire.Mask(req.URL.Redacted(), []wire.Secret{tok.secret()}))
			}
			out = authorize(req, tok)
			if tok.prover != nil {
				if err := tok.prover.prove(out, tok, &tries, t.s.d.now()); err != nil {
					drop(req.Body)
					return nil, err
				}
			}
		}
		if round > 1 && req.GetBody != nil {
			fresh, err := req.GetBody()
			if err != nil {
				return nil, fmt.Errorf("httpdriver: the body could not be read again: %w", err)
			}
			if out == req {
				out = req.WithContext(req.Context())
			}
			out.Body = fresh
		}
		resp, err := t.base.RoundTrip(out)
		if err != nil {
			return nil, err
		}
		if tok != nil && tok.prover != nil {
			refused, again := tok.prover.heard(resp, tok, &tries, t.s.d.now())
			switch {
			case again:
				drain(resp.Body)
				continue
			case refused: // it is about the proof: another token would need one too
				return resp, nil
			}
		}
		if resp.StatusCode != http.StatusUnauthorized && resp.StatusCode != http.StatusForbidden {
			if tok != nil && resp.StatusCode < 400 {
				if !tok.accepted.Load() {
					tok.accepted.Store(true)
				}
				if tok.untried.Load() {
					t.s.taken(req.Context(), tok)
				}
				t.listen(req, resp)
			}
			return resp, nil
		}
		if !t.s.origin.SameOrigin(req.URL) {
			return resp, nil // not the server that this credential is for
		}
		next, again, err := t.s.challenged(req.Context(), tok, look, resp)
		if err != nil {
			drop(resp.Body)
			return nil, err
		}
		if !again || round >= maxRounds {
			return resp, nil
		}
		drain(resp.Body)
		tok, look = next, nil
	}
}

// authorize copies the request and its header, and sets Authorization. An
// Authorization that the caller set is replaced: one way of sending a token
// per request (rule bearer-one-method).
func authorize(req *http.Request, t *token) *http.Request {
	r := new(http.Request)
	*r = *req
	h := make(http.Header, len(req.Header)+1)
	for k, v := range req.Header {
		h[k] = v
	}
	h["Authorization"] = t.header[:]
	r.Header = h
	return r
}

func drop(b io.Closer) {
	if b != nil {
		_ = b.Close()
	}
}

// drain reads the body, so that the connection can be used again.
func drain(b io.ReadCloser) {
	_, _ = io.Copy(io.Discard, io.LimitReader(b, 64<<10))
	_ = b.Close()
}

// challenged passes a 401 or 403 to the machine. look is what ready gave for the request.
// again says that the request may be sent once more, with the token given (nil: bare);
// otherwise the response is the caller's.
func (s *session) challenged(ctx context.Context, sent *token, look *run, resp *http.Response) (next *token, again bool, err error) {
	if resp.StatusCode == http.StatusForbidden && !mayBeBearer(resp.Header) {
		return nil, false, nil
	}
	var g states.Generation
	if sent != nil {
		g = sent.generation
	}
	if now := s.held.Load(); now != nil && now.generation != g {
		if t, _ := s.usable(); t != nil {
			return t, true, nil // a late refusal of an older token
		}
	}
	if f := s.cooled(resp.StatusCode == http.StatusForbidden); f != nil {
		return nil, false, f
	}
	c := states.Challenged{Generation: g, Response: wire.Response{Status: resp.StatusCode, Header: fields(resp.Header)}}
	if t, err := s.offered(ctx, c); t != nil || err != nil {
		return t, t != nil, err
	}
	out, err := s.waitAfter(ctx, s.begin(want{challenge: &c, from: look}), g)
	switch {
	case err != nil:
		return nil, false, err
	case out.token != nil && out.token.generation != g:
		return out.token, true, nil
	case out.fault != nil:
		return nil, false, faultError(out.fault)
	case out.token == nil && sent != nil:
		return nil, true, nil // logged out elsewhere: once bare
	}
	return nil, false, nil
}

// mayBeBearer says quickly whether a header could hold a challenge that
// authorization answers; the machine decides (challenge-403-without-challenge).
func mayBeBearer(h http.Header) bool {
	for _, v := range h.Values("WWW-Authenticate") {
		if v = strings.ToLower(v); strings.Contains(v, "bearer") || strings.Contains(v, "dpop") {
			return true
		}
	}
	return false
}

// fields copies the header fields that a decision may read.
func fields(h http.Header) wire.Fields {
	var out wire.Fields
	names := make([]string, 0, 4)
	for name := range h {
		switch name {
		case "Www-Authenticate", "Dpop-Nonce", "Retry-After":
			names = append(names, name)
		}
	}
	sort.Strings(names)
	for _, name := range names {
		for _, v := range h[name] {
			out = append(out, wire.Field{Name: name, Value: v})
		}
	}
	return out
}
