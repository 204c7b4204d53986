package main

import (
	"bytes"
	"fmt"
	"slices"
	"strings"

	"github.com/stile-oauth/stile/fsm/draw"
	"github.com/stile-oauth/stile/states"
	"github.com/stile-oauth/stile/states/rules"
	"github.com/stile-oauth/stile/transitions"
)

// drawing is the drawing of the whole table.
func drawing() []byte {
	return []byte(draw.SVG(transitions.Table, draw.Options{Title: "Stile: the states and the table of transitions"}))
}

// statesPage lists the states by group, each with the states before and after it.
func statesPage() []byte {
	var b bytes.Buffer
	b.WriteString(generated)
	fmt.Fprintf(&b, "# The states\n\nThe machine is always in one of %d states: at rest, or waiting for the answer to the one\n"+
		"question that the state asks on arriving. [The table](table.md) says which event leads where.\n", len(states.All))
	for _, g := range groups() {
		fmt.Fprintf(&b, "\n## %s\n\n| state | what happens there | comes from | goes to |\n|---|---|---|---|\n", heading(g))
		for _, s := range members(g) {
			var before, after []string
			for _, r := range transitions.Table {
				if r.To == s && r.From != s {
					before = appendNew(before, stateLink(r.From))
				}
				if r.From == s && r.To != s {
					after = appendNew(after, stateLink(r.To))
				}
			}
			fmt.Fprintf(&b, "| %s | %s | %s | %s |\n", stateLink(s), cell(states.Describe(s)), strings.Join(before, ", "), strings.Join(after, ", "))
		}
	}
	return b.Bytes()
}

// everywhereMin is the smallest number of states for which an event that stays in its
// state is described once, in a section of its own.
const everywhereMin = 8

// tablePage is the table for readers: every row, grouped by state, with the
// rule that it keeps, and the drawings.
func tablePage(meanings []meaning) []byte {
	var b bytes.Buffer
	holds := 0
	for _, r := range transitions.Table {
		if r.Hold {
			holds++
		}
	}
	b.WriteString(generated)
	fmt.Fprintf(&b, "# The table of transitions\n\n%d rows over %d states. In a state, an event leads to the next one; nothing else moves the\n"+
		"machine. *Holds* means that nothing is asked again and nothing changes hands (%d rows);\n"+
		"*asks again* means that the state is entered anew and puts its next question.\n\n"+
		"![The states and the table](table.svg)\n", len(transitions.Table), len(states.All), holds)
	for _, g := range groups() {
		rows, left := inDiagram(members(g))
		fmt.Fprintf(&b, "\n## %s\n\n```mermaid\n%s```\n", heading(g), draw.Mermaid(rows))
		without := "what is the same [everywhere](#everywhere)"
		if len(left) > 0 {
			without = "the rows to " + strings.Join(left, ", ") + ", and " + without
		}
		fmt.Fprintf(&b, "\nLeft out of this diagram, for clarity: %s.\n", without)
		for _, s := range members(g) {
			writeState(&b, s, meanings)
		}
	}
	b.WriteString("\n## Everywhere\n\nThese findings stay in the state in which they are made, and mean the same in each.\n\n")
	b.WriteString("| event | then | rule | states |\n|---|---|---|--:|\n")
	for _, e := range everywhere() {
		fmt.Fprintf(&b, "| `%s` | %s | %s | %d |\n", e.row.On, stays(e.row), ruleLink(e.row.Rule), e.states)
	}
	fmt.Fprintf(&b, "\n## The whole, in Mermaid\n\n<details><summary>One diagram of everything</summary>\n\n```mermaid\n%s```\n\n</details>\n", draw.Mermaid(transitions.Table))
	return b.Bytes()
}

// writeState writes the rows of one state.
func writeState(b *bytes.Buffer, s states.State, meanings []meaning) {
	fmt.Fprintf(b, "\n<a id=\"%s\"></a>\n### %s\n\n%s\n\n", anchor(s), s, cell(states.Describe(s)))
	var common, own []transitions.Row
	for _, r := range transitions.Table {
		switch {
		case r.From != s:
		case isEverywhere(r):
			common = append(common, r)
		default:
			own = append(own, r)
		}
	}
	if len(own) > 0 {
		b.WriteString("| event | what was found | goes to | rule | which says |\n|---|---|---|---|---|\n")
		for _, r := range own {
			to := stateLink(r.To)
			if r.To == r.From {
				to = stays(r)
			}
			says := ""
			if rule, ok := rules.Lookup(r.Rule); ok {
				says = cell(rule.Requires)
			}
			fmt.Fprintf(b, "| `%s` | %s | %s | %s | %s |\n", r.On, cell(sayEvent(meanings, r.On)), to, ruleLink(r.Rule), says)
		}
	}
	if len(common) > 0 {
		var names []string
		for _, r := range common {
			names = append(names, fmt.Sprintf("`%s` %s", r.On, stays(r)))
		}
		if len(own) > 0 {
			b.WriteString("\n")
		}
		fmt.Fprintf(b, "And as [everywhere](#everywhere): %s.\n", strings.Join(names, ", "))
	}
}

// stays says what a row that does not leave its state does.
func stays(r transitions.Row) string {
	if r.Hold {
		return "*holds*"
	}
	return "*asks again*"
}

// spread is an event that stays in its state in many states.
type spread struct {
	row    transitions.Row // with the first state that has it
	states int
}

func everywhere() []spread {
	var all []spread
	for _, r := range transitions.Table {
		if r.From != r.To {
			continue
		}
		i := slices.IndexFunc(all, func(e spread) bool { return alike(e.row, r) })
		if i < 0 {
			i = len(all)
			all = append(all, spread{row: r})
		}
		all[i].states++
	}
	return slices.DeleteFunc(all, func(e spread) bool { return e.states < everywhereMin })
}

func isEverywhere(r transitions.Row) bool {
	return r.From == r.To && slices.ContainsFunc(everywhere(), func(e spread) bool { return alike(e.row, r) })
}

// alike reports whether two rows say the same about different states.
func alike(a, b transitions.Row) bool { return a.On == b.On && a.Hold == b.Hold && a.Rule == b.Rule }

// groups lists the groups of states in the order of the states.
func groups() []string {
	var out []string
	for _, s := range states.All {
		out = appendNew(out, states.Group(s))
	}
	return out
}

func members(group string) []states.State {
	var out []states.State
	for _, s := range states.All {
		if states.Group(s) == group {
			out = append(out, s)
		}
	}
	return out
}

// inDiagram returns the rows that start in one of from, without those that are
// everywhere. If from has many states, it also leaves out the rows to a state that many
// states lead to, since they would hide the rest, and names those states.
func inDiagram(from []states.State) (rows []transitions.Row, left []string) {
	const many = 6
	for _, r := range transitions.Table {
		switch {
		case !slices.Contains(from, r.From):
		case len(from) >= many && r.To != r.From && !slices.Contains(from, r.To) && leadingTo(r.To) > many,
			len(from) >= many && r.To != r.From && leadingTo(r.To) > 2*many:
			left = appendNew(left, stateLink(r.To))
		case isEverywhere(r):
		default:
			rows = append(rows, r)
		}
	}
	return rows, left
}

// leadingTo counts the states that have a row to s.
func leadingTo(s states.State) int {
	var from []string
	for _, r := range transitions.Table {
		if r.To == s && r.From != s {
			from = appendNew(from, string(r.From))
		}
	}
	return len(from)
}

func appendNew(list []string, s string) []string {
	if slices.Contains(list, s) {
		return list
	}
	return append(list, s)
}

func heading(group string) string {
	if group == "" {
		return "Other"
	}
	return strings.ToUpper(group[:1]) + group[1:]
}

// anchor is the id of a state's heading. It does not depend on how a renderer makes
// ids from headings.
func anchor(s states.State) string { return "state-" + string(s) }

func stateLink(s states.State) string { return fmt.Sprintf("[%s](table.md#%s)", s, anchor(s)) }

func ruleLink(id rules.ID) string {
	if _, ok := rules.Lookup(id); !ok {
		return "`" + string(id) + "`"
	}
	return fmt.Sprintf("[`%s`](rules.md#%s)", id, id)
}
