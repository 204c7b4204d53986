package explore

import (
	"strings"
	"time"

	"github.com/stile-oauth/stile/fsm/model"
	"github.com/stile-oauth/stile/fsm/peer"
	"github.com/stile-oauth/stile/states"
	"github.com/stile-oauth/stile/states/wire"
)

// machineRoots: the closed world with clients that sign assertions, with clients
// whose tokens are bound to a key, and with clients that ask in their own name: one or two processes, with nothing stored
// and a minute before the end of a token.
func machineRoots(sc *scene, much int) ([]*world, error) {
	sc.next = closedMoves
	a, r := model.Servers()
	all := []string{"authorization_code", "refresh_token", string(states.OwnGrant)}
	a.ClientCredentials, a.Verify = true, model.Verify
	a.Clients = []peer.PreClient{
		{ID: "app", Method: wire.MethodJWT, JWKS: model.Keys(), GrantTypes: all, RedirectURIs: []string{model.Callback}},
		{ID: "robot", Secret: "robots secret word", GrantTypes: all},
	}
	keyed := func(c *states.Config) {
		c.Key, c.Client = model.Key(), &states.Configured{ID: "app", Issuer: issuer}
	}
	keyedOwn := func(c *states.Config) { keyed(c); c.Grant = states.OwnGrant }
	secret := func(c *states.Config) {
		c.Grant, c.Client = states.OwnGrant, &states.Configured{ID: "robot", Issuer: issuer, Secret: "robots secret word"}
	}
	bound := func(c *states.Config) { c.Binding, c.ProofKey = states.RequireBinding, model.ProofKey() }
	boundWorkload := func(c *states.Config) { bound(c); c.Grant, c.Issuer = states.WorkloadGrant, issuer }
	boundEnterprise := func(c *states.Config) { bound(c); model.Enterprise(c) }
	keyedBound := func(c *states.Config) { keyedOwn(c); bound(c) }
	var out []*world
	for n, kind := range []struct {
		says, config string
		change       func(*states.Config)
		processes    int
		peer         string // what else the servers do
	}{
		{"a user's login, with a key", "key client=app client-issuer=" + issuer, keyed, 1, ""},
		{"in its own name, with a key", "key client=app grant=client_credentials client-issuer=" + issuer, keyedOwn, 1, ""},
		{"in its own name, with a secret", "client=robot grant=client_credentials client-secret=(robots secret word) client-issuer=" + issuer, secret, 1, ""},
		{"two in their own name", "key client=app grant=client_credentials client-issuer=" + issuer, keyedOwn, 2, ""},
		{"a user's login, bound to a key", "dpop=require", bound, 1, " dpop=(required,nonces)"},
		{"in its own name, bound to a key", "key dpop=require client=app grant=client_credentials client-issuer=" + issuer, keyedBound, 1, " dpop=(required,nonces)"},
		{"a nonce without end", "dpop=require", bound, 1, " dpop=(required) faults=(dpop-nonce-endless)"},
		{"a nonce without end for a workload", "dpop=require grant=" + string(states.WorkloadGrant) + " issuer=" + issuer, boundWorkload, 1, " platform dpop=(required) faults=(dpop-nonce-endless)"},
		{"a nonce without end for a company", "enterprise dpop=require", boundEnterprise, 1, " dpop=(required) faults=(dpop-nonce-endless)"},
		{"a user of a company", "enterprise", model.Enterprise, 1, ""},
		{"a user of a company, bound to a key", "enterprise dpop=require", boundEnterprise, 1, " dpop=(required,nonces)"},
		{"a workload, bound to a key", "dpop=require grant=" + string(states.WorkloadGrant) + " issuer=" + issuer, boundWorkload, 1, " platform dpop=(required,nonces)"},
		{"at another device, bound to a key", "dpop=require grant=" + string(states.DeviceGrant), func(c *states.Config) { bound(c); c.Grant = states.DeviceGrant }, 1, " device dpop=(required,nonces)"},
	} {
		var configs []states.Config
		for _, holder := range []string{"a", "b"}[:kind.processes] {
			c := model.Client(holder)
			kind.change(&c)
			configs = append(configs, c)
		}
		a, r := a, r
		if kind.peer != "" {
			a.DPoP, r.DPoP, r.Verify = peer.DPoPRequired, peer.DPoPRequired, model.Verify
			endless := strings.Contains(kind.peer, "endless")
			a.DPoPNonces, r.DPoPNonces = !endless, !endless
			if endless {
				a.Faults = []string{"dpop-nonce-endless"}
			}
		}
		servers, peers := a, "peer keyed=(app) own"+kind.peer
		servers.Device = configs[0].Device()
		if configs[0].Grant == states.WorkloadGrant {
			servers.Trusted = []peer.Trusted{model.Platform()}
		}
		var provider *peer.AS
		if configs[0].Provider != nil {
			servers.Clients, peers = nil, "peer provider"
			idp, err := peer.NewAS(model.Trusting(&servers))
			if err != nil {
				return nil, err
			}
			provider = idp
		}
		w, err := newWorld(sc, servers, r, configs...)
		if err != nil {
			return nil, err
		}
		if provider != nil {
			w.net.AS = append(w.net.AS, provider)
		}
		w.log.commands = nil
		w.log.line(peers)
		w.log.line("config " + kind.config)
		w.variant, w.says = uint16(n), kind.says
		w.left = budget{trouble: int8(much), calls: 1, logouts: 1}
		if kind.processes > 1 {
			w.left = budget{trouble: int8(max(much-1, 0)), calls: 1}
		}
		if len(a.Faults) > 0 { // nobody gets a token there
			out = append(out, w)
			continue
		}
		c := w.fork()
		c.says += ", a minute before the end"
		c.login(0)
		for i := 1; i < len(c.actors); i++ {
			c.step(i, states.Begun{Seed: c.seed()})
			c.honest(i)
		}
		c.pass(0, model.Start.Add(58*time.Minute+30*time.Second))
		c.ghost = ghost{secrets: c.ghost.secrets, assertions: c.ghost.assertions, proofs: c.ghost.proofs}
		for i := range c.actors {
			c.actors[i].memory = memory{}
		}
		out = append(out, c, w)
	}
	return out, nil
}
