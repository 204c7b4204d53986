package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/stile-oauth/stile/fsm"
	"github.com/stile-oauth/stile/httpdriver"
	"github.com/stile-oauth/stile/states"
	"github.com/stile-oauth/stile/states/wire"
	"github.com/stile-oauth/stile/storage"
	"github.com/stile-oauth/stile/transitions"
)

// The exit statuses.
const (
	exitOK      = 0
	exitFailed  = 1
	exitUsage   = 2
	exitLogin   = 3
	exitPeer    = 4
	exitNetwork = 5
	exitStore   = 6
)

// exitHelp is the part of the help that documents them.
const exitHelp = `Exit status:
  0  done
  1  failed for another reason, or interrupted
  2  wrong usage or configuration
  3  a login is needed, was denied, or was not finished in time
  4  a server broke a rule
  5  the network, or a server in trouble: the same may succeed later
  6  the credential store failed`

// failure is an error that knows its exit status and what to do about it.
type failure struct {
	code   int
	err    error
	advice string
	says   string       // in place of what err says
	rule   wire.RuleID  // that was broken
	party  states.Party // by whom
	first  string       // the first cause, where err does not tell it
}

func (f *failure) Error() string { return f.err.Error() }
func (f *failure) Unwrap() error { return f.err }

func usage(format string, args ...any) error {
	return &failure{code: exitUsage, err: fmt.Errorf(format, args...)}
}

func failed(format string, args ...any) error {
	return &failure{code: exitFailed, err: fmt.Errorf(format, args...)}
}

func storeFailed(err error) error {
	if err == nil || storage.IsAnswer(err) {
		return err
	}
	return &failure{code: exitStore, err: fmt.Errorf("the credential store: %w", err)}
}

// said is what is told of an error, in words and as JSON.
type said struct {
	Exit     int    `json:"exit"`
	Message  string `json:"message"`
	Party    string `json:"fault_of,omitempty"`
	State    string `json:"state,omitempty"`
	Event    string `json:"event,omitempty"`
	Step     string `json:"step,omitempty"`
	Peer     string `json:"peer,omitempty"`
	Rule     string `json:"rule,omitempty"`
	Clause   string `json:"clause,omitempty"`
	Requires string `json:"requires,omitempty"`
	OAuth    string `json:"oauth_error,omitempty"`
	First    string `json:"first_cause,omitempty"`
	Advice   string `json:"advice,omitempty"`
}

// tell finds out what is to be told of an error.
func tell(err error) said {
	if err == nil {
		return said{}
	}
	s := said{Exit: exitFailed, Message: inWords(err)}
	if f, ok := fsm.FaultOf(err); ok {
		s = tellFault(f)
	}
	var (
		own        *failure
		login      *httpdriver.LoginRequired
		unreadable *storage.UnreadableError
	)
	switch {
	case errors.As(err, &own):
		s.Exit = own.code
		if own.advice != "" {
			s.Advice = own.advice
		}
		if own.says != "" {
			s.Message = own.says
		}
		if own.rule != "" {
			s.Party, s.Rule = string(own.party), string(own.rule)
			s.cite()
		}
		if own.first != "" {
			s.First = own.first
		}
	case errors.Is(err, fsm.ErrConfig), errors.Is(err, httpdriver.ErrOutside):
		s.Exit = exitUsage
	case errors.Is(err, httpdriver.ErrNoToken), errors.As(err, &login), errors.Is(err, httpdriver.ErrUnknownLogin):
		s.Exit = exitLogin
	case errors.As(err, &unreadable):
		s.Exit = exitStore
	case errors.Is(err, states.ErrRecordUnbound):
		s.Exit = exitStore
	case errors.Is(err, states.ErrRecordVersion), errors.Is(err, states.ErrRecordUnreadable):
		s.Exit = exitStore
	case errors.Is(err, context.Canceled):
		s.Message = "interrupted"
	case errors.Is(err, context.DeadlineExceeded):
		s.Exit, s.Message = exitNetwork, "the time for it is over: "+err.Error()
	}
	s.ofField(err)
	unbound := errors.Is(err, states.ErrRecordUnbound) || s.Rule == string(wire.RuleIssuerUnboundQuarantine)
	if unbound && (own == nil || own.advice == "") {
		s.Advice = "bind it: stile store bind URL --issuer ISSUER; or give it up, and log in: stile store purge URL"
	}
	if errors.Is(err, states.ErrRecordVersion) && s.Advice == "" {
		s.Advice = "use the newer release that wrote it; or give it up, and log in: stile store purge URL"
	}
	if errors.Is(err, states.ErrRecordUnreadable) && s.Advice == "" {
		s.Advice = "restore it from a copy of the store; or give it up, and log in: stile store purge URL"
	}
	if errors.As(err, &unreadable) && s.Advice == "" {
		s.Advice = "restore the store or its key; or give up what cannot be read: stile store purge --unreadable"
	}
	return s
}

func tellFault(f states.Fault) said {
	s := said{
		Message: f.Problem.Detail, Party: string(f.Party), State: string(f.State), Event: f.Event, Step: f.Doing,
		Peer: f.Peer, Rule: string(f.Problem.Rule), Advice: inFlags(f), Exit: exitOf(f),
	}
	s.cite()
	if o := f.Problem.OAuth; o != nil {
		s.OAuth = o.String()
	}
	if f.First != nil && *f.First != f.Problem {
		s.First = f.First.Error()
	}
	if s.Message == "" {
		s.Message = s.OAuth
	}
	return s
}

// ofField tells of an argument or a flag what it says against a rule.
func (s *said) ofField(err error) {
	var (
		field *fsm.FieldError
		bad   *wire.Problem
	)
	if !errors.As(err, &field) {
		return
	}
	if errors.As(field.Err, &bad) && bad.Detail != "" {
		s.Message, s.Rule = flagOf[field.Field]+": "+bad.Detail, string(bad.Rule)
		s.cite()
	}
	if field.Field == "Server" && s.Advice == "" {
		s.Advice = "give the server's own address, for example https://mcp.example/mcp"
	}
}

// cite adds what the rule requires, and where that is written.
func (s *said) cite() {
	if r, ok := wire.LookupRule(wire.RuleID(s.Rule)); ok {
		s.Clause, s.Requires = r.Cited(), r.Requires
	}
}

// exitOf says whose turn it is: what the user decided or let pass is a login,
// what he configured is usage.
func exitOf(f states.Fault) int {
	switch f.Party {
	case states.PartyPeer:
		if f.Transient {
			return exitNetwork
		}
		return exitPeer
	case states.PartyNetwork:
		return exitNetwork
	case states.PartyStore:
		return exitStore
	case states.PartyHuman, states.PartyNobody:
		return exitLogin
	}
	switch transitions.Event(f.Event) {
	case transitions.ResourceDeclined:
		return exitLogin
	case transitions.WaitedTooLong:
		return exitStore
	}
	return exitUsage
}

// report prints an error and gives the exit status.
func (a *app) report(err error) int {
	s := tell(err)
	if a.json {
		_ = a.printJSON(a.err, struct {
			Error said `json:"error"`
		}{s})
		return s.Exit
	}
	c := paint(a.colours(a.err))
	head := s.Message
	if s.Step != "" {
		head = "authorization failed while " + s.Step + ": " + s.Message
	}
	a.note("%s %s\n", c.red("error:"), head)
	line := func(name, value string) {
		if value != "" {
			a.note("  %-12s %s\n", name, value)
		}
	}
	if s.Party != "" {
		if s.State != "" {
			line("state", s.State+", event "+s.Event)
		}
		line("with", s.Peer)
		line(states.Party(s.Party).Blame(), s.Party)
		if s.OAuth != s.Message {
			line("it said", s.OAuth)
		}
	}
	line("first cause", s.First)
	line("rule", s.Rule)
	line("clause", s.Clause)
	line("requires", s.Requires)
	if s.Advice != "" {
		a.note("  %-12s %s\n", "what to do", c.bold(s.Advice))
	}
	return s.Exit
}
