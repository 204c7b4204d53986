package fsm

import (
	"errors"
	"fmt"
	"time"

	"github.com/stile-oauth/stile/states"
	"github.com/stile-oauth/stile/states/wire"
	"github.com/stile-oauth/stile/transitions"
)

// Machine is one credential's machine: a state and its facts. It is a value:
// copy it, compare it, keep it (Snapshot). What its pointers lead to is never
// changed.
type Machine struct {
	State states.State
	Data  states.Data
}

// The caller's mistakes. In each case nothing has changed.
var (
	// ErrIllegal says that the state does not take such an input.
	ErrIllegal = errors.New("the state does not take this input")
	// ErrStale says that the input answers a question that is not open.
	ErrStale = errors.New("the input answers a question that is not open")
	// ErrConfig says what is wrong with a configuration.
	ErrConfig = errors.New("configuration")
)

// Engine moves machines. It holds nothing of any login and is cheap to make; use
// it again, one for each goroutine.
type Engine struct {
	// fire moves; it is transitions.Fire but for mutants.
	fire func(states.State, transitions.Event) (to states.State, held bool, err error)
	// classify names events; it is transitions.Classify but for mutants.
	classify func(states.State, states.Data, time.Time, states.Input) (transitions.Event, states.Data)
	// scratch is where Enter reads the facts from: Enter goes through a function
	// value, and what it is given would be allocated anew for every step.
	scratch states.Data
}

// NewEngine makes an Engine over transitions.Table.
func NewEngine() *Engine {
	return &Engine{fire: transitions.Fire, classify: transitions.Classify}
}

// NewEngineOver makes an Engine over other rows and another Classify, for
// tests that show what a mutation would break.
func NewEngineOver(rows []transitions.Row, classify func(states.State, states.Data, time.Time, states.Input) (transitions.Event, states.Data)) *Engine {
	return &Engine{fire: transitions.NewLaw(rows).Fire, classify: classify}
}

// Result is a step with all that there is to know about it, for those who
// record it.
type Result struct {
	// From is the state that the machine was in.
	From    states.State
	Machine Machine
	Event   transitions.Event
	Held    bool
	Effects []states.Effect
}

// Step takes what happened at a time, and gives the machine after it and what
// it asks for. It errs only for the caller's mistake (ErrIllegal, ErrStale),
// and then the machine given back is m.
func (e *Engine) Step(m Machine, at time.Time, in states.Input) (Machine, []states.Effect, error) {
	r, err := e.StepResult(m, at, in)
	if err != nil {
		return m, nil, err
	}
	return r.Machine, r.Effects, nil
}

// StepResult is Step with the names of the event and of the states.
func (e *Engine) StepResult(m Machine, at time.Time, in states.Input) (r Result, err error) {
	r.From, r.Machine = m.State, m
	if err := takes(&m, in); err != nil {
		return r, err
	}
	on, d := e.classify(m.State, m.Data, at.UTC(), in)
	if on == transitions.Illegal {
		return r, fmt.Errorf("%w: %T in %s", ErrIllegal, in, m.State)
	}
	to, held, err := e.fire(m.State, on)
	if err != nil {
		return r, fmt.Errorf("%w: %w", ErrIllegal, err)
	}
	r.Event, r.Held = on, held
	r.Machine.State, r.Machine.Data = to, d
	for _, n := range d.Notes {
		r.Effects = append(r.Effects, states.Note{Finding: n})
	}
	if !held {
		e.enter(&r, at)
	}
	return r, nil
}

// enter goes into the state that a row leads to.
func (e *Engine) enter(r *Result, at time.Time) {
	d := &r.Machine.Data
	d.Serial++
	d.At = at.UTC()
	e.scratch = *d
	if entered := states.Enter(r.Machine.State, &e.scratch); r.Effects == nil {
		r.Effects = entered
	} else {
		r.Effects = append(r.Effects, entered...)
	}
	e.scratch = states.Data{}
}

// takes checks that an input may be given to a machine now, whatever it means.
func takes(m *Machine, in states.Input) error {
	if err := open(m, in); err != nil {
		return err
	}
	if seed, ok := seedOf(in); ok && len(seed) < MinSeed {
		return fmt.Errorf("%w: %T with a seed of %d characters; it takes %d of fresh randomness", ErrIllegal, in, len(seed), MinSeed)
	}
	return nil
}

// open checks that the machine is one, and that an answer answers an open
// question.
func open(m *Machine, in states.Input) error {
	if m.Data.Config == nil || !states.Known(m.State) {
		return fmt.Errorf("%w: the machine was not made by New, Resume or Restore", ErrIllegal)
	}
	serial, ok := states.SerialOf(in)
	if !ok {
		return nil
	}
	want := m.Data.Serial
	visiting := m.Data.Flow != nil && states.Visiting(m.State)
	switch in.(type) {
	case states.Redirected:
		want = 0
		if visiting {
			want = m.Data.Flow.Visit
		}
	case states.Unreachable:
		if visiting {
			want = m.Data.Flow.Visit
		}
	default: // the others need nothing here
	}
	if serial != want || states.Resting(m.State) {
		return fmt.Errorf("%w: %T with serial %d in %s", ErrStale, in, serial, m.State)
	}
	return nil
}

// Pending gives the open questions again, with Wake and Grant, and changes
// nothing: what a driver carries out after a restart.
func Pending(m Machine) []states.Effect {
	var out []states.Effect
	if m.State != states.Authorizing && states.Visiting(m.State) {
		out = states.Enter(states.Authorizing, &m.Data)
	}
	for _, e := range states.Enter(m.State, &m.Data) {
		switch e.(type) {
		case states.Release, states.Report, states.Note:
		default:
			out = append(out, e)
		}
	}
	return out
}

// Resume gives the machine of a login that another replica began. Give it
// Resumed, then Redirected with the Serial of the Visit in Pending. Facts that
// do not belong together are refused: ErrConfig.
func Resume(l states.Login) (Machine, error) {
	if l.Version != states.RecordVersion {
		return Machine{}, fmt.Errorf("%w: login record of version %d", ErrConfig, l.Version)
	}
	if l.Config == nil || l.Flow == nil {
		return Machine{}, fmt.Errorf("%w: login record without its facts", ErrConfig)
	}
	f := *l.Flow
	f.Login, f.Visit = l.Generation, 1
	m := Machine{State: states.Authorizing, Data: states.Data{Config: l.Config, Flow: &f, Serial: 1, WakeAt: f.Deadline}}
	if err := m.sound(); err != nil {
		return Machine{}, fmt.Errorf("login record: %w", err)
	}
	return m, nil
}

// sound checks that a machine that was written somewhere can be one: that the
// configuration is good, and that the facts are what the state builds on. What
// New works out is worked out again.
func (m *Machine) sound() error {
	c := *m.Data.Config
	if err := check(&c); err != nil {
		return fmt.Errorf("%w: %w", ErrConfig, err)
	}
	m.Data.Config = &c
	if wrong := states.Invariant(m.State, &m.Data); wrong != "" {
		return fmt.Errorf("%w: in %s %s", ErrConfig, m.State, wrong)
	}
	return nil
}

// Snapshot writes the machine with its secrets: the one way to take them out.
func (m Machine) Snapshot() (wire.Secret, error) { return states.Encode(snapshot(m)) }

type snapshot struct {
	State states.State `json:"state"`
	Data  states.Data  `json:"data"`
}

// Restore reads what Snapshot wrote. Facts that do not belong to their state
// are refused: a snapshot may come out of a file that somebody else wrote. The
// error shows no secret.
func Restore(s wire.Secret) (Machine, error) {
	var v snapshot
	if err := states.Decode(s, &v); err != nil {
		return Machine{}, err
	}
	if !states.Known(v.State) || v.Data.Config == nil {
		return Machine{}, errors.New("the snapshot is not of a machine")
	}
	m := Machine(v)
	if err := m.sound(); err != nil {
		return Machine{}, fmt.Errorf("the snapshot is not of a machine: %w", err)
	}
	return m, nil
}

// String shows where the machine is, and no secret.
func (m Machine) String() string { return string(m.State) }

// MinSeed is the least number of characters of a seed: the verifier and the
// state of a login are drawn from it (rules authz-req-state-random,
// authz-req-verifier-fresh).
const MinSeed = 32

func seedOf(in states.Input) (wire.Secret, bool) {
	switch in := in.(type) {
	case states.Begun:
		return in.Seed, true
	case states.Resumed:
		return in.Seed, true
	case states.Interrupted:
		return in.Seed, true
	case states.LoggedOut:
		return in.Seed, true
	case states.Loaded, states.NotFound, states.Leased, states.Held, states.Saved, states.Deleted, states.Claimed,
		states.Conflicted, states.StoreFailed, states.Answered, states.Signed, states.Unsigned, states.Responded,
		states.Unreachable, states.Redirected, states.Challenged, states.Accepted, states.Ticked, states.Cancelled: // they bring no randomness
	}
	return "", false
}
