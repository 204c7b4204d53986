package peer

import "github.com/stile-oauth/stile/states/wire"

// Faults of the authorization endpoint, the token endpoint and their
// neighbours.

func param(name, v string) transform {
	return answers(func(r *reply, _ scene) { r.setParam(name, v) })
}

func errorAnswer(code, says string) transform {
	return answers(func(r *reply, _ scene) {
		r.dropParam("code")
		r.setParam("error", code)
		if says != "" {
			r.setParam("error_description", says)
		}
	})
}

func again(name, v string) transform {
	return answers(func(r *reply, _ scene) { r.query = append(r.query, wire.Field{Name: name, Value: v}) })
}

var authorizeFaults = []Fault{
	{"iss-missing", "authorize", "issuer-response-required", "no iss, though advertised", answers(func(r *reply, _ scene) { r.dropParam("iss") })},
	{"iss-wrong", "authorize", "issuer-response-compare", "another issuer in iss", param("iss", "https://elsewhere.example")},
	{"iss-slash", "authorize", "issuer-no-normalization", "one slash more or less in iss", answers(func(r *reply, s scene) { r.setParam("iss", otherSlash(s.issuer)) })},
	{"iss-twice", "authorize", "issuer-iss-once", "iss twice", again("iss", "https://elsewhere.example")},
	{"iss-wrong-on-error", "authorize", "issuer-error-response-too", "an error response of another issuer", answers(func(r *reply, _ scene) {
		r.dropParam("code")
		r.setParam("error", "access_denied")
		r.setParam("iss", "https://elsewhere.example")
	})},
	{"state-dropped", "authorize", "authz-resp-state-echo", "no state", answers(func(r *reply, _ scene) { r.dropParam("state") })},
	{"state-altered", "authorize", "authz-resp-state-match", "another state", param("state", "another-state")},
	{"state-twice", "authorize", "authz-resp-param-once", "state twice", again("state", "another-state")},
	{"code-missing", "authorize", "authz-resp-code", "no code and no error", answers(func(r *reply, _ scene) { r.dropParam("code") })},
	{"code-empty", "authorize", "authz-resp-code", "an empty code", param("code", "")},
	{"code-twice", "authorize", "authz-resp-param-once", "two codes", again("code", "another-code")},
	{"code-and-error", "authorize", "authz-resp-code-xor-error", "a code and an error", again("error", "server_error")},
	{"code-in-fragment", "authorize", "authz-resp-query-mode", "the answer behind #", answers(func(r *reply, _ scene) { r.fragment = true })},
	{"error-with-escapes", "authorize", "authz-resp-error-escaped", "terminal escapes and markup in error_description", errorAnswer("access_denied", "\x1b[2J\x1b]0;owned\x07<script>alert(1)</script>")},
	{"error-unknown", "authorize", "authz-resp-error-code", "an error code of no list", errorAnswer("out_of_cheese", "")},
	{"error-server", "authorize", "authz-resp-error-code", "server_error by redirect", errorAnswer("server_error", "")},
	{"error-denied", "authorize", "authz-resp-denied-keeps", "access_denied by redirect", errorAnswer("access_denied", "")},
	{"error-invalid-target", "authorize", "as-authorize-invalid-target", "invalid_target by redirect", errorAnswer("invalid_target", "")},
	{"authorize-other-redirect", "authorize", "authz-resp-redirect-exact", "the answer goes to another path", answers(func(r *reply, _ scene) { r.location += "/elsewhere" })},
	{"authorize-500", "authorize", "authz-resp-deadline", "the authorization endpoint answers 500", become(500, "text/plain", "oops\n")},
	{"authorize-never", "authorize", "authz-resp-deadline", "a page that leads nowhere", html(200)},
	{"authorize-extra", "authorize", "authz-resp-unknown-ignored", "session_state and scope beside the code", answers(func(r *reply, _ scene) {
		r.setParam("session_state", "x")
		r.setParam("scope", "everything")
	})},
	{"authorize-unknown-client", "authorize", "reg-reregister-once", "every client is unknown", nil},
	{"authorize-invalid-scope", "authorize", "as-authorize-scope-default", "invalid_scope for every request", nil},
	{"redirect-unchecked", "authorize", "as-authorize-redirect-exact", "any redirect URI is taken", nil},
	{"scope-narrowed", "authorize", "token-resp-scope-narrowed", "only the first scope is granted", nil},
}

// granted limits a transform to answers with an access token.
func granted(t transform) transform {
	return func(r *reply, s scene) bool { return r.doc.has("access_token") && t(r, s) }
}

// refreshing limits a transform to refresh requests.
func refreshing(t transform) transform {
	return func(r *reply, s scene) bool {
		return value(s.req.Form, "grant_type") == "refresh_token" && t(r, s)
	}
}

func formEncoded(r *reply, _ scene) bool {
	if !r.doc.has("access_token") {
		return false
	}
	var fs wire.Fields
	for _, n := range []string{"access_token", "token_type", "refresh_token", "scope"} {
		if v := r.doc.get(n); v != "" {
			fs = append(fs, wire.Field{Name: n, Value: v})
		}
	}
	r.become(200, "application/x-www-form-urlencoded", wire.EncodeForm(fs))
	return true
}

var tokenFaults = []Fault{
	{"token-endpoint-html", "token", "token-resp-json", "a web page with status 200", html(200)},
	{"token-404", "token", "token-resp-error-status", "the token endpoint is not there", become(404, "text/plain", "not found\n")},
	{"token-500", "token", "token-resp-error-vs-transient", "500 with a text", become(500, "text/plain", "oops\n")},
	{"token-502-html", "token", "token-resp-error-vs-transient", "502 with a web page", html(502)},
	{"token-503-retry-after", "token", "refresh-transient-keeps", "503 with Retry-After", later(503, "1")},
	{"token-429", "token", "refresh-transient-keeps", "429 with Retry-After", later(429, "1")},
	{"token-307", "token", "token-req-no-redirect", "the POST is redirected elsewhere", redirect(307, "https://elsewhere.example/token")},
	{"token-401-empty", "token", "token-resp-error-json", "401 with an empty body", become(401, "", "")},
	{"token-403-html", "token", "token-resp-error-json", "a firewall's page with 403", html(403)},
	{"token-empty", "token", "token-resp-access-token", "200 with an empty body", become(200, "application/json", "")},
	{"token-form-encoded", "token", "token-resp-json", "a form instead of JSON", formEncoded},
	{"token-text-plain", "token", "token-resp-json", "JSON labelled text/plain", granted(func(r *reply, _ scene) bool { r.ctype = "text/plain"; return true })},
	{"token-error-200", "token", "token-resp-error-status", "an error with status 200", become(200, "application/json", `{"error":"bad_verification_code"}`)},
	{"token-ok-false", "token", "token-resp-ok-false", "200, ok:false and an error", become(200, "application/json", `{"ok":false,"error":"invalid_code"}`)},
	{"token-duplicate-key", "token", "token-resp-json-strict", "access_token twice", granted(twice("access_token", "another"))},
	{"token-case-folded", "token", "token-resp-json-strict", "Access_Token", granted(fold("access_token", "Access_Token"))},
	{"token-truncated", "token", "token-resp-json-strict", "half a document", granted(truncated)},
	{"token-trailing-bytes", "token", "token-resp-json-strict", "a second object behind the first", granted(trailing)},
	{"oversized-body", "token", "token-resp-size", "five mebibytes behind the document", granted(huge)},
	{"token-no-access-token", "token", "token-resp-access-token", "no access_token", drop("access_token")},
	{"token-empty-access-token", "token", "token-resp-access-token", "an empty access_token", granted(put("access_token", ""))},
	{"token-access-token-number", "token", "token-resp-access-token", "access_token is a number", granted(put("access_token", 12345))},
	{"token-newline", "token", "token-resp-token-charset", "a line break in access_token", granted(put("access_token", "abc\r\nX-Injected: yes"))},
	{"token-type-missing", "token", "token-resp-token-type", "no token_type", drop("token_type")},
	{"token-type-mac", "token", "token-resp-token-type-known", "token_type mac", granted(put("token_type", "mac"))},
	{"token-type-lower", "token", "token-resp-token-type", "token_type in small letters", granted(put("token_type", "bearer"))},
	{"token-expires-string", "token", "token-resp-expires-in", "expires_in is a decimal string", granted(put("expires_in", "3600"))},
	{"token-expires-zero", "token", "token-resp-expires-zero", "expires_in is 0", granted(put("expires_in", 0))},
	{"token-expires-negative", "token", "token-resp-expires-in", "expires_in is negative", granted(put("expires_in", -5))},
	{"token-expires-fraction", "token", "token-resp-expires-in", "expires_in is a fraction", granted(put("expires_in", 1.5))},
	{"token-expires-huge", "token", "token-resp-expires-in", "expires_in overflows", granted(put("expires_in", 1e300))},
	{"token-expires-absent", "token", "token-resp-expires-absent", "no expires_in", drop("expires_in")},
	{"token-scope-array", "token", "token-resp-scope-string", "scope is an array", granted(func(r *reply, _ scene) bool {
		list, _ := scopes(r.doc.get("scope"))
		r.doc.put("scope", list)
		return true
	})},
	{"token-scope-absent", "token", "token-resp-scope-reported", "no scope", drop("scope")},
	{"token-sets-issuer", "token", "token-resp-no-record-fields", "issuer and token_endpoint in the answer", granted(func(r *reply, _ scene) bool {
		r.doc.put("issuer", "https://elsewhere.example")
		r.doc.put("token_endpoint", "https://elsewhere.example/token")
		return true
	})},
	{"token-id-token", "token", "token-resp-id-token", "an ID token that was not asked for", granted(put("id_token", "e30.e30.e30"))},
	{"token-no-refresh", "token", "token-resp-refresh-optional", "no refresh token", drop("refresh_token")},
	{"token-cacheable", "token", "token-resp-no-store", "no Cache-Control", granted(func(r *reply, _ scene) bool { r.unset("Cache-Control"); r.unset("Pragma"); return true })},
	{"token-error-escapes", "token", "token-resp-error-charset", "terminal escapes in error_description", become(400, "application/json", `{"error":"invalid_grant","error_description":"\u001b[31mred\u001b[0m\u0007"}`)},
	{"token-invalid-grant", "token", "token-resp-invalid-grant-honest", "invalid_grant for everything", fail(400, "invalid_grant")},
	{"token-server-error", "token", "token-resp-error-vs-transient", "server_error as an OAuth error", fail(400, "server_error")},
	{"token-invalid-client", "token", "reg-reregister-once", "invalid_client for everybody", nil},
	{"assertion-aud-endpoint", "token", "clientauth-jwt-aud", "assertions must name the token endpoint as audience, not the issuer", nil},
	{"audience-wrong", "token", "token-resp-audience", "the token is for another resource", nil},
	{"pkce-unchecked", "token", "as-token-verifier-iff-challenge", "any code_verifier is taken", nil},
	{"code-reuse-allowed", "token", "as-token-code-once", "a code works again", nil},
	{"code-ends-early", "token", "as-token-code-once", "a wrong exchange ends the code", nil},
	{"refresh-no-rotation", "token", "refresh-omitted-keep", "the refresh token stays, none in the answer", nil},
	{"refresh-echoes-token", "token", "refresh-rotation-adopt", "the same refresh token in the answer (with refresh-no-rotation)", nil},
	{"refresh-omits-token", "token", "refresh-omitted-keep", "no refresh token in the answer, the old one stays good", nil},
	{"refresh-reuse-revokes-family", "token", "refresh-transaction", "reuse revokes the family at once, whatever grace is configured", nil},
	{"refresh-reuse-allowed", "token", "refresh-transaction", "a spent refresh token works again", nil},
	{"refresh-reuse-500", "token", "refresh-transaction", "a spent refresh token is answered with 500", nil},
	{"refresh-invalid-grant", "token", "refresh-invalid-grant-terminal", "invalid_grant for every refresh", nil},
	{"refresh-narrows-scope", "token", "token-resp-scope-narrowed", "a refresh gives the first scope only", nil},
	{"refresh-demands-resource", "token", "refresh-resource", "a refresh without resource is invalid_target", nil},
	{"refresh-500", "token", "refresh-transient-keeps", "500 for every refresh, although it was carried out", refreshing(become(500, "text/plain", "oops\n"))},
	{"refresh-html", "token", "refresh-transient-keeps", "a web page for every refresh", refreshing(html(200))},
	{"refresh-invalid-request", "token", "token-resp-invalid-grant-honest", "invalid_request for every refresh", refreshing(fail(400, "invalid_request"))},
	{"refresh-interaction", "token", "refresh-invalid-grant-terminal", "interaction_required for every refresh", refreshing(fail(400, "interaction_required"))},
}

var otherFaults = []Fault{
	{"revoke-500", "revoke", "revoke-best-effort", "revocation answers 500", become(500, "text/plain", "oops\n")},
	{"revoke-503", "revoke", "revoke-503-retry", "revocation answers 503 with Retry-After", later(503, "1")},
	{"revoke-unsupported", "revoke", "revoke-unsupported-type", "unsupported_token_type", fail(400, "unsupported_token_type")},
	{"introspect-500", "introspect", "rs-introspect-down", "introspection answers 500", become(500, "text/plain", "oops\n")},
	{"introspect-html", "introspect", "rs-introspect-down", "a web page instead of introspection", html(200)},
	{"introspect-active-string", "introspect", "rs-introspect-active-strict", "active is the string true", put("active", "true")},
	{"introspect-scope-array", "introspect", "rs-introspect-scope-string", "scope is an array", put("scope", []string{"user"})},
	{"introspect-audience-wrong", "introspect", "rs-introspect-audience", "aud names another resource", put("aud", "https://another.example/mcp")},
	{"introspect-no-exp", "introspect", "rs-exp-required", "no exp", drop("exp")},
	{"introspect-duplicate-key", "introspect", "rs-introspect-active-strict", "active twice", twice("active", true)},
	{"jwks-empty", "jwks", "rs-jwks-refresh", "no keys", become(200, "application/jwk-set+json", `{"keys":[]}`)},
	{"jwks-500", "jwks", "rs-introspect-down", "keys answer 500", become(500, "text/plain", "oops\n")},
}
