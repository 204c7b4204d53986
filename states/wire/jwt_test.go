package wire

import (
	"encoding/base64"
	"strings"
	"testing"
	"time"

	"github.com/stile-oauth/stile/states/rules"
)

// unsigned is a JWT with this header and these claims.
func unsigned(header, claims string) Secret {
	enc := base64.RawURLEncoding.EncodeToString
	return Secret(enc([]byte(header)) + "." + enc([]byte(claims)) + ".c2ln")
}

// edit is a text with one piece replaced, and fails when the piece is not there.
func edit(t *testing.T, s, old, new string) string {
	t.Helper()
	if old != "" && !strings.Contains(s, old) {
		t.Fatalf("no %s in %s", old, s)
	}
	return strings.Replace(s, old, new, 1)
}

// wantRule fails unless a problem is of this rule; "" stands for none.
func wantRule(t *testing.T, what string, bad *Problem, rule rules.ID) {
	t.Helper()
	if rule == "" && bad != nil || rule != "" && (bad == nil || bad.Rule != rule) {
		t.Errorf("%s: %v, want %q", what, bad, rule)
	}
}

// TestJudgeIdentity: an ID token is of the provider, for the client, and not over.
//
// Rules: ext-ema-id-token-stays, ext-ema-renew.
func TestJudgeIdentity(t *testing.T) {
	const claims = `{"iss":"https://idp.example","aud":"company","exp":1000}`
	for _, c := range []struct {
		old, new string
		at       int64
		rule     rules.ID
	}{
		{"", "", 999, ""},
		{"", "", 1000, rules.ExtEMARenew},
		{"", "", 1001, rules.ExtEMARenew},
		{`1000`, `1000.9`, 999, ""},
		{`,"exp":1000`, ``, 1, rules.ExtEMARenew},
		{`1000`, `"1000"`, 1, ""},
		{`1000`, `-1000`, 1, rules.ExtEMARenew},
		{`1000`, `0`, -5, rules.ExtEMARenew},
		{`1000`, `true`, 1, rules.ExtEMARenew},
		{`"company"`, `["other","company"]`, 1, ""},
		{`"company"`, `["other"]`, 1, rules.ExtEMAIDTokenStays},
		{`"company"`, `"other"`, 1, rules.ExtEMAIDTokenStays},
		{`,"aud":"company"`, ``, 1, rules.ExtEMAIDTokenStays},
		{`https://idp.example`, `https://idp.example/`, 1, ""},
		{`https://idp.example`, `https://idp.example//`, 1, rules.ExtEMAIDTokenStays},
		{`https://idp.example`, `https://other.example`, 1, rules.ExtEMAIDTokenStays},
		{`"iss":"https://idp.example",`, ``, 1, rules.ExtEMAIDTokenStays},
	} {
		text := edit(t, claims, c.old, c.new)
		until, bad := JudgeIdentity(unsigned(`{}`, text), IdentityPolicy{Provider: "https://idp.example", Client: "company", At: time.Unix(c.at, 0)})
		wantRule(t, text, bad, c.rule)
		if bad == nil && until.Unix() != 1000 {
			t.Errorf("%s: until %v", text, until)
		}
	}
	good := unsigned(`{}`, claims).Reveal()
	own := &IdentityPolicy{Provider: "https://idp.example", Client: "company", At: time.Unix(1000, 0)}
	_, _, bad := ParseToken(answer(200, `{"access_token":"a","token_type":"Bearer","id_token":"`+good+`"}`), TokenPolicy{Identity: own})
	wantRule(t, "a login that gives an ID token that has expired", bad, rules.ExtEMARenew)
	for _, s := range []string{"", "a.b", good + ".x", "a." + strings.Split(good, ".")[1] + "=.c", "a.bm8.c", strings.Replace(good, ".", ".e30", 1) + "%"} {
		if _, bad := JudgeIdentity(Secret(s), IdentityPolicy{}); bad == nil {
			t.Errorf("%q is taken", s)
		}
	}
}

// TestJudgeGrant: an ID-JAG says that it is one, is for this issuer, client and resource, and
// not over.
//
// Rules: ext-ema-jag-typ, ext-ema-jag-claims, ext-ema-resource.
func TestJudgeGrant(t *testing.T) {
	const head, claims = `{"typ":"oauth-id-jag+jwt"}`, `{"aud":"https://as.example","client_id":"app","exp":1000,"resource":"https://mcp.example/mcp"}`
	p := GrantPolicy{Issuer: "https://as.example", Client: "app", Resource: "https://mcp.example/mcp", At: time.Unix(999, 0)}
	for _, c := range []struct {
		old, new string
		rule     rules.ID
		notes    int
	}{
		{"", "", "", 0},
		{`"https://as.example"`, `["https://as.example/"]`, "", 0},
		{`"https://as.example"`, `["https://as.example","https://b.example"]`, rules.ExtEMAJAGClaims, 0},
		{`"https://as.example"`, `"https://b.example"`, rules.ExtEMAJAGClaims, 0},
		{`"aud":"https://as.example",`, ``, rules.ExtEMAJAGClaims, 0},
		{`"app"`, `"ape"`, rules.ExtEMAJAGClaims, 0},
		{`"client_id":"app",`, ``, rules.ExtEMAJAGClaims, 0},
		{`"exp":1000,`, ``, rules.ExtEMAJAGClaims, 0},
		{`1000`, `999`, rules.ExtEMAJAGClaims, 0},
		{`,"resource":"https://mcp.example/mcp"`, ``, "", 1},
		{`"https://mcp.example/mcp"`, `["https://mcp.example/mcp"]`, "", 0},
		{`"https://mcp.example/mcp"`, `["https://mcp.example/mcp","https://b.example"]`, rules.ExtEMAResource, 0},
		{`"https://mcp.example/mcp"`, `"https://mcp.example/other"`, rules.ExtEMAResource, 0},
	} {
		text := edit(t, claims, c.old, c.new)
		found, bad := JudgeGrant(unsigned(head, text), p)
		wantRule(t, text, bad, c.rule)
		if len(found) != c.notes {
			t.Errorf("%s: %v", text, found)
		}
	}
	for typ, rule := range map[string]rules.ID{
		`"application/OAuth-ID-JAG+jwt"`: "", `"jwt"`: rules.ExtEMAJAGTyp, `7`: rules.ExtEMAJAGTyp,
	} {
		_, bad := JudgeGrant(unsigned(`{"typ":`+typ+`}`, claims), p)
		wantRule(t, typ, bad, rule)
	}
	p.Resource = ""
	if found, bad := JudgeGrant(unsigned(head, claims), p); bad != nil || len(found) > 0 {
		t.Errorf("without a resource: %v %v", found, bad)
	}
	if _, bad := JudgeGrant("a.b.c", p); bad == nil {
		t.Error("what is no JWT is taken")
	}
}

// TestParseExchange: the answer to an exchange holds an ID-JAG, called one, and nothing else
// is taken for it.
//
// Rules: ext-ema-exchange-response, ext-ema-jag-not-bearer.
func TestParseExchange(t *testing.T) {
	const body = `{"access_token":"the-jag","issued_token_type":"urn:ietf:params:oauth:token-type:id-jag","token_type":"N_A"}`
	store := Fields{{Name: "Content-Type", Value: "application/json"}, {Name: "Cache-Control", Value: "no-store"}}
	for _, c := range []struct {
		status   int
		old, new string
		header   Fields
		rule     rules.ID
		notes    int
	}{
		{200, "", "", store, "", 0},
		{299, `"N_A"`, `"n_a"`, store, "", 0},
		{200, `"N_A"`, `"Bearer"`, store, "", 1},
		{200, "", "", store[:1], "", 1},
		{200, `id-jag"`, `access_token"`, store, rules.ExtEMAExchangeResponse, 0},
		{200, `"the-jag"`, `""`, store, rules.ExtEMAExchangeResponse, 0},
		{200, `"access_token":"the-jag"`, `"error":"invalid_grant"`, store, rules.TokenRespErrorStatus, 1},
		{300, "", "", store, rules.TokenReqNoRedirect, 0},
		{199, "", "", store, rules.TokenResp200, 0},
	} {
		text := edit(t, body, c.old, c.new)
		jag, found, bad := ParseExchange(Response{Status: c.status, Header: c.header, Body: []byte(text)})
		wantRule(t, text, bad, c.rule)
		if len(found) != c.notes || (bad == nil) != (jag == "the-jag") {
			t.Errorf("%d %s: %q %v", c.status, text, jag, found)
		}
	}
	if _, _, bad := ParseExchange(Response{Status: 200, Body: []byte("no")}); bad == nil {
		t.Error("what is no JSON is taken")
	}
}
