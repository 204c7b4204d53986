package httpdriver_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
)

// TestLinkForAnotherScope: a user asked for a login and was shown a link. A request that is refused
// for another scope afterwards gets a link for that scope, and not the first one.
func TestLinkForAnotherScope(t *testing.T) {
	var other atomic.Bool
	w := newWorld(t, func(s setup) {
		s.Wrap["rs"] = func(h http.Handler) http.Handler {
			return http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
				rec := httptest.NewRecorder()
				h.ServeHTTP(rec, r)
				for name, values := range rec.Header() {
					for _, v := range values {
						if other.Load() && name == "Www-Authenticate" {
							v = strings.Replace(v, `scope="user"`, `scope="admin"`, 1)
						}
						rw.Header().Add(name, v)
					}
				}
				rw.WriteHeader(rec.Code)
				_, _ = rw.Write(rec.Body.Bytes())
			})
		}
	})
	d := w.driver(t, web)
	first := required(t, d.Login(t.Context(), w.account()))
	for _, change := range []bool{false, true} {
		other.Store(change)
		_, _, err := w.post(t.Context(), w.client(t, d), ping)
		if need := required(t, err); (need.URL == first.URL) == change || strings.Contains(need.URL, "admin") != change {
			t.Errorf("another scope %v: %s, after %s", change, need.URL, first.URL)
		}
	}
}
