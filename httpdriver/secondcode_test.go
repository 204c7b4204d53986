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

// TestASecondCode: a login at another device asks for more scope, and is refused. While it was under
// way, a request needed still more, so another one follows, which has a code of its own. The
// requests that come then get that code, and not the one that is no longer good.
func TestASecondCode(t *testing.T) {
	var answer atomic.Pointer[http.HandlerFunc]
	inBubble(t, func(t *testing.T, w *world) {
		d := w.driver(t, web, func(o *httpdriver.Options) { o.Policy.Grant = states.DeviceGrant })
		refused := func(scope string) *httpdriver.LoginRequiredError {
			resp := refusal()
			resp.StatusCode, resp.Header = http.StatusForbidden, http.Header{"Www-Authenticate": {`Bearer error="insufficient_scope", scope="` + scope + `"`}}
			return required(t, d.Challenge(t.Context(), w.account(), resp))
		}
		required(t, d.Login(t.Context(), w.account()))
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
