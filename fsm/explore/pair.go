package explore

import (
	"time"

	"github.com/stile-oauth/stile/fsm/model"
	"github.com/stile-oauth/stile/states"
)

// pairRenewals is how often the token of each machine of the pair expires in walks about
// renewals: twice, so that two refreshes follow each other in every order.
const pairRenewals = 2

// pairRoots: two processes with one store and one issuer that rotates refresh tokens and
// revokes the family when it sees a spent one again. There is trouble beside renewals.
// With calls and log outs, or with logins, there is one trouble less, and there is none
// where one process has read the store before the other logged in.
func pairRoots(sc *scene, much, pauses int) ([]*world, error) {
	sc.next, sc.async = pairMoves, true
	a, r := model.Servers()
	troubles, less := int8(much), int8(max(much-1, 0))
	pause := int8(pauses)
	var out []*world
	for n, skew := range []time.Duration{0, 20 * time.Second} {
		w, err := newWorld(sc, a, r, model.Client("a"), model.Client("b"))
		if err != nil {
			return nil, err
		}
		w.actors[1].skew = skew
		w.variant = uint16(n)
		clocks := []string{"", ", clocks 20 s apart"}[n]
		if skew == 0 {
			c := w.fork()
			c.says = "two logins at once"
			c.left = budget{trouble: less, calls: 1, stalls: pause}
			out = append(out, c)
			b := w.fork()
			b.says = "one looked before the other logged in"
			b.step(1, states.Begun{Seed: b.seed()})
			b.honest(1)
			b.login(0)
			b.left = budget{calls: 1, stalls: pause}
			out = append(out, b)
		}
		w.login(0)
		w.step(1, states.Begun{Seed: w.seed()})
		w.honest(1)
		w.pass(0, model.Start.Add(59*time.Minute+29*time.Second))
		w.ghost = ghost{secrets: w.ghost.secrets}
		for i := range w.actors {
			w.actors[i].memory, w.actors[i].renewals = memory{}, pairRenewals+1
		}
		w.says = "two renewals each" + clocks
		w.left = budget{trouble: troubles, stalls: pause}
		c := w.fork()
		c.says = "two renewals each, a call and a log out" + clocks
		c.left = budget{trouble: less, calls: 1, logouts: 1, stalls: pause}
		out = append([]*world{w, c}, out...)
	}
	return out, nil
}

func pairMoves(w *world) []move {
	out := closedMoves(w)
	if w.left[stalls] <= 0 {
		return out
	}
	// Both processes stand still until the next time that matters to either.
	for _, t := range w.horizon() {
		out = append(out, move{"time passes", func(w *world) { w.spend(stalls); w.at = t }})
	}
	return out
}

// horizon lists the next times at which something changes that no machine waits for: a
// lease or an exchange ends, or a request may no longer be sent.
func (w *world) horizon() []time.Time {
	var out []time.Time
	add := func(t time.Time) {
		if t.After(w.at) {
			out = append(out, t)
		}
	}
	for i := range w.actors {
		a := &w.actors[i]
		if a.flight != nil {
			add(a.flight.until)
		}
		if q, ok := a.q.(states.Send); ok && !q.NotAfter.IsZero() {
			add(q.NotAfter.Add(-a.skew))
		}
	}
	for _, l := range w.store.Leases {
		add(l.Until)
	}
	return out
}

// passes reports whether one of these times is before t.
func (w *world) passes(t time.Time) bool {
	for _, h := range w.horizon() {
		if h.Before(t) {
			return true
		}
	}
	return false
}
