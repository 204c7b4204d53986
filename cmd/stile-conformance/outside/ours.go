package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/modelcontextprotocol/go-sdk/mcp"
	"golang.org/x/sync/errgroup"

	"github.com/stile-oauth/stile/httpdriver"
	"github.com/stile-oauth/stile/storage"
)

// ours is Stile's client: the go-sdk's MCP client with a Driver. Its clock can be
// moved, so that a token expires without anybody having to wait.
type ours struct {
	f       *foreign
	store   storage.Store
	ahead   atomic.Int64
	denies  bool
	driver  *httpdriver.Driver
	account httpdriver.Account
	http    *http.Client
	session *mcp.ClientSession

	users   sync.WaitGroup // at another device
	entered sync.Map       // the codes that they entered, and what went wrong
}

func newOurs(f *foreign) *ours {
	o := &ours{f: f, account: httpdriver.Account{Server: f.resource}}
	o.store = storage.NewMemory(storage.Clock(o.now))
	return o
}

func (o *ours) now() time.Time { return time.Now().Add(time.Duration(o.ahead.Load())) }

// expire moves the clock beyond the life of every access token.
func (o *ours) expire() { o.ahead.Add(int64(25 * time.Hour)) }

// open begins a life of the client, with what is in the store.
func (o *ours) open() (err error) {
	options := httpdriver.Options{
		Store: o.store, Clock: o.now, Policy: o.f.policy, Show: o.decide, AllowPrivate: o.f.private,
		Host: httpdriver.UserAgent(func(ctx context.Context, v httpdriver.Visit) (string, error) {
			return browser{denies: o.denies}.visit(ctx, v.URL)
		}),
	}
	if o.f.key != nil {
		options.Signer = o.f.key
	}
	o.driver, err = httpdriver.New(options)
	if err == nil {
		o.http, err = o.driver.Client(o.account)
	}
	return err
}

// close ends that life; what the client learned stays in the store.
func (o *ours) close() error {
	var err error
	if o.session != nil {
		err = o.session.Close()
		o.session = nil
	}
	return errors.Join(err, o.driver.Close())
}

// call calls a tool and judges its answer. The MCP session is opened by the
// first call.
func (o *ours) call(ctx context.Context, tool string) error {
	if o.session == nil {
		c := mcp.NewClient(&mcp.Implementation{Name: "stile", Version: "1"}, nil)
		s, err := c.Connect(ctx, &mcp.StreamableClientTransport{Endpoint: o.f.resource, HTTPClient: o.http}, nil)
		if err != nil {
			return fmt.Errorf("connecting: %w", err)
		}
		o.session = s
	}
	st, err := callTool(ctx, o.session, tool)
	if err != nil {
		return fmt.Errorf("%s: %w", tool, err)
	}
	out := st.Output
	var said struct {
		Zone, Subject string
		Scopes        []string
	}
	if err := json.Unmarshal(out, &said); err != nil {
		return err
	}
	if tool == "whoami" {
		for _, s := range o.f.what.scopes {
			if !slices.Contains(said.Scopes, s) || said.Subject == "" {
				return fmt.Errorf("whoami answered %s", out)
			}
		}
	} else if said.Zone != "UTC" {
		return fmt.Errorf("%s answered %s", tool, out)
	}
	return nil
}

// stage is a part of a life, and what that must cost at the issuer.
type stage struct {
	name string
	do   func(ctx context.Context, o *ours) error
	// How many grants the client must get by code and by refresh token.
	logins, refreshes int
	// registers says that the client registers, at issuers where clients register.
	registers bool
}

var (
	logsIn = stage{name: "logs in and calls get_time", logins: 1, registers: true, do: func(ctx context.Context, o *ours) error {
		return o.call(ctx, "get_time")
	}}
	authenticatesByKey = stage{name: "signs each token request with its key", do: func(_ context.Context, o *ours) error {
		if signed, unsigned := o.f.tap.assertions(); signed == 0 || unsigned != 0 {
			return fmt.Errorf("%d token requests with an assertion, %d without", signed, unsigned)
		}
		return nil
	}}
	refreshesOnce = stage{name: "refreshes once for 20 goroutines", refreshes: 1, do: func(ctx context.Context, o *ours) error {
		o.expire()
		g, ctx := errgroup.WithContext(ctx)
		for range 20 {
			g.Go(func() error { return o.call(ctx, "get_time") })
		}
		return g.Wait()
	}}
	restarts = stage{name: "is still logged in after a restart", do: func(ctx context.Context, o *ours) error {
		if err := o.close(); err != nil {
			return err
		}
		if err := o.open(); err != nil {
			return err
		}
		return o.call(ctx, "get_time")
	}}
	refreshesCold = stage{name: "refreshes after a restart", refreshes: 1, do: func(ctx context.Context, o *ours) error {
		o.expire()
		return restarts.do(ctx, o)
	}}
	stepsUp = stage{name: "steps up to whoami", logins: 1, do: func(ctx context.Context, o *ours) error {
		return o.call(ctx, "whoami")
	}}
	outlastsAbsence = stage{name: "keeps the login while the issuer is away", refreshes: 1, do: func(ctx context.Context, o *ours) error {
		o.expire()
		if err := o.f.tap.close(); err != nil {
			return err
		}
		short, cancel := context.WithTimeout(ctx, 20*time.Second)
		defer cancel()
		err := o.call(short, "get_time")
		if err == nil {
			return errors.New("a call got through without the issuer")
		}
		if err := o.f.tap.reopen(ctx); err != nil {
			return err
		}
		o.ahead.Add(int64(time.Minute)) // a failure is not tried again at once
		return o.call(ctx, "get_time")
	}}
	outlastsRevocation = stage{name: "logs in again when the refresh token was revoked", logins: 1, do: func(ctx context.Context, o *ours) error {
		token, id := o.f.tap.issued()
		if token == "" {
			return errors.New("no refresh token was issued")
		}
		k := &keeper{client: id, token: token}
		if err := k.revoke(ctx, o.f.tap.behind()+"/token/revocation"); err != nil {
			return err
		}
		o.expire()
		return o.call(ctx, "get_time")
	}}
	outlastsAmnesia = stage{name: "logs in again when the issuer has forgotten it", logins: 1, registers: true, do: func(ctx context.Context, o *ours) error {
		if err := o.f.restart(ctx); err != nil {
			return err
		}
		o.expire()
		return o.call(ctx, "get_time")
	}}
	learnsOfDenial = stage{name: "learns that the user denied, and may ask again", logins: 1, do: func(ctx context.Context, o *ours) error {
		if err := o.driver.Logout(ctx, o.account); err != nil {
			return err
		}
		o.denies = true
		err := o.call(ctx, "get_time")
		o.denies = false
		if err == nil || !strings.Contains(err.Error(), "access_denied") {
			return fmt.Errorf("the login that the user denied ended with: %w", err)
		}
		return o.driver.Login(ctx, o.account)
	}}
	logsOut = stage{name: "gives its tokens back at log out", do: func(ctx context.Context, o *ours) error {
		if o.session != nil { // closing it sends a request too, which would need a login afterwards
			if err := o.session.Close(); err != nil {
				return err
			}
			o.session = nil
		}
		before := len(o.f.tap.since(0))
		if err := o.driver.Logout(ctx, o.account); err != nil {
			return err
		}
		if s, err := o.driver.Status(ctx, o.account); err != nil || s.LoggedIn {
			return fmt.Errorf("after it: %+v, %w", s, err)
		}
		if revoked := o.f.tap.since(before); !slices.Contains(revoked, "POST /token/revocation 200") {
			return fmt.Errorf("the issuer was asked %q", revoked)
		}
		return nil
	}}
	forgets = stage{name: "logs out where nothing can be revoked", do: func(ctx context.Context, o *ours) error {
		before := len(o.f.tap.since(0))
		if err := o.driver.Logout(ctx, o.account); err != nil {
			return err
		}
		if s, err := o.driver.Status(ctx, o.account); err != nil || s.LoggedIn {
			return fmt.Errorf("after it: %+v, %w", s, err)
		}
		if asked := o.f.tap.since(before); len(asked) != 0 {
			return fmt.Errorf("the issuer was asked %q", asked)
		}
		return nil
	}}
)

// wholeLife is what happens to the client at an issuer that supports everything.
var wholeLife = []stage{
	logsIn, refreshesOnce, restarts, refreshesCold, stepsUp, outlastsAbsence, outlastsRevocation, outlastsAmnesia, learnsOfDenial, logsOut,
}

// configuredLife is the same for an issuer without scopes for resources, without
// revocation, and without a denial that comes back.
var configuredLife = []stage{logsIn, refreshesOnce, restarts, refreshesCold, outlastsAbsence, outlastsAmnesia, forgets}
