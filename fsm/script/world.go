package script

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/stile-oauth/stile/fsm/model"
	"github.com/stile-oauth/stile/fsm/peer"
	"github.com/stile-oauth/stile/states"
	"github.com/stile-oauth/stile/states/wire"
)

// setPeer changes the servers. What an authorization server has issued stays issued, even
// if the resource names another server from now on.
func setPeer(s *Script, c Command) error {
	a, r := s.as, s.rs
	for _, arg := range c.Args {
		if err := peerArg(&a, &r, arg); err != nil {
			return err
		}
	}
	var past []byte
	var others []*peer.AS // the earlier issuers, which continue
	if s.world != nil {
		others = s.world.AS
		for i, was := range s.world.AS {
			if was.Issuer() == a.Issuer {
				past, _ = was.Snapshot()
				others = slices.Delete(slices.Clone(s.world.AS), i, i+1)
				break
			}
		}
	}
	as, err := peer.NewAS(a)
	if err != nil {
		return err
	}
	if past != nil {
		if err := as.Restore(past); err != nil {
			return err
		}
	}
	rs, err := peer.NewRS(r)
	if err != nil {
		return err
	}
	if c.has("provider") || c.get("provider", "") != "" {
		var trusting peer.ASConfig
		p := model.Trusting(&trusting)
		p.Faults = clean(c.all("provider"))
		idp, err := peer.NewAS(p)
		if err != nil {
			return err
		}
		others = append(slices.DeleteFunc(slices.Clone(others), func(o *peer.AS) bool { return o.Issuer() == p.Issuer }), idp)
	}
	s.as, s.rs = a, r
	s.world = &peer.World{AS: append([]*peer.AS{as}, others...), RS: []*peer.RS{rs}}
	return nil
}

func peerArg(a *peer.ASConfig, r *peer.RSConfig, arg Arg) (err error) {
	one := strings.Join(arg.Values, ",")
	on := one != "no"
	switch arg.Name {
	case "faults":
		a.Faults, r.Faults, err = peer.Side(clean(arg.Values))
	case "issuer":
		a.Issuer, r.AuthorizationServers = one, []string{one}
	case "servers":
		r.AuthorizationServers = arg.Values
	case "resource":
		r.Resource = one
	case "scopes":
		a.Scopes = arg.Values
	case "listed":
		r.ScopesSupported = arg.Values
	case "clients":
		a.Clients = nil
		for _, v := range arg.Values {
			id, secret, _ := strings.Cut(v, ":")
			a.Clients = append(a.Clients, peer.PreClient{ID: id, Secret: secret, RedirectURIs: []string{model.Callback, "http://127.0.0.1/callback"}})
		}
	case "keyed": // clients that sign assertions
		a.Verify = model.Verify
		for _, id := range clean(arg.Values) {
			a.Clients = append(a.Clients, peer.PreClient{
				ID: id, Method: wire.MethodJWT, JWKS: model.Keys(), GrantTypes: []string{"authorization_code", "refresh_token", "client_credentials"},
				RedirectURIs: []string{model.Callback, "http://127.0.0.1/callback"},
			})
		}
	case "own": // clients may ask in their own name
		a.ClientCredentials = on
		for i := range a.Clients {
			a.Clients[i].GrantTypes = []string{"authorization_code", "refresh_token", "client_credentials"}
		}
	case "provider": // an identity provider that the issuer trusts; the values are its faults
		a.Clients = slices.DeleteFunc(slices.Clone(a.Clients), func(c peer.PreClient) bool { return c.ID == "app" })
		model.Trusting(a)
	case "platform": // the issuer accepts the platform's assertion about the workload
		a.Verify, a.Trusted = model.Verify, append(a.Trusted, model.Platform())
	case "device":
		a.Device = on
		for i := range a.Clients {
			a.Clients[i].GrantTypes = []string{"authorization_code", "refresh_token", wire.DeviceGrant}
		}
	case "dpop": // whether tokens are bound, at both servers; and nonces
		a.Verify, r.Verify = model.Verify, model.Verify
		for _, v := range arg.Values {
			switch {
			case v == "nonces":
				a.DPoPNonces, r.DPoPNonces = true, true
			default:
				a.DPoP, r.DPoP = peer.DPoP(v), peer.DPoP(v)
			}
		}
	case "dcr":
		a.DCR = on
	case "cimd":
		a.CIMD = on
	case "iss":
		a.Iss = on
	case "rotation":
		a.RefreshRotation = on
	case "refresh":
		a.NoRefresh = !on
	case "offline":
		a.OfflineAccess = on
	case "consent":
		a.Deny = !on
	case "legacy":
		a.NoMetadata, r.NoMetadata, r.NoAudience = on, on, on
	case "life":
		a.AccessTokenTTL, err = time.ParseDuration(one)
	default:
		err = fmt.Errorf("the peer has no setting %q", arg.Name)
	}
	return err
}

func clean(list []string) []string {
	var out []string
	for _, v := range list {
		if v != "" {
			out = append(out, v)
		}
	}
	return out
}

func (s *Script) peers() *peer.World {
	if s.world == nil {
		_ = setPeer(s, Command{}) // the defaults are sound
	}
	return s.world
}

// exchange answers a Send as the servers of the story do.
func (s *Script) exchange(q states.Send) states.Input {
	if !q.NotBefore.IsZero() && s.at.Before(q.NotBefore) {
		s.at = q.NotBefore
	}
	if model.Late(s.at, q.NotAfter) {
		return states.Unreachable{Serial: q.Serial, Class: states.Late, Detail: "too late to send"}
	}
	r, known := model.Exchange(s.peers(), s.at, q)
	if !known {
		return states.Unreachable{Serial: q.Serial, Class: states.Unsent, Detail: "no such host"}
	}
	return states.Responded{Serial: q.Serial, Response: r}
}

// call sends a request to the MCP server with the token that is held.
func (s *Script) call(tool string) wire.Response {
	s.calls++
	r := model.Ask(s.peers(), s.at, s.rs.Resource, tool, s.now.granted, s.calls)
	return r
}

// consent gives the address that the user's browser comes back with; empty when
// the page leads nowhere.
func (s *Script) consent(v *states.Visit) string {
	return model.Consent(s.peers(), s.at, v.URL.Reveal(), v.RedirectURI)
}
