package draw

import (
	"fmt"
	"strings"

	"github.com/stile-oauth/stile/states"
	"github.com/stile-oauth/stile/transitions"
)

// Mermaid draws rows as a stateDiagram-v2, the dialect that GitHub and most wikis
// render. Names with a hyphen get an identifier without one. Colours tell the groups of
// states apart. The diagram begins at Idle.
func Mermaid(rows []transitions.Row) string {
	g := newGraph(rows)
	var b strings.Builder
	b.WriteString("stateDiagram-v2\n")
	if s := g.legend(); s != "" {
		b.WriteString("    %% " + plain(s) + "\n")
	}
	for i := range g.groups {
		fmt.Fprintf(&b, "    classDef g%d fill:%s,stroke:%s,color:#ffffff\n", i, colour(i).light, colour(i).light)
	}
	for _, n := range g.nodes {
		fmt.Fprintf(&b, "    state \"%s\" as %s\n", plain(string(n.state)), id(n))
	}
	if i := g.find(states.Idle); i >= 0 {
		fmt.Fprintf(&b, "    [*] --> %s\n", id(g.nodes[i]))
	}
	for _, n := range g.nodes {
		for _, e := range n.out {
			fmt.Fprintf(&b, "    %s --> %s : %s\n", id(n), id(g.nodes[e.to]), plain(label(e.events())))
		}
	}
	for _, n := range g.nodes {
		fmt.Fprintf(&b, "    class %s g%d\n", id(n), n.group)
	}
	return b.String()
}

// id is the identifier of a state in Mermaid; the prefix keeps it apart from Mermaid's
// own keywords.
func id(n node) string { return "s" + alias(string(n.state)) }

// DOT draws rows as a digraph for Graphviz, one cluster for each group.
func DOT(rows []transitions.Row) string {
	g := newGraph(rows)
	var b strings.Builder
	b.WriteString("digraph stile {\n\trankdir=LR;\n\tnode [shape=box, style=\"rounded,filled\", fontname=\"sans-serif\", fontcolor=white];\n")
	b.WriteString("\tedge [fontname=\"sans-serif\", fontsize=9];\n")
	if s := g.legend(); s != "" {
		fmt.Fprintf(&b, "\tlabel=\"%s\";\n", plain(s))
	}
	for i, name := range g.groups {
		fmt.Fprintf(&b, "\tsubgraph cluster_%d {\n\t\tlabel=\"%s\";\n", i, plain(name))
		for _, n := range g.nodes {
			if n.group == i {
				fmt.Fprintf(&b, "\t\t\"%s\" [fillcolor=\"%s\"];\n", plain(string(n.state)), colour(i).light)
			}
		}
		b.WriteString("\t}\n")
	}
	for _, n := range g.nodes {
		for _, e := range n.out {
			fmt.Fprintf(&b, "\t\"%s\" -> \"%s\" [label=\"%s\"];\n", plain(string(n.state)), plain(string(g.nodes[e.to].state)),
				strings.ReplaceAll(plain(label(e.events())), ", ", `\n`))
		}
	}
	b.WriteString("}\n")
	return b.String()
}
