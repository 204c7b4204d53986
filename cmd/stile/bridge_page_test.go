package main

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stile-oauth/stile/httpdriver/devas"
)

// Pages that the user has open try to end or to take over a login that the bridge waits
// for. None succeeds, and the login that follows does. Its address is good once.
func TestBridgeTurnsHostilePagesAway(t *testing.T) {
	_, server := peers(t, nil, nil)
	c := newCLI(t)
	b := startBridge(t, c, nil, server, "--no-browser", "--auth-timeout", "0")
	_, err := b.ListTools(t.Context(), nil)
	e := failedAs(t, err)
	end, err := url.Parse(elsewhere(t, e.URL))
	if err != nil {
		t.Fatal(err)
	}
	get := func(u url.URL, change func(*http.Request)) int {
		t.Helper()
		r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, u.String(), nil)
		if err != nil {
			t.Fatal(err)
		}
		if change != nil {
			change(r)
		}
		resp, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		_ = resp.Body.Close()
		return resp.StatusCode
	}
	with := func(query string) url.URL { u := *end; u.RawQuery = query; return u }
	for _, hostile := range []struct {
		what   string
		u      url.URL
		change func(*http.Request)
	}{
		{"an error without a state", with("error=access_denied"), nil},
		{"an error of another login", with("error=access_denied&state=of-another"), nil},
		{"a code for another login", with("code=x&state=of-another"), nil},
		{"a rebound name", *end, func(r *http.Request) { r.Host = "evil.example:" + end.Port() }},
		{"a page of another origin", *end, func(r *http.Request) { r.Header.Set("Origin", "https://evil.example") }},
	} {
		if status := get(hostile.u, hostile.change); status == http.StatusOK {
			t.Errorf("%s is answered with %d", hostile.what, status)
		}
		if _, err := b.ListTools(t.Context(), nil); failedAs(t, err).URL != e.URL {
			t.Errorf("%s ended the login: %v", hostile.what, err)
		}
	}
	if status := get(*end, nil); status != http.StatusOK {
		t.Errorf("the user is answered with %d", status)
	}
	if _, err := b.ListTools(t.Context(), nil); err != nil {
		t.Errorf("%v: %s", err, b.err)
	}
}

// A call that the server refuses for want of a scope again and again leads to one login
// more, and then to an error.
func TestBridgeStepsUpOnce(t *testing.T) {
	var calls atomic.Int32
	_, server := peersBehind(t, func(h http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.Header.Get("Authorization") != "" && strings.Contains(bodyOf(r), `"get_time"`) {
				calls.Add(1)
				w.Header().Set("WWW-Authenticate", `Bearer error="insufficient_scope", scope="`+noteScope+`"`)
				w.WriteHeader(http.StatusForbidden)
				return
			}
			h.ServeHTTP(w, r)
		})
	}, nil, nil)
	c := newCLI(t)
	var opened atomic.Int32
	c.browse = func(ctx context.Context, url string) error { opened.Add(1); return followAll(ctx, url) }
	b := startBridge(t, c, nil, server)
	_, err := b.call(t, "get_time", map[string]string{})
	e := failedAs(t, err)
	if e.Rule != "stepup-same-challenge-terminal" || !strings.Contains(e.Message, "What to do") || opened.Load() != 2 || calls.Load() > 3 {
		t.Errorf("%d browsers, %d calls, %+v", opened.Load(), calls.Load(), e)
	}
}

// bodyOf reads the body of a request and puts it back.
func bodyOf(r *http.Request) string {
	b, _ := io.ReadAll(r.Body)
	r.Body = io.NopCloser(bytes.NewReader(b))
	return string(b)
}

// The error of a failed request is in the words of the other commands, with the entry
// that explains it; standard error names the entry too.
func TestBridgeExplains(t *testing.T) {
	_, broken := peers(t, func(c *devas.ASConfig) { c.Faults = []string{"asm-no-pkce"} }, nil)
	var down atomic.Bool
	_, server := peersBehind(t, func(h http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if down.Load() {
				w.WriteHeader(http.StatusServiceUnavailable)
				return
			}
			h.ServeHTTP(w, r)
		})
	}, nil, nil)
	c := newCLI(t)
	b := startBridge(t, c, nil, broken)
	_, err := b.ListTools(t.Context(), nil)
	if e := failedAs(t, err); e.Rule != "asm-pkce-advertised" || !strings.HasSuffix(e.See, "#asm-pkce-advertised") || !strings.Contains(e.Message, e.See) {
		t.Errorf("%+v", e)
	}
	eventually(t, "standard error names the entry", func() bool { return strings.Contains(b.err.String(), "#asm-pkce-advertised") })

	b = startBridge(t, c, nil, "http://127.0.0.1:1/mcp")
	_, err = b.ListTools(t.Context(), nil)
	if e := failedAs(t, err); !strings.Contains(e.Message, "nothing listens") || !strings.HasSuffix(e.See, "#house-unreachable") {
		t.Errorf("%+v", e)
	}

	b = startBridge(t, c, nil, server, "--ignore-tool", "add*")
	tools, err := b.ListTools(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, tool := range tools.Tools {
		if strings.HasPrefix(tool.Name, "add") {
			t.Errorf("%s is not hidden", tool.Name)
		}
	}
	_, err = b.call(t, "add_note", map[string]string{"text": "x"})
	if e := failedAs(t, err); !strings.HasSuffix(e.See, "#bridge-hidden") {
		t.Errorf("%+v", e)
	}
	down.Store(true)
	_, err = b.call(t, "get_time", nil)
	if e := failedAs(t, err); !strings.Contains(e.Message, "in trouble") || !strings.HasSuffix(e.See, "#server-in-trouble") {
		t.Errorf("%+v", e)
	}
}

// The headers of the user, cookies and pings reach the server; an answer that comes too
// late is not waited for.
func TestBridgeSpeaksToTheServer(t *testing.T) {
	headers := filepath.Join(t.TempDir(), "headers")
	if err := os.WriteFile(headers, []byte("X-Team: blue\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	var named, cookies, pings atomic.Int32
	hold := make(chan struct{})
	_, server := peersBehind(t, func(h http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path == "/mcp" {
				if r.Header.Get("X-Team") == "blue" && r.Header.Get("X-Key") == "from-the-environment" {
					named.Add(1)
				}
				if ck, err := r.Cookie("session"); err == nil && ck.Value == "one" {
					cookies.Add(1)
				}
				http.SetCookie(w, &http.Cookie{Name: "session", Value: "one"})
				body := bodyOf(r)
				if strings.Contains(body, `"ping"`) {
					pings.Add(1)
				}
				if strings.Contains(body, `"get_time"`) {
					<-hold
				}
			}
			h.ServeHTTP(w, r)
		})
	}, nil, nil)
	defer close(hold)
	c := newCLI(t)
	c.env["KEY"] = "from-the-environment"
	b := startBridge(t, c, nil, server, "--header-file", headers, "--header", "X-Key: ${KEY}", "--headers-timeout", "1", "--protocol", "legacy", "--ping-interval", "0.1")
	if _, err := b.ListTools(t.Context(), nil); err != nil {
		t.Fatalf("%v: %s", err, b.err)
	}
	eventually(t, "the server is pinged", func() bool { return pings.Load() > 0 })
	if named.Load() == 0 || cookies.Load() == 0 {
		t.Errorf("%d requests with the headers, %d with the cookie", named.Load(), cookies.Load())
	}
	begun := time.Now()
	_, err := b.call(t, "get_time", nil)
	if e := failedAs(t, err); time.Since(begun) > 20*time.Second || !strings.HasSuffix(e.See, "#house-unreachable") {
		t.Errorf("%+v", e)
	}
}
