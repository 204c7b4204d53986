package auditor_test

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stile-oauth/stile/fsm/audit"
	"github.com/stile-oauth/stile/httpdriver/auditor"
	"github.com/stile-oauth/stile/httpdriver/auditor/report"
	"github.com/stile-oauth/stile/httpdriver/guard"
	"github.com/stile-oauth/stile/states/wire"
)

// run audits a server on loopback; nothing waits.
func run(t *testing.T, url string, o auditor.Options) (audit.Evidence, audit.Report) {
	t.Helper()
	g, err := guard.New(guard.Options{AllowLoopbackHTTP: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(g.CloseIdleConnections)
	o.Guard = g
	if o.Wait == nil {
		o.Wait = func(ctx context.Context, _ time.Duration) error { return ctx.Err() }
	}
	checks := audit.Select(audit.Options{})
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	e, err := auditor.Run(ctx, url, checks, o)
	if err != nil {
		t.Fatal(err)
	}
	return e, audit.Judge(&e, checks)
}

// The development servers as they stand give no finding.
func TestOurServers(t *testing.T) {
	resource := development(t)
	_, r := run(t, resource, auditor.Options{})
	if all := r.Findings(); len(all) > 0 || r.Count(audit.Pass) < 40 {
		var out strings.Builder
		_ = report.Text(&out, r, report.Style{})
		t.Errorf("the report on well-behaved servers:\n%s", out.String())
	}
}

// One login of each kind at the development servers gives no finding either,
// and the evidence that is kept afterwards holds nothing that was issued.
func TestOurServersWithLogin(t *testing.T) {
	e, r, checks := logIn(t, development(t), nil)
	var out strings.Builder
	_ = report.Text(&out, r, report.Style{})
	// The development server gives a spent refresh token no grace, and that is true.
	if all := r.Findings(); len(all) != 1 || all[0].Check != "ref.concurrent" {
		t.Errorf("the report on well-behaved servers:\n%s", out.String())
	}
	if len(r.Leftovers) > 0 {
		t.Errorf("registrations stay: %+v", r.Leftovers)
	}
	for _, v := range r.Verdicts {
		// What was not given cannot be run, and where a page comes first the answer is in lg.callback.
		given := !strings.Contains(v.Why, "(--") && v.Check != "az.answers-there" && v.Check != "ref.after-days"
		if c, _ := audit.Lookup(v.Check); given && v.Outcome == audit.CouldNotRun && (c.Safety == audit.Residue || c.Safety == audit.Login || c.Safety == audit.Destructive) {
			t.Errorf("%s could not be run: %s", v.Check, v.Why)
		}
	}
	var issued []string
	for _, x := range e.Exchanges {
		if x.Response == nil {
			continue
		}
		if obj, err := wire.ParseObject(x.Response.Body); err == nil {
			for _, name := range []string{"access_token", "refresh_token"} {
				if v, _, ok := obj.String(name); ok && v != "" {
					issued = append(issued, v)
				}
			}
		}
	}
	if len(issued) < 8 {
		t.Errorf("only %d tokens were issued", len(issued))
	}
	audit.Redact(&e, []byte("key"))
	kept, err := audit.MarshalEvidence(e)
	if err != nil {
		t.Fatal(err)
	}
	for _, x := range e.Exchanges {
		kept = append(kept, x.Request.Body...)
		if x.Response != nil {
			kept = append(kept, x.Response.Body...)
		}
	}
	for _, v := range issued {
		if strings.Contains(string(kept), v) {
			t.Fatal("a token is in the evidence")
		}
	}
	again := audit.Judge(&e, checks)
	for i, v := range again.Verdicts {
		if first := r.Verdicts[i]; v.Outcome != first.Outcome || v.Why != first.Why || len(v.Findings) != len(first.Findings) {
			t.Errorf("judged again, %s: %+v, at first %+v", v.Check, v, first)
		}
	}
}

// Hostile servers end in findings or in what could not be run, within bounds,
// and nothing of theirs reaches a terminal.
func TestHostile(t *testing.T) {
	for name, h := range map[string]http.HandlerFunc{
		"redirects for ever": func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, r.URL.Path+"x", http.StatusFound) },
		"endless body": func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Type", "application/json")
			for {
				if _, err := w.Write([]byte(strings.Repeat("[", 4096))); err != nil {
					return
				}
			}
		},
		"escapes everywhere": func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Type", "application/json")
			w.Header().Set("WWW-Authenticate", "Bearer error=\"\u202e\u009b2J\", resource_metadata=\"/\u202ex\", scope=\"\u009b\"")
			w.WriteHeader(http.StatusUnauthorized)
			_, _ = fmt.Fprint(w, "{\"resource\":\"\x1b]0;x\x07\",\"authorization_servers\":[\"\x1b[2J\"]}")
		},
		"documents with escapes": func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Type", "application/json")
			if r.Method == http.MethodPost {
				w.WriteHeader(http.StatusUnauthorized)
				return
			}
			_, _ = fmt.Fprint(w, `{"resource":"\u001b]0;x\u0007","resource_name":"\u001b[2J","issuer":"\u009b","authorization_servers":["http://`+r.Host+`"],"token_endpoint":"\u202ejavascript:x"}`)
		},
		"no answer": func(w http.ResponseWriter, r *http.Request) { panic(http.ErrAbortHandler) },
		"patience for ever": func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Retry-After", "86400")
			w.WriteHeader(http.StatusTooManyRequests)
		},
		"many issuers": func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Type", "application/json")
			var list []string
			for i := range 1000 {
				list = append(list, fmt.Sprintf(`"http://%s/%d"`, r.Host, i))
			}
			_, _ = fmt.Fprintf(w, `{"resource":"http://%s/mcp","authorization_servers":[%s]}`, r.Host, strings.Join(list, ","))
		},
	} {
		t.Run(name, func(t *testing.T) {
			s := httptest.NewServer(h)
			defer s.Close()
			e, r := run(t, s.URL+"/mcp", auditor.Options{})
			if len(e.Exchanges) > 60 {
				t.Errorf("%d exchanges", len(e.Exchanges))
			}
			var out strings.Builder
			if err := report.Text(&out, r, report.Style{}); err != nil {
				t.Fatal(err)
			}
			if i := strings.IndexFunc(out.String(), func(r rune) bool { return r != '\n' && (r < ' ' || r == 0x7f || r >= 0x80 && r < 0xa0 || r == 0x202e) }); i >= 0 {
				t.Errorf("the report holds %q", out.String()[max(0, i-20):i+5])
			}
			if r.Count(audit.Fail)+r.Count(audit.CouldNotRun) == 0 {
				t.Error("nothing is wrong with a hostile server")
			}
		})
	}
}

// The budget is kept, and what was not asked says so.
func TestBudget(t *testing.T) {
	n := 0
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { n++; w.WriteHeader(http.StatusUnauthorized) }))
	defer s.Close()
	e, r := run(t, s.URL+"/mcp", auditor.Options{Budget: 3})
	if n != 3 {
		t.Errorf("%d requests with a budget of 3", n)
	}
	if !slices.ContainsFunc(e.Exchanges, func(x audit.Exchange) bool { return strings.Contains(x.Failure, "budget of 3") }) {
		t.Error("nothing says that the budget is spent")
	}
	if r.Count(audit.CouldNotRun) == 0 {
		t.Error("every check could be run")
	}
}

// A server that asks for patience gets it once.
func TestRetryAfter(t *testing.T) {
	var waited []time.Duration
	first := true
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if first {
			first = false
			w.Header().Set("Retry-After", "7")
			w.WriteHeader(http.StatusServiceUnavailable)
			return
		}
		w.WriteHeader(http.StatusUnauthorized)
	}))
	defer s.Close()
	e, _ := run(t, s.URL+"/mcp", auditor.Options{Wait: func(_ context.Context, d time.Duration) error { waited = append(waited, d); return nil }})
	if len(waited) != 1 || waited[0] < 6*time.Second || waited[0] > 7*time.Second {
		t.Errorf("waited %v", waited)
	}
	if s := e.Exchanges[0].Response.Status; s != http.StatusUnauthorized {
		t.Errorf("the first exchange has status %d", s)
	}
}

// Every form is written, and what a server wrote is escaped in each.
func TestForms(t *testing.T) {
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		w.Header().Set("WWW-Authenticate", `Bearer error="<script>alert(1)</script>|`+"`"+`"`)
		w.WriteHeader(http.StatusUnauthorized)
	}))
	defer s.Close()
	e, r := run(t, s.URL+"/mcp", auditor.Options{})
	for name, write := range map[string]func(*strings.Builder) error{
		"sarif":    func(b *strings.Builder) error { return report.SARIF(b, r) },
		"junit":    func(b *strings.Builder) error { return report.JUnit(b, r) },
		"markdown": func(b *strings.Builder) error { return report.Markdown(b, r) },
		"html":     func(b *strings.Builder) error { return report.HTML(b, r, &e) },
		"json":     func(b *strings.Builder) error { return report.JSON(b, r) },
	} {
		var b strings.Builder
		if err := write(&b); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if !strings.Contains(b.String(), "ch.no-error") {
			t.Errorf("%s does not name the check", name)
		}
		if name != "markdown" && strings.Contains(b.String(), "<script>alert") {
			t.Errorf("%s holds the server's markup", name)
		}
	}
	var b strings.Builder
	_ = report.JSON(&b, r)
	again, err := report.ReadJSON([]byte(b.String()))
	if err != nil {
		t.Fatal(err)
	}
	if c := report.Compare(again, r); len(c.New)+len(c.Gone) > 0 || len(c.Same) == 0 {
		t.Errorf("a report compared with itself: %+v", c)
	}
}

// A server that fetches what a token or a registration names is caught, and the
// cookies of its answers are kept by their names alone.
func TestCanary(t *testing.T) {
	var base string
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		http.SetCookie(w, &http.Cookie{Name: "session", Value: "s3cret-value", Path: "/"})
		fetch := func(at string) {
			if resp, err := http.Get(at); err == nil {
				_ = resp.Body.Close()
			}
		}
		w.Header().Set("Content-Type", "application/json")
		switch {
		case strings.Contains(r.URL.Path, "oauth-protected-resource"):
			_, _ = fmt.Fprintf(w, `{"resource":"%s/mcp","authorization_servers":["%s"]}`, base, base)
		case strings.Contains(r.URL.Path, "well-known"):
			_, _ = fmt.Fprintf(w, `{"issuer":"%[1]s","authorization_endpoint":"%[1]s/authorize","token_endpoint":"%[1]s/token","registration_endpoint":"%[1]s/register","response_types_supported":["code"],"code_challenge_methods_supported":["S256"],"client_id_metadata_document_supported":true}`, base)
		case r.URL.Path == "/register":
			m := map[string]any{}
			if json.NewDecoder(r.Body).Decode(&m) != nil {
				http.Error(w, `{"error":"invalid_client_metadata"}`, http.StatusBadRequest)
				return
			}
			if logo, ok := m["logo_uri"].(string); ok {
				fetch(logo)
			}
			m["client_id"] = "client"
			w.WriteHeader(http.StatusCreated)
			_ = json.NewEncoder(w).Encode(m)
		case r.URL.Path == "/authorize": // any document will do
			http.Redirect(w, r, r.FormValue("redirect_uri")+"?code=x&state="+r.FormValue("state"), http.StatusFound)
		default:
			header, _, _ := strings.Cut(strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer "), ".")
			var h struct{ Jku string }
			b, _ := base64.RawURLEncoding.DecodeString(header)
			if json.Unmarshal(b, &h) == nil && h.Jku != "" {
				fetch(h.Jku)
			}
			w.Header().Set("WWW-Authenticate", `Bearer error="invalid_token"`)
			w.WriteHeader(http.StatusUnauthorized)
		}
	}))
	defer s.Close()
	base = s.URL
	g, err := guard.New(guard.Options{AllowLoopbackHTTP: true})
	if err != nil {
		t.Fatal(err)
	}
	defer g.CloseIdleConnections()
	only := []string{"ch.self-signed", "reg.unsafe-urls", "cimd", "net.cookies", "az.cookies"}
	checks := audit.Select(audit.Options{Only: only, Active: true, Register: true})
	e, err := auditor.Run(t.Context(), s.URL+"/mcp", checks, auditor.Options{Guard: g, Budget: auditor.BudgetClient,
		Account: &audit.Account{RedirectURI: "http://127.0.0.1:1/callback", Seed: auditor.Seed()}})
	if err != nil {
		t.Fatal(err)
	}
	r := audit.Judge(&e, checks)
	found := map[string]int{}
	for _, f := range r.Findings() {
		found[f.Check]++
	}
	for check, n := range map[string]int{"ch.self-signed": 1, "reg.unsafe-urls": 1, "cimd.mismatch": 7, "net.cookies": 1, "az.cookies": 2} {
		if found[check] < n {
			t.Errorf("%s: %d findings, not %d", check, found[check], n)
		}
	}
	kept, err := audit.MarshalEvidence(e)
	if err != nil {
		t.Fatal(err)
	}
	if text := string(kept); strings.Contains(text, "s3cret") || !strings.Contains(text, "session=redacted-12; Path=/") {
		t.Error("the evidence does not hold the cookie's name, or holds its value")
	}
}
