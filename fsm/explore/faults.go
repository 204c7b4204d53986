package explore

import (
	"slices"

	"github.com/stile-oauth/stile/fsm/model"
	"github.com/stile-oauth/stile/fsm/peer"
	"github.com/stile-oauth/stile/states"
)

// The world of faults: the servers always have one fault of package peer, nothing else
// goes wrong, and the host keeps trying.

// astray marks a world whose issuer itself sends its secrets elsewhere, or issues for
// somebody else. Nobody else loses anything by that.
const astray uint8 = 1 << 7

var ownWord = []string{"asm-private-endpoint", "asm-foreign-token-endpoint", "audience-wrong"}

func faultRoots(sc *scene) (out []*world, err error) {
	sc.next = faultMoves
	for n, f := range peer.Faults() {
		a, r := model.Servers()
		if a.Faults, r.Faults, err = peer.Side([]string{f.Name}); err != nil {
			return nil, err
		}
		w, err := newWorld(sc, a, r, model.Client("a"))
		if err != nil {
			return nil, err
		}
		w.log.commands = append([]command{{line: "peer faults=(" + f.Name + ")"}}, w.log.commands...)
		w.left, w.variant, w.says = budget{calls: 5}, uint16(n), f.Name
		if slices.Contains(ownWord, f.Name) {
			w.extra = astray
		}
		out = append(out, w)
	}
	return out, nil
}

// faultMoves: everybody does what they are asked, and the host keeps trying.
func faultMoves(w *world) []move {
	const i = 0
	a := &w.actors[i]
	switch {
	case a.visit != nil && a.q == nil:
		return []move{
			{"the user allows it", func(w *world) { w.user(i) }},
			{"the user never comes back", func(w *world) { w.pass(i, a.visit.Deadline); w.step(i, states.Ticked{}) }},
		}
	case a.q != nil:
		return []move{{"it is answered", func(w *world) { w.honest(i) }}}
	case a.m.State == states.Idle:
		return []move{{"begin", func(w *world) { w.step(i, states.Begun{Seed: w.seed()}) }}}
	}
	var out []move
	if !a.wake.IsZero() {
		out = append(out, move{"time passes until it wakes", func(w *world) { w.pass(i, a.wake); w.step(i, states.Ticked{}) }})
	}
	if states.Resting(a.m.State) && w.left[calls] > 0 {
		call := func(tool string) func(*world) {
			return func(w *world) {
				w.left[calls]--
				if w.actors[i].m.State == states.Failed {
					w.step(i, states.Begun{Seed: w.seed()})
					return
				}
				w.call(i, tool, false)
			}
		}
		out = append(out, move{"call", call("")}, move{"call for more", call("purge")})
	}
	if a.m.State == states.Authorized && w.left[calls] < 4 {
		out = append(out, move{"log out", func(w *world) { w.left[calls] = 0; w.step(i, states.LoggedOut{Seed: w.seed()}) }})
	}
	return out
}
