package peer

import (
	"crypto/sha256"
	"encoding/base64"
	"slices"
	"time"

	"github.com/stile-oauth/stile/states/rules"
)

// token is the token endpoint (OAuth 2.1 §3.2).
func (a *AS) token(c call) *reply {
	r := a.tokens(c)
	a.proved(c, r)
	a.proven, a.ahead = "", false
	return r
}

func (a *AS) tokens(c call) *reply {
	a.state.prune(c.at) // before any pointer into the state is taken
	if a.crowded(c.at) {
		r := problem(429, "temporarily_unavailable", "too many tokens are live").breaks(rules.ASTokenErrorShape)
		r.set("Retry-After", "60")
		return r
	}
	if r := a.misled(&c); r != nil {
		return r
	}
	if a.fromWorkload(c) {
		refused := a.formed(c)
		if refused != nil {
			return refused
		}
		if a.proven, refused = a.possession(c); refused != nil {
			return refused
		}
		return a.forWorkload(c)
	}
	k, refused := a.authenticate(c)
	if refused != nil {
		return refused
	}
	if a.proven, refused = a.possession(c); refused != nil {
		return refused
	}
	if a.faulty("token-invalid-client") {
		return unauthenticated(len(c.req.Header.Header("Authorization")) > 0, rules.ASTokenClientAuth, "")
	}
	grant := value(c.req.Form, "grant_type")
	switch grant {
	case "authorization_code", "refresh_token", "client_credentials", deviceGrant:
		if grant == "client_credentials" && !a.config.ClientCredentials || grant == "refresh_token" && a.config.NoRefresh || grant == deviceGrant && !a.config.Device {
			return problem(400, "unsupported_grant_type", "this grant is not offered").breaks(rules.ASTokenErrorShape)
		}
		if grant == "client_credentials" && !k.confidential() && a.faulty("cc-public") {
			break
		}
		if grant == deviceGrant && !slices.Contains(k.GrantTypes, grant) && a.faults.has("device-any-client") {
			break
		}
		if !slices.Contains(k.GrantTypes, grant) && !(grant == "refresh_token" && (slices.Contains(k.GrantTypes, "authorization_code") || slices.Contains(k.GrantTypes, deviceGrant))) {
			return problem(400, "unauthorized_client", "the client is not registered for this grant").breaks(rules.ASTokenErrorShape)
		}
	case bearerGrant, exchangeGrant:
		if grant == bearerGrant && len(a.config.Trusted) == 0 || grant == exchangeGrant && !a.config.Identity {
			return problem(400, "unsupported_grant_type", "this grant is not offered").breaks(rules.ASTokenErrorShape)
		}
		if k.Kind == "configured" && !slices.Contains(k.GrantTypes, grant) {
			return problem(400, "unauthorized_client", "the client is not registered for this grant").breaks(rules.ASTokenErrorShape)
		}
	case "":
		return problem(400, "invalid_request", "grant_type is missing").breaks(rules.ASTokenErrorShape)
	default:
		return problem(400, "unsupported_grant_type", "this grant is not offered").breaks(rules.ASTokenErrorShape)
	}
	switch grant {
	case "authorization_code":
		return a.exchange(c, k)
	case "refresh_token":
		return a.refresh(c, k)
	case deviceGrant:
		return a.poll(c, k)
	case bearerGrant:
		return a.redeem(c, k)
	case exchangeGrant:
		return a.exchangeIdentity(c, k)
	}
	return a.forItself(c, k)
}

func badGrant(rule rules.ID, says string) *reply {
	return problem(400, "invalid_grant", says).breaks(rule)
}

func missing(rule rules.ID, name string) *reply {
	return problem(400, "invalid_request", name+" is missing").breaks(rule)
}

// exchange redeems a code (OAuth 2.1 §4.1.3). A second use that is right in every
// other way revokes what the first gave; a wrong one changes nothing
// (as-token-code-reuse-revokes).
func (a *AS) exchange(c call, k *client) *reply {
	verifier := value(c.req.Form, "code_verifier")
	given := hash(value(c.req.Form, "code"))
	n := latest(a.state.Codes, func(x *code) bool { return x.Hash == given })
	switch {
	case value(c.req.Form, "code") == "":
		return missing(rules.ASTokenErrorShape, "code")
	case verifier == "" && (n < 0 || a.state.Codes[n].Challenge != "") && !a.faults.has("pkce-unchecked"):
		return missing(rules.ASTokenVerifierIffChallenge, "code_verifier")
	}
	if n < 0 {
		if sent := value(c.req.Form, "redirect_uri"); sent != "" && !slices.Contains(k.RedirectURIs, sent) && a.faulty("token-redirect-500") {
			return problem(500, "server_error", "").breaks(rules.ASTokenRedirectEnforced)
		}
		return badGrant(rules.ASTokenCodeOnce, "the code is not known or has expired")
	}
	x := &a.state.Codes[n]
	g := a.state.grant(x.Grant)
	if a.faulty("code-ends-early") {
		defer func() { x.Used = true }()
	}
	switch {
	case g == nil || g.Client != k.ID && !a.faulty("code-any-client"):
		return badGrant(rules.ASTokenCodeBound, "the code was given to another client")
	case !fits(verifier, x.Challenge) && !a.faulty("pkce-unchecked") && (x.Challenge != "" || !a.faulty("verifier-unasked")):
		return badGrant(rules.ASTokenVerifierIffChallenge, "code_verifier does not fit")
	case !a.redirectFits(c, k, x) && !a.faulty("token-redirect-unchecked"):
		return badGrant(rules.ASTokenRedirectEnforced, "redirect_uri is not that of the authorization request")
	case x.Used && !a.faulty("code-reuse-allowed"):
		g.Revoked = !a.faulty("code-reuse-keeps") || g.Revoked
		return badGrant(rules.ASTokenCodeReuseRevokes, "the code has been used")
	case g.Revoked || !c.at.Before(x.Expires):
		return badGrant(rules.ASAuthorizeCodeLifetime, "the code has expired")
	}
	if asked := all(c.req.Form, "resource"); len(asked) > 0 && !a.within(asked, g) && !a.faulty("token-any-resource") {
		return problem(400, "invalid_target", "the resource is not that of the grant").breaks(rules.ASTokenResourceSubset)
	}
	x.Used = true
	return a.issue(c.at, g, g.Scopes, a.refreshable(k, g))
}

// within says that the resource of a token request is that of the grant; where the grant
// names none, one that tokens can be for.
func (a *AS) within(asked []string, g *grant) bool {
	if g.Resource == "" {
		_, ok := a.config.audience(asked)
		return ok
	}
	return len(asked) == 1 && asked[0] == g.Resource
}

// refreshable says that a grant comes with a refresh token (as-refresh-policy).
func (a *AS) refreshable(k *client, g *grant) bool {
	return !a.config.NoRefresh && slices.Contains(k.GrantTypes, "refresh_token") &&
		(!a.config.OfflineAccess || slices.Contains(g.Scopes, "offline_access"))
}

// redirectFits enforces redirect_uri where it is sent, and demands it where a
// client has several (RFC 6749 §4.1.3; OAuth 2.1 §10.2 dropped it).
func (a *AS) redirectFits(c call, k *client, x *code) bool {
	sent, ok := c.req.Form.Get("redirect_uri")
	if !ok {
		return len(k.RedirectURIs) == 1
	}
	return sent == x.Redirect
}

// verifies is RFC 7636 §4.6 for S256.
func verifies(verifier, challenge string) bool {
	if len(verifier) < 43 || len(verifier) > 128 {
		return false
	}
	return same(challengeOf(verifier), challenge)
}

// fits says that a verifier belongs to the challenge of a code; to none, no verifier.
func fits(verifier, challenge string) bool {
	if challenge == "" {
		return verifier == ""
	}
	return verifies(verifier, challenge)
}

// challengeOf is the S256 challenge of a verifier (RFC 7636 §4.2).
func challengeOf(verifier string) string {
	sum := sha256.Sum256([]byte(verifier))
	return base64.RawURLEncoding.EncodeToString(sum[:])
}

// refresh is OAuth 2.1 §4.3. With rotation, a spent token that comes again revokes
// its whole family (§4.3.1), unless it comes within the grace.
func (a *AS) refresh(c call, k *client) *reply {
	given := value(c.req.Form, "refresh_token")
	if given == "" {
		return missing(rules.RefreshParams, "refresh_token")
	}
	sum := hash(given)
	n := latest(a.state.Refresh, func(t *refreshToken) bool { return t.Hash == sum })
	if n < 0 || a.faulty("refresh-invalid-grant") {
		return badGrant(rules.RefreshInvalidGrantTerminal, "the refresh token is not known or has expired")
	}
	t := &a.state.Refresh[n]
	g := a.state.grant(t.Grant)
	if g == nil || g.Client != k.ID && !a.faulty("refresh-any-client") {
		return badGrant(rules.RefreshBoundClient, "the refresh token was given to another client")
	}
	if g.Revoked || !c.at.Before(t.Expires) {
		return badGrant(rules.RefreshInvalidGrantTerminal, "the refresh token is not known or has expired")
	}
	if t.Thumbprint != "" && t.Thumbprint != a.proven && !a.faulty("refresh-key-unchecked") {
		return badGrant(rules.ExtDPoPRefreshKey, "the refresh token is bound to another key")
	}
	grace := false
	if !t.Spent.IsZero() {
		grace = a.config.RefreshGrace > 0 && c.at.Before(t.Spent.Add(a.config.RefreshGrace)) && !a.faulty("refresh-reuse-revokes-family")
		switch {
		case a.faulty("refresh-reuse-500"):
			return problem(500, "server_error", "")
		case grace || a.faulty("refresh-reuse-allowed"):
		default:
			g.Revoked = true
			return badGrant(rules.RefreshReuseDetected, "the refresh token has been used")
		}
	}
	asked, ok := scopes(value(c.req.Form, "scope"))
	if (!ok || !within(asked, g.Scopes)) && !(ok && a.faulty("refresh-widens")) {
		if a.faulty("refresh-refused-ends") {
			a.state.Access = slices.DeleteFunc(a.state.Access, func(x accessToken) bool { return x.Grant == g.ID })
		}
		return problem(400, "invalid_scope", "the scope is wider than the grant").breaks(rules.RefreshScopeNotWider)
	}
	if len(asked) == 0 {
		asked = g.Scopes
	}
	if len(asked) > 1 && a.faulty("refresh-narrows-scope") {
		asked = asked[:1]
	}
	if target := all(c.req.Form, "resource"); len(target) > 0 && !a.within(target, g) && !a.faulty("refresh-any-resource") {
		return problem(400, "invalid_target", "the resource is not that of the grant").breaks(rules.ASTokenResourceSubset)
	}
	if len(all(c.req.Form, "resource")) == 0 && a.faulty("refresh-demands-resource") {
		return problem(400, "invalid_target", "resource is missing").breaks(rules.RefreshResource)
	}
	rotate := a.config.RefreshRotation && !a.faulty("refresh-no-rotation")
	if rotate {
		t.Spent = c.at
	}
	r := a.issue(c.at, g, asked, rotate && !(grace && a.faulty("refresh-grace-bare")))
	if !rotate && a.faulty("refresh-echoes-token") {
		r.doc.put("refresh_token", given)
	}
	if a.faulty("refresh-omits-token") {
		r.doc.drop("refresh_token")
		if rotate {
			t = &a.state.Refresh[n]
			t.Spent = time.Time{}
		}
	}
	return r
}

// forItself is the client credentials grant (OAuth 2.1 §4.2): no refresh token
// (RFC 6749 §4.4.3).
func (a *AS) forItself(c call, k *client) *reply {
	if (!k.confidential() || k.Kind != "configured") && !a.faulty("cc-public") {
		return problem(400, "unauthorized_client", "the grant is for confidential clients of the configuration").breaks(rules.ExtCCPreregistered)
	}
	asked, ok := scopes(value(c.req.Form, "scope"))
	if len(asked) == 0 && ok {
		asked = a.config.DefaultScopes
	}
	if !ok || !within(asked, a.config.Scopes) {
		return problem(400, "invalid_scope", "a scope is not known here").breaks(rules.ASAuthorizeScopeDefault)
	}
	target, ok := a.config.audience(all(c.req.Form, "resource"))
	if !ok {
		return problem(400, "invalid_target", "tokens for this resource are not issued here").breaks(rules.ASAuthorizeInvalidTarget)
	}
	a.state.Grants = append(a.state.Grants, grant{
		ID: "grant_" + a.draw("grant")[:22], Client: k.ID, Subject: k.ID, Scopes: asked, Resource: target,
	})
	k.Used = true
	return a.issue(c.at, &a.state.Grants[len(a.state.Grants)-1], asked, a.faulty("cc-refresh"))
}
