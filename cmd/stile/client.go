package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/stile-oauth/stile/fsm"
	"github.com/stile-oauth/stile/httpdriver"
	"github.com/stile-oauth/stile/states"
	"github.com/stile-oauth/stile/states/rules"
	"github.com/stile-oauth/stile/states/wire"
	"github.com/stile-oauth/stile/storage"
	"github.com/stile-oauth/stile/transitions"
)

// client is a driver with the account that a command is about.
type client struct {
	a       *app
	driver  *httpdriver.Driver
	account httpdriver.Account
	server  string
	store   storage.Store
	closing []func() error

	patience patience // with the MCP server

	mu     sync.Mutex
	hint   string       // an address that would have been right
	legacy bool         // nothing said who protects the server: the rows of 2025-03-26 applied
	queued atomic.Bool  // it was said that another process announced a login
	fault  error        // the first failure of authorization below the MCP client
	asked  []string     // scopes that a login here asked for and the issuer gave no or fewer of
	issued bool         // a login here brought a token
	last   states.Fault // what the machine met last, also where it went on from there
	// unreachable says that a request to the server got no answer.
	unreachable bool
	elsewhere   elsewhere // where the server redirected a request to
}

// open makes the client of a command. url is the MCP server.
func (f *accountFlags) open(ctx context.Context, a *app, url string) (*client, error) {
	return f.openWith(ctx, a, url, quiet, func(*httpdriver.Policy) {})
}

// openWith is open with more to say about the configuration.
func (f *accountFlags) openWith(ctx context.Context, a *app, url string, loud loudness, more func(*httpdriver.Policy)) (_ *client, err error) {
	c := &client{a: a, server: url, patience: patience{span: f.server}, account: httpdriver.Account{Server: url, Tenant: f.tenant, Subject: f.subject, Name: f.name}}
	defer func() {
		if err != nil {
			_ = c.close()
		}
	}()
	o := httpdriver.Options{AllowPrivate: f.allowPrivate, AllowPrivateName: "--allow-private", Observe: c.observe}
	if o.Policy, err = f.config(a); err != nil {
		return nil, err
	}
	more(&o.Policy)
	if _, err := fsm.New(o.Policy.Config(c.account)); err != nil {
		return nil, &failure{code: exitUsage, err: err}
	}
	if o.Transport, err = f.transport(); err != nil {
		return nil, err
	}
	t, err := a.tracing(f.trace)
	if err != nil {
		return nil, err
	}
	c.closing = append(c.closing, t.close)
	o.Trace = t.open()
	st, closing, err := f.openStore(ctx, a, loud)
	if err != nil {
		return nil, err
	}
	c.store, o.Store = st, st
	c.closing = append(c.closing, closing)
	o.Host = a.host(f)
	if c.driver, err = httpdriver.New(o); err != nil {
		return nil, &failure{code: exitUsage, err: err}
	}
	return c, nil
}

// close ends driver, store and trace, in this order.
func (c *client) close() error {
	var errs []error
	if c.driver != nil {
		errs = append(errs, c.driver.Close())
	}
	for _, f := range slices.Backward(c.closing) {
		errs = append(errs, f())
	}
	return errors.Join(errs...)
}

// observe shows the states that pass, says what was tolerated, and remembers
// what a failure can be explained by.
func (c *client) observe(s httpdriver.Step) {
	to := s.Result.Machine.State
	c.patience.moved(!states.Resting(to))
	if c.a.verbose && !s.Result.Held && !looksAgain(s) {
		if c.a.json {
			_ = c.a.printJSON(c.a.err, struct {
				From  states.State `json:"from"`
				Event string       `json:"event"`
				To    states.State `json:"to"`
			}{s.From.State, string(s.Result.Event), to})
		} else {
			p := paint(c.a.colours(c.a.err))
			c.a.note("%s %-19s %s\n", p.cyan(fmt.Sprintf("%-17s", to)), string(s.Result.Event), p.dim(states.Describe(to)))
		}
	}
	c.queue(s)
	for _, e := range s.Result.Effects {
		switch n, ok := e.(states.Note); {
		case !ok:
		case c.a.json:
			_ = c.a.printJSON(c.a.err, struct {
				Noted string   `json:"noted"`
				Rule  rules.ID `json:"rule"`
			}{n.Finding.Detail, n.Finding.Rule})
		default:
			c.a.note("noted: %s (%s)\n", n.Finding.Detail, string(n.Finding.Rule))
		}
	}
	c.learn(s)
}

// queue says, once, that another process has announced a login for this server,
// and what becomes of the one here.
func (c *client) queue(s httpdriver.Step) {
	line := ""
	switch to, flow := s.Result.Machine.State, s.Result.Machine.Data.Flow; {
	case to == states.Queuing:
		line = "Another process has a login for this server under way; waiting until it ends, a minute at most if it has died (stile login does not wait)."
	case s.Result.Event == transitions.Announced && flow != nil && flow.Mark == 0:
		line = "Another process announced a login for this server and may have died; this login begins at once, and the first to be finished serves both."
	}
	if line != "" && !c.queued.Swap(true) {
		c.a.notice(line)
	}
}

// learn takes from a step what a failure can be explained by: the address that
// resource metadata is about when it is not the one that was asked for.
func (c *client) learn(s httpdriver.Step) {
	if s.Result.Event == transitions.LegacyServer || s.Result.Event == transitions.LegacyDefaults {
		c.mu.Lock()
		c.legacy = true
		c.mu.Unlock()
	}
	c.mu.Lock()
	if f := s.Result.Machine.Data.Fault; f != nil {
		c.last = *f
	}
	if on, flow := s.Result.Event, s.From.Data.Flow; flow != nil {
		short := on == transitions.TokenNarrowed
		if short || on == transitions.ScopeRefused || on == transitions.RegistrationTooNarrow {
			c.asked = wire.Union(c.asked, flow.Asked)
		}
		c.issued = c.issued || short || on == transitions.TokenIssued
	}
	c.mu.Unlock()
	in, ok := s.Input.(states.Responded)
	if !ok || s.From.State != states.DiscoveringPRM || in.Response.Status != http.StatusOK {
		return
	}
	if r := sameOrigin(resourceOf(in.Response), c.server); r != "" && r != c.server {
		c.mu.Lock()
		c.hint = r
		c.mu.Unlock()
	}
}

// loggedIn reports whether a login of this command brought a token.
func (c *client) loggedIn() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.issued
}

// notGranted are the scopes that a login asked for and did not get: those that
// were named, and those that the server asks for. offline_access is none that a
// token has.
func (c *client) notGranted(named, granted []string) []string {
	c.mu.Lock()
	asked := wire.Union(named, c.asked)
	c.mu.Unlock()
	return slices.DeleteFunc(wire.Missing(granted, asked), func(s string) bool { return s == "offline_access" })
}

// authFault is the first failure of authorization; nil when there was none.
func (c *client) authFault() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.fault
}
