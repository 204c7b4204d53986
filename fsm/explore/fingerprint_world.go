package explore

import (
	"github.com/stile-oauth/stile/states"
	"github.com/stile-oauth/stile/states/wire"
)

// fingerprint is that of the whole situation, with its budgets and what the invariants
// remember.
func (w *world) fingerprint() print {
	e := &w.sc.enc
	e.reset(w.at)
	for i := range w.actors {
		e.actor(&w.actors[i])
		e.byte(byte(w.actors[i].renewals))
		e.memory(&w.actors[i].memory)
	}
	for _, n := range w.left {
		e.byte(byte(n))
	}
	e.ghost(&w.ghost)
	return e.rest(w)
}

// alone is the fingerprint of what matters if one actor continues and the others stand
// still: the actor, the store, the servers, and what was spent.
func (w *world) alone(i int) print {
	e := &w.sc.enc
	e.reset(w.at)
	e.byte(byte(i))
	e.actor(&w.actors[i])
	return e.rest(w)
}

func (e *encoder) actor(a *actor) {
	e.machine(&a.m)
	e.flags(a.q != nil, a.visit != nil, a.granted != nil)
	e.flight(a.flight, a)
}

// rest writes what all actors have in common.
func (e *encoder) rest(w *world) print {
	e.store(&w.store)
	e.byte(w.extra)
	e.wide(w.variant)
	for _, s := range e.secrets {
		e.text(w.standing(s))
		e.spends(&w.ghost, s)
	}
	return e.sum()
}

// shape is a coarse look at a situation: where the machine is and what it has.
func (w *world) shape() print {
	e := &w.sc.enc
	e.reset(w.at)
	for i := range w.actors {
		a := &w.actors[i]
		d := &a.m.Data
		e.text(string(a.m.State))
		t := d.Token()
		e.flags(t != nil, t != nil && t.RefreshToken != "", d.Usable(w.at), d.Challenge != nil, d.Cancelled, d.Obtained != nil, d.NoRenew, d.Adopted != nil,
			d.Fault != nil, d.Record != nil, d.LoginAsked, a.visit != nil, len(d.Retiring) > 0)
		e.num(d.Tries)
		e.num(a.trips)
		e.num(a.logins)
		if f := d.Flow; f != nil {
			e.text(string(f.Why))
			e.text(f.Client.Source)
			if cb, bad := wire.ParseCallback(f.Callback.Reveal()); bad == nil && a.m.State == states.Claiming {
				e.flags(cb.HasCode, cb.Error != nil, len(cb.Repeated) > 0)
				e.texts(cb.Iss)
				if cb.Error != nil {
					e.text(string(cb.Error.Code))
				}
			}
			e.flags(f.Legacy, f.Trouble, f.Adjusted, f.Trimmed > 0, f.Refused != "", f.Server.Issuer != "", f.Resource != "", f.Remembered != nil)
			e.num(f.Candidate)
			e.num(f.Again)
			e.num(f.ScopeTurn)
			e.num(int(f.Trimmed))
		}
	}
	e.byte(w.extra)
	e.wide(w.variant)
	return e.sum()
}

func (w *world) standing(s string) string {
	if w.net == nil {
		return ""
	}
	for _, a := range w.net.AS {
		if v := a.Standing(w.at, s); v != "" {
			return v
		}
	}
	return ""
}
