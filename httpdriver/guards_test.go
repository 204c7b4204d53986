package httpdriver_test

import (
	"context"
	"errors"
	"net"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/stile-oauth/stile/fsm"
	"github.com/stile-oauth/stile/httpdriver"
	"github.com/stile-oauth/stile/states"
	"github.com/stile-oauth/stile/storage"
)

// TestFirstRequestOfALogin: what a login sends to hear the challenge is the first message
// of an MCP client.
func TestFirstRequestOfALogin(t *testing.T) {
	w := newWorld(t)
	if err := w.driver(t).Login(t.Context(), w.account()); err != nil {
		t.Fatal(err)
	}
	first := w.Tap.requests()[0]
	if first.To != "rs" || first.Method != "POST" || !strings.Contains(first.Body, `"method":"initialize"`) || first.Header.Get("Authorization") != "" ||
		first.Header["Mcp-Session-Id"] != nil || first.Header.Get("Content-Type") != "application/json" || !strings.Contains(first.Header.Get("Accept"), "text/event-stream") {
		t.Errorf("%s %v %s", first, first.Header, first.Body)
	}
}

// TestRequestsWithoutABody: a request without a body is sent again with the token, and a
// 401 that names no scheme is answered by a login all the same.
func TestRequestsWithoutABody(t *testing.T) {
	for _, silent := range []bool{false, true} {
		w := newWorld(t, func(s setup) {
			s.Wrap["rs"] = func(h http.Handler) http.Handler {
				return http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
					if silent && r.Header.Get("Authorization") == "" && r.URL.Path == "/mcp" {
						rw.WriteHeader(http.StatusUnauthorized)
						return
					}
					h.ServeHTTP(rw, r)
				})
			}
		})
		resp, err := w.client(t, w.driver(t)).Get(w.Server)
		if err != nil {
			t.Fatal(err)
		}
		_ = resp.Body.Close()
		if resp.StatusCode != 200 {
			t.Errorf("silent %v: %s", silent, resp.Status)
		}
	}
}

// TestLoggedOutElsewhere: when another process has logged out, a request goes out once
// without a token, whole, and the answer to that decides.
func TestLoggedOutElsewhere(t *testing.T) {
	open := false
	w := newWorld(t, func(s setup) {
		s.Wrap["rs"] = func(h http.Handler) http.Handler {
			return http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
				if open && r.Header.Get("Authorization") == "" {
					echo(rw, r)
					return
				}
				h.ServeHTTP(rw, r)
			})
		}
	})
	c := w.client(t, w.driver(t))
	w.call(t, c)
	if err := w.driver(t).Logout(t.Context(), w.account()); err != nil {
		t.Fatal(err)
	}
	open = true
	w.Tap.reset()
	status, body, err := w.post(t.Context(), c, ping)
	if err != nil || status != 200 || body != ping {
		t.Errorf("%d %q %v:%s", status, body, err, w.Tap.list())
	}
}

// TestRedirectOfARefusal: a user who came back with a refusal has not logged in, and the
// host that hands in the redirect hears that.
func TestRedirectOfARefusal(t *testing.T) {
	w := newWorld(t)
	d := w.driver(t, web)
	_, _, err := w.post(t.Context(), w.client(t, d), ping)
	need := required(t, err)
	raw, err := refuse(t.Context(), httpdriver.Visit{URL: need.URL, Issuer: need.Issuer, RedirectURI: webCallback})
	if err != nil {
		t.Fatal(err)
	}
	a, err := d.Redirected(t.Context(), raw, httpdriver.Owner{})
	f, ok := fsm.FaultOf(err)
	if !ok || f.Problem.OAuth == nil || f.Problem.OAuth.Code != "access_denied" || a != w.account() {
		t.Errorf("%+v %v", a, err)
	}
	broken := w.driver(t, web, func(o *httpdriver.Options) { o.Store = lostLogins{w.Store} })
	if _, err := broken.Redirected(t.Context(), raw, httpdriver.Owner{}); err == nil || errors.Is(err, httpdriver.ErrUnknownLogin) || !strings.Contains(err.Error(), "the store") {
		t.Errorf("a store that is down: %v", err)
	}
}

// lostLogins is a store that cannot give logins.
type lostLogins struct{ storage.Store }

func (s lostLogins) Get(ctx context.Context, k states.Key) (storage.Entry, error) {
	if k.Kind == states.KindLogin {
		return storage.Entry{}, errors.New("connection refused")
	}
	return s.Store.Get(ctx, k)
}

// TestAHostTakesItsTime: a host that binds its address outside this machine may take as
// long as a user does.
func TestAHostTakesItsTime(t *testing.T) {
	inBubble(t, func(t *testing.T, w *world) {
		next := w.options.Host
		d := w.driver(t, func(o *httpdriver.Options) { o.Host = tardy{next} })
		began := time.Now()
		w.call(t, w.client(t, d))
		if took := time.Since(began); !near(took, 2*time.Minute, time.Second) {
			t.Errorf("it took %v", took)
		}
	})
}

type tardy struct{ httpdriver.Host }

func (h tardy) Bind(ctx context.Context, preferred []string) (httpdriver.Listener, error) {
	select {
	case <-time.After(2 * time.Minute):
		return h.Host.Bind(ctx, preferred)
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// TestHostsBind: a host says what is wrong with an address, and listens where it can.
func TestHostsBind(t *testing.T) {
	for _, h := range []httpdriver.Host{httpdriver.Browser{}, httpdriver.UserAgent(follow)} {
		if l, err := h.Bind(t.Context(), []string{"http://[::1"}); err == nil {
			t.Errorf("%T listens at %s", h, l.RedirectURI())
		}
		for _, preferred := range [][]string{nil, {"http://127.0.0.1/callback"}, {"http://127.0.0.1/another/path", "http://127.0.0.1/callback"}} {
			l, err := h.Bind(t.Context(), preferred)
			if err != nil {
				t.Errorf("%T %v: %v", h, preferred, err)
				continue
			}
			u, err := url.Parse(l.RedirectURI())
			if err != nil || u.Hostname() != "127.0.0.1" || u.Port() == "" || len(preferred) > 0 && !strings.HasSuffix(preferred[0], u.Path) {
				t.Errorf("%T %v: %v %v", h, preferred, u, err)
			}
			_ = l.Close()
		}
		free := freeAddress(t)
		if l, err := h.Bind(t.Context(), []string{"http://" + free + "/callback"}); err != nil || l.RedirectURI() != "http://"+free+"/callback" {
			t.Errorf("%T at a port that is free: %v", h, err)
		} else {
			_ = l.Close()
		}
		if l, err := h.Bind(t.Context(), []string{"https://host.example/callback"}); err != nil || l.RedirectURI() != "https://host.example/callback" {
			t.Errorf("%T: %v", h, err)
		} else {
			_ = l.Close()
		}
	}
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = taken.Close() }()
	uri := "http://" + taken.Addr().String() + "/callback"
	if _, err := (httpdriver.Browser{RedirectURI: uri}).Bind(t.Context(), nil); err == nil {
		t.Errorf("it listens at %s, as another program does", uri)
	}
}

// TestAFixedRedirectURI: the address that the browser's host was given is used unchanged,
// whatever the policy names.
func TestAFixedRedirectURI(t *testing.T) {
	fixed := "http://" + freeAddress(t) + "/callback"
	l, err := httpdriver.Browser{RedirectURI: fixed}.Bind(t.Context(), []string{"https://host.example/callback"})
	if err != nil || l.RedirectURI() != fixed {
		t.Fatalf("%v", err)
	}
	_ = l.Close()
}

// freeAddress is an address on loopback that nobody listens on.
func freeAddress(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	_ = l.Close()
	return l.Addr().String()
}

// TestNoAssertion: without an assertion, or with an empty one, the error says so.
func TestNoAssertion(t *testing.T) {
	for name, c := range map[string]struct {
		give func() (string, error)
		want string
	}{
		"empty":   {func() (string, error) { return "", nil }, "it is empty"},
		"failed":  {func() (string, error) { return "x", errors.New("the platform is away") }, "the platform is away"},
		"nowhere": {nil, "no source of assertions is configured"},
	} {
		w := newWorld(t, func(s setup) { s.AS.Trust("https://platform.example", true) })
		d := w.driver(t, func(o *httpdriver.Options) {
			o.Policy.Grant, o.Policy.Issuer = states.WorkloadGrant, w.ASURL
			if c.give != nil {
				o.Workload = func(context.Context, httpdriver.Account, []string) (string, error) { return c.give() }
			}
		})
		_, _, err := w.post(t.Context(), w.client(t, d), ping)
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
