package httpdriver_test

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/stile-oauth/stile/httpdriver"
	"github.com/stile-oauth/stile/states"
	"github.com/stile-oauth/stile/storage"
)

// TestTheHostDecides: what the host answers is asked for; where it fails to
// answer, the default is.
func TestTheHostDecides(t *testing.T) {
	for _, c := range []struct {
		name string
		ask  func() (states.Answered, error)
		want string
	}{
		{"more", func() (states.Answered, error) { return states.Answered{Values: []string{"user", "admin"}}, nil }, "user admin"},
		{"something else", func() (states.Answered, error) { return states.Answered{Values: []string{"admin"}}, nil }, "admin"},
		{"an error", func() (states.Answered, error) {
			return states.Answered{Values: []string{"admin"}}, errors.New("nobody is there")
		}, "user"},
		{"a panic", func() (states.Answered, error) { panic("broken") }, "user"},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := newWorld(t)
			var asked []states.Ask
			var visited string
			d := w.driver(t, func(o *httpdriver.Options) {
				o.Policy.Asks = []states.Question{states.AskScopes}
				o.Ask = func(_ context.Context, a httpdriver.Account, q states.Ask) (states.Answered, error) {
					if a != w.account() {
						t.Errorf("asked for %v", a)
					}
					asked = append(asked, q)
					return c.ask()
				}
				o.Host = httpdriver.UserAgent(func(ctx context.Context, v httpdriver.Visit) (string, error) {
					u, err := url.Parse(v.URL)
					if err != nil {
						return "", err
					}
					visited = u.Query().Get("scope")
					return follow(ctx, v)
				})
			})
			if err := d.Login(t.Context(), w.account()); err != nil {
				t.Fatal(err)
			}
			if len(asked) != 1 || asked[0].Question != states.AskScopes || visited != c.want {
				t.Errorf("asked %v, then for the scope %q", asked, visited)
			}
		})
	}
}

// damaged is a store in which one entry cannot be read.
type damaged struct {
	*storage.Memory
	key states.Key
}

func (s damaged) Get(ctx context.Context, k states.Key) (storage.Entry, error) {
	if k == s.key {
		return storage.Entry{}, &storage.UnreadableError{Key: k, Err: errors.New("torn")}
	}
	return s.Memory.Get(ctx, k)
}

// TestStatuses: every login of an owner is told once, those of others and entries
// of other kinds are not, and one that cannot be read is an error of its own.
func TestStatuses(t *testing.T) {
	w := newWorld(t)
	store := storage.NewMemory()
	d := w.driver(t, func(o *httpdriver.Options) { o.Store = store })
	for _, a := range []httpdriver.Account{
		{Server: w.Server, Subject: "u"}, {Server: w.Server, Subject: "u", Name: "second"}, {Server: w.Server, Subject: "u", Name: "torn"},
		{Server: w.Server, Subject: "other"}, {Server: w.Server, Tenant: "t", Subject: "u"},
	} {
		if err := d.Login(t.Context(), a); err != nil {
			t.Fatal(err)
		}
	}
	torn := damaged{store, states.Key{Kind: states.KindCredential, Subject: "u", Account: "torn", Name: w.Server}}
	d = w.driver(t, func(o *httpdriver.Options) { o.Store = torn })
	var got []string
	failed := 0
	err := d.Statuses(t.Context(), "", "u", func(s httpdriver.Status, err error) error {
		if err != nil {
			failed++
			var bad *storage.UnreadableError
			if s.Account.Name != "torn" || !errors.As(err, &bad) {
				t.Errorf("%v: %v", s.Account, err)
			}
			return nil
		}
		if !s.LoggedIn || s.Account.Subject != "u" || s.Account.Tenant != "" || s.Issuer != w.ASURL {
			t.Errorf("%+v", s)
		}
		got = append(got, s.Account.Name)
		return nil
	})
	slices.Sort(got)
	if err != nil || strings.Join(got, ",") != ",second" || failed != 1 {
		t.Errorf("%q, %d failed, %v", got, failed, err)
	}
	stop := errors.New("enough")
	if err := d.Statuses(t.Context(), "", "u", func(httpdriver.Status, error) error { return stop }); !errors.Is(err, stop) {
		t.Errorf("what ends it: %v", err)
	}
	var bad *storage.UnreadableError
	if _, err := d.Status(t.Context(), httpdriver.Account{Server: w.Server, Subject: "u", Name: "torn"}); !errors.As(err, &bad) {
		t.Errorf("one that cannot be read: %v", err)
	}
	if s, err := d.Status(t.Context(), httpdriver.Account{Server: w.Server, Subject: "nobody"}); err != nil || s.LoggedIn {
		t.Errorf("nobody: %+v %v", s, err)
	}
	if _, err := d.Status(t.Context(), httpdriver.Account{Server: "no address"}); err == nil {
		t.Error("no error for what is no server")
	}
}

// TestLogoutsTogether: users who log out at the same moment revoke once.
func TestLogoutsTogether(t *testing.T) {
	w := newWorld(t)
	d := w.driver(t)
	w.call(t, w.client(t, d))
	w.Tap.reset()
	var wg sync.WaitGroup
	for range 20 {
		wg.Go(func() {
			if err := d.Logout(t.Context(), w.account()); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if st, err := d.Status(t.Context(), w.account()); err != nil || st.LoggedIn {
		t.Errorf("%+v %v", st, err)
	}
	if n := w.Tap.count("as", "/revoke"); n < 1 || n > 2 { // both tokens of the grant
		t.Errorf("%d revocations", n)
	}
}

// TestTraceFileIsWrittenOver: a trace file holds one run, and not the end of a
// longer one that was there before; it is for its owner alone.
func TestTraceFileIsWrittenOver(t *testing.T) {
	name := filepath.Join(t.TempDir(), "run.ndjson")
	if err := os.WriteFile(name, make([]byte, 1<<20), 0o644); err != nil {
		t.Fatal(err)
	}
	to := httpdriver.TraceFile(name)
	for _, c := range []struct{ file, text string }{{name, "first"}, {strings.TrimSuffix(name, ".ndjson") + "-2.ndjson", "second"}} {
		f, err := to(httpdriver.Account{})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := f.Write([]byte(c.text)); err != nil {
			t.Fatal(err)
		}
		if err := f.Close(); err != nil {
			t.Fatal(err)
		}
		if b, err := os.ReadFile(c.file); err != nil || string(b) != c.text {
			t.Errorf("%s holds %d bytes, %v", c.file, len(b), err)
		}
	}
}

// TestSameRedirectTwice: a user's browser may send the redirect twice to one
// process, the second time while the first is at work; the code is exchanged once,
// and the second does not disturb it.
func TestSameRedirectTwice(t *testing.T) {
	arrived, release := make(chan struct{}, 2), make(chan struct{})
	w := newWorld(t, func(s setup) {
		s.Wrap["as"] = func(h http.Handler) http.Handler {
			return http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
				if r.URL.Path == "/token" {
					arrived <- struct{}{}
					<-release
				}
				h.ServeHTTP(rw, r)
			})
		}
	})
	one, two := w.driver(t, web), w.driver(t, web)
	_, _, err := w.post(t.Context(), w.client(t, one), ping)
	raw := back(t, required(t, err))
	ends := make(chan error, 2)
	finish := func() {
		_, err := two.Redirected(t.Context(), raw, httpdriver.Owner{})
		ends <- err
	}
	go finish()
	<-arrived
	go finish()
	close(release)
	won := 0
	for range 2 {
		switch err := <-ends; {
		case err == nil:
			won++
		case !errors.Is(err, httpdriver.ErrUnknownLogin): // the first has claimed it
			t.Error(err)
		}
	}
	if won == 0 || w.Tap.count("as", "/token") != 1 {
		t.Errorf("%d won, %d exchanges", won, w.Tap.count("as", "/token"))
	}
}
