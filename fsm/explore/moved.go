package explore

import (
	"github.com/stile-oauth/stile/fsm"
	"github.com/stile-oauth/stile/fsm/model"
	"github.com/stile-oauth/stile/states"
)

// movedRoots: the closed world with a credential of an issuer that still works but that
// the resource no longer names; and with a process that has read nothing yet.
func movedRoots(sc *scene, much int) ([]*world, error) {
	sc.next = closedMoves
	a, r := model.Servers()
	w, err := newWorld(sc, a, r, model.Client("a"))
	if err != nil {
		return nil, err
	}
	w.left[begins]++
	w.login(0)
	a.Issuer, r.AuthorizationServers = movedTo, []string{movedTo}
	net, err := network(a, r)
	if err != nil {
		return nil, err
	}
	net.AS = append(net.AS, w.net.AS...)
	w.net, w.own = net, true
	w.log.line("peer issuer=" + movedTo)
	fresh, err := fsm.New(model.Client("a"))
	if err != nil {
		return nil, err
	}
	w.actors[0] = actor{name: "a", m: fresh}
	w.log.line("config")
	w.ghost = ghost{secrets: w.ghost.secrets}
	w.left = budget{trouble: int8(much), calls: 2, logouts: 1, begins: 1}
	w.says = "a token of the old issuer"
	// And a login at the new issuer that is almost over.
	c := w.fork()
	c.says = "a login at the new issuer, saved"
	c.step(0, states.Begun{Seed: c.seed(), Login: true})
	for n := 0; n < 60 && c.broken == nil && c.actors[0].m.State != states.Withdrawing; n++ {
		if c.actors[0].visit != nil {
			c.user(0)
			continue
		}
		c.honest(0)
	}
	return []*world{c, w}, nil
}

const movedTo = "https://new.example"
