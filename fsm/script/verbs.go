package script

import (
	"fmt"
	"strings"

	"github.com/stile-oauth/stile/fsm"
	"github.com/stile-oauth/stile/states"
	"github.com/stile-oauth/stile/states/wire"
)

// verbs are the verbs of the script language; docs/scripts.md says what each does.
var verbs map[string]func(*Script, Command) error

func init() {
	verbs = map[string]func(*Script, Command) error{
		"config": setConfig, "machine": setMachine, "peer": setPeer,
		"begin": begin, "logout": logout, "cancel": simple(states.Cancelled{}), "interrupt": interrupt, "resume": resume,
		"challenge": challenge, "accept": accept, "call": call,
		"tick": tick, "wait": wait, "wake": wake,
		"answer": answer, "respond": respond, "unreachable": unreachable, "redirect": redirect,
		"run": run, "visit": visit, "reach": reach, "probe": probe,
		"state": state, "pending": pending, "store": show, "watch": watch, "put": put, "drop": drop, "restart": restart,
	}
}

// Verbs lists the verbs, for the page that documents them.
func Verbs() []string {
	return []string{
		"config", "machine", "peer", "begin", "logout", "cancel", "interrupt", "resume", "challenge", "accept", "call",
		"tick", "wait", "wake", "answer", "respond", "unreachable", "redirect", "run", "visit", "reach", "probe",
		"state", "pending", "store", "watch", "put", "drop", "restart",
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

func logout(s *Script, c Command) error {
	return simple(states.LoggedOut{Seed: s.seed(), Forget: c.has("forget")})(s, c)
}

func interrupt(s *Script, c Command) error { return simple(states.Interrupted{Seed: s.seed()})(s, c) }

// resume continues the login that is parked in the store with the current machine, as
// another replica does when it gets the callback.
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
