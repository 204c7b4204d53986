package peer

import "strings"

// Faults of published documents and answers that clients see and most of them do not
// look at.

// locatedAt limits a transform to addresses with a part.
func locatedAt(part string, t transform) transform {
	return func(r *reply, s scene) bool { return strings.Contains(s.req.URL, part) && t(r, s) }
}

// lists limits a transform to documents whose member lists a value.
func lists(name, v string, t transform) transform {
	return func(r *reply, s scene) bool {
		for _, m := range r.doc {
			if list, ok := m.value.([]string); ok && m.name == name && strings.Contains(" "+strings.Join(list, " ")+" ", " "+v+" ") {
				return t(r, s)
			}
		}
		return false
	}
}

var documentFaults = []Fault{
	{"asm-documents-differ", "metadata", "asm-documents-agree", "the document of OpenID Connect names another token endpoint", locatedAt("/openid-configuration", endpointAt("token_endpoint", "{base}/other"))},
	{"asm-issuer-query", "metadata", "asm-issuer-syntax", "issuer has a query", putFrom("issuer", func(s scene) any { return s.issuer + "?tenant=1" })},
	{"asm-grants-implicit", "metadata", "asm-grant-needed", "grant_types_supported lists implicit alone", put("grant_types_supported", []string{"implicit"})},
	{"asm-no-way-in", "metadata", "reg-priority", "no registration endpoint, and no metadata documents", drop("registration_endpoint", "client_id_metadata_document_supported")},
	{"asm-introspect-gone", "metadata", "as-meta-truthful", "introspection_endpoint leads to a 404", endpointAt("introspection_endpoint", "{base}/gone")},
	{"asm-no-cors", "metadata", "as-meta-cors", "scripts of other sites may not read metadata", sets("Access-Control-Allow-Origin", "")},
	{"asm-cookie", "metadata", "net-no-cookies", "metadata sets a cookie", sets("Set-Cookie", "session=stile; Path=/; Secure; HttpOnly; SameSite=Lax")},
	{"asm-429-bare", "metadata", "net-retry-after", "429 without Retry-After, for the document of OpenID Connect", locatedAt("/openid-configuration", become(429, "text/plain", "slow down\n"))},
	{"asm-cc-no-method", "metadata", "ext-cc-metadata", "client_credentials is listed, and no method with a credential", lists("grant_types_supported", "client_credentials", put("token_endpoint_auth_methods_supported", []string{"none"}))},
	{"asm-jag-no-grant", "metadata", "ext-ema-discovery", "the profile of ID-JAGs is listed, and its grant is not", lists("authorization_grant_profiles_supported", idJAGProfile, put("grant_types_supported", []string{"authorization_code", "refresh_token"}))},
	{"register-https-id", "register", "as-cimd-id-namespace", "client ids look like the address of a document", nil},
}

var documentResourceFaults = []Fault{
	{"prm-documents-differ", "prm", "prm-locations-agree", "the document at the root lists another authorization server", func(r *reply, s scene) bool {
		return strings.HasSuffix(s.req.URL, "/oauth-protected-resource") && put("authorization_servers", []string{"https://elsewhere.example"})(r, s)
	}},
	{"prm-no-cors", "prm", "rs-prm-cors", "scripts of other sites may not read resource metadata", sets("Access-Control-Allow-Origin", "")},
	{"prm-no-cache-control", "prm", "rs-prm-cache-headers", "resource metadata without Cache-Control", sets("Cache-Control", "")},
	{"prm-second-server-dead", "prm", "prm-as-resolves", "a second authorization server is listed, and it is dead", func(r *reply, s scene) bool {
		for _, m := range r.doc {
			if list, ok := m.value.([]string); ok && m.name == "authorization_servers" {
				return put("authorization_servers", append(list[:len(list):len(list)], "https://elsewhere.example"))(r, s)
			}
		}
		return false
	}},
	{"prm-scope-unknown", "prm", "prm-resource-scope-consistent", "scopes_supported has a scope that the issuer does not know", put("scopes_supported", []string{"user", "unknown"})},

	{"challenge-no-metadata", "mcp", "challenge-resource-metadata", "the challenge names no metadata", changed(func(c *bearerChallenge, _ scene) { c.metadata = "" })},
	{"challenge-unstable", "mcp", "challenge-updated-only-by-resource", "the challenge is another one each time", nil},
	{"challenge-catalogue", "mcp", "stepup-server-not-catalogue", "every scope of the server is demanded", nil},
	{"tool-403", "mcp", "stepup-same-challenge-terminal", "a call that needs more scope is refused although the scope is there", nil},
	{"mcp-traceback", "mcp", "net-no-error-leak", "refusals show where the program failed", challenging(func(r *reply, _ scene) bool {
		r.doc, r.ctype, r.body = nil, "text/plain", []byte("Traceback (most recent call last):\n  File \"/srv/app.py\", line 3, in get\n")
		return true
	})},
	{"mcp-clock-unset", "mcp", "rs-expiry", "Date is that of a clock that nobody set", sets("Date", "Thu, 01 Jan 1970 00:00:07 GMT")},
}
