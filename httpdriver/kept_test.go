package httpdriver_test

import (
	"html"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stile-oauth/stile/fsm"
	"github.com/stile-oauth/stile/httpdriver"
	"github.com/stile-oauth/stile/states"
	"github.com/stile-oauth/stile/storage"
)

// TestObserversMayKeepSteps: what an observer has seen of one account does not change when the
// store is read for another one.
func TestObserversMayKeepSteps(t *testing.T) {
	w := newWorld(t)
	var seen steps
	d, names := w.driver(t, seen.add), []string{"one", "two", "three"}
	for _, driver := range []*httpdriver.Driver{w.driver(t), d} { // the first one logs in
		for _, name := range names {
			a := w.account()
			a.Name = name
			c, err := driver.Client(a)
			if err != nil {
				t.Fatal(err)
			}
			w.call(t, c)
		}
	}
	seen.mu.Lock()
	defer seen.mu.Unlock()
	told := map[string]bool{}
	for _, step := range seen.all {
		name := step.Account.Name
		if told[name] = true; step.From.Data.Config.Account != name || step.Result.Machine.Data.Config.Account != name {
			t.Errorf("a step of %q is told as one of %q", name, step.From.Data.Config.Account)
		}
	}
	if len(told) != len(names) {
		t.Errorf("steps of %v", told)
	}
}

// TestPageSaysWhatToDo: the page of a login that failed says why, and what can be done.
func TestPageSaysWhatToDo(t *testing.T) {
	w := newWorld(t)
	b := newBrowser()
	d := w.driver(t, func(o *httpdriver.Options) { o.Host = b.host() })
	done := make(chan error, 1)
	go func() { done <- d.Login(t.Context(), w.account()) }()
	u, err := url.Parse(<-b.opened)
	if err != nil {
		t.Fatal(err)
	}
	q := url.Values{"error": {"server_error"}, "state": {u.Query().Get("state")}, "iss": {w.ASURL}}
	_, page := get(t, u.Query().Get("redirect_uri")+"?"+q.Encode())
	f, ok := fsm.FaultOf(<-done)
	if !ok || f.Advice == "" {
		t.Fatalf("%+v", f)
	}
	for _, want := range []string{"The login did not succeed", "While " + f.Doing, "server_error", f.Advice} {
		if !strings.Contains(page, html.EscapeString(want)) {
			t.Errorf("%q is missing: %s", want, page)
		}
	}
}

// TestTheTimeOfALoginIsForLogins: a refresh has the time of an exchange, however little a login
// may take without its user. What it took is no time of the login that follows its refusal.
func TestTheTimeOfALoginIsForLogins(t *testing.T) {
	issuer := &slowly{path: "/token", wait: time.Minute}
	inBubble(t, func(t *testing.T, w *world) {
		c := w.client(t, w.driver(t, func(o *httpdriver.Options) {
			o.Policy.LoginTime, o.Policy.HTTPTime, o.Policy.LeaseTime = 20*time.Second, 3*time.Minute, 10*time.Minute
		}))
		w.call(t, c)
		time.Sleep(2 * time.Hour)
		issuer.on.Store(true)
		w.call(t, c)
		w.revokeFamily(t)
		all, err := w.Store.(storage.Lister).List(t.Context(), "", "")
		if err != nil {
			t.Fatal(err)
		}
		for _, k := range all { // so that the login registers another client
			if k.Kind != states.KindRegistration {
				continue
			}
			if e, err := w.Store.Get(t.Context(), k); err != nil || w.Store.Delete(t.Context(), k, e.Generation) != nil {
				t.Fatal(err)
			}
		}
		time.Sleep(2 * time.Hour)
		w.call(t, c)
		if n := w.Tap.grants("authorization_code"); n != 2 {
			t.Errorf("%d logins", n)
		}
	}, func(s setup) { s.Wrap["as"] = issuer.wrap })
}

// TestALogoutThatCannotRemove: a log out that cannot remove the credential says so, and the next
// one ends it.
func TestALogoutThatCannotRemove(t *testing.T) {
	w := newWorld(t)
	var down atomic.Bool
	d := w.driver(t, func(o *httpdriver.Options) { o.Store = undeleting{w.Store, states.KindCredential, &down} })
	w.call(t, w.client(t, d))
	down.Store(true)
	if err := d.Logout(t.Context(), w.account()); err == nil || !strings.Contains(err.Error(), "connection refused") {
		t.Errorf("%v", err)
	}
	down.Store(false)
	if err := d.Logout(t.Context(), w.account()); err != nil {
		t.Error(err)
	}
	if st, err := d.Status(t.Context(), w.account()); err != nil || st.LoggedIn {
		t.Errorf("%+v %v", st, err)
	}
}
