package httpdriver_test

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stile-oauth/stile/fsm"
	"github.com/stile-oauth/stile/httpdriver"
	"github.com/stile-oauth/stile/states"
	"github.com/stile-oauth/stile/states/wire"
	"github.com/stile-oauth/stile/storage"
)

const libraryProvider = "https://idp.example"

// identified is a driver whose host knows the user, and a count of the ID tokens that were
// exchanged.
func identified(t *testing.T, wait func(context.Context) error, change ...func(*httpdriver.Options)) (d *httpdriver.Driver, exchanges *int) {
	t.Helper()
	answer := func(s states.Send, status int, body string) states.Input {
		return states.Responded{Serial: s.Serial, Response: wire.Response{
			Status: status, Header: wire.Fields{{Name: "Content-Type", Value: "application/json"}}, Body: []byte(body),
		}}
	}
	exchanges = new(int)
	l := &library{answer: func(_ context.Context, s states.Send, _ int) states.Input {
		switch {
		case s.Request.URL == libraryProvider+"/token":
			*exchanges++
			return answer(s, http.StatusBadRequest, `{"error":"invalid_request"}`)
		case strings.HasPrefix(s.Request.URL, libraryProvider):
			return answer(s, http.StatusOK, strings.ReplaceAll(`{"issuer":"@","authorization_endpoint":"@/authorize","token_endpoint":"@/token","response_types_supported":["code"]}`, "@", libraryProvider))
		}
		return nil
	}}
	client := func(issuer string) *states.Configured {
		return &states.Configured{Issuer: issuer, ID: "app", Secret: "s"}
	}
	o := httpdriver.Options{
		Send:   l.send,
		Policy: httpdriver.Policy{Grant: states.EnterpriseGrant, Client: client(libraryIssuer), Provider: client(libraryProvider)},
		Identity: func(ctx context.Context, _ httpdriver.Account, _ httpdriver.IdentityRequest) (string, error) {
			if err := wait(ctx); err != nil {
				return "", err
			}
			part := base64.RawURLEncoding.EncodeToString
			claims := fmt.Sprintf(`{"iss":%q,"aud":"app","sub":"u","iat":%d,"exp":%d}`, libraryProvider, time.Now().Unix(), time.Now().Add(time.Hour).Unix())
			return part([]byte(`{"alg":"ES256"}`)) + "." + part([]byte(claims)) + "." + part([]byte("signature")), nil
		},
	}
	for _, c := range change {
		c(&o)
	}
	d, err := httpdriver.New(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = d.Close() })
	return d, exchanges
}

// TestAHostWaitsForItsUser: a host whose user logs in at the identity provider may take as long
// as a user does: that is not counted as the login's own time, and the ID token is exchanged.
func TestAHostWaitsForItsUser(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d, exchanges := identified(t, func(context.Context) error { time.Sleep(4 * time.Minute); return nil })
		if err := d.Challenge(t.Context(), reader("one"), refusal()); *exchanges != 1 {
			t.Errorf("%d exchanges: %v", *exchanges, err)
		}
	})
}

// TestTimeBeforeAHostWaitsForItsUser: what a login took before its host asked the user still counts
// when the user has answered: the ID token is exchanged in the time that was left.
func TestTimeBeforeAHostWaitsForItsUser(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var left time.Duration
		d, _ := identified(t, func(context.Context) error { time.Sleep(4 * time.Minute); return nil }, func(o *httpdriver.Options) {
			o.Policy.LoginTime = 20 * time.Second
			send := o.Send
			o.Send = func(ctx context.Context, s states.Send) states.Input {
				if s.Request.URL == libraryProvider+"/token" {
					left = s.Timeout
				} else { // three documents: of the server, of its issuer and of the provider
					time.Sleep(5 * time.Second)
				}
				return send(ctx, s)
			}
		})
		if err := d.Challenge(t.Context(), reader("one"), refusal()); err == nil || left != 5*time.Second {
			t.Errorf("%v were left: %v", left, err)
		}
	})
}

// TestNobodyWantsTheIDToken: a user who logs out while the host still waits for their ID token
// need not wait for the host, and the host hears that nobody wants it any more.
func TestNobodyWantsTheIDToken(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d, exchanges := identified(t, func(ctx context.Context) error { <-ctx.Done(); return ctx.Err() })
		began := time.Now()
		end := reads(t, d, reader("one"))
		synctest.Wait()
		if err := d.Logout(t.Context(), reader("one")); err != nil {
			t.Error(err)
		}
		if err := <-end; err == nil || *exchanges != 0 || time.Since(began) != 0 {
			t.Errorf("%v, %d exchanges, after %v", err, *exchanges, time.Since(began))
		}
	})
}

// muteAbout is a store that does not say what is stored about one server, until it fails.
type muteAbout struct {
	storage.Store
	server string
	fails  chan struct{}
}

func (s muteAbout) Get(ctx context.Context, k states.Key) (storage.Entry, error) {
	if k.Kind != states.KindCredential || k.Name != s.server {
		return s.Store.Get(ctx, k)
	}
	select {
	case <-s.fails:
		return storage.Entry{}, errors.New("connection refused")
	case <-ctx.Done():
		return storage.Entry{}, ctx.Err()
	}
}

// TestProviderIsNotRead: a store that does not give the login at the provider in time is no
// reason to send the user there: it may give it later.
func TestProviderIsNotRead(t *testing.T) {
	w, c, options := enterprise(t)
	w.call(t, w.client(t, w.driver(t, options)))
	w.Clock.forward(2 * time.Hour)
	store := muteAbout{w.Store, c.URL, make(chan struct{})}
	d := w.driver(t, options, func(o *httpdriver.Options) {
		o.Store, o.Policy.HTTPTime, o.Policy.LeaseTime = store, 200*time.Millisecond, 2*time.Second
	})
	_, err := d.Token(t.Context(), w.account())
	close(store.fails)
	if f, ok := fsm.FaultOf(err); !ok || !f.Transient {
		t.Errorf("%v", err)
	}
}
