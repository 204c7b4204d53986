package httpdriver_test

import (
	"context"
	"net"
	"net/url"
	"strings"
	"testing"

	"github.com/stile-oauth/stile/httpdriver"
	"github.com/stile-oauth/stile/states"
)

// TestHostsShareAStore: two kinds of host over one store register once each,
// and each sends its user back to where it listens itself.
func TestHostsShareAStore(t *testing.T) {
	w := newWorld(t)
	agent := httpdriver.UserAgent(func(ctx context.Context, v httpdriver.Visit) (string, error) {
		if !strings.HasPrefix(v.RedirectURI, "http://127.0.0.1:") {
			t.Errorf("the user of the local program is sent back to %s", v.RedirectURI)
		}
		return follow(ctx, v)
	})
	for _, subject := range []string{"a", "b", "c"} {
		local := w.driver(t, func(o *httpdriver.Options) { o.Host = agent })
		if err := local.Login(t.Context(), httpdriver.Account{Server: w.Server, Subject: subject}); err != nil {
			t.Fatal(err)
		}
		remote := w.driver(t, web)
		err := remote.Login(t.Context(), httpdriver.Account{Server: w.Server, Subject: "web " + subject})
		owner := httpdriver.Owner{Subject: "web " + subject}
		if _, err := remote.Redirected(t.Context(), back(t, required(t, err)), owner); err != nil {
			t.Fatal(err)
		}
	}
	if n := w.Tap.count("as", "/register"); n != 2 {
		t.Errorf("%d registrations", n)
	}
}

// TestBrowserPrints: without a browser the address is printed, and a fixed
// redirect URI is used as it is, also for the registration.
func TestBrowserPrints(t *testing.T) {
	w := newWorld(t)
	fixed := "http://" + freeAddress(t) + "/my/callback"
	printed := make(chan httpdriver.Visit, 1)
	d := w.driver(t, func(o *httpdriver.Options) {
		o.Host = httpdriver.Browser{
			RedirectURI: fixed, NoBrowser: true,
			Open: func(context.Context, string) error { t.Error("a browser was started"); return nil },
			Print: func(v httpdriver.Visit, opened bool) {
				if opened {
					t.Error("it says that a browser was opened")
				}
				printed <- v
			},
		}
	})
	done := make(chan error, 1)
	go func() { done <- d.Login(t.Context(), w.account()) }()
	v := <-printed
	u, err := url.Parse(v.URL)
	if err != nil || v.RedirectURI != fixed || v.Issuer != w.ASURL || v.Account != w.account() || u.Query().Get("redirect_uri") != fixed {
		t.Errorf("%+v %v", v, err)
	}
	location, err := follow(t.Context(), v)
	if err != nil {
		t.Fatal(err)
	}
	if _, page := get(t, location); !strings.Contains(page, "You are logged in") {
		t.Errorf("%s", page)
	}
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	for _, s := range w.Tap.requests() {
		if s.Path == "/register" && !strings.Contains(s.Body, fixed) {
			t.Errorf("registered: %s", s.Body)
		}
	}
}

// TestPortTaken: a fixed port that another program has is this program's matter, said before
// anything is registered. The user does not decide at another device instead, because that is
// not what the program has asked for.
func TestPortTaken(t *testing.T) {
	w := newWorld(t)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	d := w.driver(t, func(o *httpdriver.Options) {
		o.Host = httpdriver.Browser{RedirectURI: "http://" + l.Addr().String() + "/callback", NoBrowser: true}
		o.Show = func(httpdriver.Account, states.Show) { t.Error("a code for another device was shown") }
	})
	err = d.Login(t.Context(), w.account())
	if err == nil || !strings.Contains(err.Error(), "redirect") {
		t.Errorf("%v", err)
	}
	if n := w.Tap.count("as", "/register"); n != 0 {
		t.Error("registered for an address that nobody listens on")
	}
}
