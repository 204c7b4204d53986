package peer

import (
	"slices"
	"strings"
	"time"

	"github.com/stile-oauth/stile/states/rules"
	"github.com/stile-oauth/stile/states/wire"
)

// What the faults do that let wrong requests pass, where it takes more than a condition.

// authorizePosted is the authorization endpoint for a form (RFC 6749 §3.1 allows POST).
func (a *AS) authorizePosted(c call) *reply {
	if a.faulty("authorize-307") {
		r := &reply{status: 307, location: a.config.base() + "/login"}
		noStore(r)
		return r
	}
	c.query = c.req.Form
	return a.authorize(c)
}

// silent says that a client gets a code although the user is not asked.
func (a *AS) silent(k *client) bool {
	known := slices.ContainsFunc(a.state.Grants, func(g grant) bool { return g.Client == k.ID })
	return a.faulty("consent-skipped") || known && a.faulty("consent-remembered")
}

// Asking is a server with the same past that asks its user, whatever AutoConsent says.
func (a *AS) Asking() *AS {
	out := a.Clone()
	out.config.AutoConsent = false
	return out
}

// requestParameters are those of an authorization request that are known.
var requestParameters = []string{
	"response_type", "response_mode", "client_id", "redirect_uri", "scope", "state", "resource", "code_challenge", "code_challenge_method", "nonce", "prompt", "login_hint",
}

// strange says that a request has a parameter that is not known.
func strange(q wire.Fields) bool {
	return slices.ContainsFunc(q, func(f wire.Field) bool { return !slices.Contains(requestParameters, f.Name) })
}

// implicit takes a request for a token.
func (a *AS) implicit(q wire.Fields, i *interaction) bool {
	wanted := slices.Contains(strings.Fields(value(q, "response_type")), "token")
	i.Implicit = wanted && a.faulty("authorize-implicit")
	return i.Implicit
}

// misled answers a token request that a fault takes as it should not, before the client
// is looked at; nil for all others.
func (a *AS) misled(c *call) *reply {
	form := c.req.Form
	if value(form, "grant_type") == "" && value(c.query, "grant_type") != "" && a.faulty("token-query") {
		form, c.req.Form = c.query, c.query
		given := hash(value(form, "code"))
		if latest(a.state.Codes, func(x *code) bool { return x.Hash == given }) < 0 {
			return badGrant(rules.ASTokenCodeOnce, "the code is not known or has expired")
		}
	}
	if value(form, "grant_type") != "password" || !a.faulty("token-password") {
		return nil
	}
	u, known := a.config.user(value(form, "username"))
	if !known || u.Password == "" || !same(hash(u.Password), hash(value(form, "password"))) {
		return badGrant(rules.ASOAuth21, "the user name or the password is wrong")
	}
	g := grant{ID: "grant_" + a.draw("grant")[:22], Client: value(form, "client_id"), Subject: u.Subject, Scopes: a.config.DefaultScopes, Resource: a.config.DefaultResource}
	a.state.Grants = append(a.state.Grants, g)
	return a.issue(c.at, &g, g.Scopes, false)
}

// nobody says that a request names no client.
func nobody(c call) bool {
	_, named := c.req.Form.Get("client_id")
	_, signed := c.req.Form.Get("client_assertion")
	return !named && !signed && len(c.req.Header.Header("Authorization")) == 0
}

// introspectRefresh takes a refresh token for an access token.
func (a *AS) introspectRefresh(at time.Time, sum string) Introspection {
	n := latest(a.state.Refresh, func(t *refreshToken) bool { return t.Hash == sum })
	if n < 0 || !a.faulty("introspect-refresh") {
		return Introspection{}
	}
	t := a.state.Refresh[n]
	g := a.state.grant(t.Grant)
	if g == nil || g.Revoked || !at.Before(t.Expires) {
		return Introspection{}
	}
	out := Introspection{Active: true, Issuer: a.config.Issuer, Subject: g.Subject, ClientID: g.Client, Scopes: g.Scopes, Expires: t.Expires}
	if g.Resource != "" {
		out.Audience = []string{g.Resource}
	}
	return out
}

// takesRedirect says that a redirect URI is registered that should not be.
func (a *AS) takesRedirect(u string) bool {
	scheme, _, _ := strings.Cut(u, ":")
	switch scheme {
	case "http":
		return a.faulty("register-http-redirect")
	case "https":
		return a.faulty("register-any-form")
	}
	return a.faulty("register-any-scheme")
}
