package main

import (
	"bytes"
	"os"
	"strings"
	"testing"
)

// The Go file of the registry is what rules.yaml gives.
func TestGeneratedIsFresh(t *testing.T) {
	src, err := os.ReadFile("../../states/rules/rules.yaml")
	if err != nil {
		t.Fatal(err)
	}
	want, err := generate(src)
	if err != nil {
		t.Fatal(err)
	}
	got, err := os.ReadFile("../../states/rules/rules_gen.go")
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Error("states/rules/rules_gen.go is stale: run go generate ./states/rules")
	}
}

// A row that cannot stand is named.
func TestRefusedRows(t *testing.T) {
	const good = `[{group: 1, title: T, rules: [{id: a-b, name: AB, level: MUST, who: C, since: all, clause: 'RFC 6749 §1', requires: R., breach: SELF}]}]`
	if _, err := generate([]byte(good)); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct{ from, to, want string }{
		"unknown member":   {"who: C", "who: C, whom: D", "field whom not found"},
		"level":            {"MUST", "OUGHT", `a-b: level "OUGHT"`},
		"id":               {"a-b", "AB", `the id "AB"`},
		"name":             {"name: AB", "name: ab", `a-b: the name "ab"`},
		"empty":            {"R.", `""`, "a-b: who, since"},
		"group number":     {"group: 1", "group: 2", "group 2"},
		"unchecked clause": {"§1", "§1(?)", "a-b: unchecked is false"},
		"twice":            {"}]}]", "}, {id: a-b, name: AC, level: MUST, who: C, since: all, clause: c, requires: R, breach: b}]}]", `the id "a-b"`},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := generate([]byte(strings.Replace(good, c.from, c.to, 1)))
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v, want %q", err, c.want)
			}
		})
	}
}
