package httpdriver_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stile-oauth/stile/fsm/peer"
	"github.com/stile-oauth/stile/httpdriver"
	"github.com/stile-oauth/stile/httpdriver/bearer"
	"github.com/stile-oauth/stile/httpdriver/devas"
	"github.com/stile-oauth/stile/storage"
)

// world is an authorization server and a protected server on loopback, what
// was sent to them, and a store that outlives the drivers made over it.
type world struct {
	AS     *devas.AS
	ASURL  string
	Server string // the MCP server's URL
	RS     http.Handler
	Clock  *clock
	Tap    *tap
	Store  storage.Store

	options httpdriver.Options
	net     *memnet // nil: loopback
	now     map[string]*atomic.Pointer[http.Handler]
	ends    []func()
}

// setup is what a test may change before the world begins.
type setup struct {
	AS     *devas.ASConfig
	RS     *devas.RSConfig
	Driver *httpdriver.Options
	Faults *[]string
	// Wrap stands before the servers: "as" and "rs".
	Wrap map[string]func(http.Handler) http.Handler
}

// begin makes the world. The scopes are user for everything and admin for the
// tool of that name; a token lives an hour.
func begin(change ...func(setup)) (*world, error) { return beginOn(nil, change...) }

// beginOn is begin on a network in memory.
func beginOn(net *memnet, change ...func(setup)) (*world, error) {
	w := &world{Clock: &clock{}, Tap: &tap{}, Store: storage.NewMemory(), net: net, now: map[string]*atomic.Pointer[http.Handler]{}}
	as, asURL := w.listen("as")
	rs, rsURL := w.listen("rs")
	w.ASURL, w.Server = asURL, rsURL+"/mcp"
	ac := devas.DefaultAS(asURL)
	ac.AutoConsent, ac.Scopes, ac.Now = true, []string{"user", "admin"}, w.Clock.Now
	rc := devas.RSConfig{
		Resource: w.Server, Issuers: []string{asURL}, Scopes: []string{"user"},
		Tools: []bearer.ToolScopes{{Tool: "admin", Scopes: []string{"admin"}}},
		MCP:   http.HandlerFunc(echo), Now: w.Clock.Now,
	}
	w.options = httpdriver.Options{Host: httpdriver.UserAgent(follow), Clock: w.Clock.Now}
	var faults []string
	wrap := map[string]func(http.Handler) http.Handler{}
	for _, c := range change {
		c(setup{&ac, &rc, &w.options, &faults, wrap})
	}
	asFaults, rsFaults, err := peer.Side(faults)
	if err != nil {
		return nil, err
	}
	ac.Faults, rc.Faults = append(ac.Faults, asFaults...), append(rc.Faults, rsFaults...)
	if w.AS, err = devas.NewAS(ac); err != nil {
		return nil, err
	}
	if rc.Verifier == nil {
		rc.Verifier = w.AS.Verifier()
	}
	protected, err := devas.NewRS(rc)
	if err != nil {
		return nil, err
	}
	w.RS = protected
	before := func(name string, h http.Handler) http.Handler {
		if f := wrap[name]; f != nil {
			return f(h)
		}
		return h
	}
	as(before("as", w.AS))
	rs(before("rs", protected))
	return w, nil
}

// listen opens an address for a server. It is ready when it has a handler.
func (w *world) listen(name string) (ready func(http.Handler), origin string) {
	current := &atomic.Pointer[http.Handler]{}
	w.now[name] = current
	h := w.Tap.record(name, http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) { (*current.Load()).ServeHTTP(rw, r) }))
	if w.net != nil {
		srv := &http.Server{Handler: h, ErrorLog: slog.NewLogLogger(slog.DiscardHandler, 0), ReadHeaderTimeout: time.Minute}
		ln := w.net.listen("")
		w.ends = append(w.ends, func() { _ = srv.Close() })
		return func(h http.Handler) {
			current.Store(&h)
			go func() { _ = srv.Serve(ln) }()
		}, "http://" + ln.Addr().String()
	}
	s := httptest.NewUnstartedServer(h)
	s.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, 0)
	w.ends = append(w.ends, func() { s.CloseClientConnections(); s.Close() })
	return func(h http.Handler) {
		current.Store(&h)
		s.Start()
	}, "http://" + s.Listener.Addr().String()
}

// swap puts another handler in a server's place.
func (w *world) swap(name string, h http.Handler) { w.now[name].Store(&h) }

// host adds a server that is no part of the usual world, and gives its origin.
func (w *world) host(name string, h http.Handler) string {
	ready, u := w.listen(name)
	ready(h)
	return u
}

func (w *world) end() {
	for i := len(w.ends) - 1; i >= 0; i-- {
		w.ends[i]()
	}
}

// newWorld is begin for tests.
func newWorld(t testing.TB, change ...func(setup)) *world {
	t.Helper()
	w, err := begin(change...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(w.end)
	return w
}

// driver makes a driver over the world's store; each is another process.
func (w *world) driver(t testing.TB, change ...func(*httpdriver.Options)) *httpdriver.Driver {
	t.Helper()
	o := w.options
	if o.Store == nil {
		o.Store = w.Store
	}
	for _, c := range change {
		c(&o)
	}
	d, err := httpdriver.New(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = d.Close() })
	return d
}

func (w *world) account() httpdriver.Account { return httpdriver.Account{Server: w.Server} }

// client is the client of one driver at the world's server.
func (w *world) client(t testing.TB, d *httpdriver.Driver) *http.Client {
	t.Helper()
	c, err := d.Client(w.account())
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// call is one request to the protected server, and must be answered 200.
func (w *world) call(t testing.TB, c *http.Client) {
	t.Helper()
	if status, body, err := w.post(t.Context(), c, ping); err != nil || status != 200 {
		t.Fatalf("status %d, body %q, error %v", status, body, err)
	}
}

// What is posted: something that any token allows, and something for which
// the scope admin is needed.
const (
	ping  = `{"jsonrpc":"2.0","id":1,"method":"ping"}`
	admin = `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"admin"}}`
)

func (w *world) post(ctx context.Context, c *http.Client, body string) (int, string, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, w.Server, strings.NewReader(body))
	if err != nil {
		return 0, "", err
	}
	req.Header.Set("Content-Type", "application/json")
	resp, err := c.Do(req)
	if err != nil {
		return 0, "", err
	}
	defer func() { _ = resp.Body.Close() }()
	b, err := io.ReadAll(resp.Body)
	return resp.StatusCode, string(b), err
}

// echo is what is protected.
func echo(w http.ResponseWriter, r *http.Request) {
	b, _ := io.ReadAll(r.Body)
	_, _ = w.Write(b)
}

// clock is the real one, put forward by hand.
type clock struct{ ahead atomic.Int64 }

func (c *clock) Now() time.Time          { return time.Now().Add(time.Duration(c.ahead.Load())) }
func (c *clock) forward(d time.Duration) { c.ahead.Add(int64(d)) }

// sent is a request as it arrived.
type sent struct {
	To, Method, Path, Query string
	Header                  http.Header
	Body                    string
	User                    bool
}

func (s sent) String() string { return s.Method + " " + s.To + s.Path }

// text is everything of the request that could hold a secret.
func (s sent) text() string {
	var b bytes.Buffer
	b.WriteString(s.Method + " " + s.Path + "?" + s.Query + "\n")
	_ = s.Header.Write(&b)
	b.WriteString("\n" + s.Body)
	return b.String()
}

func (s sent) form(name string) string {
	v, _ := url.ParseQuery(s.Body)
	return v.Get(name)
}

// tap records every request that arrives at any server of a world.
type tap struct {
	mu   sync.Mutex
	came chan struct{} // closed and made anew when a request arrives
	all  []sent
}

func (p *tap) record(name string, h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(io.LimitReader(r.Body, 8<<20))
		if err != nil {
			return // the client went away
		}
		r.Body = io.NopCloser(bytes.NewReader(body))
		p.mu.Lock()
		p.all = append(p.all, sent{
			To: name, Method: r.Method, Path: r.URL.EscapedPath(), Query: r.URL.RawQuery,
			Header: r.Header.Clone(), Body: string(body), User: r.Header.Get("X-User") != "",
		})
		if p.came != nil {
			close(p.came)
			p.came = nil
		}
		p.mu.Unlock()
		h.ServeHTTP(w, r)
	})
}

// requests gives what the driver itself has sent: no user's requests.
func (p *tap) requests() []sent {
	p.mu.Lock()
	defer p.mu.Unlock()
	var out []sent
	for _, s := range p.all {
		if !s.User {
			out = append(out, s)
		}
	}
	return out
}

// reset forgets what was recorded.
func (p *tap) reset() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.all = nil
}

// count says how many requests went to a path of a server.
func (p *tap) count(to, path string) int {
	n := 0
	for _, s := range p.requests() {
		if s.To == to && s.Path == path {
			n++
		}
	}
	return n
}

// grants says how many token requests were made with a grant type.
func (p *tap) grants(kind string) int {
	n := 0
	for _, s := range p.requests() {
		if s.To == "as" && s.Path == "/token" && s.form("grant_type") == kind {
			n++
		}
	}
	return n
}

// await waits until the requests are as ok wants them.
func (p *tap) await(ctx context.Context, ok func() bool) error {
	for {
		p.mu.Lock()
		if p.came == nil {
			p.came = make(chan struct{})
		}
		came := p.came
		p.mu.Unlock()
		if ok() {
			return nil
		}
		select {
		case <-came:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// list tells the requests for a failure message.
func (p *tap) list() string {
	var b strings.Builder
	for _, s := range p.requests() {
		b.WriteString("\n  " + s.String())
	}
	return b.String()
}

// follow is a user agent without a user: it reads Location.
func follow(ctx context.Context, v httpdriver.Visit) (string, error) {
	return followBy(ctx, &http.Transport{DisableKeepAlives: true}, v)
}

func followBy(ctx context.Context, t http.RoundTripper, v httpdriver.Visit) (string, error) {
	c := &http.Client{
		Transport:     t,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, v.URL, nil)
	if err != nil {
		return "", err
	}
	req.Header.Set("X-User", "1")
	resp, err := c.Do(req)
	if err != nil {
		return "", err
	}
	_ = resp.Body.Close()
	location := resp.Header.Get("Location")
	if location == "" {
		return "", errors.New("the user was shown a page and sent nowhere")
	}
	return location, nil
}

// refuse is a user who says no: they come back with access_denied.
func refuse(_ context.Context, v httpdriver.Visit) (string, error) {
	u, err := url.Parse(v.URL)
	if err != nil {
		return "", err
	}
	q := url.Values{"error": {"access_denied"}, "state": {u.Query().Get("state")}, "iss": {v.Issuer}}
	return v.RedirectURI + "?" + q.Encode(), nil
}

// bodyOf reads the body of a request and puts it back.
func bodyOf(r *http.Request) string {
	b, _ := io.ReadAll(r.Body)
	r.Body = io.NopCloser(bytes.NewReader(b))
	return string(b)
}
