package devas_test

import (
	"testing"

	"github.com/stile-oauth/stile/httpdriver/devas"
)

// TestFaultsReachAPerson: the faults of the authorization response also act when
// a user has been asked, once for each answer and never on the way there.
func TestFaultsReachAPerson(t *testing.T) {
	for _, decision := range []string{"allow", "deny"} {
		s := newSite(t, func(a *devas.ASConfig, _ *devas.RSConfig) {
			a.AutoConsent, a.Faults = false, []string{"iss-wrong@1", "authorize-extra"}
		})
		client := s.register("test")
		for _, iss := range []string{"https://elsewhere.example", s.issuer} {
			s.newBrowser()
			login := s.do("GET", s.do("GET", s.authorizeURL(client), "").header.Get("Location"), "")
			good := s.form("/login", append(fields(login.body), "username", "demo_user", "password", "demo_password")...)
			consent := s.do("GET", good.header.Get("Location"), "")
			done := s.form("/consent", append(fields(consent.body), "decision", decision)...)
			q := done.location()
			if done.status != 303 || q.Get("iss") != iss || q.Get("session_state") != "x" || q.Has("code") == q.Has("error") {
				t.Errorf("%s: %d %v, want iss %s", decision, done.status, q, iss)
			}
		}
	}
}
