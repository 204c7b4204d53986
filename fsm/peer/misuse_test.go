package peer

import (
	"encoding/base64"
	"strings"
	"testing"
	"time"

	"github.com/stile-oauth/stile/states/wire"
)

const (
	document1 = "https://client.example/one.json"
	hidden    = "https://private.example/client.json"
)

// aClient is a client metadata document.
func aClient(url, id, more string) Document {
	return Document{URL: url, Response: wire.Response{Status: 200, Header: wire.Fields{{Name: "Content-Type", Value: "application/json"}},
		Body: []byte(`{"client_id":"` + id + `","client_name":"C","redirect_uris":["` + back + `"]` + more + `}`)}}
}

// misuse asks the servers for what they should refuse, and for what no client asks for.
// Each request meets servers that nobody has asked before.
func misuse(t *testing.T, say func(string, wire.Response) wire.Response, change func(*ASConfig, *RSConfig)) {
	t.Helper()
	fresh := newSite(t, func(a *ASConfig, r *RSConfig) {
		a.Verify, a.DPoP, r.Verify, r.DPoP = verifySigned, DPoPOffered, verifySigned, DPoPOffered
		a.RefreshGrace, a.Device, a.DeviceAsks = time.Minute, true, true
		a.Scopes, r.ScopesSupported = []string{"user", "admin", "billing"}, []string{"user", "admin", "billing"}
		a.Users = []User{{Name: "first", Password: "p"}, {Name: "second"}}
		a.Trusted = []Trusted{{Issuer: idp, JWKS: []byte(keySet)}, {Issuer: "https://ci.example", JWKS: []byte(keySet), Workloads: true}}
		a.Clients = append(a.Clients, PreClient{ID: "app", RedirectURIs: []string{back}, GrantTypes: []string{"authorization_code", "refresh_token", deviceGrant}},
			PreClient{ID: "other", RedirectURIs: []string{back}}, PreClient{ID: "basic", Secret: "s", Method: "client_secret_basic", RedirectURIs: []string{back}},
			PreClient{ID: "machine", Method: "private_key_jwt", JWKS: []byte(keySet), GrantTypes: []string{"client_credentials", bearerGrant}})
		r.Sessions, r.SameOrigin = true, true
		change(a, r)
	}).w
	fresh.Documents = []Document{aClient(document1, document1, ""), aClient(document1+"?2", document1, ""), aClient(document1+"?3", document1+"?3", `,"token_endpoint_auth_methods_supported":["tls_client_auth"]`), aClient(hidden, hidden, "")}
	fresh.Documents[3].Private = true
	var h *site
	begin := func() { h = &site{t: t, w: fresh.Clone(), at: noon} }
	token := func(form ...string) wire.Response { return h.post(issuer+"/token", form...) }
	mcp := func(body string, fields ...string) wire.Response {
		r := wire.Request{Method: "POST", URL: resource, Body: []byte(body)}
		for i := 0; i < len(fields); i += 2 {
			r.Header = append(r.Header, wire.Field{Name: fields[i], Value: fields[i+1]})
		}
		return h.do(r)
	}
	const list, initialize = `{"jsonrpc":"2.0","id":1,"method":"tools/list"}`, `{"jsonrpc":"2.0","id":1,"method":"initialize"}`
	code := func(more ...string) string { return location(h.get(authorizeURL("app", more...))).Get("code") }
	redeem := func(change ...string) wire.Response {
		return token(withFields([]string{"grant_type", "authorization_code", "redirect_uri", back, "client_id", "app", "code_verifier", verifier}, change)...)
	}
	tokens := func(r wire.Response) (access, refresh string) {
		return between(string(r.Body), `"access_token":"`, `"`), between(string(r.Body), `"refresh_token":"`, `"`)
	}
	login := func(more ...string) (access, refresh string) {
		return tokens(redeem("code", code(more...)))
	}

	for _, v := range [][]string{{"code_challenge", "-", "code_challenge_method", "-"}, {"code_challenge", verifier, "code_challenge_method", "plain"}, {"response_type", "token"}, {"state", "-"},
		{"unknown", "x"}, {"scope", "nothing"}, {"resource", "https://elsewhere.example/mcp"}, {"redirect_uri", "http://127.0.0.1:9/callback"}} {
		begin()
		say("authorize "+strings.Join(v, " "), h.get(authorizeURL("app", v...)))
	}
	begin()
	say("authorize twice", h.get(authorizeURL("app")+"&state=again"))
	say("authorize nobody", h.get(authorizeURL("nobody")))
	posted := wire.Request{Method: "POST", URL: issuer + "/authorize", Header: wire.Fields{{Name: "Content-Type", Value: "application/x-www-form-urlencoded"}}}
	_, _, query := split(authorizeURL("app"))
	posted.Form, _ = wire.DecodeForm(query)
	say("authorize by POST", h.do(posted))
	say("the second user", h.get(authorizeURL("app", "login_hint", "second")))
	say("a page", h.w.AS[0].Asking().Answer(h.at, wire.Request{Method: "GET", URL: authorizeURL("app")}))
	begin()
	say("a page for a new client", h.w.AS[0].Asking().Answer(h.at, wire.Request{Method: "GET", URL: authorizeURL("app")}))
	for _, id := range []string{document1, document1 + "?2", document1 + "?3", hidden} {
		begin()
		say("document "+id, h.get(authorizeURL(id)))
	}

	for _, body := range []string{`"redirect_uris":["http://elsewhere.example/cb"]`, `"redirect_uris":["app.example:/cb"]`, `"redirect_uris":["https://client.example/cb#x"]`, `"redirect_uris":[]`,
		`"redirect_uris":["` + back + `"],"application_type":"web"`, `"redirect_uris":["` + back + `"],"unknown":1,"token_endpoint_auth_method":"none"`, `"redirect_uris":["` + back + `"],"client_id":"mine"`,
		`"redirect_uris":["` + back + `"],"token_endpoint_auth_method":"client_secret_basic"`} {
		begin()
		say("register "+body, h.do(wire.Request{Method: "POST", URL: issuer + "/register", Header: wire.Fields{{Name: "Content-Type", Value: "application/json"}}, Body: []byte("{" + body + "}")}))
	}
	begin()
	say("a logo", wire.Response{Body: []byte(h.w.AS[0].Needs(h.at, wire.Request{Method: "POST", URL: issuer + "/register", Body: []byte(`{"logo_uri":"https://client.example/logo.png"}`)}))})
	made := string(h.do(wire.Request{Method: "POST", URL: issuer + "/register", Header: wire.Fields{{Name: "Content-Type", Value: "application/json"}}, Body: []byte(`{"redirect_uris":["` + back + `"],"token_endpoint_auth_method":"none"}`)}).Body)
	uri, manage, id := between(made, `"registration_client_uri":"`, `"`), between(made, `"registration_access_token":"`, `"`), between(made, `"client_id":"`, `"`)
	if strings.HasPrefix(uri, issuer) {
		say("delete", h.do(wire.Request{Method: "DELETE", URL: uri, Header: wire.Fields{{Name: "Authorization", Value: "Bearer " + manage}}}))
		say("the deleted client", h.get(authorizeURL(id)))
	}

	begin()
	say("GET at the token endpoint", h.get(issuer+"/token"))
	say("preflight", h.do(wire.Request{Method: "OPTIONS", URL: issuer + "/token"}))
	say("password", token("grant_type", "password", "username", "first", "password", "p", "client_id", "app"))
	say("query", h.do(wire.Request{Method: "POST", URL: issuer + "/token?grant_type=authorization_code&code=x", Header: posted.Header}))
	say("no such grant", token("grant_type", "x", "client_id", "app"))
	say("twice", token("grant_type", "authorization_code", "code", "x", "code", "y", "client_id", "app", "code_verifier", verifier))
	say("foreign redirect", redeem("code", "x", "redirect_uri", "https://elsewhere.example/"))
	say("itself", token("grant_type", "client_credentials", "client_id", "app"))
	h.auth = wire.Fields{{Name: "Authorization", Value: "Basic YmFzaWM6cw=="}}
	say("two ways", token("grant_type", "authorization_code", "code", "x", "client_id", "basic", "client_secret", "s", "code_verifier", verifier))
	for _, v := range [][]string{{"client_id", "other"}, {"redirect_uri", back + "/other"}, {"resource", "https://elsewhere.example/mcp"}, {}} {
		begin()
		say("code with "+strings.Join(v, " "), redeem(append(v, "code", code())...))
	}
	begin()
	say("no challenge, no verifier", redeem("code", code("code_challenge", "-", "code_challenge_method", "-"), "code_verifier", "-"))
	begin()
	say("no challenge, a verifier", redeem("code", code("code_challenge", "-", "code_challenge_method", "-")))
	begin()
	late := code()
	h.at = h.at.Add(11 * time.Minute)
	say("late", redeem("code", late))
	begin()
	again := code()
	access, _ := tokens(redeem("code", again))
	say("again", redeem("code", again))
	say("its token", h.call(access, ""))
	for _, v := range [][]string{{"client_id", "other"}, {"scope", "user admin"}, {"resource", "https://elsewhere.example/mcp"}} {
		begin()
		access, refresh := login()
		say("refresh with "+strings.Join(v, " "), token(withFields([]string{"grant_type", "refresh_token", "refresh_token", refresh, "client_id", "app"}, v)...))
		say("the token then", h.call(access, ""))
	}
	begin()
	_, refresh := login()
	h.refresh("app", refresh)
	say("in grace", h.refresh("app", refresh))
	begin()
	b := &bound{site: h, client: "app"}
	_, refresh = tokens(b.exchangedCode("AA", code()))
	say("without the key", h.refresh("app", refresh))

	assertion := func(alg, keys string, change map[string]any) string {
		claims := map[string]any{"iss": "machine", "sub": "machine", "aud": issuer, "exp": h.at.Add(time.Minute).Unix(), "iat": h.at.Unix(), "jti": "1", "client_id": "machine", "resource": resource}
		for n, v := range change {
			claims[n] = v
		}
		return signed(alg, claims, keys)
	}
	own := func(jws string) []string {
		return []string{"client_assertion_type", assertionType, "client_assertion", jws}
	}
	begin()
	say("unsigned", token(append([]string{"grant_type", "client_credentials"}, own(assertion("none", "", nil))...)...))
	say("for another server", token(append([]string{"grant_type", "client_credentials"}, own(assertion("EdDSA", keySet, map[string]any{"aud": "https://elsewhere.example"}))...)...))
	say("once", token(append([]string{"grant_type", "client_credentials"}, own(assertion("EdDSA", keySet, nil))...)...))
	say("and again", token(append([]string{"grant_type", "client_credentials"}, own(assertion("EdDSA", keySet, nil))...)...))
	jag := func(alg, typ, keys string, change map[string]any) string {
		all := map[string]any{"iss": idp, "sub": "u", "jti": "2"}
		for n, v := range change {
			all[n] = v
		}
		_, rest, _ := strings.Cut(assertion(alg, keys, all), ".")
		return base64.RawURLEncoding.EncodeToString([]byte(`{"alg":"`+alg+`","typ":"`+typ+`"}`)) + "." + rest
	}
	bring := func(workload bool, jws string) wire.Response {
		form := []string{"grant_type", bearerGrant, "assertion", jws}
		if !workload {
			form = append(append(form, "resource", resource), own(assertion("EdDSA", keySet, map[string]any{"jti": hash(jws + h.at.String())}))...)
		}
		h.at = h.at.Add(time.Second)
		return token(form...)
	}
	past := noon.Add(-time.Hour).Unix()
	for _, v := range []member{{"", nil}, {"aud", "https://elsewhere.example"}, {"client_id", "other"}, {"resource", "https://elsewhere.example/mcp"}, {"exp", past}} {
		name, wrong := v.name, map[string]any{v.name: v.value}
		begin()
		say("ID-JAG with another "+name, bring(false, jag("EdDSA", idJAGType, keySet, wrong)))
		if name == "" {
			say("ID-JAG again", bring(false, jag("EdDSA", idJAGType, keySet, nil)))
			say("ID-JAG of another type", bring(false, jag("EdDSA", "JWT", keySet, map[string]any{"jti": "3"})))
			say("ID-JAG by another key", bring(false, jag("EdDSA", idJAGType, "-", map[string]any{"jti": "4"})))
			say("workload by another key", bring(true, jag("EdDSA", "JWT", "-", map[string]any{"iss": "https://ci.example"})))
			continue
		}
		w := map[string]any{"iss": "https://ci.example"}
		for n, v := range wrong {
			w[n] = v
		}
		say("workload with another "+name, bring(true, jag("EdDSA", "JWT", keySet, w)))
	}
	begin()
	d := between(string(h.post(issuer+"/device_authorization", "client_id", "app").Body), `"device_code":"`, `"`)
	for _, client := range []string{"app", "other", "app"} {
		say("device poll by "+client, token("grant_type", deviceGrant, "client_id", client, "device_code", d))
	}

	begin()
	access, refresh = login()
	say("revoke as nobody", h.post(issuer+"/revoke", "token", "x"))
	say("revoke what nobody knows", h.post(issuer+"/revoke", "token", "x", "client_id", "app"))
	h.post(issuer+"/revoke", "token", refresh, "client_id", "other")
	say("after a foreign revocation", h.call(access, ""))
	h.post(issuer+"/revoke", "token", access, "client_id", "app")
	say("after a revocation", h.call(access, ""))
	say("introspect as nobody", h.post(issuer+"/introspect", "token", access))
	say("a refresh token as an access token", h.call(refresh, ""))

	begin()
	access, _ = login("scope", "user admin")
	say("more scope", h.call(access, "purge"))
	narrow, _ := login()
	say("less scope", h.call(narrow, "purge"))
	say("bearer", mcp(list, "Authorization", "bearer "+access))
	say("in the query", h.do(wire.Request{Method: "POST", URL: resource + "?access_token=" + access, Body: []byte(list)}))
	say("malformed", mcp(list, "Authorization", "Bearer a b"))
	say("injected", mcp(list, "Authorization", `Bearer x",injected="y`))
	say("another origin", mcp(list, "Authorization", "Bearer "+access, "Origin", "https://elsewhere.example"))
	say("discover", mcp(`{"jsonrpc":"2.0","id":1,"method":"server/discover"}`))
	if resp, found := h.w.Answer(h.at, wire.Request{Method: "POST", URL: strings.Replace(resource, "https", "http", 1), Body: []byte(list)}); found {
		say("over http", resp)
	}
	claims := map[string]any{"iss": issuer, "aud": resource, "exp": noon.Add(time.Hour).Unix(), "sub": "s"}
	for _, alg := range []string{"none", "HS256", `ES256","jwk":{},"x":"`, "ES256"} {
		say("forged "+alg, mcp(list, "Authorization", "Bearer "+signed(alg, claims, "-")))
	}
	x := mcp(initialize, "Authorization", "Bearer "+access)
	say("a session begins", x)
	mine := strings.Join(x.Header.Header(sessionField), "")
	second, _ := login("login_hint", "second")
	say("a session without a token", mcp(list, sessionField, mine))
	say("a session of another user", mcp(list, sessionField, mine, "Authorization", "Bearer "+second))
	say("an unknown session", mcp(list, sessionField, "x", "Authorization", "Bearer "+access))
	say("an unknown session without a token", mcp(list, sessionField, "x"))
	forwarded := wire.Fields{{Name: "X-Forwarded-Host", Value: "elsewhere.example"}}
	say("forwarded prm", h.do(wire.Request{Method: "GET", URL: prmAddress(resource), Header: forwarded}))
	say("forwarded asm", h.do(wire.Request{Method: "GET", URL: issuer + "/.well-known/oauth-authorization-server", Header: forwarded}))
	say("no such path", h.get("https://mcp.example/.well-known/oauth-protected-resource/elsewhere"))
}
