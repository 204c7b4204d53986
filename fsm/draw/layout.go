package draw

import (
	"fmt"
	"math"
	"slices"
	"strings"
)

// The measures of the SVG, in user units. Every vertical measure is a multiple of
// eight, and every second column is shifted by half of that, so that the lines that
// leave one column never run along those of the next.
const (
	glyph      = 6.7 // width of one character in a row
	titleGlyph = 8   // and in a title
	inset      = 10  // between the frame of a card and its text
	titleSize  = 24
	rowSize    = 16
	cardPad    = 8
	cardGap    = 24
	headSize   = 40 // height of a group's name above its cards
	shift      = 4
	track      = 7  // distance between two lines that run side by side
	channel    = 30 // width of a channel without its tracks
	margin     = 24
	small      = 6 // groups with fewer states share the first column
	place      = 6 // if more states than this lead to a state, it is named and no line leads to it
)

// line is one row of a card.
type line struct {
	text  string
	edge  *edge
	drawn bool // a route leads to the target; otherwise only its name is shown
	holds bool
	// detour is the way to a target that is only named; it is visible when lit.
	detour []point
}

// card is a state with its place on the page.
type card struct {
	node  int
	col   int
	shade int
	x, y  float64
	lines []line
}

func (c *card) height() float64     { return titleSize + cardPad + rowSize*float64(len(c.lines)) }
func (c *card) entry() float64      { return c.y + titleSize/2 }
func (c *card) port(i int) float64  { return c.y + titleSize + cardPad/2 + rowSize*(float64(i)+0.5) }
func (p *page) right(c int) float64 { return p.colX[c] + p.colW[c] }

// page is the whole drawing.
type page struct {
	g             graph
	cards         []card  // one for each node, in the same order
	order         [][]int // by column: nodes from top to bottom
	colX, colW    []float64
	heads         []head
	width, height float64
	top           float64 // where the cards begin; the long lines run above this
	routes        []route
}

type head struct {
	group int
	x, y  float64
}

// layOut places the cards: one column for each large group, and the first column for
// all the small ones. Inside a group the order is that of states.All, changed where
// that makes the arrows shorter.
func layOut(g graph) *page {
	p := &page{g: g, cards: make([]card, len(g.nodes))}
	for i := range g.nodes {
		p.cards[i] = card{node: i, lines: linesOf(g, i, 0)}
	}
	var first []int
	var columns [][]int
	for group := range g.groups {
		var members []int
		for i, n := range g.nodes {
			if n.group == group {
				members = append(members, i)
			}
		}
		settle(g, members)
		if len(members) < small {
			first = append(first, members...)
		} else {
			columns = append(columns, members)
		}
	}
	if len(first) > 0 {
		columns = slices.Insert(columns, 0, first)
	}
	p.order = columns
	for c, members := range columns {
		w := 0.0
		for _, i := range members {
			p.cards[i].col = c
			w = max(w, widthOf(p.cards[i], g))
		}
		for k, i := range members {
			p.cards[i].lines = linesOf(g, i, w)
			// Neighbours have different colours, also across columns.
			p.cards[i].shade = (k + 3*c) % len(shades)
		}
		p.colW = append(p.colW, w)
	}
	p.stack(0)
	p.mark()
	p.route()
	return p
}

// stack places the cards of each column one below the other, starting at top.
func (p *page) stack(top float64) {
	p.top, p.height, p.heads = top, 0, nil
	for c, members := range p.order {
		y := top + shift*float64(c%2)
		group := -1
		for _, i := range members {
			if g := p.g.nodes[i].group; g != group {
				group = g
				p.heads = append(p.heads, head{group: g, x: float64(c), y: y + headSize - 14})
				y += headSize
			}
			p.cards[i].y = y
			y += p.cards[i].height() + cardGap
		}
		p.height = max(p.height, y)
	}
}

// linesOf lists what the card of a state says: where its events lead, which events
// re-enter it, and which hold. A row names as many events as fit into the width of the
// card, and at least one.
func linesOf(g graph, i int, width float64) []line {
	var out []line
	n := &g.nodes[i]
	room := int((width - 2*inset) / glyph)
	for k := range n.out {
		e := &n.out[k]
		if e.to != i {
			out = append(out, line{text: short(e.events(), room-3-len(g.nodes[e.to].state)), edge: e})
		}
	}
	for k := range n.out {
		if e := &n.out[k]; e.to == i {
			out = append(out, line{text: "again: " + short(e.events(), room-len("again: ")), edge: e})
		}
	}
	if len(n.holds) > 0 {
		var names []string
		for _, r := range n.holds {
			names = append(names, string(r.On))
		}
		out = append(out, line{text: "holds: " + short(names, room-len("holds: ")), holds: true})
	}
	return out
}

// short names as many events as fit into room characters, and counts the rest.
func short(events []string, room int) string {
	s := strings.Join(events, ", ")
	for n := len(events) - 1; n > 0 && len(s) > room; n-- {
		s = fmt.Sprintf("%s +%d", strings.Join(events[:n], ", "), len(events)-n)
	}
	return s
}

// widthOf is the width that a card needs for its title and for its longest row with
// the name of the target.
func widthOf(c card, g graph) float64 {
	w := float64(len(g.nodes[c.node].state))*titleGlyph + 2*inset
	for _, l := range c.lines {
		n := len([]rune(l.text))
		if l.edge != nil && l.edge.to != l.edge.from {
			n += 3 + len(g.nodes[l.edge.to].state)
		}
		w = max(w, float64(n)*glyph+2*inset)
	}
	return math.Ceil(w)
}

// settle orders members so that the arrows among them are short and point down. It
// moves single cards as long as that helps. The first card, with which the group begins
// in the list of states, stays on top.
func settle(g graph, members []int) {
	cost := func() int {
		sum := 0
		for at, i := range members {
			for _, e := range g.nodes[i].out {
				to := slices.Index(members, e.to)
				switch {
				case to < 0 || to == at || g.nodes[e.to].in > place:
				case to > at:
					sum += 2 * (to - at)
				default:
					sum += 3*(at-to) + 2
				}
			}
		}
		return sum
	}
	best := cost()
	for again := true; again; {
		again = false
		for from := 1; from < len(members); from++ {
			for to := 1; to < len(members); to++ {
				if from == to {
					continue
				}
				move(members, from, to)
				if c := cost(); c < best {
					best, again = c, true
				} else {
					move(members, to, from)
				}
			}
		}
	}
}

// move takes the element at from out and puts it in at to.
func move(s []int, from, to int) {
	v := s[from]
	if from < to {
		copy(s[from:to], s[from+1:to+1])
	} else {
		copy(s[to+1:from+1], s[to:from])
	}
	s[to] = v
}

// tip is the text that is shown while the pointer rests on an edge: each event with
// the rule that it keeps.
func tip(g graph, e *edge) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s to %s", g.nodes[e.from].state, g.nodes[e.to].state)
	for _, r := range e.rows {
		fmt.Fprintf(&b, "\n%s (%s)", r.On, r.Rule)
	}
	return b.String()
}
