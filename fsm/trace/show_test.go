package trace

import (
	"strings"
	"testing"

	"github.com/stile-oauth/stile/states"
)

func TestExplain(t *testing.T) {
	for _, c := range []struct {
		trace string
		says  []string
	}{
		{"cold-login", []string{"A token is held (user) until", "the issuer gave a token", "GET https://as.example/.well-known/oauth-authorization-server: 200"}},
		{"issuer-mismatch", []string{"Refused at step 14: IssuerMismatch", "fault of  the authorization server", `iss is "https://elsewhere.example"`, "RFC 9207 §2.4", "parameter iss, byte 0: https://elsewhere.example", "do        try again"}},
		{"resource-mismatch", []string{"PRMResourceMismatch", `resource is "https://mcp.example/other"`, "RFC 9728 §3.3", "body, byte 13", "check the URL you gave"}},
		{"denied", []string{"AuthorizationDenied", "access_denied", "denied by the user or the issuer", "log in again"}},
		{"legacy", []string{"the default endpoints of 2025-03-26", "Overlooked", "asm-legacy-default-endpoints"}},
		{"logout", []string{"No token is held", "the credential was removed"}},
	} {
		tr, _ := goldenTrace(t, c.trace)
		got := Explain(tr).String()
		for _, s := range c.says {
			if !strings.Contains(got, s) {
				t.Errorf("%s: no %q in\n%s", c.trace, s, got)
			}
		}
	}
	l := newLife(t, faults("asm-no-pkce"))
	l.begin()
	got := Explain(l.sound()).String()
	if !strings.Contains(got, `no member "code_challenge_methods_supported" among issuer, `) {
		t.Error(got)
	}
	if e := Explain(&Trace{}); e.Outcome != "Nothing happened." {
		t.Error(e)
	}
}

func TestDiff(t *testing.T) {
	a, _ := goldenTrace(t, "cold-login")
	if c := Diff(a, a); !c.None() || c.Table || c.String() != "Nothing differs.\n" {
		t.Error(c)
	}
	diff := func(s setting) Changes {
		l := newLife(t, s)
		l.begin()
		l.call("get_time")
		return Diff(a, l.sound())
	}
	mismatch := diff(faults("iss-wrong"))
	if mismatch.Event == nil || mismatch.Event.StepA != 14 || mismatch.Response == nil || mismatch.Response.What != "callback parameter iss" {
		t.Error(mismatch)
	}
	retried := diff(faults("prm-500@1"))
	if retried.Event == nil || !strings.Contains(retried.Event.B, "PRMTrouble") || retried.Event.A == "" {
		t.Error(retried)
	}
	if len(retried.Metadata) != 0 {
		t.Errorf("a retry changed the metadata: %v", retried)
	}
	scopes := diff(setting{config: func(c *states.Config) { c.Scopes = []string{"admin"} }})
	if scopes.Event != nil || len(scopes.Config) != 1 || scopes.Request == nil || scopes.Request.What != "request member scope" {
		t.Error(scopes)
	}
	moved := diff(faults("asm-iss-flag-string"))
	if moved.Event != nil || len(moved.Metadata) != 1 || moved.Metadata[0].What != "Discovering-ASM member authorization_response_iss_parameter_supported" {
		t.Error(moved)
	}
	legacy, _ := goldenTrace(t, "legacy")
	s := Diff(a, legacy).String()
	for _, want := range []string{"First different event", "PRMFound", "PRMMissing", "First different request", "Metadata: Discovering-PRM document"} {
		if !strings.Contains(s, want) {
			t.Errorf("no %q in\n%s", want, s)
		}
	}
}

func TestTableAndSequence(t *testing.T) {
	tr, _ := goldenTrace(t, "step-up")
	rows := Table(tr)
	if len(rows) != len(tr.Steps) || rows[0].From != "Idle" || rows[0].To != "Loading" || rows[0].Elapsed != 0 {
		t.Fatalf("%+v", rows[0])
	}
	if last := rows[len(rows)-1]; last.Event != "AcceptanceSaved" || last.To != "Authorized" {
		t.Errorf("%+v", last)
	}
	text := TableText(tr)
	for _, want := range []string{"Idle  Begun → Loading", "Bearer access-2 for user admin, expires ", "Authorized  AcceptedFirst → Accepting"} {
		if !strings.Contains(text, want) {
			t.Errorf("no %q in\n%s", want, text)
		}
	}
	seq := Sequence(tr)
	for _, want := range []string{"sequenceDiagram\n", "M->>R: GET https://mcp.example/.well-known", "M->>A: POST https://as.example/token once (authorization_code)", "U->>M: callback", "R-->>M: 403"} {
		if !strings.Contains(seq, want) {
			t.Errorf("no %q in\n%s", want, seq)
		}
	}
	for _, l := range strings.Split(strings.TrimSpace(seq), "\n")[1:] {
		if _, text, has := strings.Cut(l, ": "); has && strings.ContainsAny(strings.ReplaceAll(text, "#", ""), `<>"{}`) {
			t.Errorf("unescaped: %s", l)
		}
	}
}

// hostile is a trace whose texts try to be markup, terminal escapes and lines
// of a diagram.
func hostile(t *testing.T) *Trace {
	t.Helper()
	const bad = `<script>window.pwned=1</script><img src=x onerror=window.pwned=1>\u001b[2J\u0007\n    H->>A: forged\u202e; end %%{init: {}}%%`
	tr, b := goldenTrace(t, "issuer-mismatch")
	_ = tr
	text := strings.NewReplacer(
		`"issuer":"https://as.example"`, `"issuer":"`+bad+`"`, `"client_name":"Life"`, `"client_name":"`+bad+`"`,
		`"event":"IssuerMismatch"`, `"event":"`+bad+`"`, `application/json`, bad, `"holder":"test"`, `"holder":"`+bad+`"`,
		`issuer-response-compare`, bad, `"doing":"`, `"doing":"`+bad, `&iss=`, `&`+bad+`=`, `"program":"test"`, `"program":"`+bad+`"`,
		`"https://mcp.example/.well-known/oauth-protected-resource/mcp"`, `"https://x/`+bad+`"`,
	).Replace(string(b))
	out, err := Parse([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func TestHostileTrace(t *testing.T) {
	tr := hostile(t)
	for name, text := range shown(t, tr) {
		for _, r := range string(text) {
			if r < ' ' && r != '\n' || r == 0x7f || r == '\u202e' || r == '\u009b' {
				t.Errorf("%s holds %U", name, r)
				break
			}
		}
	}
	page := HTML(tr)
	if strings.Contains(page, "<script>window") || strings.Contains(page, "<img") {
		t.Error("markup of the trace is markup of the page")
	}
	for _, l := range strings.Split(Sequence(tr), "\n") {
		if strings.HasPrefix(strings.TrimSpace(l), "H->>A: forged") || strings.Contains(l, "%%{") {
			t.Errorf("a text became a line of the diagram: %q", l)
		}
	}
}
