package devas_test

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"github.com/modelcontextprotocol/go-sdk/mcp"

	"github.com/stile-oauth/stile/fsm/peer"
	"github.com/stile-oauth/stile/httpdriver/bearer"
	"github.com/stile-oauth/stile/httpdriver/devas"
)

// faulty is a site whose resource server has a fault that a good call does not meet.
func faulty(t *testing.T, change func(*devas.ASConfig, *devas.RSConfig)) *site {
	t.Helper()
	return newSite(t, func(a *devas.ASConfig, r *devas.RSConfig) {
		r.Faults = []string{"scope-403-no-scope"}
		if change != nil {
			change(a, r)
		}
	})
}

// With and without faults a call gets to the tool, with who calls and what they sent.
func TestCallsGetThrough(t *testing.T) {
	for name, make := range map[string]func(*testing.T, func(*devas.ASConfig, *devas.RSConfig)) *site{"without faults": newSite, "with faults": faulty} {
		s := make(t, nil)
		client, access, _ := s.login("scope", "user admin")
		token := []string{"Authorization", "Bearer " + access}
		session, err := mcp.NewClient(&mcp.Implementation{Name: "test", Version: "1"}, nil).Connect(t.Context(),
			&mcp.StreamableClientTransport{Endpoint: s.resource, HTTPClient: &http.Client{Transport: withToken(access)}}, nil)
		if err != nil {
			t.Fatal(err)
		}
		tool := func(tool, zone string) string {
			r, err := session.CallTool(t.Context(), &mcp.CallToolParams{Name: tool, Arguments: map[string]any{"zone": zone}})
			if err != nil {
				return err.Error()
			}
			out, err := json.Marshal(r)
			if err != nil {
				t.Fatal(err)
			}
			return string(out)
		}
		if who := callTool(t, session, "whoami"); !strings.Contains(who, `"subject":"demo_user"`) || !strings.Contains(who, client) || !strings.Contains(who, `"admin"`) {
			t.Errorf("%s: whoami says %s", name, who)
		}
		s.ahead.Store(int64(30 * time.Minute))
		there := time.Now().Add(30 * time.Minute).In(time.FixedZone("", 9*3600))
		got := tool("get_time", "Asia/Tokyo")
		if !strings.Contains(got, there.Format("2006-01-02T15:04")) && !strings.Contains(got, there.Add(time.Minute).Format("2006-01-02T15:04")) ||
			!strings.Contains(got, "+09:00") || !strings.Contains(got, `"zone":"Asia/Tokyo"`) {
			t.Errorf("%s: at %v the time in Tokyo is %s", name, there, got)
		}
		if got := tool("get_time", "Nowhere/Town"); !strings.Contains(got, "that time zone is not known") {
			t.Errorf("%s: %s", name, got)
		}
		if err := session.Close(); err != nil {
			t.Error(err)
		}
		s.ahead.Store(0)
		allowed := s.call("whoami", append(token, "Origin", "http://localhost:6274")...)
		if allowed.header.Get("Access-Control-Allow-Origin") != "http://localhost:6274" || allowed.header.Get("Vary") != "Origin" ||
			!strings.Contains(allowed.header.Get("Access-Control-Expose-Headers"), "WWW-Authenticate") {
			t.Errorf("%s: a page may not read the answer: %v", name, allowed.header)
		}
		if a := s.call("whoami", append(token, "Origin", "http://localhost:6274", "Origin", "http://localhost:6274")...); a.status != 403 {
			t.Errorf("%s: two origins: %d", name, a.status)
		}
	}
}

// A revision with sessions has them, and one without has none.
func TestSessions(t *testing.T) {
	s := newSite(t, nil)
	_, access, _ := s.login()
	for revision, want := range map[string]bool{"2025-06-18": true, "2025-11-25": true, "2026-07-28": false} {
		a := s.do("POST", s.resource, `{"jsonrpc":"2.0","id":1,"method":"initialize","params":{"protocolVersion":"`+revision+`","capabilities":{},"clientInfo":{"name":"x","version":"1"}}}`,
			"Authorization", "Bearer "+access, "Content-Type", "application/json", "Accept", "application/json, text/event-stream", "MCP-Protocol-Version", revision)
		if got := a.header.Get("Mcp-Session-Id") != ""; got != want {
			t.Errorf("%s: a session %v: %d %s", revision, got, a.status, a.body)
		}
	}
}

// A preflight request is answered with what a page may send, and gets no further.
func TestPreflight(t *testing.T) {
	asked := 0
	s := newSite(t, func(_ *devas.ASConfig, r *devas.RSConfig) {
		r.MCP = http.HandlerFunc(func(http.ResponseWriter, *http.Request) { asked++ })
	})
	a := s.do("OPTIONS", s.resource, "", "Origin", "http://localhost:6274", "Access-Control-Request-Method", "POST")
	for _, name := range []string{"Authorization", "DPoP", "Mcp-Session-Id", "MCP-Protocol-Version"} {
		if !strings.Contains(a.header.Get("Access-Control-Allow-Headers"), name) {
			t.Errorf("%s may not be sent: %v", name, a.header)
		}
	}
	if a.status != 204 || !strings.Contains(a.header.Get("Access-Control-Allow-Methods"), "DELETE") || a.header.Get("Access-Control-Max-Age") != "600" || asked != 0 {
		t.Errorf("%d %v, asked %d times", a.status, a.header, asked)
	}
}

// A server that does not take tokens bound to keys does not say that it does.
func TestProofsAreOffered(t *testing.T) {
	for _, c := range []struct {
		policy      peer.DPoP
		bearer, own bool
	}{{peer.NoDPoP, true, false}, {peer.DPoPOffered, true, true}, {peer.DPoPRequired, false, true}} {
		s := newSite(t, func(a *devas.ASConfig, r *devas.RSConfig) { r.DPoP = c.policy })
		_, access, _ := s.login()
		bare := s.call("get_time")
		challenges := strings.Join(bare.header.Values("WWW-Authenticate"), ", ")
		if nonce := bare.header.Get("DPoP-Nonce"); nonce != "" {
			t.Errorf("policy %v: a nonce %q that nobody wants", c.policy, nonce)
		}
		if got := strings.Contains(challenges, "DPoP "); got != c.own {
			t.Errorf("policy %v: challenged with %s", c.policy, challenges)
		}
		if a := s.call("get_time", "Authorization", "Bearer "+access); (a.status == 200) != c.bearer {
			t.Errorf("policy %v: a bearer token: %d", c.policy, a.status)
		}
		m := s.do("GET", strings.Replace(s.resource, "/mcp", "/.well-known/oauth-protected-resource/mcp", 1), "").json(t)
		if got := m["dpop_bound_access_tokens_required"] == true; got == c.bearer {
			t.Errorf("policy %v: required %v", c.policy, got)
		}
		if got := m["dpop_signing_alg_values_supported"] != nil; got != c.own {
			t.Errorf("policy %v: %v", c.policy, m)
		}
	}
}

// With faults, a body of one MiB is read, and one that is longer or breaks off is not.
func TestSizesWithFaults(t *testing.T) {
	rc, err := introspecting("http://127.0.0.1:8001/mcp", devas.Server{Issuer: "http://127.0.0.1:9000", Introspection: "http://127.0.0.1:9000/introspect"})
	if err != nil {
		t.Fatal(err)
	}
	rc.Faults = []string{"scope-403-no-scope"}
	rs, err := devas.NewRS(rc)
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		body io.Reader
		want int
	}{
		"one MiB":      {bytes.NewReader(make([]byte, 1<<20)), 401},
		"a byte more":  {bytes.NewReader(make([]byte, 1<<20+1)), 413},
		"broken off":   {iotest.ErrReader(io.ErrUnexpectedEOF), 413},
		"without body": {http.NoBody, 401},
	} {
		w := httptest.NewRecorder()
		rs.ServeHTTP(w, httptest.NewRequest("POST", "http://127.0.0.1:8001/mcp", c.body))
		if w.Code != c.want {
			t.Errorf("%s: %d %s", name, w.Code, w.Body)
		}
	}
}

// With faults, the server keeps every other rule that it is configured with.
func TestRulesWithFaults(t *testing.T) {
	for _, faults := range [][]string{nil, {"challenge-several"}} {
		s := newSite(t, func(a *devas.ASConfig, r *devas.RSConfig) {
			a.Clients = append(a.Clients, peer.PreClient{ID: "machine", Secret: "s", GrantTypes: []string{"client_credentials"}})
			r.Faults, r.Implies = faults, [][2]string{{"admin", "user"}}
		})
		scoped := func(scope, resource string) string {
			access, _ := s.form("/token", "grant_type", "client_credentials", "client_id", "machine", "client_secret", "s", "scope", scope, "resource", resource).json(t)["access_token"].(string)
			return access
		}
		for name, c := range map[string]struct {
			token string
			tool  string
			want  int
		}{
			"a scope that implies":  {scoped("admin", s.resource), "get_time", 200},
			"no scope for the tool": {scoped("user", s.resource), "whoami", 403},
			"the tool's scope":      {scoped("user admin", s.resource), "whoami", 200},
			"of another resource":   {scoped("user", "http://127.0.0.1:1/other"), "get_time", 401},
			"made up":               {"x", "get_time", 401},
		} {
			if a := s.call(c.tool, "Authorization", "Bearer "+c.token); a.status != c.want {
				t.Errorf("faults %v, %s: %d %s", faults, name, a.status, a.body)
			}
		}
		s.ahead.Store(int64(2 * time.Hour))
	}
}

// A token without an audience is taken only where that is allowed, and metadata is served
// unless it is switched off, with faults as well.
func TestPoliciesWithFaults(t *testing.T) {
	for _, faults := range [][]string{nil, {"scope-403-no-scope"}} {
		for _, lenient := range []bool{true, false} {
			s := newSite(t, func(a *devas.ASConfig, r *devas.RSConfig) {
				r.Faults, r.AllowMissingAudience, r.NoMetadata = faults, lenient, lenient
				r.Verifier = bearer.VerifierFunc(func(context.Context, string) (bearer.Claims, error) {
					return bearer.Claims{Issuer: a.Issuer, Subject: "x", ClientID: "y", Scopes: []string{"user"}, Expires: time.Now().Add(time.Hour), Type: "Bearer"}, nil
				})
			})
			a := s.call("get_time", "Authorization", "Bearer x")
			if (a.status == 200) != lenient {
				t.Errorf("faults %v, lenient %v: %d %s", faults, lenient, a.status, a.body)
			}
			m := s.do("GET", strings.Replace(s.resource, "/mcp", "/.well-known/oauth-protected-resource/mcp", 1), "")
			if (m.status == 404) != lenient || !lenient && m.json(t)["resource"] != s.resource {
				t.Errorf("faults %v, no metadata %v: %d %s", faults, lenient, m.status, m.body)
			}
		}
	}
}

// With faults, the verifier is asked about tokens only, and its no is a no.
func TestVerifierWithFaults(t *testing.T) {
	var asked []string
	s := faulty(t, func(a *devas.ASConfig, r *devas.RSConfig) {
		r.Verifier = bearer.VerifierFunc(func(_ context.Context, token string) (bearer.Claims, error) {
			asked = append(asked, token)
			return bearer.Claims{
				Issuer: a.Issuer, Subject: "x", ClientID: "y", Scopes: []string{"user"}, Audience: []string{r.Resource}, Expires: time.Now().Add(time.Hour), Type: "Bearer",
			}, bearer.ErrInvalidToken
		})
	})
	for _, header := range [][]string{nil, {"Authorization", "Bearer"}, {"Authorization", "Bearer a b"}, {"Authorization", "Bearer good"}} {
		if a := s.call("get_time", header...); a.status < 400 {
			t.Errorf("%v: %d", header, a.status)
		}
	}
	if !slices.Equal(asked, []string{"good"}) {
		t.Errorf("asked about %q", asked)
	}
}

// The MCP server that is protected also serves without a guard, to nobody in particular.
func TestMCPAlone(t *testing.T) {
	ln := listen(t)
	serve(t, ln, devas.NewMCP(time.Now))
	session, err := mcp.NewClient(&mcp.Implementation{Name: "test", Version: "1"}, nil).Connect(t.Context(),
		&mcp.StreamableClientTransport{Endpoint: "http://" + ln.Addr().String()}, nil)
	if err != nil {
		t.Fatal(err)
	}
	if who := callTool(t, session, "whoami"); !strings.Contains(who, `"subject":""`) || !strings.Contains(who, `"scopes":[]`) {
		t.Errorf("whoami says %s", who)
	}
	if err := session.Close(); err != nil {
		t.Error(err)
	}
}
