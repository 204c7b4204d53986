package bearer

import (
	"slices"
	"testing"
	"time"

	"github.com/stile-oauth/stile/states/rules"
)

var noon = time.Date(2026, 7, 28, 12, 0, 0, 0, time.UTC)

func goodClaims() Claims {
	return Claims{
		Issuer: "https://as.example", Subject: "ann", Audience: []string{"https://mcp.example/mcp"}, Scopes: []string{"user"},
		Expires: noon.Add(time.Hour), Type: "Bearer",
	}
}

func goodPolicy() Policy {
	return Policy{Resource: "https://mcp.example/mcp", Issuers: []string{"https://as.example"}, Scopes: []string{"user"}}
}

func TestDecide(t *testing.T) {
	cases := []struct {
		name   string
		change func(*Policy, *Claims)
		status int
		rule   rules.ID
	}{
		{"good", func(*Policy, *Claims) {}, 200, ""},
		{"no policy at all", func(p *Policy, _ *Claims) { *p = Policy{} }, 401, "rs-issuer-trusted"},
		{"no claims at all", func(_ *Policy, c *Claims) { *c = Claims{} }, 401, "rs-issuer-trusted"},
		{"other issuer", func(_ *Policy, c *Claims) { c.Issuer = "https://elsewhere.example" }, 401, "rs-issuer-trusted"},
		{"issuer with a slash", func(_ *Policy, c *Claims) { c.Issuer += "/" }, 401, "rs-issuer-trusted"},
		{"issuer in capitals", func(_ *Policy, c *Claims) { c.Issuer = "HTTPS://as.example" }, 401, "rs-issuer-trusted"},
		{"issuer missing, allowed", func(p *Policy, c *Claims) { c.Issuer = ""; p.AllowMissingIssuer = true }, 200, ""},
		{"other issuer, missing allowed", func(p *Policy, c *Claims) { c.Issuer = "x"; p.AllowMissingIssuer = true }, 401, "rs-issuer-trusted"},
		{"second issuer", func(p *Policy, c *Claims) {
			p.Issuers = append(p.Issuers, "https://b.example")
			c.Issuer = "https://b.example"
		}, 200, ""},
		{"no audience", func(_ *Policy, c *Claims) { c.Audience = nil }, 401, "rs-audience"},
		{"no audience, allowed", func(p *Policy, c *Claims) { c.Audience = nil; p.AllowMissingAudience = true }, 200, ""},
		{"other audience, missing allowed", func(p *Policy, c *Claims) { c.Audience = []string{"x"}; p.AllowMissingAudience = true }, 401, "rs-audience"},
		{"one of several audiences", func(_ *Policy, c *Claims) { c.Audience = []string{"x", "https://mcp.example/mcp"} }, 200, ""},
		{"audience with a slash", func(_ *Policy, c *Claims) { c.Audience = []string{"https://mcp.example/mcp/"} }, 200, ""},
		{"audience with two slashes", func(_ *Policy, c *Claims) { c.Audience = []string{"https://mcp.example/mcp//"} }, 401, "rs-audience"},
		{"audience is the origin", func(_ *Policy, c *Claims) { c.Audience = []string{"https://mcp.example"} }, 401, "rs-audience"},
		{"audience is a sibling", func(_ *Policy, c *Claims) { c.Audience = []string{"https://mcp.example/mcp2"} }, 401, "rs-audience"},
		{"audience in capitals", func(_ *Policy, c *Claims) { c.Audience = []string{"https://MCP.example/mcp"} }, 401, "rs-audience"},
		{"empty audience entry", func(_ *Policy, c *Claims) { c.Audience = []string{""} }, 401, "rs-audience"},
		{"no expiry", func(_ *Policy, c *Claims) { c.Expires = time.Time{} }, 401, "rs-exp-required"},
		{"no expiry, allowed", func(p *Policy, c *Claims) { c.Expires = time.Time{}; p.AllowMissingExpiry = true }, 200, ""},
		{"expired, missing allowed", func(p *Policy, c *Claims) { c.Expires = noon; p.AllowMissingExpiry = true }, 401, "rs-expiry"},
		{"expires now", func(_ *Policy, c *Claims) { c.Expires = noon }, 401, "rs-expiry"},
		{"expires in a nanosecond", func(_ *Policy, c *Claims) { c.Expires = noon.Add(1) }, 200, ""},
		{"expired within skew", func(p *Policy, c *Claims) { c.Expires = noon.Add(-29 * time.Second); p.Skew = 30 * time.Second }, 200, ""},
		{"expired beyond skew", func(p *Policy, c *Claims) { c.Expires = noon.Add(-30 * time.Second); p.Skew = 30 * time.Second }, 401, "rs-expiry"},
		{"skew is bounded", func(p *Policy, c *Claims) { c.Expires = noon.Add(-2 * time.Minute); p.Skew = time.Hour }, 401, "rs-expiry"},
		{"skew at its bound", func(p *Policy, c *Claims) { c.Expires = noon.Add(1 - MaxSkew); p.Skew = time.Hour }, 200, ""},
		{"a nanosecond beyond it", func(p *Policy, c *Claims) { c.Expires = noon.Add(-time.Minute); p.Skew = time.Hour }, 401, "rs-expiry"},
		{"bound, and proven", func(p *Policy, c *Claims) { p.Bound, c.Type, c.Thumbprint, c.Proven = true, "dpop", "x", true }, 200, ""},
		{"bound, and not proven", func(_ *Policy, c *Claims) { c.Type, c.Thumbprint = "DPoP", "x" }, 401, "ext-dpop-no-downgrade"},
		{"bound is required, and it is not", func(p *Policy, _ *Claims) { p.Bound = true }, 401, "ext-dpop-no-downgrade"},
		{"bound in another way", func(_ *Policy, c *Claims) { c.Type, c.Thumbprint, c.Proven = "mac", "x", true }, 401, "rs-validate-token"},
		{"no resource", func(p *Policy, c *Claims) { p.Resource, c.Audience = "", []string{""} }, 401, "rs-audience"},
		{"implied is another", func(p *Policy, c *Claims) {
			c.Scopes, p.Implies = []string{"admin"}, [][2]string{{"admin", "other"}}
		}, 403, "rs-scope-check"},
		{"negative skew is none", func(p *Policy, c *Claims) { c.Expires = noon.Add(1); p.Skew = -time.Hour }, 200, ""},
		{"not yet", func(_ *Policy, c *Claims) { c.NotBefore = noon.Add(1) }, 401, "rs-validate-token"},
		{"from now on", func(_ *Policy, c *Claims) { c.NotBefore = noon }, 200, ""},
		{"key-bound", func(_ *Policy, c *Claims) { c.Type = "DPoP" }, 401, "rs-validate-token"},
		{"type in small letters", func(_ *Policy, c *Claims) { c.Type = "bearer" }, 200, ""},
		{"type unsaid", func(_ *Policy, c *Claims) { c.Type = "" }, 200, ""},
		{"no scopes", func(_ *Policy, c *Claims) { c.Scopes = nil }, 403, "rs-scope-check"},
		{"scope in capitals", func(_ *Policy, c *Claims) { c.Scopes = []string{"USER"} }, 403, "rs-scope-check"},
		{"scope as prefix", func(_ *Policy, c *Claims) { c.Scopes = []string{"user:read"} }, 403, "rs-scope-check"},
		{"one of two scopes", func(p *Policy, _ *Claims) { p.Scopes = []string{"user", "admin"} }, 403, "rs-scope-check"},
		{"no scope needed", func(p *Policy, c *Claims) { p.Scopes = nil; c.Scopes = nil }, 200, ""},
		{"implied", func(p *Policy, c *Claims) { c.Scopes = []string{"admin"}; p.Implies = [][2]string{{"admin", "user"}} }, 200, ""},
		{"implied twice over", func(p *Policy, c *Claims) {
			c.Scopes, p.Implies = []string{"root"}, [][2]string{{"admin", "user"}, {"root", "admin"}}
		}, 200, ""},
		{"implied the other way", func(p *Policy, c *Claims) { c.Scopes = []string{"other"}; p.Implies = [][2]string{{"user", "other"}} }, 403, "rs-scope-check"},
		{"implied in a circle", func(p *Policy, c *Claims) {
			c.Scopes = []string{"x"}
			p.Implies = [][2]string{{"user", "user"}, {"user", "user"}}
		}, 403, "rs-scope-check"},
		{"expired outranks scope", func(_ *Policy, c *Claims) { c.Expires = noon; c.Scopes = nil }, 401, "rs-expiry"},
		{"audience outranks expiry", func(_ *Policy, c *Claims) { c.Expires = noon; c.Audience = nil }, 401, "rs-audience"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			p, claims := goodPolicy(), goodClaims()
			c.change(&p, &claims)
			v := Decide(noon, p, claims)
			if v.Status != c.status || v.Rule != c.rule {
				t.Errorf("%d %s (%s)", v.Status, v.Rule, v.Says)
			}
			if _, known := rules.Lookup(v.Rule); !known && v.Rule != "" {
				t.Errorf("%s is no rule", v.Rule)
			}
			if v.OK() != (v.Error == "") || v.Status == 401 && v.Error != "invalid_token" || v.Status == 403 && v.Error != "insufficient_scope" {
				t.Errorf("status %d with error %q", v.Status, v.Error)
			}
			if !slices.Equal(v.Scopes, p.Scopes) {
				t.Errorf("the verdict names the scopes %v", v.Scopes)
			}
		})
	}
}

func TestReadToken(t *testing.T) {
	cases := []struct {
		name   string
		fields []string
		token  string
		status int
		code   string
	}{
		{"none", nil, "", 401, ""},
		{"good", []string{"Bearer abc"}, "abc", 200, ""},
		{"small letters", []string{"bearer abc"}, "abc", 200, ""},
		{"capitals", []string{"BEARER abc"}, "abc", 200, ""},
		{"two spaces", []string{"Bearer  abc"}, "abc", 200, ""},
		{"padding", []string{"Bearer abc=="}, "abc==", 200, ""},
		{"all of token68", []string{"Bearer aZ0-._~+/="}, "aZ0-._~+/=", 200, ""},
		{"empty field", []string{""}, "", 401, ""},
		{"Basic", []string{"Basic abc"}, "", 401, ""},
		{"DPoP", []string{"DPoP abc"}, "", 401, ""},
		{"a scheme that begins alike", []string{"Bearerx abc"}, "", 401, ""},
		{"scheme alone", []string{"Bearer"}, "", 400, "invalid_request"},
		{"scheme and space", []string{"Bearer "}, "", 400, "invalid_request"},
		{"two tokens", []string{"Bearer abc def"}, "", 400, "invalid_request"},
		{"a list", []string{"Bearer abc, Bearer def"}, "", 400, "invalid_request"},
		{"a tab", []string{"Bearer abc\tdef"}, "", 400, "invalid_request"},
		{"two fields", []string{"Bearer abc", "Bearer abc"}, "", 400, "invalid_request"},
		{"a quote", []string{`Bearer "abc"`}, "", 401, "invalid_token"},
		{"not ASCII", []string{"Bearer abc\u00e9"}, "", 401, "invalid_token"},
		{"a control octet", []string{"Bearer abc\x00"}, "", 401, "invalid_token"},
		{"padding alone", []string{"Bearer =="}, "", 401, "invalid_token"},
		{"padding inside", []string{"Bearer a=b"}, "", 401, "invalid_token"},
		{"endless", []string{"Bearer " + string(make([]byte, 20<<10))}, "", 401, "invalid_token"},
	}
	for _, c := range cases {
		token, v := ReadToken(c.fields)
		if token != c.token || v.Status != c.status || v.Error != c.code {
			t.Errorf("%s: %q %d %q", c.name, token, v.Status, v.Error)
		}
	}
}

func TestChallengeCannotBeInjected(t *testing.T) {
	got := Challenge(Verdict{Error: "invalid_token", Says: "a\"b\\c\r\nSet-Cookie: x\x80", Scopes: []string{"user", "admin"}}, "r", "https://mcp.example/x")
	want := `Bearer realm="r", error="invalid_token", error_description="a\"b\\cSet-Cookie: x", scope="user admin", resource_metadata="https://mcp.example/x"`
	if got != want {
		t.Errorf("%s", got)
	}
	if got := Challenge(Verdict{}, "", ""); got != `Bearer realm="resource"` {
		t.Errorf("a challenge has a parameter: %s", got)
	}
}

func TestMetadataURL(t *testing.T) {
	for in, want := range map[string]string{
		"https://a.example":           "https://a.example/.well-known/oauth-protected-resource",
		"https://a.example/":          "https://a.example/.well-known/oauth-protected-resource",
		"https://a.example/mcp":       "https://a.example/.well-known/oauth-protected-resource/mcp",
		"https://a.example/mcp/":      "https://a.example/.well-known/oauth-protected-resource/mcp/",
		"https://a.example:8443/x?k=": "https://a.example:8443/.well-known/oauth-protected-resource/x?k=",
		"https://a.example?k=1":       "https://a.example/.well-known/oauth-protected-resource?k=1",
	} {
		if got := MetadataURL(in); got != want {
			t.Errorf("%s: %s", in, got)
		}
	}
}

func TestCalledTools(t *testing.T) {
	cases := []struct {
		body string
		want []string
		bad  bool
	}{
		{``, nil, false},
		{`{"jsonrpc":"2.0","id":1,"method":"ping"}`, nil, false},
		{`{"method":"tools/call","params":{"name":"purge"}}`, []string{"purge"}, false},
		{`[{"method":"tools/call","params":{"name":"a"}},{"method":"tools/call","params":{"name":"b"}}]`, []string{"a", "b"}, false},
		{`{"method":"ping","method":"tools/call","params":{"name":"purge"}}`, nil, true},
		{`{"method":"ping","Method":"tools/call","params":{"name":"purge"}}`, nil, true},
		{`{"method":"tools/call","params":{"name":"get_time","Name":"purge"}}`, nil, true},
		{`{"method":"tools/call","params":{"name":"get_time"},"Params":{"name":"purge"}}`, nil, true},
		{"{\"method\":\"tools/call\",\"param\u017f\":{\"name\":\"purge\"}}", nil, true},
		{`{"method":"tools/call","params":{}}`, nil, true},
		{`{"method":"tools/call"}`, nil, true},
		{`{"method":"tools/call","params":{"name":7}}`, nil, true},
		{`{"method":"ping"} {"method":"tools/call"}`, nil, true},
		{`{"method":"ping"`, nil, true},
		{`"tools/call"`, nil, true},
		{`{"result":{}}`, nil, false},
		{`{"method":"tools\u002fcall","params":{"name":"p\u0075rge"}}`, []string{"purge"}, false},
	}
	for _, c := range cases {
		got, err := calledTools([]byte(c.body))
		if !slices.Equal(got, c.want) || (err != nil) != c.bad {
			t.Errorf("%s: %v %v", c.body, got, err)
		}
	}
}

func FuzzCalledTools(f *testing.F) {
	f.Add([]byte(`{"method":"tools/call","params":{"name":"purge"}}`))
	f.Add([]byte(`[{"method":"ping"},{}]`))
	f.Fuzz(func(t *testing.T, body []byte) {
		names, err := calledTools(body)
		if err != nil && names != nil {
			t.Fatal("an error and names")
		}
		if slices.Contains(names, "") {
			t.Fatal("an empty name")
		}
	})
}

func FuzzReadToken(f *testing.F) {
	f.Add("Bearer abc")
	f.Fuzz(func(t *testing.T, field string) {
		token, v := ReadToken([]string{field})
		if v.OK() != token68(token) {
			t.Fatalf("%q: %v", token, v)
		}
	})
}

func FuzzParseIntrospection(f *testing.F) {
	f.Add([]byte(`{"active":true,"scope":"user","aud":["a"],"exp":1}`))
	f.Add([]byte(`{"active":"true"}`))
	f.Fuzz(func(t *testing.T, body []byte) {
		c, err := ParseIntrospection(body)
		if err != nil && (c.Subject != "" || c.Scopes != nil) {
			t.Fatal("an error and claims")
		}
	})
}
