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
		return a.failure(400, rule, says)
	}
	redirect, ok := redirectFor(k, c.query)
	if !ok && (redirect == "" || !a.faulty("redirect-unchecked")) {
		return a.failure(400, rules.ASAuthorizeRedirectExact, "The redirect URI is not one that this client registered.")
	}
	state, hasState := c.query.Get("state")
	i := interaction{Client: k.ID, Redirect: redirect, State: state, HasState: hasState, Expires: c.at.Add(interactionTTL)}
	if refused := a.judge(k, c.query, &i); refused.code != "" {
		r := a.back(i, wire.Field{Name: "error", Value: refused.code}, wire.Field{Name: "error_description", Value: refused.says})
		r.rule, r.detail = refused.rule, refused.says
		return r
	}
	if a.config.Deny {
		return a.back(i, wire.Field{Name: "error", Value: "access_denied"})
	}
	if a.config.AutoConsent {
		u, _ := a.config.user(a.config.Users[0].Name)
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
	if repeated(q) != "" {
		return refusedRequest{"invalid_request", "a parameter is repeated", rules.ASAuthorizeRepeatRefused}
	}
	if value(q, "response_type") != "code" {
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
	if i.Resource, ok = a.config.audience(all(q, "resource")); !ok {
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
	value := "code_" + a.draw("code")
	a.state.Grants = append(a.state.Grants, g)
	a.state.Codes = append(a.state.Codes, code{
		Hash: hash(value), Grant: g.ID, Redirect: i.Redirect, Challenge: i.Challenge, Expires: at.Add(a.config.CodeTTL),
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
