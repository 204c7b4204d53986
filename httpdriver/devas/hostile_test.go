package devas_test

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/stile-oauth/stile/fsm/peer"
	"github.com/stile-oauth/stile/httpdriver/devas"
	"github.com/stile-oauth/stile/states/wire"
)

// expect is how a hostile request has to be refused.
type expect struct {
	status int
	code   string // OAuth error, in the body or the redirect
}

// TestHostileClients sends an authorization server everything that a bad
// client may think of. Each is refused as it should be, and a well-behaved
// client that logged in before is not affected.
//
// Rules: refresh-bound-client, as-oauth21, as-authorize-repeat-refused,
// as-authorize-pkce-required, as-authorize-plain-refused,
// as-authorize-redirect-exact, as-authorize-no-bad-redirect,
// as-authorize-redirect-scheme, as-authorize-invalid-target,
// as-authorize-scope-default, as-authorize-code-lifetime, as-token-code-bound,
// as-token-redirect-enforced, as-token-resource-subset, as-register-error,
// as-cimd-abort, as-meta-truthful.
func TestHostileClients(t *testing.T) {
	const document = "https://client.example/app.json"
	s := newSite(t, func(a *devas.ASConfig, _ *devas.RSConfig) {
		a.CIMD, a.CodeTTL = true, time.Minute
		a.Resources = []string{a.Issuer, "https://mcp.example/mcp"}
		a.Clients = append(a.Clients, peer.PreClient{ID: "secretive", Secret: "s3cret", RedirectURIs: []string{"https://app.example/cb?x=1"}},
			peer.PreClient{ID: "limited", Secret: "s3cret", Introspect: true, Resource: "https://other.example/mcp"})
		a.Fetch = func(_ context.Context, id string) (wire.Response, error) {
			u, err := url.Parse(id)
			if err != nil || u.Host != "client.example" {
				return wire.Response{}, errors.New("the guard does not go there")
			}
			good := `{"client_id":"` + document + `","client_name":"x","redirect_uris":["` + back + `"]}`
			ctype := "application/json"
			switch u.Path {
			case "/html.json":
				ctype = "text/html"
			case "/secret.json":
				good = strings.Replace(good, "{", `{"client_secret":"x",`, 1)
			case "/huge.json":
				good += strings.Repeat(" ", 6<<10)
			case "/twice.json":
				good = strings.Replace(good, "{", `{"client_id":"y",`, 1)
			case "/noredirect.json":
				good = `{"client_id":"` + id + `","client_name":"x"}`
			case "/js.json":
				good = `{"client_id":"` + id + `","client_name":"x","redirect_uris":["javascript:alert(1)"]}`
			case "/gone.json":
				return wire.Response{Status: 404}, nil
			}
			if u.Path != "/elsewhere.json" {
				good = strings.ReplaceAll(good, document, id)
			}
			return wire.Response{Status: 200, Header: wire.Fields{{Name: "Content-Type", Value: ctype}}, Body: []byte(good)}, nil
		}
	})
	s.resource = "https://mcp.example/mcp"
	victim, access, refresh := s.login()
	other := s.register("other")
	spent := s.code(victim)
	if a := s.exchange(victim, spent); a.status != 200 {
		t.Fatal(a.body)
	}
	stale := s.code(victim)

	authz := func(kv ...string) func() answer {
		return func() answer { return s.do("GET", s.authorizeURL(victim, kv...), "") }
	}
	raw := func(suffix string) func() answer {
		return func() answer { return s.do("GET", s.authorizeURL(victim)+suffix, "") }
	}
	redirectTo := func(u string) func() answer { return authz("redirect_uri", u) }
	token := func(kv ...string) func() answer { return func() answer { return s.form("/token", kv...) } }
	with := func(change ...string) func() answer {
		return func() answer {
			kv := []string{
				"grant_type", "authorization_code", "code", s.code(victim), "redirect_uri", back, "client_id", victim,
				"code_verifier", verifier, "resource", s.resource,
			}
			for i := 0; i < len(change); i += 2 {
				for j := 0; j < len(kv); j += 2 {
					if kv[j] == change[i] {
						kv = append(kv[:j:j], kv[j+2:]...)
						break
					}
				}
				if change[i+1] != "-" {
					kv = append(kv, change[i], change[i+1])
				}
			}
			return s.form("/token", kv...)
		}
	}
	register := func(body string) func() answer {
		return func() answer { return s.do("POST", s.issuer+"/register", body, "Content-Type", "application/json") }
	}
	redirects := func(u string) func() answer {
		return register(fmt.Sprintf(`{"redirect_uris":[%q],"token_endpoint_auth_method":"none"}`, u))
	}
	basic := func(id, secret string) string {
		return "Basic " + base64.StdEncoding.EncodeToString([]byte(url.QueryEscape(id)+":"+url.QueryEscape(secret)))
	}
	authed := func(path, auth string, kv ...string) func() answer {
		return func() answer {
			return s.do("POST", s.issuer+path, pairs(kv...), "Content-Type", "application/x-www-form-urlencoded", "Authorization", auth)
		}
	}
	rs := basic(devas.RSClientID, devas.RSClientSecret)

	cases := []struct {
		name string
		do   func() answer
		want expect
	}{
		// Authorization requests that stay on the page: the redirect is not established.
		{"no client", authz("client_id", "-"), expect{400, ""}},
		{"unknown client", authz("client_id", "client_nobody"), expect{400, ""}},
		{"client twice", raw("&client_id=other"), expect{400, ""}},
		{"redirect twice", raw("&redirect_uri=" + url.QueryEscape(back)), expect{400, ""}},
		{"redirect elsewhere", redirectTo("https://evil.example/callback"), expect{400, ""}},
		{"redirect with a suffix", redirectTo(back + "/x"), expect{400, ""}},
		{"redirect with a longer name", redirectTo(back + "2"), expect{400, ""}},
		{"redirect with a query", redirectTo(back + "?x=1"), expect{400, ""}},
		{"redirect with a fragment", redirectTo(back + "#x"), expect{400, ""}},
		{"redirect with an empty fragment", redirectTo(back + "#"), expect{400, ""}},
		{"redirect with userinfo", redirectTo("http://user@127.0.0.1:4711/callback"), expect{400, ""}},
		{"redirect with a host for userinfo", redirectTo("http://127.0.0.1:4711@evil.example/callback"), expect{400, ""}},
		{"redirect with a backslash", redirectTo(`http://127.0.0.1:4711\@evil.example/callback`), expect{400, ""}},
		{"redirect in capitals", redirectTo("HTTP://127.0.0.1:4711/callback"), expect{400, ""}},
		{"redirect path in capitals", redirectTo("http://127.0.0.1:4711/Callback"), expect{400, ""}},
		{"redirect doubly encoded", redirectTo("http://127.0.0.1:4711/%63allback"), expect{400, ""}},
		{"redirect with a dot segment", redirectTo("http://127.0.0.1:4711/x/../callback"), expect{400, ""}},
		{"redirect with two slashes", redirectTo("http://127.0.0.1:4711//callback"), expect{400, ""}},
		{"redirect to another loopback name", redirectTo("http://localhost:4711/callback"), expect{400, ""}},
		{"redirect to another loopback address", redirectTo("http://127.0.0.2:4711/callback"), expect{400, ""}},
		{"redirect to a name that begins alike", redirectTo("http://127.0.0.1.evil.example:4711/callback"), expect{400, ""}},
		{"redirect to a port that is none", redirectTo("http://127.0.0.1:47x1/callback"), expect{400, ""}},
		{"redirect to https instead", redirectTo("https://127.0.0.1:4711/callback"), expect{400, ""}},
		{"redirect to javascript:", redirectTo("javascript:alert(1)"), expect{400, ""}},
		{"redirect relative", redirectTo("/callback"), expect{400, ""}},
		{"redirect with a line break", redirectTo(back + "\r\nSet-Cookie: x=1"), expect{400, ""}},
		{"redirect empty", redirectTo(""), expect{400, ""}},
		{"port of a name that is not loopback", func() answer {
			return s.do("GET", s.authorizeURL("secretive", "redirect_uri", "https://app.example:8443/cb?x=1"), "")
		}, expect{400, ""}},
		{"document that points inside", authz("client_id", "https://169.254.169.254/app.json"), expect{400, ""}},
		{"document on this host", authz("client_id", "http://127.0.0.1:1/app.json"), expect{400, ""}},
		{"document that names another", authz("client_id", "https://client.example/elsewhere.json"), expect{400, ""}},
		{"document that is a page", authz("client_id", "https://client.example/html.json"), expect{400, ""}},
		{"document with a secret", authz("client_id", "https://client.example/secret.json"), expect{400, ""}},
		{"document too large", authz("client_id", "https://client.example/huge.json"), expect{400, ""}},
		{"document with a duplicate", authz("client_id", "https://client.example/twice.json"), expect{400, ""}},
		{"document without redirects", authz("client_id", "https://client.example/noredirect.json"), expect{400, ""}},
		{"document with javascript:", authz("client_id", "https://client.example/js.json"), expect{400, ""}},
		{"document that is gone", authz("client_id", "https://client.example/gone.json"), expect{400, ""}},
		{"document with dot segments", authz("client_id", "https://client.example/x/../app.json"), expect{400, ""}},
		{"document without a path", authz("client_id", "https://client.example/"), expect{400, ""}},
		{"document with userinfo", authz("client_id", "https://me@client.example/app.json"), expect{400, ""}},
		{"document with a fragment", authz("client_id", document+"#x"), expect{400, ""}},

		// Authorization requests that are answered by redirect.
		{"no challenge", authz("code_challenge", "-"), expect{303, "invalid_request"}},
		{"plain PKCE", authz("code_challenge_method", "plain"), expect{303, "invalid_request"}},
		{"no method, which means plain", authz("code_challenge_method", "-"), expect{303, "invalid_request"}},
		{"method in small letters", authz("code_challenge_method", "s256"), expect{303, "invalid_request"}},
		{"challenge too short", authz("code_challenge", "abc"), expect{303, "invalid_request"}},
		{"challenge with padding", authz("code_challenge", challenge(verifier)+"="), expect{303, "invalid_request"}},
		{"challenge twice", raw("&code_challenge=" + challenge("x")), expect{303, "invalid_request"}},
		{"state twice", raw("&state=x"), expect{303, "invalid_request"}},
		{"implicit", authz("response_type", "token"), expect{303, "unsupported_response_type"}},
		{"hybrid", authz("response_type", "code token"), expect{303, "unsupported_response_type"}},
		{"no response type", authz("response_type", "-"), expect{303, "invalid_request"}},
		{"form_post", authz("response_mode", "form_post"), expect{303, "invalid_request"}},
		{"unknown scope", authz("scope", "user root"), expect{303, "invalid_scope"}},
		{"scope with a quote", authz("scope", `us"er`), expect{303, "invalid_scope"}},
		{"foreign resource", authz("resource", "https://elsewhere.example/mcp"), expect{303, "invalid_target"}},
		{"sibling resource", authz("resource", "https://mcp.example/mcp2"), expect{303, "invalid_target"}},
		{"resource with a fragment", authz("resource", "https://mcp.example/mcp#x"), expect{303, "invalid_target"}},
		{"resource relative", authz("resource", "/mcp"), expect{303, "invalid_target"}},
		{"two resources", raw("&resource=https%3A%2F%2Felsewhere.example"), expect{303, "invalid_target"}},
		{"query not well formed", raw("&x=%zz"), expect{400, "invalid_request"}},
		{"POST without the rest", func() answer { return s.form("/authorize", "client_id", victim, "state", "st<&>") }, expect{303, "invalid_request"}},
		{"POST with a stranger's redirect URI", func() answer {
			return s.form("/authorize", "client_id", victim, "redirect_uri", "https://evil.example/")
		}, expect{400, ""}},

		// The token endpoint.
		{"GET", func() answer { return s.do("GET", s.issuer+"/token?grant_type=authorization_code", "") }, expect{405, ""}},
		{"JSON", func() answer {
			return s.do("POST", s.issuer+"/token", `{"grant_type":"authorization_code"}`, "Content-Type", "application/json")
		}, expect{400, "invalid_request"}},
		{"no client at all", with("client_id", "-"), expect{401, "invalid_client"}},
		{"unknown client at token", with("client_id", "nobody"), expect{401, "invalid_client"}},
		{"code of another client", with("client_id", other), expect{400, "invalid_grant"}},
		{"code made up", with("code", "code_"+strings.Repeat("A", 43)), expect{400, "invalid_grant"}},
		{"code missing", with("code", "-"), expect{400, "invalid_request"}},
		{"verifier missing", with("code_verifier", "-"), expect{400, "invalid_request"}},
		{"verifier wrong", with("code_verifier", strings.Repeat("x", 43)), expect{400, "invalid_grant"}},
		{"challenge for verifier", with("code_verifier", challenge(verifier)), expect{400, "invalid_grant"}},
		{"verifier too long", with("code_verifier", strings.Repeat("x", 200)), expect{400, "invalid_grant"}},
		{"other redirect at token", with("redirect_uri", back+"/"), expect{400, "invalid_grant"}},
		{"other port at token", with("redirect_uri", "http://127.0.0.1:4712/callback"), expect{400, "invalid_grant"}},
		{"other resource at token", with("resource", "https://elsewhere.example/mcp"), expect{400, "invalid_target"}},
		{"parameter twice at token", token("grant_type", "authorization_code", "grant_type", "authorization_code", "code", stale, "client_id", victim, "redirect_uri", back, "code_verifier", verifier), expect{400, "invalid_request"}},
		{"secret of a public client", with("client_secret", "x"), expect{401, "invalid_client"}},
		{"no grant type", with("grant_type", "-"), expect{400, "invalid_request"}},
		{"password grant", token("grant_type", "password", "client_id", victim, "username", "demo_user", "password", "demo_password"), expect{400, "unsupported_grant_type"}},
		{"device grant", token("grant_type", "urn:ietf:params:oauth:grant-type:device_code", "client_id", victim), expect{400, "unauthorized_client"}},
		{"client credentials of a public client", token("grant_type", "client_credentials", "client_id", victim), expect{400, "unauthorized_client"}},
		{"refresh token of another", token("grant_type", "refresh_token", "client_id", other, "refresh_token", refresh), expect{400, "invalid_grant"}},
		{"refresh token made up", token("grant_type", "refresh_token", "client_id", victim, "refresh_token", "rt_x"), expect{400, "invalid_grant"}},
		{"access token for a refresh token", token("grant_type", "refresh_token", "client_id", victim, "refresh_token", access), expect{400, "invalid_grant"}},
		{"refresh with wider scope", token("grant_type", "refresh_token", "client_id", victim, "refresh_token", refresh, "scope", "user admin"), expect{400, "invalid_scope"}},
		{"refresh for another resource", token("grant_type", "refresh_token", "client_id", victim, "refresh_token", refresh, "resource", s.issuer), expect{400, "invalid_target"}},
		{"form of a megabyte", token("grant_type", "authorization_code", "x", strings.Repeat("x", 1<<20)), expect{413, "invalid_request"}},
		{"form not well formed", func() answer {
			return s.do("POST", s.issuer+"/token", "a=%zz", "Content-Type", "application/x-www-form-urlencoded")
		}, expect{400, "invalid_request"}},
		{"no secret", token("grant_type", "client_credentials", "client_id", devas.RSClientID), expect{401, "invalid_client"}},
		{"wrong secret by Basic", authed("/token", basic("secretive", "x"), "grant_type", "client_credentials"), expect{401, "invalid_client"}},
		{"Basic and body", authed("/token", rs, "grant_type", "client_credentials", "client_secret", devas.RSClientSecret), expect{400, "invalid_request"}},
		{"Basic for another", authed("/token", rs, "grant_type", "client_credentials", "client_id", victim), expect{400, "invalid_request"}},
		{"Basic that is none", authed("/token", "Basic !!!", "grant_type", "client_credentials"), expect{401, "invalid_client"}},
		{"Bearer for a client", authed("/token", "Bearer "+access, "grant_type", "client_credentials"), expect{401, "invalid_client"}},

		// Its neighbours.
		{"introspection bare", func() answer { return s.form("/introspect", "token", access) }, expect{401, "invalid_client"}},
		{"introspection by a public client", func() answer { return s.form("/introspect", "token", access, "client_id", victim) }, expect{403, "unauthorized_client"}},
		{"introspection by a client without leave", authed("/introspect", basic("secretive", "s3cret"), "token", access), expect{403, "unauthorized_client"}},
		{"introspection with a wrong secret", authed("/introspect", basic("limited", "x"), "token", access), expect{401, "invalid_client"}},
		{"introspection by GET", func() answer { return s.do("GET", s.issuer+"/introspect?token="+access, "") }, expect{405, ""}},
		{"revocation by GET", func() answer { return s.do("GET", s.issuer+"/revoke?token="+refresh, "") }, expect{405, ""}},
		{"revocation without a client", func() answer { return s.form("/revoke", "token", refresh) }, expect{401, "invalid_client"}},
		{"revocation without a token", func() answer { return s.form("/revoke", "client_id", victim) }, expect{400, "invalid_request"}},
		{"another Host", func() answer {
			return s.do("GET", s.issuer+"/.well-known/oauth-authorization-server", "", "Host", "evil.example")
		}, expect{421, ""}},
		{"registration management without a token", func() answer { return s.do("GET", s.issuer+"/register/"+victim, "") }, expect{401, "invalid_token"}},
		{"registration management with another's token", func() answer {
			return s.do("DELETE", s.issuer+"/register/"+victim, "", "Authorization", "Bearer x")
		}, expect{401, "invalid_token"}},
		{"login without a ticket", func() answer { return s.do("GET", s.issuer+"/login", "") }, expect{400, ""}},
		{"consent without a login", func() answer { return s.form("/consent", "ticket", "x", "decision", "allow") }, expect{400, ""}},

		// Registration.
		{"redirect to javascript: registered", redirects("javascript:alert(1)"), expect{400, "invalid_redirect_uri"}},
		{"redirect to data: registered", redirects("data:text/html,x"), expect{400, "invalid_redirect_uri"}},
		{"private-use scheme registered", redirects("com.example.app:/cb"), expect{400, "invalid_redirect_uri"}},
		{"http registered", redirects("http://app.example/cb"), expect{400, "invalid_redirect_uri"}},
		{"fragment registered", redirects("https://app.example/cb#x"), expect{400, "invalid_redirect_uri"}},
		{"userinfo registered", redirects("https://a@app.example/cb"), expect{400, "invalid_redirect_uri"}},
		{"relative registered", redirects("/cb"), expect{400, "invalid_redirect_uri"}},
		{"wildcard host registered", redirects("https:///cb"), expect{400, "invalid_redirect_uri"}},
		{"no redirect registered", register(`{"token_endpoint_auth_method":"none"}`), expect{400, "invalid_redirect_uri"}},
		{"loopback for a web client", register(`{"redirect_uris":["http://127.0.0.1/cb"],"application_type":"web"}`), expect{400, "invalid_redirect_uri"}},
		{"unknown method registered", register(`{"redirect_uris":["https://a.example/"],"token_endpoint_auth_method":"tls_client_auth"}`), expect{400, "invalid_client_metadata"}},
		{"implicit registered", register(`{"redirect_uris":["https://a.example/"],"grant_types":["implicit"]}`), expect{400, "invalid_client_metadata"}},
		{"duplicate member registered", register(`{"redirect_uris":["https://a.example/"],"redirect_uris":["https://b.example/"]}`), expect{400, "invalid_client_metadata"}},
		{"wrong type registered", register(`{"redirect_uris":"https://a.example/"}`), expect{400, "invalid_client_metadata"}},
		{"no JSON registered", register(`redirect_uris=x`), expect{400, "invalid_client_metadata"}},
		{"form registered", func() answer { return s.form("/register", "redirect_uris", back) }, expect{400, "invalid_client_metadata"}},
		{"a megabyte registered", register(`{"client_name":"` + strings.Repeat("x", 1<<20) + `"}`), expect{413, "invalid_request"}},
		{"endless name registered", register(`{"redirect_uris":["https://a.example/"],"client_name":"` + strings.Repeat("x", 300) + `"}`), expect{400, "invalid_client_metadata"}},

		// With a clock that moves: last but one.
		{"code after its life", func() answer {
			s.ahead.Store(int64(2 * time.Minute))
			return s.exchange(victim, stale)
		}, expect{400, "invalid_grant"}},
	}
	if len(cases) < 60 {
		t.Fatalf("only %d hostile requests", len(cases))
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			a := c.do()
			if a.status != c.want.status {
				t.Fatalf("status %d: %s %v", a.status, a.body, a.location())
			}
			location := a.location()
			if location.Get("code") != "" || strings.Contains(a.body, "access_token") {
				t.Fatal("something was given")
			}
			switch {
			case c.want.status == 303:
				if location.Get("error") != c.want.code || location.Get("iss") != s.issuer || location.Get("state") != "st<&>" {
					t.Errorf("the answer is %v", location)
				}
			case a.header.Get("Location") != "":
				t.Errorf("a redirect to %s", a.header.Get("Location"))
			case c.want.code != "":
				if got := a.json(t)["error"]; got != c.want.code {
					t.Errorf("error %v", got)
				}
			}
			if c.want.status == 400 && c.want.code != "" && a.header.Get("Cache-Control") != "no-store" {
				t.Error("the error can be cached")
			}
			if strings.Contains(c.name, "Basic") && c.want.status == 401 && !strings.HasPrefix(a.header.Get("WWW-Authenticate"), "Basic ") {
				t.Error("no challenge for Basic")
			}
		})
	}
	// Nothing of this cost the victim anything.
	if !s.as.Introspect(time.Now(), access).Active {
		t.Error("the access token has been lost")
	}
	if a := authed("/introspect", basic("limited", "s3cret"), "token", access)(); a.json(t)["active"] != false {
		t.Errorf("a resource server sees tokens of another: %s", a.body)
	}
	if a := s.form("/revoke", "client_id", other, "token", refresh); a.status != 200 || !s.as.Introspect(time.Now(), access).Active {
		t.Error("another client could revoke")
	}
	a := s.form("/token", "grant_type", "refresh_token", "client_id", victim, "refresh_token", refresh)
	if a.status != 200 {
		t.Errorf("the refresh token has been lost: %d %s", a.status, a.body)
	}
	// Reusing the spent code, with everything else right, ends what it gave, and only that.
	s.ahead.Store(0)
	if b := s.exchange(victim, spent); b.status != 400 {
		t.Errorf("a spent code: %d", b.status)
	}
	next, _ := a.json(t)["access_token"].(string)
	if !s.as.Introspect(time.Now(), next).Active {
		t.Error("another grant ended with the code's")
	}
}
