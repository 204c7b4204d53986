package loopback_test

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stile-oauth/stile/httpdriver/loopback"
)

func listen(t *testing.T, o loopback.Options) *loopback.Receiver {
	t.Helper()
	r, err := loopback.Listen(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = r.Close() })
	return r
}

// bounded fails a test that hangs; it never decides one that does not.
func bounded(t *testing.T) context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	t.Cleanup(cancel)
	return ctx
}

type answer struct {
	status int
	header http.Header
	body   string
	err    error
}

func fetch(ctx context.Context, method, rawURL, host string, header ...string) answer {
	req, err := http.NewRequestWithContext(ctx, method, rawURL, nil)
	if err != nil {
		return answer{err: err}
	}
	req.Host = host
	for i := 0; i+1 < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	tr := &http.Transport{DisableKeepAlives: true}
	defer tr.CloseIdleConnections()
	resp, err := tr.RoundTrip(req)
	if err != nil {
		return answer{err: err}
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	return answer{resp.StatusCode, resp.Header, string(b), err}
}

func TestCallback(t *testing.T) {
	ctx := bounded(t)
	r := listen(t, loopback.Options{})
	u, err := url.Parse(r.RedirectURI())
	if err != nil || u.Hostname() != "127.0.0.1" || u.Path != "/callback" || u.Port() != strconv.Itoa(r.Port()) || r.Port() == 0 {
		t.Fatal(r.RedirectURI(), err)
	}
	pages := make(chan answer, 2)
	get := func(q string) { go func() { pages <- fetch(ctx, "GET", r.RedirectURI()+q, "") }() }

	// A wrong one first: it is offered, refused, and the receiver stays open.
	get("?state=wrong&code=c")
	raw, reply, err := r.Wait(ctx)
	if err != nil || raw != r.RedirectURI()+"?state=wrong&code=c" {
		t.Fatal(raw, err)
	}
	reply(loopback.Page{Title: "Not this login", Message: "<script>alert(1)</script>", Detail: []string{`<a href="https://evil.example">&`}})
	p := <-pages
	if p.status != 400 || !strings.Contains(p.body, "&lt;script&gt;") || strings.Count(p.body, "<script") != 1 || strings.Contains(p.body, "<a ") {
		t.Errorf("%d %s", p.status, p.body)
	}

	// The right one, verbatim: order, escapes and repetitions are the machine's.
	q := "?code=a%2Bb+c&state=s&state=t&iss=https%3A%2F%2Fas.example%2f&x=%zz"
	get(q)
	raw, reply, err = r.Wait(ctx)
	if err != nil || raw != r.RedirectURI()+q {
		t.Fatal(raw, err)
	}
	reply(loopback.Page{OK: true, Title: "Signed in", Message: "You can close this window."})
	reply(loopback.Page{Title: "too late"})
	if err := r.Close(); err != nil { // at once: the page still arrives
		t.Error(err)
	}
	p = <-pages
	if p.err != nil || p.status != 200 || !strings.Contains(p.body, "Signed in") {
		t.Errorf("%+v", p)
	}
	for name, want := range map[string]string{
		"Cache-Control": "no-store", "Referrer-Policy": "no-referrer", "X-Content-Type-Options": "nosniff",
		"X-Frame-Options": "DENY", "Content-Type": "text/html; charset=utf-8",
	} {
		if got := p.header.Get(name); got != want {
			t.Errorf("%s: %q", name, got)
		}
	}
	if csp := p.header.Get("Content-Security-Policy"); !strings.HasPrefix(csp, "default-src 'none'; style-src 'sha256-") || strings.Contains(csp, "unsafe") {
		t.Error(csp)
	}
	_, style, _ := strings.Cut(p.body, "<style>")
	style, _, _ = strings.Cut(style, "</style>")
	sum := sha256.Sum256([]byte(style))
	if !strings.Contains(p.header.Get("Content-Security-Policy"), base64.StdEncoding.EncodeToString(sum[:])) {
		t.Error("the policy does not allow the page's own style")
	}
	_, script, _ := strings.Cut(p.body, "<script>")
	script, _, _ = strings.Cut(script, "</script>")
	sum = sha256.Sum256([]byte(script))
	if !strings.Contains(script, "replaceState") || !strings.Contains(p.header.Get("Content-Security-Policy"), base64.StdEncoding.EncodeToString(sum[:])) {
		t.Errorf("%q may not take the code out of the address bar", script)
	}
	if strings.Contains(p.body, "http") || strings.Contains(p.body, "src=") {
		t.Error("the page names something outside itself")
	}
	if p = fetch(ctx, "GET", r.RedirectURI()+"?state=s&code=c", ""); p.err == nil {
		t.Error("still listening")
	}
	if _, _, err := r.Wait(ctx); !errors.Is(err, loopback.ErrClosed) {
		t.Error(err)
	}
	if err := r.Paste("x"); !errors.Is(err, loopback.ErrClosed) {
		t.Error(err)
	}
}

// None of these reaches Wait: the paste that follows them is the first offer.
//
// Rules: net-host-header-loopback.
func TestTurnedAway(t *testing.T) {
	ctx := bounded(t)
	r := listen(t, loopback.Options{})
	port := strconv.Itoa(r.Port())
	cb := r.RedirectURI() + "?state=s&code=c"
	base := "http://127.0.0.1:" + port
	for _, tt := range []struct {
		name, method, url, host string
		header                  []string
		status                  int
	}{
		{"rebound name", "GET", cb, "evil.example:" + port, nil, 403},
		{"other loopback name", "GET", cb, "localhost:" + port, nil, 403},
		{"no port", "GET", cb, "127.0.0.1", nil, 403},
		{"other path", "GET", base + "/?state=s&code=c", "", nil, 404},
		{"below the path", "GET", base + "/callback/x?state=s&code=c", "", nil, 404},
		{"other spelling", "GET", base + "/%63allback?state=s&code=c", "", nil, 404},
		{"favicon", "GET", base + "/favicon.ico", "", nil, 404},
		{"post", "POST", cb, "", nil, 405},
		{"options", "OPTIONS", cb, "", nil, 405},
		{"head", "HEAD", cb, "", nil, 200},
		{"no query", "GET", base + "/callback", "", nil, 400},
		{"something else", "GET", base + "/callback?x=1", "", nil, 400},
		{"prefetch", "GET", cb, "", []string{"Sec-Purpose", "prefetch;prerender"}, 503},
		{"old prefetch", "GET", cb, "", []string{"Purpose", "prefetch"}, 503},
		{"fetched by a page", "GET", cb, "", []string{"Sec-Fetch-Mode", "cors"}, 403},
		{"an image", "GET", cb, "", []string{"Sec-Fetch-Mode", "no-cors", "Sec-Fetch-Dest", "image"}, 403},
		{"a frame", "GET", cb, "", []string{"Sec-Fetch-Mode", "navigate", "Sec-Fetch-Dest", "iframe"}, 403},
		{"another origin", "GET", cb, "", []string{"Origin", "https://evil.example"}, 403},
	} {
		a := fetch(ctx, tt.method, tt.url, tt.host, tt.header...)
		if a.err != nil || a.status != tt.status || a.header.Get("Cache-Control") != "no-store" || a.header.Get("Access-Control-Allow-Origin") != "" {
			t.Errorf("%s: %d %v, want %d", tt.name, a.status, a.err, tt.status)
		}
	}
	first := r.RedirectURI() + "?state=first"
	if err := r.Paste(first); err != nil {
		t.Fatal(err)
	}
	if raw, _, err := r.Wait(ctx); raw != first || err != nil {
		t.Errorf("%q %v", raw, err)
	}
	go fetch(ctx, "GET", cb, "", "Sec-Fetch-Mode", "navigate", "Sec-Fetch-Dest", "document", "Sec-Fetch-Site", "cross-site")
	if raw, reply, err := r.Wait(ctx); raw != cb || err != nil {
		t.Errorf("%q %v", raw, err)
	} else {
		reply(loopback.Page{OK: true})
	}
}

func TestPaste(t *testing.T) {
	ctx := bounded(t)
	for _, r := range []*loopback.Receiver{listen(t, loopback.Options{}), loopback.PasteOnly("https://host.example/cb?t=1")} {
		sep := "?"
		if strings.Contains(r.RedirectURI(), "?") {
			sep = "&"
		}
		for in, want := range map[string]string{
			" \"" + r.RedirectURI() + sep + "code=c\"\r\n": r.RedirectURI() + sep + "code=c",
			"<" + r.RedirectURI() + sep + "error=e>":       r.RedirectURI() + sep + "error=e",
			"?code=c&state=s":                              r.RedirectURI() + sep + "code=c&state=s",
		} {
			if err := r.Paste(in); err != nil {
				t.Fatal(err)
			}
			raw, reply, err := r.Wait(ctx)
			if raw != want || err != nil {
				t.Errorf("%q: %q %v", in, raw, err)
			}
			if reply(loopback.Page{}) { // no hang
				t.Error("a page was shown")
			}
		}
		for bad, want := range map[string]string{
			"":                             "nothing was pasted",
			"  ":                           "nothing was pasted",
			strings.Repeat("x", 1<<20):     "too long",
			"SplxlOBeZQQYbYS6WxSbIA":       "no address",
			"code=c&state=s":               "no address",
			"http://127.0.0.1:1/callback":  "another page",
			"https://as.example/authorize": "another page",
			r.RedirectURI():                "no answer of a login",
		} {
			var why *loopback.PasteError
			if err := r.Paste(bad); !errors.As(err, &why) || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), "begins with "+r.RedirectURI()) {
				t.Errorf("%.40q: %v", bad, err)
			}
		}
		var err error
		for range 100 {
			if err = r.Paste("?code=x"); err != nil {
				break
			}
		}
		if err == nil {
			t.Error("pastes are not bounded")
		}
		if err := r.Close(); err != nil {
			t.Error(err)
		}
		if err := r.Close(); err != nil {
			t.Error(err)
		}
	}
}

func TestAddresses(t *testing.T) {
	ctx := bounded(t)
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	busy := taken.Addr().(*net.TCPAddr).Port

	// A fixed port that is taken: named, with the option.
	_, err = loopback.Listen(loopback.Options{RedirectURI: fmt.Sprintf("http://127.0.0.1:%d/cb", busy)})
	var pe *loopback.PortError
	if !errors.As(err, &pe) || pe.Port != busy || !strings.Contains(err.Error(), strconv.Itoa(busy)) || !strings.Contains(err.Error(), "RedirectURI") {
		t.Error(err)
	}
	// A preferred one that is taken: another.
	r := listen(t, loopback.Options{PreferPort: busy})
	if r.Port() == busy || r.Port() == 0 {
		t.Error(r.Port())
	}
	free := r.Port()
	_ = r.Close()
	if r = listen(t, loopback.Options{PreferPort: free}); r.Port() != free {
		t.Errorf("%d, preferred %d", r.Port(), free)
	}
	_ = r.Close()
	// A redirect URI stays as it was written.
	verbatim := fmt.Sprintf("http://LocalHost:%d/a%%2fb/?tenant=1", free)
	r = listen(t, loopback.Options{RedirectURI: verbatim, Host: "ignored"})
	if r.RedirectURI() != verbatim {
		t.Error(r.RedirectURI())
	}
	go fetch(ctx, "GET", fmt.Sprintf("http://127.0.0.1:%d/a%%2fb/?tenant=1&code=c", free), fmt.Sprintf("localhost:%d", free))
	if raw, reply, err := r.Wait(ctx); err != nil || !strings.HasSuffix(raw, "/a%2fb/?tenant=1&code=c") {
		t.Error(raw, err)
	} else {
		reply(loopback.Page{OK: true})
	}
	_ = r.Close()

	v6, noIPv6 := net.Listen("tcp6", "[::1]:0")
	if noIPv6 == nil {
		_ = v6.Close()
	}
	for host, want := range map[string]string{"localhost": "http://localhost:", "[::1]": "http://[::1]:", "::1": "http://[::1]:", "127.0.0.1": "http://127.0.0.1:"} {
		r, err := loopback.Listen(loopback.Options{Host: host, Path: "/x/y"})
		if err != nil {
			if strings.Contains(host, "::1") && noIPv6 != nil {
				t.Logf("no IPv6 loopback on this machine: %v", noIPv6)
				continue
			}
			t.Fatal(err)
		}
		if !strings.HasPrefix(r.RedirectURI(), want) || !strings.HasSuffix(r.RedirectURI(), "/x/y") {
			t.Error(r.RedirectURI())
		}
		_ = r.Close()
	}
	if r := listen(t, loopback.Options{RedirectURI: "http://127.0.0.1:0/z?a=1"}); !strings.HasSuffix(r.RedirectURI(), fmt.Sprintf(":%d/z?a=1", r.Port())) {
		t.Error(r.RedirectURI())
	}
	for _, bad := range []loopback.Options{
		{RedirectURI: "https://127.0.0.1/cb"}, {RedirectURI: "http://example.com:80/"}, {RedirectURI: "http://0.0.0.0:0/"},
		{RedirectURI: "com.example.app:/cb"}, {RedirectURI: "http://127.0.0.1:0/#x"}, {RedirectURI: "http://u@127.0.0.1:0/"},
		{RedirectURI: "http://127.0.0.1:65536/"}, {RedirectURI: "http://127.0.0.1:x/"},
		{Host: "0.0.0.0"}, {Host: "192.168.1.2"}, {Host: "[::]"}, {Host: "example.com"}, {Path: "/x?y"}, {PreferPort: -1}, {PreferPort: 65536},
	} {
		if r, err := loopback.Listen(bad); err == nil {
			_ = r.Close()
			t.Errorf("%+v accepted", bad)
		}
	}
	if _, err := loopback.Listen(loopback.Options{Path: "x"}); err == nil || !strings.Contains(err.Error(), `Path "x"`) {
		t.Errorf("a path that is not absolute: %v", err)
	}
	_ = listen(t, loopback.Options{PreferPort: 65535}).Close() // the highest there is
}
