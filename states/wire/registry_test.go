package wire

import (
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// TestRegistryRows checks the shape of every row: what the registry is for is
// that a citation can be trusted to lead somewhere.
func TestRegistryRows(t *testing.T) {
	id := regexp.MustCompile(`^[a-z0-9]+(-[a-z0-9]+)+$`)
	levels := []string{"MUST", "MUST NOT", "SHOULD", "SHOULD NOT", "MAY"}
	for _, r := range Rules() {
		if !id.MatchString(string(r.ID)) {
			t.Errorf("%q is not an id", r.ID)
		}
		if !slices.Contains(levels, r.Level) {
			t.Errorf("%s: level %q", r.ID, r.Level)
		}
		if r.Who == "" || r.Since == "" || r.Clause == "" || r.Requires == "" || r.Breach == "" {
			t.Errorf("%s: an empty field: %+v", r.ID, r)
		}
		if r.Unchecked != strings.Contains(r.Clause, "(?)") {
			t.Errorf("%s: unchecked is %v and the clause is %q", r.ID, r.Unchecked, r.Clause)
		}
		if r.Group < 1 || r.Group > len(ruleGroups) {
			t.Errorf("%s: no group %d", r.ID, r.Group)
		}
		if r.Group == 20 && !r.House {
			t.Errorf("%s: a row of this project that does not say so", r.ID)
		}
		if got, ok := LookupRule(r.ID); !ok || got != r {
			t.Errorf("LookupRule(%q) = %+v, %v", r.ID, got, ok)
		}
	}
	for i, g := range RuleGroups() {
		if g.Number != i+1 || g.Title == "" {
			t.Errorf("group %d is %+v", i+1, g)
		}
	}
}

func TestRegistryHasNoDuplicates(t *testing.T) {
	for i := 1; i < len(registry); i++ {
		if registry[i-1].ID >= registry[i].ID {
			t.Errorf("%q comes before %q", registry[i-1].ID, registry[i].ID)
		}
	}
	if n := len(Rules()); n < 643 {
		t.Errorf("%d rows; the catalogue has 643 and rows are never withdrawn", n)
	}
}

func TestLookupRuleUnknown(t *testing.T) {
	for _, id := range []RuleID{"", "a", "zzz", "asm-issuer-matc", "ASM-ISSUER-MATCH"} {
		if r, ok := LookupRule(id); ok || r != (Rule{}) {
			t.Errorf("LookupRule(%q) = %+v, %v", id, r, ok)
		}
	}
}

func TestRulesIsACopy(t *testing.T) {
	Rules()[0].Requires = "changed"
	if Rules()[0].Requires == "changed" {
		t.Error("a caller can change the registry")
	}
}

// TestRuleConstants reads the constants from their source: each names a row,
// and each row has one.
func TestRuleConstants(t *testing.T) {
	files, err := filepath.Glob("rule_ids*.go")
	if err != nil || len(files) == 0 {
		t.Fatal("no file of constants", err)
	}
	seen := map[RuleID]string{}
	for _, name := range files {
		f, err := parser.ParseFile(token.NewFileSet(), name, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(f, func(n ast.Node) bool {
			v, ok := n.(*ast.ValueSpec)
			if !ok {
				return true
			}
			s, err := strconv.Unquote(v.Values[0].(*ast.BasicLit).Value)
			if err != nil {
				t.Fatal(err)
			}
			id := RuleID(s)
			if _, ok := LookupRule(id); !ok {
				t.Errorf("%s = %q names no row", v.Names[0].Name, id)
			}
			if other := seen[id]; other != "" {
				t.Errorf("%s and %s are both %q", other, v.Names[0].Name, id)
			}
			seen[id] = v.Names[0].Name
			return true
		})
	}
	for _, r := range Rules() {
		if seen[r.ID] == "" {
			t.Errorf("no constant for %q", r.ID)
		}
	}
}

// TestClausesAreSpelledOut: a clause names documents that a reader can find, in
// words and not in abbreviations of ours.
func TestClausesAreSpelledOut(t *testing.T) {
	ours := regexp.MustCompile(`\bM[1-4]\b|\bM[1-4](disc|reg|sec|tr)\b|\bO21\b|\bBCP\b|\bCONF\b|\bSBP\b|\bCIMD1?\b §|\bJAG\b|\bOIDC[DRC]\b|\bWIF\b|\bDPX\b|\bEMA[ds]\b|\bF-[0-9]|field notes|catalogue|^same\b`)
	for _, r := range Rules() {
		if at := ours.FindString(r.Clause); at != "" {
			t.Errorf("%s: %q in %q", r.ID, at, r.Clause)
		}
		if there := strings.Contains(r.Cited(), "docs/rules.md#"+string(r.ID)); r.House && !there {
			t.Errorf("%s: %q", r.ID, r.Cited())
		}
	}
}
