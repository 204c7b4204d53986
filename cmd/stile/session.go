package main

import (
	"context"
	"errors"
	"net/http"

	"github.com/modelcontextprotocol/go-sdk/mcp"
)

// connect opens an MCP session over the driver. The context that it gives is
// that of the session.
func (c *client) connect(ctx context.Context) (context.Context, *mcp.ClientSession, error) {
	hc, err := c.driver.Client(c.account)
	if err != nil {
		return ctx, nil, err
	}
	ctx = c.patience.waiting(ctx)
	hc.Transport = &witness{next: hc.Transport, c: c, session: ctx}
	s, err := mcp.NewClient(&mcp.Implementation{Name: "stile", Version: "1"}, nil).Connect(ctx, &mcp.StreamableClientTransport{
		Endpoint: c.server, HTTPClient: hc, DisableStandaloneSSE: true, MaxRetries: -1,
	}, nil)
	return ctx, s, c.unanswered(ctx, "connecting to "+c.server, err)
}

// withSession runs do in an MCP session with a server.
func (f *accountFlags) withSession(ctx context.Context, a *app, url string, do func(context.Context, *mcp.ClientSession) error) (err error) {
	c, err := f.open(ctx, a, url)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, c.close()) }()
	defer c.patience.stop()
	session, s, err := c.connect(ctx)
	if err != nil {
		if f := c.authFault(); f != nil {
			err = f
		} else if session.Err() == nil {
			err = c.sentElsewhere(c.notConnected(err))
		}
		return c.explain(ctx, f, err)
	}
	err = c.unanswered(session, "waiting for "+c.server, do(session, s))
	if f := c.authFault(); err != nil && f != nil {
		err = f
	}
	if e := s.Close(); err == nil && e != nil && !errors.Is(e, http.ErrServerClosed) {
		a.notice("the session was not closed: " + e.Error())
	}
	if err != nil {
		err = c.explain(ctx, f, err)
	}
	return err
}
