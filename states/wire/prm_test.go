package wire

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/stile-oauth/stile/states/rules"
)

// Rules: prm-wellknown-insertion.
func TestPRMURLs(t *testing.T) {
	for _, tc := range []struct{ server, path, root string }{
		{"https://h:8443/a/b?q=1", "https://h:8443/.well-known/oauth-protected-resource/a/b?q=1", "https://h:8443/.well-known/oauth-protected-resource"},
		{"https://h", "https://h/.well-known/oauth-protected-resource", "https://h/.well-known/oauth-protected-resource"},
		{"https://h/", "https://h/.well-known/oauth-protected-resource", "https://h/.well-known/oauth-protected-resource"},
		{"https://h/mcp/", "https://h/.well-known/oauth-protected-resource/mcp/", "https://h/.well-known/oauth-protected-resource"},
		{"https://h?q", "https://h/.well-known/oauth-protected-resource?q", "https://h/.well-known/oauth-protected-resource"},
		{"not a url", "", ""},
	} {
		if got := PRMPathURL(at(tc.server)); got != tc.path {
			t.Errorf("PRMPathURL(%q) = %q, want %q", tc.server, got, tc.path)
		}
		if got := PRMRootURL(at(tc.server)); got != tc.root {
			t.Errorf("PRMRootURL(%q) = %q, want %q", tc.server, got, tc.root)
		}
	}
}

// Rules: prm-get, prm-no-credentials-sent, asm-protocol-version-header,
// asm-no-credentials-sent.
func TestGetMetadata(t *testing.T) {
	r := GetMetadata("https://h/x", "2026-07-28")
	if got := r.String(); got != `GET https://h/x Accept="application/json" MCP-Protocol-Version="2026-07-28"` {
		t.Error(got)
	}
	if got := GetMetadata("https://h/x", "").String(); got != `GET https://h/x Accept="application/json"` {
		t.Error(got)
	}
}

func TestMatchResource(t *testing.T) {
	const u = "https://mcp.example.com/a/b?q=1"
	for _, tc := range []struct {
		ref, pub, tier string
		rule, strict   rules.ID
	}{
		{u, u, "#t4-1", "", ""},
		{"https://h/mcp", "https://h/mcp/", "#t4-2", "", rules.PRMResourceMatchWellknown},
		{"https://h/mcp/", "https://h/mcp", "#t4-2", "", rules.PRMResourceMatchWellknown},
		{"https://h", "https://h/", "#t4-2", "", rules.PRMResourceMatchWellknown},
		{"https://h/mcp", "HTTPS://H:443/mcp", "#t4-3", "", rules.PRMResourceMatchWellknown},
		{"https://h/mcp", "https://H/mcp/", "#t4-3", "", rules.PRMResourceMatchWellknown},
		{u, "https://mcp.example.com/a/b", "#t4-4", "", rules.PRMResourceMatchWellknown},
		{u, "https://mcp.example.com/a", "#t4-4", "", rules.PRMResourceMatchWellknown},
		{u, "https://mcp.example.com/a/", "#t4-4", "", rules.PRMResourceMatchWellknown},
		{u, "https://mcp.example.com", "#t4-4", "", rules.PRMResourceMatchWellknown},
		{u, "https://mcp.example.com/", "#t4-4", "", rules.PRMResourceMatchWellknown},
		{"https://h/abc", "https://h/ab", "#t4-5", rules.PRMResourceMatchWellknown, rules.PRMResourceMatchWellknown},
		{"https://h/a/b", "https://h/a/c", "#t4-5", rules.PRMResourceMatchWellknown, rules.PRMResourceMatchWellknown},
		{"https://h/a", "https://h/a/b", "#t4-5", rules.PRMResourceMatchWellknown, rules.PRMResourceMatchWellknown},
		{"https://h", "https://h/mcp", "#t4-5", rules.PRMResourceMatchWellknown, rules.PRMResourceMatchWellknown},
		{"https://h/MCP", "https://h/mcp", "#t4-5", rules.PRMResourceMatchWellknown, rules.PRMResourceMatchWellknown},
		{"https://h/mcp", "https://h/mcp//", "#t4-5", rules.PRMResourceMatchWellknown, rules.PRMResourceMatchWellknown},
		{u, "https://mcp.example.com/a/b?q=2", "#t4-5", rules.PRMResourceMatchWellknown, rules.PRMResourceMatchWellknown},
		{u, "https://mcp.example.com/a?q=1", "#t4-5", rules.PRMResourceMatchWellknown, rules.PRMResourceMatchWellknown},
		{"https://h/mcp", "https://evil.example/mcp", "#t4-6", rules.PRMResourceCrossOrigin, rules.PRMResourceCrossOrigin},
		{"https://h/mcp", "http://h/mcp", "#t4-6", rules.PRMResourceCrossOrigin, rules.PRMResourceCrossOrigin},
		{"https://h/mcp", "https://h:8443/mcp", "#t4-6", rules.PRMResourceCrossOrigin, rules.PRMResourceCrossOrigin},
		{"https://h/mcp", "https://h.evil.example/mcp", "#t4-6", rules.PRMResourceCrossOrigin, rules.PRMResourceCrossOrigin},
		{"https://h/mcp", "https://h@evil.example/mcp", "#t4-6", rules.PRMResourceCrossOrigin, rules.PRMResourceCrossOrigin},
		{"https://h/mcp", "https://u@h/mcp", "#t4-7", rules.PRMResourceSyntax, rules.PRMResourceSyntax},
		{"https://h/mcp", "https://h/mcp#x", "#t4-7", rules.PRMResourceSyntax, rules.PRMResourceSyntax},
		{"https://h/mcp", "api://0f9c2c1e", "#t4-7", rules.PRMResourceSyntax, rules.PRMResourceSyntax},
		{"https://h/mcp", "urn:example:mcp", "#t4-7", rules.PRMResourceSyntax, rules.PRMResourceSyntax},
		{"https://h/mcp", "mcp", "#t4-7", rules.PRMResourceSyntax, rules.PRMResourceSyntax},
	} {
		t.Run(tc.pub+" for "+tc.ref, func(t *testing.T) {
			tier, bad := MatchResource(at(tc.ref), tc.pub, false)
			breaks(t, bad, tc.rule, false)
			if tier != tc.tier {
				t.Errorf("tier %s, want %s", tier, tc.tier)
			}
			if bad != nil {
				says(t, bad.Detail, tc.pub, tc.ref)
			}
			_, bad = MatchResource(at(tc.ref), tc.pub, true)
			breaks(t, bad, tc.strict, false)
		})
	}
}

// Rules: prm-unknown-ignored.
func TestParsePRM(t *testing.T) {
	const u = "https://mcp.example.com/mcp"
	base := PRMPolicy{Server: at(u), Reference: at(u)}
	with := func(f func(*PRMPolicy)) PRMPolicy { p := base; f(&p); return p }
	good := `{"resource":"` + u + `","authorization_servers":["https://as.example"]`
	want := PRM{Resource: u, AuthorizationServers: []string{"https://as.example"}}
	for _, tc := range []struct {
		name    string
		r       Response
		p       PRMPolicy
		rule    rules.ID
		refuses bool
		want    PRM
		note    []rules.ID
	}{
		{"good", answer(200, good+`}`), base, "", false, want, nil},
		{"scopes, name, unknown members", answer(200, good+`,"scopes_supported":["a","b","a","c d"],"resource_name":"Tools\u202e","x":{"resource":"y"}}`), base, "", false,
			PRM{Resource: u, AuthorizationServers: want.AuthorizationServers, ScopesSupported: []string{"a", "b"}, Name: "Tools�"}, nil},
		{"scopes as a string", answer(200, good+`,"scopes_supported":"a b"}`), base, "", false,
			PRM{Resource: u, AuthorizationServers: want.AuthorizationServers, ScopesSupported: []string{"a", "b"}}, []rules.ID{rules.PRMScopesSupported}},
		{"scopes of no use", answer(200, good+`,"scopes_supported":7}`), base, "", false, want, []rules.ID{rules.PRMScopesSupported}},
		{"empty members", answer(200, good+`,"scopes_supported":[],"bearer_methods_supported":[]}`), base, "", false, want, []rules.ID{rules.PRMEmptyOmitted}},
		{"null members", answer(200, good+`,"scopes_supported":null,"bearer_methods_supported":null,"resource_name":null,"dpop_bound_access_tokens_required":null}`), base, "", false, want, []rules.ID{rules.PRMEmptyOmitted}},
		{"bearer methods", answer(200, good+`,"bearer_methods_supported":["body"]}`), base, "", false, want, []rules.ID{rules.PRMBearerMethods}},
		{"signed", answer(200, good+`,"signed_metadata":"eyJ"}`), base, "", false, want, []rules.ID{rules.PRMSignedMetadata}},

		{"404", answer(404, good+`}`), base, rules.PRMServed, false, PRM{}, nil},
		{"405", answer(405, ``), base, rules.PRMServed, false, PRM{}, nil},
		{"410", answer(410, ``), base, rules.PRMServed, false, PRM{}, nil},
		{"401", answer(401, ``), base, rules.PRMPublic, false, PRM{}, nil},
		{"403", answer(403, ``), base, rules.PRMPublic, false, PRM{}, nil},
		{"204", answer(204, ``), base, rules.PRMStatus200, false, PRM{}, nil},
		{"503", answer(503, good+`}`), base, rules.PRMStatus200, false, PRM{}, nil},
		{"302", answer(302, ``), base, rules.NetRedirectGet, false, PRM{}, nil},
		{"too long", Response{Status: 200, Oversized: true, Body: []byte(good + `}`)}, base, rules.NetSizeLimit, false, PRM{}, nil},

		{"no content type", Response{Status: 200, Body: []byte(good + `}`)}, base, "", false, want, []rules.ID{rules.PRMContentType}},
		{"JSON labelled as HTML", Response{Status: 200, Header: Fields{{Name: "content-type", Value: "Text/HTML; charset=utf-8"}}, Body: []byte(good + `}`)}, base, "", false, want, []rules.ID{rules.PRMContentType}},
		{"charset parameter", Response{Status: 200, Header: Fields{{Name: "content-type", Value: "Application/JSON; charset=utf-8"}}, Body: []byte(good + `}`)}, base, "", false, want, nil},
		{"HTML", answer(200, "\n<!doctype html><title>App</title>"), base, rules.PRMContentType, false, PRM{}, nil},
		{"array", answer(200, `[]`), base, rules.PRMJSONObject, false, PRM{}, nil},
		{"nothing", answer(200, ``), base, rules.PRMJSONObject, false, PRM{}, nil},
		{"duplicate", answer(200, good+`,"resource":"https://evil.example"}`), base, rules.PRMJSONStrict, false, PRM{}, nil},
		{"trailing bytes", answer(200, good+`}x`), base, rules.PRMJSONStrict, false, PRM{}, nil},

		{"resource in another case", answer(200, `{"Resource":"`+u+`","authorization_servers":["https://as.example"]}`), base, rules.PRMResourcePresent, false, PRM{}, nil},
		{"resource with a long s", answer(200, `{"re\u017fource":"`+u+`","authorization_servers":["https://as.example"]}`), base, rules.PRMResourcePresent, false, PRM{}, nil},
		{"no resource", answer(200, `{"authorization_servers":["https://as.example"]}`), base, rules.PRMResourcePresent, false, PRM{}, nil},
		{"null resource", answer(200, `{"resource":null,"authorization_servers":["https://as.example"]}`), base, rules.PRMResourcePresent, false, PRM{}, nil},
		{"resource list", answer(200, `{"resource":["`+u+`"],"authorization_servers":["https://as.example"]}`), base, rules.PRMResourcePresent, false, PRM{}, nil},
		{"empty resource", answer(200, `{"resource":"","authorization_servers":["https://as.example"]}`), base, rules.PRMResourcePresent, false, PRM{}, nil},
		{"no resource, quirk prm-no-resource", answer(200, `{"authorization_servers":["https://as.example"]}`), with(func(p *PRMPolicy) { p.AllowMissingResource = true }), "", false, want, []rules.ID{rules.PRMResourcePresent}},
		{"slash", answer(200, strings.Replace(good, u, u+"/", 1)+`}`), base, "", false, PRM{Resource: u + "/", AuthorizationServers: want.AuthorizationServers}, []rules.ID{rules.PRMResourceSlash}},
		{"slash, strict", answer(200, strings.Replace(good, u, u+"/", 1)+`}`), with(func(p *PRMPolicy) { p.Strict = true }), rules.PRMResourceMatchWellknown, false, PRM{}, nil},
		{"case", answer(200, strings.Replace(good, u, "https://MCP.example.com/mcp", 1)+`}`), base, "", false, PRM{Resource: "https://MCP.example.com/mcp", AuthorizationServers: want.AuthorizationServers}, []rules.ID{rules.PRMResourceMatchWellknown}},
		{"prefix", answer(200, strings.Replace(good, u, "https://mcp.example.com", 1)+`}`), base, "", false, PRM{Resource: "https://mcp.example.com", AuthorizationServers: want.AuthorizationServers}, []rules.ID{rules.PRMResourcePrefix}},
		{"sibling, well-known", answer(200, strings.Replace(good, u, "https://mcp.example.com/other", 1)+`}`), base, rules.PRMResourceMatchWellknown, false, PRM{}, nil},
		{"sibling, from the header", answer(200, strings.Replace(good, u, "https://mcp.example.com/other", 1)+`}`), with(func(p *PRMPolicy) { p.FromHeader = true }), rules.PRMResourceMatchHeader, false, PRM{}, nil},
		{"root probe, the server itself", answer(200, good+`}`), with(func(p *PRMPolicy) { p.Reference = at("https://mcp.example.com") }), "", false, want, []rules.ID{rules.PRMResourceMatchWellknown}},
		{"root probe, the server itself, strict", answer(200, good+`}`), with(func(p *PRMPolicy) { p.Reference, p.Strict = at("https://mcp.example.com"), true }), rules.PRMResourceMatchWellknown, false, PRM{}, nil},
		{"root probe, a sibling of the server", answer(200, strings.Replace(good, u, "https://mcp.example.com/other", 1)+`}`), with(func(p *PRMPolicy) { p.Reference = at("https://mcp.example.com") }), rules.PRMResourceMatchWellknown, false, PRM{}, nil},
		{"resource of another type", answer(200, strings.Replace(good, `"`+u+`"`, `["`+u+`"]`, 1)+`}`), base, rules.PRMResourcePresent, false, PRM{}, nil},
		{"resource of another type, quirk prm-no-resource", answer(200, strings.Replace(good, `"`+u+`"`, `["`+u+`"]`, 1)+`}`), with(func(p *PRMPolicy) { p.AllowMissingResource = true }), "", false, want, []rules.ID{rules.PRMResourcePresent}},
		{"root probe", answer(200, strings.Replace(good, u, "https://mcp.example.com", 1)+`}`), with(func(p *PRMPolicy) { p.Reference = at("https://mcp.example.com") }), "", false, PRM{Resource: "https://mcp.example.com", AuthorizationServers: want.AuthorizationServers}, nil},
		{"cross origin", answer(200, strings.Replace(good, u, "https://evil.example/mcp", 1)+`}`), base, rules.PRMResourceCrossOrigin, false, PRM{}, nil},
		{"not a URL", answer(200, strings.Replace(good, u, "api://x", 1)+`}`), base, rules.PRMResourceSyntax, false, PRM{}, nil},
		{"not a URL, quirk resource-alias", answer(200, strings.Replace(good, u, "api://x", 1)+`}`), with(func(p *PRMPolicy) { p.Alias = []string{"api://x"} }), "", false, PRM{Resource: "api://x", AuthorizationServers: want.AuthorizationServers}, []rules.ID{rules.PRMResourceSyntax}},
		{"sibling, quirk resource-alias", answer(200, strings.Replace(good, u, "https://mcp.example.com/x", 1)+`}`), with(func(p *PRMPolicy) { p.Alias = []string{"https://mcp.example.com/x"} }), "", false, PRM{Resource: "https://mcp.example.com/x", AuthorizationServers: want.AuthorizationServers}, []rules.ID{rules.PRMResourceMatchWellknown}},
		{"an alias never reaches another origin", answer(200, strings.Replace(good, u, "https://evil.example/mcp", 1)+`}`), with(func(p *PRMPolicy) { p.Alias = []string{"https://evil.example/mcp"} }), rules.PRMResourceCrossOrigin, false, PRM{}, nil},
		{"http resource off loopback", answer(200, strings.Replace(good, u, "http://mcp.example.com/mcp", 1)+`}`), with(func(p *PRMPolicy) { p.Reference = at("http://mcp.example.com/mcp") }), rules.PRMResourceSyntax, false, PRM{}, nil},

		{"no issuers", answer(200, `{"resource":"`+u+`"}`), base, rules.PRMAuthorizationServers, true, PRM{}, nil},
		{"empty issuers", answer(200, `{"resource":"`+u+`","authorization_servers":[]}`), base, rules.PRMAuthorizationServers, true, PRM{}, nil},
		{"issuers as a string", answer(200, `{"resource":"`+u+`","authorization_servers":"https://as.example"}`), base, rules.PRMAuthorizationServers, true, PRM{}, []rules.ID{rules.PRMIssuerEntrySyntax}},
		{"null issuers", answer(200, `{"resource":"`+u+`","authorization_servers":null}`), base, rules.PRMAuthorizationServers, true, PRM{}, nil},
		{"no issuers, one configured", answer(200, `{"resource":"`+u+`"}`), with(func(p *PRMPolicy) { p.IssuerConfigured = true }), "", false, PRM{Resource: u}, []rules.ID{rules.PRMAuthorizationServers}},
		{"bad entries are left out", answer(200, `{"resource":"`+u+`","authorization_servers":["http://as.example","https://as.example?x","https://as.example#y","https://b@as.example",7,"https://As.example/","https://As.example/","https://two.example"]}`), base, "", false,
			PRM{Resource: u, AuthorizationServers: []string{"https://As.example/", "https://two.example"}},
			[]rules.ID{rules.PRMIssuerEntrySyntax, rules.PRMIssuerEntrySyntax, rules.PRMIssuerEntrySyntax, rules.PRMIssuerEntrySyntax, rules.PRMIssuerEntrySyntax}},
		{"only bad entries", answer(200, `{"resource":"`+u+`","authorization_servers":["javascript:alert(1)"]}`), base, rules.PRMAuthorizationServers, true, PRM{}, []rules.ID{rules.PRMIssuerEntrySyntax}},
		{"DPoP needed", answer(200, good+`,"dpop_bound_access_tokens_required":true}`), base, rules.PRMDPoPRequired, true, PRM{}, nil},
		{"DPoP needed and at hand", answer(200, good+`,"dpop_bound_access_tokens_required":true}`), with(func(p *PRMPolicy) { p.DPoP = true }), "", false, PRM{Resource: u, AuthorizationServers: want.AuthorizationServers, DPoPRequired: true}, nil},
		{"DPoP as a string is not true", answer(200, good+`,"dpop_bound_access_tokens_required":"true"}`), base, "", false, want, nil},
	} {
		t.Run(tc.name, func(t *testing.T) {
			got, found, bad := ParsePRM(tc.r, tc.p)
			breaks(t, bad, tc.rule, tc.refuses)
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Error(diff)
			}
			notes(t, found, tc.note...)
		})
	}
}

// The server of the Python SDK's example: loopback http, issuer with a slash.
//
// Rules: prm-issuer-verbatim.
func TestParsePRMLoopback(t *testing.T) {
	const u = "http://localhost:8001/mcp"
	r := answer(200, `{"resource":"`+u+`","authorization_servers":["http://localhost:9000/"],"scopes_supported":["user"],"bearer_methods_supported":["header"]}`)
	got, found, bad := ParsePRM(r, PRMPolicy{Server: at(u), Reference: at(u), URL: URLPolicy{AllowLoopbackHTTP: true}})
	breaks(t, bad, "", false)
	notes(t, found)
	if got.AuthorizationServers[0] != "http://localhost:9000/" {
		t.Error("the issuer is not kept as received (prm-issuer-verbatim)")
	}
	_, _, bad = ParsePRM(r, PRMPolicy{Server: at(u), Reference: at(u)})
	breaks(t, bad, rules.PRMResourceSyntax, false)
}

// TestManyIssuers: a document may name any number of authorization servers; only the
// first sixteen usable ones are kept.
func TestManyIssuers(t *testing.T) {
	var named []string
	for i := range 40 {
		named = append(named, fmt.Sprintf("https://as%d.example", i))
	}
	list, err := json.Marshal(append([]string{"http://unusable.example"}, named...))
	if err != nil {
		t.Fatal(err)
	}
	m, _, bad := ParsePRM(answer(200, `{"resource":"https://h/mcp","authorization_servers":`+string(list)+`}`), PRMPolicy{Server: at("https://h/mcp"), Reference: at("https://h/mcp")})
	if bad != nil {
		t.Fatal(bad)
	}
	if diff := cmp.Diff(named[:16], m.AuthorizationServers); diff != "" {
		t.Error(diff)
	}
}
