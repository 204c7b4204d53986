package wire

import (
	"slices"
	"strings"

	"github.com/stile-oauth/stile/states/rules"
)

// ASM is what authorization server metadata says (RFC 8414 §2, OpenID Connect
// Discovery §3), as far as a client uses it. A nil list was absent.
type ASM struct {
	Issuer                string   `json:"issuer"` // the document's own string: the recorded issuer from now on
	AuthorizationEndpoint string   `json:"authorization_endpoint,omitempty"`
	TokenEndpoint         string   `json:"token_endpoint,omitempty"`
	RegistrationEndpoint  string   `json:"registration_endpoint,omitempty"`
	RevocationEndpoint    string   `json:"revocation_endpoint,omitempty"`
	IntrospectionEndpoint string   `json:"introspection_endpoint,omitempty"`
	JWKSURI               string   `json:"jwks_uri,omitempty"`
	ServiceDocumentation  string   `json:"service_documentation,omitempty"`
	ScopesSupported       []string `json:"scopes_supported,omitempty"`
	ResponseTypes         []string `json:"response_types,omitempty"`
	GrantTypes            []string `json:"grant_types,omitempty"`
	AuthMethods           []string `json:"auth_methods,omitempty"`      // of the token endpoint
	SigningAlgs           []string `json:"signing_algs,omitempty"`      // of assertions at the token endpoint
	ChallengeMethods      []string `json:"challenge_methods,omitempty"` // PKCE
	// Iss, CIMD and PARRequired are exactly JSON true in the document.
	Iss         bool `json:"iss,omitzero"`  // authorization_response_iss_parameter_supported (RFC 9207 §3)
	CIMD        bool `json:"cimd,omitzero"` // client_id_metadata_document_supported
	PARRequired bool `json:"par_required,omitzero"`
	// Defaults marks the default endpoints of MCP 2025-03-26: there was no document.
	Defaults bool `json:"defaults,omitzero"`
}

// ASMPolicy is what ParseASM judges by.
type ASMPolicy struct {
	// Issuer is the identifier the address was built from, verbatim.
	Issuer string
	// RequirePKCE: an absent list of PKCE methods ends the probe (from MCP
	// 2025-11-25 on); otherwise it is a finding.
	RequirePKCE bool
	// AssumeS256 is the quirk of that name: an absent list reads as S256.
	AssumeS256 bool
	// Strict takes away the tolerance of one trailing slash.
	Strict bool
	// Alias is a pinned published issuer that is accepted for Issuer.
	Alias string
	// Machine: no user agent is involved, so what only the authorization
	// endpoint needs (its address, response types, PKCE, PAR) is not required.
	Machine bool
	// Resource, when set, is looked up in protected_resources (RFC 9728 §4).
	Resource string
	URL      URLPolicy
}

// ASMURLs returns the addresses where the metadata of an issuer may lie, in
// the order to try them (docs/decision-tables.md#t2; RFC 8414 §3.1, §5): RFC 8414
// first, then OpenID Connect with the path inserted and with it appended. One
// terminating slash of the path is dropped; the rest of the issuer is used as
// it stands. rfc8414Only leaves the OpenID addresses out. nil when issuer is
// not a sound URL.
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
// string after the path (quirk appended-oauth); "" for an issuer without path,
// where it adds nothing.
func ASMAppendedURL(issuer string) string {
	base, path, ok := splitIssuer(issuer)
	if !ok || path == "" {
		return ""
	}
	return base + path + "/.well-known/oauth-authorization-server"
}

// SoundIssuer reports whether an issuer can be one (RFC 8414 §2): an absolute
// URL without query and fragment, so that there are addresses to ask (ASMURLs).
func SoundIssuer(issuer string) bool {
	_, _, ok := splitIssuer(issuer)
	return ok
}

// splitIssuer cuts an issuer, as received, before its path and takes one
// terminating slash off.
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
// the origin given.
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
// §3.3; OpenID Connect Discovery §4.3). A problem with Refuse ends the login;
// after another one the next address of the same issuer may be tried.
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

// asmJudge collects what the members say; verdict then goes through the rules
// in the order in which they matter.
type asmJudge struct {
	m      ASM
	policy ASMPolicy
	found  []Finding
	issuer bool // a string was there
	urls   *Problem
}

func (j *asmJudge) member(name string, raw []byte) {
	switch name {
	case "issuer":
		j.m.Issuer, j.issuer = rawString(raw)
	case "authorization_endpoint":
		j.m.AuthorizationEndpoint = j.url(name, raw)
	case "token_endpoint":
		j.m.TokenEndpoint = j.url(name, raw)
	case "registration_endpoint":
		j.m.RegistrationEndpoint = j.url(name, raw)
	case "revocation_endpoint":
		j.m.RevocationEndpoint = j.url(name, raw)
	case "introspection_endpoint":
		j.m.IntrospectionEndpoint = j.url(name, raw)
	case "jwks_uri":
		j.m.JWKSURI = j.url(name, raw)
	case "service_documentation":
		j.m.ServiceDocumentation = j.url(name, raw)
	case "op_policy_uri", "op_tos_uri":
		j.url(name, raw)
	case "scopes_supported":
		if s, ok := rawString(raw); ok {
			j.m.ScopesSupported = ParseScope(s)
			return
		}
		j.m.ScopesSupported = cleanScopes(j.list(name, raw))
	case "response_types_supported":
		j.m.ResponseTypes = j.list(name, raw)
	case "grant_types_supported":
		j.m.GrantTypes = j.list(name, raw)
	case "token_endpoint_auth_methods_supported":
		j.m.AuthMethods = j.list(name, raw)
	case "token_endpoint_auth_signing_alg_values_supported":
		j.m.SigningAlgs = j.list(name, raw)
	case "code_challenge_methods_supported":
		j.m.ChallengeMethods = j.list(name, raw)
	case "authorization_response_iss_parameter_supported":
		j.m.Iss = j.flag(name, raw, rules.ASMIssFlagBoolean)
	case "client_id_metadata_document_supported":
		j.m.CIMD = j.flag(name, raw, rules.ASMCIMDFlag)
	case "require_pushed_authorization_requests":
		j.m.PARRequired = j.flag(name, raw, rules.ASMPARRequired)
	case "signed_metadata":
		note(&j.found, rules.ASMSignedMetadata, "signed_metadata is not looked at")
	case "protected_resources":
		if list, _ := rawStrings(raw); j.policy.Resource != "" && list != nil && !slices.Contains(list, j.policy.Resource) {
			note(&j.found, rules.PRMCrossCheck, "protected_resources does not list "+quoted(j.policy.Resource))
		}
	}
}

func (j *asmJudge) list(name string, raw []byte) []string {
	return listMember(raw, name, rules.ASMEmptyOmitted, rules.ASMEmptyOmitted, &j.found)
}

// flag reads a boolean: only JSON true counts.
func (j *asmJudge) flag(name string, raw []byte, rule rules.ID) bool {
	b, ok := rawBool(raw)
	if !ok && !isNull(raw) {
		note(&j.found, rule, name+" is not a JSON boolean")
	}
	return b
}

// url judges one URL of the document. What must never be followed (another
// scheme, user information, a fragment) refuses the document; what is merely
// not https is left out, and is missed when it was needed.
func (j *asmJudge) url(name string, raw []byte) string {
	s, ok := rawString(raw)
	if s == "" {
		if !ok && !isNull(raw) {
			note(&j.found, rules.ASMEndpointsHTTPS, name+" is not a string")
		}
		return ""
	}
	bad := CheckURL(s, j.policy.URL)
	if bad == nil {
		return s
	}
	rule, display := rules.ASMEndpointsHTTPS, false
	switch name {
	case "jwks_uri":
		rule = rules.ASMJWKSHTTPS
	case "service_documentation", "op_policy_uri", "op_tos_uri":
		// Only shown to people: a fragment is usual there, an unsafe scheme is not.
		display = true
	}
	lenient, detail := rule == rules.ASMEndpointsHTTPS, bad.Words()
	if bad.Rule == rules.URLParseStrict { // it is no URL: whether it is https does not arise
		rule, detail = bad.Rule, bad.Detail
	}
	switch {
	case bad.Rule == rules.URLSchemeAllowlist:
		rule, lenient = rules.ASMEndpointScheme, false
	case bad.Rule == rules.URLNoFragment && !display:
		rule, lenient = rules.ASMEndpointNoFragment, false
	case bad.Rule == rules.URLNoUserinfo:
		rule, lenient = rules.ASMEndpointNoUserinfo, false
	case bad.Rule == rules.URLNoFragment:
		return s
	case name == "authorization_endpoint" || name == "token_endpoint":
	default:
		note(&j.found, rule, name+" left out: "+detail)
		return ""
	}
	if j.urls == nil && (!j.policy.Machine || name != "authorization_endpoint" || !lenient) {
		j.urls = refuse(rule, name+": "+detail)
	}
	return ""
}

func (j *asmJudge) verdict() *Problem {
	m, p := &j.m, j.policy
	if !j.issuer || m.Issuer == "" {
		return &Problem{Rule: rules.ASMIssuerPresent, Detail: "no issuer member; expected " + quoted(p.Issuer)}
	}
	if bad := j.matchIssuer(); bad != nil {
		return bad
	}
	if j.urls != nil {
		return j.urls
	}
	if m.TokenEndpoint == "" {
		return &Problem{Rule: rules.ASMTokenEndpoint, Detail: "no token_endpoint"}
	}
	if m.GrantTypes != nil && !p.Machine && !slices.Contains(m.GrantTypes, "authorization_code") {
		note(&j.found, rules.ASMGrantNeeded, "grant_types_supported does not list authorization_code")
	}
	if p.Machine {
		return nil
	}
	if m.AuthorizationEndpoint == "" {
		return &Problem{Rule: rules.ASMAuthorizationEndpoint, Detail: "no authorization_endpoint"}
	}
	if m.ResponseTypes == nil {
		note(&j.found, rules.ASMResponseTypes, "no response_types_supported")
	} else if !slices.Contains(m.ResponseTypes, "code") {
		return refuse(rules.ASMResponseTypes, "response_types_supported does not list code")
	}
	if bad := j.pkce(); bad != nil {
		return bad
	}
	if m.PARRequired {
		return refuse(rules.ASMPARRequired, "the authorization server takes pushed authorization requests only, which this client does not make")
	}
	return nil
}

// matchIssuer compares the published issuer with the one asked for: character
// by character, but for one recorded slash and a pinned alias.
func (j *asmJudge) matchIssuer() *Problem {
	m, p := &j.m, j.policy
	both := "issuer is " + quoted(m.Issuer) + ", asked for " + quoted(p.Issuer)
	switch {
	case m.Issuer == p.Issuer:
	case p.Alias != "" && m.Issuer == p.Alias:
		note(&j.found, rules.ASMIssuerAlias, both+"; accepted by a pinned alias")
	case !p.Strict && oneSlashApart(m.Issuer, p.Issuer):
		note(&j.found, rules.ASMIssuerSlash, both+"; strict clients refuse this")
	default:
		return &Problem{Rule: rules.ASMIssuerMatch, Detail: both}
	}
	if bad := checkIssuer(m.Issuer, p.URL); bad != nil {
		return refuse(rules.ASMIssuerSyntax, bad.Words())
	}
	return nil
}

func (j *asmJudge) pkce() *Problem {
	methods := j.m.ChallengeMethods
	switch {
	case methods == nil && j.policy.AssumeS256:
		note(&j.found, rules.ASMPKCEAdvertised, "no code_challenge_methods_supported; S256 is assumed for this provider")
	case methods == nil && j.policy.RequirePKCE:
		return &Problem{Rule: rules.ASMPKCEAdvertised, Detail: "no code_challenge_methods_supported"}
	case methods == nil:
		note(&j.found, rules.ASMPKCEAdvertised, "no code_challenge_methods_supported")
	case !slices.Contains(methods, "S256"):
		return refuse(rules.ASMPKCES256, "code_challenge_methods_supported does not list S256")
	}
	return nil
}
