package httpdriver_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stile-oauth/stile/fsm"
	"github.com/stile-oauth/stile/httpdriver"
	"github.com/stile-oauth/stile/httpdriver/devas"
	"github.com/stile-oauth/stile/httpdriver/guard"
	"github.com/stile-oauth/stile/states"
)

// company is an identity provider on loopback, and what was sent to it.
type company struct {
	URL string

	mu    sync.Mutex
	forms []string // grant types, in order
	// fails may answer a token request of a grant type in place of the provider.
	fails func(grant string) http.HandlerFunc
}

// failing has the provider answer token requests of some grant types otherwise.
func (c *company) failing(fails func(grant string) http.HandlerFunc) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.fails = fails
}

func (c *company) grants() []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	out := c.forms
	c.forms = nil
	return out
}

// asked is grants without forgetting them.
func (c *company) asked() []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.Clone(c.forms)
}

// enterprise makes a world whose issuer trusts a company's provider, and options of a
// client of that company.
func enterprise(t *testing.T, faults ...string) (*world, *company, func(*httpdriver.Options)) {
	t.Helper()
	return enterpriseIn(t, func(setup) {}, faults...)
}

func enterpriseIn(t *testing.T, change func(setup), faults ...string) (*world, *company, func(*httpdriver.Options)) {
	t.Helper()
	g, err := guard.New(guard.Options{})
	if err != nil {
		t.Fatal(err)
	}
	c := &company{}
	w := newWorld(t, func(s setup) {
		var idp http.Handler
		srv := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
			if r.URL.Path == "/token" {
				body, err := io.ReadAll(r.Body)
				if err != nil {
					t.Error(err)
				}
				r.Body = io.NopCloser(bytes.NewReader(body))
				form, _ := url.ParseQuery(string(body))
				grant := form.Get("grant_type")
				c.mu.Lock()
				grant = grant[strings.LastIndex(grant, ":")+1:]
				c.forms = append(c.forms, grant)
				fails := c.fails
				c.mu.Unlock()
				if fails != nil {
					if h := fails(grant); h != nil {
						h(rw, r)
						return
					}
				}
			}
			idp.ServeHTTP(rw, r)
		}))
		t.Cleanup(srv.Close)
		c.URL = srv.URL
		config := devas.DefaultIdP(srv.URL)
		config.AutoConsent, config.Now, config.Faults = true, s.AS.Now, faults
		as, err := devas.NewAS(config)
		if err != nil {
			t.Fatal(err)
		}
		idp = as
		s.AS.Trust(srv.URL, false)
		s.AS.FetchKeys = devas.FetchKeys(g, true)
		change(s)
	})
	return w, c, func(o *httpdriver.Options) {
		o.Policy.Grant = states.EnterpriseGrant
		o.Policy.Client = &states.Configured{ID: devas.EnterpriseClientID, Secret: devas.EnterpriseSecret, Issuer: w.ASURL}
		o.Policy.Provider = &states.Configured{ID: devas.EnterpriseClientID, Secret: devas.EnterpriseIdPSecret, Issuer: c.URL}
	}
}

// TestEnterprise: a user logs in at their company's provider, once; the tokens of the
// server, renewals included, come of that, and nobody visits its issuer.
//
// Rules: ext-ema-no-as-redirect, ext-ema-audience, ext-ema-discovery,
// ext-ema-jag-not-bearer.
func TestEnterprise(t *testing.T) {
	w, c, options := enterprise(t)
	visits := []string{}
	d := w.driver(t, func(o *httpdriver.Options) {
		options(o)
		o.Host = httpdriver.UserAgent(func(ctx context.Context, v httpdriver.Visit) (string, error) {
			visits = append(visits, v.Issuer)
			return follow(ctx, v)
		})
	})
	if err := d.Login(t.Context(), w.account()); err != nil {
		t.Fatal(err)
	}
	w.call(t, w.client(t, d))
	want := func(what string, grants ...string) {
		t.Helper()
		if got := c.grants(); strings.Join(got, " ") != strings.Join(grants, " ") {
			t.Errorf("%s: the provider was asked for %v, want %v", what, got, grants)
		}
	}
	want("a login", "authorization_code", "token-exchange")
	w.Clock.forward(5 * time.Minute)
	if err := d.Login(t.Context(), w.account()); err != nil {
		t.Fatal(err)
	}
	want("another one, with the ID token that is held", "token-exchange")
	w.Clock.forward(2 * time.Hour)
	w.call(t, w.client(t, d))
	want("a renewal, after the ID token has expired", "refresh_token", "token-exchange")
	if len(visits) != 1 || visits[0] != c.URL {
		t.Errorf("visits: %v", visits)
	}
	for _, s := range w.Tap.requests() {
		if s.To == "as" && (s.Path == "/authorize" || s.Path == "/register") {
			t.Errorf("%s of the issuer was asked", s.Path)
		}
		if s.To == "rs" && strings.Contains(s.Body, "eyJ") {
			t.Errorf("the server got %s", s.Body)
		}
	}
	provider := w.account()
	provider.Server = c.URL
	st, err := d.Status(t.Context(), provider)
	if err != nil || !st.LoggedIn || !st.Renewable {
		t.Errorf("the login at the provider: %+v, %v", st, err)
	}
	if err := d.Logout(t.Context(), w.account()); err != nil {
		t.Fatal(err)
	}
	if err := d.Logout(t.Context(), provider); err != nil {
		t.Fatal(err)
	}
}

// TestEnterpriseByHost: the host has the ID token, and there is no browser at all.
func TestEnterpriseByHost(t *testing.T) {
	w, c, options := enterprise(t)
	first := w.driver(t, options) // gives the ID token that the host has
	if err := first.Login(t.Context(), httpdriver.Account{Server: c.URL}); err != nil {
		t.Fatal(err)
	}
	tok, err := first.Token(t.Context(), httpdriver.Account{Server: c.URL})
	if err != nil {
		t.Fatal(err)
	}
	asked := []httpdriver.IdentityRequest{}
	needs := false
	d := w.driver(t, func(o *httpdriver.Options) {
		options(o)
		o.Store = nil
		o.Host = httpdriver.UserAgent(func(context.Context, httpdriver.Visit) (string, error) {
			t.Error("a browser was opened")
			return "", context.Canceled
		})
		o.Identity = func(_ context.Context, _ httpdriver.Account, q httpdriver.IdentityRequest) (string, error) {
			asked = append(asked, q)
			if needs {
				return "", httpdriver.ErrUserNeeded
			}
			return tok.AccessToken, nil
		}
	})
	w.call(t, w.client(t, d))
	if len(asked) != 1 || asked[0] != (httpdriver.IdentityRequest{Provider: c.URL, Client: devas.EnterpriseClientID, User: true}) {
		t.Errorf("asked: %+v", asked)
	}
	needs = true
	w.Clock.forward(2 * time.Hour)
	_, err = w.client(t, d).Get(w.Server)
	if f, ok := fsm.FaultOf(err); !ok || f.Event != "UserNeeded" {
		t.Errorf("without a user: %v", err)
	}
	if n := len(asked); n != 3 || asked[1].User || !asked[2].User {
		t.Errorf("asked: %+v", asked)
	}
}

// TestEnterpriseRefused: what is wrong with what the provider gives is said, and goes no
// further.
//
// Rules: ext-ema-pairing, ext-ema-subject-types.
func TestEnterpriseRefused(t *testing.T) {
	for fault, rule := range map[string]string{
		"id-token-expired": "ext-ema-renew", "id-token-aud-wrong": "ext-ema-id-token-stays", "exchange-type-wrong": "ext-ema-exchange-response",
		"id-jag-typ-wrong": "ext-ema-jag-typ", "id-jag-aud-wrong": "ext-ema-jag-claims", "id-jag-expired": "ext-ema-jag-claims",
		"id-jag-client-wrong": "ext-ema-jag-claims", "id-jag-resource-wrong": "ext-ema-resource",
	} {
		w, _, options := enterprise(t, fault)
		err := w.driver(t, options).Login(t.Context(), w.account())
		if err == nil || !strings.Contains(err.Error(), rule) {
			t.Errorf("%s: %v", fault, err)
		}
		for _, s := range w.Tap.requests() {
			if s.To == "as" && s.Path == "/token" {
				t.Errorf("%s: the issuer was asked for a token", fault)
			}
		}
	}
	w, _, options := enterprise(t, "id-jag-replayed")
	d := w.driver(t, options)
	if err := d.Login(t.Context(), w.account()); err != nil {
		t.Fatal(err)
	}
	if err := d.Login(t.Context(), w.account()); err == nil || !strings.Contains(err.Error(), "invalid_grant") {
		t.Errorf("an ID-JAG with the jti of before: %v", err)
	}
	w, _, options = enterprise(t, "exchange-refused")
	refused := (*fsm.PeerError)(nil)
	if err := w.driver(t, options).Login(t.Context(), w.account()); !errors.As(err, &refused) {
		t.Errorf("a refused exchange: %v", err)
	}
}

// TestEnterpriseWithoutWaiting: a host that never blocks gets the link to the provider,
// the same one for every request, and the tokens follow when the user has been there. A
// user who asks again gets a link of their own.
func TestEnterpriseWithoutWaiting(t *testing.T) {
	w, c, options := enterprise(t)
	d := w.driver(t, func(o *httpdriver.Options) {
		options(o)
		o.Host = httpdriver.Web("http://127.0.0.1/callback")
	})
	link := func(err error) *httpdriver.LoginRequiredError {
		t.Helper()
		need, ok := errors.AsType[*httpdriver.LoginRequiredError](err)
		if !ok || need.Issuer != c.URL || !strings.HasPrefix(need.URL, c.URL+"/authorize?") {
			t.Fatalf("%v", err)
		}
		return need
	}
	client := w.client(t, d)
	var first *httpdriver.LoginRequiredError
	for range 2 {
		_, _, err := w.post(t.Context(), client, ping)
		need := link(err)
		if first == nil {
			first = need
		}
		if need.URL != first.URL {
			t.Error("the second request got another link")
		}
	}
	if again := link(d.Login(t.Context(), w.account())); again.URL == first.URL {
		t.Error("a user who asked again got the old link")
	}
	location, err := follow(t.Context(), httpdriver.Visit{URL: first.URL})
	if err != nil {
		t.Fatal(err)
	}
	a, err := d.Redirected(t.Context(), location, httpdriver.Owner{})
	if err != nil || a.Server != c.URL {
		t.Fatalf("%+v, %v", a, err)
	}
	w.call(t, client)
}
