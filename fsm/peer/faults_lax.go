package peer

import (
	"strings"

	"github.com/stile-oauth/stile/states/rules"
	"github.com/stile-oauth/stile/states/wire"
)

// Faults that wrong requests alone show: the server lets pass what it should refuse, or
// refuses it in a wrong way. A client that keeps the rules never meets them.

// where limits a transform to requests that are of a kind.
func where(is func(wire.Request) bool, t transform) transform {
	return func(r *reply, s scene) bool { return is(s.req) && t(r, s) }
}

// refusing limits a transform to refusals.
func refusing(t transform) transform {
	return func(r *reply, s scene) bool { return r.status >= 400 && t(r, s) }
}

// sets sets a header field; "" removes it.
func sets(name, v string) transform {
	return func(r *reply, _ scene) bool {
		if v != "" {
			r.set(name, v)
			return true
		}
		had := len(r.header.Header(name)) > 0
		r.unset(name)
		return had
	}
}

func carrying(name string) func(wire.Request) bool {
	return func(r wire.Request) bool { return len(r.Header.Header(name)) > 0 }
}

// reflects replaces the server's own host in a member by the one that the caller names.
func reflects(name string) transform {
	return where(carrying("X-Forwarded-Host"), func(r *reply, s scene) bool {
		_, rest, _ := strings.Cut(s.issuer, "://")
		_, path, _ := strings.Cut(rest, "/")
		if !r.doc.has(name) {
			return false
		}
		r.doc.put(name, strings.TrimSuffix("https://"+s.req.Header.Header("X-Forwarded-Host")[0]+"/"+path, "/"))
		return true
	})
}

// framed is a login page at the authorization endpoint that any page can frame.
func framed(r *reply, _ scene) bool {
	if r.rule != rules.ASAuthorizeNoBadRedirect || r.location != "" {
		return false
	}
	r.become(200, "text/html; charset=utf-8", "<!doctype html><title>Log in</title><form method=post><input name=username><input name=password type=password><button>Log in</button></form>")
	r.unset("Content-Security-Policy")
	r.unset("X-Frame-Options")
	return true
}

func grantUnknown(r wire.Request) bool {
	g := value(r.Form, "grant_type")
	return g == "" || !strings.HasPrefix(g, "urn:ietf:") && g != "authorization_code" && g != "refresh_token" && g != "client_credentials" && g != "password"
}

var laxFaults = []Fault{
	{"asm-host-reflected", "metadata", "asm-host-not-reflected", "issuer follows X-Forwarded-Host", reflects("issuer")},

	{"register-method-refused", "register", "as-meta-truthful", "client_secret_basic is listed, and refused", nil},
	{"register-web-loopback", "register", "as-register-application-type", "web clients with a loopback redirect URI are taken", nil},
	{"register-http-redirect", "register", "as-authorize-http-redirect", "plain http redirect URIs are taken", nil},
	{"register-any-scheme", "register", "as-authorize-redirect-scheme", "redirect URIs of every scheme are taken", nil},
	{"register-any-form", "register", "authz-req-redirect-no-fragment", "redirect URIs with fragments, wildcards and userinfo are taken", nil},
	{"register-no-redirects", "register", "dcr-redirect-uris", "clients for codes without redirect URIs are taken", nil},
	{"register-unknown-refused", "register", "as-register-unknown-ignored", "a member that is not known is refused", nil},
	{"register-chosen-id", "register", "as-register-no-chosen-id", "clients choose their client_id", nil},
	{"register-fetches", "register", "as-cimd-ssrf", "the logo of a registration is fetched", nil},
	{"register-delete-refused", "register", "dcr-delete", "a client can be read, and not deleted", nil},
	{"register-delete-forgotten", "register", "as-authorize-no-bad-redirect", "a deleted client goes on working", nil},

	{"authorize-unknown-redirect", "authorize", "as-authorize-no-bad-redirect", "errors go to the redirect URI of an unknown client", nil},
	{"authorize-port-fixed", "authorize", "as-authorize-loopback-port", "the port of a loopback redirect URI is compared", nil},
	{"authorize-no-pkce", "authorize", "as-authorize-pkce-required", "a request without a code challenge goes on", nil},
	{"verifier-unasked", "token", "as-token-verifier-iff-challenge", "a verifier without a challenge is taken", nil},
	{"authorize-plain", "authorize", "as-authorize-plain-refused", "plain code challenges are taken", nil},
	{"authorize-implicit", "authorize", "as-oauth21", "the implicit grant is served", nil},
	{"authorize-repeat", "authorize", "as-authorize-repeat-refused", "repeated parameters are taken", nil},
	{"authorize-unknown-param", "authorize", "as-authorize-unknown-ignored", "a parameter that is not known is refused", nil},
	{"authorize-scope-page", "authorize", "as-authorize-scope-default", "an unknown scope ends on a page, and the client is not told", nil},
	{"authorize-any-resource", "authorize", "as-authorize-invalid-target", "every resource goes on", nil},
	{"authorize-307", "authorize", "as-authorize-no-307", "a form is redirected with 307", nil},
	{"authorize-cors", "authorize", "as-authorize-no-cors", "scripts of other sites may read the answers", sets("Access-Control-Allow-Origin", "*")},
	{"authorize-cookie-loose", "authorize", "as-consent-cookie", "a session cookie that scripts can read, sent from every site", sets("Set-Cookie", "session=stile; Path=/")},
	{"authorize-framed", "authorize", "as-authorize-frame", "a login form that other pages can frame, for unknown clients", framed},
	{"consent-skipped", "authorize", "as-consent-per-client", "no client needs the user's consent", nil},
	{"consent-remembered", "authorize", "as-authorize-reprompt-native", "a client that had consent once needs no other", nil},
	{"cimd-refused", "authorize", "cimd-advertised-but-refused", "metadata documents are advertised, and refused", nil},
	{"cimd-any-id", "authorize", "as-cimd-match", "a document may name another client", nil},
	{"cimd-any-method", "authorize", "cimd-methods-array", "a document whose list has no known method is taken", nil},
	{"cimd-private", "authorize", "as-cimd-ssrf", "documents in a private network are read", nil},

	{"token-get", "token", "as-token-post-only", "GET is answered 200", nil},
	{"token-password", "token", "as-oauth21", "the password grant is served", nil},
	{"token-query", "token", "token-req-no-query", "parameters are read from the query, and the code before the client", nil},
	{"token-grant-422", "token", "as-token-error-shape", "an unknown grant is answered 422", refusing(where(grantUnknown, fail(422, "unsupported_grant_type")))},
	{"token-repeat", "token", "token-req-param-once", "repeated parameters are taken", nil},
	{"token-error-cacheable", "token", "as-token-no-store", "refusals without Cache-Control", refusing(func(r *reply, s scene) bool {
		r.unset("Pragma")
		return sets("Cache-Control", "")(r, s)
	})},
	{"token-no-preflight", "token", "as-meta-cors", "scripts of other sites may not ask", nil},
	{"token-redirect-500", "token", "as-token-redirect-enforced", "a code with a foreign redirect URI ends in 500", nil},
	{"client-two-ways", "token", "clientauth-one-method", "clients may authenticate in two ways at once", nil},
	{"cc-public", "token", "ext-cc-confidential", "public clients get tokens for themselves", nil},
	{"cc-refresh", "token", "token-resp-cc-no-refresh", "client credentials give a refresh token", nil},
	{"code-lives-long", "token", "as-authorize-code-lifetime", "a code lives an hour", nil},
	{"code-any-client", "token", "as-token-code-bound", "a code works for every client", nil},
	{"code-reuse-keeps", "token", "as-token-code-reuse-revokes", "a code that comes again is refused, and its tokens live on", nil},
	{"token-redirect-unchecked", "token", "as-token-redirect-enforced", "any redirect_uri is taken with a code", nil},
	{"token-any-resource", "token", "as-token-resource-subset", "any resource is taken with a code", nil},
	{"refresh-any-resource", "token", "as-token-resource-subset", "any resource is taken with a refresh", nil},
	{"refresh-any-client", "token", "refresh-bound-client", "a refresh token works for every client", nil},
	{"refresh-widens", "token", "refresh-scope-not-wider", "a refresh gives every scope that it asks for", nil},
	{"refresh-refused-ends", "token", "as-refresh-policy", "a refresh for too much ends the tokens of the grant", nil},
	{"refresh-grace-bare", "token", "refresh-grace", "within the grace, a spent token gives no refresh token", nil},
	{"refresh-key-unchecked", "token", "ext-dpop-refresh-key", "a bound refresh token needs no proof", nil},
	{"id-token-as-access", "token", "rs-reject-foreign", "an ID token that works as an access token", nil},

	{"assertion-unsigned", "token", "clientauth-jwt-alg", "assertions of clients without a signature are taken", nil},
	{"assertion-any-audience", "token", "clientauth-jwt-aud", "assertions of clients for other servers are taken", nil},
	{"assertion-replayed", "token", "clientauth-jwt-fresh", "assertions of clients work again", nil},
	{"jag-typ-unchecked", "token", "ext-ema-jag-typ", "ID-JAGs of every type are taken", nil},
	{"jag-aud-unchecked", "token", "ext-ema-aud-single", "ID-JAGs for other servers are taken", nil},
	{"jag-client-unchecked", "token", "ext-ema-client-match", "ID-JAGs for other clients are taken", nil},
	{"jag-resource-unchecked", "token", "ext-ema-resource-match", "ID-JAGs for other resources are taken", nil},
	{"jag-exp-unchecked", "token", "ext-ema-jag-claims", "expired ID-JAGs are taken", nil},
	{"jag-jti-unchecked", "token", "ext-ema-replay", "ID-JAGs work again", nil},
	{"jag-signature-unchecked", "token", "ext-ema-signature", "the signature of ID-JAGs is not looked at", nil},
	{"workload-aud-unchecked", "token", "ext-wif-claims", "assertions about workloads for other servers are taken", nil},
	{"workload-exp-unchecked", "token", "ext-wif-claims", "expired assertions about workloads are taken", nil},
	{"workload-signature-unchecked", "token", "ext-wif-trust", "the signature of assertions about workloads is not looked at", nil},
	{"device-early-ends", "token", "ext-device-poll", "a poll that comes too early ends the device code", nil},
	{"device-any-client", "token", "as-token-code-bound", "a device code works for every client", nil},

	{"revoke-anybody", "revoke", "revoke-client-auth", "a request that names no client is answered 200", nil},
	{"revoke-foreign", "revoke", "revoke-owner-check", "every client can revoke every refresh token", nil},
	{"revoke-access-lives", "revoke", "revoke-refresh-supported", "a revoked access token lives on", nil},
	{"revoke-unknown-400", "revoke", "revoke-200-unknown", "an unknown token is answered 400", nil},
	{"introspect-anybody", "introspect", "as-introspect-auth", "everybody may introspect", nil},
	{"introspect-refresh", "introspect", "rs-reject-foreign", "refresh tokens are called active access tokens", nil},
}

// Those of sessions act where RSConfig.Sessions is set, origin-unchecked where SameOrigin is
// (or a server in front compares Origin), and rs-over-http where the resource is https.
var laxResourceFaults = []Fault{
	{"prm-host-reflected", "prm", "prm-host-not-reflected", "resource follows X-Forwarded-Host", reflects("resource")},
	{"prm-any-path", "prm", "rs-prm-resource-exact", "every path has metadata that claims it", nil},

	{"bearer-case", "mcp", "challenge-scheme-case", "the scheme is compared with its case", nil},
	{"query-token-read", "mcp", "rs-query-token-ignored", "a token in the query is taken", nil},
	{"malformed-500", "mcp", "challenge-400-malformed", "a malformed Authorization field ends in 500", nil},
	{"challenge-injection", "mcp", "rs-challenge-no-injection", "the challenge repeats what the caller sent", where(carrying("Authorization"), func(r *reply, s scene) bool {
		if r.challenge == nil {
			return false
		}
		return rawChallenges(r.challenge.String()+`, error_description="`+s.req.Header.Header("Authorization")[0]+`"`)(r, s)
	})},
	{"origin-unchecked", "mcp", "rs-origin-check", "pages of other sites may ask", nil},
	{"discover-open", "mcp", "challenge-every-method", "server/discover needs no token", nil},
	{"rs-over-http", "mcp", "bearer-https", "plain http is answered as well", nil},
	{"jwt-alg-none", "mcp", "rs-jwt-alg-allowlist", "unsigned tokens are taken", nil},
	{"jwt-hs256", "mcp", "rs-jwt-alg-allowlist", "tokens signed by HMAC are taken", nil},
	{"jwt-own-key", "mcp", "rs-issuer-trusted", "tokens signed by a key of their own header are taken", nil},
	{"jwt-unverified", "mcp", "rs-validate-token", "the signature of tokens is not looked at", nil},
	{"session-as-token", "mcp", "rs-handle-not-auth", "a session needs no token", nil},
	{"session-shared", "mcp", "rs-handle-bound", "a session works for every user", nil},
	{"session-unknown-500", "mcp", "rs-validate-before-work", "an unknown session ends in 500", nil},
	{"session-before-token", "mcp", "rs-validate-before-work", "a session is looked up before the token", nil},
}
