package bearer_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stile-oauth/stile/httpdriver/bearer"
)

var noon = time.Date(2026, 7, 28, 12, 0, 0, 0, time.UTC)

// clock is a time that tests move.
type clock struct{ at atomic.Int64 }

func newClock() *clock {
	c := &clock{}
	c.at.Store(noon.UnixNano())
	return c
}

func (c *clock) now() time.Time            { return time.Unix(0, c.at.Load()).UTC() }
func (c *clock) advance(d time.Duration)   { c.at.Add(int64(d)) }
func (c *clock) in(d time.Duration) string { return fmt.Sprint(c.now().Add(d).Unix()) }

// server answers introspection by a function of the token.
type server struct {
	*httptest.Server
	calls  atomic.Int32
	answer func(token string) (int, string)
}

func newServer(t *testing.T, answer func(string) (int, string)) *server {
	s := &server{answer: answer}
	s.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.calls.Add(1)
		id, secret, ok := r.BasicAuth()
		if !ok || id != "rs" || secret != "s%2Fcret" || r.Method != "POST" || r.ContentLength <= 0 || !strings.HasPrefix(r.UserAgent(), "stile/") {
			w.WriteHeader(401)
			return
		}
		status, body := s.answer(r.PostFormValue("token"))
		if status/100 == 3 {
			w.Header().Set("Location", body)
		}
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(status)
		_, _ = io.WriteString(w, body)
	}))
	t.Cleanup(s.Close)
	return s
}

func introspector(t *testing.T, url string, c *clock) *bearer.Introspection {
	t.Helper()
	v, err := bearer.NewIntrospection(bearer.IntrospectionConfig{URL: url, ClientID: "rs", ClientSecret: "s/cret", Now: c.now})
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func TestIntrospectionAnswers(t *testing.T) {
	c := newClock()
	cases := []struct {
		name   string
		status int
		body   string
		want   error
	}{
		{"active", 200, `{"active":true,"sub":"ann","exp":` + c.in(time.Hour) + `}`, nil},
		{"inactive", 200, `{"active":false}`, bearer.ErrInvalidToken},
		{"inactive with claims", 200, `{"active":false,"sub":"ann","scope":"user"}`, bearer.ErrInvalidToken},
		{"active is a string", 200, `{"active":"true"}`, bearer.ErrInvalidToken},
		{"active is a number", 200, `{"active":1}`, bearer.ErrInvalidToken},
		{"active is missing", 200, `{"sub":"ann"}`, bearer.ErrInvalidToken},
		{"active in capitals", 200, `{"Active":true}`, bearer.ErrInvalidToken},
		{"active twice", 200, `{"active":false,"active":true}`, bearer.ErrUnavailable},
		{"null", 200, `null`, bearer.ErrInvalidToken},
		{"an array", 200, `[true]`, bearer.ErrUnavailable},
		{"HTML", 200, `<html>`, bearer.ErrUnavailable},
		{"empty", 200, ``, bearer.ErrUnavailable},
		{"two objects", 200, `{"active":true}{"active":true}`, bearer.ErrUnavailable},
		{"huge", 200, `{"active":true,"x":"` + strings.Repeat("x", 300<<10) + `"}`, bearer.ErrUnavailable},
		{"exp is a string", 200, `{"active":true,"exp":"soon"}`, bearer.ErrUnavailable},
		{"exp is out of range", 200, `{"active":true,"exp":1e300}`, bearer.ErrUnavailable},
		{"exp is negative", 200, `{"active":true,"exp":-1}`, bearer.ErrUnavailable},
		{"scope is a number", 200, `{"active":true,"scope":7}`, bearer.ErrUnavailable},
		{"aud is an object", 200, `{"active":true,"aud":{}}`, bearer.ErrUnavailable},
		{"sub is a number", 200, `{"active":true,"sub":7}`, bearer.ErrUnavailable},
		{"our credentials refused", 401, `{"error":"invalid_client"}`, bearer.ErrUnavailable},
		{"500", 500, ``, bearer.ErrUnavailable},
		{"a redirect", 307, `https://elsewhere.example/`, bearer.ErrUnavailable},
		{"201", 201, `{"active":true}`, bearer.ErrUnavailable},
	}
	for _, x := range cases {
		t.Run(x.name, func(t *testing.T) {
			s := newServer(t, func(string) (int, string) { return x.status, x.body })
			got, err := introspector(t, s.URL, c).Verify(context.Background(), "a-token")
			if !errors.Is(err, x.want) {
				t.Fatalf("%v", err)
			}
			if err != nil && strings.Contains(err.Error(), "a-token") {
				t.Error("the token is in the error")
			}
			if err == nil && got.Subject != "ann" {
				t.Errorf("%+v", got)
			}
		})
	}
}

func TestIntrospectionUnreachable(t *testing.T) {
	s := newServer(t, nil)
	url := s.URL
	s.Close()
	if _, err := introspector(t, url, newClock()).Verify(context.Background(), "a-token"); !errors.Is(err, bearer.ErrUnavailable) {
		t.Fatalf("%v", err)
	}
}

func TestIntrospectionScopeList(t *testing.T) {
	got, err := bearer.ParseIntrospection([]byte(`{"active":true,"scope":["user","admin"],"aud":["a","b"]}`))
	if err != nil || len(got.Scopes) != 2 || len(got.Audience) != 2 || len(got.Findings) != 1 || got.Findings[0].Rule != "rs-introspect-scope-string" {
		t.Fatalf("%+v %v", got, err)
	}
}

func TestIntrospectionCache(t *testing.T) {
	c := newClock()
	active := atomic.Bool{}
	active.Store(true)
	s := newServer(t, func(token string) (int, string) {
		if !active.Load() {
			return 200, `{"active":false}`
		}
		return 200, `{"active":true,"sub":"` + token + `","exp":` + c.in(20*time.Second) + `}`
	})
	v := introspector(t, s.URL, c)
	ask := func(token string, calls int32, ok bool) {
		t.Helper()
		got, err := v.Verify(context.Background(), token)
		if (err == nil) != ok || s.calls.Load() != calls || ok && got.Subject != token {
			t.Fatalf("%s: %+v %v after %d calls", token, got, err, s.calls.Load())
		}
	}
	ask("one", 1, true)
	ask("one", 1, true)
	ask("two", 2, true)
	active.Store(false)
	ask("one", 2, true) // still remembered
	c.advance(20 * time.Second)
	ask("one", 3, false) // never beyond its expiry
	ask("one", 3, false) // a refusal is remembered for a moment
	active.Store(true)
	c.advance(5 * time.Second)
	ask("one", 4, true) // and no longer
}

func TestIntrospectionIsShared(t *testing.T) {
	c := newClock()
	arrived, release := make(chan struct{}), make(chan struct{})
	s := newServer(t, func(string) (int, string) {
		close(arrived) // a second call would panic
		<-release
		return 200, `{"active":true,"sub":"ann","exp":` + c.in(time.Hour) + `}`
	})
	v := introspector(t, s.URL, c)
	var wg sync.WaitGroup
	first, cancel := context.WithCancel(context.Background())
	left := make(chan struct{})
	wg.Go(func() {
		defer close(left)
		if _, err := v.Verify(first, "a-token"); !errors.Is(err, bearer.ErrUnavailable) {
			t.Errorf("who left: %v", err)
		}
	})
	<-arrived
	for range 20 {
		wg.Go(func() {
			if got, err := v.Verify(context.Background(), "a-token"); err != nil || got.Subject != "ann" {
				t.Errorf("%+v %v", got, err)
			}
		})
	}
	cancel() // the first one leaves; the others still get their answer
	<-left
	close(release)
	wg.Wait()
}

func TestEndpointsMustBeSecure(t *testing.T) {
	for url, ok := range map[string]bool{
		"https://as.example/introspect":          true,
		"http://127.0.0.1:9000/introspect":       true,
		"http://[::1]:9000/introspect":           true,
		"http://localhost:9000/introspect":       true,
		"http://as.example/introspect":           false,
		"http://localhost.evil.example/":         false,
		"http://127.0.0.1.evil.example/":         false,
		"http://localhost@evil.example/":         false,
		"https://user:pass@as.example/":          false,
		"https://as.example/#x":                  false,
		"ftp://as.example/":                      false,
		"//as.example/":                          false,
		"":                                       false,
		"https:///introspect":                    false,
		"https://as.example/%zz":                 false,
		"ftp://127.0.0.1/":                       false,
		"ftp://localhost/":                       false,
		"http://0.0.0.0/":                        false,
		"http://[::ffff:127.0.0.1]/introspect":   true,
		"http://2130706433/introspect":           false,
		"https://as.example/introspect?tenant=1": true,
	} {
		_, err := bearer.NewIntrospection(bearer.IntrospectionConfig{URL: url, ClientID: "rs", ClientSecret: "x"})
		if (err == nil) != ok {
			t.Errorf("%s: %v", url, err)
		}
	}
	if _, err := bearer.NewIntrospection(bearer.IntrospectionConfig{URL: "https://as.example/", ClientSecret: "x"}); err == nil {
		t.Error("introspection by nobody")
	}
	for _, url := range []string{"http://as.example/keys", "https:///keys"} {
		if _, err := bearer.NewKeySet(bearer.KeySetConfig{URL: url}); err == nil {
			t.Errorf("keys of %s", url)
		}
	}
	if _, err := bearer.NewIntrospection(bearer.IntrospectionConfig{URL: "https://as.example/"}); err == nil {
		t.Error("introspection without authentication")
	}
}
