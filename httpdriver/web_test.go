package httpdriver_test

import (
	"context"
	"errors"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/stile-oauth/stile/fsm"
	"github.com/stile-oauth/stile/httpdriver"
	"github.com/stile-oauth/stile/states"
	"github.com/stile-oauth/stile/states/wire"
	"github.com/stile-oauth/stile/storage"
)

const webCallback = "https://host.example/oauth/callback"

// web is the configuration of a host that shows links.
func web(o *httpdriver.Options) {
	o.Host = httpdriver.Web(webCallback)
}

// required takes the link out of an error.
func required(t *testing.T, err error) *httpdriver.LoginRequiredError {
	t.Helper()
	var need *httpdriver.LoginRequiredError
	if !errors.As(err, &need) {
		t.Fatalf("LoginRequired was expected, not %v", err)
	}
	return need
}

// back is the redirect of a user who said yes.
func back(t *testing.T, need *httpdriver.LoginRequiredError) string {
	t.Helper()
	raw, err := follow(t.Context(), httpdriver.Visit{URL: need.URL})
	if err != nil {
		t.Fatal(err)
	}
	if !strings.HasPrefix(raw, webCallback+"?") {
		t.Fatalf("the user came back to %s", raw)
	}
	return raw
}

// waitingLogin gives the login that waits in the store for the redirect raw.
func (w *world) waitingLogin(t *testing.T, raw string) (states.Key, storage.Entry) {
	t.Helper()
	u, err := url.Parse(raw)
	if err != nil {
		t.Fatal(err)
	}
	key := states.Key{Kind: states.KindLogin, Name: states.StateHash(wire.Secret(u.Query().Get("state")))}
	e, err := w.Store.Get(t.Context(), key)
	if err != nil {
		t.Fatal(err)
	}
	return key, e
}

// TestWebHost: one replica shows the link, another takes the redirect, a third
// uses the token. Who did not begin cannot finish, and nobody finishes
// twice.
func TestWebHost(t *testing.T) {
	w := newWorld(t)
	one, two, three := w.driver(t, web), w.driver(t, web), w.driver(t, web)
	a := httpdriver.Account{Server: w.Server, Tenant: "acme", Subject: "alice"}
	owner := httpdriver.Owner{Tenant: "acme", Subject: "alice"}
	c, err := one.Client(a)
	if err != nil {
		t.Fatal(err)
	}
	_, _, err = w.post(t.Context(), c, ping)
	need := required(t, err)
	u, err := url.Parse(need.URL)
	if err != nil || need.Issuer != w.ASURL || !need.Expires.After(w.Clock.Now()) {
		t.Errorf("%+v %v", need, err)
	}
	if strings.Contains(need.Error(), u.Query().Get("state")) {
		t.Error("the error shows the state")
	}
	raw := back(t, need)

	for _, o := range []httpdriver.Owner{{Tenant: "acme", Subject: "mallory"}, {Tenant: "acme"}} {
		if _, err := two.Redirected(t.Context(), raw, o); !errors.Is(err, httpdriver.ErrForeignLogin) {
			t.Errorf("%+v: %v", o, err)
		}
	}
	for _, o := range []httpdriver.Owner{{Tenant: "other", Subject: "alice"}, {}} {
		if _, err := two.Redirected(t.Context(), raw, o); !errors.Is(err, httpdriver.ErrUnknownLogin) {
			t.Errorf("%+v: %v", o, err)
		}
	}
	for _, bad := range []string{
		"", webCallback, webCallback + "?code=x", "\x00", webCallback + "?state=unheard-of&code=x",
		strings.Replace(raw, "state=", "state=a&state=", 1),
	} {
		if _, err := two.Redirected(t.Context(), bad, owner); !errors.Is(err, httpdriver.ErrUnknownLogin) {
			t.Errorf("%q: %v", bad, err)
		}
	}
	if n := w.Tap.count("as", "/token"); n != 0 {
		t.Fatalf("%d exchanges so far", n)
	}

	got, err := two.Redirected(t.Context(), raw, owner)
	if err != nil || got != a {
		t.Fatalf("%+v %v", got, err)
	}
	if _, err := three.Redirected(t.Context(), raw, owner); !errors.Is(err, httpdriver.ErrUnknownLogin) {
		t.Errorf("a replay: %v", err)
	}
	if n := w.Tap.count("as", "/token"); n != 1 {
		t.Errorf("%d exchanges", n)
	}
	for _, d := range []*httpdriver.Driver{one, two, three} {
		c, err := d.Client(a)
		if err != nil {
			t.Fatal(err)
		}
		w.call(t, c)
	}
	// Nobody else's requests are let in by it.
	c, err = two.Client(httpdriver.Account{Server: w.Server, Tenant: "acme", Subject: "bob"})
	if err != nil {
		t.Fatal(err)
	}
	_, _, err = w.post(t.Context(), c, ping)
	_ = required(t, err)
}

// TestWebHostRaces: a redirect that arrives at two replicas at once is
// exchanged once.
func TestWebHostRaces(t *testing.T) {
	w := newWorld(t)
	one, two := w.driver(t, web), w.driver(t, web)
	_, _, err := w.post(t.Context(), w.client(t, one), ping)
	raw := back(t, required(t, err))
	errs := make(chan error, 2)
	for _, d := range []*httpdriver.Driver{one, two} {
		go func() {
			_, err := d.Redirected(t.Context(), raw, httpdriver.Owner{})
			errs <- err
		}()
	}
	won := 0
	for range 2 {
		if err := <-errs; err == nil {
			won++
		}
	}
	if won == 0 || w.Tap.count("as", "/token") != 1 {
		t.Errorf("%d won, %d exchanges", won, w.Tap.count("as", "/token"))
	}
	w.call(t, w.client(t, one))
	w.call(t, w.client(t, two))
}

// TestWebHostAsksOnce: while a login waits, every refused request gets the
// same link: no request to the issuer, no further entry in the store.
func TestWebHostAsksOnce(t *testing.T) {
	w := newWorld(t)
	d := w.driver(t, web)
	c := w.client(t, d)
	_, _, err := w.post(t.Context(), c, ping)
	first := required(t, err)
	w.Tap.reset()
	for range 5 {
		_, _, err := w.post(t.Context(), c, ping)
		if need := required(t, err); need.URL != first.URL {
			t.Error("another link")
		}
	}
	w.exactly(t, 5)
	// When its time is over, there is another.
	w.Clock.forward(10 * time.Minute)
	_, _, err = w.post(t.Context(), c, ping)
	if need := required(t, err); need.URL == first.URL {
		t.Error("an expired link is shown again")
	}
	// One that was denied is not shown again either.
	_, _, err = w.post(t.Context(), c, ping)
	second := required(t, err)
	denied, err := refuse(t.Context(), httpdriver.Visit{URL: second.URL, RedirectURI: webCallback, Issuer: second.Issuer})
	if err != nil {
		t.Fatal(err)
	}
	_, err = d.Redirected(t.Context(), denied, httpdriver.Owner{})
	if f, ok := fsm.FaultOf(err); !ok || f.Problem.OAuth == nil {
		t.Fatalf("%v", err)
	}
	err = d.Login(t.Context(), w.account())
	third := required(t, err)
	if third.URL == second.URL {
		t.Error("a finished link is shown again")
	}
	if _, err := d.Redirected(t.Context(), back(t, third), httpdriver.Owner{}); err != nil {
		t.Fatal(err)
	}
	w.call(t, c)
}

// TestWebHostStepUp: a held token stays in use while a step-up waits, and the
// step-up is offered whenever it is met.
func TestWebHostStepUp(t *testing.T) {
	w := newWorld(t)
	d := w.driver(t, web)
	c := w.client(t, d)
	_, _, err := w.post(t.Context(), c, ping)
	if _, err := d.Redirected(t.Context(), back(t, required(t, err)), httpdriver.Owner{}); err != nil {
		t.Fatal(err)
	}
	w.call(t, c)
	_, _, err = w.post(t.Context(), c, admin)
	need := required(t, err)
	w.call(t, c)
	if _, err := d.Redirected(t.Context(), back(t, need), httpdriver.Owner{}); err != nil {
		t.Fatal(err)
	}
	if status, _, err := w.post(t.Context(), c, admin); err != nil || status != 200 {
		t.Error(status, err)
	}
}

// down is a store that can be switched off.
type down struct {
	storage.Store
	off bool
}

var errDown = errors.New("connection refused")

func (s *down) Get(ctx context.Context, k states.Key) (storage.Entry, error) {
	if s.off {
		return storage.Entry{}, errDown
	}
	return s.Store.Get(ctx, k)
}

// TestWebHostStoreDown: a store that does not answer is not taken for a login
// that nobody began.
func TestWebHostStoreDown(t *testing.T) {
	w := newWorld(t)
	s := &down{Store: w.Store}
	d := w.driver(t, web, func(o *httpdriver.Options) { o.Store = s })
	_, _, err := w.post(t.Context(), w.client(t, d), ping)
	raw := back(t, required(t, err))
	s.off = true
	if _, err := d.Redirected(t.Context(), raw, httpdriver.Owner{}); !errors.Is(err, errDown) {
		t.Errorf("%v", err)
	}
	s.off = false
	if _, err := d.Redirected(t.Context(), raw, httpdriver.Owner{}); err != nil {
		t.Error(err)
	}
}

// TestWebHostLogout: a link that was shown before a logout is good for nothing
// after it.
func TestWebHostLogout(t *testing.T) {
	w := newWorld(t)
	d := w.driver(t, web)
	_, _, err := w.post(t.Context(), w.client(t, d), ping)
	raw := back(t, required(t, err))
	if err := d.Logout(t.Context(), w.account()); err != nil {
		t.Fatal(err)
	}
	if _, err := d.Redirected(t.Context(), raw, httpdriver.Owner{}); !errors.Is(err, httpdriver.ErrUnknownLogin) {
		t.Errorf("%v", err)
	}
}

// TestWebHostLogoutUnmarks: after a logout neither the login that waits for its
// redirect nor the mark that announced it is in the store.
func TestWebHostLogoutUnmarks(t *testing.T) {
	w := newWorld(t)
	d := w.driver(t, web)
	_, _, err := w.post(t.Context(), w.client(t, d), ping)
	_ = required(t, err)
	mark := states.Key{Kind: states.KindMark, Name: w.Server}
	if _, err := w.Store.Get(t.Context(), mark); err != nil {
		t.Fatalf("the login was not announced: %v", err)
	}
	if err := d.Logout(t.Context(), w.account()); err != nil {
		t.Fatal(err)
	}
	if _, err := w.Store.Get(t.Context(), mark); !errors.Is(err, storage.ErrNotFound) {
		t.Errorf("the mark is still there: %v", err)
	}
}
