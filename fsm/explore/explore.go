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

// Options say which world is walked, and how far.
type Options struct {
	// World is one of Worlds.
	World string
	// Situations bounds the walk; zero takes 20000. The beginnings of the walk share it,
	// and what one of them does not need is left to the next. A walk that ends before the
	// bound has reached its fixed point.
	Situations int
	// Trouble is how many things may go wrong on one path, whatever they are. Zero counts
	// as one, and less means none. In the open world, where anything may happen at any
	// time, it is how many situations of one shape are explored further.
	Trouble int
	// Stalls is how often on one path, in the pair, all processes stand still while the
	// time of a lease or of an exchange runs out. Zero counts as one, and less means
	// never.
	Stalls int
	// Only names the invariants to watch; empty watches all.
	Only []string
	// Table and Classify replace the machine's own, for mutants.
	Table    []transitions.Row
	Classify Classifier
	// Stop ends the walk at that many violations; zero takes ten.
	Stop int
	// begin, if it is not empty, names the only beginning of the walk.
	begin string
	// prompt says that no answer is delayed.
	prompt bool
}

// Classifier is the shape of transitions.Classify.
type Classifier = func(states.State, states.Data, time.Time, states.Input) (transitions.Event, states.Data)

// Worlds lists the worlds.
func Worlds() []string {
	return []string{"open", "closed", "faults", "pair", "moved", "doubt", "adversary", "machines"}
}

// Violation is a broken invariant with the shortest path to it.
type Violation struct {
	Invariant string `json:"invariant"`
	Rule      string `json:"rule"`
	Detail    string `json:"detail"`
	// Steps is the way in words; Script is the same for testdata/scripts.
	Steps  []string `json:"steps"`
	Script string   `json:"script"`
	// followed says that the breach lies on the honest path from a situation to its rest.
	// A shorter path may then be found later, and replaces this one.
	followed bool
}

// String is the violation for people.
func (v Violation) String() string {
	return fmt.Sprintf("%s (%s): %s\n  %s", v.Invariant, v.Rule, v.Detail, strings.Join(v.Steps, "\n  "))
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
	ids    []int32            // of the queue
	seen   map[print]struct{} // steps since the beginning
	rests  map[print]struct{}
	shapes map[print]int
	// dropped counts situations beyond the bound for their shape.
	dropped int
	found   []Violation
	depth   int32
	root    int         // beginnings that were taken up
	walks   []Beginning // one for each of them
	quota   int         // of situations, until the next beginning
	over    bool        // a situation beyond the quota was left out
	cut     int         // situations that were found and not explored further
	done    bool
	filled  bool
}

// New prepares a walk. It returns an error if the world or an invariant is not known.
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
	if o.Stalls == 0 {
		o.Stalls = 1
	}
	o.Trouble, o.Stalls = max(o.Trouble, 0), max(o.Stalls, 0)
	sc := &scene{name: o.World, table: transitions.Table, fired: map[fire]int{}, followed: map[fire]int{}, seen: map[print]struct{}{}}
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
	var err error
	if sc.invariants, err = watched(o.Only); err != nil {
		return nil, err
	}
	sc.drains = slices.Contains(sc.invariants, ends)
	x := &Explorer{o: o, sc: sc, seen: map[print]struct{}{}, rests: map[print]struct{}{}, shapes: map[print]int{}}
	if x.roots, err = roots(sc, o); err != nil {
		return nil, err
	}
	if len(x.roots) == 0 {
		return nil, fmt.Errorf("the %s world does not begin at %q", o.World, o.begin)
	}
	x.nextRoot()
	return x, nil
}

// watched gives the invariants of these names, or all.
func watched(names []string) (out []*Invariant, err error) {
	var all []string
	for _, inv := range Invariants() {
		all = append(all, inv.Name)
		if len(names) == 0 || slices.Contains(names, inv.Name) {
			out = append(out, inv)
		}
	}
	for i, n := range names {
		switch {
		case !slices.Contains(all, n):
			return nil, fmt.Errorf("there is no invariant %q; there are %s", n, strings.Join(all, ", "))
		case slices.Contains(names[:i], n):
			return nil, fmt.Errorf("the invariant %q is named twice", n)
		}
	}
	return out, nil
}

// nextRoot starts at the next beginning, or in the open world at all of them. It is false
// if no beginning or no room is left. The remaining beginnings share what is left of the
// bound.
func (x *Explorer) nextRoot() bool {
	for x.root < len(x.roots) && (len(x.queue) == 0 || x.sc.coarse > 0) {
		left := x.o.Situations - len(x.nodes)
		if left <= 0 {
			x.filled = true
			break
		}
		x.quota = len(x.nodes) + max(1, left/(len(x.roots)-x.root))
		if x.sc.coarse == 0 {
			x.seen = map[print]struct{}{}
		}
		c := x.roots[x.root].clone()
		c.log = nil
		x.root++
		x.walks = append(x.walks, Beginning{Name: c.says})
		x.add(c, int32(-x.root), -1, 0)
	}
	return len(x.queue) > 0
}

func roots(sc *scene, o Options) ([]*world, error) {
	sc.prompt = o.prompt
	all, err := allRoots(sc, o)
	return slices.DeleteFunc(all, func(w *world) bool { return o.begin != "" && w.says != o.begin }), err
}

func allRoots(sc *scene, o Options) ([]*world, error) {
	switch o.World {
	case "open":
		return openRoots(sc, max(o.Trouble, 1))
	case "closed":
		return closedRoots(sc, o.Trouble)
	case "faults":
		return faultRoots(sc)
	case "pair":
		return pairRoots(sc, o.Trouble, o.Stalls)
	case "moved":
		return movedRoots(sc, o.Trouble)
	case "doubt":
		return doubtRoots(sc, o.Trouble)
	case "adversary":
		return adversaryRoots(sc, o.Trouble)
	case "machines":
		return machineRoots(sc, o.Trouble)
	}
	return nil, fmt.Errorf("there is no world %q: %s", o.World, strings.Join(Worlds(), ", "))
}
