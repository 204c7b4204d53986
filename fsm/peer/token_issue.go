package peer

import (
	"slices"
	"strings"
	"time"
)

// crowded says that there are as many live tokens as there may be. Spent refresh
// tokens, which are kept to notice reuse, are removed first, the oldest before others.
func (a *AS) crowded(at time.Time) bool {
	bound, s := a.config.MaxTokens, &a.state
	if bound < 0 || max(len(s.Access), len(s.Refresh)) < bound {
		return false
	}
	s.sweep(at)
	for i := 0; i < len(s.Refresh) && len(s.Refresh) >= bound; {
		if s.Refresh[i].Spent.IsZero() {
			i++
			continue
		}
		s.Refresh = slices.Delete(s.Refresh, i, i+1)
	}
	return max(len(s.Access), len(s.Refresh)) >= bound
}

// issue makes the success answer (OAuth 2.1 §3.2.3).
func (a *AS) issue(at time.Time, g *grant, granted []string, withRefresh bool) *reply {
	life := a.config.AccessTokenTTL
	audience := g.Resource
	if a.faulty("audience-wrong") {
		audience = "https://elsewhere.example/mcp"
	}
	access := "at_" + a.draw("access")
	if a.config.Sign != nil {
		access = a.jwt(at, g, audience, granted, life)
	}
	a.state.Access = append(a.state.Access, accessToken{
		Hash: hash(access), Grant: g.ID, Scopes: granted, Audience: audience, Issued: at, Expires: at.Add(life), Thumbprint: a.proven,
	})
	r := &reply{status: 200}
	r.doc.put("access_token", access)
	r.doc.put("token_type", tokenType(a.proven))
	r.doc.put("expires_in", int64(life/time.Second))
	if withRefresh {
		token := "rt_" + a.draw("refresh")
		next := refreshToken{Hash: hash(token), Grant: g.ID, Expires: at.Add(a.config.RefreshTokenTTL)}
		if k := a.client(g.Client); k != nil && !k.confidential() {
			next.Thumbprint = a.proven
		}
		a.state.Refresh = append(a.state.Refresh, next)
		r.doc.put("refresh_token", token)
	}
	r.doc.put("scope", strings.Join(granted, " "))
	if a.faulty("id-token-as-access") {
		id := a.draw("id token")
		a.state.Access = append(a.state.Access, accessToken{Hash: hash(id), Grant: g.ID, Scopes: granted, Audience: audience, Issued: at, Expires: at.Add(life)})
		r.doc.put("id_token", id)
	}
	if a.config.Identity && slices.Contains(granted, openID) {
		r.doc.put("id_token", a.idToken(at, g))
	}
	noStore(r)
	return r
}

// tokenType is the type of a token that is bound to a key, or to none.
func tokenType(thumbprint string) string {
	if thumbprint != "" {
		return "DPoP"
	}
	return "Bearer"
}

// jwt is an access token by RFC 9068 §2.
func (a *AS) jwt(at time.Time, g *grant, audience string, granted []string, life time.Duration) string {
	h := document{{"alg", a.config.SignAlg}, {"typ", "at+jwt"}}
	h.add("kid", a.config.SignKeyID)
	claims := document{
		{"iss", a.config.Issuer}, {"sub", g.Subject}, {"client_id", g.Client},
		{"iat", at.Unix()}, {"exp", at.Add(life).Unix()}, {"jti", a.draw("jti")[:22]},
	}
	claims.add("aud", audience)
	if a.proven != "" {
		claims.put("cnf", document{{"jkt", a.proven}})
	}
	claims.add("scope", strings.Join(granted, " "))
	return a.config.Sign(h.bytes(), claims.bytes())
}
