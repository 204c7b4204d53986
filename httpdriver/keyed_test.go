package httpdriver_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"errors"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/luikyv/go-oidc/pkg/goidc"

	"github.com/stile-oauth/stile/fsm"
	"github.com/stile-oauth/stile/httpdriver"
	"github.com/stile-oauth/stile/httpdriver/keys"
	"github.com/stile-oauth/stile/states"
	"github.com/stile-oauth/stile/states/wire"
)

// keyed is a client with a key, as an issuer of others knows it, and the key.
func keyed(t *testing.T, grants ...goidc.GrantType) (*goidc.Client, *keys.Key) {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	k, err := keys.New(private, keys.Options{ID: "of-the-app"})
	if err != nil {
		t.Fatal(err)
	}
	set := goidc.JSONWebKeySet{Keys: []goidc.JSONWebKey{{Key: private.Public(), KeyID: "of-the-app", Algorithm: "ES256", Use: "sig"}}}
	meta := goidc.ClientMeta{
		ApplicationType: goidc.ApplicationTypeNative, RedirectURIs: []string{"http://127.0.0.1/callback"},
		GrantTypes: grants, JWKS: &set, TokenAuthnMethod: goidc.AuthnMethodPrivateKeyJWT, TokenAuthnSigAlg: "ES256",
		ScopeIDs: "user admin offline_access",
	}
	if grants[0] == goidc.GrantAuthorizationCode {
		meta.ResponseTypes = []goidc.ResponseType{goidc.ResponseTypeCode}
	}
	return &goidc.Client{ID: "app", ClientMeta: meta}, k
}

// assertions are those that were sent; each is the only proof of its request.
func (w *independent) assertions(t *testing.T) (out []string) {
	t.Helper()
	seen := map[string]bool{}
	for _, s := range w.Tap.requests() {
		if s.To != "oidc" || s.Method != http.MethodPost || s.form("client_id") == "" {
			continue
		}
		jws := s.form("client_assertion")
		if strings.Count(jws, ".") != 2 || s.form("client_secret") != "" || s.Header.Get("Authorization") != "" || s.form("client_assertion_type") != wire.AssertionType {
			t.Errorf("%v is not authenticated by an assertion and nothing else", s)
		}
		if seen[jws] {
			t.Error("an assertion is sent twice")
		}
		seen[jws] = true
		out = append(out, jws)
	}
	return out
}

// TestIndependentKeyed: the whole life of a client that signs, before an issuer that
// nobody here wrote and that takes each jti once.
func TestIndependentKeyed(t *testing.T) {
	client, key := keyed(t, goidc.GrantAuthorizationCode, goidc.GrantRefreshToken)
	w := newIndependent(t, client)
	d := w.driver(t, func(o *httpdriver.Options) {
		o.Policy.Client = &states.Configured{Issuer: w.ASURL, ID: "app"}
		o.Signer = key
	})
	c := w.client(t, d)
	w.call(t, c)
	tok, err := d.Token(t.Context(), w.account())
	if err != nil {
		t.Fatal(err)
	}
	if err := w.op.RevokeToken(t.Context(), tok.AccessToken); err != nil {
		t.Fatal(err)
	}
	w.call(t, c) // by a refresh
	if status, body, err := w.post(t.Context(), c, admin); err != nil || status != http.StatusOK {
		t.Errorf("step-up: status %d, body %q, error %v", status, body, err)
	}
	if err := d.Logout(t.Context(), w.account()); err != nil {
		t.Fatal(err)
	}
	if n := len(w.assertions(t)); n != 7 { // code, refresh, code, and both tokens of two grants
		t.Errorf("%d assertions:%s", n, w.Tap.list())
	}
}

// TestPageWithoutAdvice: the page of a login whose key could not be used says that. Where there is no
// advice, nothing stands in its place.
func TestPageWithoutAdvice(t *testing.T) {
	client, key := keyed(t, goidc.GrantAuthorizationCode)
	w := newIndependent(t, client)
	var answer httpdriver.Answer
	d := w.driver(t, func(o *httpdriver.Options) {
		o.Host = &returning{o.Host, func(raw string, back func(string) httpdriver.Answer) { answer = back(raw) }}
		o.Policy.Client = &states.Configured{Issuer: w.ASURL, ID: "app"}
		o.Signer = waiting{key, func(context.Context) error { return errors.New("the token is locked") }}
	})
	f, ok := fsm.FaultOf(d.Login(t.Context(), w.account()))
	if !ok || f.Advice != "" {
		t.Fatalf("%+v", f)
	}
	if len(answer.Detail) != 1 || !strings.Contains(answer.Detail[0], "the token is locked") {
		t.Errorf("%+v", answer)
	}
}

// TestIndependentOwn: client credentials with a key. Twenty callers need one token,
// there is no user, and a new process takes over what is stored.
func TestIndependentOwn(t *testing.T) {
	client, key := keyed(t, goidc.GrantClientCredentials)
	w := newIndependent(t, client)
	nobody := httpdriver.UserAgent(func(context.Context, httpdriver.Visit) (string, error) {
		t.Error("the user was asked")
		return "", context.Canceled
	})
	change := func(o *httpdriver.Options) {
		o.Policy.Client, o.Policy.Grant = &states.Configured{Issuer: w.ASURL, ID: "app"}, states.OwnGrant
		o.Signer, o.Host = key, nobody
	}
	d := w.driver(t, change)
	c := w.client(t, d)
	var all sync.WaitGroup
	for range 20 {
		all.Go(func() { w.call(t, c) })
	}
	all.Wait()
	own := func() (n int) {
		for _, s := range w.Tap.requests() {
			if s.To == "oidc" && s.form("grant_type") == "client_credentials" {
				n++
				if s.form("resource") != w.Server {
					t.Errorf("no resource in %v", s)
				}
			}
		}
		return n
	}
	if own() != 1 {
		t.Errorf("%d tokens were asked for:%s", own(), w.Tap.list())
	}
	w.call(t, w.client(t, w.driver(t, change)))
	if own() != 1 {
		t.Errorf("%d tokens after the restart", own())
	}
	st, err := d.Status(t.Context(), w.account())
	if err != nil || !st.Renewable {
		t.Errorf("%+v, %v", st, err)
	}
	w.assertions(t)
	if err := d.Logout(t.Context(), w.account()); err != nil {
		t.Fatal(err)
	}
}

// TestKeyThatFails: what a Signer says is the reason, and a panic of it is no more
// than that.
func TestKeyThatFails(t *testing.T) {
	client, key := keyed(t, goidc.GrantClientCredentials)
	w := newIndependent(t, client)
	for name, c := range map[string]struct {
		s    signer
		want string
	}{
		"an error": {func(context.Context) ([]byte, error) { return nil, errors.New("the module is locked") }, "the module is locked"},
		"a panic":  {func(context.Context) ([]byte, error) { panic("the module is locked") }, "the module is locked"},
		"nothing":  {func(context.Context) ([]byte, error) { return nil, nil }, "the signature is empty"},
		"no answer": {func(ctx context.Context) ([]byte, error) {
			<-ctx.Done()
			return nil, ctx.Err()
		}, context.DeadlineExceeded.Error()},
	} {
		t.Run(name, func(t *testing.T) {
			about := key.About()
			d := w.driver(t, func(o *httpdriver.Options) {
				o.Policy.Client, o.Policy.Grant, o.Policy.Key = &states.Configured{Issuer: w.ASURL, ID: "app"}, states.OwnGrant, &about
				o.Policy.HTTPTime = 300 * time.Millisecond
				o.Signer = c.s
			})
			err := d.Login(t.Context(), w.account())
			if err == nil || !strings.Contains(err.Error(), "the client's assertion could not be signed") || !strings.Contains(err.Error(), c.want) {
				t.Errorf("%v", err)
			}
		})
	}
}

type signer func(context.Context) ([]byte, error)

func (s signer) Sign(ctx context.Context, _, _ string, _ []byte) ([]byte, error) { return s(ctx) }
