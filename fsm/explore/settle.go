package explore

import (
	"fmt"
	"slices"

	"github.com/stile-oauth/stile/fsm"
	"github.com/stile-oauth/stile/states"
)

// settle follows a new situation honestly until every machine rests or waits for a user.
// It also tries the snapshot of every new machine.
func (x *Explorer) settle(w *world, id int32) {
	for i := range w.actors {
		x.snapshot(w, i)
		if x.sc.drains && w.broken == nil {
			x.drain(w, i, id)
		}
	}
}

// patience is how many honest moves a run may take to its end.
const patience = 2000

// drain follows the honest path of one actor while the others stand still. A breach on it
// is reported with the path to the situation and the number of further moves. A situation
// that an earlier such path went through (world.alone) is not followed again.
func (x *Explorer) drain(w *world, i int, id int32) {
	x.sc.draining = true
	defer func() { x.sc.draining = false }()
	c := w.clone()
	c.log = nil
	var way []print
	for n := 0; ; n++ {
		p := c.alone(i)
		_, known := x.rests[p]
		if known || c.rests(i) {
			for _, p := range way {
				x.rests[p] = struct{}{}
			}
			return
		}
		way = append(way, p)
		if n > patience {
			w.breaks(ends, fmt.Sprintf("%s does not come to rest; it is in %s", c.actors[i].name, c.actors[i].m.State))
			return
		}
		if !c.onward(i) {
			w.breaks(ends, fmt.Sprintf("%s waits in %s for nothing", c.actors[i].name, c.actors[i].m.State))
			return
		}
		if c.broken != nil {
			b := *c.broken
			b.who, b.then = i, n+1
			x.violation(&b, id)
			for _, p := range way {
				x.rests[p] = struct{}{}
			}
			return
		}
	}
}

// rests reports whether a machine waits for something from outside.
func (w *world) rests(i int) bool {
	a := &w.actors[i]
	return a.flight == nil && a.q == nil && (a.visit != nil || states.Resting(a.m.State))
}

// onward makes the one honest move of an actor; it is false if there is none.
func (w *world) onward(i int) bool {
	a := &w.actors[i]
	switch {
	case a.flight != nil:
		w.land(i)
	case a.q != nil && w.net == nil:
		return openHonest(w, i)
	case a.q != nil:
		w.honest(i)
	case !a.wake.IsZero():
		w.pass(i, a.wake)
		w.step(i, states.Ticked{})
	default:
		return false
	}
	return true
}

// snapshot writes a machine and reads it again.
func (x *Explorer) snapshot(w *world, i int) {
	e := &x.sc.enc
	e.reset(w.clock(i))
	e.machine(&w.actors[i].m)
	p := e.sum()
	if _, tried := x.sc.seen[p]; tried || !slices.Contains(x.sc.invariants, snapshotSame) {
		return
	}
	x.sc.seen[p] = struct{}{}
	text, err := w.actors[i].m.Snapshot()
	if err != nil {
		w.breaks(snapshotSame, "it cannot be written in "+string(w.actors[i].m.State))
		return
	}
	m, err := fsm.Restore(text)
	if err != nil {
		w.breaks(snapshotSame, "it cannot be read in "+string(w.actors[i].m.State))
		return
	}
	again, err := m.Snapshot()
	e.reset(w.clock(i))
	e.machine(&m)
	if err != nil || e.sum() != p || again != text {
		w.breaks(snapshotSame, "another machine is read in "+string(m.State))
	}
}
