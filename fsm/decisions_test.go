package fsm_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/stile-oauth/stile/fsm/script"
	"github.com/stile-oauth/stile/states"
	"github.com/stile-oauth/stile/states/rules"
	"github.com/stile-oauth/stile/states/wire"
)

// The tables of docs/decision-tables.md, row by row: each row is a short story and
// what must come of it. The names of the tests begin with the row's anchor.

// story is what came of the lines of a script.
type story struct {
	t       *testing.T
	s       *script.Script
	events  []string
	notes   []rules.ID
	sent    []states.Send
	visits  []states.Visit
	effects []states.Effect
}

// tell runs lines; a line may have its block under it.
func tell(t *testing.T, lines ...string) *story {
	t.Helper()
	y := &story{t: t, s: script.New()}
	y.s.Observe = func(p script.Step) {
		if p.Err != nil {
			return
		}
		y.events = append(y.events, string(p.Result.Event))
		y.effects = append(y.effects, p.Result.Effects...)
		for _, e := range p.Result.Effects {
			switch e := e.(type) {
			case states.Note:
				y.notes = append(y.notes, e.Finding.Rule)
			case states.Send:
				y.sent = append(y.sent, e)
			case states.Visit:
				y.visits = append(y.visits, e)
			}
		}
	}
	y.go_(lines...)
	return y
}

// go_ goes on with the story.
func (y *story) go_(lines ...string) *story {
	y.t.Helper()
	for _, l := range lines {
		line, block, _ := strings.Cut(l, "\n")
		if out := y.s.Do(line, block); strings.HasPrefix(out, "error: ") || strings.Contains(out, "\nerror: ") || strings.Contains(out, "BROKEN") {
			y.t.Errorf("%s: %s", line, out)
		}
	}
	return y
}

func (y *story) data() states.Data { return y.s.Machine().Data }

// rule is the rule of the fault that the story ended with, or "".
func (y *story) rule() rules.ID {
	if f := y.data().Fault; f != nil {
		return f.Problem.Rule
	}
	return ""
}

// kind says how it went, in the words of #t8.
func (y *story) kind() string {
	f := y.data().Fault
	switch {
	case f == nil:
		return ""
	case f.Transient:
		return "TR"
	}
	return "TE"
}

func (y *story) fired(event string) bool { return slices.Contains(y.events, event) }

func (y *story) noted(rule rules.ID) bool { return slices.Contains(y.notes, rule) }

// urls gives the addresses asked, in order, without repetitions in a row.
func (y *story) urls() []string {
	var out []string
	for _, s := range y.sent {
		if n := len(out); n == 0 || out[n-1] != s.Request.URL {
			out = append(out, s.Request.URL)
		}
	}
	return out
}

// posts counts the POSTs to one address.
func (y *story) posts(url string) int {
	n := 0
	for _, s := range y.sent {
		if s.Request.Method == "POST" && s.Request.URL == url {
			n++
		}
	}
	return n
}

// scope gives the scope of the last authorization request, and whether there
// was one.
func (y *story) param(name string) (string, bool) {
	y.t.Helper()
	if len(y.visits) == 0 {
		y.t.Fatal("nobody was sent anywhere")
	}
	_, query, _ := strings.Cut(y.visits[len(y.visits)-1].URL.Reveal(), "?")
	fields, ok := wire.DecodeForm(query)
	if !ok {
		y.t.Fatal("the authorization request cannot be read")
	}
	return fields.Get(name)
}

// want is what must come of a row; what is empty is not looked at.
type want struct {
	state states.State
	event string
	rule  rules.ID
	note  rules.ID
	kind  string
}

func (y *story) is(w want) {
	y.t.Helper()
	if w.state != "" && y.s.Machine().State != w.state {
		y.t.Errorf("it is in %s, not in %s (%v)", y.s.Machine().State, w.state, y.events)
	}
	if w.event != "" && !y.fired(w.event) {
		y.t.Errorf("%s did not happen: %v", w.event, y.events)
	}
	if w.rule != "" && y.rule() != w.rule {
		y.t.Errorf("it cites %q, not %q (%v)", y.rule(), w.rule, y.data().Fault)
	}
	if w.note != "" && !y.noted(w.note) {
		y.t.Errorf("%s is not noted: %v", w.note, y.notes)
	}
	if w.kind != "" && y.kind() != w.kind {
		y.t.Errorf("it is %q, not %q", y.kind(), w.kind)
	}
}

type decision struct {
	id    string
	lines []string
	want  want
}

func decide(t *testing.T, rows []decision) {
	t.Helper()
	for _, r := range rows {
		t.Run(r.id, func(t *testing.T) {
			t.Helper()
			tell(t, r.lines...).is(r.want)
		})
	}
}

func lines(l ...string) []string { return l }

const html = "<!doctype html><title>hello</title>"

func TestT1Iss(t *testing.T) {
	const code = "redirect code=code-of-the-story"
	legacy := "peer legacy issuer=https://mcp.example"
	refused := func(rule rules.ID) want { return want{state: states.Failed, rule: rule} }
	decide(t, []decision{
		{"#t1-1", lines("config", "reach Authorizing", code+" iss=https://as.example", "run until=Exchanging"), want{event: "CodeReceived"}},
		{"#t1-2", lines("config", "reach Authorizing", code+" iss=https://as.example/", "run"), refused(rules.IssuerResponseCompare)},
		{"#t1-2 case", lines("config", "reach Authorizing", code+" iss=https://AS.example", "run"), refused(rules.IssuerResponseCompare)},
		{"#t1-2 port", lines("config", "reach Authorizing", code+" iss=https://as.example:443", "run"), refused(rules.IssuerResponseCompare)},
		{"#t1-3", lines("config", "reach Authorizing", code, "run"), refused(rules.IssuerResponseRequired)},
		{"#t1-3 empty", lines("config", "reach Authorizing", "redirect\nhttp://127.0.0.1:4711/callback?code=code-of-the-story&iss=&state=‹state-1›", "run"), refused(rules.IssuerResponseRequired)},
		{"#t1-4", lines("config", "peer iss=no", "reach Authorizing", code+" iss=https://as.example", "run until=Exchanging"), want{note: rules.IssuerASAdvertises}},
		{"#t1-5", lines("config", "peer iss=no", "reach Authorizing", code+" iss=https://evil.example", "run"), refused(rules.IssuerResponseCompare)},
		{"#t1-6", lines("config", "peer iss=no", "reach Authorizing", code, "run until=Exchanging"), want{note: rules.IssuerASSends}},
		{"#t1-7", lines("config", "reach Authorizing", code+" iss=(https://as.example, https://as.example)", "run"), refused(rules.IssuerIssOnce)},
		{"#t1-7 not advertised", lines("config", "peer iss=no", "reach Authorizing", code+" iss=(https://as.example, https://evil.example)", "run"), refused(rules.IssuerIssOnce)},
		{"#t1-8", lines("config", legacy, "reach Authorizing", code+" iss=https://evil.example", "run"), refused(rules.IssuerResponseCompare)},
		{"#t1-8 equal", lines("config", legacy, "reach Authorizing", code+" iss=https://mcp.example", "run until=Exchanging"), want{event: "CodeReceived"}},
		{"#t1-9", lines("config", legacy, "reach Authorizing", code, "run until=Exchanging"), want{note: rules.IssuerRecorded}},
		{"#t1 order: state before iss", lines("config", "reach Authorizing", code+" iss=https://evil.example state=guessed"), want{state: states.Authorizing, event: "StateMismatch"}},
		{"#t1 order: address before state", lines("config", "reach Authorizing", code+" at=http://127.0.0.1:4711/x state=guessed"), want{state: states.Authorizing, event: "CallbackForeign"}},
		{"#t1 order: iss before error", lines("config", "reach Authorizing", "redirect error=access_denied iss=https://evil.example", "run"), refused(rules.IssuerResponseCompare)},
		{"#t1 order: iss on errors too", lines("config", "reach Authorizing", "redirect error=access_denied", "run"), refused(rules.IssuerResponseRequired)},
		{"#t1 baseline of a slash", lines("config", "peer faults=(asm-issuer-slash)", "reach Authorizing", code+" iss=https://as.example/", "run until=Exchanging"), want{event: "CodeReceived"}},
		{"#t1 baseline of an alias", lines("config waive=(issuer-alias|https://as.example|https://elsewhere.example)", "peer faults=(asm-issuer-mismatch)", "reach Authorizing", code+" iss=https://elsewhere.example", "run until=Exchanging"), want{event: "CodeReceived"}},
	})
}

func TestT2AuthorizationServerMetadata(t *testing.T) {
	const as, wk, oidc = "https://as.example", "/.well-known/oauth-authorization-server", "/.well-known/openid-configuration"
	for _, r := range []struct {
		id    string
		lines []string
		urls  []string
		want  want
	}{
		{"#t2 R1", lines("config revision=2025-03-26", "peer legacy issuer=https://mcp.example", "begin login", "run until=Discovering-ASM", "run"),
			[]string{"https://mcp.example" + wk}, want{state: states.Authorizing, event: "LegacyDefaults"}},
		{"#t2 R2, P empty", lines("config revision=2025-06-18", "peer faults=(asm-404)", "begin login", "run"),
			[]string{as + wk, as + oidc}, want{state: states.Failed, rule: rules.ASMServed}},
		{"#t2 R2, P=/tenant", lines("config revision=2025-06-18", "peer issuer=https://as.example/tenant faults=(asm-404)", "begin login", "run"),
			[]string{as + wk + "/tenant", as + oidc + "/tenant", as + "/tenant" + oidc}, want{state: states.Failed, rule: rules.ASMServed}},
		{"#t2 R3, P empty", lines("config revision=2025-11-25", "peer faults=(asm-404)", "begin login", "run"),
			[]string{as + wk, as + oidc}, want{state: states.Failed, rule: rules.ASMServed}},
		{"#t2 R4, P=/tenant", lines("config revision=2026-07-28", "peer issuer=https://as.example/tenant faults=(asm-404)", "begin login", "run"),
			[]string{as + wk + "/tenant", as + oidc + "/tenant", as + "/tenant" + oidc}, want{state: states.Failed, rule: rules.ASMServed}},
		{"#t2 R4, P=/tenant/", lines("config", "peer issuer=https://as.example/tenant/ faults=(asm-404)", "begin login", "run"),
			[]string{as + wk + "/tenant", as + oidc + "/tenant", as + "/tenant" + oidc}, want{state: states.Failed}},
		{"#t2 QUIRK(appended-oauth)", lines("config waive=(appended-oauth)", "peer issuer=https://as.example/tenant faults=(asm-404)", "begin login", "run"),
			[]string{as + wk + "/tenant", as + oidc + "/tenant", as + "/tenant" + oidc, as + "/tenant" + wk}, want{state: states.Failed}},
		{"#t2 HTML is next", lines("config", "peer faults=(asm-html)", "begin login", "run"), []string{as + wk, as + oidc}, want{state: states.Failed, event: "ASMMissing"}},
		{"#t2 no token_endpoint is next", lines("config", "peer faults=(asm-no-token-endpoint)", "begin login", "run"), []string{as + wk, as + oidc}, want{rule: rules.ASMTokenEndpoint}},
		{"#t2 no PKCE is next", lines("config", "peer faults=(asm-no-pkce)", "begin login", "run"), []string{as + wk, as + oidc}, want{rule: rules.ASMPKCEAdvertised}},
		{"#t2 mismatch is cited at the end", lines("config", "reach Discovering-ASM", "respond\n{\"issuer\":\"https://evil.example\",\"token_endpoint\":\"https://evil.example/t\"}", "respond status=404", "run"),
			[]string{"https://mcp.example/.well-known/oauth-protected-resource/mcp", as + wk, as + oidc}, want{rule: rules.ASMIssuerMatch}},
		{"#t2 no PKCE in R2 is noted", lines("config revision=2025-06-18", "peer faults=(asm-no-pkce)", "begin login", "run"), nil, want{state: states.Authorizing, note: rules.ASMPKCEAdvertised}},
		{"#t2 5xx is at best transient", lines("config", "peer faults=(asm-500)", "begin login", "run"), []string{as + wk, as + oidc}, want{rule: rules.ASM5xxNotAbsent, kind: "TR"}},
		{"#t2 5xx bars the legacy rows", lines("config", "peer legacy issuer=https://mcp.example", "begin login", "run until=Discovering-ASM", "respond status=503", "respond status=503", "respond status=503", "respond status=503", "run"), nil, want{state: states.Failed, kind: "TR"}},
		{"#t2 TLS", lines("config", "reach Discovering-ASM", "unreachable tls", "run"), nil, want{state: states.Failed, rule: rules.NetTLSVerify, kind: "TE"}},
	} {
		t.Run(r.id, func(t *testing.T) {
			y := tell(t, r.lines...)
			y.is(r.want)
			var asked []string
			for _, u := range y.urls() {
				if strings.Contains(u, "oauth-authorization-server") || strings.Contains(u, "openid-configuration") || slices.Contains(r.urls, u) {
					asked = append(asked, u)
				}
			}
			if r.urls != nil && !slices.Equal(asked, r.urls) {
				t.Errorf("asked\n%s\nnot\n%s", strings.Join(asked, "\n"), strings.Join(r.urls, "\n"))
			}
		})
	}
}

func TestT3ProtectedResourceMetadata(t *testing.T) {
	const path, root = "https://mcp.example/.well-known/oauth-protected-resource/mcp", "https://mcp.example/.well-known/oauth-protected-resource"
	good := `respond` + "\n" + `{"resource":"https://mcp.example/mcp","authorization_servers":["https://as.example"]}`
	named := lines("config", "begin", "run", "challenge\nWWW-Authenticate: Bearer resource_metadata=\"https://mcp.example/here\"", "run until=Discovering-PRM")
	for _, r := range []struct {
		id    string
		lines []string
		urls  []string
		want  want
	}{
		{"#t3-0 usable, so no other is asked", append(slices.Clone(named), good), []string{"https://mcp.example/here"}, want{event: "PRMFound"}},
		{"#t3-0 dead", append(slices.Clone(named), "respond status=404", good), []string{"https://mcp.example/here", path}, want{event: "PRMFound", note: rules.PRMHeaderURLDead}},
		{"#t3-0 HTML", append(slices.Clone(named), "respond type=text/html\n"+html, good), []string{"https://mcp.example/here", path}, want{event: "PRMFound"}},
		{"#t3-0 mismatching", append(slices.Clone(named), "respond\n{\"resource\":\"https://mcp.example/other\",\"authorization_servers\":[\"https://as.example\"]}", good), []string{"https://mcp.example/here", path}, want{event: "PRMFound"}},
		{"#t3-1", lines("config", "reach Discovering-PRM", good), []string{path}, want{event: "PRMFound"}},
		{"#t3-1 with a query", lines("config server=https://mcp.example/a/b?q=1", "reach Discovering-PRM", "respond\n{\"resource\":\"https://mcp.example/a/b?q=1\",\"authorization_servers\":[\"https://as.example\"]}"), []string{"https://mcp.example/.well-known/oauth-protected-resource/a/b?q=1"}, want{event: "PRMFound"}},
		{"#t3-2", lines("config", "reach Discovering-PRM", "respond status=401", "respond\n{\"resource\":\"https://mcp.example\",\"authorization_servers\":[\"https://as.example\"]}"), []string{path, root}, want{event: "PRMFound"}},
		{"#t3-2 names the path", lines("config", "reach Discovering-PRM", "respond status=404", "respond\n{\"resource\":\"https://mcp.example/mcp\",\"authorization_servers\":[\"https://as.example\"]}"), []string{path, root}, want{event: "PRMFound", note: rules.PRMResourceMatchWellknown}},
		{"#t3-2 names the path, strict", lines("config strict", "reach Discovering-PRM", "respond status=404", "respond\n{\"resource\":\"https://mcp.example/mcp\",\"authorization_servers\":[\"https://as.example\"]}", "run"), []string{path, root}, want{state: states.Failed, rule: rules.PRMResourceMatchWellknown}},
		{"#t3-2 names another path", lines("config", "reach Discovering-PRM", "respond status=404", "respond\n{\"resource\":\"https://mcp.example/other\",\"authorization_servers\":[\"https://as.example\"]}", "run"), []string{path, root}, want{state: states.Failed, rule: rules.PRMResourceMatchWellknown}},
		{"#t2-status 408 is not definitive", lines("config", "reach Discovering-PRM", "respond status=408", "respond status=425", "respond status=421", "respond status=407", "run"), []string{path, root}, want{event: "LoginParked"}},
		{"#t3-1 is the root without a path", lines("config server=https://mcp.example", "reach Discovering-PRM", "respond status=404", "run until=Discovering-ASM"), []string{root}, want{event: "LegacyServer"}},
		{"#t3-3", lines("config issuer=https://as.example", "reach Discovering-PRM", "respond status=404", "respond status=404"), []string{path, root}, want{event: "IssuerConfigured"}},
		{"#t3-4", lines("config revision=2025-03-26", "reach Discovering-PRM", "respond status=404", "respond status=404"), []string{path, root}, want{event: "LegacyServer", note: rules.ASMLegacyBaseURL}},
		{"#t3 405 and 410 are next", lines("config", "reach Discovering-PRM", "respond status=405", "respond status=410"), []string{path, root}, want{event: "LegacyServer"}},
		{"#t3 no resource is next", lines("config", "reach Discovering-PRM", "respond\n{\"authorization_servers\":[\"https://as.example\"]}", "respond status=404", "run"), []string{path, root}, want{state: states.Failed, rule: rules.PRMResourcePresent}},
		{"#t3 end: mismatch", lines("config", "reach Discovering-PRM", "respond\n{\"resource\":\"https://evil.example\",\"authorization_servers\":[\"https://as.example\"]}", "respond status=404", "run"), nil, want{state: states.Failed, rule: rules.PRMResourceCrossOrigin}},
		{"#t3 end: 5xx", lines("config", "peer faults=(prm-500)", "begin login", "run"), nil, want{state: states.Failed, kind: "TR"}},
		{"#t3 end: nothing, pinned", lines("config revision=2025-06-18", "peer faults=(prm-404)", "begin login", "run"), nil, want{state: states.Failed, rule: rules.PRMServed}},
	} {
		t.Run(r.id, func(t *testing.T) {
			y := tell(t, r.lines...)
			y.is(r.want)
			var asked []string
			for _, u := range y.urls() {
				if strings.Contains(u, "mcp.example") && !strings.Contains(u, "oauth-authorization-server") && !strings.HasSuffix(u, "/register") {
					asked = append(asked, u)
				}
			}
			if r.urls != nil && !slices.Equal(asked, r.urls) {
				t.Errorf("asked\n%s\nnot\n%s", strings.Join(asked, "\n"), strings.Join(r.urls, "\n"))
			}
		})
	}
}

func TestT4Resource(t *testing.T) {
	const u = "https://mcp.example/mcp/v1"
	for _, r := range []struct {
		id, published string
		sent          string // with the compat profile; "" is refused
		rule, note    rules.ID
		strict        bool // accepted with strict-resource
	}{
		{"#t4-1", u, u, "", "", true},
		{"#t4-2", u + "/", u + "/", rules.PRMResourceMatchWellknown, rules.PRMResourceSlash, false},
		{"#t4-3 case", "https://MCP.example/mcp/v1", "https://MCP.example/mcp/v1", rules.PRMResourceMatchWellknown, rules.PRMResourceMatchWellknown, false},
		{"#t4-3 port", "https://mcp.example:443/mcp/v1", "https://mcp.example:443/mcp/v1", rules.PRMResourceMatchWellknown, rules.PRMResourceMatchWellknown, false},
		{"#t4-4", "https://mcp.example/mcp", "https://mcp.example/mcp", rules.PRMResourceMatchWellknown, rules.PRMResourcePrefix, false},
		{"#t4-4 origin", "https://mcp.example", "https://mcp.example", rules.PRMResourceMatchWellknown, rules.PRMResourcePrefix, false},
		{"#t4-5 sibling", "https://mcp.example/other", "", rules.PRMResourceMatchWellknown, "", false},
		{"#t4-5 not on a segment", "https://mcp.example/mc", "", rules.PRMResourceMatchWellknown, "", false},
		{"#t4-5 deeper", u + "/tools", "", rules.PRMResourceMatchWellknown, "", false},
		{"#t4-6", "https://elsewhere.example/mcp/v1", "", rules.PRMResourceCrossOrigin, "", false},
		{"#t4-6 port", "https://mcp.example:8443/mcp/v1", "", rules.PRMResourceCrossOrigin, "", false},
		{"#t4-6 subdomain", "https://a.mcp.example/mcp/v1", "", rules.PRMResourceCrossOrigin, "", false},
		{"#t4-7", "urn:mcp:v1", "", rules.PRMResourceSyntax, "", false},
		{"#t4-7 fragment", u + "#x", "", rules.PRMResourceSyntax, "", false},
	} {
		for _, strict := range []string{"strict=no", "strict"} {
			t.Run(r.id+" "+strict, func(t *testing.T) {
				y := tell(t, "config server="+u+" "+strict, "reach Discovering-PRM",
					"respond\n{\"resource\":\""+r.published+"\",\"authorization_servers\":[\"https://as.example\"]}")
				if r.sent != "" && (strict == "strict=no" || r.strict) {
					y.go_("run until=Authorizing")
					if got, _ := y.param("resource"); got != r.sent {
						t.Errorf("resource=%s is sent, not %s", got, r.sent)
					}
					if r.note != "" {
						y.is(want{note: r.note})
					}
					return
				}
				y.go_("respond status=404", "run").is(want{state: states.Failed, rule: r.rule})
				if len(y.visits) > 0 || y.posts("https://as.example/register") > 0 {
					t.Error("an authorization server was reached")
				}
			})
		}
	}
	t.Run("#t4-7 QUIRK(resource-alias)", func(t *testing.T) {
		y := tell(t, "config server="+u+" waive=(resource-alias|"+u+"|urn:mcp:v1)", "reach Discovering-PRM",
			"respond\n{\"resource\":\"urn:mcp:v1\",\"authorization_servers\":[\"https://as.example\"]}", "run until=Authorizing")
		if got, _ := y.param("resource"); got != "urn:mcp:v1" {
			t.Errorf("resource=%s is sent", got)
		}
	})
	t.Run("#t4-6 has no quirk", func(t *testing.T) {
		tell(t, "config server="+u+" waive=(resource-alias|"+u+"|https://elsewhere.example/mcp)", "reach Discovering-PRM",
			"respond\n{\"resource\":\"https://elsewhere.example/mcp\",\"authorization_servers\":[\"https://as.example\"]}", "respond status=404", "run").
			is(want{state: states.Failed, rule: rules.PRMResourceCrossOrigin})
	})
	t.Run("#t4-8", func(t *testing.T) {
		y := tell(t, "config", "peer legacy issuer=https://mcp.example", "reach Authorizing")
		if got, has := y.param("resource"); has {
			t.Errorf("resource=%s is sent", got)
		}
	})
	t.Run("#t4-8 issuer configured", func(t *testing.T) {
		y := tell(t, "config server=https://MCP.example:443/mcp issuer=https://as.example", "peer faults=(prm-404)", "reach Authorizing")
		if got, _ := y.param("resource"); got != "https://mcp.example/mcp" {
			t.Errorf("resource=%s is sent", got)
		}
	})
}

// grantLine is the line of a printed store that shows the current grant, up to
// what may be counted of it.
func grantLine(text string) string {
	for line := range strings.Lines(text) {
		if strings.HasPrefix(line, "  T") {
			line, _, _ = strings.Cut(line, ", refused")
			return strings.TrimSpace(line)
		}
	}
	return ""
}
