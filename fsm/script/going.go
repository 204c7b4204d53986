package script

import (
	"fmt"
	"strings"
	"time"

	"github.com/stile-oauth/stile/fsm"
	"github.com/stile-oauth/stile/fsm/model"
	"github.com/stile-oauth/stile/states"
	"github.com/stile-oauth/stile/states/wire"
)

// call sends a request to the MCP server with the token that was granted last, and hands
// in the server's answer.
func call(s *Script, c Command) error {
	r := s.call(c.bare(0))
	var g states.Generation
	if s.now.granted != nil {
		g = s.now.granted.Generation
	}
	s.say("the server answers %d", r.Status)
	for _, v := range r.Header.Header("WWW-Authenticate") {
		s.say("  WWW-Authenticate: %s", v)
	}
	switch {
	case r.Status == 401 || r.Status == 403:
		_, _ = s.step(states.Challenged{Generation: g, Response: wire.Response{Status: r.Status, Header: r.Header}}, false)
	case r.Status < 300 && g != 0:
		_, _ = s.step(states.Accepted{Generation: g}, true)
	}
	if s.now.machine.State != states.Accepting {
		return nil
	}
	q, _, _ := s.open()
	in, err := s.honest(q)
	if err == nil {
		_, _ = s.step(in, true)
	}
	return err
}

func (s *Script) move(word string) error {
	if word == "" {
		return nil
	}
	d, err := time.ParseDuration(strings.TrimPrefix(word, "+"))
	if err != nil {
		return err
	}
	s.at = s.at.Add(d)
	return nil
}

// tick lets time pass and tells the machine; wait does not tell it.
func tick(s *Script, c Command) error {
	if err := s.move(c.bare(0)); err != nil {
		return err
	}
	return simple(states.Ticked{})(s, c)
}

func wait(s *Script, c Command) error {
	if err := s.move(c.bare(0)); err != nil {
		return err
	}
	s.say("it is %s", s.printer().Clock(s.at))
	return nil
}

// wake lets time pass until the machine wants to be ticked, and ticks it.
func wake(s *Script, c Command) error {
	_, _, at := s.open()
	if at.IsZero() {
		return fmt.Errorf("the machine wants no waking")
	}
	if at.After(s.at) {
		s.at = at
	}
	s.say("it is %s", s.printer().Clock(s.at))
	return simple(states.Ticked{})(s, c)
}

func state(s *Script, _ Command) error {
	m := s.now.machine
	s.say("%s: %s", stateName(m.State), states.Describe(m.State))
	if f := m.Data.Fault; f != nil {
		s.say("  fault: %s", f.Error())
	}
	return nil
}

func pending(s *Script, _ Command) error {
	all := fsm.Pending(s.now.machine)
	for _, e := range all {
		s.show(e)
	}
	if len(all) == 0 {
		s.say("nothing")
	}
	return nil
}

// run carries out honestly what the machine asks, until it asks only for a visit or a
// Wake, or until the state is reached.
func run(s *Script, c Command) error {
	until := states.State(c.get("until", ""))
	quiet := !c.has("loud")
	for n := 0; ; n++ {
		if n > 200 {
			return fmt.Errorf("it does not come to rest")
		}
		if until != "" && s.now.machine.State == until {
			return nil
		}
		if c.has("probe") {
			if err := probe(s, c); err != nil {
				return err
			}
		}
		q, _, _ := s.open()
		if q == nil {
			if until != "" {
				return fmt.Errorf("rests in %s", s.now.machine.State)
			}
			s.rest(quiet)
			return nil
		}
		in, err := s.honest(q)
		if err != nil {
			return err
		}
		if _, err := s.step(in, quiet); err != nil {
			return nil
		}
	}
}

// rest shows what the machine says at rest, if the way there was not printed.
func (s *Script) rest(quiet bool) {
	if !quiet {
		return
	}
	m := s.now.machine
	for _, e := range states.Enter(m.State, &m.Data) {
		if _, ok := e.(states.Release); !ok {
			s.show(e)
		}
	}
}

// honest answers a question as the store, the servers and a host that takes every default
// do.
func (s *Script) honest(q states.Effect) (states.Input, error) {
	switch q := q.(type) {
	case states.Send:
		return s.exchange(q), nil
	case states.Sign:
		if s.at.Before(q.NotBefore) {
			s.at = q.NotBefore
		}
		return s.sign(q), nil
	case states.Assert:
		if s.at.Before(q.NotBefore) {
			s.at = q.NotBefore
		}
		return s.assert(q), nil
	case states.Ask:
		in := states.Answered{Serial: q.Serial}
		if q.Question == states.AskRedirect { // an address that listens has to be said
			in.Value = q.Default
		}
		return in, nil
	case states.Save:
		if s.at.Before(q.NotBefore) {
			s.at = q.NotBefore
		}
	default: // the others need nothing here
	}
	if in := s.store.Answer(s.at, q); in != nil {
		return in, nil
	}
	return nil, fmt.Errorf("nobody answers %T", q)
}

// assert answers an Assert as the platform of the story does.
func (s *Script) assert(q states.Assert) states.Input {
	in := model.Assert(q, s.at)
	role := "workload"
	if q.Provider != "" {
		role = "id-token"
	}
	s.names.learn(role, in.(states.Signed).JWS)
	return in
}

// sign answers a Sign with the key of the story.
func (s *Script) sign(q states.Sign) states.Input {
	in := model.Sign(q)
	if done, ok := in.(states.Signed); ok {
		what := "assertion"
		if q.Key == "proof" {
			what = "proof"
		}
		s.names.learn(what, done.JWS)
	}
	return in
}

// visit lets the user follow the link, and hands in the redirect that they come back with.
func visit(s *Script, c Command) error {
	_, v, _ := s.open()
	if v == nil {
		return fmt.Errorf("no visit is open")
	}
	back := s.consent(v)
	if back == "" {
		s.say("the page leads nowhere")
		return nil
	}
	_, _ = s.step(states.Redirected{Serial: v.Serial, URL: wire.Secret(back)}, c.has("quiet"))
	return nil
}

// reach goes the honest way to a state without printing it: it begins a login if none has
// begun, and lets the user agree. It shows what is asked in that state.
func reach(s *Script, c Command) error {
	target := states.State(c.bare(0))
	for n := 0; s.now.machine.State != target; n++ {
		q, v, _ := s.open()
		var in states.Input
		var err error
		switch {
		case n > 200:
			return fmt.Errorf("%s is not reached", target)
		case s.now.machine.State == states.Idle:
			in = states.Begun{Seed: s.seed(), Login: true}
		case q != nil:
			in, err = s.honest(q)
		case v != nil:
			in = states.Redirected{Serial: v.Serial, URL: wire.Secret(s.consent(v))}
		default:
			err = fmt.Errorf("rests in %s", s.now.machine.State)
		}
		if err != nil {
			return err
		}
		before := s.out.String()
		_, err = s.step(in, true)
		s.out.Reset()
		s.out.WriteString(before)
		if err != nil {
			return err
		}
	}
	for _, e := range fsm.Pending(s.now.machine) {
		s.show(e)
	}
	return nil
}
