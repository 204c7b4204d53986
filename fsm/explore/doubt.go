package explore

import (
	"slices"
	"time"

	"github.com/stile-oauth/stile/fsm/model"
	"github.com/stile-oauth/stile/states"
	"github.com/stile-oauth/stile/states/wire"
)

// doubtRoots: two processes with one store, and a token that has expired. The answers to
// refreshes are repeatedly lost or unreadable, and hours pass between the tries.
func doubtRoots(sc *scene, much int) ([]*world, error) {
	sc.next = doubtMoves
	a, r := model.Servers()
	w, err := newWorld(sc, a, r, model.Client("a"), model.Client("b"))
	if err != nil {
		return nil, err
	}
	w.login(0)
	w.pass(0, model.Start.Add(2*time.Hour))
	w.ghost = ghost{secrets: w.ghost.secrets}
	w.actors[0].memory = memory{}
	w.says = "a token that has expired"
	w.left = budget{trouble: int8(3 + much), begins: 4, stalls: 2}
	// And a situation in which the doubt is older than doubt may become.
	c := w.fork()
	c.says = "in doubt for two hours"
	c.step(0, states.Ticked{})
	for c.broken == nil && !states.Resting(c.actors[0].m.State) {
		if q, ok := c.actors[0].q.(states.Send); ok && isRefresh(q) {
			c.pass(0, q.NotBefore)
			c.leaves(0, q)
			c.deliver(0, q, c.cut(0, q))
			continue
		}
		c.honest(0)
	}
	c.pass(0, w.at.Add(2*time.Hour))
	c.left = budget{trouble: int8(1 + much), begins: 3}
	return []*world{c, w}, nil
}

// cut lets no answer come until the driver gives the exchange up.
func (w *world) cut(i int, q states.Send) states.Input {
	w.at = w.ends(i, q)
	return states.Unreachable{Serial: q.Serial, Class: states.Lost, Detail: "connection reset"}
}

func doubtMoves(w *world) []move {
	var out []move
	for i := range w.actors {
		a := &w.actors[i]
		add := func(name string, do func(*world)) { out = append(out, move{a.name + ": " + name, do}) }
		pay := func(kind int, name string, do func(*world)) {
			if w.left[kind] > 0 {
				add(name, func(w *world) { w.spend(kind); do(w) })
			}
		}
		q, sent := a.q.(states.Send)
		switch {
		case sent && isRefresh(q):
			w.unreadableMoves(i, q, add, pay)
		case a.q != nil:
			add("it is answered", func(w *world) { w.honest(i) })
		case a.visit != nil:
			add("the user allows it", func(w *world) { w.user(i) })
		case a.m.State == states.Authorized && !a.wake.IsZero() && !a.wake.After(w.clock(i)):
			add("it wakes", func(w *world) { w.step(i, states.Ticked{}) })
		case states.Resting(a.m.State) && a.m.State != states.Authorized:
			pay(begins, "begin", func(w *world) { w.step(i, states.Begun{Seed: w.seed()}) })
		case !states.Resting(a.m.State) && !a.wake.IsZero():
			add("time passes until it wakes", func(w *world) { w.pass(i, a.wake); w.step(i, states.Ticked{}) })
		}
	}
	working := slices.ContainsFunc(w.actors, func(a actor) bool { return a.q != nil })
	if w.left[stalls] > 0 && !working {
		for _, d := range []time.Duration{10 * time.Second, 2 * time.Hour} {
			out = append(out, move{d.String() + " pass", func(w *world) { w.spend(stalls); w.at = w.at.Add(d) }})
		}
	}
	return out
}

// unreadableMoves are the possible outcomes of a refresh if none is certain.
func (w *world) unreadableMoves(i int, q states.Send, add adder, pay payer) {
	add("the server answers", func(w *world) { w.honest(i) })
	// instead replaces the server's answer by another; reached says whether the request
	// reached the server.
	instead := func(name string, reached bool, in func(w *world) states.Input) {
		pay(trouble, name, func(w *world) {
			w.pass(i, q.NotBefore)
			switch {
			case model.Late(w.clock(i), q.NotAfter):
				w.deliver(i, q, states.Unreachable{Serial: q.Serial, Class: states.Late, Detail: "too late to send"})
				return
			case reached:
				w.transmit(i, q)
			default:
				w.leaves(i, q)
			}
			w.deliver(i, q, in(w))
		})
	}
	lost := func(w *world) states.Input { return w.cut(i, q) }
	instead("the answer is lost", true, lost)
	instead("the connection is cut on the way there", false, lost)
	page := wire.Response{Status: 200, Header: wire.Fields{{Name: "Content-Type", Value: "text/html"}}, Body: []byte("<html>please wait</html>")}
	instead("a page comes in between", false, func(*world) states.Input { return states.Responded{Serial: q.Serial, Response: page} })
	instead("an object of unknown shape comes", true, func(*world) states.Input {
		return states.Responded{Serial: q.Serial, Response: jsonAnswer(200, `{"result":"ok"}`)}
	})
}
