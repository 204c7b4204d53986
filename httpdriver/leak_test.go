package httpdriver_test

import (
	"context"
	"testing"
	"time"

	"github.com/stile-oauth/stile/httpdriver"
)

// TestNothingLeaks: after Close nothing that the driver started is left, after
// every kind of end that a login and a refresh can have.
func TestNothingLeaks(t *testing.T) {
	lives := map[string]func(t *testing.T, w *world){
		"good": func(t *testing.T, w *world) {
			d := w.driver(t)
			w.call(t, w.client(t, d))
			w.Clock.forward(2 * time.Hour)
			w.call(t, w.client(t, d))
			_ = d.Close()
		},
		"denied": func(t *testing.T, w *world) {
			d := w.driver(t, func(o *httpdriver.Options) { o.Host = httpdriver.UserAgent(refuse) })
			_, _, _ = w.post(t.Context(), w.client(t, d), ping)
			_ = d.Close()
		},
		"late": func(t *testing.T, w *world) {
			d := w.driver(t, newUser().host, func(o *httpdriver.Options) { o.Policy.UserTime = time.Millisecond })
			_, _, _ = w.post(t.Context(), w.client(t, d), ping)
			_ = d.Close()
		},
		"closed": func(t *testing.T, w *world) {
			h := newUser()
			d := w.driver(t, h.host)
			got := make(chan struct{})
			go func() {
				_, _, _ = w.post(t.Context(), w.client(t, d), ping)
				close(got)
			}()
			<-h.sent
			_ = d.Close()
			<-got
		},
		"browser": func(t *testing.T, w *world) {
			b := newBrowser()
			d := w.driver(t, func(o *httpdriver.Options) { o.Host = b.host() })
			go func() { _ = d.Login(context.Background(), w.account()) }()
			<-b.opened
			_ = d.Close()
		},
	}
	for name, live := range lives {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			live(t, w)
			until(t, "the driver's goroutines end", func() bool {
				return goroutines("stile/httpdriver.") == 0 && goroutines("stile/httpdriver/loopback.") == 0 &&
					goroutines("stile/httpdriver/guard.") == 0
			})
			// What is left of its connections is the servers' side only.
			until(t, "the driver's connections end", func() bool { return goroutines("net/http.(*persistConn)") == 0 })
		})
	}
}
