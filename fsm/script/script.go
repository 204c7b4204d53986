package script

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/stile-oauth/stile/fsm"
	"github.com/stile-oauth/stile/fsm/model"
	"github.com/stile-oauth/stile/fsm/peer"
	"github.com/stile-oauth/stile/fsm/words"
	"github.com/stile-oauth/stile/states"
	"github.com/stile-oauth/stile/states/wire"
)

// Step is one step of a machine, for Observe.
type Step struct {
	Before fsm.Machine
	At     time.Time
	In     states.Input
	Result fsm.Result
	Err    error
}

// Script is a story under way. It is not for concurrent use.
type Script struct {
	// Observe, when set, is told every step.
	Observe func(Step)

	engine *fsm.Engine
	at     time.Time
	seeds  int
	puts   int
	calls  int
	names  *names
	store  model.Store
	world  *peer.World
	as     peer.ASConfig
	rs     peer.RSConfig
	actors []*actor
	now    *actor
	config states.Config
	out    strings.Builder
	// watching says that each step prints the facts that it changes.
	watching bool
}

// actor is one machine of the story: one process.
type actor struct {
	name    string
	machine fsm.Machine
	granted *states.Grant
}

// New begins a story: noon, an empty store, well-behaved servers.
func New() *Script {
	s := &Script{engine: fsm.NewEngine(), at: model.Start, names: &names{}}
	s.now = &actor{name: "a"}
	s.actors = []*actor{s.now}
	s.as, s.rs = model.Servers()
	s.config = model.Client("a")
	s.out.Reset()
	return s
}

// Machine gives the current machine of the story.
func (s *Script) Machine() fsm.Machine { return s.now.machine }

// At gives the current time of the story.
func (s *Script) At() time.Time { return s.at }

// Do parses and runs one command and gives what it prints.
func (s *Script) Do(line, block string) string {
	c, err := Parse(line)
	if err != nil {
		return "error: " + err.Error() + "\n"
	}
	c.Block = block
	return s.Run(c)
}

// Run runs one command and gives what it prints. An error is part of the text.
func (s *Script) Run(c Command) string {
	s.out.Reset()
	verb, ok := verbs[c.Verb]
	if !ok {
		return "error: there is no verb " + c.Verb + "\n"
	}
	if err := verb(s, c); err != nil {
		fmt.Fprintf(&s.out, "error: %s\n", err)
	}
	if s.out.Len() == 0 {
		return "ok\n"
	}
	return s.names.hide(s.out.String())
}

func (s *Script) printer() words.Printer {
	return words.Printer{Start: model.Start, Token: s.names.generation}
}

func (s *Script) say(format string, args ...any) { fmt.Fprintf(&s.out, format+"\n", args...) }

// seed makes the next 32 random bytes: fixed, and never the same twice.
func (s *Script) seed() wire.Secret {
	s.seeds++
	return model.Seed(s.seeds)
}

// step moves the machine and prints the result. quiet leaves the effects out.
func (s *Script) step(in states.Input, quiet bool) (fsm.Result, error) {
	before := s.now.machine
	r, err := s.engine.StepResult(before, s.at, in)
	if s.Observe != nil {
		s.Observe(Step{before, s.at, in, r, err})
	}
	if err != nil {
		switch {
		case errors.Is(err, fsm.ErrStale):
			s.say("refused: stale: %s", err)
		default:
			s.say("refused: %s", err)
		}
		return r, err
	}
	s.now.machine = r.Machine
	s.names.see(r.Machine)
	s.moved(before.State, r, quiet)
	if s.watching {
		if err := s.changes(before, r.Machine); err != nil {
			return r, err
		}
	}
	if wrong := states.Invariant(r.Machine.State, &r.Machine.Data); wrong != "" {
		s.say("BROKEN: %s", wrong)
	}
	return r, nil
}

func (s *Script) moved(from states.State, r fsm.Result, quiet bool) {
	switch {
	case r.Held:
		s.say("%s: %s, held", from, r.Event)
	default:
		s.say("%s: %s → %s", from, r.Event, r.Machine.State)
	}
	for _, e := range r.Effects {
		switch e := e.(type) {
		case states.Release:
			s.store.Release(s.at, e.Key, e.Fence)
		case states.Grant:
			s.now.granted = &e
		default: // the others need nothing here
		}
		if !quiet {
			s.show(e)
		}
	}
	if states.Resting(r.Machine.State) && r.Machine.State != states.Authorized {
		s.now.granted = nil
	}
}

func (s *Script) show(e states.Effect) {
	for line := range strings.SplitSeq(s.printer().Effect(s.at, e), "\n") {
		s.say("  %s", line)
	}
}

// open gives the questions that wait for an answer.
func (s *Script) open() (question states.Effect, visit *states.Visit, wake time.Time) {
	for _, e := range fsm.Pending(s.now.machine) {
		switch e := e.(type) {
		case states.Visit:
			visit = &e
		case states.Wake:
			wake = e.At
		case states.Grant, states.Show:
		default:
			question = e
		}
	}
	return question, visit, wake
}
