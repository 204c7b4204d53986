package trace

import (
	"time"

	"github.com/stile-oauth/stile/fsm"
	"github.com/stile-oauth/stile/states"
	"github.com/stile-oauth/stile/states/rules"
	"github.com/stile-oauth/stile/states/wire"
)

// input replaces what the real machine was given by what the shadow is given. s is the
// state in which it arrives, and d are the facts of the shadow there.
func (m *mask) input(s states.State, d *states.Data, in states.Input) states.Input {
	switch in := in.(type) {
	case states.Begun:
		in.Seed, in.Scopes = m.seed(in.Seed), m.keepAll(in.Scopes)
		return in
	case states.Resumed:
		in.Seed = m.seed(in.Seed)
		return in
	case states.Interrupted:
		in.Seed = m.seed(in.Seed)
		return in
	case states.LoggedOut:
		in.Seed = m.seed(in.Seed)
		return in
	case states.Loaded:
		in.Value = m.record(loads(s), in.Value)
		return in
	case states.StoreFailed:
		in.Detail = detail(in.Detail)
		return in
	case states.Answered:
		in.Value, in.Values = m.keep(in.Value), m.keepAll(in.Values)
		in.Secret = m.secret(kindClientSecret, in.Secret)
		return in
	case states.Signed:
		in.JWS = wire.Secret(m.jwt(kindAssertion, in.JWS.Reveal()))
		return in
	case states.Unsigned:
		in.Detail = detail(in.Detail)
		return in
	case states.Responded:
		in.Response = m.response(in.Response, documentAt(s))
		return in
	case states.Unreachable:
		in.Class, in.Detail = states.FailureClass(m.ident(string(in.Class))), detail(in.Detail)
		if _, known := rules.Lookup(in.Rule); !known {
			in.Rule = rules.ID(m.ident(string(in.Rule)))
		}
		return in
	case states.Redirected:
		to := ""
		if d.Flow != nil {
			to = d.Flow.RedirectURI
		}
		in.URL = wire.Secret(m.redirected(in.URL.Reveal(), to))
		return in
	case states.Challenged:
		in.Response = wire.Response{Status: in.Response.Status, Header: m.header(in.Response.Header)}
		return in
	case states.NotFound, states.Leased, states.Held, states.Saved, states.Deleted, states.Claimed, states.Conflicted,
		states.Accepted, states.Ticked, states.Cancelled: // they hold numbers and times only
	}
	return in
}

// loads is the kind of entry that the question of a state reads.
func loads(s states.State) states.Kind {
	switch s {
	case states.FindingClient, states.LookingUpClient:
		return states.KindRegistration
	case states.StepUp:
		return states.KindLedger
	case states.Recognizing:
		return states.KindMark
	case states.RecoveringDevice:
		return states.KindLogin
	default: // the others need nothing here
	}
	return states.KindCredential
}

func (m *mask) response(r wire.Response, doc document) wire.Response {
	out := wire.Response{Status: r.Status, Header: m.header(r.Header)}
	out.Body, out.Oversized = m.body(r, doc)
	return out
}

// seed gives a fixed seed, a different one each time, because what is drawn from it must
// not repeat.
func (m *mask) seed(real wire.Secret) wire.Secret {
	if real == "" {
		return ""
	}
	if s := m.known[real.Reveal()]; s != "" {
		return wire.Secret(s)
	}
	s := m.fresh(kindSeed)
	m.put(real.Reveal(), s)
	return wire.Secret(s)
}

// learn pairs what the two machines drew at this step.
func (m *mask) learn(real, shadow *fsm.Machine) {
	r, s := real.Data.Flow, shadow.Data.Flow
	if r == nil || s == nil {
		return
	}
	if r.State != m.drawnState {
		m.drawnState = r.State
		m.pair(r.State.Reveal(), s.State.Reveal())
	}
	if r.Verifier != m.drawnVerifier {
		m.drawnVerifier = r.Verifier
		m.pair(r.Verifier.Reveal(), s.Verifier.Reveal())
	}
}

// due keeps a tick before or after the waking time, as it was. Pauses have jitter that is
// drawn from the seed, so the two machines want to be woken at slightly different times.
func due(in states.Input, at, real, shadow time.Time) time.Time {
	if _, tick := in.(states.Ticked); !tick || real.IsZero() || shadow.IsZero() {
		return at
	}
	switch {
	case !at.Before(real) && at.Before(shadow):
		return shadow
	case at.Before(real) && !at.Before(shadow):
		return shadow.Add(-time.Nanosecond)
	}
	return at
}
