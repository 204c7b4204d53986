package attack_test

import (
	"bytes"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stile-oauth/stile/httpdriver"
	"github.com/stile-oauth/stile/httpdriver/bearer"
	"github.com/stile-oauth/stile/httpdriver/devas"
	"github.com/stile-oauth/stile/states"
	"github.com/stile-oauth/stile/storage"
)

// world is one hostile surrounding.
type world struct {
	name string
	// meet is how the driver comes into it; turn is called when the peers turn bad.
	meet meeting
	turn func(*scene)
	want want
}

// want is what must hold in a world, beyond what must hold in all.
type want struct {
	// ends is how the last request ends: "ok", "fault", or "" for either.
	ends string
	// party is whose fault it must be; empty is anybody's.
	party states.Party
	// within is how long it may take, requests how many it may cost and memory how
	// much may be allocated; 0 is the bound that all worlds have.
	within   time.Duration
	requests int
	memory   uint64
	// passes says that the answer is the caller's: what the transport says of it
	// reaches the caller as it is.
	passes bool
	// leaves says that there is no credential afterwards, which is the case after
	// logging out and only then.
	leaves bool
	// also checks what holds in this world alone; it may be nil.
	also func(*scene, error)
}

// The bounds of all worlds. A login has a minute for its own part, and a request that
// meets a challenge afterwards a little more.
const (
	mostTime     = 2 * time.Minute
	mostRequests = 60
	mostMemory   = 64 << 20
	mostError    = 4000
)

// meeting is how a request comes to ask the peers for something.
type meeting struct {
	name string
	do   func(s *scene, turn func()) error
}

var (
	firstLogin = meeting{"first login", func(s *scene, turn func()) error {
		turn()
		return s.post(ping)
	}}
	expired = meeting{"token expired", func(s *scene, turn func()) error {
		s.must(ping)
		time.Sleep(2 * time.Hour)
		turn()
		return s.post(ping)
	}}
	moreScope = meeting{"more scope needed", func(s *scene, turn func()) error {
		s.must(ping)
		turn()
		return s.post(admin)
	}}
	logOut = meeting{"log out", func(s *scene, turn func()) error {
		s.must(ping)
		turn()
		return s.driver.Logout(s.t.Context(), s.account())
	}}
)

// What is posted: something that any token allows, and a call that needs a scope
// that nobody has at first.
const (
	ping  = `{"jsonrpc":"2.0","id":1,"method":"ping"}`
	admin = `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"admin"}}`
)

// scene is a world that is under way.
type scene struct {
	t      *testing.T
	net    *network
	server string // the MCP server's address
	issuer string
	as, rs switchable
	store  storage.Store
	driver *httpdriver.Driver
	client *http.Client

	before *states.Credential // what was stored when the peers turned bad

	log    *told
	seen   *told // what observers print
	trace  *pages
	issued *pages // the issuer's answers
}

// switchable is a server whose handler can be replaced.
type switchable struct {
	mu sync.Mutex
	h  http.Handler
}

func (s *switchable) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	h := s.h
	s.mu.Unlock()
	h.ServeHTTP(w, r)
}

func (s *switchable) wrap(f func(http.Handler) http.Handler) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.h = f(s.h)
}

// pages is a buffer for several writers.
type pages struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (p *pages) Write(b []byte) (int, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.b.Write(b)
}

func (p *pages) Close() error { return nil }

func (p *pages) String() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.b.String()
}

// visit runs a world and judges it.
func visit(t *testing.T, w world) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		s := begin(t)
		defer s.end()
		var m meter
		err := w.meet.do(s, func() {
			s.before = s.record()
			w.turn(s)
			m = s.measure()
		})
		s.judge(w.want, err, m.read())
	})
}

// begin makes an honest world in a bubble of time.
func begin(t *testing.T, change ...func(*httpdriver.Options)) *scene {
	t.Helper()
	s := &scene{t: t, net: &network{}, log: &told{}, seen: &told{}, trace: &pages{}, issued: &pages{}, store: storage.NewMemory()}
	a, r := s.net.listen(), s.net.listen()
	s.issuer, s.server = "http://"+a.addr, "http://"+r.addr+"/mcp"
	ac := devas.DefaultAS(s.issuer)
	ac.AutoConsent, ac.Scopes = true, []string{"user", "admin"}
	as, err := devas.NewAS(ac)
	if err != nil {
		t.Fatal(err)
	}
	rs, err := devas.NewRS(devas.RSConfig{
		Resource: s.server, Issuers: []string{s.issuer}, Scopes: []string{"user"}, Verifier: as.Verifier(),
		Tools: []bearer.ToolScopes{{Tool: "admin", Scopes: []string{"admin"}}},
		MCP:   http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { _, _ = io.Copy(w, r.Body) }),
	})
	if err != nil {
		t.Fatal(err)
	}
	s.as.h, s.rs.h = as, rs
	servers := []*http.Server{s.net.serve("as", a, s.copied(&s.as)), s.net.serve("rs", r, &s.rs)}
	t.Cleanup(func() {
		for _, x := range servers {
			_ = x.Close()
		}
	})
	o := s.options()
	for _, c := range change {
		c(&o)
	}
	s.store = o.Store
	if s.driver, err = httpdriver.New(o); err != nil {
		t.Fatal(err)
	}
	if s.client, err = s.driver.Client(s.account()); err != nil {
		t.Fatal(err)
	}
	return s
}

// options are those of a driver in this world.
func (s *scene) options() httpdriver.Options {
	return httpdriver.Options{
		Store: s.store, Transport: &http.Transport{DialContext: s.net.dial}, Logger: slog.New(s.log),
		Host:   httpdriver.UserAgent(s.follow),
		Policy: httpdriver.Policy{Redirects: []string{"http://127.0.0.1/callback"}},
		Trace:  func(httpdriver.Account) (io.WriteCloser, error) { return s.trace, nil },
		Observe: func(step httpdriver.Step) {
			s.seen.add(fmt.Sprintf("%v %+v %#v", step, step.Result.Effects, step.Input))
		},
	}
}

// end waits, in the bubble's time, until the slowest of the servers has noticed.
func (s *scene) end() {
	_ = s.driver.Close()
	time.Sleep(25 * time.Hour)
}

func (s *scene) account() httpdriver.Account { return httpdriver.Account{Server: s.server} }

// copied keeps what a server answers.
func (s *scene) copied(h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { h.ServeHTTP(&copying{w, s.issued}, r) })
}

type copying struct {
	http.ResponseWriter
	to io.Writer
}

func (c *copying) Write(b []byte) (int, error) {
	if len(b) < 64<<10 {
		_, _ = c.to.Write(append(b[:len(b):len(b)], '\n'))
	}
	return c.ResponseWriter.Write(b)
}

func (c *copying) Unwrap() http.ResponseWriter { return c.ResponseWriter }
