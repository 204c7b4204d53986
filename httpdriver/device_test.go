package httpdriver_test

import (
	"bytes"
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/stile-oauth/stile/httpdriver"
	"github.com/stile-oauth/stile/states"
)

// TestDeviceLogin: a login without a browser here. The user is shown the code once, and
// the client is registered for the grant.
func TestDeviceLogin(t *testing.T) {
	w := newWorld(t, quickPolls)
	var shown []states.Show
	d := w.driver(t, func(o *httpdriver.Options) {
		o.Policy.Grant = states.DeviceGrant
		o.Show = func(_ httpdriver.Account, s states.Show) { shown = append(shown, s) }
		o.Host = httpdriver.UserAgent(func(context.Context, httpdriver.Visit) (string, error) {
			t.Error("a browser was opened")
			return "", context.Canceled
		})
	})
	if err := d.Login(t.Context(), w.account()); err != nil {
		t.Fatal(err)
	}
	w.call(t, w.client(t, d))
	if len(shown) != 1 || shown[0].UserCode == "" || shown[0].URL != w.ASURL+"/device" {
		t.Errorf("shown: %+v", shown)
	}
	for _, s := range w.Tap.requests() {
		switch {
		case s.To == "as" && s.Path == "/register" && !strings.Contains(s.Body, string(states.DeviceGrant)):
			t.Errorf("registered without the grant: %s", s.Body)
		case s.To == "as" && s.Path == "/device_authorization" && s.form("resource") != w.Server:
			t.Errorf("no resource in %s", s.Body)
		}
	}
	st, err := d.Status(t.Context(), w.account())
	if err != nil || !st.Renewable {
		t.Errorf("%+v, %v", st, err)
	}
	if err := d.Logout(t.Context(), w.account()); err != nil {
		t.Fatal(err)
	}
}

// quickPolls has the issuer ask for a poll every second, so that a test need not wait for
// five.
func quickPolls(s setup) {
	s.Wrap["as"] = func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
			if !strings.HasSuffix(r.URL.Path, "/device_authorization") {
				next.ServeHTTP(rw, r)
				return
			}
			rec := httptest.NewRecorder()
			next.ServeHTTP(rec, r)
			for name, values := range rec.Header() {
				if name != "Content-Length" {
					rw.Header()[name] = values
				}
			}
			rw.WriteHeader(rec.Code)
			_, _ = rw.Write(bytes.Replace(rec.Body.Bytes(), []byte(`"interval":5`), []byte(`"interval":1`), 1))
		})
	}
}

// TestDeviceLoginWithoutWaiting: a host that never blocks gets the code and the address that
// holds it as an error, also
// for the requests that come while the user decides; the login goes on without them.
func TestDeviceLoginWithoutWaiting(t *testing.T) {
	w := newWorld(t, quickPolls)
	d := w.driver(t, func(o *httpdriver.Options) {
		o.Policy.Grant = states.DeviceGrant
		o.Host = httpdriver.Web("http://127.0.0.1/callback")
	})
	c := w.client(t, d)
	var codes []string
	for range 2 {
		_, _, err := w.post(t.Context(), c, "x")
		need, ok := errors.AsType[*httpdriver.LoginRequiredError](err)
		if !ok || need.Code == "" || need.URL != w.ASURL+"/device?user_code="+need.Code || time.Until(need.Expires) < time.Minute {
			t.Fatalf("%+v: %v", need, err)
		}
		codes = append(codes, need.Code)
	}
	if codes[0] != codes[1] {
		t.Errorf("the codes are %q", codes)
	}
	for {
		st, err := d.Status(t.Context(), w.account())
		if err != nil {
			t.Fatal(err)
		}
		if st.LoggedIn {
			break
		}
		time.Sleep(50 * time.Millisecond)
	}
	w.call(t, c)
}

// TestPollsEndWithTheLogin: a poll that the issuer does not answer ends when the time is over that a
// login may take without its user.
func TestPollsEndWithTheLogin(t *testing.T) {
	silent := &slowly{path: "/token", wait: time.Hour}
	silent.on.Store(true)
	inBubble(t, func(t *testing.T, w *world) {
		var ended time.Duration
		began := time.Now()
		d := w.driver(t, func(o *httpdriver.Options) {
			o.Policy.Grant, o.Policy.LoginTime, o.Policy.HTTPTime = states.DeviceGrant, 20*time.Second, 5*time.Minute
			o.Show = func(httpdriver.Account, states.Show) {}
			o.Observe = func(s httpdriver.Step) {
				if _, lost := s.Input.(states.Unreachable); lost && ended == 0 {
					ended = time.Since(began)
				}
			}
		})
		if err := d.Login(t.Context(), w.account()); err == nil || !near(ended, 20*time.Second, 10*time.Second) {
			t.Errorf("%v, the poll ended after %v", err, ended)
		}
	}, func(s setup) { s.Wrap["as"] = silent.wrap })
}

// TestManyPolls: the polls of a device login are no documents, of which one login may ask for forty:
// they go on until the user has decided.
func TestManyPolls(t *testing.T) {
	polls := 0
	inBubble(t, func(t *testing.T, w *world) {
		d := w.driver(t, func(o *httpdriver.Options) {
			o.Policy.Grant = states.DeviceGrant
			o.Show = func(httpdriver.Account, states.Show) {}
		})
		if err := d.Login(t.Context(), w.account()); err != nil || polls <= 45 {
			t.Errorf("%v, after %d polls", err, polls)
		}
	}, func(s setup) {
		s.Wrap["as"] = func(next http.Handler) http.Handler {
			return http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
				if r.URL.Path != "/token" {
					next.ServeHTTP(rw, r)
					return
				}
				if polls++; polls > 45 {
					next.ServeHTTP(rw, r)
					return
				}
				rw.Header().Set("Content-Type", "application/json")
				rw.WriteHeader(http.StatusBadRequest)
				_, _ = rw.Write([]byte(`{"error":"authorization_pending"}`))
			})
		}
	})
}
