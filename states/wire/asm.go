package wire

import (
	"strings"

	"github.com/stile-oauth/stile/states/rules"
)

// ASM is what authorization server metadata says (RFC 8414 §2, OpenID Connect
// Discovery §3), as far as a client uses it. A nil list was absent.
type ASM struct {
	Issuer                string   `json:"issuer"` // the string from the document: the recorded issuer from now on
	AuthorizationEndpoint string   `json:"authorization_endpoint,omitempty"`
	TokenEndpoint         string   `json:"token_endpoint,omitempty"`
	RegistrationEndpoint  string   `json:"registration_endpoint,omitempty"`
	RevocationEndpoint    string   `json:"revocation_endpoint,omitempty"`
	IntrospectionEndpoint string   `json:"introspection_endpoint,omitempty"`
	DeviceEndpoint        string   `json:"device_endpoint,omitempty"` // device_authorization_endpoint (RFC 8628 §4)
	JWKSURI               string   `json:"jwks_uri,omitempty"`
	ServiceDocumentation  string   `json:"service_documentation,omitempty"`
	ScopesSupported       []string `json:"scopes_supported,omitempty"`
	ResponseTypes         []string `json:"response_types,omitempty"`
	GrantTypes            []string `json:"grant_types,omitempty"`
	AuthMethods           []string `json:"auth_methods,omitempty"`      // of the token endpoint
	SigningAlgs           []string `json:"signing_algs,omitempty"`      // of assertions at the token endpoint
	ProofAlgs             []string `json:"proof_algs,omitempty"`        // of proofs of possession (RFC 9449 §5.1)
	ChallengeMethods      []string `json:"challenge_methods,omitempty"` // PKCE
	// Iss, CIMD and PARRequired are set only if the document has exactly JSON true.
	Iss         bool `json:"iss,omitzero"`  // authorization_response_iss_parameter_supported (RFC 9207 §3)
	CIMD        bool `json:"cimd,omitzero"` // client_id_metadata_document_supported
	PARRequired bool `json:"par_required,omitzero"`
	// Defaults marks the default endpoints of MCP 2025-03-26: there was no document.
	Defaults bool `json:"defaults,omitzero"`
}

// ASMPolicy is what ParseASM judges by.
type ASMPolicy struct {
	// Issuer is the identifier that the address was built from, verbatim.
	Issuer string
	// RequirePKCE: an absent list of PKCE methods ends the probe (from MCP
	// 2025-11-25 on); otherwise it is a finding.
	RequirePKCE bool
	// AssumeS256 is the quirk of that name: an absent list reads as S256.
	AssumeS256 bool
	// Strict removes the tolerance for one trailing slash.
	Strict bool
	// Alias is a pinned published issuer that is accepted in place of Issuer.
	Alias string
	// Machine: no user agent is involved, so what only the authorization
	// endpoint needs (its address, response types, PKCE, PAR) is not required.
	Machine bool
	// Resource, when set, is looked up in protected_resources (RFC 9728 §4).
	Resource string
	URL      URLPolicy
}

// ASMURLs returns the addresses at which the metadata of an issuer may be, in the
// order to try them (docs/decision-tables.md#t2; RFC 8414 §3.1, §5): first RFC 8414,
// then OpenID Connect, with the path inserted and then with the path appended. One
// terminating slash of the path is dropped; the rest of the issuer is used
// unchanged. rfc8414Only leaves out the OpenID addresses. The result is nil if issuer
// is not a sound URL.
//
// Rules: asm-probe-order, asm-strip-slash, asm-no-root-for-path-issuer,
// asm-client-both.
func ASMURLs(issuer string, rfc8414Only bool) []string {
	base, path, ok := splitIssuer(issuer)
	if !ok {
		return nil
	}
	out := make([]string, 1, 3)
	out[0] = base + "/.well-known/oauth-authorization-server" + path
	if rfc8414Only {
		return out
	}
	out = append(out, base+"/.well-known/openid-configuration"+path)
	if path != "" {
		out = append(out, base+path+"/.well-known/openid-configuration")
	}
	return out
}

// ASMAppendedURL returns the address of RFC 8414 metadata with the well-known
// string after the path (quirk appended-oauth); "" for an issuer without a path,
// for which this would be no new address.
func ASMAppendedURL(issuer string) string {
	base, path, ok := splitIssuer(issuer)
	if !ok || path == "" {
		return ""
	}
	return base + path + "/.well-known/oauth-authorization-server"
}

// SoundIssuer reports whether a string can be an issuer (RFC 8414 §2): an absolute
// URL without query and fragment, so that there are addresses to ask (ASMURLs).
func SoundIssuer(issuer string) bool {
	_, _, ok := splitIssuer(issuer)
	return ok
}

// splitIssuer splits an issuer, as received, before its path, and removes one
// terminating slash.
func splitIssuer(issuer string) (base, path string, ok bool) {
	u, bad := ParseURL(issuer)
	if bad != nil || u.query != "" || u.fragment || u.user {
		return "", "", false
	}
	base = issuer[:len(issuer)-len(u.path)]
	return base, strings.TrimSuffix(u.path, "/"), true
}

// DefaultASM returns the endpoints that MCP 2025-03-26 defines for a server
// without metadata ("Fallbacks for Servers without Metadata Discovery"), at
// the given origin.
//
// Rules: asm-legacy-default-endpoints.
func DefaultASM(origin string) ASM {
	return ASM{
		Issuer:                origin,
		AuthorizationEndpoint: origin + "/authorize",
		TokenEndpoint:         origin + "/token",
		RegistrationEndpoint:  origin + "/register",
		Defaults:              true,
	}
}

var asmRules = docRules{
	missing: rules.ASMServed, denied: rules.ASM4xxContinues, status: rules.ASMStatus200,
	contentType: rules.ASMContentType, object: rules.ASMJSONStrict, strict: rules.ASMJSONStrict,
}

// ParseASM judges an authorization server metadata response (RFC 8414 §3.2,
// §3.3; OpenID Connect Discovery §4.3). A problem with Refuse ends the login; after
// any other problem the next address of the same issuer may be tried.
//
// Rules: asm-string-compare, asm-unknown-ignored, asm-endpoint-foreign-host.
func ParseASM(r Response, p ASMPolicy) (ASM, []Finding, *Problem) {
	obj, found, bad := metadataBody(r, asmRules)
	if bad != nil {
		return ASM{}, found, bad
	}
	j := asmJudge{policy: p, found: found}
	for i := range obj {
		j.member(obj[i].Name, obj[i].Raw)
	}
	if bad := j.verdict(); bad != nil {
		return ASM{}, j.found, bad
	}
	return j.m, j.found, nil
}
