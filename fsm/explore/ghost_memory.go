package explore

import (
	"slices"
	"strings"
	"time"

	"github.com/stile-oauth/stile/states"
	"github.com/stile-oauth/stile/transitions"
)

// remember updates what is remembered about a process, before its effects are checked.
func (w *world) remember(m *moment) {
	a := m.actor()
	d := &m.r.Machine.Data
	switch in := m.in.(type) {
	case states.Begun:
		a.asked = a.asked || in.Login
		a.logins = 0
	case states.Accepted:
		if t := d.Token(); t != nil && t.Generation == in.Generation {
			a.logins = 0
		}
	case states.LoggedOut:
		a.logins = 0
	case states.Interrupted:
		a.same = 0 // the machine asks again because it was told to
	case states.Leased:
		a.fence = in.Fence
	case states.Saved:
		switch m.before.State {
		case states.Announcing, states.Remarking:
			a.mark = in.Generation
		case states.Parking:
			a.login, a.loginKey = in.Generation, d.Config.LoginKey(states.StateHash(m.before.Data.Flow.State))
		case states.Saving:
			e := w.store.Find(w.at, d.Config.MarkKey())
			w.ghost.outlived = w.ghost.outlived || e == nil || e.Generation != d.Flow.Mark
		case states.Rotating, states.Resaving:
			w.ghost.settle(m.i, "", saved, w.at)
		default: // the others need nothing here
		}
	case states.StoreFailed:
		w.ghost.storeFault = true
	case states.Deleted:
		if m.before.State == states.Erasing {
			w.ghost.loggedOut = true
		}
	default: // the others need nothing here
	}
	w.ghost.decided(d.Token())
	switch m.r.Event {
	case transitions.NonceDemanded, transitions.ClockLearned:
		a.proofs++
	case transitions.ProofSigned, transitions.ProofNext, transitions.AssertionGivenToSign, transitions.IdentityGiven, transitions.JAGGivenToSign:
	default:
		a.proofs = 0
	}
	if began(m) {
		if d.Flow.Why != states.WhyStepUp {
			if m.at.Sub(a.since) > 10*time.Minute { // no token counts as fresh for longer
				a.logins = 0
			}
			a.logins, a.since = a.logins+1, m.at
		}
		a.trips, a.demanded = 0, false
	}
	switch m.r.Event {
	case transitions.MarkRecognized:
		a.mark = d.Flow.Mark
	case transitions.ClaimLost, transitions.ClaimLostAgain, transitions.ClaimDoubted:
		a.mark, a.login = 0, 0 // these belong to the process that claimed the login
	}
	if m.r.Event == transitions.StepUpCounted {
		w.ghost.stepUps = append(slices.Clip(w.ghost.stepUps), stepUp{d.Flow.Scopes, m.tallied()})
	}
	for _, e := range m.r.Effects {
		if _, ok := e.(states.Release); ok {
			a.fence = 0
		}
	}
	if m.r.Machine.State != m.before.State {
		a.same, a.last = 0, ""
	}
}

// decided: step-ups before the user's last login do not count. That a step-up itself does
// not pass for such a login is looked at in clears.
func (g *ghost) decided(t *states.Token) {
	if t != nil && len(g.stepUps) > 0 {
		g.stepUps = slices.DeleteFunc(slices.Clone(g.stepUps), func(s stepUp) bool { return s.at.Before(t.Decided) })
	}
}

// clears says that a token of a step-up or a refresh passes for one of a user's login.
func (m *moment) clears() string {
	old, t, f := m.before.Data.Token(), m.r.Machine.Data.Obtained, m.before.Data.Flow
	if old != nil && t != nil && m.before.Data.Obtained == nil && (f == nil || f.Why == states.WhyStepUp) && !t.Decided.Equal(old.Decided) {
		return "a step-up or a refresh clears what was tried before it"
	}
	return ""
}

// tallied is when the step-up that was just counted was begun.
func (m *moment) tallied() time.Time {
	if l := m.before.Data.Flow.Ledger.Attempts; len(l) > 0 {
		return l[len(l)-1].At
	}
	return m.at
}

// began says that this step opened a login.
func began(m *moment) bool {
	return m.before.Data.Flow == nil && m.r.Machine.Data.Flow != nil
}

// sends counts how often the same request is sent in a row. A request with an initial
// access token counts as another one.
func (a *actor) sends(s states.Send) {
	grant, _ := s.Request.Form.Get("grant_type")
	token, _ := s.Request.Form.Get("token")
	key := string(a.m.State) + " " + s.Request.Method + " " + s.Request.URL + " " + grant + token
	if _, with := bearer(s); with {
		key += "with a token"
	}
	if key == a.last {
		a.same++
		return
	}
	a.same, a.last = 1, key
}

func bearer(s states.Send) (string, bool) {
	for _, h := range s.Request.Header.Header("Authorization") {
		if token, is := strings.CutPrefix(h, "Bearer "); is {
			return token, true
		}
	}
	return "", false
}

func basic(s states.Send) (id, secret string, ok bool) {
	for _, h := range s.Request.Header.Header("Authorization") {
		if raw, is := strings.CutPrefix(h, "Basic "); is {
			return unbasic(raw)
		}
	}
	return "", "", false
}
