package peer

import (
	"strings"

	"github.com/stile-oauth/stile/states/wire"
)

// Faults of the resource server: its metadata (RFC 9728) and its challenges
// (RFC 6750 §3, RFC 9110 §11.6.1).

var prmFaults = []Fault{
	{"prm-404", "prm", "prm-served", "no resource metadata at any address", become(404, "text/plain", "not found\n")},
	{"prm-401", "prm", "prm-public", "resource metadata demands a token", become(401, "text/plain", "log in first\n")},
	{"prm-500", "prm", "prm-status-200", "resource metadata answers 500", become(500, "text/plain", "oops\n")},
	{"prm-html", "prm", "prm-content-type", "a web page with status 200", html(200)},
	{"prm-empty", "prm", "prm-json-object", "an empty body with status 200", become(200, "application/json", "")},
	{"prm-redirect", "prm", "net-redirect-get", "resource metadata redirects to another origin", redirect(302, "https://elsewhere.example/prm")},
	{"prm-truncated", "prm", "prm-json-strict", "half a document", truncated},
	{"prm-trailing-bytes", "prm", "prm-json-strict", "a second object behind the first", trailing},
	{"prm-oversized", "prm", "net-size-limit", "five mebibytes behind the document", huge},
	{"prm-duplicate-key", "prm", "prm-json-strict", "resource twice, the second elsewhere", twice("resource", "https://elsewhere.example/mcp")},
	{"prm-case-folded", "prm", "prm-json-strict", "Resource instead of resource", fold("resource", "Resource")},
	{"prm-wrong-resource", "prm", "prm-resource-match-wellknown", "another path of the same origin", putFrom("resource", func(s scene) any { return s.base + "/another" })},
	{"prm-cross-origin", "prm", "prm-resource-cross-origin", "a resource on another origin", put("resource", "https://elsewhere.example/mcp")},
	{"prm-resource-slash", "prm", "prm-resource-slash", "one slash more or less in resource", putFrom("resource", func(s scene) any { return otherSlash(s.issuer) })},
	{"prm-resource-parent", "prm", "prm-resource-prefix", "the origin as resource", putFrom("resource", func(s scene) any { return s.base })},
	{"prm-root-only", "prm", "prm-probe-order", "the document is at the root address only", func(r *reply, s scene) bool {
		_, path, _ := split(s.req.URL)
		return path != "/.well-known/oauth-protected-resource" && become(404, "text/plain", "not found\n")(r, s)
	}},
	{"prm-no-resource", "prm", "prm-resource-present", "no resource", drop("resource")},
	{"prm-no-servers", "prm", "prm-authorization-servers", "no authorization_servers", drop("authorization_servers")},
	{"prm-empty-servers", "prm", "prm-authorization-servers", "an empty authorization_servers", put("authorization_servers", []string{})},
	{"prm-servers-string", "prm", "prm-authorization-servers", "authorization_servers is a string", put("authorization_servers", "https://as.example")},
	{"prm-http-server", "prm", "prm-issuer-entry-syntax", "an authorization server over http on a public host", put("authorization_servers", []string{"http://as.example"})},
	{"prm-server-query", "prm", "prm-issuer-entry-syntax", "an authorization server with a query", put("authorization_servers", []string{"https://as.example/?tenant=1"})},
	{"prm-server-moved", "prm", "issuer-as-change-reregister", "another authorization server is named", put("authorization_servers", []string{"https://elsewhere.example"})},
	{"prm-scopes-string", "prm", "prm-scopes-supported", "scopes_supported is a string", put("scopes_supported", "user")},
	{"prm-offline-access", "prm", "prm-scopes-no-offline-access", "offline_access among the scopes", put("scopes_supported", []string{"user", "offline_access"})},
	{"prm-dpop-required", "prm", "prm-dpop-required", "tokens must be bound by DPoP", put("dpop_bound_access_tokens_required", true)},
	{"prm-bearer-body", "prm", "prm-bearer-methods", "tokens in the body only", put("bearer_methods_supported", []string{"body"})},
	{"prm-name-escapes", "prm", "prm-display-untrusted", "terminal escapes and markup in resource_name", put("resource_name", "\x1b[2J<img src=x onerror=alert(1)>")},
}

// on401 limits a transform to 401 answers. A 403 says with error
// and scope what a step-up needs; only a fault about one of those touches it.
func on401(t transform) transform {
	return func(r *reply, s scene) bool { return r.status == 401 && t(r, s) }
}

// challenging limits a transform to answers that challenge: 401 and 403.
func challenging(t transform) transform {
	return func(r *reply, s scene) bool { return (r.status == 401 || r.status == 403) && t(r, s) }
}

// rawChallenges replaces the challenge by these fields as they stand.
func rawChallenges(v ...string) transform {
	return func(r *reply, _ scene) bool {
		r.unset("WWW-Authenticate")
		r.challenge = nil
		for _, c := range v {
			r.header = append(r.header, wire.Field{Name: "WWW-Authenticate", Value: c})
		}
		return true
	}
}

// rewritten replaces the challenge by what text makes of it.
func rewritten(text func(c bearerChallenge, s scene) []string) transform {
	return challenging(func(r *reply, s scene) bool {
		return r.challenge != nil && rawChallenges(text(*r.challenge, s)...)(r, s)
	})
}

// changed changes a part of the challenge and leaves the others in place.
func changed(change func(*bearerChallenge, scene)) transform {
	return challenging(func(r *reply, s scene) bool {
		if r.challenge == nil {
			return false
		}
		c := *r.challenge
		change(&c, s)
		r.challenge = &c
		return true
	})
}

// metadataAt names another address of the metadata.
func metadataAt(url func(scene) string) transform {
	return changed(func(c *bearerChallenge, s scene) { c.metadata = url(s) })
}

// withScope writes scope as it is given, unescaped, and keeps the error.
func withScope(params string) transform {
	return rewritten(func(c bearerChallenge, _ scene) []string {
		if c.code != "" {
			return []string{`Bearer error="` + c.code + `", ` + params}
		}
		return []string{"Bearer " + params}
	})
}

func forbidden(change func(*bearerChallenge)) transform {
	return func(r *reply, s scene) bool {
		return r.status == 403 && changed(func(c *bearerChallenge, _ scene) { change(c) })(r, s)
	}
}

func withToken(t transform) transform {
	return func(r *reply, s scene) bool {
		return len(s.req.Header.Header("Authorization")) > 0 && t(r, s)
	}
}

var mcpFaults = []Fault{
	{"challenge-none", "mcp", "challenge-www-authenticate-present", "401 without WWW-Authenticate", on401(rawChallenges())},
	{"challenge-bare-bearer", "mcp", "challenge-has-param", "401 with Bearer and nothing else", on401(rawChallenges("Bearer"))},
	{"challenge-malformed", "mcp", "challenge-grammar", "401 with a challenge that cannot be parsed", on401(rawChallenges(`Bearer realm="unclosed, resource_metadata=`))},
	{"challenge-several", "mcp", "challenge-multiple", "Negotiate and Basic before Bearer, in two fields", rewritten(func(c bearerChallenge, _ scene) []string {
		return []string{"Negotiate", `Basic realm="a, Bearer b"`, c.String()}
	})},
	{"challenge-one-field", "mcp", "challenge-multiple", "Basic and Bearer in one field", rewritten(func(c bearerChallenge, _ scene) []string {
		return []string{`Basic realm="x", ` + c.String()}
	})},
	{"challenge-lower-case", "mcp", "challenge-scheme-case", "scheme and parameter names in the other case", rewritten(func(c bearerChallenge, _ scene) []string {
		text := c.String()
		for _, name := range []string{"error", "scope", "resource_metadata"} {
			text = strings.ReplaceAll(text, name+`="`, strings.ToUpper(name)+`="`)
		}
		return []string{"bearer" + strings.TrimPrefix(text, "Bearer")}
	})},
	{"challenge-duplicate-param", "mcp", "challenge-param-once", "scope twice with different values", withScope(`scope="user", scope="admin"`)},
	{"challenge-basic-only", "mcp", "challenge-www-authenticate-present", "401 with Basic alone", on401(rawChallenges(`Basic realm="x"`))},
	{"challenge-metadata-http", "mcp", "challenge-metadata-url-https", "resource_metadata over http on a public host", metadataAt(func(scene) string { return "http://mcp.example/.well-known/oauth-protected-resource" })},
	{"challenge-metadata-foreign", "mcp", "challenge-metadata-url-origin", "resource_metadata on another origin", metadataAt(func(scene) string { return "https://elsewhere.example/prm" })},
	{"challenge-metadata-relative", "mcp", "challenge-metadata-url-absolute", "a relative resource_metadata", metadataAt(func(scene) string { return "/.well-known/oauth-protected-resource" })},
	{"challenge-metadata-private", "mcp", "net-metadata-service", "resource_metadata on a link-local address", metadataAt(func(scene) string { return "http://169.254.169.254/latest/meta-data" })},
	{"challenge-metadata-root", "mcp", "prm-header-url-dead", "resource_metadata names the root address, whatever the path", metadataAt(func(s scene) string { return s.base + "/.well-known/oauth-protected-resource" })},
	{"challenge-metadata-unquoted", "mcp", "challenge-grammar", "resource_metadata without quotes, as older servers of the go-sdk send it", rewritten(func(c bearerChallenge, _ scene) []string {
		var params []string
		if c.code != "" {
			params = append(params, `error="`+c.code+`"`)
		}
		if len(c.scope) > 0 {
			params = append(params, `scope="`+strings.Join(c.scope, " ")+`"`)
		}
		return []string{"Bearer " + strings.Join(append(params, "resource_metadata="+c.metadata), ", ")}
	})},
	{"challenge-metadata-dead", "mcp", "prm-header-url-dead", "resource_metadata leads to a 404", metadataAt(func(s scene) string { return s.base + "/no-such-document" })},
	{"challenge-error-unauthenticated", "mcp", "challenge-no-error-unauthenticated", "error=invalid_token though no token came", on401(changed(func(c *bearerChallenge, _ scene) { c.code = "invalid_token" }))},
	{"challenge-offline-access", "mcp", "challenge-scope-no-offline-access", "offline_access is demanded", changed(func(c *bearerChallenge, _ scene) { c.scope = []string{"user", "offline_access"} })},
	{"challenge-scope-octets", "mcp", "challenge-scope-charset", "octets in scope that no scope may hold", withScope("scope=\"us\x80er\\\\\"")},
	{"challenge-redirect", "mcp", "challenge-redirect-not-auth", "302 to a login page instead of 401", func(r *reply, s scene) bool {
		return r.status == 401 && redirect(302, "{base}/login")(r, s)
	}},
	{"challenge-body-lies", "mcp", "challenge-body-not-trusted", "the body names another authorization server", challenging(func(r *reply, _ scene) bool {
		r.doc = document{{"error", "invalid_token"}, {"authorization_uri", "https://elsewhere.example/authorize"}}
		return true
	})},
	{"rs-200-for-failure", "mcp", "rs-no-200-auth-failure", "200 with an error text instead of 401", challenging(become(200, "application/json", `{"jsonrpc":"2.0","id":1,"error":{"code":-32001,"message":"unauthorized"}}`))},
	{"rs-400-for-expired", "mcp", "challenge-invalid-token-401", "400 for a bad token", withToken(challenging(become(400, "text/plain", "bad token\n")))},
	{"rs-500", "mcp", "challenge-401-unauthenticated", "500 for everything", become(500, "text/plain", "oops\n")},
	{"rs-404", "mcp", "challenge-404-405-not-auth", "404 for everything", become(404, "text/plain", "not found\n")},
	{"endless-401", "mcp", "challenge-fresh-token-loop", "401 invalid_token whatever the token", withToken(func(r *reply, s scene) bool {
		*r = *refuse(401, "", "", bearerChallenge{code: "invalid_token", metadata: prmAddress(s.issuer)})
		return true
	})},
	{"endless-403", "mcp", "stepup-same-challenge-terminal", "403 insufficient_scope whatever the scope", withToken(func(r *reply, s scene) bool {
		*r = *refuse(403, "", "", bearerChallenge{code: "insufficient_scope", scope: []string{"user"}, metadata: prmAddress(s.issuer)})
		return true
	})},
	{"plain-403", "mcp", "challenge-403-without-challenge", "403 without a challenge", withToken(become(403, "text/html", page))},
	{"scope-403-no-error", "mcp", "challenge-403-insufficient-scope", "403 with scope and without error", forbidden(func(c *bearerChallenge) { c.code = "" })},
	{"scope-403-no-scope", "mcp", "challenge-403-scope", "403 insufficient_scope without scope", forbidden(func(c *bearerChallenge) { c.scope = nil })},
	{"scope-403-as-401", "mcp", "challenge-status-code-match", "401 with insufficient_scope", func(r *reply, _ scene) bool {
		if r.status != 403 {
			return false
		}
		r.status = 401
		return true
	}},
	{"invalid-token-as-403", "mcp", "challenge-status-code-match", "403 with invalid_token", withToken(func(r *reply, _ scene) bool {
		if r.status != 401 {
			return false
		}
		r.status = 403
		return true
	})},
	{"audience-unchecked", "mcp", "rs-audience", "a token for another resource is accepted", nil},
	{"expiry-unchecked", "mcp", "rs-expiry", "any token is accepted", nil},
	{"get-unprotected", "mcp", "challenge-every-method", "GET needs no token", nil},
}
