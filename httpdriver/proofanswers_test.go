package httpdriver_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/stile-oauth/stile/fsm/peer"
	"github.com/stile-oauth/stile/httpdriver"
	"github.com/stile-oauth/stile/states"
	"github.com/stile-oauth/stile/states/wire"
)

// proven is a proof as it came, and how far its time was ahead.
type proven struct {
	wire.ReadProof
	ahead time.Duration
}

// provenBy logs in with a bound token and gives a transport over which the MCP server answers
// as the test says, and the proofs that came. It begins with a whole second, as times in proofs and
// in Date have no parts of one.
func (w *world) provenBy(t *testing.T, answer func(nth int, h http.Header) int) (http.RoundTripper, *[]proven) {
	t.Helper()
	d := w.driver(t, func(o *httpdriver.Options) { o.Policy.Binding = states.RequireBinding })
	if err := d.Login(t.Context(), w.account()); err != nil {
		t.Fatal(err)
	}
	var proofs []proven
	rt, err := d.Transport(w.account(), roundTrip(func(r *http.Request) (*http.Response, error) {
		p, bad := wire.ParseProof(r.Header["Dpop"])
		if bad != nil {
			t.Fatal(bad)
		}
		proofs = append(proofs, proven{p, time.Until(p.At)})
		rec := httptest.NewRecorder()
		rec.WriteHeader(answer(len(proofs), rec.Header()))
		return rec.Result(), nil
	}))
	if err != nil {
		t.Fatal(err)
	}
	w.Tap.reset()
	time.Sleep(time.Until(time.Now().Truncate(time.Second).Add(time.Second)))
	return rt, &proofs
}

// boundTokens has servers that demand bound tokens.
func boundTokens(s setup) { s.AS.DPoP, s.RS.DPoP = peer.DPoPRequired, peer.DPoPRequired }

// TestAnswersAboutProofs: a proof is made once more for a nonce that is given and for a clock
// that is half a minute away or more, and for nothing else that a server says, however often it
// says so. No refusal of a proof leads to the issuer.
//
// Rules: ext-dpop-rs-nonce, ext-dpop-nonce-cap, ext-dpop-clock.
func TestAnswersAboutProofs(t *testing.T) {
	const nonce, proof = `DPoP error="use_dpop_nonce"`, `DPoP error="invalid_dpop_proof"`
	clock := func(ahead, more time.Duration) func(int, http.Header) {
		return func(nth int, h http.Header) {
			h.Set("Date", time.Now().Add(ahead+time.Duration(nth)*more).UTC().Format(http.TimeFormat))
		}
	}
	for name, c := range map[string]struct {
		status    int
		challenge string
		also      func(nth int, h http.Header)
		sent      int
	}{
		"a nonce is wanted, and none is given": {401, nonce, nil, 1},
		"a nonce is wanted":                    {401, nonce, func(_ int, h http.Header) { h.Set("DPoP-Nonce", "n") }, 2},
		"another one each time":                {401, nonce, func(nth int, h http.Header) { h.Set("DPoP-Nonce", strings.Repeat("n", nth)) }, 2},
		"it is forbidden":                      {403, nonce, func(_ int, h http.Header) { h.Set("DPoP-Nonce", "n") }, 1},
		"all is well":                          {200, nonce, func(_ int, h http.Header) { h.Set("DPoP-Nonce", "n") }, 1},
		"the same clock":                       {401, proof, clock(0, 0), 1},
		"nearly the same clock":                {401, proof, clock(29*time.Second, 0), 1},
		"nearly the same clock, behind":        {401, proof, clock(-29*time.Second, 0), 1},
		"another clock":                        {401, proof, clock(30*time.Second, 0), 2},
		"another clock, behind":                {401, proof, clock(-30*time.Second, 0), 2},
		"a clock that leaps":                   {401, proof, clock(0, time.Hour), 2},
		"no time":                              {401, proof, nil, 1},
		"a nonce, or a bearer token":           {401, `Bearer error="invalid_token", ` + nonce, nil, 1},
		"another proof, or a bearer token":     {401, `Bearer error="invalid_token", ` + proof, nil, 1},
	} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, func(t *testing.T, w *world) {
				rt, proofs := w.provenBy(t, func(nth int, h http.Header) int {
					h.Set("WWW-Authenticate", c.challenge)
					if c.also != nil {
						c.also(nth, h)
					}
					return c.status
				})
				if err := readTo(t, rt, http.MethodGet, w.Server); err != nil {
					t.Error(err)
				}
				if len(*proofs) != c.sent {
					t.Errorf("sent %d times instead of %d", len(*proofs), c.sent)
				}
				w.exactly(t, 0)
			}, boundTokens)
		})
	}
}

// TestWhatProofsRemember: the last nonce and the clock of a server hold for the requests that
// follow, also where its answers do not repeat them and where the token is renewed.
func TestWhatProofsRemember(t *testing.T) {
	inBubble(t, func(t *testing.T, w *world) {
		rt, proofs := w.provenBy(t, func(nth int, h http.Header) int {
			switch nth {
			case 1:
				h.Set("WWW-Authenticate", `DPoP error="use_dpop_nonce"`)
				h.Set("DPoP-Nonce", "first")
				return http.StatusUnauthorized
			case 3:
				h.Set("WWW-Authenticate", `DPoP error="invalid_dpop_proof"`)
				h.Set("Date", time.Now().Add(time.Hour).UTC().Format(http.TimeFormat))
				return http.StatusUnauthorized
			case 5:
				h.Set("DPoP-Nonce", "second")
			case 6:
				time.Sleep(2 * time.Hour) // the next request renews the token
			}
			return http.StatusOK
		})
		for range 6 {
			if err := readTo(t, rt, http.MethodGet, w.Server); err != nil {
				t.Fatal(err)
			}
		}
		var nonces []string
		for i, p := range *proofs {
			nonces = append(nonces, p.Nonce)
			if want := map[bool]time.Duration{true: time.Hour}[i >= 3]; p.ahead != want {
				t.Errorf("proof %d is %v ahead", i+1, p.ahead)
			}
		}
		if got := strings.Join(nonces, " "); got != " first first first first second second second" {
			t.Errorf("the nonces: %q", got)
		}
	}, boundTokens)
}

// TestNearlyTheSameClock: a server whose clock differs by less than half a minute, and that refuses
// a proof, is not followed: later proofs have the time of this clock.
//
// Rules: ext-dpop-clock.
func TestNearlyTheSameClock(t *testing.T) {
	inBubble(t, func(t *testing.T, w *world) {
		rt, proofs := w.provenBy(t, func(nth int, h http.Header) int {
			if nth > 1 {
				return http.StatusOK
			}
			h.Set("WWW-Authenticate", `DPoP error="invalid_dpop_proof"`)
			h.Set("Date", time.Now().Add(29*time.Second).UTC().Format(http.TimeFormat))
			return http.StatusUnauthorized
		})
		for range 2 {
			if err := readTo(t, rt, http.MethodGet, w.Server); err != nil {
				t.Fatal(err)
			}
		}
		for i, p := range *proofs {
			if p.ahead != 0 {
				t.Errorf("proof %d is %v ahead", i+1, p.ahead)
			}
		}
	}, boundTokens)
}
