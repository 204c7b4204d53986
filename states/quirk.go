package states

import "slices"

// QuirkName names one deviation from a rule that a known server needs.
type QuirkName string

// The quirks. Each bends one rule, for the configured server and for no other. A quirk takes
// no values unless its comment says so.
const (
	// AssumeS256 continues if the issuer's metadata does not say that PKCE with S256 is
	// supported. The challenge is sent nevertheless.
	AssumeS256 QuirkName = "assume-s256"
	// OmitResource leaves out the `resource` parameter (RFC 8707), for issuers
	// that refuse it. The token is then not bound to the server.
	OmitResource QuirkName = "omit-resource"
	// IssuerAlias accepts the second value as the first: resource metadata lists the first,
	// and the issuer calls itself by the second. Two values.
	IssuerAlias QuirkName = "issuer-alias"
	// ResourceAlias accepts resource metadata whose `resource` is the second value if the
	// first was asked for. Two values.
	ResourceAlias QuirkName = "resource-alias"
	// PRMNoResource accepts resource metadata without `resource`.
	PRMNoResource QuirkName = "prm-no-resource"
	// CommaScope reads granted scopes that are separated by commas.
	CommaScope QuirkName = "comma-scope"
	// SlackAuthedUser reads the token from `authed_user`, as Slack sends it.
	SlackAuthedUser QuirkName = "slack-authed-user"
	// SlackTokenType accepts the token types of Slack ("user", "bot") as Bearer.
	SlackTokenType QuirkName = "slack-token-type"
	// BasicRaw sends client id and secret in HTTP Basic without form-encoding
	// them first.
	BasicRaw QuirkName = "basic-raw"
	// GoogleOffline sends `access_type=offline` and `prompt=consent`, because otherwise Google
	// gives no refresh token.
	GoogleOffline QuirkName = "google-offline"
	// RedirectLocalhost uses the name localhost in the redirect URI, for issuers
	// that refuse 127.0.0.1.
	RedirectLocalhost QuirkName = "redirect-localhost"
	// AppendedOAuth looks for the issuer's metadata behind its path as well.
	AppendedOAuth QuirkName = "appended-oauth"
	// OfflineAlone asks for offline_access even if no other scope is asked for.
	OfflineAlone QuirkName = "offline-alone"
	// JWTAudTokenEndpoint uses the token endpoint as the audience of the client's assertions,
	// instead of the issuer, for issuers that require that.
	JWTAudTokenEndpoint QuirkName = "jwt-aud-token-endpoint"
)

// Quirk is a quirk in use, with the values that it takes.
type Quirk struct {
	Name   QuirkName `json:"rule"`
	Values []string  `json:"values,omitempty"`
}

// QuirkNames lists every quirk.
func QuirkNames() []QuirkName {
	return []QuirkName{
		AssumeS256, OmitResource, IssuerAlias, ResourceAlias, PRMNoResource, CommaScope, SlackAuthedUser,
		SlackTokenType, BasicRaw, GoogleOffline, RedirectLocalhost, AppendedOAuth, OfflineAlone, JWTAudTokenEndpoint,
	}
}

// Values is how many values a quirk takes.
func (q QuirkName) Values() int {
	if q == IssuerAlias || q == ResourceAlias {
		return 2
	}
	return 0
}

// Known reports whether q is a quirk.
func (q QuirkName) Known() bool { return slices.Contains(QuirkNames(), q) }
