// Package draw draws the table of transitions: as Mermaid for a page, as DOT for
// Graphviz, and as SVG, which needs neither.
//
//	rows := []transitions.Row{{On: transitions.Begun, From: states.Idle, To: states.Loading}}
//	fmt.Print(draw.Mermaid(rows))
//
// Rows between the same two states are one edge with several labels. A Hold row moves
// nothing and has no arrow. An event that re-enters or holds in many states in the same
// way (a tick that is not due, a challenge that is noted) is in the legend, once.
//
// # Guarantees
//
//   - The drawings are made from the rows alone, so they say nothing that the table
//     does not say.
//   - The same rows give the same bytes.
//
// # Who should not use it
//
// Someone who only wants to see the table: docs/table.svg is the drawing of all of it.
package draw

import (
	"fmt"
	"slices"
	"strings"

	"github.com/stile-oauth/stile/states"
	"github.com/stile-oauth/stile/transitions"
)

// common is the smallest number of states for which an event that stays in its state
// is described once for all of them.
const common = 8

// edge is all the rows that lead from one state to another, or back to the same state.
type edge struct {
	from, to int // index into graph.nodes
	rows     []transitions.Row
}

func (e edge) events() []string {
	var out []string
	for _, r := range e.rows {
		out = append(out, string(r.On))
	}
	return out
}

// node is a state in the drawing.
type node struct {
	state states.State
	group int    // index into graph.groups
	out   []edge // in the order of the table, including edges to itself
	holds []transitions.Row
	in    int // how many other states lead here
}

// graph is the table, prepared for drawing.
type graph struct {
	nodes  []node
	groups []string
	// everywhere lists the events that stay in their state in many states.
	everywhere []everywhere
	hidden     int // rows without an arrow: holds, and the events in everywhere
}

type everywhere struct {
	event  transitions.Event
	states int
	hold   bool
}

// newGraph orders the states of rows as states.All does. States that are not in
// states.All follow, in the order of the rows.
func newGraph(rows []transitions.Row) graph {
	var g graph
	add := func(s states.State) {
		if g.find(s) < 0 {
			g.nodes = append(g.nodes, node{state: s, group: g.groupOf(s)})
		}
	}
	named := func(s states.State) bool {
		return slices.ContainsFunc(rows, func(r transitions.Row) bool { return r.From == s || r.To == s })
	}
	for _, s := range states.All {
		if named(s) {
			add(s)
		}
	}
	for _, r := range rows {
		add(r.From)
		add(r.To)
	}
	g.everywhere = sayOnce(rows)
	for _, r := range rows {
		from, to := g.find(r.From), g.find(r.To)
		once := from == to && g.saidOnce(r)
		if r.Hold || once {
			g.hidden++
		}
		switch n := &g.nodes[from]; {
		case once:
		case r.Hold:
			n.holds = append(n.holds, r)
		default:
			i := slices.IndexFunc(n.out, func(e edge) bool { return e.to == to })
			if i < 0 {
				i = len(n.out)
				n.out = append(n.out, edge{from: from, to: to})
				if from != to {
					g.nodes[to].in++
				}
			}
			n.out[i].rows = append(n.out[i].rows, r)
		}
	}
	return g
}

func (g *graph) find(s states.State) int {
	return slices.IndexFunc(g.nodes, func(n node) bool { return n.state == s })
}

func (g *graph) groupOf(s states.State) int {
	name := states.Group(s)
	if name == "" {
		name = "other"
	}
	if i := slices.Index(g.groups, name); i >= 0 {
		return i
	}
	g.groups = append(g.groups, name)
	return len(g.groups) - 1
}

func (g *graph) saidOnce(r transitions.Row) bool {
	return slices.ContainsFunc(g.everywhere, func(e everywhere) bool { return e.event == r.On && e.hold == r.Hold })
}

// sayOnce finds the events that stay in their state in many states, to be described
// once.
func sayOnce(rows []transitions.Row) []everywhere {
	var all []everywhere
	for _, r := range rows {
		if r.From != r.To {
			continue
		}
		i := slices.IndexFunc(all, func(e everywhere) bool { return e.event == r.On && e.hold == r.Hold })
		if i < 0 {
			i = len(all)
			all = append(all, everywhere{event: r.On, hold: r.Hold})
		}
		all[i].states++
	}
	return slices.DeleteFunc(all, func(e everywhere) bool { return e.states < common })
}

// legend says in words what the arrows do not show; it is empty if they show everything.
func (g *graph) legend() string {
	if g.hidden == 0 {
		return ""
	}
	s := fmt.Sprintf("%d rows stay where they are and are not drawn as arrows", g.hidden)
	if g.hidden == 1 {
		s = "One row stays where it is and is not drawn as an arrow"
	}
	var parts []string
	for _, e := range g.everywhere {
		verb := "asks again"
		if e.hold {
			verb = "holds"
		}
		parts = append(parts, fmt.Sprintf("%s %s in %d states", e.event, verb, e.states))
	}
	if len(parts) > 0 {
		s += ": " + strings.Join(parts, ", ")
	}
	return s + "."
}

// label joins the first events of an edge, at most three, and counts the rest.
func label(events []string) string {
	const most = 3
	if len(events) <= most {
		return strings.Join(events, ", ")
	}
	return fmt.Sprintf("%s, +%d more", strings.Join(events[:most-1], ", "), len(events)-most+1)
}

// alias turns a state's name into an identifier of letters, digits and
// underscores. Different names give different identifiers.
func alias(s string) string {
	var b strings.Builder
	for _, r := range s {
		switch {
		case r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9':
			b.WriteRune(r)
		case r == '-':
			b.WriteByte('_')
		default:
			fmt.Fprintf(&b, "_x%x_", r)
		}
	}
	return b.String()
}

// plain replaces what could end a quoted label.
func plain(s string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' || strings.ContainsRune(`"\<>;#`, r) {
			return '_'
		}
		return r
	}, s)
}
