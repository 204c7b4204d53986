package explore

import (
	"time"

	"github.com/stile-oauth/stile/states"
	"github.com/stile-oauth/stile/states/wire"
)

// pairRoots: two processes with one store and one issuer that rotates refresh
// tokens and revokes the family when a spent one comes again.
func pairRoots(sc *scene, much int) ([]*world, error) {
	sc.next, sc.async = pairMoves, true
	a, r := servers()
	troubles := int8(much)
	var out []*world
	for n, skew := range []time.Duration{0, 20 * time.Second} {
		w, err := newWorld(sc, a, r, config("a"), config("b"))
		if err != nil {
			return nil, err
		}
		w.actors[1].skew = skew
		w.variant = uint8(n)
		if skew == 0 { // two logins at once
			c := w.fork()
			c.left = budget{trouble: troubles - 1, calls: 1}
			out = append(out, c)
			// one looked before the other logged in
			b := w.fork()
			b.step(1, states.Begun{Seed: b.seed()})
			b.honest(1)
			b.login(0)
			b.left = budget{calls: 1}
			out = append(out, b)
		}
		w.login(0)
		w.step(1, states.Begun{Seed: w.seed()})
		w.honest(1)
		w.pass(0, start.Add(59*time.Minute+29*time.Second))
		w.ghost = ghost{secrets: w.ghost.secrets}
		w.actors[0].memory, w.actors[1].memory = memory{}, memory{}
		w.left = budget{trouble: troubles}
		c := w.fork()
		c.left = budget{trouble: troubles - 1, calls: 1, logouts: 1}
		out = append([]*world{w, c}, out...)
	}
	return out, nil
}

func pairMoves(w *world) []move {
	out := closedMoves(w)
	// Time passes for both, to whatever either has in view.
	for _, t := range w.horizon() {
		out = append(out, move{"time passes", func(w *world) { w.at = t }})
	}
	return out
}

// horizon lists the next times at which something can change.
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
	for _, l := range w.store.leases {
		add(l.until)
	}
	return out
}

// launch: the request of a refresh leaves; its answer is on its way.
func (w *world) launch(i int, q states.Send) {
	a := &w.actors[i]
	w.pass(i, q.NotBefore)
	if late(w.clock(i), q.NotAfter) {
		w.arrive(i, q, states.Unreachable{Serial: q.Serial, Class: states.Late, Detail: "too late to send"})
		return
	}
	r, _ := w.transmit(i, q)
	a.flight = &flight{send: q, until: w.ends(i, q), in: states.Responded{Serial: q.Serial, Response: r}}
}

// land hands in the answer that is on its way; one that took too long is lost.
func (w *world) land(i int) {
	a := &w.actors[i]
	f := a.flight
	a.flight = nil
	if !w.at.Before(f.until) {
		w.arrive(i, f.send, states.Unreachable{Serial: f.send.Serial, Class: states.Lost, Detail: "no answer in time"})
		return
	}
	w.arrive(i, f.send, f.in)
}

func (w *world) flightMoves(i int, add adder, pay payer) {
	add("the answer comes", func(w *world) { w.land(i) })
	pay(trouble, "the answer is lost", func(w *world) {
		f := w.actors[i].flight
		if f.until.After(w.at) {
			w.at = f.until
		}
		w.land(i)
	})
	pay(trouble, "the server fails after doing it", func(w *world) {
		f := w.actors[i].flight
		w.actors[i].flight = &flight{send: f.send, until: f.until, in: states.Responded{Serial: f.send.Serial, Response: wire.Response{Status: 503}}}
		w.land(i)
	})
}
