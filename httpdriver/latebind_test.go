package httpdriver_test

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stile-oauth/stile/httpdriver"
)

// TestBoundTooLate: a host that has bound an address when the login is over leaves it open
// for nobody.
func TestBoundTooLate(t *testing.T) {
	inBubble(t, func(t *testing.T, w *world) {
		const users = 20
		h := &heedless{Host: w.options.Host}
		d := w.driver(t, func(o *httpdriver.Options) { o.Host = h })
		var all sync.WaitGroup
		for i := range users {
			a := w.account()
			a.Subject = fmt.Sprint("user-", i)
			all.Go(func() { _ = d.Login(t.Context(), a) })
		}
		synctest.Wait() // all ask the host
		if err := d.Close(); err != nil {
			t.Error(err)
		}
		all.Wait()
		time.Sleep(time.Hour)
		synctest.Wait()
		if bound, open := h.bound.Load(), h.open.Load(); bound != users || open != 0 {
			t.Errorf("%d addresses were bound, and %d are still open", bound, open)
		}
	})
}

// heedless is a Host that binds an address long after nobody waits for it.
type heedless struct {
	httpdriver.Host
	bound, open atomic.Int64
}

func (h *heedless) Bind(_ context.Context, preferred []string) (httpdriver.Listener, error) {
	time.Sleep(30 * time.Minute)
	l, err := h.Host.Bind(context.Background(), preferred)
	if err == nil {
		h.bound.Add(1)
		h.open.Add(1)
	}
	return heedlessListener{l, h}, err
}

type heedlessListener struct {
	httpdriver.Listener
	h *heedless
}

func (l heedlessListener) Close() error {
	l.h.open.Add(-1)
	return l.Listener.Close()
}
