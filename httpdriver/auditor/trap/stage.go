package trap

import (
	"bytes"
	"io"
	"log"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/stile-oauth/stile/fsm/audit"
	"github.com/stile-oauth/stile/fsm/peer"
	"github.com/stile-oauth/stile/httpdriver/devas"
	"github.com/stile-oauth/stile/states/wire"
)

// maxKept bounds how much of a body is kept as evidence.
const maxKept = 64 << 10

// stage is the set of servers of one trap: two issuers, the MCP server, and a canary to
// which no client has a reason to connect.
type stage struct {
	trap     audit.Trap
	began    time.Time
	offset   atomic.Int64 // how far the servers' clock is ahead, in nanoseconds
	roles    map[string]string
	resource string
	issuer   string
	servers  []*http.Server
	client   *http.Client
	handler  map[string]*atomic.Pointer[http.Handler] // by role, to be exchanged
	other    string
	canary   string
	second   string // another MCP server of the issuer
	tls      string
	mode     // how the client is known to the issuers

	last clock // when a request came last

	mu        sync.Mutex // guards all below
	forged    bool
	expired   map[string]bool // tokens that were let expire while the client ran
	swapped   bool            // a user was sent to the issuer
	run       int
	fails     []string // what the next refreshes get
	failsCode []string // what the next exchanges get
	failsPoll []string // what the next polls get
	all       []audit.Exchange
	runs      []audit.Run
	aliases   map[string]alias
	issuedIDs map[string]bool // the clients that registered
	groups    []int           // the process groups of the client
	kill      func()          // ends the client's processes
	crashed   int             // the start in which it was killed
	arguments []string        // kinds of secret that stood in the arguments of a process
	gathered  chan struct{}   // closed by the second request of those that are waited for
	met       bool            // gathered is closed
}

func newStage(t audit.Trap, m mode) (*stage, error) {
	s := &stage{trap: t, began: time.Now(), roles: map[string]string{}, expired: map[string]bool{}, aliases: map[string]alias{}, issuedIDs: map[string]bool{}, handler: map[string]*atomic.Pointer[http.Handler]{}, run: 1, fails: t.FailRefresh, failsCode: t.FailExchange, failsPoll: t.FailPoll}
	s.mode = m
	s.client = &http.Client{Timeout: 10 * time.Second, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	at := map[string]string{}
	for _, role := range []string{audit.RoleIssuer, audit.RoleOther, audit.RoleResource, audit.RoleSecond, audit.RoleCanary, audit.RoleTLS} {
		origin, err := s.listen(role)
		if err != nil {
			s.close()
			return nil, err
		}
		at[role] = origin
	}
	s.issuer, s.other, s.canary, s.resource = at[audit.RoleIssuer], at[audit.RoleOther], at[audit.RoleCanary], at[audit.RoleResource]+"/mcp"
	s.second, s.tls = at[audit.RoleSecond]+"/mcp", at[audit.RoleTLS]
	s.issuer += t.IssuerPath
	if t.Beside {
		s.second = at[audit.RoleResource] + besidePath
	}
	s.install(audit.RoleCanary, s.strange())
	s.install(audit.RoleTLS, http.NotFoundHandler())
	if err := s.build(t, false); err != nil {
		s.close()
		return nil, err
	}
	return s, nil
}

// listen opens a loopback port for a role. Its handler is installed later.
func (s *stage) listen(role string) (origin string, err error) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	origin = "http://" + ln.Addr().String()
	if role == audit.RoleTLS {
		if ln, err = unsigned(ln); err != nil {
			return "", err
		}
		origin = "https://" + ln.Addr().String()
	}
	p := &atomic.Pointer[http.Handler]{}
	s.handler[role], s.roles[origin] = p, role
	server := &http.Server{ReadHeaderTimeout: 10 * time.Second, ErrorLog: log.New(io.Discard, "", 0), Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodConnect || r.URL.IsAbs() {
			s.proxied(origin, w, r)
			return
		}
		if h := p.Load(); h != nil {
			s.record(origin, *h, w, r)
			return
		}
		http.NotFound(w, r)
	})}
	s.servers = append(s.servers, server)
	go func() { _ = server.Serve(ln) }()
	return origin, nil
}

func (s *stage) install(role string, h http.Handler) { s.handler[role].Store(&h) }

// now is the servers' clock.
func (s *stage) now() time.Time { return time.Now().Add(time.Duration(s.offset.Load())) }

func (s *stage) advance(d time.Duration) { s.offset.Add(int64(d)) }

// build makes the servers. moved says that the MCP server now names the other issuer.
func (s *stage) build(t audit.Trap, moved bool) error {
	as, rs, err := peer.Side(t.Faults)
	if err != nil {
		return err
	}
	issuers := []string{s.issuer}
	if moved {
		issuers = []string{s.other}
	}
	for role, issuer := range map[string]string{audit.RoleIssuer: s.issuer, audit.RoleOther: s.other} {
		if moved && role == audit.RoleIssuer {
			continue // it goes on as it is
		}
		c := devas.DefaultAS(issuer)
		c.AutoConsent, c.CIMD, c.Faults, c.Now = true, false, nil, s.now
		c.NoRefresh = t.NoRefresh
		c.DPoP, c.DPoPNonces = s.possession()
		if t.StepUp {
			c.Scopes = append(c.Scopes, audit.StepScope)
		}
		if role == audit.RoleIssuer {
			c.Faults = as
		}
		if t.TokenLife > 0 {
			c.AccessTokenTTL = t.TokenLife
		}
		server, err := devas.NewAS(c)
		if err != nil {
			return err
		}
		s.install(role, server)
		if issuer == issuers[0] {
			protected, err := devas.NewRS(devas.RSConfig{Resource: s.resource, Issuers: issuers, Scopes: []string{"user"}, AllowMissingAudience: true, Faults: rs, Now: s.now, Verifier: server.Verifier(), DPoP: c.DPoP, DPoPNonces: c.DPoPNonces})
			if err != nil {
				return err
			}
			second, err := devas.NewRS(devas.RSConfig{Resource: s.second, Issuers: issuers, Scopes: []string{"user"}, AllowMissingAudience: true, Now: s.now, Verifier: server.Verifier()})
			if err != nil {
				return err
			}
			if t.Beside {
				s.install(audit.RoleResource, sharing(protected, second))
				continue
			}
			s.install(audit.RoleResource, s.redirected(s.luring(s.demanding(s.misplaced(protected)))))
			s.install(audit.RoleSecond, second)
		}
	}
	return nil
}

// move lets the MCP server name the other issuer.
func (s *stage) move() { _ = s.build(s.trap, true) }

// begin says which start of the client the next requests belong to.
func (s *stage) begin(run int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.run = run
}

func (s *stage) close() {
	for _, server := range s.servers {
		_ = server.Close()
	}
	s.client.CloseIdleConnections()
}

// record answers a request and keeps both as evidence.
func (s *stage) record(origin string, h http.Handler, w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(io.LimitReader(r.Body, 1<<20))
	r.Body = io.NopCloser(bytes.NewReader(body))
	x := audit.Exchange{At: time.Since(s.began), Request: wire.Request{Method: r.Method, URL: origin + r.URL.RequestURI(), Header: fields(r.Header), Body: body}}
	at := s.add(x)
	if r.Header.Get("Authorization") != "" || bytes.Contains(body, []byte("refresh_token=")) {
		s.lookAtArguments(true)
	}
	k := &keeper{ResponseWriter: w, begins: func(status int) { s.used(origin, r, status) }}
	s.gather(r.Context(), body)
	s.adopt(origin, h, r, body)
	switch how := s.failing(body); {
	case s.killing(body):
		s.lose(at, h, r)
	case how == "lost":
		s.lose(at, h, r)
	case how != "":
		s.fail(k, how)
	case s.silent(body):
		s.end(at, nil, audit.AnswerAwaited)
		<-r.Context().Done() // the client gives up or is stopped
		s.end(at, nil, audit.AnswerAwaited)
		panic(http.ErrAbortHandler)
	case s.endless(origin, r, body):
		if endless(k) {
			s.end(at, &wire.Response{Status: http.StatusOK}, audit.EndlessRead)
			return
		}
	case s.keyed(k, r, body):
		s.serve(origin, h, k, r)
	}
	s.answer(at, k.response())
}

// elsewhere is the host that the peers' faults name. It does not exist, so the canary
// replaces it.
const elsewhere = "https://elsewhere.example"

// serve answers a request. In metadata, registrations and token answers the
// host that the faults name becomes the canary's.
func (s *stage) serve(origin string, h http.Handler, k *keeper, r *http.Request) {
	if s.trap.Cookies {
		http.SetCookie(k, &http.Cookie{Name: "stile-audit", Value: "stile-audit-cookie", Path: "/"})
	}
	if s.roles[origin] == audit.RoleResource && !strings.HasPrefix(r.URL.Path, "/.well-known/") && r.Header.Get("Authorization") != "" {
		h.ServeHTTP(k, r)
		return
	}
	b := &buffered{header: http.Header{}, status: http.StatusOK}
	h.ServeHTTP(b, r)
	s.twist(origin, r, b)
	for name, values := range b.header {
		for _, v := range values {
			if name != "Content-Length" {
				k.Header().Add(name, strings.ReplaceAll(v, elsewhere, s.canary))
			}
		}
	}
	s.registers(r, b.status, b.body.Bytes())
	k.WriteHeader(b.status)
	_, _ = k.Write(s.secret(r, b.status, bytes.ReplaceAll(b.body.Bytes(), []byte(elsewhere), []byte(s.canary))))
}

// add keeps a request and gives its place.
func (s *stage) add(x audit.Exchange) int {
	s.last.touch()
	s.mu.Lock()
	defer s.mu.Unlock()
	x.Run = s.run
	s.all = append(s.all, x)
	return len(s.all) - 1
}

func (s *stage) answer(at int, resp *wire.Response) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.all[at].Response = resp
	s.all[at].Took = time.Since(s.began) - s.all[at].At
}

// evidence is what was recorded, with the legs named.
func (s *stage) evidence() audit.Evidence {
	s.mu.Lock()
	defer s.mu.Unlock()
	e := audit.Evidence{Target: s.resource, Source: audit.LiveClient, Trap: s.trap.ID, Roles: s.roles, Exchanges: slices.Clone(s.all), Runs: s.runs, Seen: s.seen()}
	e.Name()
	looks(e.Exchanges)
	return e
}
