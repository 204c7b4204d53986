package main

import (
	"bytes"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/stile-oauth/stile/fsm/audit/proving"
	"github.com/stile-oauth/stile/states"
	"github.com/stile-oauth/stile/states/rules"
	"github.com/stile-oauth/stile/transitions"
)

// The audits that the page of faults is made from take more than a minute. The tests leave
// them out; make docs-check compares that page.
func init() { matrix = func() ([]proving.Row, error) { return nil, nil } }

// TestPagesAreFresh fails when a page in docs does not follow from the code, the page of
// faults left out.
func TestPagesAreFresh(t *testing.T) {
	var out, errs bytes.Buffer
	run([]string{"-check"}, &out, &errs)
	stale := out.String() + errs.String()
	if stale != "docs/audit-matrix.md is stale; go run ./cmd/stile-docs writes it anew\n" {
		t.Errorf("stale, beside a page of faults that has none here:\n%s", stale)
	}
}

// TestCheckNamesWhatIsStale runs the command on a small module that it makes for this.
func TestCheckNamesWhatIsStale(t *testing.T) {
	root := t.TempDir()
	put := func(name, text string) {
		t.Helper()
		file := filepath.Join(root, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	stile := func(args ...string) (int, string) {
		var out, errs bytes.Buffer
		code := run(append(args, "-root", root), &out, &errs)
		return code, out.String() + errs.String()
	}
	if code, text := stile(); code != 1 || !strings.Contains(text, "no constants") {
		t.Errorf("a directory without the registry: %d %q", code, text)
	}
	put("states/rules/rules_gen.go", "package rules\nconst ASMIssuerMatch ID = \"asm-issuer-match\"\n")
	put("a.go", "package a\nfunc judge() { _ = rules.ASMIssuerMatch }\n")
	put("transitions/event.go", "package transitions\nconst (\n\tBegun Event = \"Begun\"\n)\n")
	if code, text := stile(); code != 1 || !strings.Contains(text, "no event has its meaning") {
		t.Errorf("events without a meaning: %d %q", code, text)
	}
	put("transitions/event.go", "package transitions\nconst (\n\tBegun Event = \"Begun\" // the work began\n)\n")

	code, text := stile("-check")
	if code != 1 || strings.Count(text, "is missing") != 7 {
		t.Errorf("check before the pages are there: %d %q", code, text)
	}
	if code, text = stile(); code != 0 || strings.Count(text, "wrote") != 7 {
		t.Errorf("the first run: %d %q", code, text)
	}
	if code, text = stile(); code != 0 || text != "" {
		t.Errorf("a second run changes nothing: %d %q", code, text)
	}
	if code, text = stile("-check"); code != 0 || text != "" {
		t.Errorf("check after it: %d %q", code, text)
	}
	put("a.go", "package a\nfunc judgeOther() { _ = rules.ASMIssuerMatch }\n")
	if code, text = stile("-check"); code != 1 || text != "docs/rules.md is stale; go run ./cmd/stile-docs writes it anew\n" {
		t.Errorf("check after a citation moved: %d %q", code, text)
	}
}

func TestWrongArguments(t *testing.T) {
	for _, args := range [][]string{{"-chek"}, {"docs"}} {
		var out, errs bytes.Buffer
		if code := run(args, &out, &errs); code != 2 || errs.Len() == 0 {
			t.Errorf("run(%q) = %d, %q", args, code, errs.String())
		}
	}
	var out, errs bytes.Buffer
	if code := run([]string{"-h"}, &out, &errs); code != 0 || !strings.Contains(errs.String(), "-check") {
		t.Errorf("-h: %d, %q", code, errs.String())
	}
}

func TestCitedIn(t *testing.T) {
	known := constants{"ASMIssuerMatch": "asm-issuer-match", "PRMServed": "prm-served"}
	src := `package p

// rules.PRMServed in a comment is no citation, nor is "asm-served".
var table = []row{{"a", rules.PRMServed}}

type judge[T any] struct{}

func (j *judge[T]) asm() string { return "asm-issuer-match" + "asm-issuer-matc" }

// prm finds a document.
//
// Rules: prm-get,
// prm-unknown-ignored.
func prm() { _ = rules.ASMIssuerMatch; _ = "see asm-issuer-match"; ASMIssuerMatch() }
`
	got, err := citedIn("p/p.go", []byte(src), known)
	if err != nil {
		t.Fatal(err)
	}
	want := citations{
		{"prm-served", place{"p/p.go", "table"}},
		{"asm-issuer-match", place{"p/p.go", "judge.asm"}},
		{"prm-get", place{"p/p.go", "prm"}},
		{"prm-unknown-ignored", place{"p/p.go", "prm"}},
		{"asm-issuer-match", place{"p/p.go", "prm"}},
	}
	if !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
	if _, err := citedIn("p/p.go", []byte("package p\n\n// Rules: prm-got.\nfunc f() {}\n"), known); err == nil {
		t.Error("a comment may name a rule that does not exist")
	}
	if _, err := citedIn("p/p.go", []byte("package"), known); err == nil {
		t.Error("a file that is no Go is read")
	}
}

// TestConstantsOfTheRegistry compares the scanner's reading with the registry.
func TestConstantsOfTheRegistry(t *testing.T) {
	root, err := moduleRoot()
	if err != nil {
		t.Fatal(err)
	}
	known, err := readConstants(root)
	if err != nil {
		t.Fatal(err)
	}
	if len(known) != len(rules.All()) {
		t.Errorf("%d constants and %d rules", len(known), len(rules.All()))
	}
	cited, err := findPlaces(root)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range cited {
		if isRegistry(c.place.file) || strings.Contains(c.place.file, "fault") && strings.HasPrefix(c.place.file, "fsm/peer/") || strings.HasSuffix(c.place.file, "_test.go") {
			t.Errorf("%s is cited in %s", c.rule, c.place.file)
		}
	}
	// Every rule of the table is cited by the table at least.
	for _, r := range transitions.Table {
		if r.Rule != "" && len(cited.of(r.Rule)) == 0 {
			t.Errorf("%s of %s, %s is not found anywhere", r.Rule, r.From, r.On)
		}
	}
}

// TestKeptRulesAreShown: a rule counts as kept when a function keeps it and a
// test or a script names it. A rule that the table cites is kept by the function
// that judges the row's state.
func TestKeptRulesAreShown(t *testing.T) {
	root, err := moduleRoot()
	if err != nil {
		t.Fatal(err)
	}
	cited, err := findPlaces(root)
	if err != nil {
		t.Fatal(err)
	}
	tests, err := findTests(root)
	if err != nil {
		t.Fatal(err)
	}
	kept := 0
	for _, r := range rules.All() {
		places := cited.keeping(r)
		if len(places) == 0 {
			continue
		}
		kept++
		for _, p := range places {
			if p.file == "" || p.decl == "" || slices.Contains(rowsFiles, p.file) {
				t.Errorf("%s is kept in %q %q, which is no function", r.ID, p.file, p.decl)
			}
		}
		if len(tests.of(r.ID)) == 0 {
			t.Errorf("%s is kept by %s of %s, and no test names it: put it into the paragraph \"Rules:\" of the comment of the test that fails without it", r.ID, places[0].decl, places[0].file)
		}
	}
	if kept < 200 {
		t.Errorf("only %d rules are kept", kept)
	}
}

// TestTablePageHasEveryRow counts the rows of the page against the table.
func TestTablePageHasEveryRow(t *testing.T) {
	root, err := moduleRoot()
	if err != nil {
		t.Fatal(err)
	}
	meanings, err := findMeanings(root)
	if err != nil {
		t.Fatal(err)
	}
	page := string(tablePage(meanings))
	shown := strings.Count(page, "*holds*") + strings.Count(page, "*asks again*") - len(everywhere())
	for _, r := range transitions.Table {
		if r.From != r.To {
			shown++
			line := "| `" + string(r.On) + "` | " + cell(transitions.Describe(r.On)) + " | " + stateLink(r.To) + " | " + ruleLink(r.Rule) + " |"
			if !strings.Contains(page, line) {
				t.Errorf("the page lacks %s", line)
			}
		}
	}
	// The introduction says "asks again" once.
	if shown-1 != len(transitions.Table) {
		t.Errorf("the page shows %d rows of %d", shown-1, len(transitions.Table))
	}
	for _, s := range states.All {
		if !strings.Contains(page, "<a id=\""+anchor(s)+"\"></a>\n### "+string(s)+"\n") {
			t.Errorf("the page has no section for %s", s)
		}
	}
}

func TestRulesPageHasEveryRule(t *testing.T) {
	page := string(rulesPage(citations{
		{"asm-issuer-match", place{"a.go", "judge"}}, {"asm-issuer-match", place{"a.go", "other"}},
		{"as-consent-page", place{"a.go", "judge"}}, {"rs-audience", place{"httpdriver/bearer/a.go", "judge"}},
	}, citations{{"asm-issuer-match", place{"a_test.go", "TestIt"}}}))
	for _, r := range rules.All() {
		if strings.Count(page, "<a id=\""+string(r.ID)+"\"></a>") != 1 {
			t.Errorf("%s is not there exactly once", r.ID)
		}
	}
	if !strings.Contains(page, "| [a.go](../a.go) `judge`, `other` | [`TestIt`](../a_test.go) |") {
		t.Error("the places of a kept rule are not listed, or not its test")
	}
	// The client keeps the rules that bind it, and judges those that bind a server.
	if !strings.Contains(page, "| all | "+strconv.Itoa(len(rules.All()))+" | 2 | 1 |") {
		t.Error("a rule that binds a server counts as kept by the client")
	}
	unchecked := 0
	for _, r := range rules.All() {
		if r.Unchecked {
			unchecked++
		}
	}
	if n := strings.Count(page, " *unchecked* |"); n != unchecked {
		t.Errorf("%d rows are marked as unchecked, of %d", n, unchecked)
	}
}

func TestCell(t *testing.T) {
	for _, c := range [][2]string{
		{"plain", "plain"},
		{"a | b", `a \| b`},
		{"<b> *x* a_b", `&lt;b&gt; \*x\* a\_b`},
		{"`a|b<c>`", "`a\\|b<c>`"},
		{"`open <b>", "`open &lt;b&gt;"},
	} {
		if diff := cmp.Diff(c[1], cell(c[0])); diff != "" {
			t.Errorf("cell(%q):\n%s", c[0], diff)
		}
	}
}
