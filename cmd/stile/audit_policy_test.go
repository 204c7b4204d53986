package main

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stile-oauth/stile/fsm/audit"
)

// What a policy accepts is shown as accepted in every format and does not decide
// the exit status; a policy that nobody reviewed is refused before anything is sent.
func TestAuditPolicy(t *testing.T) {
	n := 0
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { n++; w.WriteHeader(http.StatusUnauthorized) }))
	defer s.Close()
	c := newCLI(t)
	dir := t.TempDir()
	file := func(text string) string {
		name := filepath.Join(dir, "policy.yaml")
		if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return name
	}
	r := c.exit(exitFoundHigh, "audit", s.URL+"/mcp", "--json")
	before := decode[audit.Report](t, r.out)
	until := time.Now().AddDate(0, 1, 0).Format(time.DateOnly)
	var all strings.Builder
	all.WriteString("version: 1\naccepted:\n")
	for _, f := range before.Findings() {
		all.WriteString("  - fingerprint: " + f.Fingerprint + "\n    target: " + s.URL + "/\n    reason: a proxy with <b>habits</b>\n    by: Jane Doe\n    until: " + until + "\n")
	}
	good := file(all.String())
	for format, want := range map[string]string{
		"text": "accepted, and not counted:", "json": `"accepted": {`, "sarif": `"justification": "a proxy with`,
		"junit": "accepted by Jane Doe until", "markdown": "<summary>Accepted</summary>", "html": "a proxy with &lt;b&gt;habits",
	} {
		r := c.ok("audit", s.URL+"/mcp", "--policy", good, "--format", format)
		if !strings.Contains(r.out, want) || strings.Contains(r.out, "<failure") || format == "text" && !strings.Contains(r.out, "no findings, and") {
			t.Errorf("%s: %s", format, r.out)
		}
	}
	base := filepath.Join(dir, "base.json")
	if err := os.WriteFile(base, []byte(r.out), 0o600); err != nil {
		t.Fatal(err)
	}
	if r := c.ok("audit", s.URL+"/mcp", "--policy", good, "--baseline", base); !strings.Contains(r.out, "0 new, 0 gone") {
		t.Errorf("with a baseline: %s", r.out)
	}
	some, _ := json.Marshal(before.Findings()[0].Check)
	old := file("version: 1\naccepted:\n  - check: " + string(some) + "\n    reason: x\n    by: Jane Doe\n    until: 2020-01-01\n")
	if r := c.exit(exitFoundHigh, "audit", s.URL+"/mcp", "--policy", old); !strings.Contains(r.out, "expired on 2020-01-01") {
		t.Errorf("an entry that has expired: %s", r.out)
	}
	sent := n
	for text, want := range map[string]string{
		"":                                     "empty",
		"version: 2\n":                         "version 2",
		"version: 1\naccept: []\n":             "accept",
		"version: 1\naccepted: [{reason: x}]":  "neither a check nor a fingerprint",
		"version: 1\naccepted: [{check: asm}]": "who accepted it",
		"version: 1\naccepted: [{check: a.b, reason: x, by: y}]": "no last day",
		"version: 1\naccepted: [{check: a.b, rason: x}]":         "rason",
	} {
		if r := c.exit(exitUsage, "audit", s.URL+"/mcp", "--policy", file(text)); !strings.Contains(r.err, want) {
			t.Errorf("%q: %s", text, r.err)
		}
	}
	if r := c.exit(exitUsage, "audit", "client", "--policy", filepath.Join(dir, "none"), "--", "true"); !strings.Contains(r.err, "--policy") {
		t.Errorf("%s", r.err)
	}
	if n != sent {
		t.Errorf("%d requests were sent", n-sent)
	}
}
