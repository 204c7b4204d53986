package httpdriver_test

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stile-oauth/stile/fsm"
	"github.com/stile-oauth/stile/fsm/peer"
	"github.com/stile-oauth/stile/httpdriver"
	"github.com/stile-oauth/stile/states"
	"github.com/stile-oauth/stile/storage"
)

var (
	denies      = says(http.StatusBadRequest, "application/json", `{"error":"invalid_grant"}`)
	unavailable = says(http.StatusServiceUnavailable, "text/plain", "down")
)

// visitors counts who is sent to the provider; look is called at each visit.
func visitors(n *int, look func()) func(*httpdriver.Options) {
	return func(o *httpdriver.Options) {
		o.Host = httpdriver.UserAgent(func(ctx context.Context, v httpdriver.Visit) (string, error) {
			if *n++; look != nil {
				look()
			}
			return follow(ctx, v)
		})
	}
}

// TestProviderInTrouble: while the provider does not answer, a token cannot be renewed and the
// user is told to try later. Nobody is sent to log in for it, and when it answers again all
// goes on.
func TestProviderInTrouble(t *testing.T) {
	w, c, options := enterprise(t)
	visits := 0
	d := w.driver(t, options, visitors(&visits, nil))
	client := w.client(t, d)
	w.call(t, client)
	w.Clock.forward(2 * time.Hour)
	c.failing(func(string) http.HandlerFunc { return unavailable })
	_, _, err := w.post(t.Context(), client, ping)
	if f, ok := fsm.FaultOf(err); !ok || !f.Transient {
		t.Errorf("%v", err)
	}
	if err := d.Login(t.Context(), w.account()); err == nil {
		t.Error("a login without the provider")
	}
	c.failing(nil)
	w.Clock.forward(5 * time.Minute)
	w.call(t, client)
	if visits != 1 {
		t.Errorf("%d visits", visits)
	}
}

// TestLoginAfterTheProviderFailed: a user who asks again need not wait after a failure that may
// have passed, wherever it was.
func TestLoginAfterTheProviderFailed(t *testing.T) {
	w, c, options := enterprise(t)
	d := w.driver(t, options)
	c.failing(func(string) http.HandlerFunc { return unavailable })
	if err := d.Login(t.Context(), w.account()); err == nil {
		t.Error("a login without the provider")
	}
	c.failing(nil)
	if err := d.Login(t.Context(), w.account()); err != nil {
		t.Error(err)
	}
}

// TestLoggedOutAtTheProvider: a renewal that needs the user ends before the user is sent
// there: other processes do not wait for it, and a login follows for the request that waits.
func TestLoggedOutAtTheProvider(t *testing.T) {
	w, c, options := enterprise(t)
	visits := 0
	var d *httpdriver.Driver
	d = w.driver(t, options, visitors(&visits, func() {
		if st, err := d.Status(t.Context(), w.account()); err != nil || st.Refreshing {
			t.Errorf("visit %d: %+v %v", visits, st, err)
		}
	}))
	client := w.client(t, d)
	w.call(t, client)
	if err := d.Logout(t.Context(), httpdriver.Account{Server: c.URL}); err != nil {
		t.Fatal(err)
	}
	w.Clock.forward(2 * time.Hour)
	w.call(t, client)
	if visits != 2 {
		t.Errorf("%d visits", visits)
	}
}

// TestRefusedIDToken: where the provider does not accept the ID token that is held, a refresh
// there gives another, for a login that a user asks for and for one that a request needs; no
// user is sent anywhere. Where the refresh fails, the refused one is not sent again.
func TestRefusedIDToken(t *testing.T) {
	for name, stage := range map[string]struct {
		refresh http.HandlerFunc
		use     func(*testing.T, *world, *httpdriver.Driver) error
		want    string
	}{
		"a user's login": {nil, func(t *testing.T, w *world, d *httpdriver.Driver) error {
			return d.Login(t.Context(), w.account())
		}, "token-exchange refresh_token token-exchange"},
		"a request": {nil, func(t *testing.T, w *world, d *httpdriver.Driver) error {
			if err := d.Logout(t.Context(), w.account()); err != nil {
				return err
			}
			_, _, err := w.post(t.Context(), w.client(t, d), ping)
			return err
		}, "token-exchange refresh_token token-exchange"},
		"the refresh fails": {unavailable, func(t *testing.T, w *world, d *httpdriver.Driver) error {
			return d.Login(t.Context(), w.account())
		}, "token-exchange refresh_token"},
	} {
		t.Run(name, func(t *testing.T) {
			w, c, options := enterprise(t)
			visits := 0
			d := w.driver(t, options, visitors(&visits, nil))
			w.call(t, w.client(t, d))
			c.grants()
			c.failing(func(grant string) http.HandlerFunc {
				switch {
				case grant == "refresh_token":
					return stage.refresh
				case strings.Count(strings.Join(c.asked(), " "), "token-exchange") == 1:
					return denies
				}
				return nil
			})
			if err := stage.use(t, w, d); (err != nil) != (stage.refresh != nil) {
				t.Error(err)
			}
			got := c.grants()
			if stage.refresh != nil { // it is tried more than once
				got = slices.Compact(got)
			}
			if strings.Join(got, " ") != stage.want || visits != 1 {
				t.Errorf("the provider was asked for %v; %d visits", got, visits)
			}
		})
	}
}

// TestRefusedIDTokenAndAProviderInTrouble: while the refreshes of others show that the provider
// is in trouble, a refused ID token is not refreshed, and not sent again either.
func TestRefusedIDTokenAndAProviderInTrouble(t *testing.T) {
	w, c, options := enterprise(t)
	d := w.driver(t, options)
	login := func(user string) error {
		return d.Login(t.Context(), httpdriver.Account{Server: w.Server, Subject: user})
	}
	if err := login("one"); err != nil {
		t.Fatal(err)
	}
	w.Clock.forward(2 * time.Hour)
	if err := login("two"); err != nil {
		t.Fatal(err)
	}
	c.failing(func(grant string) http.HandlerFunc {
		if grant == "refresh_token" {
			return unavailable
		}
		return denies
	})
	if err := login("one"); err == nil {
		t.Error("a login with an ID token that has expired")
	}
	c.grants()
	if err := login("two"); err == nil {
		t.Error("a login with a refused ID token")
	}
	if n := strings.Count(strings.Join(c.grants(), " "), "token-exchange"); n != 1 {
		t.Errorf("%d exchanges", n)
	}
}

// TestRefusedIDTokenOfALoginThatIsGone: another process has logged out at the provider. A user
// who waits is sent there at once, and need not ask a second time.
func TestRefusedIDTokenOfALoginThatIsGone(t *testing.T) {
	w, c, options := enterprise(t)
	visits := 0
	d := w.driver(t, options, visitors(&visits, nil))
	w.call(t, w.client(t, d))
	if err := w.driver(t, options).Logout(t.Context(), httpdriver.Account{Server: c.URL}); err != nil {
		t.Fatal(err)
	}
	refused := false
	c.failing(func(grant string) http.HandlerFunc {
		if grant == "token-exchange" && !refused {
			refused = true
			return denies
		}
		return nil
	})
	if err := d.Login(t.Context(), w.account()); err != nil || visits != 2 {
		t.Errorf("%v, %d visits", err, visits)
	}
}

// TestLinkToTheProviderUsedElsewhere: the user followed a link, and another replica took the
// redirect: the request that comes next to the first replica has the token, not a new link.
func TestLinkToTheProviderUsedElsewhere(t *testing.T) {
	w, _, options := enterprise(t)
	host := func(o *httpdriver.Options) { o.Host = httpdriver.Web("http://127.0.0.1/callback") }
	one, two := w.driver(t, options, host), w.driver(t, options, host)
	_, _, err := w.post(t.Context(), w.client(t, one), ping)
	location, err := follow(t.Context(), httpdriver.Visit{URL: required(t, err).URL})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := two.Redirected(t.Context(), location, httpdriver.Owner{}); err != nil {
		t.Fatal(err)
	}
	w.call(t, w.client(t, one))
}

// TestLinkForARefusedIDToken: where neither the ID token nor the refresh token is good any
// more, every request gets the same link to the provider, and one login waits there.
func TestLinkForARefusedIDToken(t *testing.T) {
	w, c, options := enterprise(t)
	if err := w.driver(t, options).Login(t.Context(), httpdriver.Account{Server: c.URL}); err != nil {
		t.Fatal(err)
	}
	c.failing(func(grant string) http.HandlerFunc {
		if grant != "authorization_code" {
			return denies
		}
		return nil
	})
	d := w.driver(t, options, func(o *httpdriver.Options) { o.Host = httpdriver.Web("http://127.0.0.1/callback") })
	var links []string
	for range 3 {
		_, _, err := w.post(t.Context(), w.client(t, d), ping)
		links = append(links, required(t, err).URL)
	}
	if links[1] != links[0] || links[2] != links[0] {
		t.Errorf("%q", links)
	}
	keys, err := w.Store.(storage.Lister).List(t.Context(), "", "")
	if err != nil {
		t.Fatal(err)
	}
	if waiting := slices.DeleteFunc(keys, func(k states.Key) bool { return k.Kind != states.KindLogin }); len(waiting) != 1 {
		t.Errorf("%d logins wait", len(waiting))
	}
}

// TestBoundTokensOfACompany: tokens for the server are bound to a key. The ID token of the
// login at the provider is not, and no key is made for it.
func TestBoundTokensOfACompany(t *testing.T) {
	w, c, options := enterpriseIn(t, func(s setup) { s.AS.DPoP, s.RS.DPoP = peer.DPoPRequired, peer.DPoPRequired })
	d := w.driver(t, options, func(o *httpdriver.Options) { o.Policy.Binding = states.RequireBinding })
	w.call(t, w.client(t, d))
	w.proofs(t)
	for server, want := range map[string]error{w.Server: nil, c.URL: storage.ErrNotFound} {
		if _, err := w.Store.Get(t.Context(), states.Key{Kind: states.KindProofKey, Name: server}); !errors.Is(err, want) {
			t.Errorf("the key of %s: %v", server, err)
		}
	}
}

// TestIDTokensThatAreRefusedLater: a provider that has exchanged an ID token may refuse it minutes
// later, and the next one as well: each time a refresh there gives another, whether the tokens for
// the server are bound to a key or not.
func TestIDTokensThatAreRefusedLater(t *testing.T) {
	for name, bound := range map[string]bool{"bearer tokens": false, "bound tokens": true} {
		t.Run(name, func(t *testing.T) {
			w, c, options := enterpriseIn(t, func(s setup) {
				if bound {
					s.AS.DPoP, s.RS.DPoP = peer.DPoPRequired, peer.DPoPRequired
				}
			})
			visits := 0
			d := w.driver(t, options, visitors(&visits, nil), func(o *httpdriver.Options) {
				if bound {
					o.Policy.Binding = states.RequireBinding
				}
			})
			w.call(t, w.client(t, d))
			for range 3 {
				w.Clock.forward(time.Minute)
				refused := false
				c.failing(func(grant string) http.HandlerFunc {
					if grant == "token-exchange" && !refused {
						refused = true
						return denies
					}
					return nil
				})
				if err := d.Login(t.Context(), w.account()); err != nil || !refused {
					t.Errorf("%v; refused: %v", err, refused)
				}
			}
			if visits != 1 {
				t.Errorf("%d visits", visits)
			}
		})
	}
}
