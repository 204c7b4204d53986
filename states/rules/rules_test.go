package rules

import (
	"regexp"
	"strings"
	"testing"
)

// Every row can be looked up by its id, and nothing else can.
func TestLookup(t *testing.T) {
	for _, r := range All() {
		if got, ok := Lookup(r.ID); !ok || got != r {
			t.Errorf("Lookup(%q) = %+v, %v", r.ID, got, ok)
		}
	}
	for _, id := range []ID{"", "a", "zzz", "asm-issuer-matc", "ASM-ISSUER-MATCH"} {
		if r, ok := Lookup(id); ok || r != (Rule{}) {
			t.Errorf("Lookup(%q) = %+v, %v", id, r, ok)
		}
	}
}

// Rows are never withdrawn, and those of this project say that they are.
func TestRows(t *testing.T) {
	if n := len(All()); n < 657 {
		t.Errorf("%d rows; there were 657 once, and none is ever withdrawn", n)
	}
	for _, r := range All() {
		if r.Group == len(Groups()) && !r.House {
			t.Errorf("%s: a row of this project that does not say so", r.ID)
		}
	}
}

func TestAllIsACopy(t *testing.T) {
	All()[0].Requires = "changed"
	if All()[0].Requires == "changed" {
		t.Error("a caller can change the registry")
	}
}

// A clause names documents that a reader can find, in words and not in
// abbreviations.
func TestClausesAreSpelledOut(t *testing.T) {
	short := regexp.MustCompile(`\bM[1-4]\b|\bM[1-4](disc|reg|sec|tr)\b|\bO21\b|\bBCP\b|\bCONF\b|\bSBP\b|\bCIMD1?\b §|\bJAG\b|\bOIDC[DRC]\b|\bWIF\b|\bDPX\b|\bEMA[ds]\b|\bF-[0-9]|field notes|catalogue|^same\b`)
	for _, r := range All() {
		if at := short.FindString(r.Clause); at != "" {
			t.Errorf("%s: %q in %q", r.ID, at, r.Clause)
		}
		if there := strings.Contains(r.Cited(), "docs/rules.md#"+string(r.ID)); r.House && !there {
			t.Errorf("%s: %q", r.ID, r.Cited())
		}
	}
}

// What shows a rule is said in words: somebody who reads one rule has no list of codes
// beside it.
func TestWhatShowsARuleIsSpelledOut(t *testing.T) {
	short := regexp.MustCompile(`\b(CH|TOK|AZ|ASM|PRM|REG|CB|REF|REV|INT|CIMD|STORE|RT)\b|^MCP$|^same$|^-$`)
	for _, r := range All() {
		if at := short.FindString(r.Observe); at != "" {
			t.Errorf("%s: %q in %q", r.ID, at, r.Observe)
		}
	}
}
