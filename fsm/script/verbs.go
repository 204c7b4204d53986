package script

import (
	"fmt"
	"strings"
	"time"

	"github.com/stile-oauth/stile/fsm"
	"github.com/stile-oauth/stile/states"
	"github.com/stile-oauth/stile/states/wire"
)

// verbs are the words of the language; docs/scripts.md says what each does.
var verbs map[string]func(*Script, Command) error

func init() {
	verbs = map[string]func(*Script, Command) error{
		"config": setConfig, "machine": setMachine, "peer": setPeer,
		"begin": begin, "logout": logout, "cancel": simple(states.Cancelled{}), "interrupt": interrupt, "resume": resume,
		"challenge": challenge, "accept": accept, "call": call,
		"tick": tick, "wait": wait, "wake": wake,
		"answer": answer, "respond": respond, "unreachable": unreachable, "redirect": redirect,
		"run": run, "visit": visit, "reach": reach, "probe": probe,
		"state": state, "pending": pending, "store": show, "put": put, "drop": drop, "restart": restart,
	}
}

// Verbs lists the verbs, for the page that documents them.
func Verbs() []string {
	return []string{
		"config", "machine", "peer", "begin", "logout", "cancel", "interrupt", "resume", "challenge", "accept", "call",
		"tick", "wait", "wake", "answer", "respond", "unreachable", "redirect", "run", "visit", "reach", "probe",
		"state", "pending", "store", "put", "drop", "restart",
	}
}

func simple(in states.Input) func(*Script, Command) error {
	return func(s *Script, c Command) error {
		_, _ = s.step(in, c.has("quiet"))
		return nil
	}
}

func begin(s *Script, c Command) error {
	in := states.Begun{Seed: s.seed(), Login: c.has("login"), Scopes: c.all("scopes"), NewClient: c.has("new-client")}
	s.names.learn("seed", in.Seed)
	_, _ = s.step(in, c.has("quiet"))
	return nil
}

func logout(s *Script, c Command) error { return simple(states.LoggedOut{Seed: s.seed()})(s, c) }

func interrupt(s *Script, c Command) error { return simple(states.Interrupted{Seed: s.seed()})(s, c) }

// resume takes up, in the current machine, the login that is parked in the
// store, as another replica does that gets the callback.
func resume(s *Script, c Command) error {
	for e := range s.store.Entries(s.at) {
		if e.Key.Kind != states.KindLogin {
			continue
		}
		l, err := states.DecodeLogin(e.Value, e.Generation)
		if err != nil {
			return err
		}
		m, err := fsm.Resume(l)
		if err != nil {
			return err
		}
		s.now.machine = m
		s.names.see(m)
		return simple(states.Resumed{Seed: s.seed()})(s, c)
	}
	return fmt.Errorf("no login is parked")
}

// restart carries the machine over a restart of its process, by its snapshot.
func restart(s *Script, _ Command) error {
	snap, err := s.now.machine.Snapshot()
	if err != nil {
		return err
	}
	m, err := fsm.Restore(snap)
	if err != nil {
		return err
	}
	s.now.machine = m
	return nil
}

// challenge hands in a refusal of the MCP server; the block holds its header
// lines.
func challenge(s *Script, c Command) error {
	status, err := c.number("status", 401)
	if err != nil {
		return err
	}
	g, err := s.generation(c.get("gen", "current"))
	if err != nil {
		return err
	}
	header, err := headers(s.names.reveal(c.Block))
	if err != nil {
		return err
	}
	_, _ = s.step(states.Challenged{Generation: g, Response: wire.Response{Status: status, Header: header}}, c.has("quiet"))
	return nil
}

func (s *Script) generation(word string) (states.Generation, error) {
	switch word {
	case "current":
		if t := s.now.machine.Data.Token(); t != nil {
			return t.Generation, nil
		}
		return 0, nil
	case "none":
		return 0, nil
	case "old":
		return 1, nil
	}
	var n int
	if _, err := fmt.Sscanf(word, "T%d", &n); err != nil || n < 1 || n > len(s.names.tokens) {
		return 0, fmt.Errorf("no token is called %s", word)
	}
	return s.names.tokens[n-1], nil
}

func headers(block string) (wire.Fields, error) {
	var out wire.Fields
	for line := range strings.SplitSeq(block, "\n") {
		if strings.TrimSpace(line) == "" {
			continue
		}
		name, value, ok := strings.Cut(line, ":")
		if !ok {
			return nil, fmt.Errorf("%q is no header line", line)
		}
		out = append(out, wire.Field{Name: strings.TrimSpace(name), Value: strings.TrimSpace(value)})
	}
	return out, nil
}

func accept(s *Script, c Command) error {
	g, err := s.generation(c.get("gen", "current"))
	if err != nil {
		return err
	}
	_, _ = s.step(states.Accepted{Generation: g}, c.has("quiet"))
	return nil
}

// call sends a request to the MCP server, with the token that was granted
// last, and hands in what the server makes of it.
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
		_, _ = s.step(states.Accepted{Generation: g}, false)
	}
	return nil
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

// tick lets time pass and says so to the machine; wait does not say so.
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

// run carries out what is asked, honestly, until nothing is asked but a visit
// or a waking, or until the state is reached.
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

// rest shows what the machine says where it rests, when the way there was
// quiet.
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

// honest answers a question as the store, the servers and a host without
// wishes of its own do.
func (s *Script) honest(q states.Effect) (states.Input, error) {
	switch q := q.(type) {
	case states.Send:
		return s.exchange(q), nil
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
	default: // the others have nothing of their own here
	}
	if in := s.store.Answer(s.at, q); in != nil {
		return in, nil
	}
	return nil, fmt.Errorf("nobody answers %T", q)
}

// visit lets the human go where he is sent, and hands in how he comes back.
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

// reach goes the honest way to a state without telling of it: it begins a
// login where nothing has begun, and lets the human agree. It shows what is
// asked there.
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
