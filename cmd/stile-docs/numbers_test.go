package main

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stile-oauth/stile/fsm/lines"
	"github.com/stile-oauth/stile/fsm/trace"
	"github.com/stile-oauth/stile/states"
	"github.com/stile-oauth/stile/storage/filestore"
)

// TestRecount: numbers are updated where a page asks for them by name.
func TestRecount(t *testing.T) {
	const asked = "a <!-- count: rows -->0<!-- /count --> b <!-- count: states --><!-- /count -->"
	got, err := recount(asked, map[string]int{"rows": 7, "states": 3})
	if want := "a <!-- count: rows -->7<!-- /count --> b <!-- count: states -->3<!-- /count -->"; err != nil || got != want {
		t.Errorf("%q, %v", got, err)
	}
	if _, err := recount(asked, map[string]int{"rows": 7}); err == nil || !strings.Contains(err.Error(), "states") {
		t.Errorf("an unknown number: %v", err)
	}
}

func TestGrouped(t *testing.T) {
	for n, want := range map[int]string{0: "0", 9999: "9999", 10000: "10 000", 48658: "48 658", 2251674: "2 251 674"} {
		if got := grouped(n); got != want {
			t.Errorf("%d is written %q", n, got)
		}
	}
}

// readPage reads a page of docs.
func readPage(t *testing.T, name string) string {
	t.Helper()
	root, err := moduleRoot()
	if err != nil {
		t.Fatal(err)
	}
	b, err := os.ReadFile(filepath.Join(root, "docs", name))
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// TestVersionsInStability compares the table of versions with the code.
func TestVersionsInStability(t *testing.T) {
	page := readPage(t, "stability.md")
	for what, version := range map[string]int{"records": states.RecordVersion, "traces": trace.Version, "engine lines": lines.Version} {
		if !strings.Contains(page, fmt.Sprintf("| %s | %d |", what, version)) {
			t.Errorf("docs/stability.md does not say that %s have version %d", what, version)
		}
	}
	dir := filepath.Join(t.TempDir(), "store")
	if _, err := filestore.Open(dir); err != nil {
		t.Fatal(err)
	}
	format, err := os.ReadFile(filepath.Join(dir, "format"))
	if err != nil {
		t.Fatal(err)
	}
	if row := "| file store | " + strings.TrimSpace(strings.TrimPrefix(string(format), "stile-filestore")) + " |"; !strings.Contains(page, row) {
		t.Errorf("docs/stability.md does not have the row %q", row)
	}
}

// TestQuirksInDecisionTables compares the section about quirks with the list in the code.
func TestQuirksInDecisionTables(t *testing.T) {
	page := readPage(t, "decision-tables.md")
	for _, q := range states.QuirkNames() {
		section := fmt.Sprintf("<a id=\"t10-%s\"></a>\n### `%s`\n", q, q)
		_, text, ok := strings.Cut(page, section)
		if !ok {
			t.Errorf("docs/decision-tables.md has no section for %s", q)
			continue
		}
		text, _, _ = strings.Cut(text, "\n### ")
		example := "--quirk " + string(q)
		if q.Values() > 0 {
			example += "="
		}
		if !strings.Contains(text, "Use it") || !strings.Contains(text, example) {
			t.Errorf("the section of %s does not say when to use it, or has no example", q)
		}
		if !strings.Contains(page, fmt.Sprintf("| [`%s`](#t10-%s) | [`", q, q)) {
			t.Errorf("the table of quirks does not say what %s bends", q)
		}
	}
	if n := strings.Count(page, "<a id=\"t10-"); n != len(states.QuirkNames()) {
		t.Errorf("%d sections for %d quirks", n, len(states.QuirkNames()))
	}
}

// TestTroubleshooting: everything that the machine gives advice about has an entry in
// docs/troubleshooting.md, by rule or by error code.
func TestTroubleshooting(t *testing.T) {
	root, err := moduleRoot()
	if err != nil {
		t.Fatal(err)
	}
	source, err := os.ReadFile(filepath.Join(root, "transitions", "advice.go"))
	if err != nil {
		t.Fatal(err)
	}
	known, err := readConstants(root)
	if err != nil {
		t.Fatal(err)
	}
	ids := anchors(readPage(t, "troubleshooting.md"))
	ids["access-denied"] = ids["authz-resp-denied-keeps"]
	found := 0
	for _, m := range regexp.MustCompile(`(?m)^\t(?:rules\.(\w+)|"([a-z_]+)"):`).FindAllSubmatch(source, -1) {
		found++
		id := string(known[string(m[1])])
		if id == "" {
			id = strings.ReplaceAll(string(m[2]), "_", "-")
		}
		if !ids[id] {
			t.Errorf("docs/troubleshooting.md has no entry for %s%s (#%s)", m[1], m[2], id)
		}
	}
	if found < 30 {
		t.Errorf("only %d pieces of advice were found", found)
	}
}
