package main

import (
	"io"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stile-oauth/stile/httpdriver/devas"
)

// A token endpoint in transient trouble: the command says so with the exit status that
// means "later", keeps the login, and the next use goes well.
func TestTransientTroubleKeepsTheLogin(t *testing.T) {
	page := func(status int, media, body string) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", media)
			w.WriteHeader(status)
			_, _ = io.WriteString(w, body)
		}
	}
	for name, answer := range map[string]http.HandlerFunc{
		"a web page": page(200, "text/html", "<html>maintenance</html>"),
		"nothing":    page(200, "application/json", ""),
		"cut":        func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) },
		"503":        page(503, "text/plain", "later"),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel() // each waits for a token to expire
			var trouble atomic.Bool
			_, server := peersBehind(t, func(next http.Handler) http.Handler {
				return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
					if trouble.Load() && strings.HasSuffix(r.URL.Path, "/token") {
						answer(w, r)
						return
					}
					next.ServeHTTP(w, r)
				})
			}, func(c *devas.ASConfig) { c.AccessTokenTTL = time.Second }, nil)
			c := newCLI(t)
			c.ok("login", server)
			held := stored(t, c, server).Current
			until(t, held.Expires)
			trouble.Store(true)
			for _, args := range [][]string{{"token", server}, {"tools", server}} {
				contains(t, c.exit(exitNetwork, args...).err, "what to do")
			}
			now := stored(t, c, server)
			if now.Current.RefreshToken != held.RefreshToken || now.GivenUp() {
				t.Fatal("the refresh token was dropped")
			}
			trouble.Store(false)
			if now.Intent != nil {
				until(t, now.Intent.Until)
			}
			c.ok("token", server)
		})
	}
}

// An issuer has answered a refresh, but not with a token: the login is over when
// the token has expired. Every command says so, and the next login needs no flag.
func TestStatusKnowsThatTheLoginIsOver(t *testing.T) {
	var strange atomic.Bool
	_, server := peersBehind(t, func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if strange.Load() && strings.HasSuffix(r.URL.Path, "/token") {
				w.Header().Set("Content-Type", "application/json")
				_, _ = io.WriteString(w, `{"session":"new"}`)
				return
			}
			next.ServeHTTP(w, r)
		})
	}, func(c *devas.ASConfig) { c.AccessTokenTTL = time.Second }, nil)
	c := newCLI(t)
	c.ok("login", server)
	until(t, stored(t, c, server).Current.Expires)
	strange.Store(true)
	contains(t, c.exit(exitLogin, "token", server).err, "nobody is logged in", "no access_token")
	contains(t, c.exit(exitLogin, "token", server).err, "nobody is logged in", "refused to renew it")
	said := c.ok("status", server).out
	contains(t, said, "log in again")
	if strings.Contains(said, "renewed") || strings.Contains(said, "under way") {
		t.Errorf("a login that is over is shown as one that goes on:\n%s", said)
	}
	strange.Store(false)
	c.ok("login", server)
}
