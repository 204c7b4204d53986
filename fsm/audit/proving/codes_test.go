package proving

import (
	"slices"
	"testing"

	"github.com/stile-oauth/stile/fsm/audit"
)

// codeChecks send a code or a refresh token wrongly.
var codeChecks = []string{"lg.verifier-wrong", "lg.verifier-missing", "lg.redirect-wrong", "lg.resource-other", "lg.code-client", "ref.other-client", "rev.foreign"}

// A server that ends a code at its first wrong exchange is judged like any other: each
// check uses a code of its own and finds the fault that it looks for.
func TestCodesThatEndEarly(t *testing.T) {
	for _, checks := range [][]audit.Check{Checks(), audit.Select(audit.Options{Only: codeChecks, Login: true, Destructive: true})} {
		_, r, err := Run(checks, "code-ends-early")
		if err != nil {
			t.Fatal(err)
		}
		for _, v := range r.Verdicts {
			if v.Outcome == audit.Fail || v.Outcome == audit.CouldNotRun && !slices.Contains(beyond, v.Check) {
				t.Errorf("%s: %s %s", v.Check, v.Outcome, v.Why)
			}
		}
		if len(r.Leftovers) > 0 {
			t.Errorf("left over: %+v", r.Leftovers)
		}
	}
	for check, at := range map[string]string{"lg.verifier-wrong": "code.wrong-verifier", "lg.verifier-missing": "no-verifier.code", "lg.redirect-wrong": "wrong-redirect.code",
		"lg.resource-other": "other-resource.code", "lg.code-client": "other-client.code", "ref.other-client": "own.other-refresh"} {
		e := deviation{faults: []string{"code-ends-early"}, wrong: []edit{{at, answers(200, token)}}}.audited(t, Checks(), true)
		for _, id := range codeChecks {
			c, _ := audit.Lookup(id)
			v := verdict(e, c)
			if found := v.Outcome == audit.Fail; found != (id == check) {
				t.Errorf("with a token at %s, %s: %s %s", at, id, v.Outcome, v.Why)
			}
		}
	}
}
