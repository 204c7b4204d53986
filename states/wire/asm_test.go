package wire

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/stile-oauth/stile/states/rules"
)

// Rules: asm-client-both, asm-strip-slash, asm-no-root-for-path-issuer.
func TestASMURLs(t *testing.T) {
	for _, tc := range []struct {
		issuer string
		want   []string
	}{
		{"https://as.example", []string{"https://as.example/.well-known/oauth-authorization-server", "https://as.example/.well-known/openid-configuration"}},
		{"https://as.example/", []string{"https://as.example/.well-known/oauth-authorization-server", "https://as.example/.well-known/openid-configuration"}},
		{"https://as.example/tenant/", []string{"https://as.example/.well-known/oauth-authorization-server/tenant", "https://as.example/.well-known/openid-configuration/tenant", "https://as.example/tenant/.well-known/openid-configuration"}},
		{"https://AS.example:443/a/b", []string{"https://AS.example:443/.well-known/oauth-authorization-server/a/b", "https://AS.example:443/.well-known/openid-configuration/a/b", "https://AS.example:443/a/b/.well-known/openid-configuration"}},
		{"http://localhost:9000/", []string{"http://localhost:9000/.well-known/oauth-authorization-server", "http://localhost:9000/.well-known/openid-configuration"}},
		{"https://as.example?x", nil},
		{"as.example", nil},
	} {
		if diff := cmp.Diff(tc.want, ASMURLs(tc.issuer, false)); diff != "" {
			t.Errorf("ASMURLs(%q): %s", tc.issuer, diff)
		}
		only := ASMURLs(tc.issuer, true)
		if len(tc.want) > 0 && (len(only) != 1 || only[0] != tc.want[0]) {
			t.Errorf("RFC 8414 only: %v", only)
		}
	}
	if got := ASMAppendedURL("https://as.example/tenant"); got != "https://as.example/tenant/.well-known/oauth-authorization-server" {
		t.Error(got)
	}
	if got := ASMAppendedURL("https://as.example/"); got != "" {
		t.Error(got)
	}
}

func TestDefaultASM(t *testing.T) {
	want := ASM{Issuer: "https://h:8443", AuthorizationEndpoint: "https://h:8443/authorize", TokenEndpoint: "https://h:8443/token", RegistrationEndpoint: "https://h:8443/register", Defaults: true}
	if diff := cmp.Diff(want, DefaultASM("https://h:8443")); diff != "" {
		t.Error(diff)
	}
}

// asmDoc writes a good document with some members replaced ("" removes one) and
// others added.
func asmDoc(change ...string) string {
	members := [][2]string{
		{"issuer", `"https://as.example"`},
		{"authorization_endpoint", `"https://as.example/authorize"`},
		{"token_endpoint", `"https://as.example/token"`},
		{"response_types_supported", `["code"]`},
		{"code_challenge_methods_supported", `["S256"]`},
	}
	var out []string
	for i := 0; i < len(change); i += 2 {
		members = append(members, [2]string{change[i], change[i+1]})
	}
	for i, m := range members {
		last := true
		for _, later := range members[i+1:] {
			last = last && later[0] != m[0]
		}
		if last && m[1] != "" {
			out = append(out, `"`+m[0]+`":`+m[1])
		}
	}
	return "{" + strings.Join(out, ",") + "}"
}

// Rules: asm-string-compare, asm-unknown-ignored.
func TestParseASM(t *testing.T) {
	const iss = "https://as.example"
	r4 := ASMPolicy{Issuer: iss, RequirePKCE: true}
	with := func(f func(*ASMPolicy)) ASMPolicy { p := r4; f(&p); return p }
	good := ASM{Issuer: iss, AuthorizationEndpoint: iss + "/authorize", TokenEndpoint: iss + "/token", ResponseTypes: []string{"code"}, ChallengeMethods: []string{"S256"}}
	but := func(f func(*ASM)) ASM { m := good; f(&m); return m }
	ok := func(change ...string) Response { return answer(200, asmDoc(change...)) }
	none := ASM{}
	https, note1 := rules.ASMEndpointsHTTPS, func(ids ...rules.ID) []rules.ID { return ids }
	for _, tc := range []struct {
		name    string
		r       Response
		p       ASMPolicy
		rule    rules.ID
		refuses bool
		want    ASM
		note    []rules.ID
	}{
		{"good", ok(), r4, "", false, good, nil},
		{"all members", ok("registration_endpoint", `"https://as.example/r"`, "revocation_endpoint", `"https://as.example/v"`, "introspection_endpoint", `"https://x.example/i"`, "jwks_uri", `"https://as.example/k"`, "service_documentation", `"https://as.example/d#top"`, "scopes_supported", `["a","offline_access"]`, "grant_types_supported", `["authorization_code","refresh_token"]`, "token_endpoint_auth_methods_supported", `["none"]`, "authorization_response_iss_parameter_supported", `true`, "client_id_metadata_document_supported", `true`),
			r4, "", false, ASM{Issuer: iss, AuthorizationEndpoint: good.AuthorizationEndpoint, TokenEndpoint: good.TokenEndpoint, RegistrationEndpoint: iss + "/r", RevocationEndpoint: iss + "/v", IntrospectionEndpoint: "https://x.example/i", JWKSURI: iss + "/k", ServiceDocumentation: iss + "/d#top", ScopesSupported: []string{"a", "offline_access"}, ResponseTypes: good.ResponseTypes, GrantTypes: []string{"authorization_code", "refresh_token"}, AuthMethods: []string{"none"}, ChallengeMethods: good.ChallengeMethods, Iss: true, CIMD: true}, nil},

		{"404", answer(404, ""), r4, rules.ASMServed, false, none, nil},
		{"401 of a CDN", answer(401, ""), r4, rules.ASM4xxContinues, false, none, nil},
		{"403 of a CDN", answer(403, "<html>"), r4, rules.ASM4xxContinues, false, none, nil},
		{"400", answer(400, ""), r4, rules.ASMStatus200, false, none, nil},
		{"500", answer(500, asmDoc()), r4, rules.ASMStatus200, false, none, nil},
		{"HTML", answer(200, "<html>"), r4, rules.ASMContentType, false, none, nil},
		{"array", answer(200, "[]"), r4, rules.ASMJSONStrict, false, none, nil},
		{"duplicate", answer(200, strings.Replace(asmDoc(), "{", `{"token_endpoint":"https://evil.example/",`, 1)), r4, rules.ASMJSONStrict, false, none, nil},
		{"folded name", answer(200, strings.Replace(asmDoc(), `"issuer"`, `"Issuer"`, 1)), r4, rules.ASMIssuerPresent, false, none, nil},

		{"no issuer", ok("issuer", ""), r4, rules.ASMIssuerPresent, false, none, nil},
		{"issuer null", ok("issuer", "null"), r4, rules.ASMIssuerPresent, false, none, nil},
		{"issuer number", ok("issuer", "1"), r4, rules.ASMIssuerPresent, false, none, nil},
		{"issuer with an escape (asm-string-compare)", ok("issuer", `"https:\/\/as.\u0065xample"`), r4, "", false, good, nil},
		{"slash", ok("issuer", `"https://as.example/"`), r4, "", false, but(func(m *ASM) { m.Issuer = iss + "/" }), note1(rules.ASMIssuerSlash)},
		{"slash the other way", ok(), with(func(p *ASMPolicy) { p.Issuer = iss + "/" }), "", false, good, note1(rules.ASMIssuerSlash)},
		{"slash, strict", ok("issuer", `"https://as.example/"`), with(func(p *ASMPolicy) { p.Strict = true }), rules.ASMIssuerMatch, false, none, nil},
		{"two slashes", ok("issuer", `"https://as.example//"`), r4, rules.ASMIssuerMatch, false, none, nil},
		{"case", ok("issuer", `"https://AS.example"`), r4, rules.ASMIssuerMatch, false, none, nil},
		{"port", ok("issuer", `"https://as.example:443"`), r4, rules.ASMIssuerMatch, false, none, nil},
		{"other issuer", ok("issuer", `"https://evil.example"`), r4, rules.ASMIssuerMatch, false, none, nil},
		{"alias", ok("issuer", `"https://other.example/{tenantid}"`), with(func(p *ASMPolicy) { p.Alias = "https://other.example/{tenantid}" }), "", false, but(func(m *ASM) { m.Issuer = "https://other.example/{tenantid}" }), note1(rules.ASMIssuerAlias)},
		{"alias is exact", ok("issuer", `"https://other.example/"`), with(func(p *ASMPolicy) { p.Alias = "https://other.example" }), rules.ASMIssuerMatch, false, none, nil},
		{"issuer with a query", ok("issuer", `"https://as.example?x"`), with(func(p *ASMPolicy) { p.Issuer = "https://as.example?x" }), rules.ASMIssuerSyntax, true, none, nil},
		{"issuer over http", ok("issuer", `"http://as.example"`), with(func(p *ASMPolicy) { p.Issuer = "http://as.example" }), rules.ASMIssuerSyntax, true, none, nil},

		{"no token endpoint", ok("token_endpoint", ""), r4, rules.ASMTokenEndpoint, false, none, nil},
		{"no authorization endpoint", ok("authorization_endpoint", ""), r4, rules.ASMAuthorizationEndpoint, false, none, nil},
		{"no authorization endpoint, machine", ok("authorization_endpoint", "", "response_types_supported", "", "code_challenge_methods_supported", ""), with(func(p *ASMPolicy) { p.Machine = true }), "", false, ASM{Issuer: iss, TokenEndpoint: good.TokenEndpoint}, nil},
		{"no response types", ok("response_types_supported", ""), r4, "", false, but(func(m *ASM) { m.ResponseTypes = nil }), note1(rules.ASMResponseTypes)},
		{"no code", ok("response_types_supported", `["token"]`), r4, rules.ASMResponseTypes, true, none, nil},
		{"grants without code", ok("grant_types_supported", `["client_credentials"]`), r4, "", false, but(func(m *ASM) { m.GrantTypes = []string{"client_credentials"} }), note1(rules.ASMGrantNeeded)},
		{"PKCE absent", ok("code_challenge_methods_supported", ""), r4, rules.ASMPKCEAdvertised, false, none, nil},
		{"PKCE null", ok("code_challenge_methods_supported", "null"), r4, rules.ASMPKCEAdvertised, false, none, note1(rules.ASMEmptyOmitted)},
		{"PKCE string", ok("code_challenge_methods_supported", `"S256"`), r4, rules.ASMPKCEAdvertised, false, none, note1(rules.ASMEmptyOmitted)},
		{"PKCE absent before 2025-11-25", ok("code_challenge_methods_supported", ""), ASMPolicy{Issuer: iss}, "", false, but(func(m *ASM) { m.ChallengeMethods = nil }), note1(rules.ASMPKCEAdvertised)},
		{"PKCE absent, quirk assume-s256", ok("code_challenge_methods_supported", ""), with(func(p *ASMPolicy) { p.AssumeS256 = true }), "", false, but(func(m *ASM) { m.ChallengeMethods = nil }), note1(rules.ASMPKCEAdvertised)},
		{"PKCE plain only", ok("code_challenge_methods_supported", `["plain"]`), r4, rules.ASMPKCES256, true, none, nil},
		{"PKCE plain only, before 2025-11-25 and with the quirk", ok("code_challenge_methods_supported", `["plain","s256"]`), ASMPolicy{Issuer: iss, AssumeS256: true}, rules.ASMPKCES256, true, none, nil},
		{"PKCE empty", ok("code_challenge_methods_supported", `[]`), r4, rules.ASMPKCES256, true, none, note1(rules.ASMEmptyOmitted)},
		{"iss flag as a string (asm-iss-flag-boolean)", ok("authorization_response_iss_parameter_supported", `"true"`), r4, "", false, good, note1(rules.ASMIssFlagBoolean)},
		{"iss flag as a number", ok("authorization_response_iss_parameter_supported", `1`), r4, "", false, good, note1(rules.ASMIssFlagBoolean)},
		{"CIMD flag as a string", ok("client_id_metadata_document_supported", `"true"`), r4, "", false, good, note1(rules.ASMCIMDFlag)},
		{"PAR", ok("require_pushed_authorization_requests", `true`), r4, rules.ASMPARRequired, true, none, nil},
		{"PAR, machine", ok("require_pushed_authorization_requests", `true`), with(func(p *ASMPolicy) { p.Machine = true }), "", false, but(func(m *ASM) { m.PARRequired = true }), nil},
		{"PAR false", ok("require_pushed_authorization_requests", `false`), r4, "", false, good, nil},
		{"signed metadata", ok("signed_metadata", `"eyJ"`), r4, "", false, good, note1(rules.ASMSignedMetadata)},
		{"protected resources", ok("protected_resources", `["https://a.example"]`), with(func(p *ASMPolicy) { p.Resource = "https://b.example" }), "", false, good, note1(rules.PRMCrossCheck)},

		{"token endpoint over http", ok("token_endpoint", `"http://as.example/token"`), r4, https, true, none, nil},
		{"authorization endpoint over http", ok("authorization_endpoint", `"http://as.example/a"`), r4, https, true, none, nil},
		{"authorization endpoint over http, machine", ok("authorization_endpoint", `"http://as.example/a"`), with(func(p *ASMPolicy) { p.Machine = true }), "", false, but(func(m *ASM) { m.AuthorizationEndpoint = "" }), nil},
		{"loopback http from a remote issuer", ok("token_endpoint", `"http://127.0.0.1/token"`), r4, https, true, none, nil},
		{"registration over http", ok("registration_endpoint", `"http://as.example/r"`), r4, "", false, good, note1(https)},
		{"revocation that is no URL", ok("revocation_endpoint", `"/revoke"`), r4, "", false, good, note1(rules.URLParseStrict)},
		{"endpoint of another type", ok("registration_endpoint", `{}`), r4, "", false, good, note1(https)},
		{"keys over http", ok("jwks_uri", `"http://as.example/k"`), r4, "", false, good, note1(rules.ASMJWKSHTTPS)},
		{"javascript", ok("authorization_endpoint", `"javascript:alert(1)"`), r4, rules.ASMEndpointScheme, true, none, nil},
		{"javascript with a host (CVE-2025-6514)", ok("authorization_endpoint", `"file:/c:/windows/system32/calc.exe"`), r4, rules.ASMEndpointScheme, true, none, nil},
		{"javascript to be shown", ok("service_documentation", `"javascript:alert(1)"`), r4, rules.ASMEndpointScheme, true, none, nil},
		{"data to be shown", ok("op_tos_uri", `"data:text/html,x"`), r4, rules.ASMEndpointScheme, true, none, nil},
		{"shell in the address", ok("authorization_endpoint", `"https://as.example/$(calc)\u0000"`), r4, rules.URLParseStrict, true, none, nil},
		{"fragment", ok("token_endpoint", `"https://as.example/token#x"`), r4, rules.ASMEndpointNoFragment, true, none, nil},
		{"userinfo", ok("token_endpoint", `"https://a:b@as.example/token"`), r4, rules.ASMEndpointNoUserinfo, true, none, nil},
		{"a mismatch is told before bad endpoints", ok("issuer", `"https://evil.example"`, "token_endpoint", `"javascript:x"`), r4, rules.ASMIssuerMatch, false, none, nil},
	} {
		t.Run(tc.name, func(t *testing.T) {
			got, found, bad := ParseASM(tc.r, tc.p)
			breaks(t, bad, tc.rule, tc.refuses)
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Error(diff)
			}
			notes(t, found, tc.note...)
			if bad != nil && bad.Rule == rules.ASMIssuerMatch {
				says(t, bad.Detail, tc.p.Issuer, "issuer is")
			}
		})
	}
}

func TestParseASMLoopback(t *testing.T) {
	doc := `{"issuer":"http://localhost:9000/","authorization_endpoint":"http://localhost:9000/authorize","token_endpoint":"http://localhost:9000/token","registration_endpoint":"http://localhost:9000/register","response_types_supported":["code"],"code_challenge_methods_supported":["S256"]}`
	p := ASMPolicy{Issuer: "http://localhost:9000/", RequirePKCE: true, URL: URLPolicy{AllowLoopbackHTTP: true}}
	m, found, bad := ParseASM(answer(200, doc), p)
	breaks(t, bad, "", false)
	notes(t, found)
	if m.RegistrationEndpoint != "http://localhost:9000/register" {
		t.Error(m.RegistrationEndpoint)
	}
	p.URL = URLPolicy{}
	_, _, bad = ParseASM(answer(200, doc), p)
	breaks(t, bad, rules.ASMIssuerSyntax, true)
}
