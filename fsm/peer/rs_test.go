package peer

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stile-oauth/stile/states/rules"
	"github.com/stile-oauth/stile/states/wire"
)

// who is a Verify that knows a few tokens.
func who(_ time.Time, token string) Introspection {
	i := Introspection{
		Active: true, Issuer: issuer, Subject: "ann", ClientID: "c", Scopes: []string{"user"}, Audience: []string{resource},
		Expires: noon.Add(time.Hour),
	}
	switch token {
	case "good":
	case "admin":
		i.Scopes = []string{"admin"}
	case "foreign":
		i.Audience = []string{"https://other.example/mcp"}
	case "slash":
		i.Audience = []string{resource + "/"}
	case "aimless":
		i.Audience = nil
	case "elsewhere":
		i.Issuer = "https://elsewhere.example"
	case "late":
		i.Expires = noon
	default:
		return Introspection{}
	}
	return i
}

func TestResourceServer(t *testing.T) {
	base := RSConfig{
		Resource: resource, AuthorizationServers: []string{issuer}, Scopes: []string{"user"},
		Rules: []ScopeRule{{Tool: "purge", Scopes: []string{"admin"}}, {Method: "DELETE", Scopes: []string{"delete"}}, {Path: "/mcp/x", Scopes: []string{"x"}}},
	}
	purge := `{"method":"tools/call","params":{"name":"purge"}}`
	cases := []struct {
		name, method, url, auth, body string
		change                        func(*RSConfig)
		status                        int
		challenge                     string
	}{
		{"no token", "POST", resource, "", "", nil, 401, `Bearer scope="user", resource_metadata=`},
		{"no token for a tool", "POST", resource, "", purge, nil, 401, `Bearer scope="user admin", resource_metadata=`},
		{"Basic", "POST", resource, "Basic x", "", nil, 401, `Bearer scope="user", resource_metadata=`},
		{"no token behind the scheme", "POST", resource, "Bearer ", "", nil, 400, `Bearer error="invalid_request"`},
		{"two tokens", "POST", resource, "Bearer a b", "", nil, 400, `Bearer error="invalid_request"`},
		{"made up", "POST", resource, "Bearer x", "", nil, 401, `Bearer error="invalid_token"`},
		{"expired", "POST", resource, "Bearer late", "", nil, 401, `Bearer error="invalid_token"`},
		{"foreign", "POST", resource, "Bearer foreign", "", nil, 401, `Bearer error="invalid_token"`},
		{"foreign issuer", "POST", resource, "Bearer elsewhere", "", nil, 401, `Bearer error="invalid_token"`},
		{"no audience", "POST", resource, "Bearer aimless", "", nil, 401, `Bearer error="invalid_token"`},
		{"no audience, allowed", "POST", resource, "Bearer aimless", "", func(c *RSConfig) { c.NoAudience = true }, 200, ""},
		{"foreign, no audience allowed", "POST", resource, "Bearer foreign", "", func(c *RSConfig) { c.NoAudience = true }, 401, `Bearer error="invalid_token"`},
		{"a slash more", "POST", resource, "Bearer slash", "", nil, 200, ""},
		{"good", "POST", resource, "bearer good", "", nil, 200, ""},
		{"good below", "POST", resource + "/y", "Bearer good", "", nil, 200, ""},
		{"good for a tool", "POST", resource, "Bearer good", purge, nil, 403, `Bearer error="insufficient_scope", scope="user admin"`},
		{"good for a method", "DELETE", resource, "Bearer good", "", nil, 403, `Bearer error="insufficient_scope", scope="user delete"`},
		{"good for a path", "POST", resource + "/x", "Bearer good", "", nil, 403, `Bearer error="insufficient_scope", scope="user x"`},
		{"broad, not implied", "POST", resource, "Bearer admin", purge, nil, 403, `Bearer error="insufficient_scope", scope="user admin"`},
		{"broad, implied", "POST", resource, "Bearer admin", purge, func(c *RSConfig) { c.Implies = [][2]string{{"admin", "user"}} }, 200, ""},
		{"token in the query", "POST", resource + "?access_token=good", "", "", nil, 401, `Bearer scope="user"`},
		{"a sibling path", "POST", resource + "2", "Bearer good", "", nil, 404, ""},
		{"another origin", "POST", "https://other.example/mcp", "Bearer good", "", nil, 404, ""},
		{"metadata", "GET", prmAddress(resource), "", "", nil, 200, ""},
		{"metadata at the root", "GET", "https://mcp.example/.well-known/oauth-protected-resource", "", "", nil, 200, ""},
		{"metadata of a sibling", "GET", prmAddress(resource) + "2", "", "", nil, 404, ""},
		{"metadata by POST", "POST", prmAddress(resource), "", "", nil, 405, ""},
		{"metadata preflight", "OPTIONS", prmAddress(resource), "", "", nil, 204, ""},
		{"legacy metadata", "GET", prmAddress(resource), "", "", func(c *RSConfig) { c.NoMetadata = true }, 404, ""},
		{"legacy challenge", "POST", resource, "", "", func(c *RSConfig) { c.NoMetadata = true }, 401, `Bearer scope="user"`},
		{"legacy bare challenge", "POST", resource, "", "", func(c *RSConfig) { c.NoMetadata = true; c.Scopes = nil }, 401, `Bearer realm="mcp"`},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			config := base
			if c.change != nil {
				c.change(&config)
			}
			s, err := NewRS(config)
			if err != nil {
				t.Fatal(err)
			}
			req := wire.Request{Method: c.method, URL: c.url, Body: []byte(c.body)}
			if c.auth != "" {
				req.Header = wire.Fields{{Name: "Authorization", Value: c.auth}}
			}
			r := s.Answer(noon, req, who)
			got := strings.Join(r.Header.Header("WWW-Authenticate"), "\n")
			if r.Status != c.status || !strings.HasPrefix(got, c.challenge) || c.challenge == "" && got != "" {
				t.Errorf("%d %s", r.Status, got)
			}
			if config.NoMetadata && strings.Contains(got, "resource_metadata") {
				t.Errorf("metadata is named: %s", got)
			}
			j := s.Judge(noon, req, who)
			if j.Pass != (c.status == 200 && !strings.Contains(c.url, "well-known")) {
				t.Errorf("pass is %v", j.Pass)
			}
			if _, known := rules.Lookup(j.Verdict.Rule); known != (c.challenge != "") {
				t.Errorf("refused by rule %q: %s", j.Verdict.Rule, j.Verdict.Detail)
			}
		})
	}
}

func TestWorldRoutes(t *testing.T) {
	h := newSite(t, nil)
	nested, err := NewRS(RSConfig{Resource: resource + "/deep", AuthorizationServers: []string{issuer}, Scopes: []string{"deep"}})
	if err != nil {
		t.Fatal(err)
	}
	h.w.RS = append(h.w.RS, nested)
	h.w.Documents = []Document{{URL: "https://decoy.example/x", Response: wire.Response{Status: 418}}}
	for url, want := range map[string]int{
		resource: 401, resource + "/deep": 401, issuer + "/authorize": 400, issuer + "/nothing": 404,
		"https://decoy.example/x": 418, "https://mcp.example/": 404,
	} {
		if r := h.get(url); r.Status != want {
			t.Errorf("%s: %d", url, r.Status)
		}
	}
	if got := h.get(resource + "/deep").Header.Header("WWW-Authenticate"); len(got) != 1 || !strings.Contains(got[0], `scope="deep"`) {
		t.Errorf("the deeper resource was not asked: %v", got)
	}
	if _, ok := h.w.Answer(noon, wire.Request{Method: "GET", URL: "https://nobody.example/"}); ok {
		t.Error("somebody answers for an unknown host")
	}
}

func TestIssuerShapes(t *testing.T) {
	for _, c := range []struct{ issuer, metadata, token string }{
		{"https://as.example", "https://as.example/.well-known/oauth-authorization-server", "https://as.example/token"},
		{"https://as.example/", "https://as.example/.well-known/oauth-authorization-server", "https://as.example/token"},
		{"https://as.example/a/b", "https://as.example/.well-known/oauth-authorization-server/a/b", "https://as.example/a/b/token"},
		{"https://as.example/a/b/", "https://as.example/.well-known/openid-configuration/a/b", "https://as.example/a/b/token"},
		{"https://as.example/a", "https://as.example/a/.well-known/openid-configuration", "https://as.example/a/token"},
		{"http://localhost:9000/", "http://localhost:9000/.well-known/openid-configuration", "http://localhost:9000/token"},
	} {
		a, err := NewAS(ASConfig{Issuer: c.issuer})
		if err != nil {
			t.Fatal(err)
		}
		r := a.Answer(noon, wire.Request{Method: "GET", URL: c.metadata})
		if !strings.Contains(string(r.Body), `"issuer":"`+c.issuer+`"`) || !strings.Contains(string(r.Body), `"token_endpoint":"`+c.token+`"`) {
			t.Errorf("%s: %d %s", c.issuer, r.Status, r.Body)
		}
		if !slices.Contains(r.Header.Header("Access-Control-Allow-Origin"), "*") {
			t.Errorf("%s: metadata is not open", c.issuer)
		}
	}
	for _, bad := range []string{"", "as.example", "http://as.example", "https://as.example?x=1", "https://as.example#x", "https://u@as.example", "javascript:x", "https://"} {
		if _, err := NewAS(ASConfig{Issuer: bad}); err == nil {
			t.Errorf("%q was taken as an issuer", bad)
		}
	}
}
