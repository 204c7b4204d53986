package main

import (
	"context"
	"errors"
	"strings"

	"github.com/stile-oauth/stile/fsm"
	"github.com/stile-oauth/stile/httpdriver"
	"github.com/stile-oauth/stile/states"
	"github.com/stile-oauth/stile/states/rules"
	"github.com/stile-oauth/stile/states/wire"
	"github.com/stile-oauth/stile/storage"
)

// errorView is what the command prints about an error, as text and as JSON.
type errorView struct {
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
	See      string `json:"see,omitempty"`

	blamed string // the party, as exactly as it is known
}

// interrupted is the message after the user has pressed Ctrl-C.
const interrupted = "interrupted"

// describe collects everything that the command says about an error.
func describe(err error) errorView {
	if err == nil {
		return errorView{}
	}
	s := errorView{Exit: exitFailed, Message: inWords(err)}
	if _, fault := fsm.FaultOf(err); !fault && errors.Is(err, context.Canceled) {
		s.Message = interrupted
		return s
	}
	if f, ok := fsm.FaultOf(err); ok {
		s = describeFault(f)
	}
	var (
		own        *failure
		login      *httpdriver.LoginRequiredError
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
		if own.party != "" {
			s.Party, s.blamed = string(own.party), string(own.party)
		}
		if own.rule != "" {
			s.Rule = string(own.rule)
			s.cite()
		}
		if own.step != "" {
			s.Step = own.step
		}
		if own.says != "" && s.Step != "" {
			s.Step = "" // the sentence stands alone
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
	case errors.Is(err, context.DeadlineExceeded):
		s.Exit, s.Message = exitNetwork, "it took too long: "+inWords(err)
	}
	if own == nil || own.says == "" {
		s.ofField(err)
	}
	unbound := errors.Is(err, states.ErrRecordUnbound) || s.Rule == string(rules.IssuerUnboundQuarantine)
	if unbound && (own == nil || own.advice == "") {
		s.Advice = "bind it to its issuer: stile store bind URL --issuer ISSUER; or remove it and log in: stile store purge URL"
	}
	if errors.Is(err, states.ErrRecordVersion) && s.Advice == "" {
		s.Advice = "use the newer release that wrote it; or remove it and log in: stile store purge URL"
	}
	if errors.Is(err, states.ErrRecordUnreadable) && s.Advice == "" {
		s.Advice = "restore it from a copy of the store; or remove it and log in: stile store purge URL"
	}
	if errors.As(err, &unreadable) && s.Advice == "" {
		s.Advice = "restore the store or its key; or remove the entries that cannot be read: stile store purge --unreadable"
	}
	return s
}

func describeFault(f states.Fault) errorView {
	s := errorView{
		Message: f.Problem.Detail, Party: string(f.Party), State: string(f.State), Event: string(f.Event), Step: f.Doing,
		Peer: f.Peer, Rule: string(f.Problem.Rule), Advice: inFlags(f), Exit: exitOf(f),
	}
	s.cite()
	s.blamed = f.Party.In(f.State)
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

// ofField says which argument or flag breaks a rule.
func (s *errorView) ofField(err error) {
	var (
		field *fsm.FieldError
		bad   *wire.Problem
	)
	if !errors.As(err, &field) {
		return
	}
	if errors.As(field.Err, &bad) && bad.Detail != "" {
		s.Message, s.Rule = bad.Detail, string(bad.Rule)
		if name := flagOf[field.Field]; !strings.HasPrefix(bad.Detail, name+" ") {
			s.Message = name + ": " + bad.Detail
		}
		s.cite()
	}
	if field.Field == "Server" && s.Advice == "" {
		s.Advice = "give the server's own address, for example https://mcp.example/mcp"
	}
}

// cite adds what the rule requires and the clause that says so.
func (s *errorView) cite() {
	if r, ok := rules.Lookup(rules.ID(s.Rule)); ok {
		s.Clause, s.Requires = r.Cited(), r.Requires
	}
}

// view describes an error as it may be shown: without secrets, and with the entry of the
// troubleshooting page.
func (a *app) view(err error) errorView {
	s := describe(err)
	s.See = see(s, err)
	a.secrets.maskView(&s)
	return s
}

// head is the first line about an error.
func (s *errorView) head() string {
	if s.Step != "" && s.State != "" {
		return "authorization failed while " + s.Step + ": " + s.Message
	}
	return s.Message
}

// inOne is all that somebody needs who sees one line about an error.
func (s *errorView) inOne() string {
	text := s.head() + "."
	if s.Advice != "" {
		text += " What to do: " + s.Advice + "."
	}
	return text + " See " + s.See
}

// report prints an error and gives the exit status.
func (a *app) report(err error) int {
	s := a.view(err)
	if a.json {
		_ = a.printJSON(a.err, struct {
			Error errorView `json:"error"`
		}{s})
		return s.Exit
	}
	c := paint(a.colours(a.err))
	a.note("%s %s\n", c.red("error:"), s.head())
	line := func(name, value string) {
		if value != "" {
			a.note("  %-12s %s\n", name, value)
		}
	}
	if s.Advice != "" {
		a.note("  %-12s %s\n", "what to do", c.bold(s.Advice))
	}
	if s.Party != "" {
		if s.State != "" {
			line("state", s.State+", event "+s.Event)
		} else if !strings.HasPrefix(s.Message, s.Step) {
			line("while", s.Step)
		}
		line("with", s.Peer)
		line(states.Party(s.Party).Blame(), s.blamed)
		if s.OAuth != s.Message {
			line("it said", s.OAuth)
		}
	}
	line("first cause", s.First)
	line("rule", s.Rule)
	line("clause", s.Clause)
	line("requires", s.Requires)
	line("see", s.See)
	return s.Exit
}
