package explore

import (
	"time"

	"github.com/stile-oauth/stile/fsm/model"
	"github.com/stile-oauth/stile/states"
	"github.com/stile-oauth/stile/states/wire"
)

// flight is a question whose answer is on its way: the server or the store has done what
// it was asked.
type flight struct {
	q     states.Effect
	since time.Time
	until time.Time // when the driver gives an exchange up
	in    states.Input
}

// launch sends a request or asks the store; from then on the answer is on its way.
func (w *world) launch(i int, q states.Effect) {
	a := &w.actors[i]
	send, ok := q.(states.Send)
	if !ok {
		in := w.unheard(i, q)
		w.actors[i].flight = &flight{q: q, since: w.at, in: in}
		return
	}
	w.pass(i, send.NotBefore)
	if model.Late(w.clock(i), send.NotAfter) {
		w.deliver(i, send, states.Unreachable{Serial: send.Serial, Class: states.Late, Detail: "too late to send"})
		return
	}
	r, known := w.transmit(i, send)
	if !known {
		w.deliver(i, send, states.Unreachable{Serial: send.Serial, Class: states.Unsent, Detail: "no such host"})
		return
	}
	a.flight = &flight{q: q, since: w.at, until: w.ends(i, send), in: states.Responded{Serial: send.Serial, Response: r}}
}

// open reports whether the machine still waits for this answer.
func (f *flight) open(a *actor) bool {
	if a.q == nil {
		return false
	}
	was, _ := states.SerialOfEffect(f.q)
	now, _ := states.SerialOfEffect(a.q)
	return was == now
}

// land hands in the answer that is on its way. An answer that took too long is lost. A
// lease is handed in with the time that is left of it (package storage). The machine must
// refuse an answer that it no longer waits for.
func (w *world) land(i int) {
	a := &w.actors[i]
	f := a.flight
	a.flight = nil
	if !f.open(a) {
		if _, err := w.tell(a.m, w.clock(i), f.in); err == nil {
			w.breaks(staleRefused, string(a.m.State)+" takes the answer to a question that was given up")
		}
		return
	}
	if send, ok := f.q.(states.Send); ok {
		in := f.in
		if !w.at.Before(f.until) {
			in = states.Unreachable{Serial: send.Serial, Class: states.Lost, Detail: "no answer in time"}
		}
		w.deliver(i, send, in)
		return
	}
	in := f.in
	if l, ok := in.(states.Leased); ok {
		l.TTL = max(l.TTL-w.at.Sub(f.since), 1)
		in = l
	}
	w.log.told(true)
	w.step(i, in)
	w.log.told(false)
}

// flightMoves are what may happen to an answer on its way: it arrives, sooner or later,
// or it is lost. If the delay has cost trouble already, the loss costs none.
func (w *world) flightMoves(i int, add adder, pay payer) {
	a := &w.actors[i]
	f := a.flight
	send, sent := f.q.(states.Send)
	add("the answer comes", func(w *world) { w.land(i) })
	lost := pay
	if !w.free(f.q) {
		lost = func(_ int, name string, do func(*world)) { add(name, do) }
	}
	if !f.open(a) {
		return
	}
	if !sent {
		lost(trouble, "the answer is lost", func(w *world) {
			w.actors[i].flight = nil
			serial, _ := states.SerialOfEffect(f.q)
			w.step(i, states.StoreFailed{Serial: serial, Detail: "the connection was reset"})
		})
		return
	}
	lost(trouble, "the answer is lost", func(w *world) {
		if f.until.After(w.at) {
			w.at = f.until
		}
		w.land(i)
	})
	pay(trouble, "the server fails after doing it", func(w *world) {
		n := *f
		n.in = states.Responded{Serial: send.Serial, Response: wire.Response{Status: 503}}
		w.actors[i].flight = &n
		w.land(i)
	})
}

// free says that others may act before this question's answer arrives without counting as
// trouble. This holds for a refresh in the pair.
func (w *world) free(q states.Effect) bool {
	s, ok := q.(states.Send)
	return ok && w.sc.async && isRefresh(s)
}

func isRefresh(q states.Send) bool {
	_, ok := q.Request.Form.Get("refresh_token")
	return ok
}

// flight writes those parts of an answer on its way that can differ.
func (e *encoder) flight(f *flight, a *actor) {
	if f == nil {
		e.byte(0)
		return
	}
	e.byte(1)
	e.flags(f.open(a))
	e.time(f.until)
	switch in := f.in.(type) {
	case states.Responded:
		e.byte(byte(in.Response.Status % 251))
		e.secret(field(in.Response, "access_token"))
		e.secret(field(in.Response, "refresh_token"))
		e.secret(field(in.Response, "client_id"))
		e.text(field(in.Response, "error"))
	case states.Unreachable:
		e.text(string(in.Class))
	case states.Loaded:
		e.byte(1)
		n := model.NewEntry(f.q.(states.Load).Key, in.Value, in.Generation, time.Time{})
		e.stored(&n)
	case states.Saved:
		e.byte(2)
		e.entry(in.Generation)
	case states.Leased:
		e.byte(3)
		e.time(f.since.Add(in.TTL))
	case states.NotFound:
		e.byte(4)
	case states.Conflicted:
		e.byte(5)
	case states.Held:
		e.byte(6)
	case states.Deleted, states.Claimed:
		e.byte(7)
	default: // the others need nothing here
	}
}
