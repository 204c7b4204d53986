package httpdriver

import (
	"container/list"
	"context"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/stile-oauth/stile/fsm"
	"github.com/stile-oauth/stile/states"
	"github.com/stile-oauth/stile/states/wire"
)

// session is one account in this process: the token that is held, and at most
// one run of its machine. At rest it holds no machine.
type session struct {
	d       *Driver
	account Account
	origin  wire.Reach // where the token may go before it is known what it is for

	// held is the token in use; nil when none is. The path of a request with a
	// valid token reads it and nothing else.
	held atomic.Pointer[token]
	// read says that the store was looked at once.
	read atomic.Bool

	mu  sync.Mutex
	run *run
	// checked is the configuration until the first run takes it. Later runs,
	// which are rare, make it anew: at rest an account has no room for it.
	checked *states.Config
	runs    uint64 // how many were begun
	// cool keeps what failed from being tried again at once; coolMore does so
	// for step-ups, while the token that is held goes on being used and renewed.
	cool, coolMore cooling
	// waiting is a login of a host that shows links: it is offered again until
	// it is over.
	waiting *offer

	place *list.Element // among the sessions used last; guarded by sessions.mu
}

// token is what a request needs, ready made.
type token struct {
	header     []string // the value of Authorization; never changed
	secret     wire.Secret
	kind       string
	generation states.Generation
	scopes     []string
	expires    time.Time
	renew      time.Time
	within     wire.Reach
	accepted   atomic.Bool
}

func newSession(d *Driver, a Account, c *states.Config) *session {
	return &session{d: d, account: a, origin: c.Resource.OriginReach(), checked: c}
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

// ready gives the token for a request; nil means: go bare. It reads the store
// once, and waits for a refresh when the token has expired. looked is the run
// that has just read the store and found nothing: the request holds it, so that
// a refusal can go on where it ended.
func (s *session) ready(ctx context.Context) (t *token, looked *run, err error) {
	t, due := s.usable()
	if t != nil {
		if due {
			s.renew()
		}
		return t, nil, nil
	}
	if !due && s.read.Load() {
		return nil, nil, nil
	}
	if due {
		if err := s.cooled(false); err != nil {
			return nil, nil, err
		}
	}
	r := s.begin(want{})
	out, err := s.wait(ctx, r)
	if err != nil || out.token != nil || !r.want.looks() {
		return out.token, nil, err
	}
	return nil, r, nil
}

// renew begins a refresh that nobody waits for.
func (s *session) renew() {
	s.mu.Lock()
	busy := s.run != nil || s.cool.until(s.d.now())
	s.mu.Unlock()
	if !busy {
		s.begin(want{quiet: true})
	}
}

// want is what somebody wants of the machine.
type want struct {
	login     bool
	now       bool // a human asked: no waiting for a login that another process began
	scopes    []string
	logout    bool
	challenge *states.Challenged
	quiet     bool // nobody waits: a failure is no reason to cool down
	resume    *fsm.Machine
	redirect  wire.Secret
	looked    *run // what the request that was refused had waited for
}

// looks reports whether nothing is wanted but to know what the store holds.
func (w want) looks() bool {
	return !w.login && !w.logout && w.challenge == nil && w.resume == nil
}

// begin joins the run under way where that serves the want, or starts one. A
// new run waits for the one before it; only a login is cut short for it.
func (s *session) begin(w want) *run {
	s.mu.Lock()
	defer s.mu.Unlock()
	prior := s.run
	if prior != nil && prior.serves(w) {
		return prior
	}
	r := newRun(s, w)
	if !s.d.sessions.enter(&s.d.work) {
		r.out.err = ErrClosed
		close(r.done)
		return r
	}
	// Once, and only if nothing ran since: another login that went on from there
	// would draw the same state and verifier.
	if w.looked != nil && w.looked.number == s.runs {
		r.from = w.looked
	}
	s.runs++
	s.run, s.checked, r.number = r, nil, s.runs
	go func() {
		defer s.d.work.Done()
		if prior != nil {
			if (w.logout || w.resume != nil) && prior.login.Load() {
				prior.cancel()
			}
			<-prior.done
		}
		r.loop()
	}()
	return r
}

// outcome is how a run ended.
type outcome struct {
	token *token
	fault *states.Fault
	err   error // LoginRequired, ErrClosed, a bug
	// asked are the scopes that the human was asked for, or that the token has;
	// nil when the host decides which they are.
	asked []string
}

// wait waits for the end of a run. The caller's context ends the wait only.
func (s *session) wait(ctx context.Context, r *run) (outcome, error) { return s.waitAfter(ctx, r, 0) }

// waitAfter is wait for somebody whose token of the generation given was
// refused: that one being handed out is no answer, unless the run may not end
// for long since the store is away.
func (s *session) waitAfter(ctx context.Context, r *run, refused states.Generation) (outcome, error) {
	select {
	case <-r.done:
	case <-r.handed:
		if r.early.token.generation == refused && !r.unsaved {
			select {
			case <-r.done:
			case <-ctx.Done():
				return outcome{}, ctx.Err()
			}
			break
		}
		select {
		case <-r.done: // its end says more
		default:
			return r.early, nil
		}
	case <-ctx.Done():
		return outcome{}, ctx.Err()
	}
	switch {
	case r.out.err != nil:
		return r.out, r.out.err
	case r.out.fault != nil && r.out.token == nil:
		return r.out, fsm.Err(*r.out.fault)
	}
	return r.out, nil
}

// ended takes the result of a run.
func (s *session) ended(r *run) {
	s.mu.Lock()
	if s.run == r {
		s.run = nil
	}
	more := r.want.challenge != nil && r.want.challenge.Response.Status == http.StatusForbidden
	switch {
	case r.out.fault != nil && more && r.out.token != nil:
		s.coolMore.down(*r.out.fault, s.d.now())
	case r.out.fault != nil && !r.want.quiet:
		s.cool.down(*r.out.fault, s.d.now())
	case r.out.fault == nil && r.out.err == nil:
		s.cool = cooling{}
		if more || r.want.login {
			s.coolMore = cooling{}
		}
	}
	if w := s.waiting; w != nil && (r.want.resume != nil || r.out.token != nil && r.out.token.generation != w.generation) {
		s.waiting = nil
	}
	s.mu.Unlock()
	close(r.done)
}

// grant makes the token ready for requests.
func (s *session) grant(g states.Grant, within wire.Reach) *token {
	if t := s.held.Load(); t != nil && t.generation == g.Generation && t.expires.Equal(g.Expires) && t.renew.Equal(g.Renew) {
		return t
	}
	kind := g.Type
	if kind == "" {
		kind = "Bearer"
	}
	t := &token{
		header: []string{kind + " " + g.AccessToken.Reveal()}, secret: g.AccessToken, kind: kind,
		generation: g.Generation, scopes: g.Scopes, expires: g.Expires, renew: g.Renew, within: within,
	}
	t.accepted.Store(g.Accepted)
	s.held.Store(t)
	return t
}

// cooling keeps a failure from being repeated by every request: nobody is sent
// to a browser again right after he said no, and a server that is down is not
// stormed. An explicit Login does not wait for it.
type cooling struct {
	fault *states.Fault
	end   time.Time
	times int
}

// The house numbers of cooling down.
const (
	coolTransient = time.Second
	coolMost      = 30 * time.Second
	coolHuman     = time.Minute
)

func (c *cooling) down(f states.Fault, now time.Time) {
	span := min(coolTransient<<min(c.times, 5), coolMost)
	if !f.Transient {
		span = coolHuman
	}
	c.fault, c.end, c.times = &f, now.Add(span), c.times+1
}

func (c *cooling) until(now time.Time) bool { return c.fault != nil && now.Before(c.end) }
