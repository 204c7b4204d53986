package main

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/stile-oauth/stile/fsm/audit"
	"github.com/stile-oauth/stile/fsm/peer"
	"github.com/stile-oauth/stile/httpdriver/auditor"
	"github.com/stile-oauth/stile/httpdriver/devas"
)

// An authorization server is audited without an MCP server: as it is, as a client
// that the caller gives, and with logins. Ours has one finding, which is
// true, and every login check that needs no resource can be run.
func TestAuditAS(t *testing.T) {
	const secret = "a secret of the app"
	issuer, resource := peers(t, func(c *devas.ASConfig) {
		c.Resources = []string{"http://localhost:1/mcp"}
		c.Clients = []peer.PreClient{{ID: "app", RedirectURIs: []string{"http://127.0.0.1/callback"}, Secret: secret, Method: "client_secret_basic"}}
	}, nil)
	c := newCLI(t)
	c.env["XDG_STATE_HOME"] = t.TempDir()
	c.ok("audit", "as", issuer)
	c.env["STILE_CLIENT_SECRET"] = secret
	r := c.ok("audit", "as", issuer, "--active", "--client-id", "app", "--redirect-uri", "http://127.0.0.1/callback", "--resource", "http://localhost:1/mcp", "--json")
	if report := decode[audit.Report](t, r.out); report.Source != audit.LiveIssuer || outcomeOf(report, "az.bad-redirect") != audit.Pass || outcomeOf(report, "tok.bad-code") != audit.Pass || outcomeOf(report, "reg.empty") != "" {
		t.Errorf("as a given client: %s", r.out)
	}
	// The development server gives a spent refresh token no grace, so this finding is true.
	r = c.exit(exitFoundMedium, "audit", "as", issuer, "--active", "--login", "--destructive", "--resource", "http://localhost:1/mcp", "--json")
	report := decode[audit.Report](t, r.out)
	for _, f := range report.Findings() {
		if f.Check != "ref.concurrent" {
			t.Errorf("%s: %s", f.Check, f.Says)
		}
	}
	for _, v := range report.Verdicts {
		// The login page is behind a redirect, which the audit does not follow.
		if v.Check != "az.frame" && v.Check != "ref.after-days" && v.Outcome == audit.CouldNotRun && !strings.Contains(v.Why, "(--") {
			t.Errorf("%s could not be run: %s", v.Check, v.Why)
		}
	}
	if len(report.Leftovers) > 0 {
		t.Errorf("left behind: %+v", report.Leftovers)
	}
	file := filepath.Join(t.TempDir(), "secret")
	if err := os.WriteFile(file, []byte("wrong"), 0o600); err != nil {
		t.Fatal(err)
	}
	r = c.run("audit", "as", issuer, "--login", "--client-id", "app", "--client-secret-file", file, "--redirect-uri", "http://127.0.0.1:0/callback", "--only", "lg.flow", "--json")
	if outcomeOf(decode[audit.Report](t, r.out), "lg.flow") != audit.Fail {
		t.Errorf("with another secret, exit %d: %s%s", r.code, r.out, r.err)
	}
	for want, args := range map[string][]string{
		"not an issuer":            {"audit", "as", issuer + "?a=b"},
		"--client-secret-file has": {"audit", "as", issuer, "--client-secret-file", file},
		"--authorized":             {"audit", "as", "https://login.example", "--active"},
		"neither a check":          {"audit", "as", issuer, "--only", "nothing"},
	} {
		if r := c.exit(exitUsage, args...); !strings.Contains(r.err, want) {
			t.Errorf("%v: %s", args, r.err)
		}
	}
	_ = resource
}

func outcomeOf(r audit.Report, id string) audit.Outcome {
	for _, v := range r.Verdicts {
		if v.Check == id {
			return v.Outcome
		}
	}
	return ""
}

// stubborn is an issuer that does not delete registrations for a while.
type stubborn struct{ gives atomic.Bool }

func (s *stubborn) before(h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodDelete && !s.gives.Load() || r.URL.Path == "/revoke" && !s.gives.Load() {
			w.WriteHeader(http.StatusInternalServerError)
			return
		}
		h.ServeHTTP(w, r)
	})
}

// What an audit could not end is listed in its report, what can end it is in a file
// that only its owner can read, and stile audit cleanup ends it.
func TestAuditCleanup(t *testing.T) {
	s := &stubborn{}
	issuer, _ := peersBehind(t, s.before, nil, nil)
	c := newCLI(t)
	name := filepath.Join(t.TempDir(), "report.json")
	c.run("audit", "as", issuer, "--login", "--only", "lg.flow", "--format", "json", "-o", name)
	b, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	kept, err := auditor.ReadResidue(name + residueSuffix)
	if err != nil || len(kept.Left) != 2 {
		t.Fatalf("%v: %+v", err, kept)
	}
	if st, err := os.Stat(name + residueSuffix); err != nil || runtime.GOOS != "windows" && st.Mode().Perm() != 0o600 {
		t.Errorf("%v, %v", st.Mode(), err)
	}
	if report := decode[audit.Report](t, string(b)); len(report.Leftovers) != 2 || report.Leftovers[0].Kind != audit.KeptGrant || report.Leftovers[1].Kind != audit.KeptRegistration {
		t.Errorf("the report lists %+v", report.Leftovers)
	}
	for _, l := range kept.Left {
		if l.Token == "" || bytes.Contains(b, []byte(l.Token.Reveal())) {
			t.Errorf("a token is lacking, or in the report")
		}
	}
	if r := c.exit(exitFailed, "audit", "cleanup", name); strings.Count(r.out, "stays") != 2 {
		t.Errorf("while the issuer is stubborn: %s", r.out)
	}
	s.gives.Store(true)
	if r := c.ok("audit", "cleanup", name); strings.Count(r.out, "ended") != 2 {
		t.Errorf("%s", r.out)
	}
	if _, err := os.Stat(name + residueSuffix); err == nil {
		t.Error("the file of residue is still there")
	}
	if r := c.exit(exitFailed, "audit", "cleanup", name); !strings.Contains(r.out, "nothing is kept that ends it") {
		t.Errorf("a report without its residue: %s", r.out)
	}
	if r := c.exit(exitUsage, "audit", "cleanup", "../../testdata/traces/resource-mismatch.ndjson"); !strings.Contains(r.err, "no report") {
		t.Errorf("no report: %s", r.err)
	}
}

// An audit that is interrupted, wherever it is, deletes what it registered and
// revokes what it was granted before it ends.
func TestAuditInterrupted(t *testing.T) {
	for _, at := range []string{"POST /register", "GET /authorize", "POST /token"} {
		t.Run(at, func(t *testing.T) {
			ctx, stop := context.WithCancel(t.Context())
			defer stop()
			var made, gone, granted, revoked atomic.Int64
			before := func(h http.Handler) http.Handler {
				return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
					b := httptest.NewRecorder()
					h.ServeHTTP(b, r)
					switch what := r.Method + " " + r.URL.Path; {
					case what == "POST /register" && b.Code == http.StatusCreated:
						made.Add(1)
					case r.Method == http.MethodDelete && strings.HasPrefix(r.URL.Path, "/register") && b.Code == http.StatusNoContent:
						gone.Add(1)
					case what == "POST /token" && b.Code == http.StatusOK:
						granted.Add(1)
					case what == "POST /revoke" && b.Code == http.StatusOK && granted.Load() > 0:
						revoked.Add(1)
					}
					if r.Method+" "+r.URL.Path == at {
						stop() // before the answer is heard
					}
					for k, v := range b.Header() {
						w.Header()[k] = v
					}
					w.WriteHeader(b.Code)
					_, _ = io.Copy(w, b.Body)
				})
			}
			issuer, _ := peersBehind(t, before, nil, nil)
			c := newCLI(t)
			c.env["XDG_STATE_HOME"] = t.TempDir()
			var out, errs lockedBuffer
			code := run(ctx, []string{"audit", "as", issuer, "--login", "--only", "lg", "--json"}, c.app(&out, &errs))
			if code != exitFailed || !strings.Contains(errs.String(), "interrupted") {
				t.Errorf("exit %d: %s", code, errs.String())
			}
			var r audit.Report
			if err := json.Unmarshal([]byte(out.String()), &r); err != nil || len(r.Leftovers) > 0 || len(r.Notes) == 0 {
				t.Errorf("%v: %+v", err, r)
			}
			if made.Load() == 0 || made.Load() != gone.Load() {
				t.Errorf("%d registrations were made, %d deleted", made.Load(), gone.Load())
			}
			if at == "POST /token" && (granted.Load() == 0 || revoked.Load() == 0) {
				t.Errorf("%d grants, %d revoked", granted.Load(), revoked.Load())
			}
			if left, _ := filepath.Glob(filepath.Join(c.env["XDG_STATE_HOME"], "stile-audit", "*")); len(left) > 0 {
				t.Errorf("files stay: %v", left)
			}
		})
	}
}
