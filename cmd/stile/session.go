package main

import (
	"context"
	"errors"
	"net/http"
	"slices"

	"github.com/modelcontextprotocol/go-sdk/mcp"

	"github.com/stile-oauth/stile/httpdriver/version"
)

// connect opens an MCP session over the driver: by Streamable HTTP or, if the server
// does not accept that, by the HTTP+SSE of 2024-11-05. It returns the context of the
// session. Its error is explained.
func (c *client) connect(ctx context.Context) (context.Context, *mcp.ClientSession, error) {
	hc, err := c.driver.Client(c.account)
	if err != nil {
		return ctx, nil, err
	}
	ctx = c.patience.waiting(ctx)
	hc.Transport = &exchanges{next: hc.Transport, c: c, session: ctx}
	m := mcp.NewClient(&mcp.Implementation{Name: "stile", Version: version.Get().Module}, nil)
	s, err := m.Connect(ctx, &mcp.StreamableClientTransport{
		Endpoint: c.server, HTTPClient: hc, DisableStandaloneSSE: true, MaxRetries: -1,
	}, nil)
	if err == nil {
		return ctx, s, nil
	}
	first := c.mcpFailure(ctx, "connecting to "+c.server, err)
	if !c.mayBeSSE(ctx) {
		return ctx, nil, first
	}
	s, err = m.Connect(ctx, &mcp.SSEClientTransport{Endpoint: c.server, HTTPClient: hc}, nil)
	if err == nil {
		return ctx, s, nil
	}
	if c.authFault() != nil || c.speaksSSE() || ctx.Err() != nil {
		return ctx, nil, c.mcpFailure(ctx, "connecting to "+c.server+" by HTTP+SSE", err)
	}
	return ctx, nil, first
}

// mayBeSSE reports whether a server refused Streamable HTTP in a way after which
// clients should try HTTP+SSE (MCP 2025-03-26 and later, transports, "Backwards
// Compatibility").
func (c *client) mayBeSSE(ctx context.Context) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	refused := []int{http.StatusBadRequest, http.StatusNotFound, http.StatusMethodNotAllowed}
	return ctx.Err() == nil && c.fault == nil && c.unreachable == nil && !c.answer.needsTLS &&
		c.answer.method == http.MethodPost && slices.Contains(refused, c.answer.status)
}

// speaksSSE reports whether the server answered a request for a stream of events with
// one.
func (c *client) speaksSSE() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.sse
}

// withSession runs do in an MCP session with a server. doing describes do, for errors.
func (f *accountFlags) withSession(ctx context.Context, a *app, url, doing string, do func(context.Context, *mcp.ClientSession) error) (err error) {
	c, err := f.openWith(ctx, a, url, f.openOrCreate, nil)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, c.close()) }()
	defer c.patience.stop()
	session, s, err := c.connect(ctx)
	if err != nil {
		return c.explain(ctx, f, err)
	}
	var own *failure
	if err = do(session, s); err != nil && !errors.As(err, &own) {
		err = c.mcpFailure(session, doing, err)
	}
	if e := s.Close(); err == nil && e != nil && !errors.Is(e, http.ErrServerClosed) {
		a.notice("The session was not closed: " + a.secrets.mask(e.Error()))
	}
	if err != nil {
		err = c.explain(ctx, f, err)
	}
	return err
}
