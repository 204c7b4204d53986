package httpdriver_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/luikyv/go-oidc/pkg/goidc"

	"github.com/stile-oauth/stile/httpdriver"
	"github.com/stile-oauth/stile/httpdriver/keys"
	"github.com/stile-oauth/stile/states"
)

// TestHolder: to other processes a process is known by the name that the host gave, its id and
// a part that no other driver has.
func TestHolder(t *testing.T) {
	seen := map[string]bool{}
	for _, c := range []struct{ given, want string }{{"", "stile"}, {"", "stile"}, {"gateway", "gateway"}} {
		w := newWorld(t)
		var m states.Mark
		d := w.driver(t, func(o *httpdriver.Options) {
			o.Policy.Holder = c.given
			o.Host = httpdriver.UserAgent(func(ctx context.Context, v httpdriver.Visit) (string, error) {
				e, err := w.Store.Get(ctx, states.Key{Kind: states.KindMark, Name: w.Server})
				if err != nil {
					return "", err
				}
				if err := json.Unmarshal(e.Value, &m); err != nil {
					return "", err
				}
				return follow(ctx, v)
			})
		})
		w.call(t, w.client(t, d))
		form := regexp.MustCompile(fmt.Sprintf("^%s-%d-[0-9a-f]{12}$", c.want, os.Getpid()))
		if !form.MatchString(m.Holder) || seen[m.Holder] {
			t.Errorf("named %q: %q", c.given, m.Holder)
		}
		seen[m.Holder] = true
	}
}

// TestConcurrentLogins: a login begins beside one of another process where the host wants that,
// and where it only gives links.
func TestConcurrentLogins(t *testing.T) {
	for name, change := range map[string]func(*httpdriver.Options){
		"wanted": func(o *httpdriver.Options) { o.Policy.Concurrent = true }, "by a link": web,
	} {
		inBubble(t, func(t *testing.T, w *world) {
			user := newUser()
			first := w.driver(t, user.host)
			go func() { _ = first.Login(t.Context(), w.account()) }()
			<-user.sent
			began := time.Now()
			status, _, err := w.post(t.Context(), w.client(t, w.driver(t, change)), ping)
			if need := (*httpdriver.LoginRequiredError)(nil); status != 200 && !errors.As(err, &need) || !near(time.Since(began), 0, time.Second) {
				t.Errorf("%s: %d %v, after %v", name, status, err, time.Since(began))
			}
		})
	}
}

// renamed is a key that the host knows by another name.
type renamed struct {
	*keys.Key
	names *[]string
}

func (r renamed) Sign(ctx context.Context, name, alg string, text []byte) ([]byte, error) {
	*r.names = append(*r.names, name)
	return r.Key.Sign(ctx, r.About().Name, alg, text)
}

// TestKeyOfThePolicy: what the host says about its key counts, and not what the signer says.
func TestKeyOfThePolicy(t *testing.T) {
	client, key := keyed(t, goidc.GrantClientCredentials)
	w := newIndependent(t, client)
	var names []string
	about := key.About()
	about.Name = "of the host"
	d := w.driver(t, func(o *httpdriver.Options) {
		o.Policy.Client, o.Policy.Grant = &states.Configured{Issuer: w.ASURL, ID: "app"}, states.OwnGrant
		o.Policy.Key, o.Signer = &about, renamed{key, &names}
	})
	w.call(t, w.client(t, d))
	if len(names) != 1 || names[0] != "of the host" {
		t.Errorf("asked for %q", names)
	}
}

// TestEnterpriseWithoutAProvider: a policy for a company that names no provider is an error.
func TestEnterpriseWithoutAProvider(t *testing.T) {
	w := newWorld(t)
	d := w.driver(t, func(o *httpdriver.Options) {
		o.Policy.Grant, o.Policy.Client = states.EnterpriseGrant, &states.Configured{ID: "app", Secret: "s", Issuer: w.ASURL}
	})
	if _, err := d.Client(w.account()); fieldOf(err) != "Provider" {
		t.Errorf("%v", err)
	}
}

// TestProviderWithoutTheGrant: a provider counts with the grant of a company alone. Without it,
// its address is a server like any other.
func TestProviderWithoutTheGrant(t *testing.T) {
	w := newWorld(t)
	w.call(t, w.client(t, w.driver(t, func(o *httpdriver.Options) {
		o.Policy.Provider = &states.Configured{ID: "app", Secret: "s", Issuer: w.Server}
	})))
}

// TestOtherQuirks: a quirk that is not about redirect URIs changes none.
func TestOtherQuirks(t *testing.T) {
	w := newWorld(t)
	w.call(t, w.client(t, w.driver(t, func(o *httpdriver.Options) {
		o.Policy.Quirks = []states.Quirk{{Name: states.JWTAudTokenEndpoint}}
	})))
	if _, redirect := w.registered(t); !strings.HasPrefix(redirect, "http://127.0.0.1") {
		t.Errorf("registered for %s", redirect)
	}
}

// TestStatusOfRenewals: a refresh that is under way, and one that will not be tried again, are
// told apart.
func TestStatusOfRenewals(t *testing.T) {
	w := newWorld(t)
	d := w.driver(t)
	w.call(t, w.client(t, d))
	var grant *states.Token
	w.rewriteRecord(t, func(r *states.Credential) { grant, r.Current = r.Current, nil })
	if st, err := d.Status(t.Context(), w.account()); err != nil || st.LoggedIn || st.Account != w.account() {
		t.Errorf("after its end: %+v %v", st, err)
	}
	w.rewriteRecord(t, func(r *states.Credential) { r.Current = grant })
	for name, c := range map[string]struct {
		intent                         *states.Intent
		refreshing, givenUp, renewable bool
	}{
		"at rest":   {nil, false, false, true},
		"under way": {&states.Intent{Attempt: 1}, true, false, true},
		"given up":  {&states.Intent{Attempt: 1, GivenUp: true}, false, true, false},
	} {
		w.rewriteRecord(t, func(r *states.Credential) { r.Intent = c.intent })
		st, err := d.Status(t.Context(), w.account())
		if err != nil || !st.LoggedIn || st.Refreshing != c.refreshing || st.GivenUp != c.givenUp || st.Renewable != c.renewable {
			t.Errorf("%s: %+v %v", name, st, err)
		}
	}
}

// TestRedirectsOfThePolicy: hosts for which the same redirect URIs are configured share a client,
// although one of them has an address of its own.
func TestRedirectsOfThePolicy(t *testing.T) {
	w := newWorld(t)
	names := func(o *httpdriver.Options) {
		o.Policy.Redirects = []string{webCallback, "https://host.example/elsewhere"}
	}
	_ = required(t, w.driver(t, web, names).Login(t.Context(), w.account()))
	another := w.account()
	another.Name = "another"
	if err := w.driver(t, names).Login(t.Context(), another); err != nil || w.Tap.count("as", "/register") != 1 {
		t.Errorf("%v, %d registrations", err, w.Tap.count("as", "/register"))
	}
}
