package audit

import (
	"github.com/stile-oauth/stile/states/rules"
	"github.com/stile-oauth/stile/states/wire"
)

// Manner is what the user does at an authorization request.
type Manner string

// The manners. At Idle the user logs in if asked to, and then does nothing.
const (
	Consents Manner = ""
	Denies   Manner = "deny"
	Idle     Manner = "idle"
	Another  Manner = "another" // a second user logs in and consents
)

// consentChecks look at what the issuer asks the user, and at what is kept apart
// between two users.
var consentChecks = []Check{
	{ID: "az.silent-redirect", Rules: []rules.ID{rules.ASConsentPerClient, rules.ASConsentPage, rules.ASCIMDShowHost}, Severity: Critical, Safety: Login, Threat: Phishing,
		Does:   "After a login, opens the authorization endpoint in the same browser for a client that was never seen before; nobody touches the page.",
		Passes: "The user is asked; where the page can be read, it names the client and the host of its redirect URI.",
		Why:    "Anybody can register a client and send the user a link: the user's session at the server would give that client a code (confused deputy).",
		Fix:    "Ask for consent for each client and user, before anything is forwarded to a login elsewhere.",
		plan:   planConsent, judge: judgeSilentRedirect},
	{ID: "lg.reconsent", Rules: []rules.ID{rules.ASAuthorizeRepromptNative}, Severity: Info, Safety: Login, Threat: Phishing,
		Does:   "Opens the authorization endpoint once more as the client of the first login, in the same browser; nobody touches the page.",
		Passes: "The user is asked again.",
		Why:    "A native client cannot prove who it is: another program could use its id, and the user's earlier consent.",
		Fix:    "Ask again where the client has no secret and its redirect URI is on the user's machine (RFC 8252 §8.6).",
		plan:   planConsent, judge: judgeReconsent},
	{ID: "lg.denied", Rules: []rules.ID{rules.AuthzRespErrorCode, rules.IssuerErrorResponseToo, rules.AuthzRespStateEcho}, Severity: Medium, Safety: Login, Threat: Interop,
		Does:   "Opens the authorization endpoint once more; the user denies.",
		Passes: "The browser comes back with error=access_denied, the state that was sent, and iss where that is promised.",
		Why:    "A client that learns nothing waits; one that is not told state or iss cannot tell the answer from a forged one.",
		Fix:    "Send the error to the redirect URI, as RFC 6749 §4.1.2.1 and RFC 9207 §2 have it.",
		plan:   planConsent, judge: judgeUserDenied},
	{ID: "aud.session-cross", Rules: []rules.ID{rules.RSHandleBound, rules.RSPrincipalFromToken}, Severity: Critical, Safety: Login, Threat: Takeover,
		Does:   "Uses the session that one user's token began with the token of a second user, who logs in for it.",
		Passes: "It is refused.",
		Why:    "Anyone who learns a session's id could read and steer what another user does in it.",
		Fix:    "Keep the user of the token with the session, and compare at every request.",
		plan:   planMain, judge: judgeSessionCross},
}

// The labels of the visits at which nobody consents.
const (
	visitAgain  = "reconsent.visit"
	visitSilent = "silent.visit"
	visitDenied = "denied.visit"
)

// planConsent looks, after a login, what the same client, another client and a user who
// denies get.
func planConsent(e *Evidence) []Probe {
	out, ok := planGrant(e, "main")
	if !ok || !e.Account.Consent {
		return out
	}
	issuer := ""
	if m, ok := e.home(); ok {
		issuer = m.x.Issuer
	}
	visit := func(label, client, name string, manner Manner) {
		q := put(e.question(name), "client_id", client)
		out = append(out, Probe{Label: label, Leg: LegCallback, Issuer: issuer, Visit: true, Manner: manner, Look: []string{clientName, hostOf(e.Account.RedirectURI)},
			Request: wire.Request{Method: "GET", URL: at(e.address("authorization_endpoint"), q)}})
	}
	visit(visitAgain, e.clientID(), "reconsent", Idle)
	other, second := e.second()
	if out = append(out, second...); other != "" {
		visit(visitSilent, other, "silent", Idle)
	}
	visit(visitDenied, e.clientID(), "denied", Denies)
	return out
}

// crossing lets a second user log in, whose token then goes with the session of the
// first user.
func (e *Evidence) crossing() []Probe {
	x := e.probe("main.call")
	if !e.Account.Another || x == nil || len(x.got("Mcp-Session-Id")) != 1 {
		return nil
	}
	visit, ok := planGrant(e, "cross")
	p := visit[len(visit)-1]
	p.Manner = Another
	out := []Probe{p}
	if !ok {
		return out
	}
	out = append(out, Probe{Label: "cross.token", Leg: LegToken, Request: e.right("cross")})
	if access, ok := e.member("cross.token", "access_token"); ok {
		out = append(out, Probe{Label: "cross.own", Leg: LegMCP, Request: called(e, access)},
			Probe{Label: "cross.call", Leg: LegMCP, Request: with(bearer(post(e.Target, "2025-11-25", "", listTools), access), "Mcp-Session-Id", x.got("Mcp-Session-Id")[0])})
	}
	return append(out, e.revoke("cross.end", e.newest("cross.token"))...)
}
