package guard_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/stile-oauth/stile/httpdriver/guard"
	"github.com/stile-oauth/stile/states/rules"
	"github.com/stile-oauth/stile/states/wire"
)

func TestExchange(t *testing.T) {
	var got *http.Request
	var body []byte
	s, tr := server(t, func(w http.ResponseWriter, r *http.Request) {
		got = r
		body, _ = io.ReadAll(r.Body)
		w.Header().Add("X-B", "2")
		w.Header().Add("X-B", "1")
		w.Header().Set("Set-Cookie", "sid=s3cret")
		w.Header().Set("Date", "x")
		w.WriteHeader(418)
		_, _ = w.Write([]byte("short"))
	})
	g := mustNew(t, guard.Options{Transport: tr, AllowLoopbackHTTP: true})
	c := post(s.URL + "/token?a=1")
	c.Request.Form = wire.Fields{{Name: "z", Value: "a b&c"}, {Name: "a", Value: "ü"}}
	c.Request.Header = wire.Fields{{Name: "Accept", Value: "application/json"}, {Name: "Cookie", Value: "sid=1"}}
	resp, f := g.Do(context.Background(), c)
	if f != nil {
		t.Fatal(f)
	}
	want := wire.Response{Status: 418, Body: []byte("short"), Header: wire.Fields{
		{Name: "Content-Length", Value: "5"}, {Name: "Content-Type", Value: "text/plain; charset=utf-8"},
		{Name: "Date", Value: "x"}, {Name: "X-B", Value: "2"}, {Name: "X-B", Value: "1"},
	}}
	if d := cmp.Diff(want, resp); d != "" {
		t.Error(d)
	}
	if string(body) != "z=a+b%26c&a=%C3%BC" || got.Header.Get("Content-Type") != "application/x-www-form-urlencoded" {
		t.Errorf("sent %q %v", body, got.Header)
	}
	if got.Header.Get("Cookie") != "" || !strings.HasPrefix(got.Header.Get("User-Agent"), "stile/") || got.ProtoMajor != 2 {
		t.Errorf("sent %v %s", got.Header, got.Proto)
	}
}

func TestURLPolicy(t *testing.T) {
	var hits atomic.Int32
	plain := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { hits.Add(1) }))
	defer plain.Close()
	g := mustNew(t, guard.Options{})
	for url, rule := range map[string]rules.ID{
		"http://as.example/token?s3cret":    rules.URLHTTPS,
		plain.URL + "/token?s3cret":         rules.URLHTTPS,
		"javascript:alert(1)":               rules.URLSchemeAllowlist,
		"file:///etc/passwd":                rules.URLSchemeAllowlist,
		"https://u:s3cret@as.example/":      rules.URLNoUserinfo,
		"https://as.example/#s3cret":        "",
		"https://as.example/$(s3cret)\x1b[": rules.URLParseStrict,
		"https://2130706433/":               rules.URLParseStrict,
		"https://0x7f.1/":                   rules.URLParseStrict,
		"https://127.1/":                    rules.URLParseStrict,
		"":                                  rules.URLParseStrict,
	} {
		_, f := g.Do(context.Background(), get(url))
		if rule == "" {
			if f == nil || f.Rule != rules.URLNoFragment {
				t.Errorf("%q: %v", url, f)
			}
			continue
		}
		if f == nil || f.Class != guard.ClassBlocked || f.Rule != rule || f.Sent {
			t.Errorf("%q: %v", url, f)
		}
	}
	if hits.Load() != 0 {
		t.Error("a refused URL was requested")
	}
	loop := get(plain.URL)
	loop.Loopback = true
	if _, f := g.Do(context.Background(), loop); f != nil {
		t.Error(f)
	}
	// The connection of the permitted call serves no call without permission.
	s, tr := server(t, func(http.ResponseWriter, *http.Request) { hits.Add(1) })
	g = mustNew(t, guard.Options{Transport: tr})
	loop = get(s.URL)
	loop.Loopback = true
	if _, f := g.Do(context.Background(), loop); f != nil {
		t.Error(f)
	}
	_, f := g.Do(context.Background(), get(s.URL))
	wantFailure(t, f, guard.ClassBlocked, rules.NetIPPolicy, false)
}

// http is for loopback only, even when the name "localhost" is made to point elsewhere.
func TestLoopbackNameMustBeLoopback(t *testing.T) {
	away := func(context.Context, string, string) (net.Conn, error) {
		near, far := net.Pipe()
		go func() { _, _ = io.Copy(io.Discard, far) }()
		return &farConn{Conn: near}, nil
	}
	g := mustNew(t, guard.Options{Transport: &http.Transport{DialContext: away}, AllowLoopbackHTTP: true})
	_, f := g.Do(context.Background(), get("http://localhost:9000/x"))
	wantFailure(t, f, guard.ClassBlocked, rules.URLLoopbackException, false)
}

// farConn says that its peer has a public address.
type farConn struct{ net.Conn }

func (farConn) RemoteAddr() net.Addr { return &net.TCPAddr{IP: net.IPv4(8, 8, 8, 8), Port: 80} }

func TestRebinding(t *testing.T) {
	var hits atomic.Int32
	s, tr := server(t, func(w http.ResponseWriter, _ *http.Request) {
		hits.Add(1)
		w.Header().Set("Connection", "close")
		http.Redirect(w, &http.Request{}, "/again", http.StatusFound)
	})
	port := s.Listener.Addr().(*net.TCPAddr).Port
	tr.DisableKeepAlives = true
	var d dns
	d.set("example.com", "8.8.8.8")
	g := mustNew(t, guard.Options{Transport: tr, Dialer: dialerFor(&d)})
	url := "https://" + net.JoinHostPort("example.com", itoa(port)) + "/"
	if f := g.CheckVisit(context.Background(), url, false); f != nil {
		t.Fatal(f)
	}
	d.set("example.com", "127.0.0.1") // what was public a moment ago
	_, f := g.Do(context.Background(), get(url))
	wantFailure(t, f, guard.ClassBlocked, rules.NetIPPolicy, false)
	if hits.Load() != 0 {
		t.Fatal("reached")
	}

	// Between two hops, with loopback permitted: to a private address.
	s.Config.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		hits.Add(1)
		d.set("example.com", "10.9.9.9")
		http.Redirect(w, r, "/again", http.StatusFound)
	})
	g = mustNew(t, guard.Options{Transport: tr, Dialer: dialerFor(&d), AllowLoopbackHTTP: true})
	_, f = g.Do(context.Background(), get(url))
	wantFailure(t, f, guard.ClassBlocked, rules.NetIPPolicy, true)
	if hits.Load() != 1 {
		t.Fatal(hits.Load())
	}
}

func TestRedirects(t *testing.T) {
	var elsewhere atomic.Int32
	other, _ := server(t, func(http.ResponseWriter, *http.Request) { elsewhere.Add(1) })
	var paths []string
	var auth []string
	loc := map[string]string{
		"/1": "/2", "/2": "/3?x=1#frag", "/3": "/4", "/4": "/5", "/self": "/self",
		"/cross": other.URL + "/", "/private": "https://10.0.0.1/", "/meta": "http://169.254.169.254/latest",
		"/user": "https://u:p@HOST/4", "/down": "http://HOST/4", "/js": "javascript:alert(1)", "/bad": "https://%zz/",
	}
	s, tr := server(t, func(w http.ResponseWriter, r *http.Request) {
		paths = append(paths, r.URL.Path)
		auth = append(auth, r.Header.Get("Authorization")+r.Header.Get("X-Secret")+r.Header.Get("Referer"))
		if l, ok := loc[r.URL.Path]; ok {
			w.Header().Set("Location", strings.ReplaceAll(l, "HOST", r.Host))
			w.WriteHeader(http.StatusTemporaryRedirect)
		}
	})
	g := mustNew(t, guard.Options{Transport: tr, AllowLoopbackHTTP: true})
	for _, tt := range []struct {
		path   string
		method string
		hops   int
		status int
		seen   int
		rule   rules.ID
	}{
		{"/3", "GET", 3, 200, 3, ""},
		{"/2", "GET", 3, 200, 4, ""},
		{"/1", "GET", 3, 307, 4, ""},  // a fourth hop would be needed
		{"/1", "GET", 99, 307, 4, ""}, // three is the most
		{"/3", "GET", 0, 307, 1, ""},
		{"/3", "HEAD", 3, 200, 3, ""},
		{"/3", "POST", 3, 307, 1, ""}, // net-redirect-post
		{"/self", "GET", 3, 307, 4, ""},
		{"/cross", "GET", 3, 307, 1, ""},
		{"/private", "GET", 3, 307, 1, ""},
		{"/meta", "GET", 3, 307, 1, ""},
		{"/down", "GET", 3, 307, 1, ""},
		{"/js", "GET", 3, 307, 1, ""},
		{"/bad", "GET", 3, 307, 1, ""},
		{"/user", "GET", 3, 0, 1, rules.URLNoUserinfo},
	} {
		paths, auth = nil, nil
		c := get(s.URL + tt.path)
		c.SameOriginHops = tt.hops
		c.Request.Method = tt.method
		c.Request.Header = wire.Fields{{Name: "Authorization", Value: "Bearer s3cret", Secret: true}, {Name: "X-Secret", Value: "s3cret", Secret: true}}
		resp, f := g.Do(context.Background(), c)
		if tt.rule != "" {
			wantFailure(t, f, guard.ClassBlocked, tt.rule, true)
		} else if f != nil || resp.Status != tt.status {
			t.Errorf("%s %s: %v %v", tt.method, tt.path, resp, f)
		}
		if len(paths) != tt.seen {
			t.Errorf("%s %s: seen %v", tt.method, tt.path, paths)
		}
		for _, a := range auth[1:] {
			if a != "" {
				t.Errorf("%s: a credential followed the redirect", tt.path)
			}
		}
	}
	if elsewhere.Load() != 0 {
		t.Error("another origin was reached")
	}
}

func TestSizes(t *testing.T) {
	var zipped bytes.Buffer
	z := gzip.NewWriter(&zipped)
	for range 64 {
		_, _ = z.Write(make([]byte, 1<<20))
	}
	_ = z.Close()
	s, tr := server(t, func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/5MiB":
			_, _ = w.Write(bytes.Repeat([]byte("x"), 5<<20))
		case "/1MiB":
			_, _ = w.Write(bytes.Repeat([]byte("x"), 1<<20))
		case "/bomb":
			w.Header().Set("Content-Encoding", "gzip")
			_, _ = w.Write(zipped.Bytes())
		case "/badgzip":
			w.Header().Set("Content-Encoding", "gzip")
			_, _ = w.Write([]byte("no gzip s3cret"))
		case "/header":
			for i := range 35 {
				w.Header().Set("X-Long-"+itoa(i), strings.Repeat("h", 2<<10))
			}
		case "/hugeheader":
			w.Header().Set("X-Long", strings.Repeat("h", 900<<10))
		}
	})
	http1 := tr.Clone()
	http1.Protocols = new(http.Protocols)
	http1.Protocols.SetHTTP1(true)
	http1.TLSClientConfig.NextProtos = nil
	for name, tr := range map[string]*http.Transport{"h1": http1, "h2": tr} {
		t.Run(name, func(t *testing.T) {
			g := mustNew(t, guard.Options{Transport: tr, AllowLoopbackHTTP: true})
			for path, over := range map[string]bool{"/5MiB": true, "/bomb": true, "/1MiB": false} {
				resp, f := g.Do(context.Background(), get(s.URL+path))
				if f != nil || len(resp.Body) != 1<<20 || resp.Oversized != over {
					t.Errorf("%s: %v %v %t", path, f, resp, resp.Oversized)
				}
			}
			c := get(s.URL + "/5MiB")
			c.MaxBody = 10
			if resp, f := g.Do(context.Background(), c); f != nil || len(resp.Body) != 10 || !resp.Oversized {
				t.Errorf("%v %v", resp, f)
			}
			_, f := g.Do(context.Background(), post(s.URL+"/badgzip"))
			wantFailure(t, f, guard.ClassLost, "", true)
			// HTTP/2 ends the connection without saying why.
			rule := map[string]rules.ID{"h1": rules.NetSizeLimit}[name]
			for _, path := range []string{"/header", "/hugeheader"} {
				_, f = g.Do(context.Background(), post(s.URL+path))
				wantFailure(t, f, guard.ClassLost, rule, true)
			}

			hc := g.Client()
			r, err := hc.Get(s.URL + "/5MiB")
			if err != nil {
				t.Fatal(err)
			}
			_, err = io.ReadAll(r.Body)
			_ = r.Body.Close()
			var fail *guard.Error
			if !errors.As(err, &fail) || fail.Rule != rules.NetSizeLimit {
				t.Error(err)
			}
		})
	}
}

func TestTimesAndLoss(t *testing.T) {
	s, tr := server(t, func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.ReadAll(r.Body)
		switch r.URL.Path {
		case "/slowbody":
			_, _ = w.Write([]byte("{"))
			w.(http.Flusher).Flush()
			<-r.Context().Done()
		case "/never":
			<-r.Context().Done()
		case "/cut":
			w.Header().Set("Content-Length", "10")
			_, _ = w.Write([]byte("{"))
			panic(http.ErrAbortHandler)
		case "/drop":
			panic(http.ErrAbortHandler)
		}
	})
	g := mustNew(t, guard.Options{Transport: tr, AllowLoopbackHTTP: true})
	for _, path := range []string{"/slowbody", "/never"} {
		c := post(s.URL + path)
		c.Timeout = 200 * time.Millisecond
		_, f := g.Do(context.Background(), c)
		wantFailure(t, f, guard.ClassTimeout, rules.NetTimeout, true)
	}
	for _, path := range []string{"/cut", "/drop"} {
		_, f := g.Do(context.Background(), post(s.URL+path))
		wantFailure(t, f, guard.ClassLost, "", true)
	}

	// A port that accepts and says nothing: the handshake never ends.
	mute, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	c := post("https://" + mute.Addr().String() + "/")
	c.Timeout = 100 * time.Millisecond
	_, f := g.Do(context.Background(), c)
	wantFailure(t, f, guard.ClassTimeout, rules.NetTimeout, false)

	// The caller's own end, before and while waiting.
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	_, f = g.Do(ctx, post(s.URL))
	wantFailure(t, f, guard.ClassCancelled, "", false)
	if !errors.Is(f, context.Canceled) {
		t.Error(f.Err)
	}

	// A port where nobody listens, and a name that does not exist.
	_ = mute.Close()
	_, f = g.Do(context.Background(), c)
	wantFailure(t, f, guard.ClassUnsent, "", false)
	if !errors.Is(f, syscall.ECONNREFUSED) {
		t.Error(f.Err)
	}
	var d dns
	g = mustNew(t, guard.Options{Transport: tr, Dialer: dialerFor(&d)})
	_, f = g.Do(context.Background(), post("https://nowhere.test/"))
	wantFailure(t, f, guard.ClassUnsent, "", false)
}
