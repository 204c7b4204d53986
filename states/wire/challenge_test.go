package wire

import (
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/stile-oauth/stile/states/rules"
)

func wwwAuthenticate(values ...string) Fields {
	var h Fields
	for _, v := range values {
		h = append(h, Field{Name: "WWW-Authenticate", Value: v})
	}
	return h
}

// show writes challenges in one line: scheme[token68] name=value|name=value.
func show(cs []AuthChallenge) string {
	var out []string
	for _, c := range cs {
		s := c.Scheme
		if c.Token68 != "" {
			s += "[" + c.Token68 + "]"
		}
		for i, p := range c.Params {
			sep := "|"
			if i == 0 {
				sep = " "
			}
			s += sep + p.Name + "=" + p.Value
		}
		out = append(out, s)
	}
	return strings.Join(out, "; ")
}

func TestParseChallenges(t *testing.T) {
	g, once := rules.ChallengeGrammar, rules.ChallengeParamOnce
	for _, tc := range []struct {
		name string
		in   []string
		want string
		note []rules.ID
	}{
		{"one", []string{`Bearer realm="x"`}, "bearer realm=x", nil},
		{"bare scheme", []string{`Bearer`}, "bearer", nil},
		{"bare scheme with spaces", []string{"  Bearer \t "}, "bearer", nil},
		{"case of scheme and names (challenge-scheme-case)", []string{`BEARER Resource_Metadata="https://h/x"`}, "bearer resource_metadata=https://h/x", nil},
		{"token value", []string{`Bearer error=invalid_token, scope="a b"`}, "bearer error=invalid_token|scope=a b", nil},
		{"space around the sign", []string{`Bearer realm = "x" , error="y"`}, "bearer realm=x|error=y", nil},
		{"escapes", []string{`Bearer realm="a \"b\" \\ c, d=e"`}, `bearer realm=a "b" \ c, d=e`, nil},
		{"text inside another parameter is no parameter", []string{`Bearer error_description="resource_metadata=\"https://evil/\"", resource_metadata="https://h/"`}, `bearer error_description=resource_metadata="https://evil/"|resource_metadata=https://h/`, nil},
		{"empty value", []string{`Bearer realm=""`}, "bearer realm=", nil},
		{"token68", []string{`Negotiate YII+/a=, Bearer realm="x"`}, "negotiate[YII+/a=]; bearer realm=x", nil},
		{"token68 up to the end", []string{`Negotiate YII/a`}, "negotiate[YII/a]", nil},
		{"token68 that looks like a name", []string{`NTLM abc==`}, "ntlm[abc==]", nil},
		{"several in one field (challenge-multiple)", []string{`Basic realm="b", Bearer realm="x", error="e", DPoP algs="ES256 PS256"`}, "basic realm=b; bearer realm=x|error=e; dpop algs=ES256 PS256", nil},
		{"bare one before others", []string{`Negotiate, Bearer, DPoP algs="ES256"`}, "negotiate; bearer; dpop algs=ES256", nil},
		{"several fields (challenge-multiple)", []string{`Basic realm="b"`, `Bearer realm="x"`}, "basic realm=b; bearer realm=x", nil},
		{"empty list elements", []string{`, ,Bearer realm="x",, error="y",`}, "bearer realm=x|error=y", nil},
		{"unknown scheme", []string{`X-Odd! a=b, Bearer c=d`}, "x-odd! a=b; bearer c=d", nil},
		{"high octets", []string{"Bearer realm=\"gr\xc3\xbcn\""}, "bearer realm=gr\xc3\xbcn", nil},
		{"nothing", []string{""}, "", nil},

		{"same twice", []string{`Bearer realm="x", realm=x`}, "bearer realm=x", []rules.ID{once}},
		{"different twice", []string{`Bearer scope="a", error="e", scope="b", Scope="c"`}, "bearer error=e", []rules.ID{once}},

		// Tolerated, with a finding.
		{"comma missing", []string{`Bearer realm="x" error="y", Basic realm="b"`}, "bearer realm=x|error=y; basic realm=b", []rules.ID{g}},
		{"unquoted URL", []string{`Bearer resource_metadata=https://h/x, Basic realm="b"`}, "bearer resource_metadata=https://h/x; basic realm=b", []rules.ID{g}},
		{"unquoted URL with a query", []string{`Bearer resource_metadata=http://127.0.0.1:8001/x?a=b&c, error=e`}, "bearer resource_metadata=http://127.0.0.1:8001/x?a=b&c|error=e", []rules.ID{g}},
		{"unquoted scope", []string{`Bearer scope=mcp:read`}, "bearer scope=mcp:read", []rules.ID{g}},

		// Only the broken parameters are lost.
		{"value missing", []string{`Bearer error="e", realm=, Basic realm="b"`}, "bearer error=e; basic realm=b", []rules.ID{g}},
		{"value missing before others", []string{`Bearer realm= , resource_metadata="https://h/x"`}, "bearer resource_metadata=https://h/x", []rules.ID{g}},
		{"two words outside quotes", []string{`Bearer realm=my server, resource_metadata="https://h/x", error="e"`}, "bearer resource_metadata=https://h/x|error=e", []rules.ID{g}},
		{"text behind a value", []string{`Bearer error="e" !, resource_metadata="https://h/x"`}, "bearer resource_metadata=https://h/x", []rules.ID{g}},
		{"quotes inside quotes", []string{`Bearer error_description="the "old" token", resource_metadata="https://h/x"`}, "bearer resource_metadata=https://h/x", []rules.ID{g}},
		{"a name without a value", []string{`Bearer error="e", resource_metadata "https://h/x", scope="a"`}, "bearer error=e; resource_metadata scope=a", []rules.ID{g}},
		{"a lone name with its sign is a token68", []string{`Bearer realm=, Basic realm="b"`}, "bearer[realm=]; basic realm=b", nil},
		{"quote not closed", []string{`Bearer realm="x, Basic realm=b`}, "bearer", []rules.ID{g}},
		{"quote not closed, other field", []string{`Bearer realm="x`, `Basic realm=b`}, "bearer; basic realm=b", []rules.ID{g}},
		{"quote not closed, behind others", []string{`Bearer resource_metadata="https://h/x", realm="y`}, "bearer resource_metadata=https://h/x", []rules.ID{g}},
		{"backslash at the end", []string{`Bearer realm="x\`}, "bearer", []rules.ID{g}},
		{"control character", []string{"Bearer realm=\"a\x00b\", error=\"c, Basic realm=z\", Basic realm=\"b\""}, "bearer error=c, Basic realm=z; basic realm=b", []rules.ID{g}},

		// Without a scheme there is no challenge.
		{"no scheme", []string{`="x", Bearer realm="y"`}, "bearer realm=y", []rules.ID{g}},
		{"quoted string in place of a challenge", []string{`"Bearer x=y", Bearer realm="y"`}, "bearer realm=y", []rules.ID{g}},
		{"parameters without scheme", []string{`realm="x", error="e", Bearer realm="y"`}, "bearer realm=y", []rules.ID{g}},
		{"scheme glued to a parameter", []string{`Bearer/realm="x", Basic a=b`}, "basic a=b", []rules.ID{g}},
		{"two words in place of a parameter", []string{`Bearer a bc, d=e`}, "bearer d=e", []rules.ID{g}},
		{"a sign without a name", []string{`Bearer =x`}, "bearer", []rules.ID{g}},
		{"a lone name that is no token68", []string{`Bearer a!`}, "bearer", []rules.ID{g}},
		{"a lone name that is no token68, before others", []string{`Bearer a!, b=c`}, "bearer b=c", []rules.ID{g}},
		{"a parameter with a space in it, behind what has no scheme", []string{`=x, a =b, Basic realm=z`}, "basic realm=z", []rules.ID{g}},
		{"two bad ones", []string{`A x, B =, C "`, `Bearer a=b`}, "a[x]; b; c; bearer a=b", []rules.ID{g, g}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			got, found := ParseChallenges(wwwAuthenticate(tc.in...))
			if s := show(got); s != tc.want {
				t.Errorf("got  %s\nwant %s", s, tc.want)
			}
			notes(t, found, tc.note...)
		})
	}
}

// A hostile field takes time proportional to its length, and what is kept of it is bounded.
func TestChallengesBounded(t *testing.T) {
	for _, piece := range []string{",", "a,", "a=,", `a="`, `a b=c,`, `a "x",`, `x=y,`, `=`, `\`, "a b=c d,"} {
		s := strings.Repeat(piece, 64<<10/len(piece))
		got, found := ParseChallenges(wwwAuthenticate("Bearer "+s, s))
		if len(got) > maxChallenges || len(found) > 3*maxChallenges {
			t.Errorf("%q: %d challenges, %d findings", piece, len(got), len(found))
		}
	}
	var many strings.Builder
	for i := range maxAuthParams {
		many.WriteString(", p" + strconv.Itoa(i) + "=y")
	}
	if _, found := ParseChallenges(wwwAuthenticate("Bearer a=b" + many.String())); len(found) == 0 {
		t.Error("more parameters than the bound, and no finding")
	}
}

// Rules: challenge-client-parses.
func TestJudgeChallenge(t *testing.T) {
	const server = "https://mcp.example.com/mcp"
	md := "https://mcp.example.com/.well-known/oauth-protected-resource/mcp"
	for _, tc := range []struct {
		name   string
		status int
		server string
		dpop   bool
		in     []string
		want   Challenge
		note   []rules.ID
	}{
		{"usual", 401, server, false, []string{`Bearer resource_metadata="` + md + `", scope="a b"`},
			Challenge{Found: true, Scheme: "bearer", Named: true, ResourceMetadata: md, Scopes: []string{"a", "b"}, HasScope: true}, nil},
		{"no field", 401, server, false, nil, Challenge{}, []rules.ID{rules.ChallengeWwwAuthenticatePresent}},
		{"403 without challenge is the caller's", 403, server, false, nil, Challenge{}, nil},
		{"Basic only", 401, server, false, []string{`Basic realm="x"`}, Challenge{}, nil},
		{"bare", 401, server, false, []string{`Bearer`}, Challenge{Found: true, Scheme: "bearer"}, []rules.ID{rules.ChallengeHasParam}},
		{"Basic beside Bearer", 401, server, false, []string{`Basic realm="x"`, `Bearer resource_metadata="` + md + `"`},
			Challenge{Found: true, Scheme: "bearer", Named: true, ResourceMetadata: md}, nil},
		{"first Bearer", 401, server, false, []string{`Bearer scope="a", Bearer scope="b"`},
			Challenge{Found: true, Scheme: "bearer", Scopes: []string{"a"}, HasScope: true}, nil},
		{"the one that says something", 401, server, true, []string{`Bearer, DPoP scope="a"`},
			Challenge{Found: true, Scheme: "dpop", Scopes: []string{"a"}, HasScope: true}, nil},
		{"DPoP switched off", 401, server, false, []string{`DPoP algs="ES256"`}, Challenge{}, nil},
		{"error and description", 403, server, false, []string{"Bearer error=\"insufficient_scope\", error_description=\"n\\\x1bo\u202e\"", `Basic a=b`},
			Challenge{Found: true, Scheme: "bearer", Error: "insufficient_scope"}, []rules.ID{rules.ChallengeGrammar}},
		{"URL outside quotes", 401, server, false, []string{`Bearer resource_metadata=` + md},
			Challenge{Found: true, Scheme: "bearer", Named: true, ResourceMetadata: md}, []rules.ID{rules.ChallengeGrammar}},
		{"metadata behind a broken parameter", 401, server, false, []string{`Bearer realm=my server, resource_metadata="` + md + `"`},
			Challenge{Found: true, Scheme: "bearer", Named: true, ResourceMetadata: md}, []rules.ID{rules.ChallengeGrammar}},
		{"named in an open quote", 401, server, false, []string{`Bearer realm="x, resource_metadata="` + md + `"`},
			Challenge{Found: true, Scheme: "bearer", Named: true}, []rules.ID{rules.ChallengeGrammar, rules.ChallengeHasParam}},
		{"named without a value", 401, server, false, []string{`Bearer resource_metadata=`},
			Challenge{Found: true, Scheme: "bearer", Named: true}, []rules.ID{rules.ChallengeHasParam}},
		{"named without a sign", 401, server, false, []string{`Bearer error="invalid_token", Resource_Metadata "` + md + `"`},
			Challenge{Found: true, Scheme: "bearer", Named: true, Error: "invalid_token"}, []rules.ID{rules.ChallengeGrammar}},
		{"named twice", 401, server, false, []string{`Bearer resource_metadata="` + md + `", resource_metadata="https://evil.example/"`},
			Challenge{Found: true, Scheme: "bearer", Named: true}, []rules.ID{rules.ChallengeParamOnce, rules.ChallengeHasParam}},
		{"named without a scheme", 401, server, false, []string{`resource_metadata="` + md + `"`},
			Challenge{Named: true}, []rules.ID{rules.ChallengeGrammar}},
		{"named in another scheme", 401, server, false, []string{`DPoP algs="ES256", resource_metadata="` + md + `"`},
			Challenge{Named: true}, nil},
		{"spoken of, not named", 401, server, false, []string{`Bearer error_description="no resource_metadata here"`},
			Challenge{Found: true, Scheme: "bearer", ErrorDescription: "no resource_metadata here"}, nil},
		{"sanitised", 403, server, false, []string{"Bearer error=\"insufficient_scope\", error_description=\"no\u202e\", scope=\"w\""},
			Challenge{Found: true, Scheme: "bearer", Error: "insufficient_scope", ErrorDescription: "no�", Scopes: []string{"w"}, HasScope: true}, nil},
		{"status and error disagree", 403, server, false, []string{`Bearer error="invalid_token"`},
			Challenge{Found: true, Scheme: "bearer", Error: "invalid_token"}, []rules.ID{rules.ChallengeStatusCodeMatch}},
		{"comma in scope", 401, server, false, []string{`Bearer scope="a,b c"`},
			Challenge{Found: true, Scheme: "bearer", Scopes: []string{"a,b", "c"}, HasScope: true}, []rules.ID{rules.ChallengeScopeCharset}},
		{"illegal octet in scope", 401, server, false, []string{`Bearer scope="a b\"c"`},
			Challenge{Found: true, Scheme: "bearer"}, []rules.ID{rules.ChallengeScopeCharset}},
		{"empty scope", 401, server, false, []string{`Bearer scope=""`}, Challenge{Found: true, Scheme: "bearer"}, nil},
		{"conflicting scopes", 401, server, false, []string{`Bearer scope="a", scope="b", realm="r"`},
			Challenge{Found: true, Scheme: "bearer"}, []rules.ID{rules.ChallengeParamOnce}},
		{"relative metadata", 401, server, false, []string{`Bearer resource_metadata="/.well-known/oauth-protected-resource"`},
			Challenge{Found: true, Scheme: "bearer", Named: true}, []rules.ID{rules.ChallengeMetadataURLAbsolute}},
		{"metadata with userinfo", 401, server, false, []string{`Bearer resource_metadata="https://a@h/x"`},
			Challenge{Found: true, Scheme: "bearer", Named: true}, []rules.ID{rules.ChallengeMetadataURLAbsolute}},
		{"metadata with fragment", 401, server, false, []string{`Bearer resource_metadata="` + md + `#x"`},
			Challenge{Found: true, Scheme: "bearer", Named: true}, []rules.ID{rules.ChallengeMetadataURLAbsolute}},
		{"metadata over http behind a proxy", 401, server, false, []string{`Bearer resource_metadata="http://mcp.example.com/x"`},
			Challenge{Found: true, Scheme: "bearer", Named: true}, []rules.ID{rules.ChallengeMetadataURLHTTPS}},
		{"loopback http named by a remote server", 401, server, false, []string{`Bearer resource_metadata="http://127.0.0.1/x"`},
			Challenge{Found: true, Scheme: "bearer", Named: true}, []rules.ID{rules.ChallengeMetadataURLHTTPS}},
		{"loopback server", 401, "http://localhost:8001/mcp", false, []string{`Bearer resource_metadata="http://localhost:8001/x"`},
			Challenge{Found: true, Scheme: "bearer", Named: true, ResourceMetadata: "http://localhost:8001/x"}, nil},
		{"loopback server, remote http", 401, "http://localhost:8001/mcp", false, []string{`Bearer resource_metadata="http://example.com/x"`},
			Challenge{Found: true, Scheme: "bearer", Named: true}, []rules.ID{rules.ChallengeMetadataURLHTTPS}},
		{"other origin", 401, server, false, []string{`Bearer resource_metadata="https://meta.example.com/x"`},
			Challenge{Found: true, Scheme: "bearer", Named: true, ResourceMetadata: "https://meta.example.com/x"}, []rules.ID{rules.ChallengeMetadataURLOrigin}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			got, found := JudgeChallenge(Response{Status: tc.status, Header: wwwAuthenticate(tc.in...), Body: []byte(`{"error":"insufficient_scope","scope":"admin"}`)}, at(tc.server), tc.dpop)
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Error(diff)
			}
			notes(t, found, tc.note...)
		})
	}
}
