package httpdriver_test

import (
	"context"
	"encoding/base64"
	"fmt"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stile-oauth/stile/fsm"
	"github.com/stile-oauth/stile/httpdriver"
	"github.com/stile-oauth/stile/states"
	"github.com/stile-oauth/stile/states/wire"
)

// platformAssertion is a platform's assertion for an issuer that does not look at the signature.
func platformAssertion(issuer string) string {
	claims := fmt.Sprintf(`{"iss":"https://platform.example","sub":"the workload","aud":%q,"iat":%d,"exp":%d}`, issuer, time.Now().Unix(), time.Now().Unix()+300)
	return base64.RawURLEncoding.EncodeToString([]byte(`{"alg":"ES256"}`)) + "." + base64.RawURLEncoding.EncodeToString([]byte(claims)) + ".c2ln"
}

// TestRenewalsOfOtherGrantsInTrouble: that a token endpoint is in trouble counts for all accounts
// also where the client renews its tokens in its own name or with the platform's assertion. The
// platform is asked for another assertion after a pause.
func TestRenewalsOfOtherGrantsInTrouble(t *testing.T) {
	for _, grant := range []states.GrantType{states.OwnGrant, states.WorkloadGrant} {
		t.Run(string(grant), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var down atomic.Bool
				var given []time.Time
				l := &library{answer: func(_ context.Context, s states.Send, _ int) states.Input {
					status, body := http.StatusOK, ""
					switch s.Request.URL {
					case issuersPage:
						body = strings.ReplaceAll(`{"issuer":"@","token_endpoint":"@/token","response_types_supported":["code"],"grant_types_supported":["client_credentials","urn:ietf:params:oauth:grant-type:jwt-bearer"],"token_endpoint_auth_methods_supported":["client_secret_basic"]}`, "@", libraryIssuer)
					case libraryIssuer + "/token":
						if body = `{"access_token":"t","token_type":"Bearer","expires_in":3600}`; down.Load() {
							status, body = http.StatusServiceUnavailable, ""
						}
					default:
						return nil
					}
					return states.Responded{Serial: s.Serial, Response: wire.Response{
						Status: status, Header: wire.Fields{{Name: "Content-Type", Value: "application/json"}}, Body: []byte(body),
					}}
				}}
				o := httpdriver.Options{
					Send:   l.send,
					Policy: httpdriver.Policy{Grant: grant, Client: &states.Configured{Issuer: libraryIssuer, ID: "app", Secret: "of the app"}},
				}
				if grant == states.WorkloadGrant {
					o.Policy.Issuer, o.Policy.Client = libraryIssuer, nil
					o.Workload = func(context.Context, httpdriver.Account, []string) (string, error) {
						given = append(given, time.Now())
						return platformAssertion(libraryIssuer), nil
					}
				}
				d, err := httpdriver.New(o)
				if err != nil {
					t.Fatal(err)
				}
				defer func() { _ = d.Close() }()
				for _, name := range []string{"one", "two"} {
					if err := <-reads(t, d, reader(name)); err != nil {
						t.Fatal(err)
					}
				}
				time.Sleep(2 * time.Hour)
				down.Store(true)
				given = nil
				asked := 0
				for i, name := range []string{"one", "two"} {
					before := l.count(libraryIssuer + "/token")
					_, err := d.Token(t.Context(), reader(name))
					if f, ok := fsm.FaultOf(err); !ok || !f.Transient {
						t.Errorf("%s: %v", name, err)
					}
					if asked = l.count(libraryIssuer+"/token") - before; (asked > 0) != (i == 0) {
						t.Errorf("%s: asked %d times", name, asked)
					}
				}
				for i, at := range given[:max(0, len(given)-1)] {
					if !given[i+1].After(at) {
						t.Errorf("the platform is asked at once again, for assertion %d of %v", i+2, given)
					}
				}
			})
		})
	}
}

// TestEnterpriseRedemptionInTrouble: while an issuer does not take the ID-JAG of one account, for
// want of an answer, it is not asked for another account.
func TestEnterpriseRedemptionInTrouble(t *testing.T) {
	var down atomic.Bool
	w, _, options := enterpriseIn(t, func(s setup) {
		s.Wrap["as"] = func(h http.Handler) http.Handler {
			return http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
				if down.Load() && r.URL.Path == "/token" {
					unavailable(rw, r)
					return
				}
				h.ServeHTTP(rw, r)
			})
		}
	})
	d := w.driver(t, options)
	names := []string{"one", "two"}
	account := func(name string) httpdriver.Account {
		a := w.account()
		a.Name = name
		return a
	}
	for _, name := range names {
		if err := d.Login(t.Context(), account(name)); err != nil {
			t.Fatal(err)
		}
	}
	w.Clock.forward(2 * time.Hour)
	down.Store(true)
	for i, name := range names {
		w.Tap.reset()
		_, err := d.Token(t.Context(), account(name))
		if f, ok := fsm.FaultOf(err); !ok || !f.Transient || (w.Tap.count("as", "/token") > 0) != (i == 0) {
			t.Errorf("%s: %v, %s", name, err, w.Tap.list())
		}
	}
}
