package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/modelcontextprotocol/go-sdk/mcp"

	"github.com/stile-oauth/stile/httpdriver"
	"github.com/stile-oauth/stile/httpdriver/bearer"
	"github.com/stile-oauth/stile/httpdriver/devas"
)

// The scopes of the demo: the first is needed for everything, the second for
// one tool.
const (
	demoScope = "user"
	noteScope = "notes:write"
	tokenLife = time.Hour
)

// demoClock is the time of the demo's servers and of its client.
type demoClock struct {
	mu    sync.Mutex
	ahead time.Duration
}

func (c *demoClock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return time.Now().Add(c.ahead)
}

func (c *demoClock) forward(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.ahead += d
}

// world is the two servers of the demo, with a counter of requests in front.
type world struct {
	clock    demoClock
	issuer   string
	resource string

	mu    sync.Mutex
	count int

	stop context.CancelFunc
	done chan error
}

func newWorld(ctx context.Context, autoConsent bool) (*world, error) {
	w := &world{done: make(chan error, 2)}
	var lns [2]net.Listener
	for i := range lns {
		ln, err := devas.Listen("127.0.0.1:0")
		if err != nil {
			return nil, err
		}
		lns[i] = ln
	}
	w.issuer = "http://" + lns[0].Addr().String()
	w.resource = "http://" + lns[1].Addr().String() + "/mcp"

	ac := devas.DefaultAS(w.issuer)
	ac.AutoConsent, ac.Now, ac.AccessTokenTTL = autoConsent, w.clock.Now, tokenLife
	ac.Scopes, ac.DefaultScopes = []string{demoScope, noteScope}, []string{demoScope}
	as, err := devas.NewAS(ac)
	if err != nil {
		return nil, err
	}
	rs, err := devas.NewRS(devas.RSConfig{
		Resource: w.resource, Issuers: []string{w.issuer}, Verifier: as.Verifier(), Scopes: []string{demoScope},
		Tools: []bearer.ToolScopes{{Tool: "add_note", Scopes: []string{noteScope}}},
		MCP:   newNotebook(w.clock.Now), Now: w.clock.Now,
	})
	if err != nil {
		return nil, err
	}
	ctx, w.stop = context.WithCancel(ctx)
	go func() { w.done <- devas.Serve(ctx, lns[0], w.counted(as, browserPath)) }()
	go func() { w.done <- devas.Serve(ctx, lns[1], w.counted(rs, func(string) bool { return false })) }()
	return w, nil
}

func (w *world) close() error {
	w.stop()
	return errors.Join(<-w.done, <-w.done)
}

// browserPath recognises the requests of a browser, which are not the client's.
func browserPath(path string) bool {
	return !strings.HasPrefix(path, "/.well-known/") && !slices.Contains([]string{"/register", "/token", "/revoke", "/introspect"}, path)
}

// counted counts the client's HTTP requests as they arrive.
func (w *world) counted(h http.Handler, skip func(path string) bool) http.Handler {
	return http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		if !skip(r.URL.Path) {
			w.mu.Lock()
			w.count++
			w.mu.Unlock()
		}
		h.ServeHTTP(rw, r)
	})
}

// requests is how many HTTP requests of the client have arrived so far.
func (w *world) requests() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.count
}

type noteInput struct {
	Text string `json:"text" jsonschema:"what to write down"`
}

type noteOutput struct {
	Notes int `json:"notes" jsonschema:"how many notes there are now"`
}

type timeOutput struct {
	Time string `json:"time" jsonschema:"the time now, RFC 3339"`
}

// newNotebook is the MCP server that the demo protects.
func newNotebook(now func() time.Time) http.Handler {
	var (
		mu    sync.Mutex
		notes []string
	)
	s := mcp.NewServer(&mcp.Implementation{Name: "stile demo notebook", Version: "1"}, nil)
	mcp.AddTool(s, &mcp.Tool{Name: "get_time", Description: "The time of the demo."},
		func(context.Context, *mcp.CallToolRequest, struct{}) (*mcp.CallToolResult, timeOutput, error) {
			return nil, timeOutput{Time: now().UTC().Format(time.RFC3339)}, nil
		})
	mcp.AddTool(s, &mcp.Tool{Name: "add_note", Description: "Write something down; needs the scope " + noteScope + "."},
		func(_ context.Context, _ *mcp.CallToolRequest, in noteInput) (*mcp.CallToolResult, noteOutput, error) {
			mu.Lock()
			defer mu.Unlock()
			if len(notes) < 100 {
				notes = append(notes, in.Text)
			}
			return nil, noteOutput{Notes: len(notes)}, nil
		})
	return mcp.NewStreamableHTTPHandler(func(*http.Request) *mcp.Server { return s },
		&mcp.StreamableHTTPOptions{SessionTimeout: time.Hour})
}

// followOnce is a browser without a user: the demo's authorization server gives
// consent automatically and redirects at once.
func followOnce(ctx context.Context, v httpdriver.Visit) (string, error) {
	browser := &http.Client{
		Transport:     &http.Transport{DisableKeepAlives: true},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, v.URL, nil)
	if err != nil {
		return "", errors.New("the authorization request is not a URL")
	}
	resp, err := browser.Do(req)
	if err != nil {
		return "", errors.New("the authorization endpoint did not answer")
	}
	_ = resp.Body.Close()
	location, err := resp.Location()
	if err != nil {
		return "", fmt.Errorf("the authorization endpoint answered %s and redirected nowhere", resp.Status)
	}
	return location.String(), nil
}
