package proving

import (
	"encoding/base64"
	"strings"
	"time"

	"github.com/stile-oauth/stile/fsm/audit"
	"github.com/stile-oauth/stile/states/wire"
)

// encode encodes as base64url.
func encode(s string) string { return base64.RawURLEncoding.EncodeToString([]byte(s)) }

const (
	canary = "stile-audit-canary.invalid"
	// rsaKeys is a published RSA key; nobody has its private half.
	rsaKeys = `{"keys":[{"kty":"RSA","kid":"1","use":"sig","alg":"RS256","e":"AQAB","n":"`
	ours    = `{"iss":"https://as.example","aud":"https://mcp.example/mcp","exp":4102444800}`
	foreign = `{"iss":"https://as.example","aud":"https://other.example/mcp","exp":4102444800}`
	worked  = `{"jsonrpc":"2.0","id":1,"result":{}}`
)

// servers are the deviations that the peer has no fault for, by check.
var servers = map[string]deviation{
	"ch.both-eras":   {wrong: []edit{{"mcp.discover", answers(200, worked)}}},
	"ch.body-leak":   {wrong: []edit{{"mcp.initialize", body("Traceback (most recent call last):\n  File \"/srv/app.py\", line 3, in get")}}},
	"ch.stable":      {wrong: []edit{{"mcp.again.1", says("WWW-Authenticate", `Bearer realm="other"`)}}},
	"ch.query-token": {wrong: []edit{{"mcp.query-token", answers(200, worked)}}},
	"ch.origin":      {both: []edit{{"mcp.origin", answers(403, "")}}, wrong: []edit{{"mcp.origin", answers(200, worked)}}},
	"ch.injection":   {wrong: []edit{{"mcp.inject.token", says("WWW-Authenticate", `Bearer realm="stile-audit",injected="x"`)}}},
	"ch.host": {server: "http://127.0.0.1:8080/mcp", both: []edit{{"mcp.*", answers(401, "")}, {"mcp.host", answers(421, "")}},
		wrong: []edit{{"mcp.host", answers(200, worked)}}},
	"ch.self-signed": {asks: []string{"/jwks"}},
	"ch.hs-confusion": {both: []edit{{"jwks.0", answers(200, rsaKeys+strings.Repeat("A", 342)+`"}]}`)}},
		wrong: []edit{{"mcp.token.hs.0", answers(200, worked)}}},

	"prm.agree":   {wrong: []edit{{"prm.root", has("authorization_servers", []string{"https://evil.example"})}}},
	"prm.cors":    {wrong: []edit{{"prm.*", says("Access-Control-Allow-Origin", "")}}},
	"prm.cache":   {wrong: []edit{{"prm.*", says("Cache-Control", "")}}},
	"prm.reflect": {wrong: []edit{{"reflect.prm.*", has("resource", "https://"+canary+"/mcp")}}},
	"prm.dpop-flag": {both: []edit{{"prm.*", has("dpop_bound_access_tokens_required", true)}, {"asm.*", has("dpop_signing_alg_values_supported", []string{"ES256"})}},
		wrong: []edit{{"asm.*", has("dpop_signing_alg_values_supported", nil)}}},
	"prm.soft404": {wrong: []edit{{"prm.soft404", answers(200, `{"resource":"https://mcp.example/stile-audit/no-such-path"}`)}}},

	"asm.issuer-form": {wrong: []edit{{"asm.*", has("issuer", "https://as.example?tenant=1")}}},
	"asm.grants":      {wrong: []edit{{"asm.*", has("grant_types_supported", []string{"implicit"})}}},
	"asm.route-in":    {wrong: []edit{{"asm.*", has("registration_endpoint", nil)}, {"asm.*", has("client_id_metadata_document_supported", nil)}}},
	"asm.none-alg":    {wrong: []edit{{"asm.*", has("id_token_signing_alg_values_supported", []string{"ES256", "none"})}}},
	"asm.cors-cache":  {wrong: []edit{{"asm.*", says("Access-Control-Allow-Origin", "")}}},
	"asm.reflect":     {wrong: []edit{{"reflect.asm.*", has("issuer", "https://"+canary)}}},
	"asm.agree":       {wrong: []edit{{"asm.0.1", has("token_endpoint", "https://as.example/other")}}},

	"az.frame": {both: []edit{{"az.unknown.*", answers(200, "<form>")}, {"az.unknown.*", says("Content-Type", "text/html")}, {"az.unknown.*", says("X-Frame-Options", "DENY")}},
		wrong: []edit{{"az.unknown.*", answers(200, "<form>")}, {"az.unknown.*", says("Content-Type", "text/html")}}},
	"az.cookies": {both: []edit{{"az.good", says("Set-Cookie", "__Host-session=stile-audit; Path=/; Secure; HttpOnly; SameSite=Lax")}},
		wrong: []edit{{"az.good", says("Set-Cookie", "session=stile-audit; Path=/; Secure")}}},
	"az.no-cors":       {wrong: []edit{{"az.unknown.*", says("Access-Control-Allow-Origin", "*")}}},
	"az.loopback-port": {wrong: []edit{{"az.port", answers(400, "wrong port")}}},
	"az.no-pkce":       {wrong: []edit{{"az.no-pkce", sends}}},
	"az.plain":         {wrong: []edit{{"az.plain", sends}}},
	"az.response-type": {wrong: []edit{{"az.type.token", sends}}},
	"az.repeat":        {wrong: []edit{{"az.twice", sends}}},
	"az.unknown-param": {wrong: []edit{{"az.unknown", answers(400, "what is stile_audit_unknown?")}}},
	"az.bad-scope":     {wrong: []edit{{"az.scope", answers(400, "no such scope")}}},
	"az.no-307":        {both: []edit{{"az.post", sends}}, wrong: []edit{{"az.post", answers(307, "")}, {"az.post", says("Location", "https://as.example/login")}}},
	"az.bad-resource":  {wrong: []edit{{"az.resource", sends}}},

	"tok.get":          {wrong: []edit{{"tok.get.*", answers(200, `{}`)}}},
	"tok.password":     {wrong: []edit{{"tok.password.*", answers(400, `{"error":"invalid_grant"}`)}}},
	"tok.query":        {wrong: []edit{{"tok.query.*", answers(400, `{"error":"invalid_grant"}`)}}},
	"tok.no-store":     {wrong: []edit{{"tok.empty.*", says("Cache-Control", "max-age=60")}}},
	"tok.cc-public":    {wrong: []edit{{"client.itself", answers(200, token)}}},
	"tok.two-methods":  {wrong: []edit{{"client.basic.both", answers(400, `{"error":"invalid_grant"}`)}}},
	"tok.bad-redirect": {wrong: []edit{{"client.redirect", answers(500, "")}}},
	"rev.auth":         {wrong: []edit{{"rev.nobody.*", answers(200, "")}}},
	"int.auth":         {wrong: []edit{{"int.*", answers(200, `{"active":false}`)}}},

	"reg.advertised-method": {wrong: []edit{{"reg.method.client_secret_basic", answers(400, `{"error":"invalid_client_metadata"}`)}}},
	"reg.unsafe-urls":       {asks: []string{"/logo"}},
	"cimd.accepts":          {wrong: []edit{{"cimd.good", answers(400, "what is this client?")}}},
	"cimd.mismatch":         {wrong: []edit{{"cimd.moved", sends}}},
	"cimd.methods":          {wrong: []edit{{"cimd.no-method", sends}}},
	"cimd.ssrf":             {wrong: []edit{{"cimd.private", sends}}},
	"reg.app-type":          {wrong: []edit{{"reg.web", registers}}},
	"reg.after-delete":      {wrong: []edit{{"deleted.authorize", sends}}},
	"tok.timing": {both: []edit{{"tok.secret.4", answers(429, `{"error":"temporarily_unavailable"}`)}},
		wrong: []edit{{"tok.secret.4", answers(401, `{"error":"invalid_client"}`)}}},
	"reg.http-redirect": {wrong: []edit{{"reg.http", registers}}},
	"reg.bad-scheme":    {wrong: []edit{{"reg.scheme.0", registers}}},
	"reg.fragment-wild": {wrong: []edit{{"reg.form.0", registers}}},
	"reg.unknown":       {wrong: []edit{{"reg.extra", answers(400, `{"error":"invalid_client_metadata"}`)}}},
	"reg.chosen-id":     {wrong: []edit{{"reg.chosen", has("client_id", "stile-audit-chosen")}}},
	"reg.id-namespace":  {wrong: []edit{{"grant.register", has("client_id", "https://as.example/clients/1")}}},

	"lg.jwt":              {both: []edit{{"main.token", has("access_token", jwt(ours))}}, wrong: []edit{{"main.token", has("access_token", jwt(foreign))}}},
	"lg.verifier-missing": {wrong: []edit{{"code.no-verifier", answers(200, token)}}},
	"lg.verifier-unasked": {both: []edit{{"az.no-pkce", sends}, {"unasked.visit", comesBack}, {"unasked.token", answers(400, `{"error":"invalid_grant"}`)}},
		wrong: []edit{{"unasked.token", answers(200, token)}}},
	"lg.code-life":      {wrong: []edit{{"late.token", answers(200, token)}}},
	"lg.redirect-wrong": {wrong: []edit{{"code.wrong-redirect", answers(200, token)}}},
	"lg.code-client":    {wrong: []edit{{"code.other-client", answers(200, token)}}},
	"lg.resource-other": {wrong: []edit{{"code.other-resource", answers(200, token)}}},

	"aud.scheme":        {wrong: []edit{{"main.lower", answers(401, "")}}},
	"aud.query":         {wrong: []edit{{"main.query", answers(200, worked)}}},
	"aud.id-token":      {faults: []string{"token-id-token"}, wrong: []edit{{"main.id-token", answers(200, worked)}}},
	"aud.each-request":  {both: []edit{{"main.call", says("Mcp-Session-Id", "stile-audit-session")}}, wrong: []edit{{"main.session.bare", answers(200, worked)}}},
	"aud.stale-session": {both: []edit{{"main.stale", answers(404, "")}}, wrong: []edit{{"main.stale", answers(500, "")}}},
	"aud.no-resource": {both: []edit{{"bare.token", has("access_token", jwt(ours))}, {"bare.call", answers(200, worked)}},
		wrong: []edit{{"bare.token", has("access_token", jwt(foreign))}}},

	"scope.ends": {wrong: []edit{{"step.tool", answers(403, "")}, {"step.tool", says("WWW-Authenticate", `Bearer error="insufficient_scope", scope="admin"`)}}},
	"scope.catalogue": {both: []edit{{"prm.*", has("scopes_supported", []string{"user", "files", "admin", "billing"})}},
		wrong: []edit{{"main.tool", says("WWW-Authenticate", `Bearer error="insufficient_scope", scope="user files admin billing"`)}}},

	"ref.fresh-alive":    {wrong: []edit{{"main.later-call", answers(401, "")}}},
	"ref.widen":          {wrong: []edit{{"main.widened", answers(200, strings.Replace(token, `"user"`, `"user stile-audit:no-such-scope"`, 1))}}},
	"ref.other-resource": {wrong: []edit{{"main.other-resource", answers(200, token)}}},
	"ref.other-client":   {wrong: []edit{{"code.other-refresh", answers(200, token)}}},
	"ref.grace-complete": {wrong: []edit{{"grace.race'", has("refresh_token", nil)}}},
	"rev.foreign":        {wrong: []edit{{"code.still", answers(400, `{"error":"invalid_grant"}`)}}},

	"ext.cc-meta": {both: []edit{{"asm.*", has("grant_types_supported", []string{"authorization_code", "client_credentials"})}},
		wrong: []edit{{"asm.*", has("token_endpoint_auth_methods_supported", []string{"none"})}}},
	"ext.ema-meta": {both: []edit{{"asm.*", has("authorization_grant_profiles_supported", []string{"urn:ietf:params:oauth:grant-profile:id-jag"})},
		{"asm.*", has("grant_types_supported", []string{"authorization_code", "urn:ietf:params:oauth:grant-type:jwt-bearer"})}},
		wrong: []edit{{"asm.*", has("grant_types_supported", []string{"authorization_code"})}}},
	"ext.dpop-meta": {both: []edit{{"asm.*", has("dpop_signing_alg_values_supported", []string{"ES256"})}},
		wrong: []edit{{"asm.*", has("dpop_signing_alg_values_supported", []string{"ES256", "HS256"})}}},

	"dev.slow-down": {both: []edit{{"device.poll", pending}, {"device.quick", answers(400, `{"error":"slow_down"}`)}},
		wrong: []edit{{"device.quick", answers(400, `{"error":"expired_token"}`)}}},
	"dev.client": {both: []edit{{"device.poll", pending}, {"device.foreign", answers(400, `{"error":"invalid_grant"}`)}},
		wrong: []edit{{"device.foreign", pending}}},

	"az.silent-redirect": {wrong: []edit{{"silent.visit", comesBack}}},
	"lg.reconsent":       {wrong: []edit{{"reconsent.visit", comesBack}}},
	"lg.denied":          {wrong: []edit{{"denied.visit", landsAt("error=access_denied&iss=https%3A%2F%2Fas.example")}}},
	"aud.session-cross": {both: []edit{{"main.call", says("Mcp-Session-Id", "stile-audit-session")}, {"cross.call", answers(404, "")}},
		wrong: []edit{{"cross.call", answers(200, worked)}}},

	"ext.cc-wrong":      {wrong: []edit{{"cc.replayed", answers(200, token)}}},
	"ext.cc-aud":        {wrong: []edit{{"cc.aud.other", answers(200, token)}}},
	"ext.cc-no-rt":      {wrong: []edit{{"cc.right", answers(200, token)}}},
	"ext.ema-typ":       {wrong: []edit{{"ema.typ", answers(200, token)}}},
	"ext.ema-aud":       {wrong: []edit{{"ema.aud-two", answers(200, token)}}},
	"ext.ema-client":    {wrong: []edit{{"ema.client", answers(200, token)}}},
	"ext.ema-resource":  {wrong: []edit{{"ema.resource", answers(200, token)}}},
	"ext.ema-expired":   {wrong: []edit{{"ema.expired", answers(200, token)}}},
	"ext.ema-replay":    {wrong: []edit{{"ema.replayed", answers(200, token)}}},
	"ext.ema-signature": {wrong: []edit{{"ema.none", answers(200, token)}}},
	"ext.wif-aud":       {wrong: []edit{{"wif.aud", answers(200, token)}}},
	"ext.wif-expired":   {wrong: []edit{{"wif.no-exp", answers(200, token)}}},
	"ext.wif-signature": {wrong: []edit{{"wif.key", answers(200, token)}}},
	"ext.dpop-rs":       {wrong: []edit{{"dpop.bad.htu", answers(200, worked)}}},
	"ext.dpop-rt":       {wrong: []edit{{"dpop.refresh.other", answers(200, token)}}},

	"net.https":        {wrong: []edit{{"mcp.initialize", func(x *audit.Exchange) { x.TLS = &audit.TLS{Version: "1.0", NotAfter: start.AddDate(1, 0, 0)} }}}},
	"net.http-twin":    {wrong: []edit{{"net.twin", answers(200, worked)}}},
	"net.private-dns":  {wrong: []edit{{"names.as.example", func(x *audit.Exchange) { x.Addresses = []string{"203.0.113.7", "64:ff9b::a00:1"} }}}},
	"net.header-strip": {wrong: []edit{{"mcp.initialize", says("WWW-Authenticate", "")}}},
	"net.clock": {both: []edit{{"mcp.*", func(x *audit.Exchange) { says("Date", x.Clock.UTC().Format(httpDate))(x) }}},
		wrong: []edit{{"mcp.*", says("Date", "Tue, 28 Jul 2026 14:00:00 GMT")}}},
	"net.size-time": {wrong: []edit{{"prm.path", func(x *audit.Exchange) { x.Took = 7 * time.Second }}}},
	"net.cookies":   {wrong: []edit{{"asm.0.0", says("Set-Cookie", "session=stile-audit")}}},
	"net.rate": {both: []edit{{"asm.0.1", answers(429, "")}, {"asm.0.1", says("Retry-After", "1")}},
		wrong: []edit{{"asm.0.1", says("Retry-After", "")}}},
}

// comesBack makes the browser land at the client with a code.
func comesBack(x *audit.Exchange) {
	x.Waits, x.Page = false, false
	x.Failure, x.Request = "", wire.Request{Method: "GET", URL: "http://127.0.0.1:4711/callback?code=stile-audit-code&state=stile-audit&iss=https%3A%2F%2Fas.example"}
}

// pending is the answer to a poll that nobody has decided on.
func pending(x *audit.Exchange) { answers(400, `{"error":"authorization_pending"}`)(x) }

// landsAt makes the browser come back to the client with these parameters.
func landsAt(query string) func(*audit.Exchange) {
	return func(x *audit.Exchange) {
		x.Failure, x.Request = "", wire.Request{Method: "GET", URL: "http://127.0.0.1:4711/callback?" + query}
	}
}

// httpDate is how the Date field is written (RFC 9110 §5.6.7).
const httpDate = "Mon, 02 Jan 2006 15:04:05 GMT"

// body replaces the body of the answer and leaves the rest unchanged.
func body(s string) func(*audit.Exchange) {
	return func(x *audit.Exchange) { x.Response.Body = []byte(s) }
}
