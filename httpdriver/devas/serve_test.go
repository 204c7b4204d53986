package devas_test

import (
	"context"
	"net"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"
	"testing/iotest"
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
	as, err := devas.NewAS(devas.DefaultAS("http://127.0.0.1:9000"))
	if err != nil {
		t.Fatal(err)
	}
	rc, err := introspecting("http://127.0.0.1:8001/mcp", devas.Server{Issuer: "http://127.0.0.1:9000", Introspection: "http://127.0.0.1:9000/introspect"})
	if err != nil {
		t.Fatal(err)
	}
	rs, err := devas.NewRS(rc)
	if err != nil {
		t.Fatal(err)
	}
	legacy, err := devas.NewLegacy(devas.DefaultLegacy("http://127.0.0.1:9000"))
	if err != nil {
		t.Fatal(err)
	}
	for name, serve := range map[string]func(context.Context, string) error{"as": as.Serve, "rs": rs.Serve, "legacy": legacy.Serve} {
		if err := serve(t.Context(), "192.0.2.1:0"); err == nil {
			t.Errorf("%s: not loopback, no error", name)
		}
		ended, cancel := context.WithCancel(t.Context())
		cancel()
		if err := serve(ended, "127.0.0.1:0"); err != nil {
			t.Errorf("%s: %v", name, err)
		}
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
