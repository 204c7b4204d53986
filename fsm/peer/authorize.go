package peer

import (
	"slices"
	"strings"
	"time"

	"github.com/stile-oauth/stile/states/rules"
	"github.com/stile-oauth/stile/states/wire"
)

// authorize is the authorization endpoint (OAuth 2.1 §3.1, §4.1.1). As long as the
// client and its redirect URI are not established nothing is redirected
// (as-authorize-no-bad-redirect).
func (a *AS) authorize(c call) *reply {
	if name := repeated(c.query); name == "client_id" || name == "redirect_uri" {
		return a.failure(400, rules.ASAuthorizeRepeatRefused, "The request names "+name+" twice.")
	}
	k, rule, says := a.clientFor(c.at, value(c.query, "client_id"))
	if k == nil {
		if to := value(c.query, "redirect_uri"); to != "" && a.faulty("authorize-unknown-redirect") {
			return a.back(interaction{Redirect: to}, wire.Field{Name: "error", Value: "unauthorized_client"}).breaks(rule)
		}
		return a.failure(400, rule, says)
	}
	redirect, ok := redirectFor(k, c.query)
	if ok && !slices.Contains(k.RedirectURIs, redirect) && a.faulty("authorize-port-fixed") {
		return a.failure(400, rules.ASAuthorizeLoopbackPort, "The redirect URI has another port than the one that this client registered.")
	}
	if !ok && (redirect == "" || !a.faulty("redirect-unchecked")) {
		return a.failure(400, rules.ASAuthorizeRedirectExact, "The redirect URI is not one that this client registered.")
	}
	state, hasState := c.query.Get("state")
	i := interaction{Client: k.ID, Redirect: redirect, State: state, HasState: hasState, Expires: c.at.Add(interactionTTL)}
	if refused := a.judge(k, c.query, &i); refused.code != "" {
		if refused.code == "invalid_scope" && a.faulty("authorize-scope-page") {
			return a.failure(400, refused.rule, "A scope is not known here.")
		}
		r := a.back(i, wire.Field{Name: "error", Value: refused.code}, wire.Field{Name: "error_description", Value: refused.says})
		r.rule, r.detail = refused.rule, refused.says
		return r
	}
	if a.config.Deny {
		return a.back(i, wire.Field{Name: "error", Value: "access_denied"})
	}
	if a.config.AutoConsent || a.silent(k) {
		u, known := a.config.user(value(c.query, "login_hint"))
		if !known {
			u, _ = a.config.user(a.config.Users[0].Name)
		}
		return a.grantCode(c.at, i, u.Subject)
	}
	return a.begin(c, i)
}

// redirectFor picks the redirect URI of a request: the one that is asked for,
// if the client has it; without one, the client's only one (OAuth 2.1 §4.1.1).
func redirectFor(k *client, query wire.Fields) (string, bool) {
	asked, given := query.Get("redirect_uri")
	if !given {
		if len(k.RedirectURIs) == 1 && redirectable(k.RedirectURIs[0]) {
			return k.RedirectURIs[0], true
		}
		return "", false
	}
	ok := redirectable(asked) && slices.ContainsFunc(k.RedirectURIs, func(r string) bool { return redirectMatches(r, asked) })
	return asked, ok
}

// refusedRequest is an error that goes back by redirect, with the rule that the
// request broke.
type refusedRequest struct {
	code, says string
	rule       rules.ID
}

// judge checks what can be answered by redirect (OAuth 2.1 §4.1.2.1) and fills in
// the rest of the interaction. The code is empty when all is well.
func (a *AS) judge(k *client, q wire.Fields, i *interaction) refusedRequest {
	if repeated(q) != "" && !a.faulty("authorize-repeat") {
		return refusedRequest{"invalid_request", "a parameter is repeated", rules.ASAuthorizeRepeatRefused}
	}
	if strange(q) && a.faulty("authorize-unknown-param") {
		return refusedRequest{"invalid_request", "a parameter is not known", rules.ASAuthorizeUnknownIgnored}
	}
	if value(q, "response_type") != "code" && !a.implicit(q, i) {
		if value(q, "response_type") == "" {
			return refusedRequest{"invalid_request", "response_type is missing", rules.ASOAuth21}
		}
		return refusedRequest{"unsupported_response_type", "only code is supported", rules.ASOAuth21}
	}
	if mode := value(q, "response_mode"); mode != "" && mode != "query" {
		return refusedRequest{"invalid_request", "only response_mode query is supported", rules.ASOAuth21}
	}
	if !slices.Contains(k.GrantTypes, "authorization_code") {
		return refusedRequest{"unauthorized_client", "this client may not use the code grant", rules.ASOAuth21}
	}
	challenge, method := value(q, "code_challenge"), value(q, "code_challenge_method")
	switch {
	case challenge == "" && (a.faulty("authorize-no-pkce") || a.faulty("verifier-unasked")):
	case challenge != "" && method != "S256" && a.faulty("authorize-plain"):
		challenge = challengeOf(challenge) // a plain challenge is the verifier itself
	case challenge == "":
		return refusedRequest{"invalid_request", "code_challenge is missing", rules.ASAuthorizePKCERequired}
	case method != "S256":
		return refusedRequest{"invalid_request", "code_challenge_method must be S256", rules.ASAuthorizePlainRefused}
	case !isS256(challenge):
		return refusedRequest{"invalid_request", "code_challenge is not a base64url SHA-256", rules.ASAuthorizePKCERequired}
	}
	i.Challenge = challenge
	asked, ok := scopes(value(q, "scope"))
	if len(asked) == 0 && ok {
		asked = a.config.DefaultScopes
	}
	if !ok || !within(asked, a.config.scopesSupported()) || a.faulty("authorize-invalid-scope") {
		return refusedRequest{"invalid_scope", "a scope is not known here", rules.ASAuthorizeScopeDefault}
	}
	i.Scopes = asked
	i.Resource, ok = a.config.audience(all(q, "resource"))
	if asked := all(q, "resource"); !ok && len(asked) == 1 && a.faulty("authorize-any-resource") {
		i.Resource, ok = asked[0], true
	}
	if !ok {
		return refusedRequest{"invalid_target", "tokens for this resource are not issued here", rules.ASAuthorizeInvalidTarget}
	}
	return refusedRequest{}
}

func isS256(challenge string) bool {
	if len(challenge) != 43 {
		return false
	}
	for i := range len(challenge) {
		c := challenge[i]
		if !(c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '-' || c == '_') {
			return false
		}
	}
	return true
}

// back is an authorization response: to the client's redirect URI, with the
// state unchanged and, where configured, the issuer (RFC 9207 §2), on success
// and on error alike. 303 is used, so that no browser repeats a POST at the
// client (RFC 9700 §4.12).
func (a *AS) back(i interaction, fields ...wire.Field) *reply {
	r := &reply{status: 303, location: i.Redirect}
	for _, f := range fields {
		if f.Value != "" {
			r.query = append(r.query, f)
		}
	}
	if i.HasState {
		r.query = append(r.query, wire.Field{Name: "state", Value: i.State})
	}
	if a.config.Iss {
		r.query = append(r.query, wire.Field{Name: "iss", Value: a.config.Issuer})
	}
	noStore(r)
	r.set("Referrer-Policy", "no-referrer")
	return r
}

// grantCode records the grant and answers with its code, which is for a single
// use, short-lived, and bound to client, redirect URI and challenge (OAuth 2.1 §4.1.2).
func (a *AS) grantCode(at time.Time, i interaction, subject string) *reply {
	a.state.prune(at)
	if a.config.MaxTokens >= 0 && len(a.state.Codes) >= a.config.MaxTokens {
		r := a.back(i, wire.Field{Name: "error", Value: "temporarily_unavailable"})
		r.rule, r.detail = rules.ASTokenErrorShape, "too many codes are live"
		return r
	}
	given := i.Scopes
	if len(given) > 1 && a.faulty("scope-narrowed") {
		given = given[:1]
	}
	g := grant{ID: "grant_" + a.draw("grant")[:22], Client: i.Client, Subject: subject, Scopes: given, Resource: i.Resource}
	a.state.Grants = append(a.state.Grants, g)
	if i.Implicit {
		token := a.issue(at, &g, given, false)
		r := a.back(i, wire.Field{Name: "access_token", Value: token.doc.get("access_token"), Secret: true}, wire.Field{Name: "token_type", Value: "Bearer"})
		r.fragment = true
		return r
	}
	value, life := "code_"+a.draw("code"), a.config.CodeTTL
	if a.faulty("code-lives-long") {
		life = time.Hour
	}
	a.state.Codes = append(a.state.Codes, code{
		Hash: hash(value), Grant: g.ID, Redirect: i.Redirect, Challenge: i.Challenge, Expires: at.Add(life),
	})
	if k := a.client(i.Client); k != nil {
		k.Used = true
	}
	return a.back(i, wire.Field{Name: "code", Value: value, Secret: true})
}

// redirectHost is the part of a redirect URI that the user is shown.
func redirectHost(raw string) string {
	origin, _, _ := split(raw)
	_, host, _ := strings.Cut(origin, "://")
	return host
}
