package wire

import (
	"encoding/json"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/stile-oauth/stile/states/rules"
)

// presentable checks what every judgement promises, whatever the peer sent: the details
// are fit to be shown and hold no secret, and the rules exist.
func presentable(t *testing.T, found []Finding, bad *Problem) {
	t.Helper()
	check := func(rule rules.ID, detail string) {
		if _, ok := rules.Lookup(rule); !ok {
			t.Errorf("unknown rule %q", rule)
		}
		if Clean(detail, 4096) != detail || !utf8.ValidString(detail) {
			t.Errorf("detail is not fit to be shown: %q", detail)
		}
	}
	for _, f := range found {
		check(f.Rule, f.Detail)
	}
	if bad == nil {
		return
	}
	check(bad.Rule, bad.Detail)
	if e := bad.OAuth; e != nil {
		check(bad.Rule, e.String()+e.URI)
		if e.Code == "" {
			t.Error("an error response without a code")
		}
	}
}

func FuzzParseObject(f *testing.F) {
	for _, s := range []string{benchPRM, benchASM, benchREG, benchTOK, `{}`, `[]`, ``, `{"a":[[[{"b":null}]]]}`, `{"a":1,"\u0061":2}`, "{}\x00", `{"a":"\ud83d\ude00\\"}`, `{"":-0.0e+1}`, " {\"a\"\n:\t\"}\" ,\r\"b\" : ] }",
		` { "a" : [ ] , "b":[ "x" ,0,-1,true ],"c" : [12 , null] } `, `{"a":"b","c":"d","a":1}`, `{"aa":01}`, `{"a":12.5}`, `{"a":[1,]}`, `{"a":1}}`, `{"a"}`, `{"a":truE}`, "{\"a\":\"12345678\x7f\"}"} {
		f.Add([]byte(s))
	}
	all, _ := traced(f)
	for _, e := range all {
		f.Add([]byte(e.body))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		o, err := ParseObject(body)
		if err != nil {
			if err.Error() == "" || len(err.Error()) > 100 {
				t.Errorf("error %q", err)
			}
			return
		}
		// The standard library agrees with every member of what was accepted.
		var std map[string]json.RawMessage
		if err := json.Unmarshal(body, &std); err != nil {
			t.Fatalf("encoding/json refuses: %v", err)
		}
		if len(std) != len(o) {
			t.Fatalf("%d members, encoding/json has %d", len(o), len(std))
		}
		for _, m := range o {
			if string(std[m.Name]) != string(m.Raw) {
				t.Fatalf("member %q is %q, encoding/json has %q", m.Name, m.Raw, std[m.Name])
			}
			if s, _, ok := o.String(m.Name); ok {
				var want string
				if err := json.Unmarshal(m.Raw, &want); err != nil || want != s {
					t.Fatalf("string %q, encoding/json has %q (%v)", s, want, err)
				}
			}
			if ss, _, ok := o.Strings(m.Name); ok {
				var want []string
				if err := json.Unmarshal(m.Raw, &want); err != nil || !slices.Equal(want, ss) {
					t.Fatalf("strings %q, encoding/json has %q (%v)", ss, want, err)
				}
			}
		}
	})
}

func FuzzCheckURL(f *testing.F) {
	for _, s := range []string{"https://example.com:8443/a?b=c#d", "http://127.0.0.1/", "http://[::1]:80", "https://u:p@h/", "https://0x7f.1/", "javascript:alert(1)", "https://h\\@evil/", "HTTPS://A.b./%41", "https://a?b@c", "https://h:443#@x/", "https://h:/", "http://h_-.:8/%41?a#%42", "https://:1/", "https://h:1:2/", "https://h/{a}/%7b", ""} {
		f.Add(s)
	}
	all, callbacks := traced(f)
	for _, e := range all {
		f.Add(e.url)
	}
	for _, c := range callbacks {
		f.Add(c)
	}
	f.Fuzz(func(t *testing.T, raw string) {
		bad := CheckURL(raw, URLPolicy{AllowLoopbackHTTP: true})
		presentable(t, nil, bad)
		if bad != nil {
			if !bad.Refuse {
				t.Error("a bad URL does not refuse")
			}
			return
		}
		u, err := url.Parse(raw)
		if err != nil || u.Host == "" || u.User != nil || u.Fragment != "" || u.Scheme != "https" && u.Scheme != "http" {
			t.Fatalf("accepted %q, which net/url reads as %+v (%v)", raw, u, err)
		}
		if !strings.HasSuffix(strings.ToLower(u.Host), strings.TrimPrefix(Origin(raw), u.Scheme+"://")) && u.Port() != "443" && u.Port() != "80" {
			t.Fatalf("host of %q is %q, origin %q", raw, u.Host, Origin(raw))
		}
		read := at(raw)
		path, err := url.PathUnescape(read.EscapedPath())
		if err != nil || path != u.Path || strings.TrimPrefix(read.Query(), "?") != u.RawQuery || !strings.HasPrefix(raw[len(u.Scheme)+3+len(u.Host):], read.EscapedPath()+read.Query()) {
			t.Fatalf("%q has path %q and query %q, for net/url %+v", raw, read.EscapedPath(), read.Query(), u)
		}
		c := read.Canonical()
		if again := at(c.String()); again != c || c.Canonical() != c {
			t.Fatalf("canonical form of %q is %+v, read again %+v", raw, c, again)
		}
		if root := read.Root(); at(root.String()) != root {
			t.Fatalf("root of %q is %+v", raw, root)
		}
		if !read.Reach().Allows(u) || !c.Reach().Allows(u) || !read.ReachHere().Allows(u) || !read.OriginReach().Allows(u) {
			if !climbs(u.Path) {
				t.Fatalf("a token for %q may not go there", raw)
			}
		}
		if bad := CheckURL(PRMPathURL(at(raw)), URLPolicy{AllowLoopbackHTTP: true}); bad != nil {
			t.Fatalf("metadata address of %q: %v", raw, bad)
		}
		if tier, bad := MatchResource(at(raw), raw, true); tier != "#t4-1" || bad != nil {
			t.Fatalf("%q does not match itself", raw)
		}
		for _, a := range ASMURLs(raw, false) {
			if Origin(a) != Origin(raw) {
				t.Fatalf("metadata of %q is asked at %q", raw, a)
			}
		}
	})
}

func FuzzMatchResource(f *testing.F) {
	f.Add("https://h/mcp", "https://h/mcp/")
	f.Add("https://h/a/b?q", "https://H:443/a")
	f.Add("https://h", "https://evil.example")
	f.Add("no address", "")
	f.Fuzz(func(t *testing.T, ref, pub string) {
		tier, bad := MatchResource(at(ref), pub, false)
		presentable(t, nil, bad)
		if bad == nil && tier != "#t4-1" && Origin(ref) != Origin(pub) {
			t.Fatalf("%q accepted for %q (%s)", pub, ref, tier)
		}
		if _, strict := MatchResource(at(ref), pub, true); strict == nil && ref != pub {
			t.Fatalf("strict accepts %q for %q", pub, ref)
		}
	})
}

func FuzzParseChallenges(f *testing.F) {
	for _, s := range []string{`Bearer realm="x", error=y`, `Negotiate a==, Bearer`, `Basic realm="a\"b", DPoP algs="ES256"`, `Bearer a="`, `,,a b=,c="\`, `Bearer resource_metadata="https://h/x", scope="a b"`, "A\tb = c , d"} {
		f.Add(s, s)
	}
	all, _ := traced(f)
	for _, e := range all {
		if www := e.get("WWW-Authenticate"); www != "" {
			f.Add(www, "Negotiate")
		}
	}
	f.Fuzz(func(t *testing.T, one, two string) {
		cs, found := ParseChallenges(wwwAuthenticate(one, two))
		presentable(t, found, nil)
		var again Fields
		for _, c := range cs {
			if c.Scheme != strings.ToLower(c.Scheme) || c.Scheme == "" || c.Token68 != "" && c.Params != nil {
				t.Fatalf("challenge %+v", c)
			}
			s := c.Scheme + " " + c.Token68
			for i, p := range c.Params {
				if i > 0 {
					s += ", "
				}
				s += p.Name + `="` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(p.Value) + `"`
			}
			again = append(again, Field{Name: "www-authenticate", Value: s})
		}
		// What was read, written in the plainest form, reads the same.
		back, found := ParseChallenges(again)
		if len(found) > 0 || show(back) != show(cs) {
			t.Fatalf("read %s, again %s (%v)", show(cs), show(back), found)
		}
		for _, dpop := range []bool{false, true} {
			c, found := JudgeChallenge(Response{Status: 401, Header: wwwAuthenticate(one, two)}, at("https://h/mcp"), dpop)
			presentable(t, found, nil)
			if c.ResourceMetadata != "" && CheckURL(c.ResourceMetadata, URLPolicy{}) != nil {
				t.Fatalf("metadata address %q", c.ResourceMetadata)
			}
			if Clean(string(c.Error)+c.ErrorDescription, 4096) != string(c.Error)+c.ErrorDescription {
				t.Fatalf("%q %q", c.Error, c.ErrorDescription)
			}
			if c.HasScope != (len(c.Scopes) > 0) {
				t.Fatalf("%+v", c)
			}
		}
	})
}

func FuzzParsePRM(f *testing.F) {
	f.Add(200, benchPRM, false)
	f.Add(200, `{"resource":"https://mcp.example.com/","authorization_servers":["https://a","http://b"],"scopes_supported":"a b"}`, true)
	f.Add(404, ``, false)
	f.Add(200, `<html>`, false)
	for _, e := range answersOf(f, "oauth-protected-resource") {
		f.Add(e.status, e.body, false)
	}
	f.Fuzz(func(t *testing.T, status int, body string, lenient bool) {
		p := PRMPolicy{Server: at("https://mcp.example.com/v1/mcp"), Reference: at("https://mcp.example.com/v1/mcp"), AllowMissingResource: lenient}
		m, found, bad := ParsePRM(answer(status, body), p)
		presentable(t, found, bad)
		if bad != nil {
			return
		}
		if status != 200 || Origin(m.Resource) != "https://mcp.example.com" || len(m.AuthorizationServers) == 0 {
			t.Fatalf("accepted %+v", m)
		}
		for _, a := range m.AuthorizationServers {
			if CheckURL(a, URLPolicy{}) != nil || len(ASMURLs(a, false)) == 0 {
				t.Fatalf("issuer %q", a)
			}
		}
		if Clean(m.Name, 4096) != m.Name {
			t.Fatalf("name %q", m.Name)
		}
	})
}

func FuzzParseASM(f *testing.F) {
	f.Add(200, benchASM, true)
	f.Add(200, asmDoc("issuer", `"https://auth.example.com/tenant"`), false)
	f.Add(200, asmDoc("issuer", `"https://auth.example.com/tenant/"`, "registration_endpoint", `"http://x"`), false)
	for _, e := range answersOf(f, "oauth-authorization-server", "openid-configuration") {
		f.Add(e.status, strings.ReplaceAll(e.body, "https://as.example", "https://auth.example.com/tenant"), true)
	}
	f.Fuzz(func(t *testing.T, status int, body string, pkce bool) {
		p := ASMPolicy{Issuer: "https://auth.example.com/tenant", RequirePKCE: pkce}
		m, found, bad := ParseASM(answer(status, body), p)
		presentable(t, found, bad)
		if bad != nil {
			return
		}
		if m.Issuer != p.Issuer && m.Issuer != p.Issuer+"/" {
			t.Fatalf("issuer %q", m.Issuer)
		}
		for i, e := range []string{m.AuthorizationEndpoint, m.TokenEndpoint, m.RegistrationEndpoint, m.RevocationEndpoint, m.IntrospectionEndpoint, m.JWKSURI} {
			if (e != "" || i < 2) && CheckURL(e, URLPolicy{}) != nil {
				t.Fatalf("endpoint %q", e)
			}
		}
		if pkce && !slices.Contains(m.ChallengeMethods, "S256") {
			t.Fatalf("accepted with %v", m.ChallengeMethods)
		}
	})
}

func FuzzParseRegistration(f *testing.F) {
	f.Add(201, benchREG)
	f.Add(201, `{"client_id":"a","client_secret":"b","client_secret_expires_at":1.5e9,"token_endpoint_auth_method":"client_secret_basic"}`)
	f.Add(400, `{"error":"invalid_redirect_uri"}`)
	for _, e := range answersOf(f, "/register") {
		f.Add(e.status, e.body)
	}
	f.Fuzz(func(t *testing.T, status int, body string) {
		at := time.Unix(1763714401, 0)
		p := RegistrationParams{Endpoint: "https://as.example/r", RedirectURIs: []string{"http://127.0.0.1:43110/callback"}}
		c, found, bad := ParseRegistration(answer(status, body), p, []string{"none", "client_secret_post"}, at)
		presentable(t, found, bad)
		if bad != nil {
			return
		}
		if c.ID == "" || !slices.Contains(c.RedirectURIs, p.RedirectURIs[0]) || c.Source != SourceDynamic {
			t.Fatalf("accepted %+v", c)
		}
		if c.Method != MethodNone && (c.Secret == "" || c.Method != MethodBasic && c.Method != MethodPost) {
			t.Fatalf("method %q", c.Method)
		}
		if !c.SecretExpires.IsZero() && !c.SecretExpires.After(at) {
			t.Fatalf("expired at %v", c.SecretExpires)
		}
		if _, err := json.Marshal(c); err != nil {
			t.Fatal(err)
		}
		r := TokenRequest(TokenParams{Endpoint: "https://as.example/t", Client: c, Code: "co"})
		for _, h := range r.Header {
			if strings.ContainsAny(h.Value, "\r\n\x00") {
				t.Fatalf("header %s", h.Name)
			}
		}
	})
}

func FuzzParseToken(f *testing.F) {
	f.Add(200, "application/json", benchTOK)
	f.Add(200, "application/x-www-form-urlencoded", "access_token=a&token_type=bearer&expires_in=9")
	f.Add(200, "application/json", `{"ok":false,"error":"ratelimited"}`)
	f.Add(200, "", `{"access_token":"a","expires_in":1e999,"scope":["a","b"]}`)
	f.Add(400, "text/html", `<html>`)
	for _, e := range answersOf(f, "/token") {
		f.Add(e.status, e.get("Content-Type"), e.body)
	}
	f.Fuzz(func(t *testing.T, status int, media, body string) {
		r := Response{Status: status, Header: Fields{{Name: "Content-Type", Value: media}}, Body: []byte(body)}
		tok, found, bad := ParseToken(r, TokenPolicy{CommaScope: status%2 == 0})
		presentable(t, found, bad)
		if bad != nil {
			return
		}
		if status < 200 || status > 299 || ParseOAuthError(r) != nil {
			t.Fatalf("a token in an answer that is an error, status %d", status)
		}
		if tok.AccessToken == "" || strings.ContainsAny(tok.AccessToken.Reveal(), " \r\n\x00") || tok.Type != "Bearer" {
			t.Fatalf("accepted type %q", tok.Type)
		}
		if tok.ExpiresIn < 0 || tok.ExpiresIn > maxLifetime || !tok.HasExpiry && tok.ExpiresIn != 0 {
			t.Fatalf("lifetime %v %v", tok.ExpiresIn, tok.HasExpiry)
		}
		for _, s := range tok.Scopes {
			if !scopeToken(s) || s == "" {
				t.Fatalf("scope %q", s)
			}
		}
	})
}

func FuzzParseCallback(f *testing.F) {
	for _, s := range []string{"http://127.0.0.1:1/cb?code=c&state=s&iss=https%3A%2F%2Fas", "/cb?error=access_denied&error_description=a%1b", "/cb?code=%zz", "/cb?code=a&code=b", "#code=x", "?iss=&iss=a&;", " x?state=%E2%80%AE "} {
		f.Add(s)
	}
	_, callbacks := traced(f)
	for _, c := range callbacks {
		f.Add(c)
	}
	f.Fuzz(func(t *testing.T, raw string) {
		cb, bad := ParseCallback(raw)
		presentable(t, nil, bad)
		if bad != nil {
			return
		}
		if cb.HasCode != (cb.Code != "") || (len(cb.Iss) > 1) != slices.Contains(cb.Repeated, "iss") {
			t.Fatalf("%+v", cb)
		}
		if e := cb.Error; e != nil && (e.Code == "" || Clean(e.String(), 4096) != e.String()) {
			t.Fatalf("%+v", e)
		}
		found, bad := JudgeIss(cb, "https://as.example", true)
		presentable(t, found, bad)
		if bad == nil && (len(cb.Iss) != 1 || cb.Iss[0] != "https://as.example") {
			t.Fatalf("accepted iss %q", cb.Iss)
		}
		SameRedirect("http://127.0.0.1:1/cb?x=y", raw)
	})
}
