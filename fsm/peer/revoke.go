package peer

import (
	"slices"
	"strings"
	"time"

	"github.com/stile-oauth/stile/states/rules"
)

// revoke is RFC 7009 §2: both kinds of token are searched whatever the hint
// says, only the owner can revoke, and an unknown token is no error. A refresh
// token takes its whole grant along (revoke-cascade).
func (a *AS) revoke(c call) *reply {
	k, refused := a.authenticate(c)
	if refused != nil && nobody(c) && a.faulty("revoke-anybody") {
		k, refused = &client{}, nil
	}
	if refused != nil {
		return refused
	}
	given := value(c.req.Form, "token")
	if given == "" {
		return problem(400, "invalid_request", "token is missing").breaks(rules.RevokeFormPost)
	}
	sum := hash(given)
	done := &reply{status: 200}
	noStore(done)
	for _, t := range a.state.Refresh {
		if g := a.state.grant(t.Grant); t.Hash == sum && g != nil {
			if g.Client == k.ID || a.faulty("revoke-foreign") {
				g.Revoked = true
			}
			return done
		}
	}
	n := latest(a.state.Access, func(t *accessToken) bool { return t.Hash == sum })
	switch {
	case n < 0 && a.faulty("revoke-unknown-400"):
		return problem(400, "invalid_request", "the token is not known").breaks(rules.Revoke200Unknown)
	case n < 0:
	case a.state.grant(a.state.Access[n].Grant) != nil && a.state.grant(a.state.Access[n].Grant).Client == k.ID && !a.faulty("revoke-access-lives"):
		a.state.Access = slices.Delete(a.state.Access, n, n+1)
	}
	return done
}

// Introspection is what an authorization server knows of a token.
type Introspection struct {
	Active   bool
	Issuer   string
	Subject  string
	ClientID string
	Scopes   []string
	Audience []string
	Issued   time.Time
	Expires  time.Time
	// Thumbprint is that of the key that the token is bound to.
	Thumbprint string
}

// Introspect judges an access token in process. Anything but a live token of
// a live grant is inactive, with no reason given (RFC 7662 §2.2).
func (a *AS) Introspect(at time.Time, token string) Introspection {
	sum := hash(token)
	n := latest(a.state.Access, func(t *accessToken) bool { return t.Hash == sum })
	if n < 0 {
		return a.introspectRefresh(at, sum)
	}
	t := a.state.Access[n]
	g := a.state.grant(t.Grant)
	if g == nil || g.Revoked || !at.Before(t.Expires) {
		return Introspection{}
	}
	out := Introspection{
		Active: true, Issuer: a.config.Issuer, Subject: g.Subject, ClientID: g.Client,
		Scopes: t.Scopes, Issued: t.Issued, Expires: t.Expires, Thumbprint: t.Thumbprint,
	}
	if t.Audience != "" {
		out.Audience = []string{t.Audience}
	}
	return out
}

// introspect is RFC 7662 over HTTP, for clients that may call it.
func (a *AS) introspect(c call) *reply {
	k, refused := a.authenticate(c)
	if refused != nil && nobody(c) && a.faulty("introspect-anybody") {
		k, refused = &client{Introspect: true, SecretHash: "-"}, nil
	}
	if refused != nil {
		return refused
	}
	if !k.Introspect || !k.confidential() {
		return problem(403, "unauthorized_client", "this client may not introspect").breaks(rules.ASIntrospectAuth)
	}
	token := value(c.req.Form, "token")
	if token == "" {
		return problem(400, "invalid_request", "token is missing").breaks(rules.ASTokenErrorShape)
	}
	t := a.Introspect(c.at, token)
	r := &reply{status: 200, doc: document{{"active", t.Active}}}
	noStore(r)
	if k.Resource != "" && t.Active && !slices.Contains(t.Audience, k.Resource) {
		r.doc.put("active", false)
		return r
	}
	if !t.Active {
		return r
	}
	r.doc.put("scope", strings.Join(t.Scopes, " "))
	r.doc.put("client_id", t.ClientID)
	r.doc.put("username", t.Subject)
	r.doc.put("token_type", tokenType(t.Thumbprint))
	if t.Thumbprint != "" {
		r.doc.put("cnf", document{{"jkt", t.Thumbprint}})
	}
	r.doc.put("exp", t.Expires.Unix())
	r.doc.put("iat", t.Issued.Unix())
	r.doc.put("sub", t.Subject)
	if len(t.Audience) == 1 {
		r.doc.put("aud", t.Audience[0])
	}
	r.doc.put("iss", t.Issuer)
	return r
}
