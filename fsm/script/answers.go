package script

import (
	"fmt"
	"net/url"
	"strings"
	"time"

	"github.com/stile-oauth/stile/fsm/model"
	"github.com/stile-oauth/stile/states"
	"github.com/stile-oauth/stile/states/rules"
	"github.com/stile-oauth/stile/states/wire"
)

// answer answers the open question: `answer store …` as the store, `answer host …` as the
// host, `answer key` as the key that signs, `answer platform` as the platform that
// vouches for the workload.
func answer(s *Script, c Command) error {
	q, _, _ := s.open()
	if q == nil {
		return fmt.Errorf("no question is open")
	}
	serial, _ := states.SerialOfEffect(q)
	if n, err := c.number("serial", int(serial)); err != nil {
		return err
	} else if n != int(serial) {
		serial = uint64(n)
	}
	switch c.bare(0) {
	case "host":
		in := states.Answered{Serial: serial, Value: s.names.reveal(c.get("value", "")), Values: c.all("values"), Secret: wire.Secret(c.get("secret", ""))}
		s.names.learn("secret", in.Secret)
		_, _ = s.step(in, c.has("quiet"))
		return nil
	case "platform":
		q, ok := q.(states.Assert)
		if !ok {
			return fmt.Errorf("the platform is not asked")
		}
		in := s.assert(q)
		switch c.bare(1) {
		case "failed":
			in = states.Unsigned{Serial: serial, Detail: "the file is not there"}
		case "login":
			in = states.Unsigned{Serial: serial, Detail: "the user has to log in", NeedsUser: true}
		case "old":
			in = model.Assert(q, s.at.Add(-2*time.Hour))
		case "foreign":
			in = model.Assert(states.Assert{Serial: serial, Audiences: []string{"https://elsewhere.example"}, Provider: q.Provider}, s.at)
		case "empty":
			in = states.Signed{Serial: serial}
		}
		_, _ = s.step(in, c.has("quiet"))
		return nil
	case "key":
		sign, ok := q.(states.Sign)
		if !ok {
			return fmt.Errorf("nothing is to be signed")
		}
		in := s.sign(sign)
		switch c.bare(1) {
		case "failed":
			in = states.Unsigned{Serial: serial, Detail: "the key is locked"}
		case "empty":
			in = states.Signed{Serial: serial}
		}
		_, _ = s.step(in, c.has("quiet"))
		return nil
	case "store":
		if c.bare(1) == "lost" {
			if s.store.Answer(s.at, q) == nil {
				return fmt.Errorf("the store is not asked")
			}
			s.say("the store does it, and its answer is lost")
			return nil
		}
		in, err := s.stored(c, q, serial)
		if err != nil {
			return err
		}
		_, _ = s.step(in, c.has("quiet"))
		return nil
	}
	return fmt.Errorf("who answers: the store, the host, the key or the platform?")
}

func (s *Script) stored(c Command, q states.Effect, serial uint64) (states.Input, error) {
	gen, err := c.number("gen", 0)
	if err != nil {
		return nil, err
	}
	switch what := c.bare(1); what {
	case "", "quiet":
		if in := s.store.Answer(s.at, q); in != nil {
			return in, nil
		}
		return nil, fmt.Errorf("the store is not asked")
	case "found":
		value := wire.Secret(s.names.reveal(strings.TrimSpace(c.Block)))
		return states.Loaded{Serial: serial, Value: value, Generation: states.Generation(gen)}, nil
	case "missing":
		return states.NotFound{Serial: serial}, nil
	case "conflict":
		return states.Conflicted{Serial: serial}, nil
	case "failed":
		return states.StoreFailed{Serial: serial, Detail: "the disk is full", Entry: c.has("entry")}, nil
	case "saved":
		return states.Saved{Serial: serial, Generation: states.Generation(gen)}, nil
	case "deleted":
		return states.Deleted{Serial: serial}, nil
	case "claimed":
		return states.Claimed{Serial: serial}, nil
	case "held":
		return states.Held{Serial: serial}, nil
	case "leased":
		ttl, err := c.duration("ttl", time.Minute)
		if err != nil {
			return nil, err
		}
		fence, err := c.number("fence", 99)
		return states.Leased{Serial: serial, Fence: uint64(fence), TTL: ttl}, err
	default:
		return nil, fmt.Errorf("a store does not answer %q", what)
	}
}

// respond answers the open Send; the block is the body.
func respond(s *Script, c Command) error {
	q, _, _ := s.open()
	send, ok := q.(states.Send)
	if !ok {
		return fmt.Errorf("nothing was sent")
	}
	status, err := c.number("status", 200)
	if err != nil {
		return err
	}
	r := wire.Response{Status: status, Body: []byte(s.names.reveal(c.Block)), Oversized: c.has("oversized")}
	if t := c.get("type", "application/json"); t != "" {
		r.Header = append(r.Header, wire.Field{Name: "Content-Type", Value: t})
	}
	for _, line := range c.all("header") {
		h, err := headers(line)
		if err != nil {
			return err
		}
		r.Header = append(r.Header, h...)
	}
	if n, err := c.number("repeat", 1); err == nil && n > 1 {
		r.Body = []byte(strings.Repeat(string(r.Body), n))
	}
	s.late(send)
	_, _ = s.step(states.Responded{Serial: send.Serial, Response: r}, c.has("quiet"))
	return nil
}

// late lets the time pass by which a Send is delayed.
func (s *Script) late(q states.Send) {
	if s.at.Before(q.NotBefore) {
		s.at = q.NotBefore
	}
}

func unreachable(s *Script, c Command) error {
	q, v, _ := s.open()
	send, ok := q.(states.Send)
	if !ok && v != nil {
		send.Serial = v.Serial // the user could not be sent off
	} else if !ok {
		return fmt.Errorf("nothing was sent")
	}
	details := map[states.FailureClass]string{
		states.Unsent: "no such host", states.Lost: "connection reset", states.TLS: "unknown authority",
		states.Blocked: "a private address", states.Late: "too late to send",
	}
	if !ok {
		details[states.Unsent] = "no browser could be started"
	}
	class := states.FailureClass(c.bare(0))
	if details[class] == "" {
		return fmt.Errorf("unsent, lost, tls, blocked or late?")
	}
	s.late(send)
	in := states.Unreachable{Serial: send.Serial, Class: class, Rule: rules.ID(c.get("rule", "")), Detail: details[class]}
	_, _ = s.step(in, c.has("quiet"))
	return nil
}

// redirect hands in a callback. Its state and address are right unless the
// script says otherwise; the block, or url=, gives a whole address.
func redirect(s *Script, c Command) error {
	_, v, _ := s.open()
	var serial uint64
	base := model.Callback
	var flow *states.Flow
	if v != nil {
		serial, base = v.Serial, v.RedirectURI
		flow = s.now.machine.Data.Flow
	}
	raw := s.names.reveal(strings.TrimSpace(c.Block) + c.get("url", ""))
	if raw == "" {
		q := url.Values{}
		if flow != nil {
			q.Set("state", flow.State.Reveal())
		}
		var extra strings.Builder
		for _, a := range c.Args {
			if a.Values == nil || a.Name == "at" {
				continue
			}
			q.Del(a.Name)
			for _, value := range a.Values {
				if value != "" {
					extra.WriteString("&" + url.QueryEscape(a.Name) + "=" + url.QueryEscape(s.names.reveal(value)))
				}
			}
		}
		raw = c.get("at", base) + "?" + strings.TrimPrefix(q.Encode()+extra.String(), "&")
	}
	if cb, bad := wire.ParseCallback(raw); bad == nil {
		s.names.learn("code", cb.Code)
	}
	_, _ = s.step(states.Redirected{Serial: serial, URL: wire.Secret(raw)}, c.has("quiet"))
	return nil
}

// probe tries on copies what statements would mean here. The machine of the script is not
// moved.
func probe(s *Script, _ Command) error {
	m := s.now.machine
	g, _ := s.generation("current")
	inputs := []struct {
		name string
		in   states.Input
	}{
		{"time passes", states.Ticked{}},
		{"a token is accepted", states.Accepted{Generation: g}},
		{"a challenge comes", states.Challenged{Generation: g, Response: wire.Response{Status: 401, Header: wire.Fields{{Name: "WWW-Authenticate", Value: "Bearer"}}}}},
		{"a login is asked for", states.Begun{Seed: "chance-of-a-probe----------------", Login: true, Scopes: []string{"probe"}}},
		{"no caller is waiting", states.Cancelled{}},
		{"the process restarts", states.Interrupted{Seed: "chance-of-a-probe----------------"}},
	}
	s.say("%s, when", stateName(m.State))
	for _, i := range inputs {
		r, err := s.engine.StepResult(m, s.at, i.in)
		if s.Observe != nil {
			s.Observe(Step{m, s.at, i.in, r, err})
		}
		switch {
		case err != nil:
			s.say("  %s: refused", i.name)
		case r.Held:
			s.say("  %s: %s, held", i.name, r.Event)
		default:
			s.say("  %s: %s → %s", i.name, r.Event, r.Machine.State)
		}
	}
	return nil
}
