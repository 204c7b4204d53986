package transitions

import (
	"strings"

	"github.com/stile-oauth/stile/states"
	"github.com/stile-oauth/stile/states/rules"
	"github.com/stile-oauth/stile/states/wire"
)

// Some quirks of docs/decision-tables.md#t10 change what this client sends, or where it looks.
// They leave nothing in an answer that could be noted, so each notes here that it was used.
// Quirks that accept an answer are noted where the answer is judged (package wire).

func (k *step) acted(quirk string, rule rules.ID, what string) {
	k.note(wire.Finding{Rule: rule, Detail: "quirk " + quirk + ": " + what})
}

// quirksOfRequest: google-offline and redirect-localhost, once in a login.
func (k *step) quirksOfRequest() {
	f, c := k.Flow, k.Config
	if f.GoogleOffline(c) {
		k.acted("google-offline", rules.AuthzReqPromptConsent, "access_type=offline and prompt=consent are sent")
	}
	if c.Has(states.RedirectLocalhost) && strings.HasPrefix(f.RedirectURI, "http://localhost") {
		k.acted("redirect-localhost", rules.AuthzReqLoopbackLiteral, "the redirect URI has the name localhost")
	}
}

// quirkOfBasic: basic-raw.
func (k *step) quirkOfBasic() {
	if c := k.Flow.Client; c.Raw && c.Method == wire.MethodBasic {
		k.acted("basic-raw", rules.ClientauthBasicEncoding, "client id and secret are sent without form-encoding")
	}
}

// foundAppended: appended-oauth. The address is the one that only this quirk adds. (An issuer
// of which another name is accepted has further addresses that end in the same way.)
func (k *step) foundAppended() {
	at := k.Flow.Candidates[k.Flow.Candidate]
	if k.Config.Has(states.AppendedOAuth) && at == wire.ASMAppendedURL(strings.TrimSuffix(at, "/.well-known/oauth-authorization-server")) {
		k.acted("appended-oauth", rules.ASMProbeOrder, "the metadata was found after the issuer's path")
	}
}

// keysOnly: the issuer lists no authentication method that this client can use; most such lists
// are of keys and certificates. A public client is tried nevertheless (docs/decision-tables.md#t7-10).
func (k *step) keysOnly(listed []string) {
	for _, m := range listed {
		if m == wire.MethodNone || m == wire.MethodBasic || m == wire.MethodPost || m == wire.MethodJWT && k.Config.Key != nil {
			return
		}
	}
	if len(listed) > 0 {
		k.note(wire.Finding{Rule: rules.ClientauthMTLSUnsupported, Detail: "the issuer lists only authentication methods that this client cannot use: " +
			wire.Clean(wire.JoinScope(listed), 200)})
	}
}

// token reads an issuer's answer to a token request, and notes what is to be said of it and
// the nonce that came with it.
func (k *step) token(r wire.Response, issuer string) (wire.Token, *wire.Problem) {
	tok, found, bad := wire.ParseToken(r, k.tokenPolicy(issuer))
	k.note(found...)
	k.heard(r)
	return tok, bad
}

func (k *step) tokenPolicy(issuer string) wire.TokenPolicy {
	host := hostOf(issuer)
	compat := !k.Config.Strict
	var identity *wire.IdentityPolicy
	if k.Config.Identity() {
		identity = &wire.IdentityPolicy{Provider: issuer, Client: k.Config.Client.ID, At: k.at}
	}
	return wire.TokenPolicy{
		Identity:        identity,
		CommaScope:      k.Config.Has(states.CommaScope) || compat && host == "github.com",
		SlackAuthedUser: k.Config.Has(states.SlackAuthedUser) || compat && slackHost(host),
		SlackTokenType:  k.Config.Has(states.SlackTokenType) || compat && slackHost(host),
		DPoP:            k.Proves(),
		Bound:           k.Binds(),
	}
}

func slackHost(h string) bool { return h == "slack.com" || strings.HasSuffix(h, ".slack.com") }

// assumeS256 is the quirk for issuers that support S256 and do not say so
// (docs/decision-tables.md#t10).
func (k *step) assumeS256(issuer string) bool {
	if k.Config.Has(states.AssumeS256) {
		return true
	}
	h := hostOf(issuer)
	entra := h == "login.microsoftonline.com"
	cognito := strings.HasPrefix(h, "cognito-idp.") && strings.HasSuffix(h, ".amazonaws.com")
	return !k.Config.Strict && (entra || cognito)
}

func hostOf(issuer string) string {
	u, _ := wire.ParseURL(issuer)
	return u.Host()
}
