package wire

import (
	"slices"

	"github.com/stile-oauth/stile/states/rules"
)

// asmJudge collects what the members say; verdict then applies the rules in the order
// in which they matter.
type asmJudge struct {
	m      ASM
	policy ASMPolicy
	found  []Finding
	urls   *Problem
}

func (j *asmJudge) member(name string, raw []byte) {
	switch name {
	case "issuer":
		j.m.Issuer, _ = rawString(raw)
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
	case "device_authorization_endpoint":
		j.m.DeviceEndpoint = j.url(name, raw)
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
	case "dpop_signing_alg_values_supported":
		j.m.ProofAlgs = j.list(name, raw)
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

// url judges one URL of the document. A URL that must never be followed (another
// scheme, user information, a fragment) refuses the document. A URL that is merely
// not https is left out, which matters only if it is needed.
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
		// Only shown to people: a fragment is common there, but an unsafe scheme is not.
		display = true
	}
	lenient, detail := rule == rules.ASMEndpointsHTTPS, bad.Words()
	if bad.Rule == rules.URLParseStrict { // not a URL, so there is no question whether it is https
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
	if m.Issuer == "" {
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

// matchIssuer compares the published issuer with the one asked for, character by
// character, except for one trailing slash, which is recorded, and a pinned alias.
func (j *asmJudge) matchIssuer() *Problem {
	m, p := &j.m, j.policy
	both := "issuer is " + quoted(m.Issuer) + ", asked for " + quoted(p.Issuer)
	switch {
	case m.Issuer == p.Issuer:
	case m.Issuer == p.Alias:
		note(&j.found, rules.ASMIssuerAlias, both+"; accepted by a pinned alias")
	case !p.Strict && oneSlashApart(m.Issuer, p.Issuer):
		note(&j.found, rules.ASMIssuerSlash, both+"; strict clients refuse this")
	default:
		named, _ := ParseURL(m.Issuer)
		asked, _ := ParseURL(p.Issuer)
		return &Problem{Rule: rules.ASMIssuerMatch, Detail: both, Plain: named.plainFormOf(asked)}
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
