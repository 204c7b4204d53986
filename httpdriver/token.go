package httpdriver

import (
	"sync/atomic"
	"time"

	"github.com/stile-oauth/stile/states"
	"github.com/stile-oauth/stile/states/wire"
)

// token holds what a request needs, in the form in which it is needed. The members that
// every request reads come first, so that they fit in few cache lines: with many accounts,
// each line is fetched from memory.
type token struct {
	header   [1]string // the value of Authorization; never changed
	expires  time.Time
	renew    time.Time
	within   *wire.Reach // shared, as those of accounts at one server are equal
	accepted atomic.Bool
	// untried says that the store does not know yet that the server accepts the token.
	// Until then, login is the run that obtained it, if that was in this process, so that
	// the knowledge of its machine need not be read again.
	untried atomic.Bool
	login   atomic.Pointer[run]
	// prover makes the proofs that go with the token; nil for a bearer token. offset is
	// how far the issuer's clock is ahead.
	prover *prover
	offset time.Duration

	kind       string
	secret     wire.Secret // a part of header
	generation states.Generation
	scopes     []string
}

// usable gives the token if it may be used now, and whether its renewal is due.
func (s *session) usable() (t *token, due bool) {
	t = s.held.Load()
	if t == nil {
		return nil, false
	}
	if t.expires.IsZero() && t.renew.IsZero() {
		return t, false
	}
	now := s.d.now()
	if !t.expires.IsZero() && !now.Before(t.expires) && !t.renew.IsZero() {
		return nil, true
	}
	return t, !t.renew.IsZero() && !now.Before(t.renew)
}

// grant makes the token ready for requests.
func (s *session) grant(g states.Grant, within *wire.Reach) *token {
	if t := s.held.Load(); t != nil && t.generation == g.Generation && t.expires.Equal(g.Expires) && t.renew.Equal(g.Renew) {
		t.untried.Store(g.Untried)
		return t
	}
	kind := g.Type
	if kind == "" {
		kind = "Bearer"
	}
	header := kind + " " + g.AccessToken.Reveal()
	t := &token{
		header: [1]string{header}, secret: wire.Secret(header[len(kind)+1:]), kind: kind,
		offset: g.ClockOffset, generation: g.Generation, scopes: g.Scopes, expires: g.Expires, renew: g.Renew, within: within,
	}
	if g.Thumbprint != "" {
		t.prover = s.prover.Load()
	}
	t.accepted.Store(g.Accepted)
	t.untried.Store(g.Untried)
	if old := s.held.Swap(t); old.excess() != t.excess() {
		s.d.sessions.weigh(s)
	}
	return t
}
