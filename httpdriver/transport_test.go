package httpdriver_test

import (
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/stile-oauth/stile/httpdriver"
)

// body is a request body that remembers being closed.
type body struct {
	io.Reader
	closed int
}

func (b *body) Close() error { b.closed++; return nil }

// bodies gives what arrived at the protected server.
func (w *world) bodies() []string {
	var out []string
	for _, s := range w.Tap.requests() {
		if s.To == "rs" && s.Method == http.MethodPost {
			out = append(out, s.Body)
		}
	}
	return out
}

// TestBodyReplay: a refused request is sent again with the same body, from
// GetBody or from what was kept; one that is too long is not sent twice and
// says so, and still reaches a server that takes the token at once.
func TestBodyReplay(t *testing.T) {
	long := `{"jsonrpc":"2.0","id":1,"method":"ping","params":{"x":"` + strings.Repeat("y", 4096) + `"}}`
	post := func(t *testing.T, w *world, c *http.Client, b io.ReadCloser, getBody func() (io.ReadCloser, error)) (*http.Response, error) {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, w.Server, nil)
		if err != nil {
			t.Fatal(err)
		}
		req.Body, req.GetBody, req.ContentLength = b, getBody, -1
		req.Header.Set("Authorization", "Bearer mine")
		req.Header.Set("X-Mine", "1")
		resp, err := c.Do(req)
		if req.Header.Get("Authorization") != "Bearer mine" || len(req.Header) != 2 {
			t.Errorf("the caller's header was changed: %v", req.Header)
		}
		if resp != nil {
			_ = resp.Body.Close()
		}
		return resp, err
	}
	t.Run("GetBody", func(t *testing.T) {
		w := newWorld(t)
		c := w.client(t, w.driver(t))
		first, n := &body{Reader: strings.NewReader(long)}, 0
		resp, err := post(t, w, c, first, func() (io.ReadCloser, error) {
			n++
			return io.NopCloser(strings.NewReader(long)), nil
		})
		if err != nil || resp.StatusCode != 200 {
			t.Fatal(resp, err)
		}
		if got := w.bodies(); len(got) != 2 || got[0] != long || got[1] != long || n != 1 || first.closed == 0 {
			t.Errorf("%d bodies arrived, GetBody was called %d times, closed %d", len(got), n, first.closed)
		}
	})
	t.Run("kept", func(t *testing.T) {
		w := newWorld(t)
		c := w.client(t, w.driver(t))
		b := &body{Reader: strings.NewReader(long)}
		resp, err := post(t, w, c, b, nil)
		if err != nil || resp.StatusCode != 200 {
			t.Fatal(resp, err)
		}
		if got := w.bodies(); len(got) != 2 || got[0] != long || got[1] != long || b.closed == 0 {
			t.Errorf("%d bodies arrived; closed %d", len(got), b.closed)
		}
	})
	t.Run("too long", func(t *testing.T) {
		w := newWorld(t)
		d := w.driver(t, func(o *httpdriver.Options) { o.MaxReplay = 100 })
		c := w.client(t, d)
		b := &body{Reader: strings.NewReader(long)}
		if _, err := post(t, w, c, b, nil); !errors.Is(err, httpdriver.ErrNotReplayable) {
			t.Fatal(err)
		}
		if got := w.bodies(); len(got) != 1 || b.closed == 0 {
			t.Errorf("%d bodies arrived; closed %d", len(got), b.closed)
		}
		w.Tap.reset()
		b = &body{Reader: strings.NewReader(long)}
		resp, err := post(t, w, c, b, nil)
		if err != nil || resp.StatusCode != 200 {
			t.Fatal(resp, err)
		}
		if got := w.bodies(); len(got) != 1 || got[0] != long || b.closed == 0 {
			t.Errorf("%d bodies arrived; closed %d", len(got), b.closed)
		}
	})
	t.Run("unreadable", func(t *testing.T) {
		w := newWorld(t)
		c := w.client(t, w.driver(t))
		broken := errors.New("the file is gone")
		_, err := post(t, w, c, &body{Reader: strings.NewReader(ping)}, func() (io.ReadCloser, error) { return nil, broken })
		if !errors.Is(err, broken) {
			t.Fatal(err)
		}
	})
}

// TestTokenStaysInside: a token goes nowhere but to the resource that it was
// issued for, whatever the request says (bearer-bound-resource).
func TestTokenStaysInside(t *testing.T) {
	w := newWorld(t)
	elsewhere := w.host("elsewhere", http.HandlerFunc(echo))
	d := w.driver(t)
	c := w.client(t, d)
	w.call(t, c)
	w.Tap.reset()
	origin := strings.TrimSuffix(w.Server, "/mcp")
	for _, u := range []string{
		elsewhere + "/mcp", origin, origin + "/", origin + "/other", origin + "/mcpx", origin + "/mcp/../other",
		origin + "/mcp/%2e%2e/other", origin + "/mcp/..%2fother", origin + "/mcp/..;/other", origin + `/mcp/x...\..`, strings.Replace(origin, "http:", "https:", 1) + "/mcp",
		strings.Replace(origin, "127.0.0.1", "localhost", 1) + "/mcp",
	} {
		resp, err := c.Get(u)
		if !errors.Is(err, httpdriver.ErrOutside) {
			t.Errorf("%s: %v %v", u, resp, err)
		}
	}
	req, err := http.NewRequest(http.MethodGet, w.Server, nil)
	if err != nil {
		t.Fatal(err)
	}
	req.URL.Opaque = "/other"
	if _, err := c.Do(req); !errors.Is(err, httpdriver.ErrOutside) {
		t.Errorf("an opaque URL: %v", err)
	}
	w.exactly(t, 0)
	for _, u := range []string{w.Server, w.Server + "/", w.Server + "/below?x=1", strings.ToUpper(origin[:7]) + origin[7:] + "/mcp"} {
		resp, err := c.Get(u)
		if err != nil {
			t.Errorf("%s: %v", u, err)
			continue
		}
		_ = resp.Body.Close()
		if resp.StatusCode != 200 {
			t.Errorf("%s: %s", u, resp.Status)
		}
	}
}

// TestForeignChallenge: what another server says is no challenge to this
// account, no matter where the request came from.
func TestForeignChallenge(t *testing.T) {
	w := newWorld(t)
	var elsewhere string
	elsewhere = w.host("elsewhere", http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		rw.Header().Set("WWW-Authenticate", `Bearer resource_metadata="`+elsewhere+`/prm"`)
		rw.WriteHeader(http.StatusUnauthorized)
	}))
	d := w.driver(t)
	resp, err := w.client(t, d).Get(elsewhere + "/mcp")
	if err != nil {
		t.Fatal(err)
	}
	_ = resp.Body.Close()
	if resp.StatusCode != 401 {
		t.Error(resp.Status)
	}
	w.exactly(t, 1)
}

// TestRedirects: the client follows a redirect inside the resource with the
// token, and none to another origin.
func TestRedirects(t *testing.T) {
	var elsewhere string
	w := newWorld(t, func(s setup) {
		s.RS.MCP = http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
			switch to := r.URL.Query().Get("to"); to {
			case "":
				echo(rw, r)
			case "loop":
				http.Redirect(rw, r, r.URL.String(), http.StatusTemporaryRedirect)
			default:
				http.Redirect(rw, r, to, http.StatusTemporaryRedirect)
			}
		})
	})
	elsewhere = w.host("elsewhere", http.HandlerFunc(echo))
	d := w.driver(t)
	c := w.client(t, d)
	w.call(t, c)
	post := func(to string) (*http.Response, error) {
		resp, err := c.Post(w.Server+"?to="+to, "application/json", strings.NewReader(ping))
		if err == nil {
			_ = resp.Body.Close()
		}
		return resp, err
	}
	if resp, err := post("/mcp/below"); err != nil || resp.StatusCode != 200 {
		t.Errorf("inside: %v %v", resp, err)
	}
	if resp, err := post(elsewhere + "/mcp"); err != nil || resp.StatusCode != 307 {
		t.Errorf("another origin: %v %v", resp, err)
	}
	if _, err := post("/other"); !errors.Is(err, httpdriver.ErrOutside) {
		t.Errorf("outside the resource: %v", err)
	}
	w.Tap.reset()
	if resp, err := post("loop"); err != nil || resp.StatusCode != 307 {
		t.Errorf("a loop: %v %v", resp, err)
	}
	if n := len(w.Tap.requests()); n != 4 { // the first, and three redirects
		t.Errorf("%d requests round the loop", n)
	}
	if n := w.Tap.count("elsewhere", "/mcp"); n != 0 {
		t.Error("the redirect was followed to another origin")
	}
	// A client that follows everything: the transport keeps the token.
	rt, err := d.Transport(w.account(), nil)
	if err != nil {
		t.Fatal(err)
	}
	c = &http.Client{Transport: rt}
	if _, err := post(elsewhere + "/mcp"); !errors.Is(err, httpdriver.ErrOutside) {
		t.Errorf("another origin, careless client: %v", err)
	}
	if n := w.Tap.count("elsewhere", "/mcp"); n != 0 {
		t.Error("the redirect was followed to another origin")
	}
}
