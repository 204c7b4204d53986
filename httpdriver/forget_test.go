package httpdriver_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/stile-oauth/stile/httpdriver"
)

// TestForgetTheClient: the issuer is asked once, with the registration's own token, and
// the next login registers anew.
//
// Rules: dcr-delete.
func TestForgetTheClient(t *testing.T) {
	w := newWorld(t)
	d := w.driver(t)
	c := w.client(t, d)
	w.call(t, c)
	deletions := func() (n int) {
		for _, s := range w.Tap.requests() {
			if s.To == "as" && s.Method == http.MethodDelete {
				n++
				if !strings.HasPrefix(s.Header.Get("Authorization"), "Bearer ") {
					t.Errorf("%v carries no token", s)
				}
			}
		}
		return n
	}
	if err := d.Logout(t.Context(), w.account()); err != nil || deletions() != 0 {
		t.Fatalf("%v, %d deletions", err, deletions())
	}
	if err := d.Login(t.Context(), w.account()); err != nil || w.Tap.count("as", "/register") != 1 {
		t.Fatalf("%v: the client was not kept:%s", err, w.Tap.list())
	}
	if err := d.LogoutWith(t.Context(), w.account(), httpdriver.LogoutOptions{Forget: true}); err != nil || deletions() != 1 {
		t.Fatalf("%v, %d deletions", err, deletions())
	}
	if err := d.Login(t.Context(), w.account()); err != nil || w.Tap.count("as", "/register") != 2 {
		t.Errorf("%v: %s", err, w.Tap.list())
	}
}
