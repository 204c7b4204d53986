package httpdriver_test

import (
	"context"
	"net/http"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stile-oauth/stile/httpdriver"
	"github.com/stile-oauth/stile/states"
)

// inquiries are the requests to the MCP server that ask for its challenge.
func (w *world) inquiries() (n int) {
	for _, s := range w.Tap.requests() {
		if s.To == "rs" && s.Method == http.MethodPost && s.Header.Get("Authorization") == "" {
			n++
		}
	}
	return n
}

// TestOneInquiryForAll: logins that are asked for at the same time ask the server once what it
// wants. A later one asks again.
func TestOneInquiryForAll(t *testing.T) {
	server := &slowly{path: "/mcp", wait: 5 * time.Second}
	server.on.Store(true)
	inBubble(t, func(t *testing.T, w *world) {
		d := w.driver(t)
		for want := 1; want < 3; want++ {
			var all sync.WaitGroup
			for range 3 {
				all.Go(func() {
					if err := d.Login(t.Context(), w.account()); err != nil {
						t.Error(err)
					}
				})
				synctest.Wait()
			}
			all.Wait()
			if n := w.inquiries(); n != want {
				t.Errorf("the server was asked %d times instead of %d", n, want)
			}
		}
	}, func(s setup) { s.Wrap["rs"] = server.wrap })
}

// TestNothingIsAskedBesideTheHost: where the host carries out the exchanges, a login sends nothing
// by itself.
func TestNothingIsAskedBesideTheHost(t *testing.T) {
	inBubble(t, func(t *testing.T, w *world) {
		sent := 0
		d := w.driver(t, func(o *httpdriver.Options) {
			o.Send = func(_ context.Context, q states.Send) states.Input {
				sent++
				return states.Unreachable{Serial: q.Serial, Class: states.Blocked, Detail: "there is no way"}
			}
		})
		if err := d.Login(t.Context(), w.account()); err == nil || sent == 0 {
			t.Errorf("%d exchanges: %v", sent, err)
		}
		w.exactly(t, 0)
	})
}

// TestNoInquiryDuringALogin: a login that joins one that a refused request has begun asks the
// server for nothing.
func TestNoInquiryDuringALogin(t *testing.T) {
	inBubble(t, func(t *testing.T, w *world) {
		visits, come := w.options.Host.(httpdriver.UserAgent), make(chan struct{})
		d := w.driver(t, func(o *httpdriver.Options) {
			o.Host = httpdriver.UserAgent(func(ctx context.Context, v httpdriver.Visit) (string, error) {
				<-come
				return visits(ctx, v)
			})
		})
		var all sync.WaitGroup
		all.Go(func() { w.call(t, w.client(t, d)) })
		synctest.Wait()
		all.Go(func() {
			if err := d.Login(t.Context(), w.account()); err != nil {
				t.Error(err)
			}
		})
		synctest.Wait()
		close(come)
		all.Wait()
		if n := w.inquiries(); n != 1 { // the request itself
			t.Errorf("%d requests came without a token", n)
		}
	})
}
