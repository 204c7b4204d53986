package devas

import (
	"context"
	"errors"
	"time"

	"github.com/stile-oauth/stile/fsm/peer"
	"github.com/stile-oauth/stile/httpdriver/guard"
	"github.com/stile-oauth/stile/states/wire"
)

// The client that the development identity provider and, where they trust one, the
// development authorization servers know. Its secrets protect nothing.
const (
	EnterpriseClientID = "dev_enterprise_client"
	// EnterpriseIdPSecret is its secret at the identity provider, EnterpriseSecret the
	// one at the authorization server.
	EnterpriseIdPSecret = "dev_enterprise_idp_secret"
	EnterpriseSecret    = "dev_enterprise_secret"
)

// The grants of that client.
const (
	bearerGrant   = "urn:ietf:params:oauth:grant-type:jwt-bearer"
	exchangeGrant = "urn:ietf:params:oauth:grant-type:token-exchange"
)

// DefaultIdP is the configuration of `stile serve idp`: the demo user, ID tokens, and
// their exchange for ID-JAGs by one client.
func DefaultIdP(issuer string) ASConfig {
	return ASConfig{JWT: true, ASConfig: peer.ASConfig{
		Issuer: issuer, Scopes: []string{"openid"}, AccessTokenTTL: time.Hour,
		Iss: true, RefreshRotation: true, OfflineAccess: true, Identity: true,
		Users: []peer.User{{Name: DemoUser, Password: DemoPassword}},
		Clients: []peer.PreClient{{
			ID: EnterpriseClientID, Secret: EnterpriseIdPSecret, Name: "development enterprise client",
			RedirectURIs: []string{"http://127.0.0.1/callback"},
			GrantTypes:   []string{"authorization_code", "refresh_token", exchangeGrant},
		}},
	}}
}

// Trust lets the jwt-bearer grant accept the assertions of an issuer: ID-JAGs about users,
// which the development client presents, or assertions about workloads.
func (c *ASConfig) Trust(issuer string, workloads bool) {
	if len(c.Trusted) == 0 {
		c.Clients = append(c.Clients, peer.PreClient{
			ID: EnterpriseClientID, Secret: EnterpriseSecret, Name: "development enterprise client", GrantTypes: []string{bearerGrant},
		})
	}
	c.Trusted = append(c.Trusted, peer.Trusted{Issuer: issuer, Workloads: workloads})
}

// FetchKeys gets the keys of trusted issuers through a guard: the metadata of an issuer
// says where its keys are.
func FetchKeys(g *guard.Guard, loopback bool) func(context.Context, string) ([]byte, error) {
	get := func(ctx context.Context, url string) (wire.Response, error) {
		resp, failure := g.Do(ctx, guard.Call{
			Request: wire.Request{Method: "GET", URL: url, Header: wire.Fields{{Name: "Accept", Value: "application/json"}}},
			Timeout: 5 * time.Second, MaxBody: 256 << 10, Loopback: loopback,
		})
		if failure != nil {
			return resp, failure
		}
		return resp, nil
	}
	return func(ctx context.Context, issuer string) ([]byte, error) {
		policy := wire.ASMPolicy{Issuer: issuer, URL: wire.URLPolicy{AllowLoopbackHTTP: loopback}}
		err := errors.New("it publishes no metadata that names its keys (jwks_uri)")
		for _, at := range wire.ASMURLs(issuer, false) {
			resp, failure := get(ctx, at)
			if failure != nil {
				err = failure
				continue
			}
			m, _, bad := wire.ParseASM(resp, policy)
			if bad != nil || m.JWKSURI == "" {
				continue
			}
			if resp, failure = get(ctx, m.JWKSURI); failure != nil || resp.Status != 200 || resp.Oversized {
				return nil, errors.Join(errors.New("its keys cannot be read"), failure)
			}
			return resp.Body, nil
		}
		return nil, err
	}
}

// learnKeys fetches the keys of a trusted issuer once for all who wait for them.
func (s *AS) learnKeys(ctx context.Context, p *peer.AS, issuer string) {
	if s.config.FetchKeys == nil {
		return
	}
	_, _, _ = s.flight.Do(p.Issuer()+" keys "+issuer, func() (any, error) {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 10*time.Second)
		defer cancel()
		keys, err := s.config.FetchKeys(ctx, issuer)
		if err != nil {
			s.config.Logger.Warn("the keys of a trusted issuer were not fetched", "issuer", show(issuer), "error", show(err.Error()))
			return nil, nil
		}
		s.mu.Lock()
		defer s.mu.Unlock()
		p.LearnKeys(s.config.Now(), issuer, keys)
		return nil, nil
	})
}
