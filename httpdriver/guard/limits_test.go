package guard_test

import (
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stile-oauth/stile/httpdriver/guard"
	"github.com/stile-oauth/stile/states/rules"
	"github.com/stile-oauth/stile/states/wire"
)

// TestVisitsByTheirText: a browser is not sent to an address whose text is refused.
//
// Rules: authz-req-url-scheme.
func TestVisitsByTheirText(t *testing.T) {
	g := mustNew(t, guard.Options{})
	for _, url := range []string{"http://8.8.8.8/authorize", "https://u:p@8.8.8.8/authorize", `https://8.8.8.8/\x`, "https://8.8.8.8/ x", "javascript:alert(1)"} {
		if f := g.CheckVisit(t.Context(), url, false); f == nil {
			t.Errorf("%s is visited", url)
		}
	}
}

// TestHandshakeThatIsCut: a server that ends the connection during the handshake says nothing about
// its certificate: nothing was sent, and another try may help.
func TestHandshakeThatIsCut(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			_, _ = c.Read(make([]byte, 4096))
			_ = c.Close()
		}
	}()
	g := mustNew(t, guard.Options{AllowLoopbackHTTP: true})
	_, f := g.Do(t.Context(), post("https://"+l.Addr().String()+"/"))
	wantFailure(t, f, guard.ClassUnsent, "", false)
}

// nowhere is a transport that is not there.
func nowhere(http.RoundTripper) http.RoundTripper { return nil }

// failing fails with an error of the guard that has a cause.
type failing struct{ err error }

func (f failing) RoundTrip(*http.Request) (*http.Response, error) { return nil, f.err }

// TestWrappers: a wrapper must give a transport, and the first cause of an error that it hands on
// stays the first cause. A status that ends no exchange is no answer.
func TestWrappers(t *testing.T) {
	if _, err := guard.New(guard.Options{Wrap: nowhere}); err == nil {
		t.Error("a wrapper that gives nothing is taken")
	}
	cause := errors.New("the first cause")
	g := mustNew(t, guard.Options{Wrap: func(http.RoundTripper) http.RoundTripper {
		return failing{&guard.Error{Class: guard.ClassBlocked, Rule: rules.NetIPPolicy, Err: cause}}
	}})
	_, f := g.Do(t.Context(), get("https://8.8.8.8/"))
	if f == nil || f.Err != cause { //nolint:errorlint // the very one, and no wrapper of it
		t.Errorf("%v", f)
	}
	for code, ok := range map[int]bool{999: true, 1000: false} {
		g := mustNew(t, guard.Options{Wrap: func(http.RoundTripper) http.RoundTripper { return status(code) }})
		if _, f := g.Do(t.Context(), get("https://8.8.8.8/")); (f == nil) != ok {
			t.Errorf("%d: %v", code, f)
		}
	}
}

// status answers with itself.
type status int

func (c status) RoundTrip(*http.Request) (*http.Response, error) {
	return &http.Response{StatusCode: int(c), Header: http.Header{}, Body: http.NoBody}, nil
}

// TestRequestWithoutAMethod: a request that names no method is a GET, and follows redirects as one.
func TestRequestWithoutAMethod(t *testing.T) {
	s, tr := server(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/" {
			http.Redirect(w, r, "/there", http.StatusFound)
		}
	})
	g := mustNew(t, guard.Options{Transport: tr, AllowLoopbackHTTP: true})
	resp, f := g.Do(t.Context(), guard.Call{Request: wire.Request{URL: s.URL + "/"}, SameOriginHops: 1})
	if f != nil || resp.Status != http.StatusOK {
		t.Errorf("%d %v", resp.Status, f)
	}
}

// TestDefaultTransportThatIsReplaced: what a program sets in net/http's default transport counts. If
// the program replaces it by another kind, the guard makes one of its own.
func TestDefaultTransportThatIsReplaced(t *testing.T) {
	was := http.DefaultTransport
	http.DefaultTransport = status(http.StatusTeapot)
	defer func() { http.DefaultTransport = was }()
	s := httptest.NewServer(http.NotFoundHandler())
	defer s.Close()
	g := mustNew(t, guard.Options{AllowLoopbackHTTP: true})
	if resp, f := g.Do(t.Context(), get(s.URL)); f != nil || resp.Status != http.StatusNotFound {
		t.Errorf("%d %v", resp.Status, f)
	}
	trusted, tr := server(t, func(http.ResponseWriter, *http.Request) {})
	http.DefaultTransport = tr
	if _, f := mustNew(t, guard.Options{AllowLoopbackHTTP: true}).Do(t.Context(), get(trusted.URL)); f != nil {
		t.Error(f)
	}
}

// TestNoHTTP2: a transport that was told to do without HTTP/2 does without it.
func TestNoHTTP2(t *testing.T) {
	proto := ""
	s, tr := server(t, func(_ http.ResponseWriter, r *http.Request) { proto = r.Proto })
	tr.TLSNextProto, tr.ForceAttemptHTTP2 = map[string]func(string, *tls.Conn) http.RoundTripper{}, false
	tr.TLSClientConfig.NextProtos = nil
	g := mustNew(t, guard.Options{Transport: tr, AllowLoopbackHTTP: true})
	if _, f := g.Do(t.Context(), get(s.URL)); f != nil || proto != "HTTP/1.1" {
		t.Errorf("%s %v", proto, f)
	}
}

// TestBodyOfARefusedRequest: the body of a request that is not let through is closed, and a request
// without one is refused as well.
func TestBodyOfARefusedRequest(t *testing.T) {
	tr := mustNew(t, guard.Options{GuardServer: true}).Transport()
	for _, closed := range []*bool{new(bool), nil} {
		r := httptest.NewRequest(http.MethodPost, "ftp://as.example/", nil)
		r.Body = nil
		if closed != nil {
			r.Body = body{Reader: strings.NewReader("x"), closed: closed}
		}
		resp, err := tr.RoundTrip(r)
		if err == nil {
			_, _ = io.Copy(io.Discard, resp.Body)
			_ = resp.Body.Close()
			t.Error("it was sent")
		}
		if closed != nil && !*closed {
			t.Error("its body is left open")
		}
	}
}

// TestManyAddresses: the time of an exchange begins once, however many addresses of a name are
// tried one after the other.
func TestManyAddresses(t *testing.T) {
	var d dns
	d.set("many.test", "8.8.8.1", "8.8.8.2", "8.8.8.3", "8.8.8.4", "8.8.8.5", "8.8.8.6", "8.8.8.7", "8.8.8.8")
	dialer := dialerFor(&d)
	dialer.Control = func(string, string, syscall.RawConn) error {
		time.Sleep(100 * time.Millisecond)
		return syscall.EHOSTUNREACH
	}
	c := get("https://many.test/")
	c.Timeout = 300 * time.Millisecond
	_, f := mustNew(t, guard.Options{Dialer: dialer}).Do(t.Context(), c)
	wantFailure(t, f, guard.ClassTimeout, rules.NetTimeout, false)
}
