package auditor_test

import (
	"context"
	"encoding/json"
	"encoding/xml"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/stile-oauth/stile/fsm/audit"
	"github.com/stile-oauth/stile/httpdriver/auditor"
	"github.com/stile-oauth/stile/httpdriver/auditor/report"
	"github.com/stile-oauth/stile/httpdriver/guard"
)

// nasty is what a hostile server puts into every string: escapes of terminals,
// markup, what turns text around, what Markdown and CSV obey, and no end.
const nasty = "\x1b]0;owned\x07\x1b[2J\u202e\u2066\u009b2J<script>alert(1)</script><img src=x onerror=alert(1)>]]>&#x3c;`|](javascript:x)\r\n::error::x\u2028"

// Whatever a server writes, no form of the report lets it do anything.
func TestHostileForms(t *testing.T) {
	quoted, err := json.Marshal(nasty)
	if err != nil {
		t.Fatal(err)
	}
	in := string(quoted)
	header := strings.NewReplacer("\r", "", "\n", "", "\x1b", "", "\x07", "", `"`, "").Replace(nasty)
	documents := func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		w.Header().Set("Cache-Control", header)
		if r.Method == http.MethodPost {
			w.Header().Set("WWW-Authenticate", `Bearer error="`+header+`", resource_metadata="http://`+r.Host+`/`+header+`", scope="`+header+`"`)
			w.WriteHeader(http.StatusUnauthorized)
			_, _ = io.WriteString(w, nasty)
			return
		}
		own := `"http://` + r.Host + `"`
		_, _ = fmt.Fprintf(w, `{"resource":%[1]s,"resource_name":%[1]s,"scopes_supported":[%[1]s],"authorization_servers":[%[2]s,%[1]s],"issuer":%[1]s,"authorization_endpoint":%[1]s,"token_endpoint":%[1]s,"jwks_uri":%[1]s,"code_challenge_methods_supported":[%[1]s],"response_types_supported":[%[1]s],"bearer_methods_supported":[%[1]s],"id_token_signing_alg_values_supported":[%[1]s],%[1]s:%[1]s}`, in, own)
	}
	for name, h := range map[string]http.HandlerFunc{
		"documents": documents,
		"redirects": func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Location", "http://"+r.Host+"/"+header)
			w.WriteHeader(http.StatusFound)
		},
		"errors": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", header)
			w.WriteHeader(http.StatusInternalServerError)
			_, _ = io.WriteString(w, nasty)
		},
	} {
		t.Run(name, func(t *testing.T) {
			s := httptest.NewServer(h)
			defer s.Close()
			e, r := run(t, s.URL+"/mcp", auditor.Options{})
			if len(r.Findings()) == 0 {
				t.Fatal("nothing is found")
			}
			for form, text := range forms(t, r, &e) {
				if i := strings.IndexFunc(text, controls); i >= 0 {
					t.Errorf("%s holds %q", form, text[max(0, i-20):min(len(text), i+10)])
				}
				low := strings.ToLower(text)
				for _, tag := range []string{"<script>alert", "<img src=x"} {
					if strings.Contains(low, tag) && (form == "html" || form == "junit") {
						t.Errorf("%s holds the server's markup", form)
					}
				}
				switch form {
				case "json", "sarif":
					if !json.Valid([]byte(text)) {
						t.Errorf("%s is no JSON", form)
					}
				case "junit":
					if err := xml.Unmarshal([]byte(text), new(struct{})); err != nil {
						t.Errorf("JUnit: %v", err)
					}
				case "markdown":
					for line := range strings.Lines(text) {
						if strings.HasPrefix(line, "::") {
							t.Errorf("a line of Markdown is a command of a workflow: %s", line)
						}
						if out := outsideCode(line); strings.ContainsAny(strings.ReplaceAll(strings.ReplaceAll(out, "<details><summary>", ""), "</summary>", ""), "<") && !strings.Contains(line, "details") {
							t.Errorf("markup outside of code: %s", out)
						}
					}
				}
			}
		})
	}
}

func controls(r rune) bool {
	return r != '\n' && r != '\t' && (r < ' ' || r >= 0x7f && r < 0xa0 || r >= 0x202a && r <= 0x202e || r >= 0x2066 && r <= 0x2069)
}

// outsideCode is a line of Markdown without its code spans.
func outsideCode(line string) string {
	var out strings.Builder
	for i, part := range strings.Split(line, "`") {
		if i%2 == 0 {
			out.WriteString(part)
		}
	}
	return out.String()
}

func forms(t *testing.T, r audit.Report, e *audit.Evidence) map[string]string {
	t.Helper()
	out := map[string]string{}
	for name, write := range map[string]func(io.Writer) error{
		"text":     func(w io.Writer) error { return report.Text(w, r, report.Style{}) },
		"json":     func(w io.Writer) error { return report.JSON(w, r) },
		"sarif":    func(w io.Writer) error { return report.SARIF(w, r) },
		"junit":    func(w io.Writer) error { return report.JUnit(w, r) },
		"markdown": func(w io.Writer) error { return report.Markdown(w, r) },
		"html":     func(w io.Writer) error { return report.HTML(w, r, e) },
	} {
		var b strings.Builder
		if err := write(&b); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		out[name] = b.String()
	}
	return out
}

// A server that answers a byte at a time, or not at all, is waited for until the
// deadline of the context, and what it did not say is not known.
func TestSlow(t *testing.T) {
	for name, h := range map[string]http.HandlerFunc{
		"never": func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() },
		"drips": func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Type", "application/json")
			for r.Context().Err() == nil {
				if _, err := io.WriteString(w, " "); err != nil {
					return
				}
				_ = http.NewResponseController(w).Flush()
				select {
				case <-r.Context().Done():
				case <-time.After(10 * time.Millisecond):
				}
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				_, _ = io.Copy(io.Discard, r.Body) // only then the end of the connection is seen
				h(w, r)
			}))
			defer s.Close()
			e, r := brief(t, s.URL+"/mcp")
			if r.Count(audit.Pass) > len(r.Verdicts)/2 || r.Count(audit.CouldNotRun) == 0 {
				t.Errorf("%d passed, %d could not be run, of %d exchanges", r.Count(audit.Pass), r.Count(audit.CouldNotRun), len(e.Exchanges))
			}
		})
	}
}

// brief audits with a context that ends soon.
func brief(t *testing.T, url string) (audit.Evidence, audit.Report) {
	t.Helper()
	g, err := guard.New(guard.Options{AllowLoopbackHTTP: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(g.CloseIdleConnections)
	checks := audit.Select(audit.Options{})
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
	defer cancel()
	e, err := auditor.Run(ctx, url, checks, auditor.Options{Guard: g})
	if err == nil {
		t.Error("the audit does not say that it was interrupted")
	}
	return e, audit.Judge(&e, checks)
}
