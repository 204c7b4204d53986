//go:build unix

package trap_test

import (
	"encoding/base64"
	"encoding/json"
	"maps"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stile-oauth/stile/fsm/audit"
	"github.com/stile-oauth/stile/states/wire"
)

// varieties are ways in which clients differ that keep the rules.
var varieties = map[string]string{
	"forgetful":     "keeps nothing: every start logs in anew",
	"localhost":     "has localhost in its redirect URI",
	"probes":        "asks by HEAD and OPTIONS before it calls",
	"stream":        "opens an event stream by GET",
	"retries":       "tries once more after 5xx",
	"extra":         "adds parameters to the authorization request",
	"printed":       "prints the address in place of starting a browser",
	"several-ports": "registers several loopback redirects",
	"early":         "reads the resource's metadata before it calls",
	"at-once":       "asks for all well-known addresses together",
	"document":      "names itself by a metadata document, and does not register",
	"by-hand":       "was registered by hand, without a secret",
	"by-hand-basic": "was registered by hand, with a secret",
	"signed":        "was registered by hand, with a key",
	"dpop":          "proves the possession of a key",
	"device":        "logs in by the device grant",
}

// A client that keeps the rules gives no finding, however it does so. Three traps for
// each variety are tried here; with make soak each trap is tried with two varieties
// (TestEveryVariety).
func TestVarieties(t *testing.T) {
	vary(t, []string{"cl.pkce", "cl.once", "cl.reg", "cl.basic-encoding", "cl.token-form", "cl.refresh-happens", "cl.reg-other-redirect", "cl.each-request", "cl.step-union", "cl.assertion", "cl.document"}, 4)
}

// vary tries each variety in every nth of the traps; the next variety begins one trap later.
func vary(t *testing.T, traps []string, nth int) {
	for i, name := range slices.Sorted(maps.Keys(varieties)) {
		var only []string
		for k, id := range traps {
			if k%nth == i%nth {
				only = append(only, id)
			}
		}
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := auditClient(t, name, only)
			for _, f := range r.Findings() {
				t.Errorf("%s: %s (expected %q, found %q, %s)", f.Check, f.Says, f.Want, f.Got, f.Shown)
			}
			if got := outcome(r, "cl.login"); !strings.HasPrefix(got, string(audit.Pass)) {
				t.Errorf("it does not log in: %s", got)
			}
		})
	}
}

// varied prepares what varieties and some deviations need of the HTTP client.
func (c *client) varied() {
	if c.broken("no-deadline") {
		c.http.Timeout = 0
	}
	if c.broken("cookie-jar") {
		c.http.Jar, _ = cookiejar.New(nil)
	}
}

// before is what some clients do before they call.
func (c *client) before() {
	origin := wire.Origin(c.server)
	ask := func(method, u string, more ...string) {
		req, _ := http.NewRequest(method, u, nil)
		for i := 0; i+1 < len(more); i += 2 {
			req.Header.Set(more[i], more[i+1])
		}
		if resp, err := c.http.Do(req); err == nil {
			_ = resp.Body.Close()
		}
	}
	if c.broken("probes") {
		ask(http.MethodHead, c.server, "MCP-Protocol-Version", "2025-11-25")
		ask(http.MethodOptions, c.server, "Origin", origin, "Access-Control-Request-Method", "POST")
	}
	if c.broken("early") || c.broken("at-once") {
		done := make(chan struct{})
		paths := []string{"/.well-known/oauth-protected-resource/mcp", "/.well-known/oauth-protected-resource", "/.well-known/oauth-authorization-server"}
		for _, p := range paths {
			go func() { ask(http.MethodGet, origin+p); done <- struct{}{} }()
			if c.broken("early") {
				<-done
			}
		}
		for range paths {
			if c.broken("at-once") {
				<-done
			}
		}
	}
	if c.broken("stream") && c.tokens.Access != "" {
		ask(http.MethodGet, c.server, "Accept", "text/event-stream", "Authorization", "Bearer "+c.tokens.Access)
	}
}

// byHandID is the client id that an operator got at the first issuer.
const byHandID = "client-of-the-operator"

// byHand is the client id of a client that does not register; "" for others.
func (c *client) byHand(asm map[string]any) string {
	reads, _ := asm["client_id_metadata_document_supported"].(bool)
	switch {
	case c.broken("document") && reads:
		return "https://client.example/mcp/client.json"
	case c.broken("document-http") && reads:
		return "http://client.example/mcp/client.json"
	case c.broken("document-bare") && reads:
		return "https://client.example"
	case c.broken("document"), c.broken("document-http"), c.broken("document-bare"):
		return "-"
	case c.broken("by-hand"), c.broken("signed"):
		return byHandID
	case c.broken("by-hand-basic"):
		c.tokens.Secret, c.tokens.Method = "secret of the operator", "client_secret_basic"
		return byHandID
	}
	return ""
}

// sign adds an assertion to a token request, in the form of a JWT; nobody verifies it.
func (c *client) sign(form url.Values) {
	if !c.broken("signed") {
		return
	}
	claims := map[string]any{"iss": c.tokens.ClientID, "sub": c.tokens.ClientID, "aud": c.tokens.Issuer, "jti": draw(), "exp": time.Now().Add(time.Minute).Unix()}
	switch {
	case c.broken("assertion-again"):
		claims["jti"] = "always-the-same"
	case c.broken("assertion-elsewhere"):
		claims["aud"] = "https://other.example"
	case c.broken("assertion-long"):
		claims["exp"] = time.Now().Add(24 * time.Hour).Unix()
	case c.broken("assertion-other"):
		claims["sub"] = "somebody"
	}
	part := func(v any) string { b, _ := json.Marshal(v); return base64.RawURLEncoding.EncodeToString(b) }
	form.Set("client_assertion_type", "urn:ietf:params:oauth:client-assertion-type:jwt-bearer")
	form.Set("client_assertion", part(map[string]string{"alg": "ES256", "typ": "JWT"})+"."+part(claims)+"."+draw())
}

// covers reports whether a resource's path is the server's or whole segments above it.
func (c *client) covers(resource, server string) bool {
	resource = strings.TrimSuffix(resource, "/")
	switch {
	case c.broken("part-resource"):
		return strings.HasPrefix(server, resource) || strings.HasPrefix(resource, server)
	case c.broken("fold-resource"):
		return strings.EqualFold(server, resource)
	}
	return server == resource || strings.HasPrefix(server, resource+"/")
}

// same compares issuers.
func (c *client) same(got, want string) bool {
	switch {
	case c.broken("issuer-starts"):
		return strings.HasPrefix(got, want)
	case c.broken("issuer-origin"):
		return wire.Origin(got) == wire.Origin(want)
	}
	return got == want
}

// steered goes where the body of a refusal says.
func (c *client) steered() {
	var m map[string]any
	if c.broken("body-steers") && json.Unmarshal([]byte(c.refusal), &m) == nil && text(m, "authorization_uri") != "" {
		_, _ = c.document(text(m, "authorization_uri"))
	}
}
