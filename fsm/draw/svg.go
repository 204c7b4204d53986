package draw

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/stile-oauth/stile/states"
	"github.com/stile-oauth/stile/transitions"
)

// Options say what an SVG shows besides the table.
type Options struct {
	// Title is shown above the drawing and names it for screen readers.
	Title string
	// Path lists states in the order in which they were visited. These states and the
	// edges between them are lit, and the rest is dimmed.
	Path []states.State
}

// SVG draws rows as one self-contained image: it has no script, no font and no
// external address, and is readable on a light and on a dark page.
//
// A card is a state. Its rows say which events lead where. A line leads from a row
// to its target, except when many states lead to the target; then the target is named
// in a box. Pointing at a row shows every event with its rule.
//
// The state S has the element id "state-S", and the edge from S to T (also from S
// to S) has "edge-S--T". Giving such an element the class "lit" lights it, and giving
// the root the class "path" dims the rest.
func SVG(rows []transitions.Row, o Options) string {
	p := layOut(newGraph(rows))
	foot := wrap(strings.TrimSpace("A line and the name of its target have the colour of the target. "+
		"A boxed name is a state that many lead to: no line is drawn. "+p.g.legend()), int((p.width-2*margin)/footGlyph))
	title := o.Title
	if title == "" {
		title = "The states and the table of transitions"
	}
	var lit []int
	for _, s := range o.Path {
		lit = append(lit, p.g.find(s))
	}
	w, h := p.width, p.height+margin+footSize*float64(len(foot))
	var b strings.Builder
	class := "stile-draw"
	if len(lit) > 0 {
		class += " path"
	}
	fmt.Fprintf(&b, `<svg xmlns="http://www.w3.org/2000/svg" class="%s" viewBox="0 0 %s %s" width="%s" height="%s" role="img" aria-label="%s">`+"\n",
		class, num(w), num(h), num(w), num(h), xml(title))
	b.WriteString(style())
	fmt.Fprintf(&b, `<rect class="page" width="%s" height="%s"/>`+"\n", num(w), num(h))
	fmt.Fprintf(&b, `<text class="title" x="%d" y="26">%s</text>`+"\n", margin, xml(title))
	for _, hd := range p.heads {
		fmt.Fprintf(&b, `<text class="head" x="%s" y="%s">%s</text>`+"\n", num(hd.x), num(hd.y), xml(p.g.groups[hd.group]))
	}
	// Lit lines come last, so that they lie over the others.
	for _, over := range []bool{false, true} {
		for _, r := range p.routes {
			if onPath(lit, r.edge) == over {
				p.drawRoute(&b, r, over)
			}
		}
	}
	for i := range p.cards {
		p.drawCard(&b, &p.cards[i], lit)
	}
	for i, l := range foot {
		fmt.Fprintf(&b, `<text class="foot" x="%d" y="%s">%s</text>`+"\n", margin, num(p.height+footSize*float64(i+1)), xml(l))
	}
	b.WriteString("</svg>\n")
	return b.String()
}

// onPath reports whether the path goes along e.
func onPath(path []int, e *edge) bool {
	for i := 1; i < len(path); i++ {
		if path[i-1] == e.from && path[i] == e.to {
			return true
		}
	}
	return false
}

func litClass(is bool) string {
	if is {
		return " lit"
	}
	return ""
}

func (p *page) edgeID(e *edge) string {
	return "edge-" + xml(string(p.g.nodes[e.from].state)) + "--" + xml(string(p.g.nodes[e.to].state))
}

// drawRoute draws a line with round corners and an arrow head.
func (p *page) drawRoute(b *strings.Builder, r route, lit bool) {
	shade := p.cards[r.edge.to].shade
	fmt.Fprintf(b, `<g id="%s" class="edge%s"><title>%s</title><path class="line s%d" d="%s"/>%s</g>`+"\n",
		p.edgeID(r.edge), litClass(lit), xml(tip(p.g, r.edge)), shade, corners(r.points), arrow(r.points, shade))
}

// corners is the path data of a line through points, with rounded corners.
func corners(points []point) string {
	const round = 5
	var b strings.Builder
	fmt.Fprintf(&b, "M%s %s", num(points[0].x), num(points[0].y))
	for i := 1; i < len(points)-1; i++ {
		at, before, after := points[i], points[i-1], points[i+1]
		in, out := toward(at, before, round), toward(at, after, round)
		fmt.Fprintf(&b, "L%s %sQ%s %s %s %s", num(in.x), num(in.y), num(at.x), num(at.y), num(out.x), num(out.y))
	}
	last := points[len(points)-1]
	fmt.Fprintf(&b, "L%s %s", num(last.x), num(last.y))
	return b.String()
}

// toward is the point on the way from a to b at distance d from a, at most half way.
func toward(a, b point, d float64) point {
	step := func(from, to float64) float64 {
		switch dist := to - from; {
		case dist > 0:
			return from + min(d, dist/2)
		default:
			return from - min(d, -dist/2)
		}
	}
	return point{step(a.x, b.x), step(a.y, b.y)}
}

// arrow is the head at the end of a line that arrives horizontally.
func arrow(points []point, shade int) string {
	end := points[len(points)-1]
	back := 8.0
	if points[len(points)-2].x > end.x {
		back = -8
	}
	return fmt.Sprintf(`<path class="tip f%d" d="M%s %sl%s -4v8z"/>`, shade, num(end.x), num(end.y), num(-back))
}

// drawCard draws a state with its rows.
func (p *page) drawCard(b *strings.Builder, c *card, lit []int) {
	n := p.g.nodes[c.node]
	w := p.colW[c.col]
	here := ""
	if slices.Contains(lit, c.node) {
		here = " lit"
	}
	name := xml(string(n.state))
	fmt.Fprintf(b, `<g id="state-%s" class="state%s"><title>%s</title>`, name, here, xml(string(n.state)+": "+states.Describe(n.state)))
	fmt.Fprintf(b, `<rect class="card s%d" x="%s" y="%s" width="%s" height="%s" rx="5"/>`, c.shade, num(c.x), num(c.y), num(w), num(c.height()))
	fmt.Fprintf(b, `<path class="bar b%d" d="M%s %sv-19a5 5 0 0 1 5 -5h%sa5 5 0 0 1 5 5v19z"/>`, c.shade, num(c.x), num(c.y+titleSize), num(w-10))
	fmt.Fprintf(b, `<text class="name" x="%s" y="%s">%s</text></g>`+"\n", num(c.x+inset), num(c.y+17), name)
	for i, l := range c.lines {
		y := c.port(i)
		text := fmt.Sprintf(`<text class="row" x="%s" y="%s">%s</text>`, num(c.x+inset), num(y+4), xml(l.text))
		switch {
		case l.holds:
			fmt.Fprintf(b, `<g class="hold">%s<title>%s</title></g>`+"\n", text, xml(holdTip(n)))
		case l.edge.to == l.edge.from:
			fmt.Fprintf(b, `<g id="%s" class="edge again%s"><title>%s</title>%s</g>`+"\n", p.edgeID(l.edge), litClass(onPath(lit, l.edge)), xml(tip(p.g, l.edge)), text)
		default:
			p.drawLine(b, c, l, y, text, onPath(lit, l.edge))
		}
	}
}

// drawLine draws a row that leads to another state. If no line is drawn for the row, it
// carries the edge's id, and a way to the target that is visible only when the edge is
// lit.
func (p *page) drawLine(b *strings.Builder, c *card, l line, y float64, text string, lit bool) {
	to := &p.cards[l.edge.to]
	name := string(p.g.nodes[l.edge.to].state)
	end := c.x + p.colW[c.col] - inset
	target := fmt.Sprintf(`<text class="target f%d" x="%s" y="%s">%s</text>`, to.shade, num(end), num(y+4), xml(name))
	if l.drawn {
		fmt.Fprintf(b, `<g class="label%s"><title>%s</title>%s%s</g>`+"\n", litClass(lit), xml(tip(p.g, l.edge)), text, target)
		return
	}
	wide := float64(len(name))*glyph + 8
	box := fmt.Sprintf(`<rect class="box s%d" x="%s" y="%s" width="%s" height="14" rx="3"/>`, to.shade, num(end-wide+4), num(y-7), num(wide))
	fmt.Fprintf(b, `<g id="%s" class="edge far%s"><title>%s</title>%s%s%s<g class="curve"><path class="line s%d" d="%s"/>%s</g></g>`+"\n",
		p.edgeID(l.edge), litClass(lit), xml(tip(p.g, l.edge)), box, text, target, to.shade, corners(l.detour), arrow(l.detour, to.shade))
}

// wrap breaks s between words into lines of at most n characters.
func wrap(s string, n int) []string {
	var lines []string
	for _, word := range strings.Fields(s) {
		last := len(lines) - 1
		if last >= 0 && len(lines[last])+1+len(word) <= n {
			lines[last] += " " + word
		} else {
			lines = append(lines, word)
		}
	}
	return lines
}

func holdTip(n node) string {
	s := "holds in " + string(n.state)
	for _, r := range n.holds {
		s += fmt.Sprintf("\n%s (%s)", r.On, r.Rule)
	}
	return s
}

const (
	footSize  = 18  // height of a line of the legend
	footGlyph = 7.5 // width of its characters
)

// num writes a number, rounded to a tenth, as briefly as possible.
func num(f float64) string { return strconv.FormatFloat(math.Round(f*10)/10, 'f', -1, 64) }

var xmlEscaper = strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;", `"`, "&quot;", "'", "&#39;")

// xml makes s safe in text and in attributes, and removes control characters.
func xml(s string) string {
	return xmlEscaper.Replace(strings.Map(func(r rune) rune {
		if r < ' ' && r != '\n' || r == 0xFFFE || r == 0xFFFF {
			return -1
		}
		return r
	}, s))
}
