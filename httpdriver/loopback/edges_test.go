package loopback_test

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"testing"

	"github.com/stile-oauth/stile/httpdriver/loopback"
)

// What a browser may send with a callback, and what makes it not a callback. Each one
// that is handed on is answered; to each other one the page says what to do.
func TestWhatCountsAsACallback(t *testing.T) {
	ctx := bounded(t)
	r := listen(t, loopback.Options{})
	own := strings.TrimSuffix(r.RedirectURI(), "/callback")
	for _, tt := range []struct {
		query  string
		header []string
		status int // 0: it is handed on
		holds  string
	}{
		{"?code=c", nil, 0, ""},
		{"?error=e", nil, 0, ""},
		{"?state=s", nil, 0, ""},
		{"?state=s", []string{"Origin", "null"}, 0, ""},
		{"?state=s", []string{"Origin", own}, 0, ""},
		{"?state=s", []string{"Sec-Fetch-Mode", "navigate"}, 0, ""},
		{"?state=s", []string{"Purpose", "viewing"}, 0, ""},
		{"?state=s", []string{"Sec-Fetch-Mode", "navigate", "Origin", "https://as.example"}, 0, ""}, // a form that was redirected
		{"?state=s&x=" + strings.Repeat("x", 50<<10), nil, 0, ""},
		{"?state=s&x=" + strings.Repeat("x", 80<<10), nil, http.StatusRequestHeaderFieldsTooLarge, ""},
		{"?state=s", []string{"X-Purpose", "preview"}, 503, "in advance"},
		{"?state=s", []string{"X-Moz", "prefetch"}, 503, "in advance"},
		{"?state=s", []string{"Sec-Purpose", "prerender"}, 503, "in advance"},
		{"?x=code", nil, 400, "holds none"},
	} {
		page := make(chan answer, 1)
		go func() { page <- fetch(ctx, "GET", r.RedirectURI()+tt.query, "", tt.header...) }()
		if tt.status == 0 {
			raw, reply, err := r.Wait(ctx)
			if err != nil || raw != r.RedirectURI()+tt.query {
				t.Fatalf("%.30s %v: %.60q, %v", tt.query, tt.header, raw, err)
			}
			reply(loopback.Page{OK: true, Title: "Signed in"})
			tt.status = 200
		}
		a := <-page
		if a.status != tt.status || !strings.Contains(a.body, tt.holds) {
			t.Errorf("%.30s %v: %d %q, want %d", tt.query, tt.header, a.status, a.body, tt.status)
		}
	}
}

// What every answer carries, and that no connection outlives it.
func TestEveryAnswer(t *testing.T) {
	ctx := bounded(t)
	r := listen(t, loopback.Options{})
	for _, tt := range []struct{ method, path, kind, allow string }{
		{"GET", "/callback", "text/html; charset=utf-8", ""},
		{"GET", "/other", "text/plain; charset=utf-8", ""},
		{"PUT", "/callback?code=c", "text/plain; charset=utf-8", "GET, HEAD"},
	} {
		a := fetch(ctx, tt.method, fmt.Sprintf("http://127.0.0.1:%d%s", r.Port(), tt.path), "")
		for name, want := range map[string]string{
			"Content-Type": tt.kind, "Allow": tt.allow, "Cross-Origin-Opener-Policy": "same-origin", "Cross-Origin-Resource-Policy": "same-origin",
			"X-Content-Type-Options": "nosniff", "X-Frame-Options": "DENY", "Referrer-Policy": "no-referrer",
		} {
			if got := a.header.Get(name); got != want {
				t.Errorf("%s %s: %s is %q, not %q", tt.method, tt.path, name, got, want)
			}
		}
	}
	c, err := net.Dial("tcp", fmt.Sprintf("127.0.0.1:%d", r.Port()))
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	// An address with a scheme in it is not ours, whatever it names.
	fmt.Fprintf(c, "GET %s?code=c HTTP/1.1\r\nHost: 127.0.0.1:%d\r\n\r\n", r.RedirectURI(), r.Port())
	resp, err := http.ReadResponse(bufio.NewReader(c), nil)
	if err != nil || resp.StatusCode != 404 || !resp.Close {
		t.Errorf("%+v, %v", resp, err)
	}
}

// A name is bound in both families or not at all: no port is kept that the other
// half could not have.
func TestBothFamilies(t *testing.T) {
	taken, err := net.Listen("tcp6", "[::1]:0")
	if err != nil {
		t.Logf("no IPv6 loopback on this machine: %v", err)
		return
	}
	defer taken.Close()
	port := taken.Addr().(*net.TCPAddr).Port
	var pe *loopback.PortError
	if _, err := loopback.Listen(loopback.Options{RedirectURI: fmt.Sprintf("http://localhost:%d/cb", port)}); !errors.As(err, &pe) || pe.Addr != "localhost" || pe.Unwrap() == nil {
		t.Errorf("half of the name is taken: %v", err)
	}
	if l, err := net.Listen("tcp4", fmt.Sprintf("127.0.0.1:%d", port)); err != nil {
		t.Errorf("the other half was kept: %v", err)
	} else {
		_ = l.Close()
	}
	r := listen(t, loopback.Options{Host: "localhost", PreferPort: port})
	for _, a := range []string{"127.0.0.1", "[::1]"} {
		if l, err := net.Listen("tcp", fmt.Sprintf("%s:%d", a, r.Port())); err == nil {
			_ = l.Close()
			t.Errorf("%s of port %d is free", a, r.Port())
		}
	}
}

// The default port of http.
func TestPortOfHTTP(t *testing.T) {
	ctx := bounded(t)
	r, err := loopback.Listen(loopback.Options{RedirectURI: "http://127.0.0.1/cb"})
	if pe := (*loopback.PortError)(nil); errors.As(err, &pe) {
		if pe.Port != 80 {
			t.Errorf("port %d", pe.Port)
		}
		return // it is taken, or not for everybody
	} else if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	if r.Port() != 80 || r.RedirectURI() != "http://127.0.0.1/cb" {
		t.Errorf("port %d, %s", r.Port(), r.RedirectURI())
	}
	for _, host := range []string{"127.0.0.1", "127.0.0.1:80"} {
		go fetch(ctx, "GET", "http://127.0.0.1:80/cb?code=c", host)
		if raw, reply, err := r.Wait(ctx); err != nil || raw != "http://127.0.0.1/cb?code=c" {
			t.Errorf("%s: %q, %v", host, raw, err)
		} else {
			reply(loopback.Page{OK: true})
		}
	}
}

// What is pasted is compared with the redirect URI in every part.
func TestPasteOfOtherPages(t *testing.T) {
	ctx := bounded(t)
	r := loopback.PasteOnly("https://host.example/cb")
	if r.Port() != 0 {
		t.Errorf("port %d without a socket", r.Port())
	}
	for _, tt := range []struct{ in, want string }{
		{"https://HOST.example/cb?code=c", ""},
		{"https://host.example/cb?state=s", ""},
		{"http://host.example/cb?code=c", "another page"},
		{"https://host.example/cb/?code=c", "another page"},
		{"https://host.example/%63b?code=c", "another page"},
		{"https://host.example:444/cb?code=c", "another page"},
		{"https:///cb?code=c", "no address"},
		{"ftp://host.example/cb?code=c", "no address"},
		{"https://host.example/%zz?code=c", "no address"},
		{"https://host.example/cb?x=code", "no answer of a login"},
		{"https://host.example/cb?code=" + strings.Repeat("c", 64<<10-len("https://host.example/cb?code=")), ""},
		{"https://host.example/cb?code=" + strings.Repeat("c", 64<<10-len("https://host.example/cb?code=")+1), "too long"},
	} {
		err := r.Paste(tt.in)
		if (err == nil) != (tt.want == "") || err != nil && !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%.60q: %v, want %q", tt.in, err, tt.want)
		}
		if err == nil {
			if raw, _, err := r.Wait(ctx); raw != tt.in || err != nil {
				t.Errorf("%.60q: %.60q, %v", tt.in, raw, err)
			}
		}
	}
	// With nothing to compare, any address of an answer is handed on.
	r = loopback.PasteOnly("%")
	if err := r.Paste("https://anywhere.example/?code=c"); err != nil {
		t.Error(err)
	}
}

// A redirect URI stays as it was written, and one without a path is the root.
func TestRedirectURIVerbatim(t *testing.T) {
	ctx := bounded(t)
	r := listen(t, loopback.Options{RedirectURI: "http://127.0.0.1:0"})
	go fetch(ctx, "GET", r.RedirectURI()+"/?code=c", "")
	raw, reply, err := r.Wait(ctx)
	if err != nil || raw != r.RedirectURI()+"/?code=c" {
		t.Fatalf("%q, %v", raw, err)
	}
	reply(loopback.Page{OK: true})
	port := r.Port()
	_ = r.Close()
	written := fmt.Sprintf("HTTP://127.0.0.1:%d/cb", port)
	if r := listen(t, loopback.Options{RedirectURI: written}); r.RedirectURI() != written {
		t.Errorf("%s became %s", written, r.RedirectURI())
	}
}

// The log names the rule by which a request was turned away, and not what it asked for.
func TestLogOfRefusals(t *testing.T) {
	var out bytes.Buffer
	log := slog.New(slog.NewTextHandler(&out, &slog.HandlerOptions{Level: slog.LevelDebug}))
	r := listen(t, loopback.Options{Logger: log})
	fetch(bounded(t), "GET", r.RedirectURI()+"?code=secret", "evil.example")
	if err := r.Close(); err != nil {
		t.Fatal(err)
	}
	if said := out.String(); !strings.Contains(said, "status=403") || !strings.Contains(said, "net-host-header-loopback") || strings.Contains(said, "secret") {
		t.Errorf("the log says %q", said)
	}
}
