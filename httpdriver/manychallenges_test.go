package httpdriver_test

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stile-oauth/stile/httpdriver"
	"github.com/stile-oauth/stile/states"
	"github.com/stile-oauth/stile/storage"
)

// wanting is a server that names another scope to everybody who comes without a token, as the
// request says.
func wanting(scopes int) func(setup) {
	return func(s setup) {
		for i := range scopes {
			s.AS.Scopes = append(s.AS.Scopes, fmt.Sprint("s", i))
		}
		server := strings.TrimSuffix(s.RS.Resource, "/mcp")
		s.Wrap["rs"] = func(h http.Handler) http.Handler {
			return http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
				if scope := r.URL.Query().Get("scope"); scope != "" && r.Header.Get("Authorization") == "" {
					rw.Header().Set("WWW-Authenticate", `Bearer resource_metadata="`+server+`/.well-known/oauth-protected-resource/mcp", scope="user `+scope+`"`)
					rw.WriteHeader(http.StatusUnauthorized)
					return
				}
				h.ServeHTTP(rw, r)
			})
		}
	}
}

// wants sends requests that are refused for want of a scope each, one after the other, and
// returns when all wait.
func (w *world) wants(t *testing.T, c *http.Client, all *sync.WaitGroup, from, to int) {
	t.Helper()
	for i := from; i < to; i++ {
		all.Go(func() {
			if status, err := statusAt(t, c, fmt.Sprint(w.Server, "?scope=s", i)); err != nil || status != 200 {
				t.Errorf("request %d: %d %v", i, status, err)
			}
		})
		synctest.Wait()
	}
}

// asking is a host whose user says yes at once; it keeps what they were asked for.
func (w *world) asking(t *testing.T, numbers *[]int) func(*httpdriver.Options) {
	return func(o *httpdriver.Options) {
		o.Host = httpdriver.UserAgent(func(ctx context.Context, v httpdriver.Visit) (string, error) {
			have := scopesOf(t, v.URL)
			for i := range 100 {
				if slices.Contains(have, fmt.Sprint("s", i)) {
					*numbers = append(*numbers, i)
				}
			}
			return followBy(ctx, &http.Transport{DialContext: w.net.dial, DisableKeepAlives: true}, v)
		})
	}
}

// TestServerInventsChallenges: a server that names another scope to every request is not
// listened to without end: a login asks its user for those of the first 32. Every request
// is sent again after the login all the same.
func TestServerInventsChallenges(t *testing.T) {
	const requests = 40
	inBubble(t, func(t *testing.T, w *world) {
		dies := w.driver(t, newUser().host)
		go func() { _ = dies.Login(t.Context(), w.account()) }()
		synctest.Wait()
		var asked []int
		var seen steps
		var all sync.WaitGroup
		w.wants(t, w.client(t, w.driver(t, w.asking(t, &asked), seen.add)), &all, 0, requests) // they wait for the other process
		_ = dies.Close()
		all.Wait()
		if len(asked) != 32 || asked[31] != 31 {
			t.Errorf("the user was asked for the scopes of %v", asked)
		}
		heard := 0
		for _, step := range seen.all {
			if _, ok := step.Input.(states.Challenged); ok {
				heard++
			}
		}
		if n := w.Tap.grants("authorization_code"); n != 1 || heard != 32 {
			t.Errorf("%d logins, the machine was told %d challenges", n, heard)
		}
	}, wanting(requests))
}

// slowMarks is a store that takes its time to announce a login.
type slowMarks struct{ storage.Store }

func (s slowMarks) Put(ctx context.Context, k states.Key, v []byte, g states.Generation, e time.Time) (states.Generation, error) {
	if k.Kind == states.KindMark {
		time.Sleep(5 * time.Second)
	}
	return s.Store.Put(ctx, k, v, g, e)
}

// TestTooManyChallengesAtOnce: a challenge that came when too many had come at once is heard
// when it comes again: the user of the login is asked for its scope too.
func TestTooManyChallengesAtOnce(t *testing.T) {
	const requests = 12
	metadata := &slowly{path: "/.well-known/oauth-protected-resource", wait: 5 * time.Second}
	metadata.on.Store(true)
	inBubble(t, func(t *testing.T, w *world) {
		var asked []int
		c := w.client(t, w.driver(t, w.asking(t, &asked), func(o *httpdriver.Options) { o.Store = slowMarks{w.Store} }))
		var all sync.WaitGroup
		w.wants(t, c, &all, 0, requests)
		time.Sleep(6 * time.Second)
		w.wants(t, c, &all, 0, requests)
		all.Wait()
		if len(asked) != requests {
			t.Errorf("the user was asked for the scopes of %v", asked)
		}
	}, wanting(requests), func(s setup) {
		wants := s.Wrap["rs"]
		s.Wrap["rs"] = func(h http.Handler) http.Handler { return metadata.wrap(wants(h)) }
	})
}
