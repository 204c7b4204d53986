package httpdriver_test

import (
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stile-oauth/stile/fsm/peer"
	"github.com/stile-oauth/stile/states"
)

// serving is a transport made of a function.
type serving func(*http.Request) (*http.Response, error)

func (f serving) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

// TestRoundsEnd: a request that a server refuses whatever token comes with it, while others
// obtain one token after another, is sent five times, and the last answer is the caller's.
// A proof that the server wants anew in between does not change that the sending ends.
//
// Rules: challenge-fresh-token-loop, ext-dpop-nonce-cap.
func TestRoundsEnd(t *testing.T) {
	for _, c := range []struct {
		name  string
		world func(setup)
		// challenge is what the nth answer wants.
		challenge func(n int) http.Header
		sent      int
	}{
		{"bearer", nil, func(int) http.Header { return http.Header{"Www-Authenticate": {`Bearer error="invalid_token"`}} }, 5},
		{"bound", binding(states.RequireBinding, peer.DPoPRequired), func(n int) http.Header {
			if n == 5 {
				return http.Header{"Www-Authenticate": {`DPoP error="use_dpop_nonce"`}, "Dpop-Nonce": {"another"}}
			}
			return http.Header{"Www-Authenticate": {`DPoP error="invalid_token"`}}
		}, 6},
	} {
		t.Run(c.name, func(t *testing.T) {
			var w *world
			if c.world == nil {
				w = newWorld(t)
			} else {
				w = newWorld(t, c.world)
			}
			d := w.driver(t)
			if err := d.Login(t.Context(), w.account()); err != nil {
				t.Fatal(err)
			}
			sent := 0
			tr, err := d.Transport(w.account(), serving(func(r *http.Request) (*http.Response, error) {
				if sent++; sent > 20 {
					t.Fatal("it is sent without end")
				}
				w.Clock.forward(2 * time.Hour)
				if _, err := d.Token(r.Context(), w.account()); err != nil { // somebody else refreshes
					t.Fatal(err)
				}
				return &http.Response{StatusCode: http.StatusUnauthorized, Header: c.challenge(sent), Body: io.NopCloser(strings.NewReader("")), Request: r}, nil
			}))
			if err != nil {
				t.Fatal(err)
			}
			req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, w.Server, strings.NewReader(ping))
			if err != nil {
				t.Fatal(err)
			}
			resp, err := tr.RoundTrip(req)
			if err != nil || resp.StatusCode != http.StatusUnauthorized || sent != c.sent {
				t.Errorf("sent %d times: %v, %v", sent, resp, err)
			}
		})
	}
}
