package main

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func auditRun(t *testing.T, args ...string) (out, errs string, code int) {
	t.Helper()
	r := newCLI(t).run(args...)
	return r.out, r.err, r.code
}

// A server without metadata is found out, the exit status tells the worst
// finding, and judging what was kept again gives the same report.
func TestAuditServer(t *testing.T) {
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { w.WriteHeader(http.StatusUnauthorized) }))
	defer s.Close()
	dir := t.TempDir()
	kept, base := filepath.Join(dir, "e.json"), filepath.Join(dir, "base.json")
	out, _, code := auditRun(t, "audit", s.URL+"/mcp", "--evidence", kept)
	if code != exitFoundHigh || !strings.Contains(out, "ch.present: 401 without WWW-Authenticate") || !strings.Contains(out, "prm.public") {
		t.Fatalf("exit %d:\n%s", code, out)
	}
	again, _, code := auditRun(t, "audit", "replay", kept)
	if code != exitFoundHigh || again != out {
		t.Errorf("judged again, exit %d:\n%s", code, again)
	}
	if _, _, code := auditRun(t, "audit", s.URL+"/mcp", "--fail-on", "crit"); code != exitOK {
		t.Errorf("--fail-on crit: exit %d", code)
	}
	if _, _, code := auditRun(t, "audit", s.URL+"/mcp", "--format", "json", "-o", base, "--fail-on", "none"); code != exitOK {
		t.Errorf("writing the baseline: exit %d", code)
	}
	out, _, code = auditRun(t, "audit", s.URL+"/mcp", "--baseline", base)
	if code != exitOK || !strings.Contains(out, "0 new, 0 gone") {
		t.Errorf("with the baseline: exit %d:\n%s", code, out)
	}
	out, _, _ = auditRun(t, "audit", s.URL+"/mcp", "--only", "ch.present", "--json")
	var r struct {
		Verdicts []struct{ Check, Outcome string }
	}
	if err := json.Unmarshal([]byte(out), &r); err != nil || len(r.Verdicts) != 1 || r.Verdicts[0].Outcome != "fail" {
		t.Errorf("--json: %v\n%s", err, out)
	}
}

// --plan sends nothing, and mistakes are reported before anything is sent.
func TestAuditUsage(t *testing.T) {
	n := 0
	s := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { n++ }))
	defer s.Close()
	out, _, code := auditRun(t, "audit", s.URL+"/mcp", "--plan")
	if code != exitOK || !strings.Contains(out, "mcp.initialize") || n != 0 {
		t.Errorf("--plan: exit %d, %d requests:\n%s", code, n, out)
	}
	for name, c := range map[string]struct {
		args []string
		want string
	}{
		"no URL":       {[]string{"audit", "ftp://h/"}, "cannot be audited"},
		"unknown":      {[]string{"audit", s.URL, "--only", "ch.nothing"}, `"ch.nothing" is neither a check nor a family`},
		"severity":     {[]string{"audit", s.URL, "--fail-on", "awful"}, "--fail-on"},
		"format":       {[]string{"audit", s.URL, "--format", "gif"}, "--format"},
		"no baseline":  {[]string{"audit", s.URL, "--baseline", filepath.Join(t.TempDir(), "none")}, "--baseline"},
		"not loopback": {[]string{"audit", "https://mcp.example/mcp", "--active"}, "--authorized"},
	} {
		if _, errs, code := auditRun(t, c.args...); code != exitUsage || !strings.Contains(errs, c.want) {
			t.Errorf("%s: exit %d: %s", name, code, errs)
		}
	}
	if n != 0 {
		t.Errorf("%d requests were sent", n)
	}
}

func TestAuditUnreachable(t *testing.T) {
	s := httptest.NewServer(http.NotFoundHandler())
	s.Close()
	if _, errs, code := auditRun(t, "audit", s.URL+"/mcp"); code != exitUnreachable || !strings.Contains(errs, "no request was answered") {
		t.Errorf("exit %d: %s", code, errs)
	}
}

func TestAuditTrace(t *testing.T) {
	out, _, code := auditRun(t, "audit", "trace", "../../testdata/traces/resource-mismatch.ndjson")
	if code != exitFoundHigh && code != exitFoundCrit || !strings.Contains(out, "prm.match") {
		t.Errorf("exit %d:\n%s", code, out)
	}
	bad := filepath.Join(t.TempDir(), "x.har")
	if err := os.WriteFile(bad, []byte("{}"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, errs, code := auditRun(t, "audit", "har", bad); code != exitFailed || !strings.Contains(errs, "no entries") {
		t.Errorf("exit %d: %s", code, errs)
	}
}

// A command that cannot log in is reported, and the traps are listed.
func TestAuditClientUsage(t *testing.T) {
	if _, errs, code := auditRun(t, "audit", "client"); code != exitUsage || !strings.Contains(errs, "no command") {
		t.Errorf("no command: exit %d: %s", code, errs)
	}
	out, _, code := auditRun(t, "audit", "client", "--list")
	if code != exitOK || !strings.Contains(out, "cl.iss-wrong") || !strings.Contains(out, "cl.refresh-race") {
		t.Errorf("--list: exit %d:\n%s", code, out)
	}
	out, _, _ = auditRun(t, "audit", "client", "--list", "--only", "cl.pkce,cl.iss-wrong", "--skip", "cl.iss-wrong")
	if !strings.Contains(out, "cl.pkce") || strings.Contains(out, "cl.iss-wrong") || strings.Contains(out, "cl.refresh-race") {
		t.Errorf("--list of some:\n%s", out)
	}
	broken := "../../testdata/audit/cl.pkce.fail.json"
	if out, _, code := auditRun(t, "audit", "replay", broken); code < exitFoundLow || !strings.Contains(out, "cl.pkce") {
		t.Errorf("replay: exit %d:\n%s", code, out)
	}
	if out, _, code := auditRun(t, "audit", "replay", broken, "--skip", "cl.pkce"); code != exitOK || strings.Contains(out, "cl.pkce") {
		t.Errorf("replay --skip: exit %d:\n%s", code, out)
	}
	for _, flags := range [][]string{{"--skip", "ch.present"}, {"--only", "asm"}, {"--fail-on", "awful"}, {"--format", "gif"}} {
		if _, errs, code := auditRun(t, append(append([]string{"audit", "client"}, flags...), "--", "stile-no-such-command")...); code != exitUsage {
			t.Errorf("%v: exit %d: %s", flags, code, errs)
		}
	}
	if _, errs, code := auditRun(t, "audit", "client", "--only", "cl.pkce", "--timeout", "2s", "--", "stile-no-such-command"); code != exitUnreachable || !strings.Contains(errs, "did not log in") {
		t.Errorf("a command that is not there: exit %d: %s", code, errs)
	}
}
