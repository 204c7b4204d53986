package httpdriver_test

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/luikyv/go-oidc/pkg/goidc"

	"github.com/stile-oauth/stile/fsm/peer"
	"github.com/stile-oauth/stile/httpdriver"
	"github.com/stile-oauth/stile/states"
	"github.com/stile-oauth/stile/states/rules"
	"github.com/stile-oauth/stile/states/wire"
)

// binding is a world whose servers take bound tokens, with nonces.
func binding(policy states.TokenBinding, servers peer.DPoP, faults ...string) func(setup) {
	return func(s setup) {
		s.AS.DPoP, s.RS.DPoP, s.AS.DPoPNonces, s.RS.DPoPNonces = servers, servers, true, true
		s.Driver.Policy.Binding = policy
		*s.Faults = append(*s.Faults, faults...)
	}
}

// proofs looks at every request with a proof, and gives how many there were: each is
// another one and for its own request, and a token of these is never sent without.
func (w *world) proofs(t *testing.T) (n int) {
	t.Helper()
	seen := map[string]bool{}
	for _, s := range w.Tap.requests() {
		scheme, token, _ := strings.Cut(s.Header.Get("Authorization"), " ")
		text := s.Header.Get("DPoP")
		if text == "" {
			if scheme == "Bearer" || scheme == "DPoP" {
				t.Errorf("%s carries a token by %s and no proof (%s)", s, scheme, rules.ExtDPoPScheme)
			}
			continue
		}
		n++
		p, bad := wire.ParseProof(s.Header["Dpop"])
		if bad != nil {
			t.Fatal(bad)
		}
		origin := strings.TrimSuffix(w.Server, "/mcp")
		if s.To == "as" {
			origin, token = w.ASURL, ""
		}
		if bad := p.Judge(wire.ProofFor{
			Method: s.Method, URLs: []string{origin + s.Path}, At: w.Clock.Now(), Window: 24 * time.Hour, Token: wire.Secret(token),
		}); bad != nil {
			t.Errorf("the proof of %s: %v", s, bad)
		}
		if seen[p.ID] {
			t.Errorf("%s has the proof of another request (%s)", s, rules.ExtDPoPFresh)
		}
		seen[p.ID] = true
	}
	return n
}

// TestBoundTokens: a login, calls, a refresh and another process over the same store,
// with tokens that are bound to a key in the store. Each server's nonce costs one more
// request, once, as long as it is good.
//
// Rules: ext-dpop-rs-nonce, ext-dpop-refresh-key, ext-dpop-key-protected.
func TestBoundTokens(t *testing.T) {
	w := newWorld(t, binding(states.RequireBinding, peer.DPoPRequired))
	d := w.driver(t)
	c := w.client(t, d)
	for range 3 {
		w.call(t, c)
	}
	// bare; token twice; three calls, and one more for the nonce
	if n, calls := w.proofs(t), w.Tap.count("rs", "/mcp"); n != 2+4 || calls != 1+4 {
		t.Errorf("%d proofs, %d calls:%s", n, calls, w.Tap.list())
	}
	tok, err := d.Token(context.Background(), w.account())
	if err != nil || tok.Type() != "DPoP" {
		t.Errorf("%v, %v", tok, err)
	}
	if h, err := d.Handler(w.account()); err != nil {
		t.Error(err)
	} else if _, err := h.TokenSource(context.Background()); !errors.Is(err, httpdriver.ErrBound) {
		t.Errorf("a transport that makes no proofs gets the token: %v", err)
	}
	if status, body, err := w.post(context.Background(), http.DefaultClient, ping); err != nil || status != 401 {
		t.Errorf("without a token: %d %s %v", status, body, err)
	}
	w.Tap.reset()
	w.Clock.forward(2 * time.Hour)
	other := w.driver(t)
	w.call(t, w.client(t, other))
	if w.Tap.grants("refresh_token") != 2 || w.Tap.grants("authorization_code") != 0 {
		t.Errorf("the other process does not refresh with the same key:%s", w.Tap.list())
	}
	w.proofs(t)
	e, err := w.Store.Get(context.Background(), states.Key{Kind: states.KindProofKey, Name: w.Server})
	if err != nil || !strings.Contains(string(e.Value), `"d":`) {
		t.Errorf("the key is not in the store: %v", err)
	}
	if err := d.Logout(context.Background(), w.account()); err != nil {
		t.Error(err)
	}
}

// TestBodyIsSentAgain: the body of the request that meets the nonce is sent again, from
// a reader as well; one that is too long for that is not, and the error says so.
func TestBodyIsSentAgain(t *testing.T) {
	w := newWorld(t, binding(states.TryBinding, peer.DPoPOffered))
	d := w.driver(t, func(o *httpdriver.Options) { o.MaxReplay = 100 })
	if err := d.Login(context.Background(), w.account()); err != nil {
		t.Fatal(err)
	}
	send := func(body string) (*http.Response, error) {
		req, err := http.NewRequest(http.MethodPost, w.Server, struct{ *strings.Reader }{strings.NewReader(body)})
		if err != nil {
			t.Fatal(err)
		}
		return w.client(t, d).Do(req)
	}
	if _, err := send(ping + strings.Repeat(" ", 4096)); !errors.Is(err, httpdriver.ErrNotReplayable) {
		t.Errorf("a long body: %v", err)
	}
	w.Clock.forward(10 * time.Minute) // beyond the nonce
	resp, err := send(ping)
	if err != nil || resp.StatusCode != 200 {
		t.Fatalf("%v, %v", resp, err)
	}
	_ = resp.Body.Close()
	w.proofs(t)
}

// TestProofsRefused: what a server does wrong about proofs ends after one more request,
// and no login is begun for it, since another token would need a proof too.
//
// Rules: ext-dpop-nonce-cap, ext-dpop-clock, ext-dpop-as-nonce.
func TestProofsRefused(t *testing.T) {
	for fault, want := range map[string]struct{ status, calls int }{
		"rs-dpop-nonce-endless": {401, 2},
		"rs-dpop-htu":           {401, 1},
		"rs-dpop-clock-ahead":   {200, 2}, // the answer brings the nonce too
	} {
		t.Run(fault, func(t *testing.T) {
			w := newWorld(t, binding(states.TryBinding, peer.DPoPOffered, fault))
			d := w.driver(t)
			if err := d.Login(context.Background(), w.account()); err != nil {
				t.Fatal(err)
			}
			w.Tap.reset()
			status, body, err := w.post(context.Background(), w.client(t, d), ping)
			if err != nil || status != want.status || w.Tap.count("rs", "/mcp") != want.calls || w.Tap.count("as", "/token") != 0 {
				t.Errorf("%d %s %v:%s", status, body, err, w.Tap.list())
			}
			w.proofs(t)
		})
	}
	w := newWorld(t, binding(states.TryBinding, peer.DPoPOffered, "dpop-clock-ahead"))
	w.call(t, w.client(t, w.driver(t)))
	w.proofs(t)
}

// TestWrongClock: many requests at once whose proofs are refused for their time all go
// well, whichever of them learns it.
//
// Rules: ext-dpop-clock.
func TestWrongClock(t *testing.T) {
	w := newWorld(t, binding(states.TryBinding, peer.DPoPOffered))
	d := w.driver(t, func(o *httpdriver.Options) {
		o.Clock = func() time.Time { return w.Clock.Now().Add(7 * time.Minute) }
	})
	if err := d.Login(context.Background(), w.account()); err != nil {
		t.Fatal(err)
	}
	c := w.client(t, d)
	var all sync.WaitGroup
	for range 20 {
		all.Go(func() { w.call(t, c) })
	}
	all.Wait()
	w.proofs(t)
}

// TestDowngrades: where bound tokens are required, an issuer that offers none, and one
// that gives another, get nowhere; where they are tried, a bearer token serves.
//
// Rules: ext-dpop-type, ext-dpop-no-downgrade.
func TestDowngrades(t *testing.T) {
	for _, c := range []struct {
		policy  states.TokenBinding
		servers peer.DPoP
		fault   string
		rule    rules.ID
	}{
		{states.RequireBinding, peer.NoDPoP, "", rules.ExtDPoPAlgList},
		{states.RequireBinding, peer.DPoPOffered, "dpop-ignored", rules.ExtDPoPType},
		{states.TryBinding, peer.NoDPoP, "", ""},
		{states.TryBinding, peer.DPoPOffered, "dpop-ignored", ""},
	} {
		w := newWorld(t, func(s setup) {
			s.AS.DPoP, s.RS.DPoP, s.Driver.Policy.Binding = c.servers, c.servers, c.policy
			if c.fault != "" {
				*s.Faults = append(*s.Faults, c.fault)
			}
		})
		status, _, err := w.post(context.Background(), w.client(t, w.driver(t)), ping)
		switch {
		case c.rule == "" && (err != nil || status != 200):
			t.Errorf("%s, %s %s: %d %v", c.policy, c.servers, c.fault, status, err)
		case c.rule != "" && (err == nil || !strings.Contains(err.Error(), string(c.rule))):
			t.Errorf("%s, %s %s: %d %v, want %s", c.policy, c.servers, c.fault, status, err, c.rule)
		}
	}
	if _, err := httpdriver.New(httpdriver.Options{Policy: httpdriver.Policy{Binding: "perhaps"}}); err == nil {
		t.Error("a binding that does not exist")
	}
	if _, err := httpdriver.New(httpdriver.Options{Policy: httpdriver.Policy{Binding: states.TryBinding, Grant: states.IdentityGrant}}); err == nil {
		t.Error("a key for an ID token, which is not bound")
	}
}

// TestProofsOfAHost: a host's signer makes the proofs, and nothing is stored of its key;
// many requests at once share the nonce.
func TestProofsOfAHost(t *testing.T) {
	_, key := keyed(t, "authorization_code")
	w := newWorld(t, binding(states.RequireBinding, peer.DPoPRequired))
	d := w.driver(t, func(o *httpdriver.Options) { o.ProofSigner = key })
	c := w.client(t, d)
	w.call(t, c)
	w.Tap.reset()
	var all sync.WaitGroup
	for range 20 {
		all.Go(func() { w.call(t, c) })
	}
	all.Wait()
	if n := w.proofs(t); n != 20 {
		t.Errorf("%d proofs for 20 requests", n)
	}
	if _, err := w.Store.Get(context.Background(), states.Key{Kind: states.KindProofKey, Name: w.Server}); err == nil {
		t.Error("a key is stored")
	}
	if _, err := httpdriver.New(httpdriver.Options{Policy: httpdriver.Policy{Binding: states.TryBinding}, ProofSigner: mute{}}); err == nil {
		t.Error("a signer that does not say what its key is")
	}
}

type mute struct{}

func (mute) Sign(context.Context, string, string, []byte) ([]byte, error) { return nil, nil }

// TestIndependentBound: the whole life of a token that is bound to a key, before an
// issuer that nobody here wrote, for a public client and for one that signs assertions.
func TestIndependentBound(t *testing.T) {
	client, key := keyed(t, goidc.GrantAuthorizationCode, goidc.GrantRefreshToken)
	for name, change := range map[string]func(*independent) func(*httpdriver.Options){
		"registered": func(*independent) func(*httpdriver.Options) {
			return func(o *httpdriver.Options) { o.Policy.Redirects = []string{webCallback} }
		},
		"with assertions": func(w *independent) func(*httpdriver.Options) {
			return func(o *httpdriver.Options) {
				o.Policy.Client, o.Signer = &states.Configured{Issuer: w.ASURL, ID: "app"}, key
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			w := newIndependent(t, client)
			d := w.driver(t, func(o *httpdriver.Options) { o.Policy.Binding = states.RequireBinding }, change(w))
			c := w.client(t, d)
			w.call(t, c)
			tok, err := d.Token(t.Context(), w.account())
			if err != nil || tok.Type() != "DPoP" {
				t.Fatalf("%v, %v", tok, err)
			}
			req, err := http.NewRequest(http.MethodPost, w.Server, strings.NewReader(ping))
			if err != nil {
				t.Fatal(err)
			}
			req.Header.Set("Authorization", "Bearer "+tok.AccessToken)
			resp, err := http.DefaultClient.Do(req)
			if err != nil {
				t.Fatal(err)
			}
			_ = resp.Body.Close()
			if resp.StatusCode != http.StatusUnauthorized {
				t.Errorf("as a bearer token: %s", resp.Status)
			}
			if err := w.op.RevokeToken(t.Context(), tok.AccessToken); err != nil {
				t.Fatal(err)
			}
			w.call(t, c) // by a refresh
			if status, body, err := w.post(t.Context(), c, admin); err != nil || status != http.StatusOK {
				t.Errorf("step-up: status %d, body %q, error %v", status, body, err)
			}
			proofs := 0
			for _, s := range w.Tap.requests() {
				if s.To == "oidc" && s.Path == "/token" && s.Header.Get("DPoP") != "" {
					proofs++
				}
			}
			if proofs != 3 {
				t.Errorf("%d token requests with a proof:%s", proofs, w.Tap.list())
			}
			if err := d.Logout(t.Context(), w.account()); err != nil {
				t.Error(err)
			}
		})
	}
}
