package explore

import (
	"fmt"
	"time"

	"github.com/stile-oauth/stile/fsm/model"
	"github.com/stile-oauth/stile/states"
	"github.com/stile-oauth/stile/states/wire"
)

// openLoads are what a store may hold.
func openLoads(w *world, i int, q states.Load) []move {
	missing := move{"nothing is stored", func(w *world) { w.step(i, states.NotFound{Serial: q.Serial}) }}
	entry := move{"the entry cannot be opened", func(w *world) {
		w.step(i, states.StoreFailed{Serial: q.Serial, Detail: "the entry was altered", Entry: true})
	}}
	found := func(name string, make func(w *world) wire.Secret) move {
		return move{name, func(w *world) { w.step(i, states.Loaded{Serial: q.Serial, Value: make(w), Generation: w.next()}) }}
	}
	plain := func(text string) func(*world) wire.Secret {
		return func(*world) wire.Secret { return wire.Secret(text) }
	}
	var out []move
	switch q.Key.Kind {
	case states.KindCredential:
		for _, c := range credentials {
			out = append(out, found("stored: "+c.name, func(w *world) wire.Secret { return w.openCredential(i, c.make) }))
		}
		out = append(out, found("stored: what nobody can read", plain("{")), found("stored: a newer version", plain(`{"version":99}`)),
			found("stored: bound to no issuer", plain(`{"version":1,"current":{"access_token":"x"}}`)))
		m := &w.actors[i].m
		if s := m.State; s == states.Loading || s == states.Merging || s == states.Confirming && m.Data.Record == nil {
			return append(append([]move{missing}, out...), openFailed(i, q.Serial), entry)
		}
	case states.KindRegistration:
		client := func(id, secret string, until time.Time) func(*world) wire.Secret {
			return func(w *world) wire.Secret {
				d, at, name := &w.actors[i].m.Data, issuer, id
				if d.Flow != nil {
					at = d.Flow.Server.Issuer
				} else if id == "client-of-before" && d.Managed != nil {
					at, name = d.Managed.Issuer, d.Managed.Client.ID
				}
				v, _ := states.Encode(states.Registration{Version: 1, Issuer: at, Client: wire.Client{
					ID: name, Secret: wire.Secret(secret), Method: wire.MethodNone, Source: wire.SourceDynamic, SecretExpires: until, RedirectURIs: []string{callback},
				}})
				return v
			}
		}
		out = append(out, missing, found("a client is stored", client("client-of-before", "", time.Time{})),
			found("a client is stored whose secret has expired", client("client-of-before", "expired secret", model.Start.Add(-time.Hour))),
			found("stored: what nobody can read", plain("{")))
	case states.KindLogin: // one at another device
		parked := func(change func(*states.DeviceLogin)) func(w *world) wire.Secret {
			return func(w *world) wire.Secret {
				w.coined++
				c := w.actors[i].m.Data.Config
				f := states.Flow{
					Deadline: w.at.Add(5 * time.Minute), Requested: []string{"user"}, Resource: resource,
					Server: wire.ASM{Issuer: issuer, TokenEndpoint: issuer + "/token", DeviceEndpoint: issuer + "/device_authorization"},
					Client: wire.Client{ID: "client-of-before", Method: wire.MethodNone, Source: wire.SourceStored},
					Device: &states.Device{Device: wire.Device{Code: wire.Secret(fmt.Sprintf("device_%08d", w.coined)), UserCode: "WDJB-MJHT", URL: issuer + "/device", ExpiresIn: 10 * time.Minute, Interval: 5 * time.Second}},
				}
				if c.Client != nil {
					f.Client = wire.Client{ID: c.Client.ID, Method: wire.MethodNone, Source: wire.SourceConfigured}
				}
				l := states.DeviceLogin{Version: states.RecordVersion, Flow: &f, Entry: w.actors[i].m.Data.Entry}
				change(&l)
				v, _ := states.Encode(l)
				return v
			}
		}
		out = append(out, missing, found("a code is parked", parked(func(*states.DeviceLogin) {})),
			found("a code is parked that has expired", parked(func(l *states.DeviceLogin) { l.Flow.Deadline = w.at })),
			found("a code of a newer version is parked", parked(func(l *states.DeviceLogin) { l.Version = 99 })),
			found("stored: what nobody can read", plain("{")))
	case states.KindLedger:
		out = append(out, missing, found("a ledger of another try", plain(`{"version":1,"attempts":[{"scopes":["other"],"at":"2026-07-28T12:00:00Z"}]}`)),
			found("a ledger that nobody can read", plain("{")))
	default: // the others need nothing here
	}
	return append(out, missing, openFailed(i, q.Serial), entry)
}

// credentials are records that are derived from the one that the machine has, or from one
// that it could have had.
var credentials = []struct {
	name string
	make func(w *world, c *states.Credential)
}{
	{"the same as before", func(*world, *states.Credential) {}},
	{"a newer token", func(w *world, c *states.Credential) { w.renew(c) }},
	{"a token that has expired", func(w *world, c *states.Credential) { w.renew(c); c.Current.Expires = w.at.Add(-time.Minute) }},
	{"a token without a refresh token", func(w *world, c *states.Credential) { w.renew(c); c.Current.RefreshToken = "" }},
	{"another's refresh under way", func(w *world, c *states.Credential) {
		c.Intent = &states.Intent{Attempt: 1, Holder: "b", Until: w.at.Add(30 * time.Second)}
	}},
	{"a refresh without outcome", func(w *world, c *states.Credential) {
		c.Intent = &states.Intent{Attempt: 1, Holder: "b", Until: w.at.Add(-time.Second)}
	}},
	{"two refreshes of its own without outcome", func(w *world, c *states.Credential) {
		c.Intent = &states.Intent{Attempt: 2, Holder: "a", Until: w.at.Add(30 * time.Second)}
	}},
	{"two refreshes without outcome", func(w *world, c *states.Credential) {
		c.Intent = &states.Intent{Attempt: 2, Holder: "b", Until: w.at.Add(-time.Second)}
	}},
	{"no grant any more", func(_ *world, c *states.Credential) { c.Current = nil }},
	{"what was just obtained", func(w *world, c *states.Credential) {
		if o := w.actors[0].m.Data.Obtained; o != nil {
			t := *o
			c.Current = &t
		}
	}},
	{"a token of another issuer", ofAnother},
}

// ofAnother binds a record to an issuer that the resource does not name.
func ofAnother(w *world, c *states.Credential) {
	s := &c.Current.Server
	s.Issuer = "https://other.example"
	s.AuthorizationEndpoint, s.TokenEndpoint, s.RevocationEndpoint = s.Issuer+"/authorize", s.Issuer+"/token", s.Issuer+"/revoke"
	w.renew(c)
}

func (w *world) openCredential(i int, change func(*world, *states.Credential)) wire.Secret {
	c := states.Credential{Version: states.RecordVersion}
	if r := w.actors[i].m.Data.Record; r != nil {
		c = *r
	}
	if c.Current != nil {
		t := *c.Current
		c.Current = &t
	} else {
		w.renew(&c)
	}
	change(w, &c)
	v, _ := states.Encode(c)
	return v
}

// renew puts another token into a record.
func (w *world) renew(c *states.Credential) {
	w.coined++
	t := states.Token{
		Server: wire.ASM{
			Issuer: issuer, AuthorizationEndpoint: issuer + "/authorize", TokenEndpoint: issuer + "/token",
			RevocationEndpoint: issuer + "/revoke", Iss: true,
		},
		Client: wire.Client{ID: "client-of-before", Method: wire.MethodNone, Source: wire.SourceDynamic}, Resource: resource, Granted: []string{"user"}, Requested: []string{"user"},
	}
	if k := w.actors[0].m.Data.Config.Key; k != nil {
		t.Client = wire.Client{ID: "app", Method: wire.MethodJWT, Source: wire.SourceConfigured, Key: k.Name}
	}
	if c.Current != nil {
		t = *c.Current
	}
	t.Generation = states.Generation(w.at.UnixMilli()) + states.Generation(w.coined)
	t.AccessToken, t.RefreshToken = wire.Secret(fmt.Sprintf("access_%08d", w.coined)), wire.Secret(fmt.Sprintf("refresh_%08d", w.coined))
	t.Type, t.Received, t.Expires = "Bearer", w.at, w.at.Add(time.Hour)
	if t.Thumbprint != "" {
		t.Type = "DPoP"
	}
	w.ghost.issue(secret{value: t.AccessToken.Reveal(), kind: "access", home: t.Server.Issuer})
	w.ghost.issue(secret{value: t.RefreshToken.Reveal(), kind: "refresh", home: t.Server.Issuer})
	c.Current = &t
}
