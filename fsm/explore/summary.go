package explore

import (
	"slices"

	"github.com/stile-oauth/stile/states"
)

// Summary says how far a walk has come. Beginnings and Walks count situations separately
// for each beginning: one that is reached from two beginnings counts twice.
type Summary struct {
	World      string      `json:"world"`
	Situations int         `json:"situations"`
	Beginnings int         `json:"beginnings"`
	Ended      int         `json:"ended"`     // beginnings walked to a fixed point
	Waiting    int         `json:"waiting"`   // found and not explored further
	Steps      int         `json:"steps"`     // steps of the machine in the walk
	Following  int         `json:"following"` // steps on the honest way from each situation to its rest
	Dropped    int         `json:"dropped"`   // beyond the bound for their shape
	Depth      int         `json:"depth"`
	Done       bool        `json:"done"`
	FixedPoint bool        `json:"fixed_point"`
	Stopped    bool        `json:"stopped"`  // at so many violations (Options.Stop)
	Rows       int         `json:"rows"`     // rows of the table that fired in the walk
	Followed   int         `json:"followed"` // further rows, on the honest ways only
	Table      int         `json:"table"`
	States     int         `json:"states"`
	Invariants int         `json:"invariants"`
	Violations int         `json:"violations"`
	Walks      []Beginning `json:"walks"`
	Unfired    []string    `json:"unfired,omitempty"` // rows that fired in neither
}

// Beginning is how far the walk from one beginning has come.
type Beginning struct {
	Name       string `json:"name"`
	Situations int    `json:"situations"`
	Depth      int    `json:"depth"` // moves to the situation that is furthest away
	// Complete says that every path of so many moves was walked, except what
	// Summary.Dropped counts.
	Complete   int  `json:"complete"`
	FixedPoint bool `json:"fixed_point"`
}

// Summary says how far the walk has come.
func (x *Explorer) Summary() Summary {
	s := Summary{
		World: x.o.World, Beginnings: len(x.roots), Walks: x.list(), Situations: len(x.nodes), Waiting: len(x.queue) + x.cut,
		Dropped: x.dropped, Steps: x.sc.steps, Following: x.sc.following, Depth: int(x.depth),
		Done: x.done, FixedPoint: x.done && !x.filled && len(x.found) < x.o.Stop,
		Stopped: x.done && len(x.found) >= x.o.Stop,
		Table:   len(x.sc.table), Invariants: len(x.sc.invariants), Violations: len(x.found),
	}
	in := map[states.State]bool{}
	for _, r := range x.sc.table {
		if x.sc.fired[fire{r.From, r.On}] > 0 {
			s.Rows++
			in[r.From], in[r.To] = true, true
			continue
		}
		if x.sc.followed[fire{r.From, r.On}] > 0 {
			s.Followed++
		} else {
			s.Unfired = append(s.Unfired, string(r.From)+" "+string(r.On))
		}
	}
	s.States = len(in)
	for _, b := range s.Walks {
		if b.FixedPoint {
			s.Ended++
		}
	}
	return s
}

// list gives the walks from each beginning; in the open world, where all are
// walked together, there is one.
func (x *Explorer) list() []Beginning {
	out := slices.Clone(x.walks)
	if x.sc.coarse > 0 {
		b := Beginning{Name: "all together", Situations: len(x.nodes), Depth: int(x.depth)}
		if b.Complete, b.FixedPoint = b.Depth, x.done && !x.filled; !b.FixedPoint && len(out) > 0 {
			b.Complete = out[len(out)-1].Complete
		}
		return []Beginning{b}
	}
	if n := len(out); n > 0 && !x.done {
		out[n-1] = x.present()
	}
	return out
}
