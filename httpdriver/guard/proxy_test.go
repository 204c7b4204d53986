package guard_test

import (
	"bufio"
	"bytes"
	"context"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/stile-oauth/stile/httpdriver/guard"
	"github.com/stile-oauth/stile/states/rules"
)

// connectProxy tunnels every CONNECT to one address, as a proxy that does the
// resolving would.
func connectProxy(t *testing.T, to string) (*httptest.Server, *atomic.Int32) {
	var n atomic.Int32
	p := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		n.Add(1)
		if r.Method != http.MethodConnect {
			w.WriteHeader(http.StatusTeapot)
			return
		}
		far, err := net.Dial("tcp", to)
		if err != nil {
			w.WriteHeader(http.StatusBadGateway)
			return
		}
		near, buf, err := http.NewResponseController(w).Hijack()
		if err != nil {
			t.Error(err)
			return
		}
		_, _ = near.Write([]byte("HTTP/1.1 200 OK\r\n\r\n"))
		go func() { _, _ = io.Copy(far, buf); _ = far.Close() }()
		_, _ = io.Copy(near, far)
		_ = near.Close()
	}))
	t.Cleanup(p.Close)
	return p, &n
}

func TestProxyIsExemptAndNoted(t *testing.T) {
	s, tr := server(t, func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("ok")) })
	p, n := connectProxy(t, s.Listener.Addr().String())
	pu, _ := url.Parse(p.URL)
	pu.User = url.UserPassword("u", "pr0xy-s3cret")
	tr.Proxy = http.ProxyURL(pu)
	var logged bytes.Buffer
	var d dns // knows no name: the proxy resolves
	g := mustNew(t, guard.Options{Transport: tr, Dialer: dialerFor(&d), Logger: slog.New(slog.NewTextHandler(&logged, nil))})
	for range 2 {
		if resp, f := g.Do(context.Background(), get("https://example.com/")); f != nil || string(resp.Body) != "ok" {
			t.Fatal(resp, f)
		}
	}
	if n.Load() != 1 { // the tunnel is reused
		t.Error(n.Load())
	}
	if strings.Count(logged.String(), pu.Host) != 1 || strings.Contains(logged.String(), "s3cret") {
		t.Errorf("log: %s", logged.String())
	}
	// Literals and names of this machine are judged nevertheless.
	for _, u := range []string{"https://10.0.0.1/", "https://127.0.0.1/", "https://localhost/", "https://[::ffff:10.0.0.1]/"} {
		_, f := g.Do(context.Background(), get(u))
		wantFailure(t, f, guard.ClassBlocked, rules.NetIPPolicy, false)
	}
	// The exemption is the route's, not the address's: a URL that names the
	// proxy itself is judged like any other.
	_, f := g.Do(context.Background(), get("https://"+pu.Host+"/"))
	wantFailure(t, f, guard.ClassBlocked, rules.NetIPPolicy, false)
	if n.Load() != 1 {
		t.Error("the proxy saw a refused request")
	}
	// Loopback goes direct: the proxy would see plain http.
	plain := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	defer plain.Close()
	c := get(plain.URL)
	c.Loopback = true
	if resp, f := g.Do(context.Background(), c); f != nil || resp.Status != 200 || n.Load() != 1 {
		t.Error(resp, f, n.Load())
	}
	// A browser has its own way out: no name is looked up here.
	if f := g.CheckVisit(context.Background(), "https://unknown.test/", false); f != nil {
		t.Error(f)
	}
}

func TestTransportForServer(t *testing.T) {
	s, tr := server(t, func(w http.ResponseWriter, _ *http.Request) {
		_, _ = w.Write(bytes.Repeat([]byte("x"), 3<<20))
	})
	var d dns
	d.set("meta.test", "169.254.169.254")
	rt := mustNew(t, guard.Options{Transport: tr, Dialer: dialerFor(&d)}).Transport()
	hc := &http.Client{Transport: rt}
	resp, err := hc.Get(s.URL) // loopback, chosen by the user; no limit on the body
	if err != nil {
		t.Fatal(err)
	}
	b, err := io.ReadAll(resp.Body)
	if err != nil || len(b) != 3<<20 {
		t.Error(len(b), err)
	}
	_ = resp.Body.Close()
	if _, err := hc.Get("https://meta.test/"); err == nil || !strings.Contains(err.Error(), string(rules.NetMetadataService)) {
		t.Error(err)
	}
	asked := &http.Client{Transport: mustNew(t, guard.Options{Transport: tr, GuardServer: true}).Transport()}
	if _, err := asked.Get(s.URL); err == nil || !strings.Contains(err.Error(), string(rules.NetIPPolicy)) {
		t.Error(err)
	}
}

func TestClient(t *testing.T) {
	var elsewhere atomic.Int32
	other, _ := server(t, func(http.ResponseWriter, *http.Request) { elsewhere.Add(1) })
	s, tr := server(t, func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/a":
			http.Redirect(w, r, "/b", http.StatusFound)
		case "/x":
			http.Redirect(w, r, other.URL, http.StatusFound)
		case "/b":
			http.SetCookie(w, &http.Cookie{Name: "sid", Value: "1"})
			_, _ = w.Write([]byte(r.Header.Get("Cookie") + r.Header.Get("Authorization")))
		}
	})
	strict := mustNew(t, guard.Options{Transport: tr}).Client()
	if _, err := strict.Get(s.URL + "/b"); err == nil || !strings.Contains(err.Error(), string(rules.NetIPPolicy)) {
		t.Error(err)
	}
	hc := mustNew(t, guard.Options{Transport: tr, AllowPrivate: []string{"127.0.0.1"}}).Client()
	for path, status := range map[string]int{"/a": 200, "/x": 302, "/b": 200} {
		r, _ := http.NewRequest("GET", s.URL+path, nil)
		if path == "/a" {
			r.Header.Set("Authorization", "Bearer s3cret")
		}
		resp, err := hc.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		b, _ := io.ReadAll(resp.Body)
		_ = resp.Body.Close()
		if resp.StatusCode != status || path != "/x" && len(b) > 0 {
			t.Errorf("%s: %d %q", path, resp.StatusCode, b)
		}
	}
	if elsewhere.Load() != 0 {
		t.Error("another origin was reached")
	}
	if _, err := hc.Post("http://as.example/", "text/plain", strings.NewReader("x")); err == nil {
		t.Error("http accepted")
	}
}

// FuzzAnswer: whatever bytes a peer writes, the result is an answer or a
// Error, in bounded time (net-fuzz-headers).
func FuzzAnswer(f *testing.F) {
	for _, s := range []string{
		"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}", "HTTP/1.1 302 Found\r\nLocation: /x\r\n\r\n", "HTTP/1.1 302 F\r\nLocation: http://[::1\r\nLocation: \x00\r\n\r\n",
		"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nabcde\r\n0\r\n\r\n", "HTTP/1.1 100 C\r\n\r\nHTTP/1.1 401 \r\nWWW-Authenticate: Bearer \"\r\n\r\n", "\x00\x01", "",
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		dial := func(context.Context, string, string) (net.Conn, error) {
			near, far := net.Pipe()
			go func() {
				defer far.Close()
				if _, err := http.ReadRequest(bufio.NewReader(far)); err == nil {
					_, _ = far.Write(b)
				}
			}()
			return near, nil
		}
		g, err := guard.New(guard.Options{Transport: &http.Transport{DialContext: dial, DisableKeepAlives: true}})
		if err != nil {
			t.Fatal(err)
		}
		c := get("http://127.0.0.1:1/x?s3cret")
		c.Loopback = true
		resp, fail := g.Do(context.Background(), c)
		if (fail == nil) == (resp.Status == 0) {
			t.Fatalf("%v %v", resp, fail)
		}
		if fail != nil && strings.Contains(fail.Error(), "s3cret") {
			t.Fatal(fail)
		}
	})
}
