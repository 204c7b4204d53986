package wire

import (
	"net/url"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/stile-oauth/stile/states/rules"
)

// Rules: authz-req-response-type, authz-req-client-id, authz-req-pkce-s256,
// authz-req-resource-single, authz-req-redirect-uri, authz-req-query-kept,
// authz-req-no-secret.
func TestAuthorizationURL(t *testing.T) {
	full := AuthorizationParams{
		Endpoint: "https://as.example/authorize", ClientID: "c 1", RedirectURI: "http://127.0.0.1:1/cb", Challenge: "ch", State: "st",
		Scope: "a b", Resource: "https://h/mcp?q=1", Prompt: "consent", Extra: Fields{{Name: "access_type", Value: "offline"}, {Name: "prompt", Value: "consent"}},
	}
	const query = "response_type=code&client_id=c+1&redirect_uri=http%3A%2F%2F127.0.0.1%3A1%2Fcb&code_challenge=ch&code_challenge_method=S256&state=st&scope=a+b&resource=https%3A%2F%2Fh%2Fmcp%3Fq%3D1&prompt=consent&access_type=offline"
	with := func(endpoint string) AuthorizationParams { p := full; p.Endpoint = endpoint; return p }
	for _, tc := range []struct {
		name string
		p    AuthorizationParams
		want string
		rule rules.ID
	}{
		{"full", full, "https://as.example/authorize?" + query, ""},
		{"little", AuthorizationParams{Endpoint: "https://as.example/a", ClientID: "c", RedirectURI: "r", Challenge: "h", State: "s"}, "https://as.example/a?response_type=code&client_id=c&redirect_uri=r&code_challenge=h&code_challenge_method=S256&state=s", ""},
		{"query kept", with("https://as.example/authorize?p=B2C_1%20x&q"), "https://as.example/authorize?p=B2C_1%20x&q&" + query, ""},
		{"empty query", with("https://as.example/authorize?"), "https://as.example/authorize?" + query, ""},
		{"query that ends in &", with("https://as.example/authorize?p=1&"), "https://as.example/authorize?p=1&" + query, ""},
		{"loopback", with("http://localhost:9000/authorize"), "http://localhost:9000/authorize?" + query, ""},
		{"presets state", with("https://as.example/authorize?state=x"), "", rules.AuthzReqParamOnce},
		{"presets scope in an escape", with("https://as.example/authorize?sc%6fpe=x"), "", rules.AuthzReqParamOnce},
		{"presets an extra", with("https://as.example/authorize?access_type=online"), "", rules.AuthzReqParamOnce},
		{"extra repeats one of ours", AuthorizationParams{Endpoint: "https://as.example/a", State: "s", Extra: Fields{{Name: "state", Value: "x"}}}, "", rules.AuthzReqParamOnce},
		{"http", with("http://as.example/authorize"), "", rules.AuthzReqURLScheme},
		{"javascript", with("javascript:alert(1)//"), "", rules.AuthzReqURLScheme},
		{"fragment", with("https://as.example/authorize#x"), "", rules.AuthzReqURLScheme},
		{"option of a command", with("-Xhttps://as.example/"), "", rules.AuthzReqURLScheme},
		{"quote", with(`https://as.example/"&calc&"`), "", rules.AuthzReqURLScheme},
	} {
		t.Run(tc.name, func(t *testing.T) {
			got, bad := AuthorizationURL(tc.p)
			breaks(t, bad, tc.rule, true)
			if got != tc.want {
				t.Errorf("got  %s\nwant %s", got, tc.want)
			}
			if u, err := url.Parse(got); err != nil || bad == nil && u.Query().Get("state") != tc.p.State {
				t.Error(u, err)
			}
		})
	}
}

func TestS256(t *testing.T) {
	// The pair of RFC 7636 appendix B.
	if got := S256("dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"); got != "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM" {
		t.Error(got)
	}
}

func TestSameState(t *testing.T) {
	if !SameState("abc", "abc") || SameState("abc", "abd") || SameState("", "") || SameState("abc", "") {
		t.Error("SameState")
	}
}

// Rules: authz-resp-paste-back.
func TestParseCallback(t *testing.T) {
	type seen struct {
		Code, State string
		HasCode     bool
		Iss         []string
		Error       *OAuthError
		Repeated    []string
	}
	for _, tc := range []struct {
		name, in string
		want     seen
		rule     rules.ID
	}{
		{"success", "http://127.0.0.1:1/cb?code=a%2Fb&state=s+t&iss=https%3A%2F%2Fas.example", seen{Code: "a/b", HasCode: true, State: "s t", Iss: []string{"https://as.example"}}, ""},
		{"request target", "/cb?state=s&code=c", seen{Code: "c", HasCode: true, State: "s"}, ""},
		{"pasted", " \thttp://127.0.0.1:1/cb?code=c&state=s \r\n", seen{Code: "c", HasCode: true, State: "s"}, ""},
		{"others ignored", "/cb?session_state=x&code=c&scope=a&scope=b&state=s&authuser=0&%zz=1&x=%zz", seen{Code: "c", HasCode: true, State: "s"}, ""},
		{"error", "/cb?error=access_denied&error_description=no+%1b%5B31m&error_uri=https%3A%2F%2Fx&state=s", seen{State: "s", Error: &OAuthError{Code: "access_denied", Description: "no �[31m", URI: "https://x"}}, ""},
		{"code and error", "/cb?code=c&error=x", seen{Code: "c", HasCode: true, Error: &OAuthError{Code: "x"}}, ""},
		{"empty code", "/cb?code=&state=s", seen{State: "s"}, ""},
		{"empty iss", "/cb?code=c&iss=", seen{Code: "c", HasCode: true, Iss: []string{""}}, ""},
		{"two issuers", "/cb?code=c&iss=a&iss=b", seen{Code: "c", HasCode: true, Iss: []string{"a", "b"}, Repeated: []string{"iss"}}, ""},
		{"twice", "/cb?code=c&state=s&state=s&code=d&code=e", seen{Code: "c", HasCode: true, State: "s", Repeated: []string{"state", "code"}}, ""},
		{"twice through an escape", "/cb?code=c&c%6Fde=d", seen{Code: "c", HasCode: true, Repeated: []string{"code"}}, ""},
		{"fragment only (authz-resp-query-mode)", "/cb#code=c&state=s", seen{}, ""},
		{"fragment with a query", "/cb?state=s#?code=c", seen{State: "s"}, ""},
		{"names are case-sensitive", "/cb?Code=c&STATE=s", seen{}, ""},
		{"semicolon separates nothing", "/cb?code=c;state=s", seen{Code: "c;state=s", HasCode: true}, ""},
		{"nothing", "", seen{}, ""},
		{"broken escape", "/cb?code=%zz-secret", seen{}, rules.URLParseStrict},
		{"too long", "/cb?code=" + strings.Repeat("a", maxCallback), seen{}, rules.URLParseStrict},
	} {
		t.Run(tc.name, func(t *testing.T) {
			cb, bad := ParseCallback(tc.in)
			breaks(t, bad, tc.rule, true)
			if bad != nil && strings.Contains(bad.Detail, "secret") {
				t.Error("the detail repeats a value (log-error-echo)")
			}
			got := seen{cb.Code.Reveal(), cb.State.Reveal(), cb.HasCode, cb.Iss, cb.Error, cb.Repeated}
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// TestManyIssuersInACallback: a callback with many iss values is refused, and what is
// kept of it is bounded.
func TestManyIssuersInACallback(t *testing.T) {
	for n, kept := range map[int]int{1: 1, 15: 15, 16: 16, 17: 16, 4000: 16} {
		cb, bad := ParseCallback("/cb?code=c&state=s" + strings.Repeat("&iss=https://as", n))
		if bad != nil || len(cb.Iss) != kept {
			t.Errorf("%d issuers: %d are kept, %v", n, len(cb.Iss), bad)
		}
	}
}

func TestSameRedirect(t *testing.T) {
	const cb = "http://127.0.0.1:1234/callback"
	for _, tc := range []struct {
		want, got string
		same      bool
	}{
		{cb, cb + "?code=c", true},
		{cb, "/callback?code=c", true},
		{cb, " " + cb + "?code=c#frag\n", true},
		{"https://App.example:443/cb", "https://app.example/cb?x", true},
		{"https://app.example", "https://app.example/?code=c", true},
		{cb + "?t=1&u", cb + "?code=c&u&t=1", true},
		{cb + "?t=1", cb + "?code=c", false},
		{cb + "?t=1&t=1", cb + "?t=1&code=c", false},
		{cb, "http://127.0.0.1:1235/callback?code=c", false},
		{cb, "http://localhost:1234/callback?code=c", false},
		{cb, "https://127.0.0.1:1234/callback?code=c", false},
		{cb, "http://127.0.0.1:1234/callback/?code=c", false},
		{cb, "http://127.0.0.1:1234/Callback?code=c", false},
		{cb, "http://127.0.0.1:1234/call%62ack?code=c", false},
		{cb, "http://x@127.0.0.1:1234/callback?code=c", false},
		{cb, "/favicon.ico", false},
		{cb, "//127.0.0.1:1234/callback", false},
		{cb, "", false},
		{"not a url", "/callback", false},
	} {
		if same := SameRedirect(tc.want, tc.got); same != tc.same {
			t.Errorf("SameRedirect(%q, %q) = %v", tc.want, tc.got, same)
		}
	}
}

// Rules: issuer-response-absent-ok, issuer-no-normalization.
func TestJudgeIss(t *testing.T) {
	const rec = "https://as.example"
	for _, tc := range []struct {
		row        string
		iss        []string
		advertised bool
		rule       rules.ID
		note       []rules.ID
	}{
		{"#t1-1", []string{rec}, true, "", nil},
		{"#t1-2", []string{"https://evil.example"}, true, rules.IssuerResponseCompare, nil},
		{"#t1-2 slash", []string{rec + "/"}, true, rules.IssuerResponseCompare, nil},
		{"#t1-2 case", []string{"https://AS.example"}, true, rules.IssuerResponseCompare, nil},
		{"#t1-2 port", []string{rec + ":443"}, true, rules.IssuerResponseCompare, nil},
		{"#t1-2 escape", []string{"https://as%2Eexample"}, true, rules.IssuerResponseCompare, nil},
		{"#t1-3", nil, true, rules.IssuerResponseRequired, nil},
		{"#t1-3 empty", []string{""}, true, rules.IssuerResponseRequired, nil},
		{"#t1-4", []string{rec}, false, "", []rules.ID{rules.IssuerASAdvertises}},
		{"#t1-5", []string{"https://evil.example"}, false, rules.IssuerResponseCompare, nil},
		{"#t1-6", nil, false, "", []rules.ID{rules.IssuerASSends}},
		{"#t1-7", []string{rec, rec}, true, rules.IssuerIssOnce, nil},
		{"#t1-7 unadvertised", []string{rec, "https://evil.example"}, false, rules.IssuerIssOnce, nil},
	} {
		t.Run(tc.row, func(t *testing.T) {
			found, bad := JudgeIss(Callback{Iss: tc.iss}, rec, tc.advertised)
			breaks(t, bad, tc.rule, true)
			notes(t, found, tc.note...)
			if bad != nil && bad.Rule == rules.IssuerResponseCompare {
				says(t, bad.Detail, rec, tc.iss[0])
			}
		})
	}
}
