//go:build unix

package soak_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"path"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stile-oauth/stile/httpdriver"
	"github.com/stile-oauth/stile/states"
	"github.com/stile-oauth/stile/states/wire"
	"github.com/stile-oauth/stile/storage"
)

// crowd is an issuer and some MCP servers that can tell from each token whose it is: a
// token is "kind.server.subject.n", and a request says who it is from.
type crowd struct {
	issuer  *httptest.Server
	servers []*httptest.Server
	own     bool // the accounts are a client's own (client credentials), each at a resource of its own

	mu        sync.Mutex
	spent     map[string]bool
	refreshes int
	reuse     int
	crossed   []string
}

func newCrowd(t testing.TB, n int) *crowd {
	c := &crowd{spent: map[string]bool{}}
	c.issuer = httptest.NewServer(http.HandlerFunc(c.token))
	for i := range n {
		c.servers = append(c.servers, httptest.NewServer(c.protect(fmt.Sprint("s", i))))
	}
	for _, s := range append([]*httptest.Server{c.issuer}, c.servers...) {
		t.Cleanup(func() { s.CloseClientConnections(); s.Close() })
	}
	return c
}

// token replaces a refresh token with its successor.
func (c *crowd) token(w http.ResponseWriter, r *http.Request) {
	if c.own {
		c.ownToken(w, r)
		return
	}
	given := r.PostFormValue("refresh_token")
	p := strings.Split(given, ".")
	c.mu.Lock()
	c.refreshes++
	if len(p) != 4 || c.spent[given] {
		c.reuse++
	}
	c.spent[given] = true
	c.mu.Unlock()
	if len(p) != 4 {
		http.Error(w, "no", http.StatusBadRequest)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	next := p[1] + "." + p[2] + "." + p[3] + "x"
	_, _ = fmt.Fprintf(w, `{"access_token":"at.%s","token_type":"Bearer","expires_in":3600,"refresh_token":"rt.%s"}`, next, next)
}

// robot is the client to which the accounts belong.
var robot = states.Configured{ID: "robot", Secret: "of-the-robot", Method: wire.MethodBasic}

// ownToken gives the client a token for a resource. A second request for one counts as
// reuse.
func (c *crowd) ownToken(w http.ResponseWriter, r *http.Request) {
	resource := r.PostFormValue("resource")
	id, secret, _ := r.BasicAuth()
	good := r.PostFormValue("grant_type") == string(states.OwnGrant) && resource != "" && id == robot.ID && secret == robot.Secret.Reveal()
	c.mu.Lock()
	c.refreshes++
	if !good || c.spent[resource] {
		c.reuse++
	}
	c.spent[resource] = true
	c.mu.Unlock()
	if !good {
		http.Error(w, "no", http.StatusBadRequest)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	_, _ = fmt.Fprintf(w, `{"access_token":"own.%s","token_type":"Bearer","expires_in":3600}`, path.Base(resource))
}

// counts gives how many refreshes there were, and how many with a spent token.
func (c *crowd) counts() (refreshes, reuse int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.refreshes, c.reuse
}

// protect lets in every request with the sender's own token for this server.
func (c *crowd) protect(name string) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		who := r.Header.Get("X-Account")
		p := strings.Split(r.Header.Get("Authorization"), ".")
		if len(p) != 4 || p[0] != "Bearer at" || p[1] != name || p[2] != who || !strings.HasSuffix(p[3], "x") {
			c.mu.Lock()
			c.crossed = append(c.crossed, name+" "+who+" with "+strings.Join(p, "."))
			c.mu.Unlock()
		}
	})
}

// account is the account of the i-th user, at one of the servers.
func (c *crowd) account(i int) (a httpdriver.Account, who, server string) {
	n := i % len(c.servers)
	who = fmt.Sprint("u", i/len(c.servers))
	a = httpdriver.Account{
		Server: c.servers[n].URL + "/mcp", Tenant: fmt.Sprint("t", i%7), Subject: who, Name: []string{"", "work"}[i%2],
	}
	if c.own {
		a.Server += fmt.Sprint("/", i)
	}
	return a, who, fmt.Sprint("s", n)
}

// settle stores an expired credential for each account.
func (c *crowd) settle(t testing.TB, store storage.Store, n int) {
	t.Helper()
	for i := range n {
		a, who, server := c.account(i)
		rec := states.Credential{Version: states.RecordVersion, Current: &states.Token{
			Generation: 1, AccessToken: wire.Secret("at." + server + "." + who + ".0"), Type: "Bearer",
			RefreshToken: wire.Secret("rt." + server + "." + who + ".0"),
			Received:     time.Now().Add(-2 * time.Hour), Expires: time.Now().Add(-time.Hour), Granted: []string{"user"},
			Server: wire.ASM{Issuer: c.issuer.URL, TokenEndpoint: c.issuer.URL + "/token"},
			Client: wire.Client{ID: "host", Method: wire.MethodNone}, Resource: a.Server,
		}}
		if t := rec.Current; c.own {
			t.Grant, t.RefreshToken = states.OwnGrant, ""
			t.Client = wire.Client{ID: robot.ID, Secret: robot.Secret, Method: robot.Method}
		}
		b, err := states.Encode(rec)
		if err != nil {
			t.Fatal(err)
		}
		k := states.Key{Kind: states.KindCredential, Tenant: a.Tenant, Subject: a.Subject, Account: a.Name, Name: a.Server}
		if _, err := store.Put(t.Context(), k, []byte(b.Reveal()), 0, time.Time{}); err != nil {
			t.Fatal(err)
		}
	}
}

// TestCrowd: one driver has many users at many servers, whose accounts are made on
// demand and released. Each request carries the token of its own account, and each
// credential is refreshed once.
func TestCrowd(t *testing.T) { throng(t, 200, 2) }

func throng(t *testing.T, accounts, rounds int) {
	c := newCrowd(t, 5)
	store := storage.NewMemory()
	c.settle(t, store, accounts)
	d, err := httpdriver.New(httpdriver.Options{
		Store: store, IdleBytes: 64 << 10, Host: httpdriver.UserAgent(func(context.Context, httpdriver.Visit) (string, error) {
			t.Error("a login was asked for")
			return "", context.Canceled
		}),
	})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = d.Close() }()
	var made atomic.Int64
	var wg sync.WaitGroup
	for worker := range 8 {
		wg.Go(func() {
			for i := range accounts * rounds {
				// Each worker has its own order, so several workers meet at an account.
				if err := c.call(t.Context(), d, (i*31+worker*17)%accounts); err != nil {
					t.Error(err)
					return
				}
				made.Add(1)
			}
		})
	}
	wg.Wait()
	runtime.GC()
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.refreshes != accounts || c.reuse > 0 || len(c.crossed) > 0 {
		t.Errorf("%d refreshes of %d credentials, %d of them with a spent token, %d requests with another's: %v",
			c.refreshes, accounts, c.reuse, len(c.crossed), first(c.crossed))
	}
	t.Logf("%s: %d accounts at %d servers, %d requests: %d refreshes, %d reuse, %d crossed",
		t.Name(), accounts, len(c.servers), made.Load(), c.refreshes, c.reuse, len(c.crossed))
}

func (c *crowd) call(ctx context.Context, d *httpdriver.Driver, i int) error {
	a, who, _ := c.account(i)
	client, err := d.Client(a)
	if err != nil {
		return err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, a.Server, strings.NewReader("{}"))
	if err != nil {
		return err
	}
	req.Header.Set("X-Account", who)
	resp, err := client.Do(req)
	if err != nil {
		return err
	}
	_, _ = io.Copy(io.Discard, resp.Body)
	return resp.Body.Close()
}
