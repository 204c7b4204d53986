package explore

import (
	"strings"
	"time"

	"github.com/stile-oauth/stile/fsm"
	"github.com/stile-oauth/stile/fsm/peer"
	"github.com/stile-oauth/stile/states"
	"github.com/stile-oauth/stile/states/wire"
)

// The people of the closed world are those of the scripts.
const (
	issuer   = "https://as.example"
	resource = "https://mcp.example/mcp"
	callback = "http://127.0.0.1:4711/callback"
	attacker = "mallory"
)

func config(holder string) states.Config {
	return states.Config{Server: resource, Redirects: []string{callback}, ClientName: "Story", Holder: holder}
}

func servers() (peer.ASConfig, peer.RSConfig) {
	return peer.ASConfig{
			Issuer: issuer, Scopes: []string{"user", "admin"}, Seed: []byte("story"),
			DCR: true, Iss: true, RefreshRotation: true, AutoConsent: true,
			Users: []peer.User{{Name: "ann", Password: "open sesame"}},
		}, peer.RSConfig{
			Resource: resource, AuthorizationServers: []string{issuer}, Scopes: []string{"user"},
			Rules: []peer.ScopeRule{{Tool: "purge", Scopes: []string{"admin"}}},
		}
}

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

// newWorld puts machines that have not begun before servers that work.
func newWorld(sc *scene, a peer.ASConfig, r peer.RSConfig, configs ...states.Config) (*world, error) {
	net, err := network(a, r)
	if err != nil {
		return nil, err
	}
	w := &world{sc: sc, at: start, net: net, own: true, log: &story{at: start}}
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
	a, r := servers()
	w, err := newWorld(sc, a, r, config("a"))
	if err != nil {
		return nil, err
	}
	n := int8(much)
	w.left = budget{trouble: n, calls: 2, logouts: 1, begins: 1}
	out := []*world{w}
	// The same with a credential that was obtained before, half a life ago.
	c := w.fork()
	c.left[begins]++
	c.login(0)
	c.pass(0, start.Add(59*time.Minute))
	c.left[begins] = 0
	c.ghost = ghost{secrets: c.ghost.secrets}
	c.actors[0].memory = memory{}
	return append([]*world{c}, out...), nil
}

// fork is clone for roots, which keep what led to them.
func (w *world) fork() *world {
	c := w.clone()
	c.log = w.log.copy()
	return c
}

// login brings an actor to a token, without trouble.
func (w *world) login(i int) {
	w.step(i, states.Begun{Seed: w.seed(), Login: true})
	for n := 0; n < 60 && w.broken == nil && w.actors[i].m.State != states.Authorized; n++ {
		if v := w.actors[i].visit; v != nil {
			w.human(i)
			continue
		}
		w.honest(i)
	}
}

// human goes where he is sent and comes back.
func (w *world) human(i int) {
	v := w.actors[i].visit
	w.at = w.at.Add(time.Second)
	if back := w.consent(v.URL.Reveal(), v.RedirectURI, false); back != "" {
		w.step(i, states.Redirected{Serial: v.Serial, URL: wire.Secret(back)})
	}
}

// consent visits an authorization endpoint and gives the address that it leads
// back to; empty when it leads nowhere.
func (w *world) consent(address, redirect string, foreign bool) string {
	r, _ := w.servers().Answer(w.at, wire.Request{Method: "GET", URL: address})
	for _, l := range r.Header.Header("Location") {
		if strings.HasPrefix(l, redirect) {
			challenge, _ := query(address).Get("code_challenge")
			w.issued(l, w.home(address), challenge, foreign)
			return l
		}
	}
	return ""
}

// closedMoves are the moves of one machine before its servers and its store.
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
	case a.flight != nil:
		w.flightMoves(i, add, pay)
	case a.q != nil:
		w.questionMoves(i, add, pay)
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

// questionMoves answer the open question.
func (w *world) questionMoves(i int, add adder, pay payer) {
	switch q := w.actors[i].q.(type) {
	case states.Send:
		if w.sc.async && q.Request.Form != nil && isRefresh(q) {
			add("the refresh leaves", func(w *world) { w.launch(i, q) })
		} else {
			add("it is answered", func(w *world) { w.honest(i) })
		}
		w.networkFaults(i, q, pay)
	case states.Ask:
		add("the host answers", func(w *world) { w.honest(i) })
	default:
		add("the store answers", func(w *world) { w.honest(i) })
		serial, _ := states.SerialOfEffect(q)
		pay(trouble, "the store fails", func(w *world) {
			w.step(i, states.StoreFailed{Serial: serial, Detail: "the disk is full"})
		})
		pay(trouble, "the store does it and its answer is lost", func(w *world) {
			w.unheard(i, q)
			w.step(i, states.StoreFailed{Serial: serial, Detail: "the connection was reset"})
		})
		if _, load := q.(states.Load); !load {
			pay(trouble, "the store does it, the process dies, and its snapshot goes on", func(w *world) {
				w.unheard(i, q)
				w.restart(i)
			})
		}
	}
}

func isRefresh(q states.Send) bool {
	_, ok := q.Request.Form.Get("refresh_token")
	return ok
}

// networkFaults spoil an exchange.
func (w *world) networkFaults(i int, q states.Send, pay payer) {
	unreachable := func(class string) states.Input {
		return states.Unreachable{Serial: q.Serial, Class: class, Detail: class}
	}
	pay(trouble, "no connection", func(w *world) {
		w.pass(i, q.NotBefore)
		w.arrive(i, q, unreachable(states.Unsent))
	})
	if late(w.clock(i), q.NotAfter) {
		return // nothing leaves any more
	}
	pay(trouble, "the answer is lost", func(w *world) {
		w.pass(i, q.NotBefore)
		w.transmit(i, q)
		w.arrive(i, q, unreachable(states.Lost))
	})
	pay(trouble, "the server fails after doing it", func(w *world) {
		w.pass(i, q.NotBefore)
		w.transmit(i, q)
		w.arrive(i, q, states.Responded{Serial: q.Serial, Response: wire.Response{Status: 500}})
	})
	if q.Request.Method == "GET" {
		return
	}
	pay(trouble, "nothing is there", func(w *world) {
		w.pass(i, q.NotBefore)
		w.arrive(i, q, states.Responded{Serial: q.Serial, Response: wire.Response{Status: 404}})
	})
	for _, code := range []string{"invalid_grant", "invalid_client", "temporarily_unavailable"} {
		pay(trouble, "the server says "+code, func(w *world) {
			w.pass(i, q.NotBefore)
			w.arrive(i, q, states.Responded{Serial: q.Serial, Response: jsonAnswer(400, `{"error":"`+code+`"}`)})
		})
	}
	pay(trouble, "the server asks for patience", func(w *world) {
		w.pass(i, q.NotBefore)
		r := wire.Response{Status: 429, Header: wire.Fields{{Name: "Retry-After", Value: "2"}}}
		w.arrive(i, q, states.Responded{Serial: q.Serial, Response: r})
	})
}

func jsonAnswer(status int, body string) wire.Response {
	return wire.Response{Status: status, Header: wire.Fields{
		{Name: "Content-Type", Value: "application/json"}, {Name: "Cache-Control", Value: "no-store"},
	}, Body: []byte(body)}
}

// visitMoves are what a human does, and what comes in his place.
func (w *world) visitMoves(i int, add adder, pay payer) {
	a := &w.actors[i]
	add("the human allows it", func(w *world) { w.human(i) })
	v := a.visit
	flow := a.m.Data.Flow
	pay(trouble, "the human refuses", func(w *world) {
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
	if k := a.m.Data.Config.CredentialKey(); len(w.actors) == 1 && w.store.find(w.at, k) != nil {
		pay(trouble, "another process removes the credential", func(w *world) {
			w.store.entries = w.store.without(k)
			w.ghost.loggedOut = true
			w.log.line("drop credential")
		})
	}
	if !states.Resting(s) {
		pay(trouble, "nobody waits any more", func(w *world) { w.step(i, states.Cancelled{}) })
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
	req := wire.Request{Method: "POST", URL: resource, Body: []byte(`{"jsonrpc":"2.0","id":1,"method":"tools/list"}`)}
	if tool != "" {
		req.Body = []byte(`{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"` + tool + `"}}`)
	}
	var g states.Generation
	if a.granted != nil {
		g = a.granted.Generation
		req.Header = wire.Fields{{Name: "Authorization", Value: "Bearer " + a.granted.AccessToken.Reveal(), Secret: true}}
	}
	r, _ := w.servers().Answer(w.at, req)
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

// timeMoves let time pass: to what the actor waits for, and, for a price, past
// what it relies on.
func (w *world) timeMoves(i int, add adder, pay payer) {
	a := &w.actors[i]
	now := w.clock(i)
	if !a.wake.IsZero() {
		add("time passes until it wakes", func(w *world) {
			w.pass(i, a.wake)
			w.step(i, states.Ticked{})
		})
	}
	jump := func(name string, t time.Time) {
		if !t.IsZero() && t.After(now) {
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
