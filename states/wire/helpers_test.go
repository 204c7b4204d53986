package wire

import (
	"strings"
	"testing"

	"github.com/stile-oauth/stile/states/rules"
)

// breaks checks that a problem cites the rule of the row and refuses exactly
// when the row says so; an empty rule means that there is no problem.
func breaks(t *testing.T, got *Problem, rule rules.ID, refuses bool) {
	t.Helper()
	switch {
	case rule == "" && got != nil:
		t.Fatalf("problem %v, want none", got)
	case rule == "":
	case got == nil:
		t.Fatalf("no problem, want %s", rule)
	case got.Rule != rule || got.Refuse != refuses:
		t.Fatalf("problem %v (refuse %v), want %s (refuse %v)", got, got.Refuse, rule, refuses)
	case Clean(got.Detail, 1200) != got.Detail:
		t.Fatalf("detail is not fit to be shown: %q", got.Detail)
	}
}

// at is the URL of an address that is written in a test; the zero URL if the address
// cannot be read.
func at(raw string) URL {
	u, _ := ParseURL(raw)
	return u
}

// notes checks which findings were recorded, as rule ids in order.
func notes(t *testing.T, found []Finding, want ...rules.ID) {
	t.Helper()
	var got []string
	for _, f := range found {
		got = append(got, string(f.Rule))
		if _, ok := rules.Lookup(f.Rule); !ok {
			t.Errorf("finding cites unknown rule %q", f.Rule)
		}
	}
	var exp []string
	for _, w := range want {
		exp = append(exp, string(w))
	}
	if strings.Join(got, " ") != strings.Join(exp, " ") {
		t.Fatalf("findings %v, want %v (%v)", got, exp, found)
	}
}

// says checks that a text contains every piece: refusals show both strings that were
// compared.
func says(t *testing.T, text string, pieces ...string) {
	t.Helper()
	for _, p := range pieces {
		if !strings.Contains(text, p) {
			t.Errorf("%q does not say %q", text, p)
		}
	}
}
