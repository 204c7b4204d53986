package explore

import (
	"time"

	"github.com/stile-oauth/stile/fsm"
	"github.com/stile-oauth/stile/fsm/model"
	"github.com/stile-oauth/stile/fsm/peer"
	"github.com/stile-oauth/stile/states"
	"github.com/stile-oauth/stile/states/wire"
)

// The parties of the closed world are those of the scripts.
const (
	issuer   = model.Issuer
	resource = model.Resource
	callback = model.Callback
	attacker = "mallory"
)

func network(a peer.ASConfig, r peer.RSConfig) (*peer.World, error) {
	as, err := peer.NewAS(a)
	if err != nil {
		return nil, err
	}
	rs, err := peer.NewRS(r)
	if err != nil {
		return nil, err
	}
	return &peer.World{AS: []*peer.AS{as}, RS: []*peer.RS{rs}}, nil
}

// newWorld has machines that have not begun, and servers that work.
func newWorld(sc *scene, a peer.ASConfig, r peer.RSConfig, configs ...states.Config) (*world, error) {
	net, err := network(a, r)
	if err != nil {
		return nil, err
	}
	w := &world{sc: sc, at: model.Start, net: net, own: true, log: &story{at: model.Start}}
	w.log.line("config")
	for _, c := range configs {
		m, err := fsm.New(c)
		if err != nil {
			return nil, err
		}
		w.actors = append(w.actors, actor{name: c.Holder, m: m})
	}
	return w, nil
}

func closedRoots(sc *scene, much int) ([]*world, error) {
	sc.next = closedMoves
	a, r := model.Servers()
	w, err := newWorld(sc, a, r, model.Client("a"))
	if err != nil {
		return nil, err
	}
	n := int8(much)
	w.left = budget{trouble: n, calls: 2, logouts: 1, begins: 1}
	out := []*world{w}
	// The same with a credential whose token expires in a minute.
	w.says = "nothing stored"
	c := w.fork()
	c.says = "a token a minute before its end"
	c.left[begins]++
	c.login(0)
	c.pass(0, model.Start.Add(59*time.Minute))
	c.left[begins] = 0
	c.ghost = ghost{secrets: c.ghost.secrets}
	c.actors[0].memory = memory{}
	return append([]*world{c}, out...), nil
}

// fork is clone for roots, which keep the steps that led to them.
func (w *world) fork() *world {
	c := w.clone()
	c.log = w.log.copy()
	return c
}

// login logs an actor in, without trouble.
func (w *world) login(i int) {
	w.step(i, states.Begun{Seed: w.seed(), Login: true})
	for n := 0; n < 60 && w.broken == nil && w.actors[i].m.State != states.Authorized; n++ {
		if v := w.actors[i].visit; v != nil {
			w.user(i)
			continue
		}
		w.honest(i)
	}
}

// user follows the link of the visit and comes back.
func (w *world) user(i int) {
	v := w.actors[i].visit
	w.at = w.at.Add(time.Second)
	if back := w.consent(v.URL.Reveal(), v.RedirectURI, false); back != "" {
		w.step(i, states.Redirected{Serial: v.Serial, URL: wire.Secret(back)})
	}
}

// consent visits an authorization endpoint and gives the address that the browser is sent
// back to; empty if it is sent nowhere.
func (w *world) consent(address, redirect string, foreign bool) string {
	to := model.Consent(w.servers(), w.at, address, redirect)
	if to != "" {
		challenge, _ := query(address).Get("code_challenge")
		w.issued(to, w.home(address), challenge, foreign)
	}
	return to
}

// closedMoves are the moves of one machine with its servers and its store.
func closedMoves(w *world) []move {
	var out []move
	for i := range w.actors {
		out = append(out, w.moves(i)...)
	}
	return out
}

func (w *world) spend(kind int) { w.left[kind]-- }

// moves are those of one actor.
func (w *world) moves(i int) []move {
	a := &w.actors[i]
	var out []move
	add := func(name string, do func(*world)) { out = append(out, move{a.name + ": " + name, do}) }
	pay := func(kind int, name string, do func(*world)) {
		if w.left[kind] > 0 {
			add(name, func(w *world) { w.spend(kind); do(w) })
		}
	}
	switch {
	case a.flight == nil && a.q != nil:
		w.questionMoves(i, add, pay)
	case a.flight != nil:
		w.flightMoves(i, add, pay)
		if a.q != nil && !a.flight.open(a) {
			w.questionMoves(i, add, pay)
		}
	}
	if a.visit != nil {
		w.visitMoves(i, add, pay)
	}
	w.outsideMoves(i, add, pay)
	w.timeMoves(i, add, pay)
	if !states.Resting(a.m.State) {
		pay(trouble, "the process dies and its snapshot goes on", func(w *world) { w.restart(i) })
	}
	pay(trouble, "the process dies and another begins", func(w *world) { w.replace(i) })
	return out
}

type adder = func(string, func(*world))
type payer = func(int, string, func(*world))

func jsonAnswer(status int, body string) wire.Response {
	return wire.Response{Status: status, Header: wire.Fields{
		{Name: "Content-Type", Value: "application/json"}, {Name: "Cache-Control", Value: "no-store"},
	}, Body: []byte(body)}
}

// visitMoves are what the user does, and what can happen instead.
func (w *world) visitMoves(i int, add adder, pay payer) {
	a := &w.actors[i]
	add("the user allows it", func(w *world) { w.user(i) })
	v := a.visit
	flow := a.m.Data.Flow
	pay(trouble, "the user refuses", func(w *world) {
		w.step(i, states.Redirected{Serial: v.Serial, URL: back(callback, "error", "access_denied", "state", flow.State.Reveal(), "iss", issuer)})
	})
	pay(trouble, "a stranger's callback comes", func(w *world) {
		w.step(i, states.Redirected{Serial: v.Serial, URL: back(callback, "code", "code_of_a_stranger", "state", "guessed-guessed-guessed-guessed-guessed-43", "iss", issuer)})
	})
}

// back builds a callback.
func back(base string, pairs ...string) wire.Secret {
	var fs wire.Fields
	for n := 0; n+1 < len(pairs); n += 2 {
		if pairs[n+1] != "" {
			fs = append(fs, wire.Field{Name: pairs[n], Value: pairs[n+1]})
		}
	}
	return wire.Secret(base + "?" + wire.EncodeForm(fs))
}

// outsideMoves are what the host and the MCP server do.
func (w *world) outsideMoves(i int, add adder, pay payer) {
	a := &w.actors[i]
	s := a.m.State
	if s == states.Idle || s == states.Anonymous || s == states.Failed {
		begin := func(login bool) func(*world) {
			return func(w *world) { w.step(i, states.Begun{Seed: w.seed(), Login: login}) }
		}
		if s == states.Idle {
			add("begin", begin(false))
			add("begin a login", begin(true))
		} else {
			pay(begins, "begin", begin(false))
			pay(begins, "begin a login", begin(true))
		}
	}
	pay(calls, "call", func(w *world) { w.call(i, "", false) })
	pay(calls, "call for more", func(w *world) { w.call(i, "purge", false) })
	if a.granted != nil {
		pay(calls, "the server refuses the token", func(w *world) { w.call(i, "", true) })
		pay(trouble, "the server refuses an old token", func(w *world) {
			w.step(i, states.Challenged{Generation: 1, Response: refusal(401, `Bearer error="invalid_token"`)})
		})
	}
	if k := a.m.Data.Config.CredentialKey(); len(w.actors) == 1 && w.store.Find(w.at, k) != nil {
		pay(trouble, "another process removes the credential", func(w *world) {
			w.store.Drop(k)
			w.ghost.loggedOut = true
			w.log.line("drop credential")
		})
	}
	if !states.Resting(s) {
		pay(trouble, "no caller is waiting", func(w *world) { w.step(i, states.Cancelled{}) })
	} else if s != states.Idle {
		pay(logouts, "log out", func(w *world) { w.step(i, states.LoggedOut{Seed: w.seed()}) })
	}
}

func refusal(status int, challenge string) wire.Response {
	return wire.Response{Status: status, Header: wire.Fields{{Name: "WWW-Authenticate", Value: challenge}}}
}

// call sends a request to the MCP server and hands in what it says.
func (w *world) call(i int, tool string, refuse bool) {
	a := &w.actors[i]
	var g states.Generation
	if a.granted != nil {
		g = a.granted.Generation
	}
	r := model.Ask(w.servers(), w.at, resource, tool, a.granted, int(w.left[calls]))
	if refuse {
		r = refusal(401, `Bearer error="invalid_token", scope="user", resource_metadata="https://mcp.example/.well-known/oauth-protected-resource/mcp"`)
	}
	switch {
	case r.Status == 401 || r.Status == 403:
		w.step(i, states.Challenged{Generation: g, Response: wire.Response{Status: r.Status, Header: r.Header}})
	case r.Status < 300 && g != 0:
		w.step(i, states.Accepted{Generation: g})
	}
}

// timeMoves let time pass until what the actor waits for and, at the cost of trouble,
// beyond what it relies on.
func (w *world) timeMoves(i int, add adder, pay payer) {
	a := &w.actors[i]
	now := w.clock(i)
	resting := a.m.State == states.Authorized
	if !a.wake.IsZero() && (!resting || a.renewals != 1) {
		wakes := add
		if w.sc.async && w.passes(a.wake.Add(-a.skew)) {
			wakes = func(name string, do func(*world)) { pay(stalls, name, do) }
		}
		wakes("time passes until it wakes", func(w *world) {
			if resting && a.renewals > 1 {
				w.actors[i].renewals--
			}
			w.pass(i, a.wake)
			w.step(i, states.Ticked{})
		})
	}
	jump := func(name string, t time.Time) {
		// Time also passes while an answer is on its way, which has cost its trouble
		// already.
		if pay := pay; !t.IsZero() && t.After(now) {
			if f := a.flight; f != nil && !w.free(f.q) {
				pay = func(_ int, name string, do func(*world)) { add(name, do) }
			}
			pay(trouble, name, func(w *world) {
				w.pass(i, t)
				w.ghost.excused = w.ghost.excused || states.HoldsLease(a.m.State)
			})
		}
	}
	d := &a.m.Data
	jump("it stands still beyond its lease", d.Lease.Until.Add(time.Second))
	jump("it stands still until the token has expired", d.FreshUntil.Add(time.Second))
	if d.Flow != nil {
		jump("it stands still beyond the login's end", d.Flow.Deadline.Add(time.Second))
	}
}
