package draw

import (
	"cmp"
	"slices"
)

// route is the course of one drawn edge: the corners of a line that consists of
// horizontal and vertical pieces.
type route struct {
	edge   *edge
	points []point
}

type point struct{ x, y float64 }

// way says through which channels a drawn edge goes. Channel c is to the left of
// column c. A long way goes up in one channel, across above the cards, and down in
// another channel.
type way struct {
	edge     *edge
	from, to int     // channels; equal unless the way is long
	y0, y1   float64 // heights of the port and of the entry
	rightOut bool    // leaves the card on its right side
	rightIn  bool    // enters the card on its right side
}

func (w way) long() bool { return w.from != w.to }

// mark chooses which rows are drawn as lines: all except those to a state that many
// states lead to.
func (p *page) mark() {
	for i := range p.cards {
		for k := range p.cards[i].lines {
			l := &p.cards[i].lines[k]
			l.drawn = l.edge != nil && l.edge.to != l.edge.from && p.g.nodes[l.edge.to].in <= place
		}
	}
}

// lane is a piece of a vertical line (or, above the cards, of a horizontal one). All
// edges that go to the same target there share it.
type lane struct {
	where, target int
	up            bool // the first piece of a long way
	lo, hi        float64
	slot          int
}

// ways lists the drawn edges with their channels.
func (p *page) ways() []way {
	var out []way
	for i := range p.cards {
		from := &p.cards[i]
		for k, l := range from.lines {
			if !l.drawn {
				continue
			}
			out = append(out, p.way(from, k))
		}
	}
	return out
}

// way is the way of row k of a card.
func (p *page) way(from *card, k int) way {
	l := from.lines[k]
	to := &p.cards[l.edge.to]
	w := way{edge: l.edge, y0: from.port(k), y1: to.entry()}
	switch {
	case to.col > from.col:
		w.rightOut, w.from, w.to = true, from.col+1, to.col
	case to.col < from.col:
		w.rightIn, w.from, w.to = true, from.col, to.col+1
	case to.y > from.y: // down on the right
		w.rightOut, w.rightIn, w.from, w.to = true, true, from.col+1, to.col+1
	default: // up on the left
		w.from, w.to = from.col, to.col
	}
	return w
}

// route gives each line its track, sets the width of each channel by its number of
// tracks, and draws the corners.
func (p *page) route() {
	channels := len(p.order) + 1
	var sky []lane
	for _, w := range p.ways() {
		if w.long() {
			sky = join(sky, lane{target: w.edge.to, lo: float64(min(w.from, w.to)), hi: float64(max(w.from, w.to))})
		}
	}
	skyTracks := pack(sky)
	p.stack(margin*2 + track*float64(skyTracks))

	ways := p.ways() // again: the cards have moved down
	lanes := make([][]lane, channels)
	for _, w := range ways {
		if !w.long() {
			lanes[w.from] = join(lanes[w.from], lane{where: w.from, target: w.edge.to, lo: min(w.y0, w.y1), hi: max(w.y0, w.y1)})
			continue
		}
		lanes[w.from] = join(lanes[w.from], lane{where: w.from, target: w.edge.to, up: true, lo: 0, hi: w.y0})
		lanes[w.to] = join(lanes[w.to], lane{where: w.to, target: w.edge.to, lo: 0, hi: w.y1})
	}
	chanX := make([]float64, channels)
	x := 0.0
	p.colX = nil
	for c := range channels {
		chanX[c] = x
		x += channel + track*float64(max(pack(lanes[c])-1, 0))
		if c < len(p.order) {
			p.colX = append(p.colX, x)
			x += p.colW[c]
		}
	}
	p.width = x
	for i := range p.cards {
		p.cards[i].x = p.colX[p.cards[i].col]
	}
	for i := range p.heads {
		p.heads[i].x = p.colX[int(p.heads[i].x)]
	}
	trackX := func(c, target int, up bool) float64 {
		i := slices.IndexFunc(lanes[c], func(l lane) bool { return l.target == target && l.up == up })
		return chanX[c] + channel/2 + track*float64(lanes[c][i].slot)
	}
	for _, w := range ways {
		from, to := &p.cards[w.edge.from], &p.cards[w.edge.to]
		x0, x1 := from.x, to.x
		if w.rightOut {
			x0 = p.right(from.col)
		}
		if w.rightIn {
			x1 = p.right(to.col)
		}
		a, b := trackX(w.from, w.edge.to, w.long()), trackX(w.to, w.edge.to, false)
		points := []point{{x0, w.y0}, {a, w.y0}}
		if w.long() {
			i := slices.IndexFunc(sky, func(l lane) bool { return l.target == w.edge.to })
			y := margin*1.5 + track*float64(sky[i].slot)
			points = append(points, point{a, y}, point{b, y})
		}
		p.routes = append(p.routes, route{w.edge, append(points, point{b, w.y1}, point{x1, w.y1})})
	}
	p.detours(chanX)
}

// detours are the ways of rows whose target is only named. A detour is visible only
// when it is lit. It runs through the channels and above the cards like the other ways,
// but on the side of a channel where there are no tracks. Few detours are ever visible
// at once, so they may share a place.
func (p *page) detours(chanX []float64) {
	for i := range p.cards {
		from := &p.cards[i]
		for k := range from.lines {
			l := &from.lines[k]
			if l.drawn || l.edge == nil || l.edge.to == l.edge.from {
				continue
			}
			w := p.way(from, k)
			x0, x1 := from.x, p.cards[l.edge.to].x
			if w.rightOut {
				x0 = p.right(from.col)
			}
			if w.rightIn {
				x1 = p.right(p.cards[l.edge.to].col)
			}
			aside := float64(9 + l.edge.to%3*2)
			a, b := chanX[w.from]+aside, chanX[w.to]+aside
			l.detour = []point{{x0, w.y0}, {a, w.y0}}
			if w.long() {
				y := p.top - track - float64(l.edge.to%3*2)
				l.detour = append(l.detour, point{a, y}, point{b, y})
			}
			l.detour = append(l.detour, point{b, w.y1}, point{x1, w.y1})
		}
	}
}

// join merges l into the lane that leads to the same target, or adds it as a new lane.
func join(lanes []lane, l lane) []lane {
	for i := range lanes {
		if o := &lanes[i]; o.target == l.target && o.up == l.up {
			o.lo, o.hi = min(o.lo, l.lo), max(o.hi, l.hi)
			return lanes
		}
	}
	return append(lanes, l)
}

// pack gives each lane a slot that no overlapping lane has, beginning with the short
// lanes, and returns how many slots there are.
func pack(lanes []lane) int {
	const clear = 6
	byLength := make([]int, len(lanes))
	for i := range byLength {
		byLength[i] = i
	}
	slices.SortStableFunc(byLength, func(a, b int) int {
		return cmp.Compare(lanes[a].hi-lanes[a].lo, lanes[b].hi-lanes[b].lo)
	})
	most := 0
	for n, i := range byLength {
		slot := 0
		for taken := true; taken; {
			taken = slices.ContainsFunc(byLength[:n], func(k int) bool {
				o := lanes[k]
				return o.slot == slot && lanes[i].lo < o.hi+clear && o.lo < lanes[i].hi+clear
			})
			if taken {
				slot++
			}
		}
		lanes[i].slot = slot
		most = max(most, slot+1)
	}
	return most
}
