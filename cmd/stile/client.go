package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/stile-oauth/stile/fsm"
	"github.com/stile-oauth/stile/httpdriver"
	"github.com/stile-oauth/stile/httpdriver/workload"
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

	mu      sync.Mutex
	hint    string                // an address that the server's metadata is about
	legacy  bool                  // no resource metadata was found: the rows of 2025-03-26 applied
	asks    bool                  // it answered 401: it is protected, whatever its metadata says
	queued  atomic.Bool           // the user knows that another process announced a login
	noted   map[wire.Finding]bool // the findings that were printed
	fault   error                 // the first failure of authorization below the MCP client
	asked   []string              // scopes that a login asked for and did not get
	issued  bool                  // a login of this command brought a token
	refusal error                 // how the server refused a request without asking for a login
	last    states.Fault          // the machine's last fault, also one that it recovered from

	// What exchanges has seen of the MCP server.
	answer      answer // the last
	redirect    answer // the first redirect
	unreachable error  // why the last request got no answer
	sse         bool   // a GET was answered with a stream of events
}

// open makes the client of a command that uses an existing login. url is the MCP
// server.
func (f *accountFlags) open(ctx context.Context, a *app, url string) (*client, error) {
	return f.openWith(ctx, a, url, f.openExisting, nil)
}

// openStore is how a command opens its store: openExisting or openOrCreate.
type openStore func(context.Context, *app) (storage.Store, func() error, error)

// openWith makes a client over the store that opening gives. configure, if not
// nil, adds to the configuration.
func (f *accountFlags) openWith(ctx context.Context, a *app, url string, opening openStore, configure func(*httpdriver.Policy)) (_ *client, err error) {
	url, _, _ = strings.Cut(url, "#") // no request has a fragment
	c := &client{a: a, server: url, patience: patience{span: f.server}, account: httpdriver.Account{Server: url, Tenant: f.tenant, Subject: f.subject, Name: f.name}}
	defer func() {
		if err != nil {
			_ = c.close()
		}
	}()
	o := httpdriver.Options{AllowPrivate: f.allowPrivate, AllowPrivateName: "--allow-private", Observe: c.observe, Slow: c.slow, Show: f.showing(a)}
	if o.Policy, err = f.config(a); err != nil {
		return nil, err
	}
	key, err := f.key(a)
	if err != nil {
		return nil, err
	}
	if key != nil {
		about := key.About()
		o.Signer, o.Policy.Key = key, &about
	}
	source, err := f.workloadSource(a)
	if err != nil {
		return nil, err
	}
	if source != nil {
		o.Workload = workload.For(source)
	}
	if configure != nil {
		configure(&o.Policy)
	}
	if _, err := fsm.New(o.Policy.Config(c.account)); err != nil {
		return nil, wrongAddress(url, &failure{code: exitUsage, err: err})
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
	if f.watch != nil {
		o.Trace = f.watch.traceTo(o.Trace)
	}
	st, closing, err := opening(ctx, a)
	if err != nil {
		return nil, err
	}
	c.store, o.Store = st, st
	c.closing = append(c.closing, closing)
	o.Host = a.host(f)
	if c.driver, err = httpdriver.New(o); err != nil {
		return nil, &failure{code: exitUsage, err: err}
	}
	return c, c.asStored(ctx, f, o)
}

// asStored uses a key if the stored token is bound to one and no flag says otherwise.
func (c *client) asStored(ctx context.Context, f *accountFlags, o httpdriver.Options) error {
	if f.dpop != "" {
		return nil
	}
	st, err := c.driver.Status(ctx, c.account)
	if err != nil || !st.Bound {
		return nil // the command itself will report what is wrong with the store
	}
	o.Policy.Binding = states.TryBinding
	d, err := httpdriver.New(o)
	if err != nil {
		return &failure{code: exitUsage, err: err}
	}
	err = c.driver.Close()
	c.driver = d
	return err
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

// observe is called with every step of the machine. It shows the states and the
// notes, and remembers what explains a failure.
func (c *client) observe(s httpdriver.Step) {
	c.patience.moved(!states.Resting(s.Result.Machine.State))
	c.a.secrets.learn(s)
	if c.a.verbose && !s.Result.Held && !looksAgain(s) {
		c.a.printStep(s)
	}
	c.queue(s)
	for _, e := range s.Result.Effects {
		if n, ok := e.(states.Note); ok {
			c.printNote(n.Finding)
		}
	}
	c.learn(s)
}

// printStep prints the state that a step led to.
func (a *app) printStep(s httpdriver.Step) {
	to := s.Result.Machine.State
	if a.json {
		_ = a.printJSON(a.err, struct {
			From  states.State `json:"from"`
			Event string       `json:"event"`
			To    states.State `json:"to"`
		}{s.From.State, string(s.Result.Event), to})
		return
	}
	p := paint(a.colours(a.err))
	a.note("%s %-19s %s\n", p.cyan(fmt.Sprintf("%-17s", to)), string(s.Result.Event), p.dim(states.Describe(to)))
}

// printNote prints a finding about a server, once per command.
func (c *client) printNote(f wire.Finding) {
	c.mu.Lock()
	known := c.noted[f]
	if c.noted == nil {
		c.noted = map[wire.Finding]bool{}
	}
	c.noted[f] = true
	c.mu.Unlock()
	switch {
	case known:
	case c.a.json:
		_ = c.a.printJSON(c.a.err, struct {
			Noted string   `json:"noted"`
			Rule  rules.ID `json:"rule"`
		}{f.Detail, f.Rule})
	case strings.Contains(f.Detail, string(f.Rule)):
		c.a.note("noted: %s\n", f.Detail)
	default:
		c.a.note("noted: %s (%s)\n", f.Detail, string(f.Rule))
	}
}

// queue says once that another process has announced a login for this server,
// and what this command does about it.
func (c *client) queue(s httpdriver.Step) {
	line := ""
	switch to, flow := s.Result.Machine.State, s.Result.Machine.Data.Flow; {
	case to == states.Queuing:
		line = "Another process is logging in to this server. Waiting until it is done, or for a minute if it has died. A login in a browser need not wait: stile login."
	case s.Result.Event == transitions.Announced && flow != nil && flow.Mark == 0:
		line = "Another process announced a login to this server, and may have died. This login begins at once; the first one to finish serves both."
	}
	if line != "" && !c.queued.Swap(true) {
		c.a.notice(line)
	}
}

// learn remembers what a step says about a later failure. This includes the address
// in the resource metadata, if it is not the one that was asked for.
func (c *client) learn(s httpdriver.Step) {
	if s.Result.Event == transitions.LegacyServer || s.Result.Event == transitions.LegacyDefaults {
		c.mu.Lock()
		c.legacy = true
		c.mu.Unlock()
	}
	c.mu.Lock()
	if in, ok := s.Input.(states.Challenged); ok && in.Response.Status == http.StatusUnauthorized {
		c.asks = true
	}
	if f := s.Result.Machine.Data.Fault; f != nil {
		c.last = *f
	}
	if on, flow := s.Result.Event, s.From.Data.Flow; flow != nil {
		short := on == transitions.TokenNarrowed
		if short || on == transitions.ScopeRefused || on == transitions.RegistrationTooNarrow {
			c.asked = wire.Union(c.asked, flow.Requested)
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

// notGranted gives the scopes that a login asked for and did not get, those that
// the user named and those that the server asks for. offline_access does not
// count: issuers grant it without naming it.
func (c *client) notGranted(named, granted []string) []string {
	c.mu.Lock()
	asked := wire.Union(named, c.asked)
	c.mu.Unlock()
	return wire.WithoutOfflineAccess(wire.Missing(granted, asked))
}

// authFault is the first failure of authorization; nil when there was none.
func (c *client) authFault() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.fault
}

// slow says which server the command waits for.
func (c *client) slow(s httpdriver.Slow) {
	c.a.notice(fmt.Sprintf("%s has not answered for %v (%s); waiting on", s.Host, s.Waited, s.Doing))
}
