package explore

import (
	"github.com/stile-oauth/stile/fsm/model"
	"github.com/stile-oauth/stile/states"
	"github.com/stile-oauth/stile/states/wire"
)

// questionMoves answer the open question.
func (w *world) questionMoves(i int, add adder, pay payer) {
	q := w.actors[i].q
	switch q := q.(type) {
	case states.Send:
		if w.free(q) {
			add("the refresh leaves", func(w *world) { w.launch(i, q) })
		} else {
			add("it is answered", func(w *world) { w.honest(i) })
			w.delays(i, q, pay)
		}
		w.networkFaults(i, q, pay)
	case states.Sign:
		add("the key signs", func(w *world) { w.honest(i) })
		pay(trouble, "the key cannot be used", func(w *world) {
			w.step(i, states.Unsigned{Serial: q.Serial, Detail: "the key is locked"})
		})
	case states.Assert:
		add("the platform gives an assertion", func(w *world) { w.honest(i) })
		pay(trouble, "the platform gives none", func(w *world) {
			w.step(i, states.Unsigned{Serial: q.Serial, Detail: "no file"})
		})
	case states.Ask:
		add("the host answers", func(w *world) { w.honest(i) })
	default:
		add("the store answers", func(w *world) { w.honest(i) })
		serial, _ := states.SerialOfEffect(q)
		pay(trouble, "the store fails", func(w *world) {
			w.step(i, states.StoreFailed{Serial: serial, Detail: "the disk is full"})
		})
		w.delays(i, q, pay)
	}
}

// delays: what was asked for is done, and its answer is delayed (flightMoves decides
// later whether it is lost), or the process dies before the answer arrives.
func (w *world) delays(i int, q states.Effect, pay payer) {
	act := func(w *world) { w.unheard(i, q) }
	if send, ok := q.(states.Send); ok {
		if model.Late(w.clock(i), send.NotAfter) {
			return // nothing more is sent
		}
		act = func(w *world) {
			w.pass(i, send.NotBefore)
			w.transmit(i, send)
		}
	}
	if w.actors[i].flight == nil && !w.sc.prompt {
		pay(trouble, "it is done, and the answer takes its time", func(w *world) { w.launch(i, q) })
	}
	if _, load := q.(states.Load); load {
		return // as if it had not been asked
	}
	pay(trouble, "it is done, the process dies, and its snapshot goes on", func(w *world) { act(w); w.restart(i) })
	pay(trouble, "it is done, the process dies, and another begins", func(w *world) { act(w); w.replace(i) })
}

// networkFaults are what can go wrong with an exchange.
func (w *world) networkFaults(i int, q states.Send, pay payer) {
	unreachable := func(class states.FailureClass) states.Input {
		return states.Unreachable{Serial: q.Serial, Class: class, Detail: string(class)}
	}
	pay(trouble, "no connection", func(w *world) {
		w.pass(i, q.NotBefore)
		w.deliver(i, q, unreachable(states.Unsent))
	})
	if model.Late(w.clock(i), q.NotAfter) {
		return // nothing more is sent
	}
	pay(trouble, "the answer is lost", func(w *world) {
		w.pass(i, q.NotBefore)
		w.transmit(i, q)
		w.deliver(i, q, unreachable(states.Lost))
	})
	pay(trouble, "the server fails after doing it", func(w *world) {
		w.pass(i, q.NotBefore)
		w.transmit(i, q)
		w.deliver(i, q, states.Responded{Serial: q.Serial, Response: wire.Response{Status: 500}})
	})
	if q.Request.Method == "GET" {
		return
	}
	pay(trouble, "nothing is there", func(w *world) {
		w.pass(i, q.NotBefore)
		w.deliver(i, q, states.Responded{Serial: q.Serial, Response: wire.Response{Status: 404}})
	})
	for _, code := range []string{"invalid_grant", "invalid_client", "temporarily_unavailable"} {
		pay(trouble, "the server says "+code, func(w *world) {
			w.pass(i, q.NotBefore)
			w.deliver(i, q, states.Responded{Serial: q.Serial, Response: jsonAnswer(400, `{"error":"`+code+`"}`)})
		})
	}
	pay(trouble, "the server asks for patience", func(w *world) {
		w.pass(i, q.NotBefore)
		r := wire.Response{Status: 429, Header: wire.Fields{{Name: "Retry-After", Value: "2"}}}
		w.deliver(i, q, states.Responded{Serial: q.Serial, Response: r})
	})
}
