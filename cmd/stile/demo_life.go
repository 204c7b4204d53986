package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/modelcontextprotocol/go-sdk/mcp"

	"github.com/stile-oauth/stile/httpdriver"
	"github.com/stile-oauth/stile/states"
	"github.com/stile-oauth/stile/storage"
)

// life is the run of the demo: acts over one world.
type life struct {
	world  *world
	show   *show
	trace  *tracing
	reopen func() (storage.Store, error)
	host   httpdriver.Host

	driver  *httpdriver.Driver
	session *mcp.ClientSession
}

func (l *life) account() httpdriver.Account { return httpdriver.Account{Server: l.world.resource} }

// live plays the acts. It returns an error if the demo cannot continue; it only shows
// what differs.
func (l *life) live(ctx context.Context) (err error) {
	defer func() {
		if l.driver != nil {
			err = errors.Join(err, l.driver.Close())
		}
	}()
	for _, act := range []func(context.Context) error{l.cold, l.warm, l.expired, l.stepUp, l.restart, l.logout} {
		if err := act(ctx); err != nil {
			return err
		}
	}
	return nil
}

func (l *life) cold(ctx context.Context) error {
	l.show.act(act{
		Title: "A cold start", First: 6,
		Says:   "Nothing is known and nothing is stored. The server refuses the first request, and the refusal starts everything else.",
		Passes: []states.State{states.Anonymous, states.DiscoveringPRM, states.DiscoveringASM, states.Registering, states.Authorizing, states.Exchanging, states.Authorized},
	})
	if err := l.start(ctx); err != nil {
		return err
	}
	tools, err := l.session.ListTools(ctx, nil)
	if err != nil {
		return fmt.Errorf("listing the tools: %w", err)
	}
	names := make([]string, len(tools.Tools))
	for i, t := range tools.Tools {
		names[i] = t.Name
	}
	slices.Sort(names)
	l.show.result("tools: " + strings.Join(names, ", "))
	l.show.check("tools listed", 2, len(names))
	return l.status(ctx, true, demoScope)
}

func (l *life) warm(ctx context.Context) error {
	l.show.act(act{
		Title: "A tool call", First: 1,
		Says:  "The token is valid, so the machine has nothing to do.",
		Never: []states.State{states.Loading, states.Refreshing, states.Authorizing},
	})
	return l.call(ctx, "get_time", nil)
}

func (l *life) expired(ctx context.Context) error {
	l.world.clock.forward(tokenLife + time.Minute)
	l.show.act(act{
		Title: "An expiry and a refresh", First: 2,
		Says:   "The clock is put forward by an hour and a minute. The token is refreshed before the request is sent: lease, reload, mark, send, store, release.",
		Passes: []states.State{states.Leasing, states.Reloading, states.Marking, states.Refreshing, states.Rotating, states.Authorized},
		Never:  []states.State{states.Authorizing, states.Registering},
	})
	if err := l.call(ctx, "get_time", nil); err != nil {
		return err
	}
	return l.status(ctx, true, demoScope)
}

func (l *life) stepUp(ctx context.Context) error {
	l.show.act(act{
		Title: "A step-up", First: 3,
		Says:   "The tool add_note needs the scope " + noteScope + ". The call is refused with 403, the user is asked once more, and the call is sent again.",
		Passes: []states.State{states.StepUp, states.Authorizing, states.Exchanging, states.Authorized},
		Never:  []states.State{states.Registering, states.DiscoveringPRM, states.DiscoveringASM},
	})
	if err := l.call(ctx, "add_note", map[string]any{"text": "over the stile"}); err != nil {
		return err
	}
	return l.status(ctx, true, demoScope, noteScope)
}

func (l *life) restart(ctx context.Context) error {
	l.show.act(act{
		Title: "A restart", First: 1,
		Says:   "The program ends and starts again, with a new driver over the same files, sealed with the same key. The user is not asked.",
		Passes: []states.State{states.Loading, states.Authorized},
		Never:  []states.State{states.Anonymous, states.Authorizing, states.Refreshing},
	})
	l.show.pause(true) // the end of the old session is not part of the act
	err := errors.Join(l.session.Close(), l.driver.Close())
	l.driver = nil
	l.show.pause(false)
	if err != nil {
		return fmt.Errorf("closing: %w", err)
	}
	if err := l.start(ctx); err != nil {
		return err
	}
	return l.call(ctx, "get_time", nil)
}

func (l *life) logout(ctx context.Context) error {
	token, err := l.driver.Token(ctx, l.account())
	if err != nil {
		return err
	}
	l.show.pause(true)
	if err := l.session.Close(); err != nil {
		return fmt.Errorf("closing: %w", err)
	}
	l.show.pause(false)
	l.show.act(act{
		Title:  "Logging out",
		Says:   "The tokens are revoked at their issuer (RFC 7009), then removed from the store. The access token is no longer accepted.",
		Passes: []states.State{states.Recalling, states.Revoking, states.Erasing},
	})
	if err := l.driver.Logout(ctx, l.account()); err != nil {
		return fmt.Errorf("logging out: %w", err)
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, l.world.resource, strings.NewReader(`{"jsonrpc":"2.0","id":1,"method":"ping"}`))
	if err != nil {
		return err
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Accept", "application/json, text/event-stream")
	req.Header.Set("Authorization", "Bearer "+token.AccessToken)
	resp, err := (&wireTap{next: http.DefaultTransport, show: l.show}).RoundTrip(req)
	if err != nil {
		return err
	}
	_ = resp.Body.Close()
	l.show.check("status for a request with the revoked token", http.StatusUnauthorized, resp.StatusCode)
	return l.status(ctx, false)
}

// start makes a driver over the store, as a new process would, and connects.
func (l *life) start(ctx context.Context) error {
	store, err := l.reopen()
	if err != nil {
		return storeFailed(err)
	}
	l.driver, err = httpdriver.New(httpdriver.Options{
		Store: store, Host: l.host, Clock: l.world.clock.Now, Trace: l.trace.open(), Observe: l.show.step,
		Policy: httpdriver.Policy{ClientName: "Stile demo", UserTime: 10 * time.Minute},
	})
	if err != nil {
		return err
	}
	authorized, err := l.driver.Transport(l.account(), &wireTap{next: http.DefaultTransport, show: l.show})
	if err != nil {
		return err
	}
	// A standalone stream for events would only wait: the demo sends one request
	// after the other, so that it can count each.
	l.session, err = mcp.NewClient(&mcp.Implementation{Name: "stile-demo", Version: "1"}, nil).Connect(ctx, &mcp.StreamableClientTransport{
		Endpoint: l.world.resource, DisableStandaloneSSE: true, MaxRetries: -1,
		HTTPClient: &http.Client{Transport: &counter{next: authorized, world: l.world, show: l.show}},
	}, nil)
	if err != nil {
		return fmt.Errorf("connecting: %w", err)
	}
	return nil
}

func (l *life) call(ctx context.Context, tool string, arguments map[string]any) error {
	if arguments == nil {
		arguments = map[string]any{}
	}
	r, err := l.session.CallTool(ctx, &mcp.CallToolParams{Name: tool, Arguments: arguments})
	if err != nil {
		return fmt.Errorf("calling %s: %w", tool, err)
	}
	l.show.check(tool+" succeeded", true, !r.IsError)
	l.show.result(tool + ": " + textOf(r))
	return nil
}

// status compares what the store holds with what it should hold.
func (l *life) status(ctx context.Context, in bool, scopes ...string) error {
	st, err := l.driver.Status(ctx, l.account())
	if err != nil {
		return err
	}
	l.show.check("a credential is stored", in, st.LoggedIn)
	if in {
		l.show.check("scopes", strings.Join(scopes, " "), strings.Join(st.Scopes, " "))
	}
	return nil
}

// textOf is the text of a tool's answer.
func textOf(r *mcp.CallToolResult) string {
	var parts []string
	for _, c := range r.Content {
		if t, ok := c.(*mcp.TextContent); ok {
			parts = append(parts, t.Text)
		}
	}
	return strings.Join(parts, "\n")
}
