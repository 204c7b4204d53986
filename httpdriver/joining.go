package httpdriver

import (
	"context"

	"github.com/stile-oauth/stile/states"
	"github.com/stile-oauth/stile/states/wire"
)

// maxChallenges bounds how many different challenges one run hears.
const maxChallenges = 32

// serves reports whether w can wait for the end of this run; it passes a challenge or a
// redirect on to the run. session.mu is held.
func (r *run) serves(w want) bool {
	sh := &r.shared
	switch {
	case w.logout, r.want.logout:
		return w.logout && r.want.logout && w.forget == r.want.forget && !sh.closing
	case w.resume != nil:
		if was := r.want.resume; was != nil && was.Data.Flow.State == w.resume.Data.Flow.State {
			return true // the same redirect again: it ends as the first one does
		}
		if sh.visit.state != w.resume.Data.Flow.State.Reveal() {
			return false
		}
		// If the login is just ending, the redirect is its own once more, and ends as the login does.
		return r.pass(states.Redirected{Serial: sh.visit.serial, URL: w.redirect})
	case w.login:
		if !sh.login && (!r.want.login || sh.over) || w.byUser && sh.queuing {
			return false // one that ended before this one was asked for is not its end
		}
		if w.newClient && (!r.want.newClient || sh.over) {
			return false // it uses the client that is registered
		}
		if !sh.closing && !r.want.covers(w) {
			// Taken along where the request has not been built; Driver.login sees to
			// the rest.
			r.pass(states.Begun{Seed: r.s.d.seed(), Login: true, Scopes: w.scopes})
		}
		return true
	case w.challenge != nil:
		return r.hear(*w.challenge)
	}
	return true
}

// covers reports whether this login asks for the scopes of the other. The machine decides
// whether to ask for offline_access.
func (w want) covers(other want) bool { return covers(w.scopes, other.scopes) }

// requested gives the scopes that the login asks, or asked, its user for, without any that
// were wanted later. It is nil where the host decides.
func (r *run) requested() []string {
	d := &r.m.Data
	switch t := d.Token(); {
	case d.Config.OnlyScopes || d.Config.HostDecides(states.AskScopes):
		return nil
	case r.m.State == states.Authorizing:
		return d.Flow.Requested
	case d.Obtained != nil:
		return wire.Union(d.Obtained.Requested, d.Obtained.Granted)
	case t != nil:
		return wire.Union(t.Requested, t.Granted)
	}
	return nil
}

// missed reports whether a joined login succeeded, or has its link, without what w wants.
func (o outcome) missed(w want) bool {
	return o.fault == nil && o.requested != nil && !covers(o.requested, w.scopes)
}

func covers(have, scopes []string) bool {
	missing := wire.Missing(have, scopes)
	return len(missing) == 0 || len(missing) == 1 && missing[0] == wire.OfflineAccess
}

// hear passes on what a server said during the run. Equal challenges are passed on once;
// false says that the run has ended. session.mu is held.
func (r *run) hear(c states.Challenged) bool {
	sh := &r.shared
	if sh.closing {
		return false
	}
	for _, h := range sh.challenges {
		if h.Generation == c.Generation && sameChallenge(h, c) {
			return true
		}
	}
	if len(sh.challenges) == maxChallenges {
		return true // a server that invents challenges is not listened to without end
	}
	if t := r.s.held.Load(); t != nil && t.accepted.Load() && t.generation == c.Generation {
		// Handed out before the run ended, and taken since: one that was good
		// before it was refused.
		r.pass(states.Accepted{Generation: t.generation})
	}
	if !r.pass(c) {
		return true // too much has arrived at once; this one is left out
	}
	r.interrupt(c)
	sh.challenges = append(sh.challenges, c)
	return true
}

// pass puts an input in the queue if there is room. It must not block, because the caller
// holds a lock that the loop may wait for. nil only wakes the loop; a full queue wakes it
// anyway.
func (r *run) pass(in states.Input) bool {
	select {
	case r.queue <- message{in: in}:
		return true
	default:
		return false
	}
}

// rested gives an input that arrived while the machine came to rest; false ends the run,
// because none is left.
func (r *run) rested() (message, bool) {
	r.s.mu.Lock()
	defer r.s.mu.Unlock()
	for len(r.queue) > 0 {
		m := <-r.queue
		if _, login := m.in.(states.Begun); !login { // that came too late to be taken along; Driver.login sees to it
			return m, true
		}
	}
	r.shared.closing = true
	return message{}, false
}

// taken records in the store that the server accepted the first token of a login, so that
// every process knows it. The request that found out waits for the write, because the
// process may end when the request returns. It is done once for a login; while another run
// is under way, it is left to the next request.
func (s *session) taken(ctx context.Context, t *token) {
	s.mu.Lock()
	busy := len(s.runs) > 0
	s.mu.Unlock()
	// A token that is about to be refreshed does not help other processes.
	if _, due := s.usable(); due || busy || !t.untried.CompareAndSwap(true, false) {
		return
	}
	// A failure of the store is logged; the request itself succeeded.
	login := t.login.Swap(nil)
	_, _ = s.wait(ctx, s.begin(want{background: true, from: login}))
	if login != nil {
		s.d.sessions.weigh(s)
	}
}

func sameChallenge(a, b states.Challenged) bool {
	x, y := a.Response.Header.Header("WWW-Authenticate"), b.Response.Header.Header("WWW-Authenticate")
	if a.Response.Status != b.Response.Status || len(x) != len(y) {
		return false
	}
	for i := range x {
		if x[i] != y[i] {
			return false
		}
	}
	return true
}
