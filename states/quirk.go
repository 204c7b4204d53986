package states

import "slices"

// QuirkName names one departure from the rules that a known server needs.
type QuirkName string

// The quirks. Each bends one rule, for the server that is configured and for no
// other. Those without a sentence about values take none.
const (
	// AssumeS256 goes on where the issuer's metadata does not say that PKCE with
	// S256 is supported. The challenge is sent all the same.
	AssumeS256 QuirkName = "assume-s256"
	// OmitResource leaves out the `resource` parameter (RFC 8707), for issuers
	// that refuse it. The token is then not bound to the server.
	OmitResource QuirkName = "omit-resource"
	// IssuerAlias takes the second value for the first: resource metadata lists
	// the first, and the issuer calls itself the second. Two values.
	IssuerAlias QuirkName = "issuer-alias"
	// ResourceAlias accepts resource metadata whose `resource` is the second
	// value where the first was asked for. Two values.
	ResourceAlias QuirkName = "resource-alias"
	// PRMNoResource accepts resource metadata without `resource`.
	PRMNoResource QuirkName = "prm-no-resource"
	// CommaScope reads granted scopes that are separated by commas.
	CommaScope QuirkName = "comma-scope"
	// SlackAuthedUser reads the token out of `authed_user`, as Slack sends it.
	SlackAuthedUser QuirkName = "slack-authed-user"
	// SlackTokenType takes the token types of Slack ("user", "bot") for Bearer.
	SlackTokenType QuirkName = "slack-token-type"
	// BasicRaw sends client id and secret in HTTP Basic without form-encoding
	// them first.
	BasicRaw QuirkName = "basic-raw"
	// GoogleOffline sends `access_type=offline` and `prompt=consent`: Google gives
	// no refresh token otherwise.
	GoogleOffline QuirkName = "google-offline"
	// RedirectLocalhost uses the name localhost in the redirect URI, for issuers
	// that refuse 127.0.0.1.
	RedirectLocalhost QuirkName = "redirect-localhost"
	// AppendedOAuth looks for the issuer's metadata behind its path as well.
	AppendedOAuth QuirkName = "appended-oauth"
	// OfflineAlone asks for offline_access also where no other scope is asked for.
	OfflineAlone QuirkName = "offline-alone"
	// JWTAudTokenEndpoint makes the client's assertions out to the token endpoint
	// in place of the issuer, for issuers that want that.
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
