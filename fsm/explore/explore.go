package explore

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/stile-oauth/stile/fsm"
	"github.com/stile-oauth/stile/states"
	"github.com/stile-oauth/stile/transitions"
)

// Options say what is walked and how far.
type Options struct {
	// World is one of Worlds.
	World string
	// Situations bounds the walk; zero takes 20000. It is shared among the
	// situations that the walk begins at. A walk that ends before has reached
	// its fixed point.
	Situations int
	// Trouble is how many things may go wrong on one way, whatever they are;
	// zero counts as one, less means none. In the open world, where anything may come at any
	// time, it is how many situations of one shape are gone on from.
	Trouble int
	// Only names the invariants to watch; empty watches all.
	Only []string
	// Table and Classify replace the machine's own, for mutants.
	Table    []transitions.Row
	Classify Classifier
	// Stop ends the walk at that many violations; zero takes ten.
	Stop int
}

// Classifier is the shape of transitions.Classify.
type Classifier = func(states.State, states.Data, time.Time, states.Input) (transitions.Event, states.Data)

// Worlds lists the worlds.
func Worlds() []string { return []string{"open", "closed", "faults", "pair", "moved", "adversary"} }

// Violation is a broken invariant with the shortest way to it.
type Violation struct {
	Invariant string `json:"invariant"`
	Rule      string `json:"rule"`
	Detail    string `json:"detail"`
	// Steps is the way in words; Script is the same for testdata/scripts.
	Steps  []string `json:"steps"`
	Script string   `json:"script"`
}

// String is the violation for people.
func (v Violation) String() string {
	return fmt.Sprintf("%s (%s): %s\n  %s", v.Invariant, v.Rule, v.Detail, strings.Join(v.Steps, "\n  "))
}

// Summary is how far a walk has come.
type Summary struct {
	World      string   `json:"world"`
	Situations int      `json:"situations"`
	Beginnings int      `json:"beginnings"`
	Ended      int      `json:"ended"`   // beginnings walked to a fixed point
	Waiting    int      `json:"waiting"` // found and not gone on from
	Steps      int      `json:"steps"`   // steps of the machine
	Dropped    int      `json:"dropped"` // beyond the bound for their shape
	Depth      int      `json:"depth"`
	Done       bool     `json:"done"`
	FixedPoint bool     `json:"fixed_point"`
	Rows       int      `json:"rows"` // rows of the table that fired
	Table      int      `json:"table"`
	States     int      `json:"states"`
	Invariants int      `json:"invariants"`
	Violations int      `json:"violations"`
	Unfired    []string `json:"unfired,omitempty"`
}

// node is how a situation was reached.
type node struct {
	parent int32
	move   int32
	depth  int32
}

// Explorer is one walk. It is not for concurrent use.
type Explorer struct {
	o      Options
	sc     *scene
	roots  []*world
	nodes  []node
	queue  []*world
	ids    []int32 // of the queue
	seen   map[print]struct{}
	rests  map[print]struct{}
	shapes map[print]int
	// dropped counts situations beyond the bound for their shape.
	dropped int
	found   []Violation
	depth   int32
	root    int // beginnings that were taken up
	quota   int // of situations, until the next beginning
	broken  int // beginnings whose walk was broken off
	cut     int // situations that were found and not gone on from
	done    bool
	filled  bool
}

// New prepares a walk. It errs when the world or an invariant is not known.
func New(o Options) (*Explorer, error) {
	if o.Situations == 0 {
		o.Situations = 20000
	}
	if o.Stop == 0 {
		o.Stop = 10
	}
	if o.Trouble == 0 {
		o.Trouble = 1
	}
	o.Trouble = max(o.Trouble, 0)
	sc := &scene{name: o.World, table: transitions.Table, fired: map[fire]int{}, seen: map[print]struct{}{}}
	if o.Table != nil {
		sc.table = o.Table
	}
	sc.engine = fsm.NewEngine()
	if o.Table != nil || o.Classify != nil {
		classify := o.Classify
		if classify == nil {
			classify = transitions.Classify
		}
		sc.engine = fsm.NewEngineOver(sc.table, classify)
	}
	for _, inv := range Invariants() {
		if len(o.Only) == 0 || slices.Contains(o.Only, inv.Name) {
			sc.invariants = append(sc.invariants, inv)
		}
	}
	if len(sc.invariants) == 0 || len(o.Only) > len(sc.invariants) {
		return nil, fmt.Errorf("there is no such invariant among %q", o.Only)
	}
	sc.drains = slices.Contains(sc.invariants, ends)
	x := &Explorer{o: o, sc: sc, seen: map[print]struct{}{}, rests: map[print]struct{}{}, shapes: map[print]int{}}
	var err error
	if x.roots, err = roots(sc, o); err != nil {
		return nil, err
	}
	x.nextRoot()
	return x, nil
}

// nextRoot begins at the next beginning, or in the open world at all of them;
// false when there is none left. What is left of the bound is shared among
// those that are left.
func (x *Explorer) nextRoot() bool {
	for x.root < len(x.roots) && (len(x.queue) == 0 || x.sc.coarse > 0) {
		x.quota = len(x.nodes) + (x.o.Situations-len(x.nodes))/(len(x.roots)-x.root)
		c := x.roots[x.root].clone()
		c.log = nil
		x.root++
		x.add(c, int32(-x.root), -1, 0)
	}
	return len(x.queue) > 0
}

func roots(sc *scene, o Options) ([]*world, error) {
	switch o.World {
	case "open":
		return openRoots(sc, max(o.Trouble, 1))
	case "closed":
		return closedRoots(sc, o.Trouble)
	case "faults":
		return faultRoots(sc)
	case "pair":
		return pairRoots(sc, o.Trouble)
	case "moved":
		return movedRoots(sc, o.Trouble)
	case "adversary":
		return adversaryRoots(sc, o.Trouble)
	}
	return nil, fmt.Errorf("there is no world %q: %s", o.World, strings.Join(Worlds(), ", "))
}

// add takes a situation in unless it is known.
func (x *Explorer) add(w *world, parent, move, depth int32) {
	if w.broken == nil {
		p := w.fingerprint(true)
		if _, known := x.seen[p]; known {
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
		x.settle(w)
	}
	id := int32(len(x.nodes))
	x.nodes = append(x.nodes, node{parent, move, depth})
	x.depth = max(x.depth, depth)
	if w.broken != nil {
		x.violation(w.broken, id)
		return
	}
	x.queue = append(x.queue, w)
	x.ids = append(x.ids, id)
}

// Run goes on from at most n situations and reports whether there is more.
func (x *Explorer) Run(n int) bool {
	for ; n > 0 && !x.done; n-- {
		switch {
		case len(x.found) >= x.o.Stop:
			x.done = true
			return false
		case len(x.nodes) >= x.quota:
			if len(x.queue) > 0 {
				x.filled, x.cut, x.broken = true, x.cut+len(x.queue), x.broken+1
			}
			x.queue, x.ids = nil, nil
			x.done = !x.nextRoot()
			continue
		case len(x.queue) == 0:
			x.done = !x.nextRoot()
			continue
		}
		w, id := x.queue[0], x.ids[0]
		x.queue[0] = nil
		x.queue, x.ids = x.queue[1:], x.ids[1:]
		for i, m := range x.sc.next(w) {
			c := w.clone()
			m.do(c)
			x.add(c, id, int32(i), x.nodes[id].depth+1)
		}
	}
	return !x.done
}

// violation keeps the first way to each breach of an invariant.
func (x *Explorer) violation(b *breach, id int32) {
	for _, v := range x.found {
		if v.Invariant == b.inv.Name && v.Detail == b.detail {
			return
		}
	}
	steps, text := x.tellWay(id)
	x.found = append(x.found, Violation{Invariant: b.inv.Name, Rule: string(b.inv.Rule), Detail: b.detail, Steps: steps, Script: text})
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

// Violations gives what was found so far, shortest way first.
func (x *Explorer) Violations() []Violation { return slices.Clone(x.found) }

// Summary says how far the walk has come.
func (x *Explorer) Summary() Summary {
	s := Summary{
		World: x.o.World, Beginnings: len(x.roots), Ended: x.ended(), Situations: len(x.nodes), Waiting: len(x.queue) + x.cut, Dropped: x.dropped, Steps: x.sc.steps, Depth: int(x.depth),
		Done: x.done, FixedPoint: x.done && !x.filled && len(x.found) < x.o.Stop,
		Table: len(x.sc.table), Invariants: len(x.sc.invariants), Violations: len(x.found),
	}
	in := map[states.State]bool{}
	for _, r := range x.sc.table {
		if x.sc.fired[fire{r.From, r.On}] > 0 {
			s.Rows++
			in[r.From], in[r.To] = true, true
		} else {
			s.Unfired = append(s.Unfired, string(r.From)+" "+string(r.On))
		}
	}
	s.States = len(in)
	return s
}

// ended counts the beginnings that were walked to a fixed point.
func (x *Explorer) ended() int {
	switch {
	case x.sc.coarse > 0 && (x.filled || !x.done):
		return 0 // they are walked together
	case len(x.queue) > 0:
		return x.root - 1 - x.broken
	}
	return x.root - x.broken
}

// settle follows a new situation, honestly, until every machine rests or
// waits for a human; and tries the snapshot of every new machine.
func (x *Explorer) settle(w *world) {
	for i := range w.actors {
		x.snapshot(w, i)
		if x.sc.drains && w.broken == nil {
			x.drain(w, i)
		}
	}
}

// patience is how many honest moves a run may take to its end.
const patience = 2000

func (x *Explorer) drain(w *world, i int) {
	c := w.clone()
	c.log = nil
	var way []print
	for n := 0; ; n++ {
		p := c.fingerprint(false)
		p[0] ^= byte(i)
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
		if c.broken != nil { // found where it happens, by the walk itself
			return
		}
	}
}

// rests says that a machine waits for something from outside.
func (w *world) rests(i int) bool {
	a := &w.actors[i]
	return a.flight == nil && a.q == nil && (a.visit != nil || states.Resting(a.m.State))
}

// onward makes the one honest move of an actor; false when there is none.
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
