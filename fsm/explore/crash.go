package explore

import (
	"slices"

	"github.com/stile-oauth/stile/fsm"
	"github.com/stile-oauth/stile/states"
)

// restart: the process dies with its question open, and its snapshot continues.
func (w *world) restart(i int) {
	a := &w.actors[i]
	if q, ok := a.q.(states.Send); ok {
		w.lose(i, q)
	}
	a.flight = nil
	w.log.line("restart")
	w.step(i, states.Interrupted{Seed: w.seed()})
}

// lose: nobody will know the outcome of an exchange, or even whether it began.
func (w *world) lose(i int, q states.Send) {
	token, refresh := q.Request.Form.Get("refresh_token")
	if code, ok := q.Request.Form.Get("code"); ok {
		token = code
	}
	if token == "" {
		return
	}
	w.ghost.excused = w.ghost.excused || refresh
	for _, p := range w.ghost.spends {
		if p.token == token && p.actor == i && p.outcome == open {
			w.ghost.settle(i, token, unknown, w.at)
			return
		}
	}
	w.ghost.spends = append(slices.Clip(w.ghost.spends), spend{token: token, actor: i, at: w.at, until: w.at, outcome: unknown})
}

// unheard: the store does what it was asked, and the machine does not get the answer, or
// not yet.
func (w *world) unheard(i int, q states.Effect) states.Input {
	in := w.stores(i, q)
	w.log.line("answer store lost")
	return in
}

// replace: the process dies, and another begins with only the store.
func (w *world) replace(i int) {
	a := &w.actors[i]
	if q, ok := a.q.(states.Send); ok {
		w.lose(i, q)
	}
	if states.HoldsLease(a.m.State) {
		w.ghost.excused = true
	}
	m, err := fsm.New(*a.m.Data.Config)
	if err != nil {
		return
	}
	*a = actor{name: a.name, m: m, skew: a.skew}
	w.log.line("config")
	w.step(i, states.Begun{Seed: w.seed()})
}
