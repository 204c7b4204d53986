package audit

import (
	"slices"
	"strings"
	"testing"
	"time"
)

// A policy accepts what it names, for its targets and until its last day, and nothing
// else. What is wrong with it is reported.
func TestPolicy(t *testing.T) {
	const target = "https://mcp.example/mcp"
	w, _ := world(t, "challenge-none")
	checks := Select(Options{})
	e := collect(t, w, target, checks)
	found := Judge(&e, checks).Findings()
	if len(found) == 0 {
		t.Fatal("nothing is found")
	}
	first := found[0]
	last := time.Date(2026, 12, 31, 0, 0, 0, 0, time.UTC)
	entry := func(change func(*Accepted)) Accepted {
		a := Accepted{Check: first.Check, Reason: "a proxy that we do not own", By: "Jane Doe", Until: last.AddDate(0, 0, 1)}
		change(&a)
		return a
	}
	for name, c := range map[string]struct {
		entry    Accepted
		now      time.Time
		accepted bool
		note     string
	}{
		"check":             {entry(func(*Accepted) {}), last, true, ""},
		"fingerprint":       {entry(func(a *Accepted) { a.Check, a.Fingerprint = "", first.Fingerprint }), last, true, ""},
		"both":              {entry(func(a *Accepted) { a.Fingerprint = first.Fingerprint }), last, true, ""},
		"other fingerprint": {entry(func(a *Accepted) { a.Fingerprint = "0" }), last, false, "accepts nothing"},
		"target":            {entry(func(a *Accepted) { a.Target = target }), last, true, ""},
		"targets below":     {entry(func(a *Accepted) { a.Target = "https://mcp.example/" }), last, true, ""},
		"part of a host":    {entry(func(a *Accepted) { a.Target = "https://mcp.exam" }), last, false, ""},
		"other target":      {entry(func(a *Accepted) { a.Target = "https://other.example/" }), last, false, ""},
		"last day":          {entry(func(*Accepted) {}), last.Add(23*time.Hour + 59*time.Minute), true, ""},
		"expired":           {entry(func(*Accepted) {}), last.AddDate(0, 0, 1), false, "expired on 2026-12-31, and its findings count again"},
		"expired, for none": {entry(func(a *Accepted) { a.Check = "asm.issuer" }), last.AddDate(0, 0, 1), false, "expired on 2026-12-31"},
		"unknown check":     {entry(func(a *Accepted) { a.Check = "ch.nothing" }), last, false, "(ch.nothing) names no check"},
		"passes":            {entry(func(a *Accepted) { a.Check = "asm.issuer" }), last, false, "accepts nothing that was found"},
		"was not run":       {entry(func(a *Accepted) { a.Check = "lg.flow" }), last, false, ""},
	} {
		t.Run(name, func(t *testing.T) {
			r := Judge(&e, checks)
			Policy{Accepted: []Accepted{c.entry}}.Apply(&r, c.now)
			has := func(list []Finding) bool {
				return slices.ContainsFunc(list, func(f Finding) bool { return f.Fingerprint == first.Fingerprint })
			}
			if has(r.Accepted()) != c.accepted || has(r.Findings()) == c.accepted || len(r.Findings())+len(r.Accepted()) != len(found) {
				t.Errorf("accepted %d, found %d of %d", len(r.Accepted()), len(r.Findings()), len(found))
			}
			if notes := strings.Join(r.Notes, "\n"); c.note == "" && notes != "" || !strings.Contains(notes, c.note) {
				t.Errorf("notes: %q", notes)
			}
			for _, v := range r.Verdicts {
				if v.Check == first.Check && c.accepted && c.entry.Fingerprint == "" && (v.Outcome != Warn || !strings.Contains(v.Why, "Jane Doe until 2026-12-31: a proxy")) {
					t.Errorf("%+v", v)
				}
			}
		})
	}
}
