package httpdriver_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stile-oauth/stile/fsm"
	"github.com/stile-oauth/stile/httpdriver"
	"github.com/stile-oauth/stile/states"
)

// TestLeaveBeforeTheChallenge: who leaves, or closes the driver, while a silent server is
// asked for its challenge waits no longer for it, and no login begins.
func TestLeaveBeforeTheChallenge(t *testing.T) {
	for how, want := range map[string]error{"leaves": context.DeadlineExceeded, "closes": httpdriver.ErrClosed} {
		s := &slowly{path: "/mcp", wait: time.Hour}
		s.on.Store(true)
		inBubble(t, func(t *testing.T, w *world) {
			d := w.driver(t)
			ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
			if how == "leaves" {
				cancel()
				ctx, cancel = context.WithTimeout(t.Context(), 3*time.Second)
			} else {
				time.AfterFunc(3*time.Second, func() { _ = d.Close() })
			}
			defer cancel()
			began := time.Now()
			if err := d.Login(ctx, w.account()); !errors.Is(err, want) || !near(time.Since(began), 3*time.Second, time.Second) {
				t.Errorf("who %s: %v, after %v", how, err, time.Since(began))
			}
			time.Sleep(time.Minute)
			w.exactly(t, 1)
		}, func(p setup) { p.Wrap["rs"] = s.wrap })
	}
}

// TestLoginJoinsACode: a login for more scopes joins one whose user enters a code elsewhere.
// With a host that never blocks, both get that code at once, also if a token is held.
func TestLoginJoinsACode(t *testing.T) {
	inBubble(t, func(t *testing.T, w *world) {
		d := w.driver(t, func(o *httpdriver.Options) {
			o.Policy.Grant = states.DeviceGrant
			o.Host = httpdriver.Web("http://127.0.0.1/callback")
		})
		for range 2 {
			var codes []string
			began := time.Now()
			for _, scopes := range [][]string{nil, {"admin"}} {
				need, ok := errors.AsType[*httpdriver.LoginRequiredError](d.Login(t.Context(), w.account(), scopes...))
				if !ok || need.Code == "" {
					t.Fatalf("%+v", need)
				}
				codes = append(codes, need.Code)
			}
			if took := time.Since(began); codes[0] != codes[1] || took > time.Second {
				t.Errorf("%v, after %v", codes, took)
			}
			time.Sleep(time.Minute)
			w.call(t, w.client(t, d))
		}
	})
}

// TestLeaveBeforeTheSecondStep: who joined a login for fewer scopes, and leaves while its token
// cannot be stored, waits no longer, and nobody is asked for the rest.
func TestLeaveBeforeTheSecondStep(t *testing.T) {
	inBubble(t, func(t *testing.T, w *world) {
		store, asked, come := &away{Store: w.Store}, 0, make(chan struct{})
		d := w.driver(t, func(o *httpdriver.Options) {
			o.Store = store
			o.Host = httpdriver.UserAgent(func(ctx context.Context, v httpdriver.Visit) (string, error) {
				asked++
				<-come
				store.off.Store(true)
				return followBy(ctx, &http.Transport{DialContext: w.net.dial, DisableKeepAlives: true}, v)
			})
		})
		first, second := make(chan error, 1), make(chan error, 1)
		go func() { first <- d.Login(t.Context(), w.account()) }()
		synctest.Wait()
		ctx, cancel := context.WithCancel(t.Context())
		go func() { second <- d.Login(ctx, w.account(), "admin") }()
		synctest.Wait()
		close(come)
		if err := <-first; err != nil {
			t.Error(err)
		}
		synctest.Wait()
		cancel()
		began := time.Now()
		if err := <-second; !errors.Is(err, context.Canceled) || time.Since(began) > time.Second {
			t.Errorf("who left: %v, after %v", err, time.Since(began))
		}
		store.off.Store(false)
		time.Sleep(time.Minute)
		if asked != 1 {
			t.Errorf("the user was asked %d times", asked)
		}
	})
}

// TestClosedDriverRefuses: whatever is asked of a closed driver, it says that it is closed,
// and sends nothing.
func TestClosedDriverRefuses(t *testing.T) {
	w := newWorld(t)
	_, _, err := w.post(t.Context(), w.client(t, w.driver(t, web)), ping)
	raw := back(t, required(t, err))
	w.Tap.reset()
	d := w.driver(t, func(o *httpdriver.Options) { o.Policy.Binding = states.TryBinding })
	c := w.client(t, d)
	source, err := d.LoginTokenSource(t.Context(), w.account())
	if err != nil {
		t.Fatal(err)
	}
	if err := d.Close(); err != nil {
		t.Fatal(err)
	}
	for what, ask := range map[string]func() error{
		"Challenge": func() error {
			return d.Challenge(t.Context(), w.account(), &http.Response{StatusCode: http.StatusUnauthorized})
		},
		"Logout":      func() error { return d.Logout(t.Context(), w.account()) },
		"Token":       func() error { _, err := d.Token(t.Context(), w.account()); return err },
		"TokenSource": func() error { _, err := d.TokenSource(t.Context(), w.account()); return err },
		"source":      func() error { _, err := source.Token(); return err },
		"a request":   func() error { _, _, err := w.post(t.Context(), c, ping); return err },
		"Redirected":  func() error { _, err := d.Redirected(t.Context(), raw, httpdriver.Owner{}); return err },
	} {
		if err := ask(); !errors.Is(err, httpdriver.ErrClosed) {
			t.Errorf("%s: %v", what, err)
		}
	}
	w.exactly(t, 0)
}

// TestParkedLoginIsDamaged: a login that waits in the store and cannot be read is not taken
// for one that nobody began.
func TestParkedLoginIsDamaged(t *testing.T) {
	for _, damage := range []func(string) string{
		func(string) string { return "damaged" },
		func(string) string { return `{"version":1}` },
		func(v string) string { return strings.Replace(v, `"version":`, `"version":9`, 1) },
	} {
		w := newWorld(t)
		d := w.driver(t, web)
		_, _, err := w.post(t.Context(), w.client(t, d), ping)
		raw := back(t, required(t, err))
		key, e := w.waitingLogin(t, raw)
		if _, err := w.Store.Put(t.Context(), key, []byte(damage(string(e.Value))), e.Generation, time.Time{}); err != nil {
			t.Fatal(err)
		}
		if _, err = d.Redirected(t.Context(), raw, httpdriver.Owner{}); err == nil || errors.Is(err, httpdriver.ErrUnknownLogin) || !strings.Contains(err.Error(), "login") {
			t.Errorf("%v", err)
		}
		if n := w.Tap.count("as", "/token"); n != 0 {
			t.Errorf("%d exchanges", n)
		}
	}
}

// TestStepUpDenied: a host that hands in the redirect of a step-up hears that its user denied
// it, although the token that is held remains good. A source of tokens whose user denied the
// login says so too.
func TestStepUpDenied(t *testing.T) {
	w := newWorld(t)
	denied := func(err error) {
		t.Helper()
		if f, ok := fsm.FaultOf(err); !ok || f.Problem.OAuth == nil || f.Problem.OAuth.Code != "access_denied" {
			t.Errorf("%v", err)
		}
	}
	source, err := w.driver(t, func(o *httpdriver.Options) { o.Host = httpdriver.UserAgent(refuse) }).LoginTokenSource(t.Context(), w.account())
	if err != nil {
		t.Fatal(err)
	}
	_, err = source.Token()
	denied(err)
	refused := w.driver(t, func(o *httpdriver.Options) { o.Host = httpdriver.UserAgent(refuse) })
	denied(refused.Challenge(t.Context(), w.account(), refusal()))
	h, err := refused.Handler(w.account())
	if err != nil {
		t.Fatal(err)
	}
	denied(h.Authorize(t.Context(), httptest.NewRequest(http.MethodPost, w.Server, nil), refusal()))

	d := w.driver(t, web)
	c := w.client(t, d)
	_, _, err = w.post(t.Context(), c, ping)
	if _, err := d.Redirected(t.Context(), back(t, required(t, err)), httpdriver.Owner{}); err != nil {
		t.Fatal(err)
	}
	_, _, err = w.post(t.Context(), c, admin)
	need := required(t, err)
	raw, err := refuse(t.Context(), httpdriver.Visit{URL: need.URL, Issuer: need.Issuer, RedirectURI: webCallback})
	if err != nil {
		t.Fatal(err)
	}
	_, err = d.Redirected(t.Context(), raw, httpdriver.Owner{})
	denied(err)
	w.call(t, c)

	// It is the same if the issuer refuses the code.
	raw = back(t, required(t, d.Login(t.Context(), w.account(), "admin")))
	w.swap("as", http.HandlerFunc(func(rw http.ResponseWriter, _ *http.Request) {
		rw.Header().Set("Content-Type", "application/json")
		rw.WriteHeader(http.StatusBadRequest)
		_, _ = rw.Write([]byte(`{"error":"invalid_target"}`))
	}))
	_, err = d.Redirected(t.Context(), raw, httpdriver.Owner{})
	if f, ok := fsm.FaultOf(err); !ok || f.Problem.OAuth == nil || f.Problem.OAuth.Code != "invalid_target" {
		t.Errorf("%v", err)
	}
	w.call(t, c)
}

// TestManyIssuers: a server that names many issuers has a login ask for 40 documents, and not
// for all of theirs.
func TestManyIssuers(t *testing.T) {
	w := newWorld(t, func(s setup) {
		issuer := s.RS.Issuers[0]
		s.RS.Issuers = nil
		for i := range 60 {
			s.RS.Issuers = append(s.RS.Issuers, fmt.Sprint(issuer, "/tenant", i))
		}
	})
	_, _, err := w.post(t.Context(), w.client(t, w.driver(t)), ping)
	documents := 0
	for _, s := range w.Tap.requests() {
		if s.Method == "GET" {
			documents++
		}
	}
	if err == nil || !strings.Contains(err.Error(), "40 documents") || documents != 40 {
		t.Errorf("%d documents: %v", documents, err)
	}
}

// TestDueAtTheFirstRequest: a token that another process obtained and that is about to expire
// goes out with the first request, and is renewed beside it.
func TestDueAtTheFirstRequest(t *testing.T) {
	inBubble(t, func(t *testing.T, w *world) {
		w.call(t, w.client(t, w.driver(t)))
		time.Sleep(time.Hour - 20*time.Second)
		w.Tap.reset()
		began := time.Now()
		w.call(t, w.client(t, w.driver(t)))
		synctest.Wait()
		if n := w.Tap.grants("refresh_token"); n != 1 || time.Since(began) > time.Second {
			t.Errorf("%d refreshes, after %v", n, time.Since(began))
		}
	})
}
