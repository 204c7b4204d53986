package explore

import (
	"time"

	"github.com/stile-oauth/stile/fsm"
	"github.com/stile-oauth/stile/fsm/model"
	"github.com/stile-oauth/stile/states"
	"github.com/stile-oauth/stile/states/wire"
)

// The open world: there are no servers and no store, only answers of every
// kind (alphabet.go). The walk begins at every situation of a life without
// trouble, for several configurations, and bounds the situations of one shape:
// Options.Trouble of each are explored further.

// openConfigs are the configurations, in the words of the scripts.
func openConfigs() (out []states.Config, words []string) {
	add := func(says string, change func(*states.Config)) {
		c := model.Client("a")
		change(&c)
		out, words = append(out, c), append(words, "config"+says)
	}
	app := func(at string) *states.Configured {
		return &states.Configured{ID: "app", Secret: "the secret of the app", Issuer: at}
	}
	const appSays = " client=app client-secret=(the secret of the app) client-issuer="
	add("", func(*states.Config) {})
	add(" asks=(resource, issuer, scopes, client)", func(c *states.Config) {
		c.Asks = []states.Question{states.AskResource, states.AskIssuer, states.AskScopes, states.AskClient}
	})
	add(" asks=(issuer)", func(c *states.Config) { c.Asks = []states.Question{states.AskIssuer} })
	add(" asks=(resource)", func(c *states.Config) { c.Asks = []states.Question{states.AskResource} })
	add(" asks=(scopes)", func(c *states.Config) { c.Asks = []states.Question{states.AskScopes} })
	add(appSays+issuer, func(c *states.Config) { c.Client = app(issuer) })
	add(" cimd=https://app.example/client.json issuers=("+issuer+")", func(c *states.Config) {
		c.CIMD, c.Issuers = "https://app.example/client.json", []string{issuer}
	})
	add(" registration=no asks=(client) lease=6s", func(c *states.Config) {
		c.NoRegistration, c.Asks, c.LeaseTime = true, []states.Question{states.AskClient}, 6*time.Second
	})
	add(" initial-token=the-first-token issuer="+issuer, func(c *states.Config) { c.InitialToken, c.Issuer = "the-first-token", issuer })
	add(" revision=2025-03-26", func(c *states.Config) { c.Revision = states.R1 })
	add(" issuer="+issuer+" registration=no", func(c *states.Config) { c.Issuer, c.NoRegistration = issuer, true })
	add(" revision=2025-03-26"+appSays+"https://mcp.example", func(c *states.Config) {
		c.Revision, c.Client = states.R1, app("https://mcp.example")
	})
	keyed := func(c *states.Config) {
		c.Key, c.Client = model.Key(), &states.Configured{ID: "app", Issuer: issuer}
	}
	add(" key client=app client-issuer="+issuer, keyed)
	add(" key client=app grant=client_credentials client-issuer="+issuer, func(c *states.Config) {
		keyed(c)
		c.Grant = states.OwnGrant
	})
	add(" grant=client_credentials"+appSays+issuer, func(c *states.Config) {
		c.Grant, c.Client = states.OwnGrant, app(issuer)
	})
	add(" grant="+string(states.WorkloadGrant)+" issuer="+issuer, func(c *states.Config) {
		c.Grant, c.Issuer = states.WorkloadGrant, issuer
	})
	add(" enterprise", model.Enterprise)
	bound := func(c *states.Config) { c.Binding, c.ProofKey = states.TryBinding, model.ProofKey() }
	add(" dpop=try grant="+string(states.DeviceGrant), func(c *states.Config) { bound(c); c.Grant = states.DeviceGrant })
	add(" dpop=try grant="+string(states.WorkloadGrant)+" issuer="+issuer, func(c *states.Config) {
		bound(c)
		c.Grant, c.Issuer = states.WorkloadGrant, issuer
	})
	add(" enterprise dpop=try", func(c *states.Config) { bound(c); model.Enterprise(c) })
	add(" shows redirects=()", func(c *states.Config) { c.Shows, c.Redirects = true, nil })
	add(" grant="+string(states.DeviceGrant), func(c *states.Config) { c.Grant = states.DeviceGrant })
	add(" grant="+string(states.DeviceGrant)+appSays+issuer, func(c *states.Config) { c.Grant, c.Client = states.DeviceGrant, app(issuer) })
	return out, words
}

func openRoots(sc *scene, much int) ([]*world, error) {
	sc.next, sc.coarse = openMoves, much
	var out []*world
	configs, words := openConfigs()
	for n, c := range configs {
		m, err := fsm.New(c)
		if err != nil {
			return nil, err
		}
		w := &world{sc: sc, at: model.Start, actors: []actor{{name: "a", m: m}}, variant: uint16(n), log: &story{at: model.Start}}
		w.log.line(words[n])
		w.says = words[n]
		out = append(out, w.fork())
		out = append(out, openLife(w)...)
		if w.broken != nil {
			out = append(out, w)
		}
	}
	return out, nil
}

// openLife goes through a life without trouble: login, refresh, step-up, log out, a login
// with the client that was registered before, and once a login that replaces one at
// another issuer and one whose client is refused at first. It gives every situation on
// the path.
func openLife(w *world) (out []*world) {
	keep := func() { out = append(out, w.fork()) }
	registered := false
	said := map[states.State]string{} // the answer that is given once in a state
	rest := func() {
		for n := 0; n < 40 && w.broken == nil; n++ {
			a := &w.actors[0]
			name, once := said[a.m.State]
			delete(said, a.m.State)
			switch {
			case once && openSaid(w, 0, name):
			case a.visit != nil:
				w.openCallback(0, 0)
			case a.m.State == states.AwaitingUser:
				w.pass(0, a.wake)
				w.step(0, states.Ticked{})
			case registered && a.m.State == states.FindingClient:
				openAnswers(w, 0)[1].do(w) // a client is stored
			case !openHonest(w, 0):
				return
			}
			keep()
		}
	}
	act := func(in states.Input) { w.step(0, in); keep(); rest() }
	act(states.Begun{Seed: w.seed(), Login: true})
	if w.actors[0].m.State != states.Authorized {
		return out
	}
	if wake := w.actors[0].wake; !wake.IsZero() {
		w.pass(0, wake)
		act(states.Ticked{})
	}
	act(openChallenge(w, 0, 403, `Bearer error="insufficient_scope", scope="user admin"`))
	act(openChallenge(w, 0, 401, `Bearer error="invalid_token"`))
	act(states.LoggedOut{Seed: w.seed(), Forget: w.variant == 0})
	registered = true
	act(states.Begun{Seed: w.seed(), Login: true})
	if c := w.actors[0].m.Data.Config; w.variant == 0 || c.Key != nil && !c.Own() {
		act(states.LoggedOut{Seed: w.seed()})
		w.step(0, states.Begun{Seed: w.seed(), Login: true})
		load, _ := states.SerialOfEffect(w.actors[0].q)
		act(states.Loaded{Serial: load, Value: w.openCredential(0, ofAnother), Generation: w.next()})
		// The issuer accepts the secret by another method than the one that it named
		// first.
		act(states.LoggedOut{Seed: w.seed()})
		registered = false
		said = map[states.State]string{
			states.Registering: "the server answers: a secret and no method",
			states.Exchanging:  "the server answers: invalid_client",
		}
		act(states.Begun{Seed: w.seed(), Login: true})
	}
	return out
}

// openSaid gives the answer of the alphabet with that name.
func openSaid(w *world, i int, name string) bool {
	for _, m := range openAnswers(w, i) {
		if m.name == name {
			m.do(w)
			return true
		}
	}
	return false
}

func openChallenge(w *world, i int, status int, challenge string) states.Input {
	var g states.Generation
	if t := w.actors[i].m.Data.Token(); t != nil {
		g = t.Generation
	}
	r := wire.Response{Status: status}
	if challenge != "" {
		r = refusal(status, challenge)
	}
	return states.Challenged{Generation: g, Response: r}
}

// openHonest gives the first answer of the alphabet, which is the honest one.
func openHonest(w *world, i int) bool {
	list := openAnswers(w, i)
	if len(list) == 0 {
		return false
	}
	list[0].do(w)
	return true
}

func openMoves(w *world) []move {
	a := &w.actors[0]
	out := openAnswers(w, 0)
	if a.visit != nil {
		for n, c := range callbacks {
			out = append(out, move{c.name, func(w *world) { w.openCallback(0, n) }})
		}
		for _, class := range []states.FailureClass{states.Blocked, states.Unsent} {
			out = append(out, move{"the user is not sent: " + string(class), func(w *world) {
				w.step(0, states.Unreachable{Serial: a.visit.Serial, Class: class, Detail: string(class)})
			}})
		}
	}
	return append(out, openStatements(w, 0)...)
}

// openStatements may come at any time.
func openStatements(w *world, i int) []move {
	a := &w.actors[i]
	d := &a.m.Data
	var out []move
	say := func(name string, in states.Input) { out = append(out, move{name, func(w *world) { w.step(i, in) }}) }
	later := func(name string, t time.Time) {
		if !t.IsZero() && t.After(w.at) {
			out = append(out, move{name, func(w *world) { w.pass(i, t); w.step(i, states.Ticked{}) }})
		}
	}
	say("time passes", states.Ticked{})
	later("time passes until it wakes", a.wake)
	later("the token expires", d.FreshUntil)
	if d.Flow != nil {
		later("the login's time is over", d.Flow.Deadline)
		if d.Flow.Device != nil {
			later("the mark is about to end", d.Flow.MarkUntil.Add(-time.Second))
		}
	}
	later("the lease is over", d.Lease.Until)
	later("the wait is over", d.WaitUntil)
	for _, c := range challenges {
		say("the server says "+c.name, openChallenge(w, i, c.status, c.header))
	}
	say("the server refuses an old token", states.Challenged{Generation: 1, Response: refusal(401, `Bearer error="invalid_token"`)})
	if t := d.Token(); t != nil {
		say("the server takes the token", states.Accepted{Generation: t.Generation})
	}
	say("the server takes an old token", states.Accepted{Generation: 1})
	say("no caller is waiting", states.Cancelled{})
	seed := func(name string, in func(wire.Secret) states.Input) {
		out = append(out, move{name, func(w *world) {
			q, _ := w.actors[i].q.(states.Send)
			w.lose(i, q)
			w.step(i, in(w.seed()))
		}})
	}
	seed("the process dies and its snapshot goes on", func(s wire.Secret) states.Input { return states.Interrupted{Seed: s} })
	if a.m.State == states.Authorizing {
		seed("another replica takes over", func(s wire.Secret) states.Input { return states.Resumed{Seed: s} })
	}
	if !states.Resting(a.m.State) {
		return append(out, move{"another login is asked for", func(w *world) {
			w.step(i, states.Begun{Seed: w.seed(), Login: true, Scopes: []string{"admin"}})
		}})
	}
	seed("begin", func(s wire.Secret) states.Input { return states.Begun{Seed: s} })
	seed("begin a login", func(s wire.Secret) states.Input { return states.Begun{Seed: s, Login: true} })
	seed("log out", func(s wire.Secret) states.Input { return states.LoggedOut{Seed: s} })
	seed("log out and forget the client", func(s wire.Secret) states.Input { return states.LoggedOut{Seed: s, Forget: true} })
	return out
}
