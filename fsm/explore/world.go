package explore

import (
	"fmt"
	"slices"
	"time"

	"github.com/stile-oauth/stile/fsm"
	"github.com/stile-oauth/stile/fsm/model"
	"github.com/stile-oauth/stile/fsm/peer"
	"github.com/stile-oauth/stile/states"
	"github.com/stile-oauth/stile/states/wire"
	"github.com/stile-oauth/stile/transitions"
)

// budget is how much of each kind of event is left in a situation. It keeps the worlds
// finite, and is part of the situation.
type budget [5]int8

// The kinds of event. Whatever goes wrong counts as trouble: requests, answers
// and writes that are lost or spoilt, processes that die or stand still,
// callbacks of strangers, hosts that cancel.
const (
	trouble = iota
	calls   // the MCP server is asked
	logouts // the host logs out
	begins  // the host begins once more
	stalls  // in the pair, everybody stands still while a time limit passes
)

// world is one situation: a value. What its lists hold is never changed in
// place.
type world struct {
	sc     *scene
	at     time.Time
	actors []actor
	store  model.Store
	net    *peer.World
	own    bool // net is not shared with another situation
	left   budget
	ghost  ghost
	seeds  int
	coined int // codes and tokens of the open world
	// says names a beginning.
	says string
	// variant names what does not change: configuration, servers, skew.
	variant uint16
	// extra holds what only one kind of world needs.
	extra uint8

	log    *story
	broken *breach
}

// actor is one process with one machine.
type actor struct {
	name    string
	m       fsm.Machine
	skew    time.Duration // of its clock
	q       states.Effect // the open question
	visit   *states.Visit
	wake    time.Time
	granted *states.Grant
	flight  *flight
	old     states.Input // the last answer but one
	// renewals is one more than the number of renewals that still become due; zero means
	// no limit.
	renewals int8
	memory
}

// scene is what the situations of one walk have in common.
type scene struct {
	name       string
	engine     *fsm.Engine
	table      []transitions.Row
	invariants []*Invariant
	next       func(*world) []move
	// async says that a refresh and its answer are two moves.
	async bool
	// prompt says that no answer is delayed.
	prompt bool
	// coarse, when not zero, bounds the situations of one shape.
	coarse int
	// drains says that every situation is followed until it rests.
	drains bool
	fired  map[fire]int
	steps  int
	// draining says that an honest path is being followed; what happens there is counted
	// separately.
	draining  bool
	followed  map[fire]int
	following int
	enc       encoder
	was       encoder
	seen      map[print]struct{} // machines whose snapshot was tried
}

type fire struct {
	from states.State
	on   transitions.Event
}

// move is what can happen next.
type move struct {
	name string
	do   func(*world)
}

// breach is a broken invariant.
type breach struct {
	inv    *Invariant
	detail string
	// then is the number of honest moves, of the actor numbered who, that lead to the
	// breach from the situation.
	who, then int
}

func (w *world) clone() *world {
	c := *w
	c.actors = slices.Clone(w.actors)
	c.own, w.own = false, false
	return &c
}

// servers gives the peers, to be changed.
func (w *world) servers() *peer.World {
	if !w.own {
		w.net, w.own = w.net.Clone(), true
	}
	return w.net
}

func (w *world) clock(i int) time.Time { return w.at.Add(w.actors[i].skew) }

// pass lets time pass until t, on the clock of actor i.
func (w *world) pass(i int, t time.Time) {
	if t = t.Add(-w.actors[i].skew); t.After(w.at) {
		w.at = t
	}
}

func (w *world) seed() wire.Secret {
	w.seeds++
	return model.Seed(w.seeds)
}

// tell steps a machine; a panic is a breach like any other.
func (w *world) tell(m fsm.Machine, at time.Time, in states.Input) (r fsm.Result, err error) {
	defer func() {
		if p := recover(); p != nil {
			w.breaks(total, fmt.Sprintf("%T in %s: panic: %v", in, m.State, p))
			r, err = fsm.Result{Machine: m}, fsm.ErrIllegal
		}
	}()
	return w.sc.engine.StepResult(m, at, in)
}

// breaks notes the first breach, if its invariant is watched.
func (w *world) breaks(inv *Invariant, detail string) {
	if detail != "" && w.broken == nil && slices.Contains(w.sc.invariants, inv) {
		w.broken = &breach{inv: inv, detail: detail}
	}
}

// step gives an input to a machine, carries out the resulting statements, and checks the
// invariants.
func (w *world) step(i int, in states.Input) {
	if w.broken != nil {
		return
	}
	a := &w.actors[i]
	w.log.input(w, i, in)
	m := moment{w: w, i: i, before: a.m, in: in, at: w.clock(i)}
	w.sc.was.reset(m.at)
	w.sc.was.machine(&a.m)
	m.r, m.err = w.tell(a.m, m.at, in)
	w.sc.counts()
	w.sc.enc.reset(m.at)
	w.sc.enc.machine(&m.before)
	if string(w.sc.enc.b) != string(w.sc.was.b) {
		w.breaks(pure, fmt.Sprintf("%T in %s changed the machine it was given", in, m.before.State))
	}
	if m.err != nil {
		w.refused(&m)
		return
	}
	w.sc.fires(fire{m.before.State, m.r.Event})
	m.q = a.q
	a.m = m.r.Machine
	if !m.r.Held {
		a.q, a.wake = nil, time.Time{}
		if !states.Visiting(a.m.State) {
			a.visit = nil
		}
	}
	w.remember(&m)
	for _, e := range m.r.Effects {
		w.effect(&m, e)
	}
	if states.Resting(a.m.State) && a.m.State != states.Authorized {
		a.granted = nil
	}
	for _, inv := range w.sc.invariants {
		if inv.step != nil {
			w.breaks(inv, inv.step(&m))
		}
	}
	w.twice(&m)
}

func (sc *scene) counts() {
	if sc.draining {
		sc.following++
	} else {
		sc.steps++
	}
}

func (sc *scene) fires(f fire) {
	if sc.draining {
		sc.followed[f]++
	} else {
		sc.fired[f]++
	}
}

// effect carries out a statement and keeps a question.
func (w *world) effect(m *moment, e states.Effect) {
	a := &w.actors[m.i]
	switch e := e.(type) {
	case states.Release:
		w.store.Release(w.at, e.Key, e.Fence)
	case states.Grant:
		a.granted = &e
	case states.Wake:
		a.wake = e.At
	case states.Visit:
		w.visits(m, &e)
		a.visit = &e
	case states.Send:
		w.asks(m, e)
		a.q = e
	case states.Report, states.Note, states.Show:
	default:
		a.q = e
	}
}

// refused: an input that was refused must change nothing, and must not be one that the
// question allows.
func (w *world) refused(m *moment) {
	w.sc.enc.reset(m.at)
	w.sc.enc.machine(&m.r.Machine)
	if string(w.sc.enc.b) != string(w.sc.was.b) {
		w.breaks(refusedKeeps, fmt.Sprintf("a refused %T changed something in %s", m.in, m.before.State))
	}
	if m.legit() {
		w.breaks(total, fmt.Sprintf("%s does not take %T: %v", m.before.State, m.in, m.err))
	}
}

// twice gives an answer once more, and the one before it. Their questions are no longer
// open, whatever has been asked since.
func (w *world) twice(m *moment) {
	_, answer := states.SerialOf(m.in)
	_, back := m.in.(states.Redirected)
	if !answer || back && m.r.Held || w.broken != nil {
		return
	}
	a := m.actor()
	for _, in := range []states.Input{m.in, a.old} {
		if in == nil {
			continue
		}
		if r, err := w.tell(m.r.Machine, m.at, in); err == nil {
			w.breaks(staleRefused, fmt.Sprintf("%s takes %T a second time: %s", m.r.Machine.State, in, r.Event))
		}
	}
	a.old = nil
	if !back {
		a.old = m.in
	}
}
