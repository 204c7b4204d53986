package bearer_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stile-oauth/stile/httpdriver/bearer"
)

// 5,000 junk tokens at once: the authorization server sees no more than the
// bound at a time, those beyond are told to come again, and users whose tokens
// were good before do not notice.
func TestFloodOfJunk(t *testing.T) {
	const bound = 8
	c := newClock()
	var inFlight, most, asked atomic.Int32
	flood, full := make(chan struct{}), make(chan struct{})
	var once sync.Once
	s := newServer(t, func(token string) (int, string) {
		if token == "ann" || token == "bob" {
			return 200, `{"active":true,"iss":"https://as.example","sub":"` + token + `","aud":"` + mcp + `","scope":"user","exp":` + c.in(time.Hour) + `}`
		}
		asked.Add(1)
		n := inFlight.Add(1)
		defer inFlight.Add(-1)
		for m := most.Load(); n > m && !most.CompareAndSwap(m, n); m = most.Load() {
		}
		if n == bound-bound/4 {
			once.Do(func() { close(full) })
		}
		<-flood
		return 200, `{"active":false}`
	})
	v, err := bearer.NewIntrospection(bearer.IntrospectionConfig{URL: s.URL, ClientID: "rs", ClientSecret: "s/cret", Now: c.now, MaxInFlight: bound})
	if err != nil {
		t.Fatal(err)
	}
	h := newGuard(t, func(g *bearer.Config) { g.Verifier, g.Now = v, c.now }).Handler(open)
	call := func(token string) *httptest.ResponseRecorder {
		w := httptest.NewRecorder()
		r := httptest.NewRequestWithContext(t.Context(), "POST", mcp, http.NoBody)
		r.Header.Set("Authorization", "Bearer "+token)
		h.ServeHTTP(w, r)
		return w
	}
	for _, user := range []string{"ann", "bob"} {
		if w := call(user); w.Code != 200 {
			t.Fatalf("%s: %d", user, w.Code)
		}
	}
	c.advance(20 * time.Second)
	call("ann") // remembered; bob's will have to be asked about again
	c.advance(15 * time.Second)

	var junk sync.WaitGroup
	var refused, busy atomic.Int32
	for i := range 5000 {
		junk.Go(func() {
			switch w := call(fmt.Sprintf("junk-%d", i)); {
			case w.Code == 401:
				refused.Add(1)
			case w.Code == 503 && w.Header().Get("Retry-After") == "1":
				busy.Add(1)
			default:
				t.Errorf("junk is answered with %d, Retry-After %q", w.Code, w.Header().Get("Retry-After"))
			}
		})
	}
	<-full // every place for strangers is taken, and stays so
	for range 100 {
		for _, user := range []string{"ann", "bob"} {
			if w := call(user); w.Code != 200 {
				t.Errorf("%s during the flood: %d", user, w.Code)
			}
		}
	}
	close(flood)
	junk.Wait()
	if most.Load() > bound || refused.Load() != asked.Load() || busy.Load()+refused.Load() != 5000 || busy.Load() < 1000 {
		t.Errorf("at most %d at once, %d asked about, %d refused, %d told to come again", most.Load(), asked.Load(), refused.Load(), busy.Load())
	}
}

// TestKnownTokensWait: users whose tokens were active before wait for their turn when more
// of them are to be asked about than may be at once.
func TestKnownTokensWait(t *testing.T) {
	const users, bound = 30, 4
	c := newClock()
	var hold atomic.Pointer[chan struct{}]
	var inFlight, most atomic.Int32
	s := newServer(t, func(token string) (int, string) {
		n := inFlight.Add(1)
		defer inFlight.Add(-1)
		for m := most.Load(); n > m && !most.CompareAndSwap(m, n); m = most.Load() {
		}
		if h := hold.Load(); h != nil {
			<-*h
		}
		return 200, `{"active":true,"iss":"https://as.example","sub":"` + token + `","aud":"` + mcp + `","scope":"user","exp":` + c.in(time.Hour) + `}`
	})
	v, err := bearer.NewIntrospection(bearer.IntrospectionConfig{URL: s.URL, ClientID: "rs", ClientSecret: "s/cret", Now: c.now, MaxInFlight: bound})
	if err != nil {
		t.Fatal(err)
	}
	for i := range users {
		if _, err := v.Verify(t.Context(), fmt.Sprint("user-", i)); err != nil {
			t.Fatal(err)
		}
	}
	c.advance(time.Minute) // all are to be asked about again
	gate := make(chan struct{})
	hold.Store(&gate)
	var called, over sync.WaitGroup
	called.Add(users)
	for i := range users {
		over.Go(func() {
			called.Done()
			if _, err := v.Verify(t.Context(), fmt.Sprint("user-", i)); err != nil {
				t.Errorf("user %d: %v", i, err)
			}
		})
	}
	called.Wait()
	close(gate)
	over.Wait()
	if n := most.Load(); n > bound {
		t.Errorf("%d at once", n)
	}
}

// What cannot be a token is refused before anybody is asked.
func TestImplausibleTokens(t *testing.T) {
	c := newClock()
	s := newServer(t, func(string) (int, string) { return 200, `{"active":true}` })
	v, err := bearer.NewIntrospection(bearer.IntrospectionConfig{
		URL: s.URL, ClientID: "rs", ClientSecret: "s/cret", Now: c.now,
		Plausible: func(token string) bool { return token != "not-ours" },
	})
	if err != nil {
		t.Fatal(err)
	}
	jwt := func(header string, exp time.Duration) string {
		body, err := json.Marshal(map[string]int64{"exp": c.now().Add(exp).Unix()})
		if err != nil {
			t.Fatal(err)
		}
		return raw(header) + "." + raw(string(body)) + ".c2ln"
	}
	for _, x := range []struct {
		name, token string
		asked       bool
	}{
		{"what the host does not take for one", "not-ours", false},
		{"a JWT that says it expired", jwt(`{"alg":"RS256"}`, -2*time.Minute), false},
		{"one that expired a moment longer ago than clocks may differ", jwt(`{"alg":"RS256"}`, -61*time.Second), false},
		{"one that does not say when it expires", raw(`{"alg":"RS256"}`) + "." + raw(`{}`) + ".c2ln", true},
		{"five parts, which is no JWT that can be read", jwt(`{"alg":"RS256"}`, -time.Hour) + ".x.y", true},
		{"one that expired within the skew of clocks", jwt(`{"alg":"RS256"}`, -30*time.Second), true},
		{"one that is still good", jwt(`{"alg":"RS256"}`, time.Minute), true},
		{"three parts that are no JWT", jwt(`{"a":1}`, -time.Hour), true},
		{"opaque, with dots", "eyJ.eyJ.x", true},
	} {
		before := s.calls.Load()
		_, err := v.Verify(t.Context(), x.token)
		if asked := s.calls.Load() > before; asked != x.asked || errors.Is(err, bearer.ErrInvalidToken) == x.asked {
			t.Errorf("%s: asked %v, %v", x.name, asked, err)
		}
	}
}

// Junk does not push good answers out of the cache, and the caches are bounded:
// the oldest answer of too many has to be asked for again.
func TestCacheBound(t *testing.T) {
	c := newClock()
	s := newServer(t, func(token string) (int, string) {
		if token[0] == 'j' {
			return 200, `{"active":false}`
		}
		return 200, `{"active":true,"sub":"` + token + `","exp":` + c.in(time.Hour) + `}`
	})
	v, err := bearer.NewIntrospection(bearer.IntrospectionConfig{URL: s.URL, ClientID: "rs", ClientSecret: "s/cret", Now: c.now, CacheSize: 3})
	if err != nil {
		t.Fatal(err)
	}
	ask := func(token string, calls int32) {
		t.Helper()
		if _, _ = v.Verify(t.Context(), token); s.calls.Load() != calls {
			t.Errorf("%s: %d questions, want %d", token, s.calls.Load(), calls)
		}
	}
	ask("a", 1)
	for i := range int32(10) {
		ask(fmt.Sprintf("j%d", i), 2+i)
	}
	ask("a", 11) // still there
	ask("j9", 11)
	ask("j0", 12) // pushed out
	ask("b", 13)
	ask("c", 14)
	ask("a", 14)
	ask("d", 15) // b was used the longest ago
	ask("a", 15)
	ask("b", 16)
}
