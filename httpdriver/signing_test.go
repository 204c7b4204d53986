package httpdriver_test

import (
	"context"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/luikyv/go-oidc/pkg/goidc"

	"github.com/stile-oauth/stile/httpdriver"
	"github.com/stile-oauth/stile/httpdriver/keys"
	"github.com/stile-oauth/stile/states"
	"github.com/stile-oauth/stile/states/wire"
)

// waiting is a key that may have to be waited for.
type waiting struct {
	*keys.Key
	wait func(context.Context) error
}

func (k waiting) Sign(ctx context.Context, name, alg string, text []byte) ([]byte, error) {
	if err := k.wait(ctx); err != nil {
		return nil, err
	}
	return k.Key.Sign(ctx, name, alg, text)
}

// inItsOwnName is a driver of a client that signs for its tokens, and how often a token was
// asked for. The first requests for one may be answered otherwise, with one status each.
func inItsOwnName(t *testing.T, wait func(context.Context) error, first ...int) (d *httpdriver.Driver, tokens func() int) {
	t.Helper()
	var mu sync.Mutex
	n := 0
	_, key := keyed(t, goidc.GrantClientCredentials)
	l := &library{answer: func(_ context.Context, s states.Send, _ int) states.Input {
		status, body := http.StatusOK, ""
		switch s.Request.URL {
		case issuersPage:
			body = strings.ReplaceAll(`{"issuer":"@","token_endpoint":"@/token","revocation_endpoint":"@/revoke","response_types_supported":["code"],"grant_types_supported":["client_credentials"],"token_endpoint_auth_methods_supported":["private_key_jwt"]}`, "@", libraryIssuer)
		case libraryIssuer + "/token":
			mu.Lock()
			defer mu.Unlock()
			n++
			body = `{"access_token":"t","token_type":"Bearer","expires_in":3600}`
			if n <= len(first) {
				status = first[n-1]
			}
		case libraryIssuer + "/revoke":
		default:
			return nil
		}
		if s.Timeout <= 0 {
			t.Errorf("%v may take %v", s.Request.URL, s.Timeout)
		}
		return states.Responded{Serial: s.Serial, Response: wire.Response{
			Status: status, Header: wire.Fields{{Name: "Content-Type", Value: "application/json"}}, Body: []byte(body),
		}}
	}}
	d, err := httpdriver.New(httpdriver.Options{
		Send: l.send, Signer: waiting{key, wait},
		Policy: httpdriver.Policy{Grant: states.OwnGrant, Client: &states.Configured{Issuer: libraryIssuer, ID: "app"}, HTTPTime: time.Minute},
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = d.Close() })
	return d, func() int {
		mu.Lock()
		defer mu.Unlock()
		return n
	}
}

// TestNobodyWantsTheSignature: who logs out while a key is waited for need not wait for the key,
// and the key hears that nobody wants it any more.
func TestNobodyWantsTheSignature(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d, tokens := inItsOwnName(t, func(ctx context.Context) error { <-ctx.Done(); return ctx.Err() })
		began, end := time.Now(), reads(t, d, reader("one"))
		synctest.Wait()
		if err := d.Logout(t.Context(), reader("one")); err != nil {
			t.Error(err)
		}
		if err := <-end; err == nil || tokens() != 0 || time.Since(began) != 0 {
			t.Errorf("%v, %d tokens, after %v", err, tokens(), time.Since(began))
		}
	})
}

// TestARenewalIsSigned: a driver that is closed while the key for a renewal is waited for still
// renews the token, and the log out before that has time for its requests.
func TestARenewalIsSigned(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		wait := time.Duration(0)
		d, tokens := inItsOwnName(t, func(ctx context.Context) error {
			select {
			case <-time.After(wait):
				return nil
			case <-ctx.Done():
				return ctx.Err()
			}
		})
		for range 2 {
			if err := <-reads(t, d, reader("one")); err != nil {
				t.Fatal(err)
			}
			if err := d.Logout(t.Context(), reader("one")); err != nil {
				t.Error(err)
			}
		}
		if err := <-reads(t, d, reader("one")); err != nil {
			t.Fatal(err)
		}
		before := tokens()
		time.Sleep(2 * time.Hour)
		wait = 5 * time.Second
		ctx := t.Context()
		go func() { _, _ = d.Token(ctx, reader("one")) }()
		synctest.Wait()
		if err := d.Close(); err != nil {
			t.Error(err)
		}
		if n := tokens() - before; n != 1 {
			t.Errorf("%d renewals", n)
		}
	})
}

// TestSignedWhenItIsDue: a request that is sent again after a time is signed when that time is over.
func TestSignedWhenItIsDue(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var signed []time.Time
		d, tokens := inItsOwnName(t, func(context.Context) error {
			signed = append(signed, time.Now())
			return nil
		}, http.StatusServiceUnavailable)
		if err := <-reads(t, d, reader("one")); err != nil || tokens() != 2 {
			t.Errorf("%v, after %d requests", err, tokens())
		}
		if len(signed) != 2 || !signed[1].Equal(time.Now()) || signed[1].Equal(signed[0]) {
			t.Errorf("signed %v; it is %v", signed, time.Now())
		}
	})
}

// TestNoKeyToSignWith: a client that is configured with a key and without a signer is told so.
func TestNoKeyToSignWith(t *testing.T) {
	client, key := keyed(t, "client_credentials")
	w := newIndependent(t, client)
	about := key.About()
	d := w.driver(t, func(o *httpdriver.Options) {
		o.Policy.Client, o.Policy.Grant, o.Policy.Key = &states.Configured{Issuer: w.ASURL, ID: "app"}, states.OwnGrant, &about
	})
	if err := d.Login(t.Context(), w.account()); err == nil || !strings.Contains(err.Error(), "no key is configured") {
		t.Errorf("%v", err)
	}
	for _, s := range w.Tap.requests() {
		if s.Method == http.MethodPost && s.To == "oidc" {
			t.Errorf("%s was sent without an assertion", s)
		}
	}
}
