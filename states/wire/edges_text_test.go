package wire

import (
	"encoding/base64"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stile-oauth/stile/states/rules"
)

// TestMaskEdges: a secret is found at the very ends of a text and in what was cut off, and a
// text that only looks like it is left alone.
func TestMaskEdges(t *testing.T) {
	const s = "abcdefgh1234"
	plain := base64.RawURLEncoding.EncodeToString
	for _, c := range []struct {
		secret Secret
		text   string
		masked bool
	}{
		{"a1b2", "x a1b2", false}, // too short to be told from a word
		{"a1b2c3", "x a1b2c3", true},
		{s, plain([]byte(s)), true}, // nothing but the encoded secret
		{"k9#x2p", "word " + plain([]byte("9#x2p"))[:6], false},
		{s + s + s, "Basic " + plain([]byte(s + s))[:20] + "…", true},
		{s, "x abcdefgh123…", true}, // one letter is missing
		{s, `x abcdefgh123\4`, true},
		{s, `x \u0061bcdefgh1234`, true},
		{"šecret-123456", `x \u0161ecret-123456`, true},
		{"u12xzabcdef", `x \u12xzabcdef`, true},
		{s, "%252561bcdefgh1234", true},                        // behind three escapes
		{s, "%25252525252541 and more", false},                 // more escapes than are undone
		{s, "nothing+of+it here", false},                       // a plus sign alone
		{s, "abc%4 x%", false},                                 // escapes that end too soon
		{s, `abc\ x\u00 y\`, false},                            // the same
		{s, "&#97;bcdefgh1234 begins", true},                   // at the beginning
		{s, "ABCDEFGH1234", true},                              // in other letters
		{"words only", "some words only", false},               // nothing to tell it by
		{"twenty-letters-words", "twenty-letters-words", true}, // long enough to be no word
		{"abc-12345", plain([]byte("abc-12345")), true},        // the shortest encoded form is longer than this
		{s, `x abc\u0064…`, true},                              // four letters, the last of them behind an escape
		{"zzzzzz-1", "x ZZZZZZ-1", true},
		{"ABC_12345", "x abc_12345", true},
		{`k9\x2&p1`, `k9\x2&amp;p1`, true}, // a backslash that is no escape, behind one of HTML
		{`&k9\x2p1`, `&amp;k9\x2p1`, true},
		{`ux123"abc`, `x \ux123\"abc`, true}, // what only looks like an escape
		{`u1x23"abc`, `x \u1x23\"abc`, true},
		{`u12x3"abc`, `x \u12x3\"abc`, true},
		{`u123x"abc`, `x \u123x\"abc`, true},
	} {
		got := Mask(c.text, []Secret{c.secret})
		if (got != c.text) != c.masked || c.masked && !strings.Contains(got, "secret(…)") {
			t.Errorf("%s: %s", c.text, got)
		}
	}
	if MayQuote("offline_access") || MayQuote("short") || !MayQuote("longer") {
		t.Error("which scopes are searched for secrets")
	}
}

// TestChallengeEdges: where a field ends too soon, or goes on after what cannot be read.
func TestChallengeEdges(t *testing.T) {
	for _, c := range []struct {
		field   string
		schemes string
		notes   int
	}{
		{`Bearer b=c, a=`, "bearer", 1},
		{`=x, Negotiate`, "negotiate", 1},
		{`=x, Negotiate, Bearer a=b`, "negotiate bearer", 1},
		{`=x, "y, Bearer a=b", Basic realm=z`, "basic", 1},
		{`=x, foo"bar", Basic realm=z`, "basic", 1},
		{`=x "never closed, Basic realm=z`, "", 1},
		{`=x "never closed\`, "", 1},
		{"Basic a~b==, Bearer c=d", "basic bearer", 0},
		{"Bearer a=\"x\x7f\"", "bearer", 1},
	} {
		all, found := ParseChallenges(Fields{{Name: "WWW-Authenticate", Value: c.field}})
		var schemes []string
		for _, a := range all {
			schemes = append(schemes, a.Scheme)
		}
		if strings.Join(schemes, " ") != c.schemes || len(found) != c.notes {
			t.Errorf("%q: %v %v", c.field, schemes, found)
		}
	}
	if all, _ := ParseChallenges(Fields{{Name: "WWW-Authenticate", Value: "Bearer a=x\x7fy, b=c"}}); len(all) > 0 && slices.ContainsFunc(all[0].Params, func(p AuthParam) bool { return strings.Contains(p.Value, "\x7f") }) {
		t.Errorf("%v", all)
	}
	if all, found := ParseChallenges(Fields{{Name: "WWW-Authenticate", Value: strings.Repeat("Negotiate, ", 64)}}); len(all) != 64 || len(found) != 0 {
		t.Errorf("64 challenges: %d, %v", len(all), found)
	}
	if all, found := ParseChallenges(Fields{{Name: "WWW-Authenticate", Value: strings.Repeat("Negotiate, ", 65)}}); len(all) != 64 || len(found) != 1 {
		t.Errorf("65 challenges: %d, %v", len(all), found)
	}
	many := strings.TrimSuffix(strings.Repeat("Bearer "+strings.Repeat("a=b c=d e=f g=h ", 1)+", ", 50), ", ")
	odd := 0
	_, found := ParseChallenges(Fields{{Name: "WWW-Authenticate", Value: many}})
	for _, f := range found {
		if f.Rule == rules.ChallengeGrammar {
			odd++
		}
	}
	if odd != 64 {
		t.Errorf("%d oddities are told", odd)
	}
	for header, rule := range map[string]rules.ID{
		`Bearer resource_metadata="/relative"`:              rules.ChallengeMetadataURLAbsolute,
		`Bearer resource_metadata="http://mcp.example/x"`:   rules.ChallengeMetadataURLHTTPS,
		`Bearer resource_metadata="https://mcp.example/x"`:  "",
		`Bearer error="invalid_request", error_uri="x"`:     "",
		`Bearer error="invalid_token", scope="a"`:           rules.ChallengeStatusCodeMatch,
		`Bearer resource_metadata="https://other.example/"`: rules.ChallengeMetadataURLOrigin,
	} {
		_, found := JudgeChallenge(Response{Status: 400, Header: Fields{{Name: "WWW-Authenticate", Value: header}}}, at("https://mcp.example/mcp"), false)
		if (len(found) == 0) != (rule == "") || rule != "" && !slices.ContainsFunc(found, func(f Finding) bool { return f.Rule == rule }) {
			t.Errorf("%s: %v", header, found)
		}
	}
}

// TestURLEdges: origins, roots, hosts and escapes at their edges.
func TestURLEdges(t *testing.T) {
	if (URL{}).SameOrigin(URL{}) {
		t.Error("no address has the origin of none")
	}
	root := at("https://u@h.example:80/x?y#z").Root()
	if root.User() || root.String() != "https://h.example:80" || CheckURL(root.String(), URLPolicy{}) != nil {
		t.Errorf("%s", root)
	}
	if got := at("https://h.example/a^b").EscapedPath(); got != "/a^b" {
		t.Errorf("%q", got)
	}
	for raw, piece := range map[string]string{"ftp://me:pw@h.example/": `"ftp://…@h.example/"`, "https://h.example/%4G": "broken percent escape", "https://h.example/%4g": "broken percent escape", "https://h.example/%:4": "broken percent escape", "https://h.example/\x7f": "control character"} {
		if bad := CheckURL(raw, URLPolicy{}); bad == nil || strings.Contains(bad.Detail, "pw") || !strings.Contains(bad.Detail, piece) {
			t.Errorf("%q: %v", raw, bad)
		}
	}
	reaches := func(r Reach, raw string) bool {
		u, err := url.Parse(raw)
		return err == nil && r.Allows(u)
	}
	for _, c := range []struct {
		of, to string
		ok     bool
	}{
		{"https://h.example/~a", "https://h.example/%7ea", true},
		{"https://h.example/%7ea/b", "https://h.example/~a/b/c", true},
		{"https://h.example/x?a=1&a=1", "https://h.example/x?a=1&b=2&a=1", true},
		{"https://h.example/x?a=1&a=1", "https://h.example/x?a=1", false},
		{"https://h.example:8443/x", "https://h.example/x", false},
		{"https://h.example:8443/x", "https://h.example:443/x", false},
		{"https://h.example/x", "https://h.example:443/x", true},
		{"http://127.0.0.1/x", "http://127.0.0.1:80/x", true},
		{"http://127.0.0.1/x", "http://127.0.0.1:443/x", false},
		{"https://h.example/a%2fb", "https://h.example/a%2Fb/c", true},
		{"https://h.example/a%2fb", "https://h.example/a%3Fb", false},
		{"https://h.example/~/x12", "https://h.example/%7E/x12", true},
		{"https://h.example/%7E/x12", "https://h.example/%7E/%12", false},
		{"https://h.example/x?a=1", "https://h.example/x?a=1&b=%4", true}, // what is broken is equivalent to nothing
		{"https://h.example/x?a=%21", "https://h.example/x?a=%i1", false},
		{"https://h.example/x?a=4", "https://h.example/x?a=%2k", false},
		{"https://h.example/x", "https://h.example/x/.a", true},
		{"https://h.example/x", "https://h.example/x/%25252541", true}, // nobody climbs with a letter
	} {
		if got := reaches(at(c.of).Reach(), c.to); got != c.ok {
			t.Errorf("%s reaches %s: %v", c.of, c.to, got)
		}
	}
	if at("https://h.example?a=1").Reach().Allows(&url.URL{Scheme: "https", Host: "h.example", Path: "..", RawQuery: "a=1"}) {
		t.Error("a path that begins by climbing")
	}
	longest := "https://h.example/" + strings.Repeat("a", 8192-len("https://h.example/"))
	if bad := CheckURL(longest, URLPolicy{}); bad != nil {
		t.Error(bad)
	}
}

// TestResourceInWords: what is wrong with a resource is said, and which rule it is about.
func TestResourceInWords(t *testing.T) {
	const ref = "https://mcp.example/mcp"
	prm := func(resource string) Response {
		return answer(200, `{`+resource+`"authorization_servers":["https://as.example"]}`)
	}
	for resource, want := range map[string]string{"": "no resource member", `"resource":null,`: "no resource member", `"resource":3,`: "not a string", `"resource":"",`: "not a string"} {
		_, _, bad := ParsePRM(prm(resource), PRMPolicy{Server: at(ref), Reference: at(ref)})
		breaks(t, bad, rules.PRMResourcePresent, false)
		says(t, bad.Detail, want, ref)
	}
	for header, rule := range map[bool]rules.ID{true: rules.PRMResourceMatchHeader, false: rules.PRMResourceMatchWellknown} {
		_, found, bad := ParsePRM(prm(`"resource":"HTTPS://MCP.example/mcp",`), PRMPolicy{Server: at(ref), Reference: at(ref), FromHeader: header})
		breaks(t, bad, "", false)
		notes(t, found, rule)
	}
}

// TestRegistrationEdges: what an answer leaves out, and how far its numbers go.
func TestRegistrationEdges(t *testing.T) {
	now := time.Date(2026, 7, 28, 12, 0, 0, 0, time.UTC)
	asked := RegistrationParams{Endpoint: "https://as.example/register", RedirectURIs: []string{"http://127.0.0.1/cb"}}
	for _, c := range []struct {
		name, body, method string
		want               string // the method
		expires            bool
		note               []rules.ID
		rule               rules.ID
	}{
		{"a character at each end of what an id has", `"client_id":"a ~","token_endpoint_auth_method":"none"`, "", MethodNone, false, nil, ""},
		{"an empty method is none that is named", `"client_id":"a","token_endpoint_auth_method":""`, "", MethodNone, false, []rules.ID{rules.DCRResponseComplete}, ""},
		{"no method, as asked", `"client_id":"a","client_secret":"s","client_secret_expires_at":0`, MethodPost, MethodPost, false, []rules.ID{rules.DCRResponseComplete}, ""},
		{"a secret as long as may be", `"client_id":"a","client_secret":"` + strings.Repeat("s", 8192) + `","client_secret_expires_at":0,"token_endpoint_auth_method":"client_secret_post"`, MethodPost, MethodPost, false, nil, ""},
		{"a longer secret", `"client_id":"a","client_secret":"` + strings.Repeat("s", 8193) + `"`, MethodPost, "", false, nil, rules.DCRErrorShape},
		{"until the last second", `"client_id":"a","client_secret":"s","client_secret_expires_at":253402300799,"token_endpoint_auth_method":"client_secret_post"`, MethodPost, MethodPost, true, nil, ""},
		{"beyond it", `"client_id":"a","client_secret":"s","client_secret_expires_at":253402300800,"token_endpoint_auth_method":"client_secret_post"`, MethodPost, MethodPost, false, []rules.ID{rules.DCRSecretExpiresAt}, ""},
		{"no time", `"client_id":"a","client_secret":"s","client_secret_expires_at":true,"token_endpoint_auth_method":"client_secret_post"`, MethodPost, MethodPost, false, []rules.ID{rules.DCRSecretExpiresAt}, ""},
		{"never, and no note", `"client_id":"a","client_secret":"s","client_secret_expires_at":0,"token_endpoint_auth_method":"client_secret_post"`, MethodPost, MethodPost, false, nil, ""},
		{"other grants", `"client_id":"a","grant_types":["implicit"],"token_endpoint_auth_method":"none"`, "", MethodNone, false, []rules.ID{rules.DCRResponseAuthoritative}, ""},
		{"the grant", `"client_id":"a","grant_types":["authorization_code"],"token_endpoint_auth_method":"none"`, "", MethodNone, false, nil, ""},
	} {
		p := asked
		p.Method = c.method
		got, found, bad := ParseRegistration(answer(201, "{"+c.body+"}"), p, nil, now)
		wantRule(t, c.name, bad, c.rule)
		if got.Method != c.want || got.SecretExpires.IsZero() == c.expires {
			t.Errorf("%s: %+v", c.name, got)
		}
		notes(t, found, c.note...)
	}
	machine := RegistrationParams{Endpoint: asked.Endpoint, GrantTypes: []string{"client_credentials"}}
	_, found, bad := ParseRegistration(answer(201, `{"client_id":"a","grant_types":["client_credentials"],"token_endpoint_auth_method":"none"}`), machine, nil, now)
	wantRule(t, "a machine", bad, "")
	notes(t, found)
	_, _, bad = ParseRegistration(Response{Status: 199}, asked, nil, now)
	wantRule(t, "199", bad, rules.DCRErrorShape)
}

// TestClientDocumentOfKeys: the document of a client that signs holds its keys, and all the
// methods that it can use; without keys it holds none.
func TestClientDocumentOfKeys(t *testing.T) {
	p := RegistrationParams{RedirectURIs: []string{"https://app.example/cb"}, Method: MethodJWT, Methods: []string{MethodJWT, MethodNone}, Keys: `{"keys":[]}`}
	doc := string(ClientDocument(at("https://app.example/client"), p))
	says(t, doc, `"jwks":{"keys":[]}`, `"token_endpoint_auth_methods_supported":["private_key_jwt","none"]`)
	p.Keys = ""
	if doc := string(ClientDocument(at("https://app.example/client"), p)); strings.Contains(doc, "jwks") {
		t.Error(doc)
	}
	p.Keys, p.Method = `{"keys":[]}`, MethodNone
	if doc := string(ClientDocument(at("https://app.example/client"), p)); strings.Contains(doc, "jwks") {
		t.Error(doc)
	}
}
