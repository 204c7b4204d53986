package httpdriver

import (
	"github.com/stile-oauth/stile/states"
	"github.com/stile-oauth/stile/states/wire"
)

// mostTold bounds how many different challenges one run hears.
const mostTold = 32

// cancel says that nobody wants the run any more.
func (r *run) cancel() {
	r.mu.Lock()
	defer r.mu.Unlock()
	if !r.quitting {
		r.quitting = true
		close(r.quit)
	}
}

// serves reports whether the end of this run is what w waits for; a challenge
// or a redirect is passed on to it.
func (r *run) serves(w want) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	switch {
	case w.logout, r.want.logout:
		return w.logout && r.want.logout && !r.closing
	case w.resume != nil:
		if was := r.want.resume; was != nil && was.Data.Flow.State == w.resume.Data.Flow.State {
			return true // the same redirect again: it ends as the first one does
		}
		v := r.visit.Load()
		if v == nil || v.state != w.resume.Data.Flow.State.Reveal() || r.closing {
			return false
		}
		return r.pass(states.Redirected{Serial: v.serial, URL: w.redirect})
	case w.login:
		if !r.login.Load() && !r.want.login {
			return false
		}
		if !r.closing && !r.want.covers(w) {
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

// covers reports whether this login asks for the scopes of the other. Whether
// offline_access is asked for is the machine's to decide.
func (w want) covers(other want) bool { return covers(w.scopes, other.scopes) }

// asks gives the scopes that the login asks its human for, or did: beside them
// nothing was wanted that is lost. nil where the host decides which they are.
func (r *run) asks() []string {
	d := &r.m.Data
	switch t := d.Token(); {
	case d.Config.OnlyScopes || d.Config.Asked(states.AskScopes):
		return nil
	case r.m.State == states.Authorizing:
		return d.Flow.Asked
	case d.Obtained != nil:
		return wire.Union(d.Obtained.Requested, d.Obtained.Granted)
	case t != nil:
		return wire.Union(t.Requested, t.Granted)
	}
	return nil
}

// missed reports whether a login that was joined went well, or has its link,
// and did without what w wants.
func (o outcome) missed(w want) bool {
	return o.fault == nil && o.asked != nil && !covers(o.asked, w.scopes)
}

func covers(have, scopes []string) bool {
	missing := wire.Missing(have, scopes)
	return len(missing) == 0 || len(missing) == 1 && missing[0] == "offline_access"
}

// hear passes on what a server said during the run. Equals are coalesced; false
// says that the run has ended.
func (r *run) hear(c states.Challenged) bool {
	if r.closing {
		return false
	}
	for _, t := range r.told {
		if t.Generation == c.Generation && sameChallenge(t, c) {
			return true
		}
	}
	if len(r.told) == mostTold {
		return true // a server that invents challenges is heard so many times
	}
	if t := r.s.held.Load(); t != nil && t.accepted.Load() && t.generation == c.Generation {
		// Handed out before the run ended, and taken since: one that was good
		// before it was refused.
		r.pass(states.Accepted{Generation: t.generation})
	}
	if !r.pass(c) {
		return true // so much is heard at once that one more is left out
	}
	r.told = append(r.told, c)
	return true
}

// pass puts an input in the queue if there is room: it is called under locks
// that the loop, which empties the queue, may be waiting for.
func (r *run) pass(in states.Input) bool {
	select {
	case r.queue <- heard{in: in}:
		return true
	default:
		return false
	}
}

// rested reports whether the run may end: nothing is left to tell the machine.
// next is what came in meanwhile.
func (r *run) rested() (next *heard, end bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for len(r.queue) > 0 {
		h := <-r.queue
		switch h.in.(type) {
		case states.Cancelled:
		case states.Begun: // it came too late to be taken along; Driver.login sees to it
		default:
			if r.m.State != states.Failed {
				return &h, false
			}
		}
	}
	r.closing = true
	return nil, true
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
