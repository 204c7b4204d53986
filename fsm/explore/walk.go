package explore

import (
	"slices"
)

// add takes in a situation, unless it is known or there is no room for it.
func (x *Explorer) add(w *world, parent, move, depth int32) {
	if w.broken == nil {
		p := w.fingerprint()
		if _, known := x.seen[p]; known {
			return
		}
		if x.over = len(x.nodes) >= x.quota; x.over {
			return
		}
		if x.sc.coarse > 0 {
			s := w.shape()
			if x.shapes[s] >= x.sc.coarse {
				x.dropped++
				return
			}
			x.shapes[s]++
		}
		x.seen[p] = struct{}{}
	}
	id := int32(len(x.nodes))
	x.nodes = append(x.nodes, node{parent, move, depth})
	x.depth = max(x.depth, depth)
	b := &x.walks[len(x.walks)-1]
	b.Situations, b.Depth = b.Situations+1, max(b.Depth, int(depth))
	if w.broken == nil {
		x.settle(w, id)
	}
	if w.broken != nil {
		x.violation(w.broken, id)
		return
	}
	x.queue = append(x.queue, w)
	x.ids = append(x.ids, id)
}

// Run explores at most n more situations and reports whether any are left.
func (x *Explorer) Run(n int) bool {
	for ; n > 0 && !x.done; n-- {
		switch {
		case len(x.found) >= x.o.Stop:
			x.done = true
			return false
		case len(x.queue) == 0:
			x.endWalk()
			x.done = !x.nextRoot()
			continue
		}
		w, id := x.queue[0], x.ids[0]
		for i, m := range x.sc.next(w) {
			c := w.clone()
			m.do(c)
			if x.add(c, id, int32(i), x.nodes[id].depth+1); x.over {
				break
			}
		}
		if x.over { // the walk stops here, with this one still to be explored
			x.endWalk()
			x.over, x.filled, x.cut = false, true, x.cut+len(x.queue)
			x.queue, x.ids = nil, nil
			x.done = !x.nextRoot()
			continue
		}
		x.queue[0] = nil
		x.queue, x.ids = x.queue[1:], x.ids[1:]
	}
	return !x.done
}

// endWalk notes how far the walk from the present beginning has come.
func (x *Explorer) endWalk() {
	if len(x.walks) > 0 {
		x.walks[len(x.walks)-1] = x.present()
	}
}

// present is the beginning under way.
func (x *Explorer) present() Beginning {
	b := x.walks[len(x.walks)-1]
	if b.Complete, b.FixedPoint = b.Depth, len(x.queue) == 0; !b.FixedPoint {
		b.Complete = int(x.nodes[x.ids[0]].depth)
	}
	return b
}

// violation keeps the first path to each breach of an invariant. It prefers one that the
// walk itself found to one on the honest path from a situation.
func (x *Explorer) violation(b *breach, id int32) {
	at := slices.IndexFunc(x.found, func(v Violation) bool { return v.Invariant == b.inv.Name && v.Detail == b.detail })
	if at >= 0 && (!x.found[at].followed || b.then > 0) {
		return
	}
	steps, text := x.tellWay(b, id)
	v := Violation{Invariant: b.inv.Name, Rule: string(b.inv.Rule), Detail: b.detail, Steps: steps, Script: text, followed: b.then > 0}
	if at < 0 {
		x.found = append(x.found, v)
	} else if len(steps) <= len(x.found[at].Steps) {
		x.found[at] = v
	}
}

// path gives the moves that lead to a situation, and the root it begins at.
func (x *Explorer) path(id int32) (root int, moves []int32) {
	for {
		n := x.nodes[id]
		if n.parent < 0 {
			slices.Reverse(moves)
			return int(-1 - n.parent), moves
		}
		moves = append(moves, n.move)
		id = n.parent
	}
}

// Violations gives what was found so far, shortest path first.
func (x *Explorer) Violations() []Violation { return slices.Clone(x.found) }
