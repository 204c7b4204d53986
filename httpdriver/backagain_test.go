package httpdriver_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stile-oauth/stile/httpdriver"
)

// returning is a Host whose user comes back as the test says.
type returning struct {
	httpdriver.Host
	user func(raw string, back func(string) httpdriver.Answer)
}

func (h *returning) Bind(ctx context.Context, preferred []string) (httpdriver.Listener, error) {
	l, err := h.Host.Bind(ctx, preferred)
	return returningVisit{l, h}, err
}

type returningVisit struct {
	httpdriver.Listener
	h *returning
}

func (l returningVisit) Visit(ctx context.Context, v httpdriver.Visit, back func(string) httpdriver.Answer) error {
	return l.Listener.Visit(ctx, v, func(raw string) httpdriver.Answer {
		l.h.user(raw, back)
		return httpdriver.Answer{}
	})
}

// TestBackTooLate: users who come back when the login is over are told that it is, however
// many they are.
func TestBackTooLate(t *testing.T) {
	inBubble(t, func(t *testing.T, w *world) {
		answers := make(chan httpdriver.Answer, 64)
		h := &returning{w.options.Host, func(raw string, back func(string) httpdriver.Answer) {
			answers <- back(raw)
			for i := range 31 {
				time.AfterFunc(time.Duration(i)*time.Second, func() { answers <- back(raw) })
			}
		}}
		d := w.driver(t, func(o *httpdriver.Options) { o.Host = h })
		if err := d.Login(t.Context(), w.account()); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Minute)
		synctest.Wait()
		if n := len(answers); n != 32 {
			t.Fatalf("%d answers", n)
		}
		if first := <-answers; !first.OK {
			t.Errorf("the first: %+v", first)
		}
		for range 31 {
			if a := <-answers; a.OK || a.Title != "This login is over" {
				t.Errorf("one that came late: %+v", a)
			}
		}
	})
}

// TestBackWhileItIsStored: a user who comes back a second time, while the token of the login
// cannot be stored yet, is told at once that the link is used. The first answer, that they
// are logged in, comes when the token is stored.
func TestBackWhileItIsStored(t *testing.T) {
	inBubble(t, func(t *testing.T, w *world) {
		store := w.awayAtTheToken()
		h := &returning{w.options.Host, func(raw string, back func(string) httpdriver.Answer) {
			first := make(chan httpdriver.Answer, 1)
			go func() { first <- back(raw) }()
			time.Sleep(10 * time.Second)
			if len(first) > 0 {
				t.Errorf("the first is told before the token is stored: %+v", <-first)
				store.off.Store(false)
				return
			}
			began := time.Now()
			if a := back(raw); a.OK || a.Title != "This login is over" || time.Since(began) > time.Second {
				t.Errorf("the second: %+v, after %v", a, time.Since(began))
			}
			store.off.Store(false)
			if a := <-first; !a.OK {
				t.Errorf("the first: %+v", a)
			}
		}}
		d := w.driver(t, func(o *httpdriver.Options) { o.Store, o.Host = store, h })
		w.call(t, w.client(t, d))
		time.Sleep(time.Minute)
		w.call(t, w.client(t, w.driver(t)))
	})
}

// TestBackWithADenial: users who deny a login are not told that they are logged in, although the
// token of before is still good, whether this process has used it already or not.
func TestBackWithADenial(t *testing.T) {
	for name, used := range map[string]bool{"this process has used the token": true, "it has not": false} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.call(t, w.client(t, w.driver(t)))
			var answer httpdriver.Answer
			d := w.driver(t, func(o *httpdriver.Options) {
				o.Host = &returning{httpdriver.UserAgent(refuse), func(raw string, back func(string) httpdriver.Answer) { answer = back(raw) }}
			})
			if used {
				w.call(t, w.client(t, d))
			}
			if err := d.Login(t.Context(), w.account()); err == nil {
				t.Error("the login was not denied")
			}
			if answer.OK || answer.Title != "Access was denied" {
				t.Errorf("%+v", answer)
			}
			w.call(t, w.client(t, d))
		})
	}
}
