package httpdriver

import (
	"math"
	"sync/atomic"
	"time"

	"github.com/stile-oauth/stile/states"
	"github.com/stile-oauth/stile/states/wire"
)

// token holds what a request needs, in the form in which it is needed. The members that
// every request reads come first and take 64 bytes, one cache line: with many accounts,
// each line is fetched from memory.
type token struct {
	header   [1]string // the value of Authorization; never changed
	expires  moment
	renew    moment
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
	generation states.Generation
	scopes     []string
}

// secret gives the token itself.
func (t *token) secret() wire.Secret { return wire.Secret(t.header[0][len(t.kind)+1:]) }

// moment is a time in nanoseconds since 1970; 0 is no time.
type moment int64

// lastYear is the last whole year that a moment can be in. A later time is the last moment.
const lastYear = 2261

func momentOf(t time.Time) moment {
	switch {
	case t.IsZero():
		return 0
	case t.Year() > lastYear:
		return math.MaxInt64
	}
	return max(1, moment(t.UnixNano()))
}

func (m moment) time() time.Time {
	if m == 0 {
		return time.Time{}
	}
	return time.Unix(0, int64(m)).UTC()
}

// usable gives the token if it may be used now, and whether its renewal is due.
func (s *session) usable() (t *token, due bool) {
	t = s.held.Load()
	if t == nil {
		return nil, false
	}
	if t.renew == 0 {
		return t, false
	}
	now := momentOf(s.d.now())
	if t.expires != 0 && now >= t.expires {
		return nil, true
	}
	return t, now >= t.renew
}

// grant makes the token ready for requests.
func (s *session) grant(g states.Grant, within *wire.Reach) *token {
	if t := s.held.Load(); t != nil && t.generation == g.Generation && t.expires == momentOf(g.Expires) && t.renew == momentOf(g.Renew) {
		t.untried.Store(g.Untried)
		return t
	}
	kind := g.Type
	if kind == "" {
		kind = "Bearer"
	}
	header := kind + " " + g.AccessToken.Reveal()
	t := new(token)
	if s.roomTaken.CompareAndSwap(false, true) {
		t = &s.room
	}
	t.header, t.kind = [1]string{header}, kind
	t.expires, t.renew, t.offset = momentOf(g.Expires), momentOf(g.Renew), g.ClockOffset
	t.generation, t.scopes, t.within = g.Generation, g.Scopes, within
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
