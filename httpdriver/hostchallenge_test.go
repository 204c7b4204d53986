package httpdriver_test

import "testing"

// TestChallengeThatIsAnswered: a host that hands in a refusal hears nothing else when there is a
// token to try, be it from a login or from a refresh.
func TestChallengeThatIsAnswered(t *testing.T) {
	w := newWorld(t)
	d := w.driver(t)
	for _, grant := range []string{"authorization_code", "refresh_token"} {
		if err := d.Challenge(t.Context(), w.account(), refusal()); err != nil {
			t.Errorf("%s: %v", grant, err)
		}
		if _, err := d.Token(t.Context(), w.account()); err != nil || w.Tap.grants(grant) != 1 {
			t.Errorf("%s: %v, after %d of them", grant, err, w.Tap.grants(grant))
		}
	}
}
