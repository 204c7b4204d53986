package httpdriver_test

import (
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stile-oauth/stile/httpdriver"
	"github.com/stile-oauth/stile/states"
)

// forbidden is a request for which the token has too little scope.
func (w *world) forbidden(t *testing.T, d *httpdriver.Driver, scope string) *httpdriver.LoginRequiredError {
	t.Helper()
	resp := refusal()
	resp.StatusCode, resp.Header = http.StatusForbidden, http.Header{"Www-Authenticate": {`Bearer error="insufficient_scope", scope="` + scope + `"`}}
	return required(t, d.Challenge(t.Context(), w.account(), resp))
}

// TestASecondCode: a login at another device asks for more scope, and is refused. While it was under
// way, a request needed still more, so another one follows, which has a code of its own. The
// requests that come then get that code, and not the one that is no longer good.
func TestASecondCode(t *testing.T) {
	var answer atomic.Pointer[http.HandlerFunc]
	inBubble(t, func(t *testing.T, w *world) {
		d := w.driver(t, web, func(o *httpdriver.Options) { o.Policy.Grant = states.DeviceGrant })
		refused := func(scope string) *httpdriver.LoginRequiredError { return w.forbidden(t, d, scope) }
		_ = required(t, d.Login(t.Context(), w.account()))
		time.Sleep(time.Minute)
		w.call(t, w.client(t, d))

		pending := says(http.StatusBadRequest, "application/json", `{"error":"authorization_pending"}`)
		denied := says(http.StatusBadRequest, "application/json", `{"error":"access_denied"}`)
		answer.Store(&pending)
		first := refused("admin")
		if again := refused("admin user"); again.Code != first.Code {
			t.Errorf("two codes at once: %q, %q", first.Code, again.Code)
		}
		once := http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
			answer.Store(&pending)
			denied(rw, r)
		})
		answer.Store(&once)
		time.Sleep(time.Minute)
		synctest.Wait()
		if second := refused("admin user"); second.Code == first.Code || !second.Expires.After(first.Expires) {
			t.Errorf("the code is still %q", second.Code)
		}
	}, func(s setup) {
		s.Wrap["as"] = func(next http.Handler) http.Handler {
			return http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
				if h := answer.Load(); h != nil && strings.HasSuffix(r.URL.Path, "/token") {
					(*h)(rw, r)
					return
				}
				next.ServeHTTP(rw, r)
			})
		}
	})
}

// TestACodeAfterTheLogin: the login at another device is over and its code used, and the token that
// it replaced is still revoked. A request that needs more scope gets a code for that at once.
func TestACodeAfterTheLogin(t *testing.T) {
	revoking := &slowly{path: "/revoke", wait: time.Minute}
	revoking.on.Store(true)
	inBubble(t, func(t *testing.T, w *world) {
		d := w.driver(t, web, func(o *httpdriver.Options) { o.Policy.Grant = states.DeviceGrant })
		var used *httpdriver.LoginRequiredError
		for _, anew := range []bool{false, true} { // with a new client, the token of the old one is revoked
			used = required(t, d.LoginWith(t.Context(), w.account(), httpdriver.LoginOptions{NewClient: anew}))
			time.Sleep(10 * time.Second)
		}
		w.call(t, w.client(t, d))
		began := time.Now()
		if need := w.forbidden(t, d, "admin"); need.Code == used.Code || time.Since(began) > time.Second {
			t.Errorf("the code %q, after %v; used was %q", need.Code, time.Since(began), used.Code)
		}
	}, func(s setup) { s.Wrap["as"] = revoking.wrap })
}
