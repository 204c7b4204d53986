// Package rules is the registry of what the authorization of MCP asks of each
// side. Every row of the transition table, every refusal, every error and every
// finding of an audit cites one of its ids:
//
//	if r, ok := rules.Lookup(rules.ASMIssuerMatch); ok {
//		fmt.Println(r.Level, r.Who, r.Cited())
//	}
//
// The rows are written in rules.yaml, which is the file to read and to edit;
// go generate makes rules_gen.go from it. docs/rules.md shows the rows with the
// places in the code that keep them.
//
// # Guarantees
//
//   - An id is stable: it is never used again for something else, and a row that no
//     longer holds stays with the reason.
//   - The registry cannot be changed: All and Groups give copies, and any number of
//     goroutines may read it.
//
// # Who should not use it
//
// A program that only shows an error: the errors of package fsm carry the clause.
package rules

import (
	"slices"
	"strings"
)

//go:generate go run ../../cmd/stile-rules rules.yaml rules_gen.go

// ID names a row of the registry, such as "asm-issuer-match". It is stable:
// refusals, findings and documentation cite it.
type ID string

// Rule is one row of the registry: a duty that the authorization of MCP lays
// on somebody, where it is written, how it shows, and what this client does
// when a peer breaks it.
type Rule struct {
	ID    ID  `json:"id"`
	Group int `json:"group"`
	// Level is MUST, MUST NOT, SHOULD, SHOULD NOT or MAY, as the source has it.
	Level string `json:"level"`
	// House marks a rule that no specification states: the clause then names
	// the incident, the advisory or the interoperability reason behind it.
	House bool `json:"house,omitzero"`
	// Unchecked says that a section number of the clause was not compared with
	// the text of its document; the number itself carries the mark (?).
	Unchecked bool `json:"unchecked,omitzero"`
	// Who is bound: C (client), RS (MCP server), AS (authorization server),
	// IdP, or several of them.
	Who string `json:"who"`
	// Since names the MCP revisions the rule holds for: R1 is 2025-03-26, R2
	// 2025-06-18, R3 2025-11-25, R4 2026-07-28; "all" is every one.
	Since string `json:"since"`
	// Clause is the document and section that the rule comes from.
	Clause string `json:"clause"`
	// Requires states the duty.
	Requires string `json:"requires"`
	// Observe says, in words, which bytes of which exchange show whether it is kept.
	Observe string `json:"observe,omitempty"`
	// Breach is what this client does when the peer breaks the rule. It begins
	// with a verb: REFUSE, NEXT, TOL, QUIRK, FB, SELF or AUDIT.
	Breach string `json:"breach"`
}

// Cited is the clause as it is shown to somebody who wants to look it up. A
// house rule is written down on the page of the rules and nowhere else, and so
// is what was observed.
func (r Rule) Cited() string {
	if !r.House && !strings.Contains(r.Clause, "an observation of") {
		return r.Clause
	}
	return r.Clause + ", see docs/rules.md#" + string(r.ID)
}

// Group is a chapter of the registry.
type Group struct {
	Number int    `json:"number"`
	Title  string `json:"title"`
}

// Groups returns the chapters of the registry in order. The slice is the
// caller's.
func Groups() []Group { return slices.Clone(groups) }

// All returns every row, by group and in the order of rules.yaml. The slice is
// the caller's.
func All() []Rule { return slices.Clone(rows) }

// byID holds the rows by id, for Lookup.
var byID = slices.SortedFunc(slices.Values(rows), func(a, b Rule) int {
	return strings.Compare(string(a.ID), string(b.ID))
})

// Lookup returns the row with this id; false when there is none.
func Lookup(id ID) (Rule, bool) {
	i, ok := slices.BinarySearchFunc(byID, id, func(r Rule, id ID) int {
		return strings.Compare(string(r.ID), string(id))
	})
	if !ok {
		return Rule{}, false
	}
	return byID[i], true
}
