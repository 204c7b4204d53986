package main

import (
	"strings"
	"testing"

	"github.com/stile-oauth/stile/fsm"
	"github.com/stile-oauth/stile/states"
)

// Mistakes on the command line are reported, with status 2, before anybody is asked
// for anything.
func TestUsage(t *testing.T) {
	const server = "http://127.0.0.1:1/mcp"
	for _, c := range []struct {
		args string
		says string
	}{
		{"login", "missing argument URL"},
		{"login a b", "usage: stile login URL"},
		{"frobnicate", "unknown command \"stile frobnicate\""},
		{"logn " + server, "did you mean stile login? stile --help"},
		{"store lst", "did you mean stile store list? stile store --help"},
		{"help store lst", "did you mean stile store list?"},
		{"completion tcsh", "bash"},
		{"login --agian " + server, "did you mean --again? stile login --help"},
		{"store list --acount x", "did you mean --account? stile store list --help"},
		{"call " + server, "missing argument TOOL"},
		{"login --frobnicate " + server, "unknown flag"},
		{"login --timeout soon " + server, "is not a duration"},
		{"login --timeout -5s " + server, "--timeout"},
		{"login not-an-address", "not absolute"},
		{"login http://mcp.example/mcp", "https"},
		{"login --revision 2024-01-01 " + server, "2025-03-26"},
		{"login --quirk no-such-rule " + server, "no-such-rule"},
		{"login --quirk issuer-alias=one " + server, "takes 2 values"},
		{"login --quirk asm-issuer-match " + server, "no quirk bends"},
		{"login --client-id x " + server, "--issuer"},
		{"login --client-secret-file /nonexistent --client-id x --issuer http://127.0.0.1:1 " + server, "--client-secret-file"},
		{"login --client-metadata http://example.com/x " + server, "https"},
		{"login --redirect-uri http://example.com/callback " + server, "--redirect-uri: \"http://example.com/callback\" is neither https nor http on loopback"},
		{"login --ca-bundle /nonexistent " + server, "--ca-bundle"},
		{"login --store nonsense " + server, "sqlite:PATH"},
		{"call " + server + " tool [1]", "JSON object"},
		{"call " + server + " tool null", "JSON object"},
		{"draw --format gif", "mermaid"},
		{"draw --group nothing", "refresh"},
		{"rules no-such-rule", "there is no rule"},
		{"serve as --port 70000", "not a port"},
		{"serve as --host 192.0.2.1 --port 0", "loopback"},
		{"serve as --fault no-such-fault", "stile serve faults"},
		{"serve as --fault prm-404", ""},
		{"serve rs --tool-scope x", "TOOL=SCOPE"},
		{"store purge", "--all"},
		{"store purge --all " + server, "not both"},
		{"store migrate", "--to"},
		{"trace show --html --sequence x", "choose one"},
	} {
		t.Run(c.args, func(t *testing.T) {
			contains(t, newCLI(t).exit(exitUsage, strings.Fields(c.args)...).err, "error:", c.says)
		})
	}
}

// What is wrong with an address is reported with its rule, also as JSON.
func TestUsageCitesRules(t *testing.T) {
	for _, command := range []string{"login", "token", "tools", "status", "logout"} {
		contains(t, newCLI(t).exit(exitUsage, command, "nonsense").err, "error: URL is not absolute", "not absolute", "rule ", "url-parse-strict", "clause", "https://mcp.example/mcp")
		v := decode[struct{ Error errorView }](t, newCLI(t).exit(exitUsage, command, "nonsense", "--json").err)
		if v.Error.Exit != exitUsage || v.Error.Rule != "url-parse-strict" || v.Error.Clause == "" || v.Error.Advice == "" {
			t.Errorf("%s: %+v", command, v.Error)
		}
	}
}

// Every quirk that completion offers is one that the machine takes.
func TestQuirks(t *testing.T) {
	for _, name := range quirkNames() {
		q := states.Quirk{Name: states.QuirkName(name)}
		if strings.HasSuffix(name, "-alias") {
			q.Values = []string{"https://a.example", "https://b.example"}
		}
		if _, err := fsm.New(states.Config{Server: "https://mcp.example/mcp", Quirks: []states.Quirk{q}}); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}
