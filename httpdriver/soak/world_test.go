//go:build unix

package soak_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stile-oauth/stile/httpdriver"
	"github.com/stile-oauth/stile/httpdriver/devas"
	"github.com/stile-oauth/stile/states"
	"github.com/stile-oauth/stile/states/wire"
	"github.com/stile-oauth/stile/storage"
)

// counts is what the authorization server saw. It is comparable.
type counts struct {
	Refreshes int // refresh tokens exchanged
	Refused   int // refresh requests refused
	Reuse     int // spent refresh tokens that came again
	Overlap   int // refresh tokens that came while they were being exchanged
	Logins    int // codes exchanged
	Codes     int // codes that were refused
	Revoked   int // revocations
}

func (c counts) minus(d counts) counts {
	return counts{
		c.Refreshes - d.Refreshes, c.Refused - d.Refused, c.Reuse - d.Reuse, c.Overlap - d.Overlap,
		c.Logins - d.Logins, c.Codes - d.Codes, c.Revoked - d.Revoked,
	}
}

func (c counts) String() string {
	return fmt.Sprintf("%d refreshes, %d refused, %d reuse, %d overlaps, %d logins", c.Refreshes, c.Refused, c.Reuse, c.Overlap, c.Logins)
}

// world is the two servers, with a counter in front of the authorization server.
type world struct {
	AS     *devas.AS
	ASURL  string
	Server string
	where  where
	tenant string
	ahead  atomic.Int64 // how far ahead of the real clock; the servers and the drivers use that time
	as     *httptest.Server

	mu     sync.Mutex
	n      counts
	open   map[net.Conn]bool // connections to the authorization server
	spent  map[string]bool
	flying map[string]int
	latest string // the refresh token issued last
	newest string // the access token issued last

	// before and after run before and after the server judges a refresh; both may be nil.
	before, after atomic.Pointer[func()]
}

func (w *world) now() time.Time { return time.Now().Add(time.Duration(w.ahead.Load())) }

// newWorld starts the servers. The store is opened by drivers and workers.
func newWorld(t *testing.T, at where, change ...func(*devas.ASConfig)) *world {
	t.Helper()
	w := &world{where: at, tenant: t.Name(), open: map[net.Conn]bool{}, spent: map[string]bool{}, flying: map[string]int{}}
	as, rs := httptest.NewUnstartedServer(nil), httptest.NewUnstartedServer(nil)
	w.as = as
	w.ASURL, w.Server = "http://"+as.Listener.Addr().String(), "http://"+rs.Listener.Addr().String()+"/mcp"
	c := devas.DefaultAS(w.ASURL)
	c.AutoConsent, c.Now, c.RegistrationsPerMinute = true, w.now, 1<<20
	for _, f := range change {
		f(&c)
	}
	var err error
	if w.AS, err = devas.NewAS(c); err != nil {
		t.Fatal(err)
	}
	protected, err := devas.NewRS(devas.RSConfig{
		Resource: w.Server, Issuers: []string{w.ASURL}, Scopes: []string{"user"}, Verifier: w.AS.Verifier(), Now: w.now,
		MCP: http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) { _, _ = io.Copy(rw, r.Body) }),
	})
	if err != nil {
		t.Fatal(err)
	}
	as.Config.Handler, rs.Config.Handler = http.HandlerFunc(w.count), protected
	as.Config.ConnState = func(c net.Conn, s http.ConnState) {
		w.mu.Lock()
		defer w.mu.Unlock()
		if s == http.StateClosed || s == http.StateHijacked {
			delete(w.open, c)
		} else {
			w.open[c] = true
		}
	}
	for _, s := range []*httptest.Server{as, rs} {
		s.Start()
		t.Cleanup(func() { s.CloseClientConnections(); s.Close() })
	}
	return w
}

// count is the authorization server with a counter in front.
func (w *world) count(rw http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(io.LimitReader(r.Body, 1<<20))
	if err != nil {
		return
	}
	r.Body = io.NopCloser(strings.NewReader(string(body)))
	form, _ := url.ParseQuery(string(body))
	token := ""
	if r.URL.Path == "/token" {
		token = form.Get("refresh_token")
	}
	if token != "" {
		w.mu.Lock()
		if w.spent[token] {
			w.n.Reuse++
		}
		if w.flying[token] > 0 {
			w.n.Overlap++
		}
		w.flying[token]++
		w.mu.Unlock()
		call(&w.before)
	}
	got := httptest.NewRecorder()
	w.AS.ServeHTTP(got, r)
	w.judge(r.URL.Path, form, token, got)
	if token != "" {
		call(&w.after)
	}
	for k, v := range got.Header() {
		rw.Header()[k] = v
	}
	rw.WriteHeader(got.Code)
	_, _ = rw.Write(got.Body.Bytes())
}

func call(f *atomic.Pointer[func()]) {
	if p := f.Load(); p != nil {
		(*p)()
	}
}

func (w *world) judge(path string, form url.Values, token string, got *httptest.ResponseRecorder) {
	var doc struct {
		Refresh string `json:"refresh_token"`
		Access  string `json:"access_token"`
	}
	_ = json.Unmarshal(got.Body.Bytes(), &doc)
	w.mu.Lock()
	defer w.mu.Unlock()
	good := got.Code == http.StatusOK
	if good && path == "/token" {
		w.newest = doc.Access
	}
	switch {
	case path == "/revoke" && good:
		w.n.Revoked++
	case path != "/token":
	case token != "":
		w.flying[token]--
		if !good {
			w.n.Refused++
			return
		}
		w.n.Refreshes++
		w.spent[token] = doc.Refresh != token
		w.latest = doc.Refresh
	case form.Get("grant_type") == "authorization_code":
		if !good {
			w.n.Codes++
			return
		}
		w.n.Logins++
		w.latest = doc.Refresh
	}
}

func (w *world) counts() counts {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.n
}

// live is the refresh token that the server issued last.
func (w *world) live() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.latest
}

func (w *world) access() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.newest
}

// quiet waits until the authorization server has handled everything that a process that
// is gone has sent to it. Connections are accepted in the order in which they came, so
// once one of our own has been served, all of the dead process's connections have been
// accepted, and each of them ends when its request has been handled.
func (w *world) quiet(t *testing.T) {
	t.Helper()
	c := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	deadline := time.Now().Add(20 * time.Second)
	for {
		resp, err := c.Get(w.ASURL + "/.well-known/oauth-authorization-server")
		if err != nil {
			t.Fatal(err)
		}
		_ = resp.Body.Close()
		w.mu.Lock()
		n := len(w.open)
		w.mu.Unlock()
		if n == 0 {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("%d connections stay open", n)
		}
		time.Sleep(time.Millisecond)
	}
}

func (w *world) account() httpdriver.Account {
	return httpdriver.Account{Server: w.Server, Tenant: w.tenant}
}

// setting is what a driver of this world needs, here or in another process.
func (w *world) setting() setting {
	return setting{Where: w.where, Server: w.Server, Tenant: w.tenant}
}

// driver makes a driver in this process, on connections of its own.
func (w *world) driver(t *testing.T, s storage.Store, change ...func(*httpdriver.Options)) *httpdriver.Driver {
	t.Helper()
	if s == nil {
		s = w.where.must(t)
	}
	o := httpdriver.Options{Store: s, Host: httpdriver.UserAgent(follow), Clock: w.now}
	for _, f := range change {
		f(&o)
	}
	d, err := httpdriver.New(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = d.Close() })
	return d
}

func lease(d time.Duration) func(*httpdriver.Options) {
	return func(o *httpdriver.Options) { o.Policy.LeaseTime = d }
}

// login makes the first credential and resets the counters.
func (w *world) login(t *testing.T, s storage.Store) {
	t.Helper()
	d := w.driver(t, s)
	if err := request(t.Context(), d, w.account()); err != nil {
		t.Fatalf("the first login: %v", err)
	}
	_ = d.Close()
	w.mu.Lock()
	w.n = counts{}
	w.mu.Unlock()
}

// expire moves everybody's clock forward until no token is valid.
func (w *world) expire() { w.ahead.Add(int64(2 * time.Hour)) }

// record reads the credential as it is stored.
func (w *world) record(t *testing.T, s storage.Store) (*states.Credential, states.Generation) {
	t.Helper()
	e, err := s.Get(t.Context(), w.key())
	if err != nil {
		t.Fatalf("the credential is not readable: %v", err)
	}
	c, err := states.DecodeCredential(wire.Secret(e.Value))
	if err != nil {
		t.Fatalf("the credential is not readable: %v", err)
	}
	return c, e.Generation
}

func (w *world) key() states.Key {
	return states.Key{Kind: states.KindCredential, Tenant: w.tenant, Name: w.Server}
}

// request sends one request to the protected server, which must answer 200.
func request(ctx context.Context, d *httpdriver.Driver, a httpdriver.Account) error {
	c, err := d.Client(a)
	if err != nil {
		return err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, a.Server, strings.NewReader(`{"jsonrpc":"2.0","id":1,"method":"ping"}`))
	if err != nil {
		return err
	}
	resp, err := c.Do(req)
	if err != nil {
		return err
	}
	defer func() { _ = resp.Body.Close() }()
	_, _ = io.Copy(io.Discard, resp.Body)
	if resp.StatusCode != http.StatusOK {
		return errors.New(resp.Status)
	}
	return nil
}

// persist repeats a request that had a transient failure, as a person would; the number
// of repetitions is bounded.
func persist(ctx context.Context, d *httpdriver.Driver, a httpdriver.Account) (failures int, err error) {
	for failures = range 20 {
		if err = request(ctx, d, a); err == nil {
			return failures, nil
		}
		time.Sleep(300 * time.Millisecond)
	}
	return failures, err
}

// follow acts as a browser without a user.
func follow(ctx context.Context, v httpdriver.Visit) (string, error) {
	c := &http.Client{
		Transport:     &http.Transport{DisableKeepAlives: true},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, v.URL, nil)
	if err != nil {
		return "", err
	}
	resp, err := c.Do(req)
	if err != nil {
		return "", err
	}
	_ = resp.Body.Close()
	if l := resp.Header.Get("Location"); l != "" {
		return l, nil
	}
	return "", errors.New("sent nowhere: " + resp.Status)
}
