package peer

import "strings"

// Faults of the authorization server's metadata (RFC 8414) and registration
// (RFC 7591).

func endpointAt(name, with string) transform {
	return putFrom(name, func(s scene) any { return strings.ReplaceAll(with, "{base}", s.base) })
}

func withScheme(scheme, host, path string) func(scene) any {
	return func(s scene) any {
		_, rest, _ := strings.Cut(s.base, "://")
		if host == "" {
			host = rest
		}
		return scheme + "://" + host + path
	}
}

var metadataFaults = []Fault{
	{"asm-404", "metadata", "asm-served", "no metadata at any address", become(404, "text/plain", "not found\n")},
	{"asm-401", "metadata", "asm-4xx-continues", "a gateway demands a login before metadata", become(401, "text/plain", "log in first\n")},
	{"asm-500", "metadata", "asm-5xx-not-absent", "metadata answers 500", become(500, "text/plain", "oops\n")},
	{"asm-503-retry-after", "metadata", "asm-5xx-not-absent", "metadata answers 503 with Retry-After", later(503, "2")},
	{"asm-html", "metadata", "asm-content-type", "a web page with status 200 instead of metadata", html(200)},
	{"asm-empty", "metadata", "asm-content-type", "an empty body with status 200", become(200, "application/json", "")},
	{"asm-array", "metadata", "asm-json-strict", "a JSON array instead of an object", become(200, "application/json", "[]")},
	{"asm-redirect", "metadata", "net-redirect-get", "metadata redirects to another origin", redirect(302, "https://elsewhere.example/metadata")},
	{"asm-redirect-loop", "metadata", "net-redirect-get", "metadata redirects to itself for ever", func(r *reply, s scene) bool {
		r.become(302, "", "")
		r.location = s.req.URL
		return true
	}},
	{"asm-truncated", "metadata", "asm-json-strict", "half a document", truncated},
	{"asm-trailing-bytes", "metadata", "asm-json-strict", "a second object behind the first", trailing},
	{"asm-oversized", "metadata", "net-size-limit", "five mebibytes behind the document", huge},
	{"json-duplicate-key", "metadata", "asm-json-strict", "token_endpoint twice, the second elsewhere", twice("token_endpoint", "https://elsewhere.example/token")},
	{"json-case-folded", "metadata", "asm-json-strict", "Issuer instead of issuer", fold("issuer", "Issuer")},
	{"json-long-s", "metadata", "asm-json-strict", "issuer written with U+017F", fold("issuer", "i\u017fsuer")},
	{"asm-issuer-mismatch", "metadata", "asm-issuer-match", "another issuer in the document", put("issuer", "https://elsewhere.example")},
	{"asm-issuer-slash", "metadata", "asm-issuer-slash", "one slash more or less in issuer", putFrom("issuer", func(s scene) any { return otherSlash(s.issuer) })},
	{"asm-issuer-case", "metadata", "asm-string-compare", "issuer in capitals", putFrom("issuer", func(s scene) any { return strings.ToUpper(s.issuer) })},
	{"asm-issuer-missing", "metadata", "asm-issuer-present", "no issuer", drop("issuer")},
	{"asm-issuer-number", "metadata", "asm-issuer-present", "issuer is a number", put("issuer", 7)},
	{"asm-no-pkce", "metadata", "asm-pkce-advertised", "code_challenge_methods_supported is missing", drop("code_challenge_methods_supported")},
	{"asm-plain-only", "metadata", "asm-pkce-s256", "only plain PKCE is offered", put("code_challenge_methods_supported", []string{"plain"})},
	{"asm-no-code", "metadata", "asm-response-types", "response_types_supported without code", put("response_types_supported", []string{"token"})},
	{"asm-no-authorization-endpoint", "metadata", "asm-authorization-endpoint", "no authorization_endpoint", drop("authorization_endpoint")},
	{"asm-no-token-endpoint", "metadata", "asm-token-endpoint", "no token_endpoint", drop("token_endpoint")},
	{"asm-no-registration", "metadata", "dcr-support", "no registration_endpoint", drop("registration_endpoint")},
	{"asm-http-endpoint", "metadata", "asm-endpoints-https", "token_endpoint over http on a public host", put("token_endpoint", "http://as.example/token")},
	{"asm-http-authorize", "metadata", "asm-endpoints-https", "authorization_endpoint over http on a public host", put("authorization_endpoint", "http://as.example/authorize")},
	{"asm-javascript-endpoint", "metadata", "asm-endpoint-scheme", "authorization_endpoint is javascript:", put("authorization_endpoint", "javascript:alert(1)")},
	{"asm-file-endpoint", "metadata", "asm-endpoint-scheme", "authorization_endpoint is a file: URL", put("authorization_endpoint", "file:///etc/hosts")},
	{"asm-shell-endpoint", "metadata", "authz-req-no-shell", "shell characters in authorization_endpoint", endpointAt("authorization_endpoint", "{base}/authorize?x=$(id)&y=`id`")},
	{"asm-userinfo-endpoint", "metadata", "asm-endpoint-no-userinfo", "userinfo in token_endpoint", putFrom("token_endpoint", withScheme("https", "user:pass@as.example", "/token"))},
	{"asm-fragment-endpoint", "metadata", "asm-endpoint-no-fragment", "a fragment in token_endpoint", endpointAt("token_endpoint", "{base}/token#x")},
	{"asm-private-endpoint", "metadata", "authz-req-url-host-policy", "token_endpoint on a link-local address", put("token_endpoint", "https://169.254.169.254/token")},
	{"asm-foreign-token-endpoint", "metadata", "asm-endpoint-foreign-host", "token_endpoint on another host", put("token_endpoint", "https://elsewhere.example/token")},
	{"asm-presets-parameter", "metadata", "authz-req-param-once", "authorization_endpoint already carries client_id", endpointAt("authorization_endpoint", "{base}/authorize?client_id=theirs")},
	{"asm-par-required", "metadata", "asm-par-required", "pushed authorization requests are demanded", put("require_pushed_authorization_requests", true)},
	{"asm-iss-flag-string", "metadata", "asm-iss-flag-boolean", "the iss flag is the string true", put("authorization_response_iss_parameter_supported", "true")},
	{"asm-no-iss-flag", "metadata", "issuer-as-advertises", "the iss flag is left out, though iss is sent", drop("authorization_response_iss_parameter_supported")},
	{"asm-oidc-only", "metadata", "asm-client-both", "the documents of RFC 8414 are missing, those of OpenID Connect are there", func(r *reply, s scene) bool {
		return strings.Contains(s.req.URL, "/.well-known/oauth-authorization-server") && become(404, "text/plain", "not found\n")(r, s)
	}},
	{"asm-tls-auth-only", "metadata", "clientauth-mtls-unsupported", "only TLS client authentication is offered", put("token_endpoint_auth_methods_supported", []string{"tls_client_auth"})},
	{"asm-endpoint-number", "metadata", "asm-token-endpoint", "token_endpoint is a number", put("token_endpoint", 443)},
}

func otherSlash(s string) string {
	if t, ok := strings.CutSuffix(s, "/"); ok {
		return t
	}
	return s + "/"
}

var registerFaults = []Fault{
	{"register-200", "register", "dcr-response-201", "registration succeeds with 200", func(r *reply, _ scene) bool {
		if r.status != 201 {
			return false
		}
		r.status = 200
		return true
	}},
	{"register-401", "register", "dcr-initial-access-token", "registration demands an initial access token", become(401, "application/json", `{"error":"invalid_token"}`)},
	{"register-403", "register", "dcr-failure-handled", "registration is closed", fail(403, "access_denied")},
	{"register-404", "register", "dcr-failure-handled", "the registration endpoint is not there", become(404, "text/plain", "not found\n")},
	{"register-500", "register", "dcr-error-shape", "registration answers 500", become(500, "text/plain", "oops\n")},
	{"register-429", "register", "as-register-throttle", "registration answers 429 with Retry-After", later(429, "1")},
	{"register-html", "register", "dcr-error-shape", "a web page with status 201", html(201)},
	{"register-307", "register", "net-redirect-post", "registration redirects the POST elsewhere", redirect(307, "https://elsewhere.example/register")},
	{"register-refuses-redirect", "register", "dcr-adjusted-retry", "invalid_redirect_uri", fail(400, "invalid_redirect_uri")},
	{"register-refuses-metadata", "register", "dcr-failure-shown", "invalid_client_metadata", fail(400, "invalid_client_metadata")},
	{"register-no-client-id", "register", "dcr-response-client-id", "no client_id in the answer", drop("client_id")},
	{"register-empty-client-id", "register", "dcr-response-client-id", "an empty client_id", put("client_id", "")},
	{"register-no-redirect", "register", "dcr-response-complete", "redirect_uris is missing in the answer", drop("redirect_uris")},
	{"register-other-redirect", "register", "dcr-response-redirect-kept", "other redirect_uris than asked for", put("redirect_uris", []string{"https://elsewhere.example/callback"})},
	{"register-secret-without-method", "register", "dcr-response-authoritative", "a secret, and no method in the answer", func(r *reply, _ scene) bool {
		if !r.ok() || r.doc == nil {
			return false
		}
		r.doc.put("client_secret", "a-secret-that-was-not-asked-for")
		r.doc.put("client_secret_expires_at", 0)
		r.doc.drop("token_endpoint_auth_method")
		return true
	}},
	{"register-method-without-secret", "register", "dcr-method-secret-consistent", "client_secret_basic and no secret", func(r *reply, _ scene) bool {
		if !r.ok() || r.doc == nil {
			return false
		}
		r.doc.put("token_endpoint_auth_method", "client_secret_basic")
		r.doc.drop("client_secret")
		return true
	}},
	{"register-secret-expired", "register", "dcr-secret-expired", "a secret that has expired already", func(r *reply, _ scene) bool {
		if !r.ok() || r.doc == nil {
			return false
		}
		r.doc.put("token_endpoint_auth_method", "client_secret_basic")
		r.doc.put("client_secret", "an-old-secret")
		r.doc.put("client_secret_expires_at", 1)
		return true
	}},
	{"register-secret-expiry-missing", "register", "dcr-secret-expires-at", "no client_secret_expires_at", drop("client_secret_expires_at")},
	{"register-sets-issuer", "register", "dcr-no-silent-copy", "issuer and token_endpoint in the answer", func(r *reply, _ scene) bool {
		if !r.ok() || r.doc == nil {
			return false
		}
		r.doc.put("issuer", "https://elsewhere.example")
		r.doc.put("token_endpoint", "https://elsewhere.example/token")
		return true
	}},
	{"register-duplicate-key", "register", "dcr-response-authoritative", "client_id twice", twice("client_id", "another")},
	{"register-truncated", "register", "dcr-error-shape", "half a document", truncated},
	{"register-oversized", "register", "net-size-limit", "five mebibytes behind the document", huge},
	{"register-forgets", "register", "reg-reregister-once", "the client is answered and at once forgotten", nil},
}
