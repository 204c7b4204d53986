package devas_test

import (
	"context"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/iotest"
	"testing/synctest"
	"time"

	"github.com/stile-oauth/stile/fsm/peer"
	"github.com/stile-oauth/stile/httpdriver/devas"
)

func TestOnLoopback(t *testing.T) {
	for raw, want := range map[string]bool{
		"http://localhost:9000": true, "http://LocalHost": true, "https://127.0.0.1": true, "http://127.8.9.10:1/x": true, "http://[::1]:9000/a": true,
		"https://example.com": false, "http://localhost.example.com": false, "http://192.168.1.1": false, "http://[::2]": false,
		"": false, "http://[::1": false, "http://0.0.0.0": false, "localhost": false,
	} {
		if got := devas.OnLoopback(raw); got != want {
			t.Errorf("%q: %v", raw, got)
		}
	}
}

// The name localhost is bound to IPv4, and an address in the form of IPv6 to IPv6.
func TestListenNames(t *testing.T) {
	for addr, want := range map[string]string{"localhost:0": "127.0.0.1", "127.0.0.1:0": "127.0.0.1", "[::1]:0": "::1"} {
		ln, err := devas.Listen(addr)
		if err != nil {
			t.Errorf("%s: %v", addr, err)
			continue
		}
		if host, _, _ := net.SplitHostPort(ln.Addr().String()); host != want {
			t.Errorf("%s is bound to %s", addr, host)
		}
		_ = ln.Close()
	}
}

// A server that ends by itself says why, one that is ended says nothing, and what it is
// asked at its end is told to stop and is still answered.
func TestServeEnds(t *testing.T) {
	ln := listen(t)
	_ = ln.Close()
	if err := devas.Serve(t.Context(), ln, http.NotFoundHandler()); err == nil {
		t.Error("a listener that is closed: no error")
	}
	ln = listen(t)
	ctx, cancel := context.WithCancel(t.Context())
	entered := make(chan struct{})
	done := make(chan error, 1)
	go func() {
		done <- devas.Serve(ctx, ln, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			close(entered)
			<-r.Context().Done()
			_, _ = w.Write([]byte("stopped"))
		}))
	}()
	got := make(chan string, 1)
	go func() {
		s := &site{t: t, browser: http.DefaultClient}
		got <- s.do("GET", "http://"+ln.Addr().String(), "").body
	}()
	<-entered
	cancel()
	if err := <-done; err != nil {
		t.Errorf("the end of the context: %v", err)
	}
	if body := <-got; body != "stopped" {
		t.Errorf("the open request: %q", body)
	}
}

// Serve of each server binds what it is told, and nothing but loopback.
func TestServersServe(t *testing.T) {
	var log logged
	ac := devas.DefaultAS("http://127.0.0.1:9000")
	ac.Logger = slog.New(slog.NewTextHandler(&log, nil))
	as, err := devas.NewAS(ac)
	if err != nil {
		t.Fatal(err)
	}
	rc, err := introspecting("http://127.0.0.1:8001/mcp", devas.Server{Issuer: "http://127.0.0.1:9000", Introspection: "http://127.0.0.1:9000/introspect"})
	if err != nil {
		t.Fatal(err)
	}
	rc.Logger = ac.Logger
	rs, err := devas.NewRS(rc)
	if err != nil {
		t.Fatal(err)
	}
	lc := devas.DefaultLegacy("http://127.0.0.1:9000")
	lc.AS.Logger = ac.Logger
	legacy, err := devas.NewLegacy(lc)
	if err != nil {
		t.Fatal(err)
	}
	for name, serve := range map[string]func(context.Context, string) error{"as": as.Serve, "rs": rs.Serve, "legacy": legacy.Serve} {
		if err := serve(t.Context(), "192.0.2.1:0"); err == nil {
			t.Errorf("%s: not loopback, no error", name)
		}
		if got := log.take(); !strings.Contains(got, "DEVELOPMENT") {
			t.Errorf("%s does not say what it is: %s", name, got)
		}
		ended, cancel := context.WithCancel(t.Context())
		cancel()
		if err := serve(ended, "127.0.0.1:0"); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		log.take()
	}
}

// A head of a request may have 32 KiB.
func TestSizesOfHeads(t *testing.T) {
	ln := listen(t)
	serve(t, ln, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNoContent) }))
	s := &site{t: t}
	s.newBrowser()
	for n, want := range map[int]int{30 << 10: http.StatusNoContent, 48 << 10: http.StatusRequestHeaderFieldsTooLarge} {
		if a := s.do("GET", "http://"+ln.Addr().String(), "", "X-Pad", strings.Repeat("x", n)); a.status != want {
			t.Errorf("%d bytes: %d", n, a.status)
		}
	}
}

// A body that breaks off, and a form that is none, are the caller's mistakes.
func TestBrokenBodies(t *testing.T) {
	as, err := devas.NewAS(devas.DefaultAS("http://127.0.0.1:9000"))
	if err != nil {
		t.Fatal(err)
	}
	for name, r := range map[string]*http.Request{
		"broken off": httptest.NewRequest("POST", "http://127.0.0.1:9000/token", iotest.ErrReader(iotest.ErrTimeout)),
		"no form":    httptest.NewRequest("POST", "http://127.0.0.1:9000/token", strings.NewReader("a=%zz")),
	} {
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded; charset=utf-8")
		w := httptest.NewRecorder()
		as.ServeHTTP(w, r)
		a := answer{w.Code, w.Header(), w.Body.String()}
		if a.status != 400 || a.json(t)["error"] != "invalid_request" || a.header.Get("Cache-Control") != "no-store" || a.header.Get("Content-Type") != "application/json" {
			t.Errorf("%s: %d %v %s", name, a.status, a.header, a.body)
		}
	}
}

// Every answer of the authorization server states its length, except one without a body.
func TestLengthsOfAnswers(t *testing.T) {
	as, err := devas.NewAS(devas.DefaultAS("http://127.0.0.1:9000"))
	if err != nil {
		t.Fatal(err)
	}
	for _, ask := range []string{"GET " + wellKnown, "GET /authorize", "POST /token", "OPTIONS /token", "GET /device?"} {
		method, path, _ := strings.Cut(ask, " ")
		r := httptest.NewRequest(method, "http://127.0.0.1:9000"+path, nil)
		r.Header.Set("Origin", "https://app.example")
		r.Header.Set("Access-Control-Request-Method", "POST")
		w := httptest.NewRecorder()
		as.ServeHTTP(w, r)
		want := strconv.Itoa(w.Body.Len())
		if w.Code == http.StatusNoContent {
			want = ""
		}
		if got := w.Header().Get("Content-Length"); got != want || w.Header().Get("X-Content-Type-Options") != "nosniff" {
			t.Errorf("%s: %d, Content-Length %q, not %q", ask, w.Code, got, want)
		}
	}
}

// A client that sends its body slowly does not hold up the others, and is not waited for
// longer than 15 seconds; the time does not count for the answer.
func TestTimeOfABody(t *testing.T) {
	var set []time.Time
	as, err := devas.NewAS(devas.DefaultAS("http://127.0.0.1:9000"))
	if err != nil {
		t.Fatal(err)
	}
	w := &deadlines{ResponseRecorder: httptest.NewRecorder(), set: &set}
	before := time.Now()
	as.ServeHTTP(w, httptest.NewRequest("POST", "http://127.0.0.1:9000/token", strings.NewReader("x")))
	after := time.Now()
	if len(set) != 2 || set[0].Before(before.Add(15*time.Second)) || set[0].After(after.Add(15*time.Second)) || !set[1].IsZero() {
		t.Errorf("began %v, deadlines %v", before, set)
	}
}

// deadlines notes the deadlines that a handler sets.
type deadlines struct {
	*httptest.ResponseRecorder
	set *[]time.Time
}

func (d *deadlines) SetReadDeadline(at time.Time) error {
	*d.set = append(*d.set, at)
	return nil
}

// Text of strangers is shown without signs that deceive, and no more than 300 letters of it.
func TestWhatIsShown(t *testing.T) {
	for name, want := range map[string]string{
		strings.Repeat("ä", 300): strings.Repeat("ä", 300) + "<",
		strings.Repeat("ä", 301): strings.Repeat("ä", 300) + "…<",
		"a\u202eb\u200bc\x00d\n": "a\ufffdb\ufffdc\ufffdd\ufffd<",
		"a\xffb\ufffd":           "a\ufffdb\ufffd<",
	} {
		page := string(devas.Render(peer.Page{Kind: "consent", ClientName: name}))
		if !strings.Contains(page, "<strong>"+want) {
			t.Errorf("%q is shown otherwise: %.600s", name, page[strings.Index(page, "It calls itself"):])
		}
	}
}

// pipes is a listener in memory, for a bubble of time.
type pipes struct {
	conns  chan net.Conn
	closed chan struct{}
	once   sync.Once
}

func (p *pipes) Accept() (net.Conn, error) {
	select {
	case c := <-p.conns:
		return c, nil
	case <-p.closed:
		return nil, net.ErrClosed
	}
}

func (p *pipes) Close() error   { p.once.Do(func() { close(p.closed) }); return nil }
func (p *pipes) Addr() net.Addr { return &net.TCPAddr{} }

// A stream that does not end by itself is cut off two seconds after the end of the server.
func TestServeCutsStreams(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ln := &pipes{conns: make(chan net.Conn), closed: make(chan struct{})}
		ctx, cancel := context.WithCancel(t.Context())
		release, done := make(chan struct{}), make(chan error, 1)
		go func() {
			done <- devas.Serve(ctx, ln, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				_ = http.NewResponseController(w).Flush()
				<-release
			}))
		}()
		here, there := net.Pipe()
		ln.conns <- there
		go func() { _, _ = here.Write([]byte("GET / HTTP/1.1\r\nHost: x\r\n\r\n")) }()
		cut := make(chan error, 1)
		go func() {
			_, err := io.Copy(io.Discard, here)
			cut <- err
		}()
		synctest.Wait()
		began := time.Now()
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
		if err := <-cut; err != nil {
			t.Errorf("the stream does not end: %v", err)
		}
		if took := time.Since(began); took < 2*time.Second || took > 2100*time.Millisecond {
			t.Errorf("it took %v", took)
		}
		close(release)
	})
}

// Behind a public name a server answers to that name and to those of this machine, and
// pages of its own origin may call it.
func TestPublicNames(t *testing.T) {
	as, err := devas.NewAS(devas.DefaultAS("https://as.example"))
	if err != nil {
		t.Fatal(err)
	}
	rc, err := introspecting("https://mcp.example/mcp", devas.Server{Issuer: "https://as.example", Introspection: "https://as.example/introspect"})
	if err != nil {
		t.Fatal(err)
	}
	rs, err := devas.NewRS(rc)
	if err != nil {
		t.Fatal(err)
	}
	for host, want := range map[string]int{"as.example": 200, "AS.example": 200, "localhost": 200, "localhost:9000": 200, "[::1]:9000": 200, "[::1]": 200, "other.example": 421, "": 421} {
		r := httptest.NewRequest("GET", "https://as.example"+wellKnown, nil)
		r.Host = host
		w := httptest.NewRecorder()
		if as.ServeHTTP(w, r); w.Code != want {
			t.Errorf("%q: %d", host, w.Code)
		}
	}
	for origin, want := range map[string]int{
		"https://mcp.example": 401, "http://mcp.example": 403, "https://other.example": 403, "https://localhost": 403, "http://localhost": 401,
		"http://localhost/": 403, "http://[::1": 403, "null": 403, "": 403,
	} {
		r := httptest.NewRequest("POST", "https://mcp.example/mcp", nil)
		r.Header.Set("Origin", origin)
		w := httptest.NewRecorder()
		if rs.ServeHTTP(w, r); w.Code != want {
			t.Errorf("origin %q: %d", origin, w.Code)
		}
	}
}
