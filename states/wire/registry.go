package wire

import (
	"slices"
	"strings"
)

// Rule is one row of the registry: a duty that the authorization of MCP lays
// on somebody, where it is written, how it shows, and what this client does
// when a peer breaks it.
type Rule struct {
	ID    RuleID `json:"id"`
	Group int    `json:"group"`
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
	// Observe says which bytes of which exchange show whether it is kept.
	Observe string `json:"observe,omitempty"`
	// Breach is what this client does when the peer breaks the rule. It begins
	// with a verb: REFUSE, NEXT, TOL, QUIRK, FB, SELF or AUDIT.
	Breach string `json:"breach"`
}

// Cited is the clause as it is shown to somebody who wants to look it up. A
// house rule is written down on the page of the rules and nowhere else, and so
// are the house tables and what was observed.
func (r Rule) Cited() string {
	if !r.House && !strings.Contains(r.Clause, "house table") && !strings.Contains(r.Clause, "an observation of") {
		return r.Clause
	}
	return r.Clause + ", see docs/rules.md#" + string(r.ID)
}

// RuleGroup is a chapter of the registry.
type RuleGroup struct {
	Number int    `json:"number"`
	Title  string `json:"title"`
}

// ruleGroups is in order of number, without gaps.
var ruleGroups = []RuleGroup{
	{1, "Challenge: 401/403 and WWW-Authenticate"},
	{2, "Protected resource metadata"},
	{3, "Authorization server metadata"},
	{4, "Issuer binding"},
	{5, "Registration"},
	{6, "Authorization request"},
	{7, "Authorization response"},
	{8, "Token request"},
	{9, "Token response"},
	{10, "Client authentication"},
	{11, "Refresh"},
	{12, "Step-up"},
	{13, "Bearer use by the client"},
	{14, "Transport and URL safety"},
	{15, "Storage and logging"},
	{16, "Revocation and logout"},
	{17, "Resource server"},
	{18, "Authorization server"},
	{19, "Extensions"},
	{20, "This project's own rows"},
}

// RuleGroups returns the chapters of the registry in order. The slice is the
// caller's.
func RuleGroups() []RuleGroup { return slices.Clone(ruleGroups) }

// catalogue holds the rows in the order in which they are read: by group, and
// inside a group as the catalogue has them.
var catalogue = slices.Concat(
	rulesChallenge,
	rulesPRM,
	rulesASM,
	rulesIssuer,
	rulesRegistration,
	rulesAuthorizationRequest,
	rulesAuthorizationResponse,
	rulesTokenRequest,
	rulesTokenResponse,
	rulesClientauth,
	rulesRefresh,
	rulesStepup,
	rulesBearer,
	rulesTransport,
	rulesStorage,
	rulesRevocation,
	rulesRS,
	rulesAS,
	rulesExtensions,
	rulesHouse,
)

// registry holds the same rows by id, for LookupRule.
var registry = slices.SortedFunc(slices.Values(catalogue), func(a, b Rule) int {
	return strings.Compare(string(a.ID), string(b.ID))
})

// LookupRule returns the row with this id; false when there is none.
func LookupRule(id RuleID) (Rule, bool) {
	i, ok := slices.BinarySearchFunc(registry, id, func(r Rule, id RuleID) int {
		return strings.Compare(string(r.ID), string(id))
	})
	if !ok {
		return Rule{}, false
	}
	return registry[i], true
}

// Rules returns every row, by group and in the order of the catalogue. The
// slice is the caller's.
func Rules() []Rule { return slices.Clone(catalogue) }
