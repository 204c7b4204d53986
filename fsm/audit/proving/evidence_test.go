package proving

import (
	"flag"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stile-oauth/stile/fsm/audit"
)

var update = flag.Bool("update", false, "write the evidence anew")

// evidence is the directory with two files for each check: evidence in which it passes
// and evidence in which it fails.
const evidence = "../../../testdata/audit"

// facts are the checks that never fail: they report a fact, or nothing.
var facts = map[string]string{
	"asm.foreign":    "an endpoint on another host is no mistake; the operator is told which",
	"asm.legacy":     "a server of MCP 2025-03-26 is none",
	"tok.cors":       "whether scripts of other sites may send is the operator's choice",
	"reg.throttle":   "a limit is no mistake",
	"tok.timing":     "a brake may begin later than an audit can tell",
	"ref.after-days": "how long refresh tokens live is the operator's choice",
	"tr.coverage":    "a recording that lacks something is no mistake",
	"tr.first-cause": "what is wrong there, other checks say",
}

// told are the checks that pass by reporting a fact.
var told = map[string]string{
	"dev.poll":        "the peer consents by itself, so the first poll gives a token",
	"ref.after-days":  "what became of the token is told",
	"ext.cc-aud":      "which audiences are taken is told",
	"ref.concurrent":  "whether one or both succeed is told",
	"aud.no-resource": "what the issuer does without resource is told",
}

// Every check has evidence in which it passes, and evidence in which it finds the
// fault that it looks for. The files are what an audit writes, without what the check
// does not read. They are judged as they are, whatever the peer does today.
func TestEvidence(t *testing.T) {
	if *update {
		write(t)
	}
	names := map[string]bool{}
	for _, c := range audit.Table() {
		if c.Family() == "cl" {
			continue // clients are audited by traps
		}
		names[c.ID+".pass.json"], names[c.ID+".fail.json"] = true, true
		t.Run(c.ID, func(t *testing.T) {
			good := judged(t, c, "pass")
			if want := audit.Pass; good.Outcome != want && (told[c.ID] == "" || good.Outcome != audit.Fact) {
				t.Errorf("the evidence that passes: %s %s %+v", good.Outcome, good.Why, good.Findings)
			}
			bad := judged(t, c, "fail")
			switch {
			case facts[c.ID] != "" && (bad.Outcome != audit.Fact || bad.Why == good.Why),
				facts[c.ID] == "" && (bad.Outcome != audit.Fail || len(bad.Findings) == 0):
				t.Errorf("the evidence that fails: %s %s", bad.Outcome, bad.Why)
			}
			for _, f := range bad.Findings {
				if f.Exchange == 0 && c.ID != "tr.secrets" {
					t.Errorf("%q names no exchange", f.Says)
				}
			}
		})
	}
	files, err := os.ReadDir(evidence)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		if strings.HasSuffix(f.Name(), ".json") && !names[f.Name()] && !strings.HasPrefix(f.Name(), "cl.") {
			t.Errorf("%s belongs to no check", f.Name())
		}
	}
}

func judged(t *testing.T, c audit.Check, which string) audit.Verdict {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(evidence, c.ID+"."+which+".json"))
	if err != nil {
		t.Fatal(err)
	}
	e, err := audit.ParseEvidence(b)
	if err != nil {
		t.Fatal(err)
	}
	return verdict(e, c)
}

// write makes the files: from the deviation that is listed for the check, or else from
// the first fault of the peer that the check finds, best one whose rule it names.
func write(t *testing.T) {
	all := Checks()
	failing := map[string]string{}
	rows, err := Matrix()
	if err != nil {
		t.Fatal(err)
	}
	for _, finds := range []func(Row) []string{func(r Row) []string { return r.Named }, func(r Row) []string { return r.Also }} {
		for _, r := range rows {
			for _, check := range finds(r) {
				if failing[check] == "" {
					failing[check] = r.Fault.Name
				}
			}
		}
	}
	failing["asm.legacy"] = "prm-404" // it tells a fact, and the rule of the fault is another
	for _, c := range audit.Table() {
		if c.Family() == "cl" {
			continue
		}
		var pass, fail audit.Evidence
		if d, ok := recordings[c.ID]; ok {
			pass, fail = d.recorded(t, false), d.recorded(t, true)
			if c.ID == "tr.secrets" {
				fail.Live = 3
			}
		} else {
			d, ok := servers[c.ID]
			if !ok {
				d = deviation{faults: []string{failing[c.ID]}}
			}
			checks := []audit.Check{c}
			fail = d.audited(t, checks, true)
			if facts[c.ID] == "" && verdict(fail, c).Outcome != audit.Fail {
				checks = all
				fail = d.audited(t, checks, true)
			}
			if !ok {
				d = deviation{}
			}
			pass = d.audited(t, checks, false)
		}
		keep(t, c, "pass", pass)
		keep(t, c, "fail", fail)
	}
}

// keep writes evidence as an audit does, without secrets.
func keep(t *testing.T, c audit.Check, which string, e audit.Evidence) {
	t.Helper()
	e.Checks = []string{c.ID}
	audit.Redact(&e, []byte("the key of a test"))
	b, err := audit.MarshalEvidence(without(e, c))
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(evidence, c.ID+"."+which+".json"), b, 0o600); err != nil {
		t.Fatal(err)
	}
}

// Part of the evidence can be judged too: what is missing adds no finding and causes
// no panic.
func TestPartsOfEvidence(t *testing.T) {
	checks := slices.Concat(Checks(), audit.Select(audit.Options{Recording: true}))
	whole, _, err := Run(Checks())
	if err != nil {
		t.Fatal(err)
	}
	for i := range whole.Exchanges {
		silent := slices.Clone(whole.Exchanges)
		silent[i].Response, silent[i].Failure = nil, "no answer"
		for _, list := range [][]audit.Exchange{
			slices.Delete(slices.Clone(whole.Exchanges), i, i+1), silent, whole.Exchanges[i : i+1], whole.Exchanges[i:],
		} {
			e := whole
			e.Exchanges = list
			e = fresh(e)
			audit.Judge(&e, checks)
		}
	}
}

// No check passes if there is nothing to judge.
func TestNothing(t *testing.T) {
	for _, source := range []audit.Source{audit.LiveServer, audit.LiveIssuer, audit.FromTrace, audit.FromHAR} {
		for _, c := range audit.Table() {
			if v := verdict(audit.Evidence{Target: target, Source: source}, c); v.Outcome == audit.Pass || v.Outcome == audit.Fail {
				t.Errorf("%s of %s: %s", c.ID, source, v.Outcome)
			}
		}
	}
}

// A refusal says nothing about a server that refuses everything.
func TestRefusalOfEverything(t *testing.T) {
	d := deviation{wrong: []edit{{"main.token", answers(400, `{"error":"invalid_grant"}`)}, {"code.*", answers(400, `{"error":"invalid_grant"}`)},
		{"reuse.*", answers(400, `{"error":"invalid_grant"}`)}}}
	e := d.audited(t, Checks(), true)
	for _, id := range []string{"lg.verifier-wrong", "lg.verifier-missing", "lg.redirect-wrong", "lg.resource-other", "lg.code-client", "lg.code-reuse", "ref.other-client", "aud.tampered"} {
		c, _ := audit.Lookup(id)
		if v := verdict(e, c); v.Outcome != audit.CouldNotRun {
			t.Errorf("%s: %s %s", id, v.Outcome, v.Why)
		}
	}
}
