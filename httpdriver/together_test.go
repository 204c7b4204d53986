package httpdriver_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stile-oauth/stile/httpdriver"
	"github.com/stile-oauth/stile/states"
)

// TestBeginTogether: many users of some processes over one store begin their first
// login at one issuer together. One client is registered for all, and the documents
// are fetched once for each process.
//
// Rules: reg-single-flight.
func TestBeginTogether(t *testing.T) {
	const processes, each = 3, 30
	w := newWorld(t)
	var wg sync.WaitGroup
	for range processes {
		d := w.driver(t)
		for i := range each {
			wg.Go(func() {
				a := w.account()
				a.Subject = fmt.Sprint("user-", i)
				c, err := d.Client(a)
				if err != nil {
					t.Error(err)
					return
				}
				status, _, err := w.post(t.Context(), c, ping)
				if err != nil || status != http.StatusOK {
					t.Errorf("%d %v", status, err)
				}
			})
		}
	}
	wg.Wait()
	fetched := 0
	for _, s := range w.Tap.requests() {
		if s.Method == http.MethodGet && strings.Contains(s.Path, "/.well-known/") {
			fetched++
		}
	}
	if n := w.Tap.count("as", "/register"); n != 1 {
		t.Errorf("%d registrations", n)
	}
	if fetched > 2*processes {
		t.Errorf("%d documents were fetched by %d processes", fetched, processes)
	}
	t.Logf("%d processes with %d users each: %d registration, %d documents", processes, each, w.Tap.count("as", "/register"), fetched)
}

// TestTenantsShareNothing: neither documents nor the registration go from one tenant
// to another.
func TestTenantsShareNothing(t *testing.T) {
	w := newWorld(t)
	d := w.driver(t)
	var wg sync.WaitGroup
	for _, tenant := range []string{"one", "two"} {
		wg.Go(func() {
			a := w.account()
			a.Tenant = tenant
			if err := d.Login(t.Context(), a); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if n := w.Tap.count("as", "/register"); n != 2 {
		t.Errorf("%d registrations for two tenants", n)
	}
	if n := w.Tap.count("as", "/.well-known/oauth-authorization-server"); n != 2 {
		t.Errorf("%d fetches of the issuer's metadata for two tenants", n)
	}
}

// TestRegistrationFails: where the first registration of many fails, the next one
// tries, and nobody hangs.
func TestRegistrationFails(t *testing.T) {
	w := newWorld(t, func(s setup) { s.AS.Faults = append(s.AS.Faults, "register-500") })
	d := w.driver(t)
	var wg sync.WaitGroup
	for i := range 4 {
		wg.Go(func() {
			a := w.account()
			a.Subject = fmt.Sprint("user-", i)
			if err := d.Login(t.Context(), a); err == nil || errors.Is(err, httpdriver.ErrClosed) {
				t.Errorf("%v", err)
			}
		})
	}
	wg.Wait()
}

// TestDocumentsAreKept: another user's login uses a document again for as long as its
// server allows it, and no longer.
func TestDocumentsAreKept(t *testing.T) {
	for control, want := range map[string]int{"max-age=600": 1, "": 2, "no-store, max-age=600": 2, "private, max-age=600": 2, "max-age=0": 2} {
		t.Run(control, func(t *testing.T) {
			keep := controlled(control)
			w := newWorld(t, func(s setup) { s.Wrap["as"], s.Wrap["rs"] = keep, keep })
			d := w.driver(t)
			for _, user := range []string{"one", "two"} {
				a := w.account()
				a.Subject = user
				if err := d.Login(t.Context(), a); err != nil {
					t.Fatal(err)
				}
			}
			if n := w.Tap.count("as", "/.well-known/oauth-authorization-server"); n != want {
				t.Errorf("the issuer's metadata was fetched %d times", n)
			}
		})
	}
}

// TestDocumentsThatCameMeanwhile: a login uses a document that another one fetched since it
// began, although its server allows nobody to keep it; a later login does not.
func TestDocumentsThatCameMeanwhile(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		open := make(chan struct{})
		l := &library{answer: func(_ context.Context, s states.Send, _ int) states.Input {
			if strings.HasPrefix(s.Request.URL, "https://slow.example/") {
				<-open
			}
			return nil
		}}
		d := l.readers(t)
		slow := reads(t, d, reader("slow"))
		time.Sleep(time.Second)
		if err := <-reads(t, d, reader("quick")); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Second)
		close(open)
		if err := <-slow; err != nil || l.count(issuersPage) != 1 {
			t.Errorf("%v, fetched %d times", err, l.count(issuersPage))
		}
		if err := <-reads(t, d, reader("later")); err != nil || l.count(issuersPage) != 2 {
			t.Errorf("%v, fetched %d times", err, l.count(issuersPage))
		}
	})
}

// controlled gives every answer of a handler a Cache-Control.
func controlled(value string) func(http.Handler) http.Handler {
	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			rec := httptest.NewRecorder()
			next.ServeHTTP(rec, r)
			for name, values := range rec.Header() {
				w.Header()[name] = values
			}
			if w.Header().Del("Cache-Control"); value != "" {
				w.Header().Set("Cache-Control", value)
			}
			w.WriteHeader(rec.Code)
			_, _ = w.Write(rec.Body.Bytes())
		})
	}
}

// TestFailedLoginForgetsDocuments: the documents of a login that failed are fetched again,
// because they may be why it failed.
func TestFailedLoginForgetsDocuments(t *testing.T) {
	keep := controlled("max-age=600")
	w := newWorld(t, func(s setup) { s.Wrap["as"], s.Wrap["rs"] = keep, keep })
	denies := true
	d := w.driver(t, func(o *httpdriver.Options) {
		o.Host = httpdriver.UserAgent(func(ctx context.Context, v httpdriver.Visit) (string, error) {
			if denies {
				return refuse(ctx, v)
			}
			return follow(ctx, v)
		})
	})
	for i, user := range []string{"one", "two", "three"} {
		denies = i == 0
		a := w.account()
		a.Subject = user
		if err := d.Login(t.Context(), a); (err == nil) == denies {
			t.Fatalf("%s: %v", user, err)
		}
	}
	if n := w.Tap.count("as", "/.well-known/oauth-authorization-server"); n != 2 {
		t.Errorf("the issuer's metadata was fetched %d times", n)
	}
}
