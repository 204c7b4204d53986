package fsm_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stile-oauth/stile/fsm"
	"github.com/stile-oauth/stile/states"
	"github.com/stile-oauth/stile/states/rules"
	"github.com/stile-oauth/stile/states/wire"
)

// bad is one hostile or broken peer: where, what it says, and the rule that is
// cited. What needs HTTP (slow bodies, redirects, private addresses) is tested
// with the driver.
type bad struct {
	says string
	line string
	rule rules.ID
}

func body(s string) string { return "respond\n" + s }

func typed(contentType, s string) string { return "respond type=" + contentType + "\n" + s }

// without, with and twice make a JSON object out of members that are good.
func without(good [][2]string, name string) string {
	return object(good, func(m [2]string) []string {
		if m[0] == name {
			return nil
		}
		return []string{member(m)}
	})
}

func with(good [][2]string, name, value string) string {
	return object(good, func(m [2]string) []string {
		if m[0] == name {
			return []string{member([2]string{name, value})}
		}
		return []string{member(m)}
	})
}

func twice(good [][2]string, name, value string) string {
	return object(good, func(m [2]string) []string {
		if m[0] == name {
			return []string{member(m), member([2]string{name, value})}
		}
		return []string{member(m)}
	})
}

func folded(good [][2]string, name, other string) string {
	return object(good, func(m [2]string) []string {
		if m[0] == name {
			return []string{member([2]string{other, m[1]})}
		}
		return []string{member(m)}
	})
}

func object(good [][2]string, change func([2]string) []string) string {
	var out []string
	for _, m := range good {
		out = append(out, change(m)...)
	}
	return "{" + strings.Join(out, ",") + "}"
}

func member(m [2]string) string { return `"` + m[0] + `":` + m[1] }

var (
	goodPRM = [][2]string{{"resource", `"https://mcp.example/mcp"`}, {"authorization_servers", `["https://as.example"]`}}
	goodASM = [][2]string{
		{"issuer", `"https://as.example"`}, {"authorization_endpoint", `"https://as.example/authorize"`}, {"token_endpoint", `"https://as.example/token"`},
		{"registration_endpoint", `"https://as.example/register"`}, {"response_types_supported", `["code"]`}, {"code_challenge_methods_supported", `["S256"]`},
	}
	goodREG = [][2]string{{"client_id", `"a-good-client"`}, {"redirect_uris", `["http://127.0.0.1:4711/callback"]`}, {"token_endpoint_auth_method", `"none"`}}
	goodTOK = [][2]string{{"access_token", `"a-good-access-token"`}, {"token_type", `"Bearer"`}, {"expires_in", `3600`}, {"refresh_token", `"a-good-refresh-token"`}}
)

// nested is JSON that is deep.
var nested = strings.Repeat(`{"a":`, 4000) + "1" + strings.Repeat("}", 4000)

const escapes = `\u001b[2J\u001b]0;owned\u0007<script>alert(1)</script>`

// hostile is the table, by the state that meets the peer. The ways there begin
// with a credential in the store, from which nothing may be taken.
var hostile = []struct {
	name string
	at   states.State
	rows []bad
}{
	{"resource metadata", states.DiscoveringPRM, []bad{
		{"HTML with 200", typed("text/html", html), "prm-served"},
		{"nothing", body(""), "prm-served"},
		{"an array", body("[]"), "prm-served"},
		{"null", body("null"), "prm-served"},
		{"half a document", body(`{"resource":"https://mcp.exa`), "prm-json-strict"},
		{"a second document behind", body(without(goodPRM, "") + "{}"), "prm-json-strict"},
		{"5 MiB", "respond oversized\n{}", "net-size-limit"},
		{"4000 levels", body(nested), "prm-json-strict"},
		{"not UTF-8", body("{\"resource\":\"\xff\"}"), "prm-json-strict"},
		{"resource missing", body(without(goodPRM, "resource")), "prm-resource-present"},
		{"resource null", body(with(goodPRM, "resource", "null")), "prm-resource-present"},
		{"resource a number", body(with(goodPRM, "resource", "7")), "prm-resource-present"},
		{"resource a list", body(with(goodPRM, "resource", `["https://mcp.example/mcp"]`)), "prm-resource-present"},
		{"resource empty", body(with(goodPRM, "resource", `""`)), "prm-resource-present"},
		{"resource twice", body(twice(goodPRM, "resource", `"https://evil.example/mcp"`)), "prm-json-strict"},
		{"Resource folded", body(folded(goodPRM, "resource", "Resource")), "prm-resource-present"},
		{"re\u017fource folded", body(folded(goodPRM, "resource", "re\u017fource")), "prm-resource-present"},
		{"resource elsewhere", body(with(goodPRM, "resource", `"https://evil.example/mcp"`)), "prm-resource-cross-origin"},
		{"resource of a look-alike host", body(with(goodPRM, "resource", `"https://mcp.example.evil.example/mcp"`)), "prm-resource-cross-origin"},
		{"resource over http", body(with(goodPRM, "resource", `"http://mcp.example/mcp"`)), "prm-resource-cross-origin"},
		{"resource with userinfo", body(with(goodPRM, "resource", `"https://mcp.example@evil.example/mcp"`)), "prm-resource-cross-origin"},
		{"resource javascript:", body(with(goodPRM, "resource", `"javascript:alert(1)"`)), "prm-resource-syntax"},
		{"resource by path traversal", body(with(goodPRM, "resource", `"https://mcp.example/mcp/../other"`)), "prm-resource-match-wellknown"},
		{"authorization_servers missing", body(without(goodPRM, "authorization_servers")), "prm-authorization-servers"},
		{"authorization_servers empty", body(with(goodPRM, "authorization_servers", "[]")), "prm-authorization-servers"},
		{"authorization_servers a string", body(with(goodPRM, "authorization_servers", `"https://as.example"`)), "prm-authorization-servers"},
		{"authorization_servers numbers", body(with(goodPRM, "authorization_servers", `[1,2]`)), "prm-authorization-servers"},
		{"authorization_servers twice", body(twice(goodPRM, "authorization_servers", `["https://evil.example"]`)), "prm-json-strict"},
		{"an issuer over http", body(with(goodPRM, "authorization_servers", `["http://as.example"]`)), "prm-authorization-servers"},
		{"an issuer file:", body(with(goodPRM, "authorization_servers", `["file:///etc/passwd"]`)), "prm-authorization-servers"},
		{"an issuer with a query", body(with(goodPRM, "authorization_servers", `["https://as.example?x=1"]`)), "prm-authorization-servers"},
		{"an issuer with shell characters", body(with(goodPRM, "authorization_servers", `["https://as.example/$(id)`+"`id`"+`"]`)), "prm-authorization-servers"},
		{"bound tokens demanded", body("{" + member(goodPRM[0]) + "," + member(goodPRM[1]) + `,"dpop_bound_access_tokens_required":true}`), "prm-dpop-required"},
		{"503 for ever", "respond status=503 type=text/plain", "prm-status-200"},
		{"a status that HTTP does not have", "respond status=999", "prm-status-200"},
		{"a redirect that was not followed", "respond status=302 header=(Location: https://evil.example)", "net-redirect-get"},
		{"a private address", "unreachable blocked rule=net-ip-policy", "net-ip-policy"},
		{"a certificate of somebody else", "unreachable tls", "net-tls-verify"},
	}},
	{"issuer metadata", states.DiscoveringASM, []bad{
		{"HTML with 200", typed("text/html", html), "asm-served"},
		{"nothing", body(""), "asm-json-strict"},
		{"an array", body("[]"), "asm-json-strict"},
		{"half a document", body(`{"issuer":"https://as.exa`), "asm-json-strict"},
		{"a second document behind", body(without(goodASM, "") + "{}"), "asm-json-strict"},
		{"5 MiB", "respond oversized\n{}", "net-size-limit"},
		{"issuer missing", body(without(goodASM, "issuer")), "asm-issuer-present"},
		{"issuer a number", body(with(goodASM, "issuer", "7")), "asm-issuer-present"},
		{"issuer twice", body(twice(goodASM, "issuer", `"https://evil.example"`)), "asm-json-strict"},
		{"Issuer folded", body(folded(goodASM, "issuer", "Issuer")), "asm-issuer-present"},
		{"another issuer", body(with(goodASM, "issuer", `"https://evil.example"`)), "asm-issuer-match"},
		{"issuer in capitals", body(with(goodASM, "issuer", `"HTTPS://AS.EXAMPLE"`)), "asm-issuer-match"},
		{"issuer with two slashes", body(with(goodASM, "issuer", `"https://as.example//"`)), "asm-issuer-match"},
		{"authorization_endpoint missing", body(without(goodASM, "authorization_endpoint")), "asm-authorization-endpoint"},
		{"authorization_endpoint a number", body(with(goodASM, "authorization_endpoint", "443")), "asm-authorization-endpoint"},
		{"authorization_endpoint javascript:", body(with(goodASM, "authorization_endpoint", `"javascript:alert(1)"`)), "asm-endpoint-scheme"},
		{"authorization_endpoint file:", body(with(goodASM, "authorization_endpoint", `"file:///bin/sh"`)), "asm-endpoint-scheme"},
		{"authorization_endpoint data:", body(with(goodASM, "authorization_endpoint", `"data:text/html,hello"`)), "asm-endpoint-scheme"},
		{"authorization_endpoint with shell characters", body(with(goodASM, "authorization_endpoint", `"https://as.example/a?x=$(id)&y=`+"`id`"+`"`)), "url-parse-strict"},
		{"authorization_endpoint with a line break", body(with(goodASM, "authorization_endpoint", `"https://as.example/a\nX: y"`)), "url-parse-strict"},
		{"authorization_endpoint over http", body(with(goodASM, "authorization_endpoint", `"http://as.example/authorize"`)), "asm-endpoints-https"},
		{"authorization_endpoint on loopback http", body(with(goodASM, "authorization_endpoint", `"http://127.0.0.1/authorize"`)), "asm-endpoints-https"},
		{"token_endpoint missing", body(without(goodASM, "token_endpoint")), "asm-token-endpoint"},
		{"token_endpoint a list", body(with(goodASM, "token_endpoint", `["https://as.example/token"]`)), "asm-token-endpoint"},
		{"token_endpoint twice", body(twice(goodASM, "token_endpoint", `"https://evil.example/token"`)), "asm-json-strict"},
		{"token_endpoint over http", body(with(goodASM, "token_endpoint", `"http://as.example/token"`)), "asm-endpoints-https"},
		{"token_endpoint with userinfo", body(with(goodASM, "token_endpoint", `"https://as.example@evil.example/token"`)), "asm-endpoint-no-userinfo"},
		{"token_endpoint with a fragment", body(with(goodASM, "token_endpoint", `"https://as.example/token#x"`)), "asm-endpoint-no-fragment"},
		{"token_endpoint with a backslash", body(with(goodASM, "token_endpoint", `"https://evil.example\\@as.example/token"`)), "url-parse-strict"},
		{"PKCE missing", body(without(goodASM, "code_challenge_methods_supported")), "asm-pkce-advertised"},
		{"PKCE plain only", body(with(goodASM, "code_challenge_methods_supported", `["plain"]`)), "asm-pkce-s256"},
		{"PKCE a string", body(with(goodASM, "code_challenge_methods_supported", `"S256"`)), "asm-pkce-advertised"},
		{"no code", body(with(goodASM, "response_types_supported", `["token"]`)), "asm-response-types"},
		{"pushed requests demanded", body("{" + strings.TrimPrefix(without(goodASM, ""), "{")[:0] + `"require_pushed_authorization_requests":true,` + strings.TrimPrefix(without(goodASM, ""), "{")), "asm-par-required"},
		{"parameters preset", body(with(goodASM, "authorization_endpoint", `"https://as.example/authorize?state=theirs"`)), "authz-req-param-once"},
		{"500 for ever", "respond status=500 type=text/plain", "asm-5xx-not-absent"},
		{"a certificate of somebody else", "unreachable tls", "net-tls-verify"},
	}},
	{"registration", states.Registering, []bad{
		{"HTML with 201", "respond status=201 type=text/html\n" + html, "dcr-error-shape"},
		{"nothing", "respond status=201", "dcr-error-shape"},
		{"half a document", "respond status=201\n{\"client_id\":", "dcr-error-shape"},
		{"client_id missing", "respond status=201\n" + without(goodREG, "client_id"), "dcr-response-client-id"},
		{"client_id empty", "respond status=201\n" + with(goodREG, "client_id", `""`), "dcr-response-client-id"},
		{"client_id a number", "respond status=201\n" + with(goodREG, "client_id", `12`), "dcr-response-client-id"},
		{"client_id with escapes", "respond status=201\n" + with(goodREG, "client_id", `"`+escapes+`"`), "dcr-response-client-id"},
		{"client_id twice", "respond status=201\n" + twice(goodREG, "client_id", `"another"`), "dcr-error-shape"},
		{"Client_Id folded", "respond status=201\n" + folded(goodREG, "client_id", "Client_Id"), "dcr-response-client-id"},
		{"other redirect URIs", "respond status=201\n" + with(goodREG, "redirect_uris", `["https://evil.example/callback"]`), "dcr-response-redirect-kept"},
		{"a method with TLS", "respond status=201\n" + with(goodREG, "token_endpoint_auth_method", `"tls_client_auth"`), "clientauth-mtls-unsupported"},
		{"a secret that has expired", "respond status=201\n" + with(goodREG, "token_endpoint_auth_method", `"client_secret_post","client_secret":"the-secret-of-old","client_secret_expires_at":1`), "dcr-secret-expired"},
		{"5 MiB", "respond status=201 oversized\n{}", "net-size-limit"},
		{"a redirect", "respond status=307 header=(Location: https://evil.example)", "net-redirect-post"},
		{"an error with escapes", "respond status=400\n{\"error\":\"access_denied\",\"error_description\":\"" + escapes + "\"}", "dcr-failure-handled"},
	}},
	{"callback", states.Authorizing, []bad{
		{"another issuer", "redirect code=code-of-the-story iss=https://evil.example", "issuer-response-compare"},
		{"no issuer", "redirect code=code-of-the-story", "issuer-response-required"},
		{"two issuers", "redirect code=code-of-the-story iss=(https://as.example, https://evil.example)", "issuer-iss-once"},
		{"two codes", "redirect code=(code-of-the-story, code-of-mallory) iss=https://as.example", "authz-resp-param-once"},
		{"two states", "redirect code=code-of-the-story iss=https://as.example state=(‹state-2›, other)", "authz-resp-param-once"},
		{"code and error", "redirect code=code-of-the-story error=access_denied iss=https://as.example", "authz-resp-code-xor-error"},
		{"neither", "redirect iss=https://as.example", "authz-resp-code"},
		{"an error with escapes", "redirect error=access_denied error_description=\x1b[2J iss=https://as.example", "authz-resp-denied-keeps"},
		{"an error of no list", "redirect error=%1b[2J iss=https://as.example", "authz-resp-error-code"},
	}},
	{"token", states.Exchanging, []bad{
		{"HTML with 200", typed("text/html", html), "token-resp-json"},
		{"nothing", body(""), "token-resp-json"},
		{"an array", body("[]"), "token-resp-json"},
		{"half a document", body(`{"access_token":"a`), "token-resp-json-strict"},
		{"5 MiB", "respond oversized\n{}", "token-resp-size"},
		{"access_token missing", body(without(goodTOK, "access_token")), "token-resp-access-token"},
		{"access_token null", body(with(goodTOK, "access_token", "null")), "token-resp-access-token"},
		{"access_token an object", body(with(goodTOK, "access_token", "{}")), "token-resp-access-token"},
		{"access_token twice", body(twice(goodTOK, "access_token", `"another-access-token"`)), "token-resp-json-strict"},
		{"Access_Token folded", body(folded(goodTOK, "access_token", "Access_Token")), "token-resp-access-token"},
		{"access_token with a line break", body(with(goodTOK, "access_token", `"a-token\r\nX-Header: y"`)), "token-resp-token-charset"},
		{"token_type of another kind", body(with(goodTOK, "token_type", `"mac"`)), "token-resp-token-type-known"},
		{"token_type a number", body(with(goodTOK, "token_type", `1`)), "token-resp-token-type-known"},
		{"bound token", body(with(goodTOK, "token_type", `"DPoP"`)), "token-resp-token-type-known"},
		{"an error with escapes", "respond status=400\n{\"error\":\"invalid_request\",\"error_description\":\"" + escapes + "\"}", "token-resp-error-vs-transient"},
		{"an error that is a list", "respond status=400\n{\"error\":[\"invalid_grant\"]}", "token-resp-error-json"},
		{"a firewall's page", "respond status=403 type=text/html\n" + html, "token-resp-error-json"},
		{"a redirect", "respond status=308 header=(Location: https://evil.example)", "token-req-no-redirect"},
		{"a certificate of somebody else", "unreachable tls", "net-tls-verify"},
		{"500 for ever", "respond status=500 type=text/plain", "token-resp-200"},
	}},
}

// TestBadInput: each of these peers ends in one typed fault that cites its rule;
// no secret goes to a wrong place, nothing unprintable reaches a text, and the
// stored credential is as it was.
func TestBadInput(t *testing.T) {
	n := 0
	for _, h := range hostile {
		for _, b := range h.rows {
			n++
			t.Run(h.name+", "+b.says, func(t *testing.T) {
				y := tell(t, "config", "reach Authorized", "begin login quiet")
				if h.at == states.Registering {
					y.go_("drop registration")
				}
				before := grantLine(y.s.Do("store", ""))
				if h.at == states.Exchanging {
					y.go_("run until=Authorizing", "visit quiet")
				}
				y.go_("run until=" + string(h.at))
				secrets := secretsOf(y.s.Machine())
				y.sent, y.visits, y.effects = nil, nil, nil
				for range 60 { // the peer says it for as long as it is asked
					if y.s.Machine().State != h.at {
						if h.at != states.Exchanging || y.s.Machine().State != states.Parking {
							break
						}
						y.go_("run until=Authorizing", "visit quiet", "run until=Exchanging") // one more authorization is allowed
					}
					y.go_(b.line)
				}
				y.go_("run")
				if y.rule() != b.rule {
					t.Errorf("it cites %q, not %q: %v", y.rule(), b.rule, y.data().Fault)
				}
				typedFault(t, y)
				if s := y.s.Machine().State; s != states.Authorized {
					t.Errorf("the token that is held is not in use: %s", s)
				}
				if after := grantLine(y.s.Do("store", "")); after != before {
					t.Errorf("the stored credential was\n%s\nand is\n%s", before, after)
				}
				onlyToTheirs(t, y, secrets)
			})
		}
	}
	if n < 60 {
		t.Errorf("%d bad inputs, at least 60 are wanted", n)
	}
}

// typedFault: the fault is of one of the four types, cites a rule of the
// registry, and is fit to be shown.
func typedFault(t *testing.T, y *story) {
	t.Helper()
	f := y.data().Fault
	if f == nil {
		t.Fatal("no fault")
	}
	err := fsm.Err(*f)
	back, ok := fsm.FaultOf(fmt.Errorf("wrapped: %w", err))
	if !ok || back.Event != f.Event {
		t.Error("the fault is of none of the four types")
	}
	if _, ok := rules.Lookup(f.Problem.Rule); !ok {
		t.Errorf("%q is no rule", f.Problem.Rule)
	}
	if f.Doing == "" || f.Peer == "" || f.State == "" {
		t.Errorf("the fault does not say where: %+v", f)
	}
	for _, r := range err.Error() {
		if r < 0x20 || r == 0x7f || r >= 0x80 && r < 0xa0 {
			t.Errorf("the text holds the control character %#x: %q", r, err.Error())
		}
	}
	reports := 0
	for _, e := range y.effects {
		if _, ok := e.(states.Report); ok {
			reports++
		}
	}
	if reports != 1 {
		t.Errorf("%d reports", reports)
	}
}

// onlyToTheirs: whatever was sent with a secret went to the issuer it belongs
// to, and nothing went to mallory.
func onlyToTheirs(t *testing.T, y *story, secrets []string) {
	t.Helper()
	for _, s := range y.sent {
		origin := wire.Origin(s.Request.URL)
		if strings.Contains(s.Request.URL, "evil") {
			t.Errorf("%s was asked", s.Request.URL)
		}
		text := s.Request.URL + string(s.Request.Body)
		for _, f := range append(append(wire.Fields{}, s.Request.Form...), s.Request.Header...) {
			text += "\n" + f.Value
		}
		for _, secret := range secrets {
			if strings.Contains(text, secret) && origin != "https://as.example" {
				t.Errorf("a secret went to %s", s.Request.URL)
			}
		}
	}
	for _, v := range y.visits {
		if !strings.HasPrefix(v.URL.Reveal(), "https://as.example/authorize?") {
			t.Errorf("the user was sent to %s", v.URL.Reveal())
		}
	}
}
