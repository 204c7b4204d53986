package httpdriver_test

import (
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/stile-oauth/stile/httpdriver"
)

// TestRedirectsOfTheClient: a client follows redirects to its own server alone: not to another
// scheme, where the token would go without encryption, not to another host, and not for ever.
func TestRedirectsOfTheClient(t *testing.T) {
	c, err := newWorld(t).driver(t).Client(httpdriver.Account{Server: "https://mcp.example/mcp"})
	if err != nil {
		t.Fatal(err)
	}
	check := c.CheckRedirect
	for to, c := range map[string]struct {
		via    int
		follow bool
	}{
		"https://mcp.example/other": {1, true}, "https://MCP.example/other": {3, true}, "https://mcp.example/fourth": {4, false},
		"http://mcp.example/other": {1, false}, "https://other.example/mcp": {1, false}, "https://mcp.example:8443/mcp": {1, false},
	} {
		req := httptest.NewRequest(http.MethodGet, to, nil)
		var via []*http.Request
		for range c.via {
			via = append(via, httptest.NewRequest(http.MethodGet, "https://mcp.example/mcp", nil))
		}
		if err := check(req, via); (err == nil) != c.follow {
			t.Errorf("%s after %d: %v", to, c.via, err)
		}
	}
}

// TestChallengesOfOtherServers: a challenge of a server that is not the account's begins no login; the
// answer is the caller's.
func TestChallengesOfOtherServers(t *testing.T) {
	w := newWorld(t)
	rt, err := w.driver(t).Transport(w.account(), roundTrip(func(*http.Request) (*http.Response, error) { return refusal(), nil }))
	if err != nil {
		t.Fatal(err)
	}
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "https://other.example/mcp", nil)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := rt.RoundTrip(req)
	if err != nil {
		t.Fatal(err)
	}
	_ = resp.Body.Close()
	if resp.StatusCode != http.StatusUnauthorized {
		t.Errorf("%s", resp.Status)
	}
	w.exactly(t, 0)
}

// counts counts how often a body was closed.
type counts struct {
	io.Reader
	closed *int
}

func (c counts) Close() error { *c.closed++; return nil }

// TestBodiesAreClosedOnce: the body of a request is closed, once, however the request ends (see
// http.RoundTripper): also if it is not sent, because it goes outside or the driver is closed, and
// if the transport below closes it again.
func TestBodiesAreClosedOnce(t *testing.T) {
	w := newWorld(t)
	d := w.driver(t)
	w.call(t, w.client(t, d))
	late := func() {}
	rt, err := d.Transport(w.account(), roundTrip(func(r *http.Request) (*http.Response, error) {
		_, _ = io.Copy(io.Discard, r.Body)
		_ = r.Body.Close()
		if r.Header.Get("Replay") == "" {
			late = func() { _ = r.Body.Close() } // net/http may close a body after it has answered
		}
		return httptest.NewRecorder().Result(), nil
	}))
	if err != nil {
		t.Fatal(err)
	}
	send := func(what, to string, want error) {
		t.Helper()
		for _, replayable := range []bool{false, true} {
			n := 0
			req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, to, counts{strings.NewReader(ping), &n})
			if err != nil {
				t.Fatal(err)
			}
			if replayable {
				req.GetBody = func() (io.ReadCloser, error) { return io.NopCloser(strings.NewReader(ping)), nil }
				req.Header.Set("Replay", "1")
			}
			resp, err := rt.RoundTrip(req)
			if err == nil {
				_ = resp.Body.Close()
			}
			late()
			late = func() {}
			if !errors.Is(err, want) || n != 1 {
				t.Errorf("%s: %v, closed %d times", what, err, n)
			}
		}
	}
	send("inside", w.Server, nil)
	send("outside", "https://other.example/", httpdriver.ErrOutside)
	if err := d.Close(); err != nil {
		t.Fatal(err)
	}
	send("closed", w.Server, httpdriver.ErrClosed)
}

// TestRequestsStayAsTheyAre: a request that is sent again without a token, since another process
// has logged out, is the caller's as before (see http.RoundTripper).
func TestRequestsStayAsTheyAre(t *testing.T) {
	w := newWorld(t)
	d := w.driver(t)
	w.call(t, w.client(t, d))
	if err := w.driver(t).Logout(t.Context(), w.account()); err != nil {
		t.Fatal(err)
	}
	bodies := []string{}
	rt, err := d.Transport(w.account(), roundTrip(func(r *http.Request) (*http.Response, error) {
		b, _ := io.ReadAll(r.Body)
		bodies = append(bodies, r.Header.Get("Authorization")[:min(6, len(r.Header.Get("Authorization")))]+" "+string(b))
		if len(bodies) == 1 {
			return refusal(), nil
		}
		return httptest.NewRecorder().Result(), nil
	}))
	if err != nil {
		t.Fatal(err)
	}
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, w.Server, strings.NewReader("text"))
	if err != nil {
		t.Fatal(err)
	}
	was := req.Body
	resp, err := rt.RoundTrip(req)
	if err != nil {
		t.Fatal(err)
	}
	_ = resp.Body.Close()
	if strings.Join(bodies, ",") != "Bearer text, text" || req.Body != was || req.Header.Get("Authorization") != "" {
		t.Errorf("sent %q; the caller's request was changed: %v", bodies, req.Body != was)
	}
}

// TestBodyThatIsClosedWhileItWaits: a body that a transport closes ends the reading of it, also
// where that waits for what an earlier attempt still reads.
func TestBodyThatIsClosedWhileItWaits(t *testing.T) {
	inBubble(t, func(t *testing.T, w *world) {
		d := w.driver(t)
		w.call(t, w.client(t, d))
		open := make(chan struct{})
		n := 0
		rt, err := d.Transport(w.account(), roundTrip(func(r *http.Request) (*http.Response, error) {
			done := make(chan struct{})
			go func() { _, _ = io.Copy(io.Discard, r.Body); close(done) }()
			synctest.Wait()
			if n++; n == 1 {
				resp := refusal()
				resp.Header.Set("WWW-Authenticate", `Bearer error="invalid_token"`)
				return resp, nil
			}
			_ = r.Body.Close()
			<-done
			return httptest.NewRecorder().Result(), nil
		}))
		if err != nil {
			t.Fatal(err)
		}
		slowBody{strings.NewReader(ping), open}.post(t, rt, w.Server)
		close(open)
	})
}
