package main

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/httputil"
	"net/url"
	"strconv"
	"strings"
	"sync"

	"github.com/stile-oauth/stile/httpdriver/devas"
)

// tap is a proxy in front of an authorization server, at the address by which the server
// is known. It notes the requests, keeps the address while the server behind it is
// restarted on another port, and can be closed, as if the server had died.
type tap struct {
	mu     sync.Mutex
	target *url.URL
	seen   []string
	// refresh is the refresh token that was issued last, and client is its client.
	refresh, client string
	// signed and unsigned count the token requests with and without an assertion of the
	// client.
	signed, unsigned int

	addr string
	stop func() error
}

// open listens on a free port of 127.0.0.1 and gives the origin.
func (t *tap) open(ctx context.Context) (string, error) {
	t.addr = "127.0.0.1:0"
	if err := t.reopen(ctx); err != nil {
		return "", err
	}
	return "http://" + t.addr, nil
}

// reopen listens again where the tap listened before.
func (t *tap) reopen(ctx context.Context) error {
	ln, err := devas.Listen(t.addr)
	if err != nil {
		return err
	}
	t.addr = ln.Addr().String()
	ctx, cancel := context.WithCancel(context.WithoutCancel(ctx))
	done := make(chan error, 1)
	go func() { done <- devas.Serve(ctx, ln, t) }()
	t.stop = func() error { cancel(); return <-done }
	return nil
}

// close stops listening, as if the server were away. It may be called twice.
func (t *tap) close() error {
	if t.stop == nil {
		return nil
	}
	stop := t.stop
	t.stop = nil
	return stop()
}

// lead makes the tap forward requests to an origin.
func (t *tap) lead(origin string) error {
	u, err := url.Parse(origin)
	if err != nil {
		return err
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.target = u
	return nil
}

// behind is the origin to which requests are forwarded.
func (t *tap) behind() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.target.String()
}

// issued gives the refresh token that was issued last, and its client.
func (t *tap) issued() (token, client string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.refresh, t.client
}

// assertions counts the token requests with and without an assertion of the client.
func (t *tap) assertions() (signed, unsigned int) {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.signed, t.unsigned
}

// since gives the requests after the first n.
func (t *tap) since(n int) []string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return append([]string(nil), t.seen[n:]...)
}

// ServeHTTP forwards a request and notes it.
func (t *tap) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	t.mu.Lock()
	target := t.target
	t.mu.Unlock()
	body, err := io.ReadAll(io.LimitReader(r.Body, 1<<20))
	if err != nil {
		http.Error(w, "the body cannot be read", http.StatusBadRequest)
		return
	}
	r.Body = io.NopCloser(bytes.NewReader(body))
	form, _ := url.ParseQuery(string(body)) // empty if it is not a form
	proxy := &httputil.ReverseProxy{
		Rewrite: func(p *httputil.ProxyRequest) {
			p.SetURL(target)
			p.Out.Host = p.In.Host
		},
		ErrorLog:       slog.NewLogLogger(slog.DiscardHandler, slog.LevelError), // the answer to the client says enough
		ModifyResponse: func(resp *http.Response) error { return t.note(resp, r, form) },
	}
	proxy.ServeHTTP(w, r)
}

func (t *tap) note(resp *http.Response, r *http.Request, form url.Values) error {
	words := []string{r.Method, r.URL.Path}
	grant := form.Get("grant_type")
	if grant != "" {
		words = append(words, grant)
	}
	var issued struct {
		Refresh string `json:"refresh_token"`
	}
	if grant != "" && resp.StatusCode == http.StatusOK {
		body, err := io.ReadAll(io.LimitReader(resp.Body, 1<<20))
		if err != nil {
			return err
		}
		_ = resp.Body.Close()
		resp.Body = io.NopCloser(bytes.NewReader(body))
		_ = json.Unmarshal(body, &issued) // the client has to judge it
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	switch {
	case grant == "":
	case form.Get("client_assertion") != "":
		t.signed++
	default:
		t.unsigned++
	}
	t.seen = append(t.seen, strings.Join(append(words, strconv.Itoa(resp.StatusCode)), " "))
	if issued.Refresh != "" {
		t.refresh, t.client = issued.Refresh, form.Get("client_id")
	}
	return nil
}
