package bearer_test

import (
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stile-oauth/stile/httpdriver/bearer"
)

func introspects(t *testing.T, s *server, c *clock, change func(*bearer.IntrospectionConfig)) *bearer.Introspection {
	t.Helper()
	config := bearer.IntrospectionConfig{URL: s.URL, ClientID: "rs", ClientSecret: "s/cret", Now: c.now}
	if change != nil {
		change(&config)
	}
	v, err := bearer.NewIntrospection(config)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// TestHowLongAnswersAreUsed: an active answer is used for half a minute and an inactive one
// for five seconds, or as the host says within bounds; a failure is not remembered at all.
func TestHowLongAnswersAreUsed(t *testing.T) {
	expires := `,"exp":` + newClock().in(time.Hour)
	for _, x := range []struct {
		name, body string
		status     int
		change     func(*bearer.IntrospectionConfig)
		until      time.Duration // when it is asked about again
	}{
		{"active", `{"active":true` + expires + `}`, 200, nil, 30 * time.Second},
		{"active, with no end", `{"active":true}`, 200, nil, 30 * time.Second},
		{"active, for a given time", `{"active":true` + expires + `}`, 200, func(c *bearer.IntrospectionConfig) { c.CacheFor = time.Minute }, time.Minute},
		{"inactive", `{"active":false}`, 200, nil, 5 * time.Second},
		{"inactive, for longer than is allowed", `{"active":false}`, 200, func(c *bearer.IntrospectionConfig) { c.InactiveFor = time.Hour }, time.Minute},
		{"a failure", ``, 500, nil, 0},
		{"an answer that is none", `{"active":`, 200, nil, 0},
	} {
		c := newClock()
		s := newServer(t, func(string) (int, string) { return x.status, x.body })
		v := introspects(t, s, c, x.change)
		_, first := v.Verify(t.Context(), "a-token")
		again := func(calls int32) {
			t.Helper()
			if _, err := v.Verify(t.Context(), "a-token"); s.calls.Load() != calls || fmt.Sprint(err) != fmt.Sprint(first) {
				t.Errorf("%s: asked %d times, want %d; first %v, then %v", x.name, s.calls.Load(), calls, first, err)
			}
		}
		if x.until > 0 {
			c.advance(x.until - 1)
			again(1)
			c.advance(1)
		}
		again(2)
		if x.until > 0 { // the newer answer is used as long
			c.advance(x.until - 1)
			again(2)
		}
	}
}

// TestRefreshedAnswersKeepTheirPlace: an answer that replaces an older one takes the place
// of no other.
func TestRefreshedAnswersKeepTheirPlace(t *testing.T) {
	c := newClock()
	s := newServer(t, func(string) (int, string) { return 200, `{"active":true}` })
	v := introspects(t, s, c, func(c *bearer.IntrospectionConfig) { c.CacheSize = 2 })
	for range 3 {
		for _, token := range []string{"a", "b"} {
			if _, err := v.Verify(t.Context(), token); err != nil {
				t.Fatal(err)
			}
		}
		c.advance(30 * time.Second)
	}
	c.advance(-time.Second)
	for _, token := range []string{"a", "b"} {
		if _, err := v.Verify(t.Context(), token); err != nil || s.calls.Load() != 6 {
			t.Errorf("%s: %d questions, %v", token, s.calls.Load(), err)
		}
	}
}

// TestFewestInFlight: with the smallest bound, and with a smaller one than makes sense,
// one stranger is asked about at a time, and users beside; their places come back.
func TestFewestInFlight(t *testing.T) {
	for _, bound := range []int{2, 1, -5} {
		c := newClock()
		arrived, leave := make(chan struct{}), make(chan struct{})
		s := newServer(t, func(token string) (int, string) {
			if token == "slow" {
				arrived <- struct{}{}
				<-leave
			}
			return 200, `{"active":` + strconv.FormatBool(token != "revoked" || c.now().Equal(noon)) + `}`
		})
		v := introspects(t, s, c, func(c *bearer.IntrospectionConfig) { c.MaxInFlight = bound })
		for _, token := range []string{"user", "revoked"} {
			if _, err := v.Verify(t.Context(), token); err != nil {
				t.Fatal(err)
			}
		}
		for range 20 {
			c.advance(time.Minute)
			if _, err := v.Verify(t.Context(), "user"); err != nil {
				t.Fatalf("a bound of %d: a user: %v", bound, err)
			}
		}
		if _, err := v.Verify(t.Context(), "revoked"); !errors.Is(err, bearer.ErrInvalidToken) {
			t.Errorf("a bound of %d: what was revoked: %v", bound, err)
		}
		c.advance(time.Minute)
		var wg sync.WaitGroup
		wg.Go(func() {
			if _, err := v.Verify(t.Context(), "slow"); err != nil {
				t.Errorf("a bound of %d: %v", bound, err)
			}
		})
		<-arrived
		for _, stranger := range []string{"other", "revoked"} {
			if _, err := v.Verify(t.Context(), stranger); !errors.Is(err, bearer.ErrBusy) {
				t.Errorf("a bound of %d: %s, as a second stranger: %v", bound, stranger, err)
			}
		}
		if _, err := v.Verify(t.Context(), "user"); err != nil {
			t.Errorf("a bound of %d: a user beside a stranger: %v", bound, err)
		}
		close(leave)
		wg.Wait()
	}
}

// TestInFlightByDefault: 64 are asked about at once, a quarter of them users.
func TestInFlightByDefault(t *testing.T) {
	c := newClock()
	arrived, leave := make(chan struct{}), make(chan struct{})
	s := newServer(t, func(string) (int, string) {
		arrived <- struct{}{}
		<-leave
		return 200, `{"active":false}`
	})
	v := introspects(t, s, c, nil)
	var wg sync.WaitGroup
	for i := range 48 {
		wg.Go(func() {
			if _, err := v.Verify(t.Context(), fmt.Sprint("stranger-", i)); !errors.Is(err, bearer.ErrInvalidToken) {
				t.Errorf("stranger %d: %v", i, err)
			}
		})
		<-arrived
	}
	if _, err := v.Verify(t.Context(), "one more"); !errors.Is(err, bearer.ErrBusy) {
		t.Errorf("one more: %v", err)
	}
	close(leave)
	wg.Wait()
}

// TestAnswersThatAreNone: an answer that breaks off says nothing about a token, and one
// error code does only with its status.
func TestAnswersThatAreNone(t *testing.T) {
	for name, answer := range map[string]func(w http.ResponseWriter){
		"it breaks off": func(w http.ResponseWriter) {
			w.Header().Set("Content-Length", "1000")
			_, _ = w.Write([]byte(`{"active":true}`))
		},
		"another status": func(w http.ResponseWriter) {
			w.WriteHeader(http.StatusInternalServerError)
			_, _ = w.Write([]byte(`{"error":"unsupported_token_type"}`))
		},
		"no date in iat": func(w http.ResponseWriter) { _, _ = w.Write([]byte(`{"active":true,"iat":-1}`)) },
		"no date in nbf": func(w http.ResponseWriter) { _, _ = w.Write([]byte(`{"active":true,"nbf":1e300}`)) },
	} {
		s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.Header.Get("Accept") != "application/json" {
				t.Errorf("Accept is %q", r.Header.Get("Accept"))
			}
			answer(w)
		}))
		if _, err := introspector(t, s.URL, newClock()).Verify(t.Context(), "a-token"); !errors.Is(err, bearer.ErrUnavailable) {
			t.Errorf("%s: %v", name, err)
		}
		s.Close()
	}
}

// TestParsedAnswers: what is null is not there, a date may be the first and the last that
// there is, and a scope that is a string is no breach.
func TestParsedAnswers(t *testing.T) {
	for body, ok := range map[string]bool{
		`"exp":0`: true, `"exp":99999999999`: true, `"exp":100000000000`: false, `"aud":null,"scope":null`: true, `"scope":"user"`: true, `"sub":"ann"`: true,
	} {
		c, err := bearer.ParseIntrospection([]byte(`{"active":true,` + body + `}`))
		if (err == nil) != ok || len(c.Audience) != 0 || len(c.Findings) != 0 {
			t.Errorf("%s: %+v, %v", body, c, err)
		}
	}
	if c, err := bearer.ParseIntrospection([]byte(`{"active":true,"cnf":{"jkt":""}}`)); err != nil || c.Type != "bound to a key" {
		t.Errorf("an empty thumbprint: %+v, %v", c, err)
	}
}

// TestGivenClient: requests go through the client that the host gives, and the default
// transport of the process stays as it is.
func TestGivenClient(t *testing.T) {
	var asked []string
	client := &http.Client{Transport: roundTrip(func(r *http.Request) (*http.Response, error) {
		asked = append(asked, r.URL.String())
		return nil, errors.New("it ends here: " + r.URL.RawQuery)
	})}
	v, err := bearer.NewIntrospection(bearer.IntrospectionConfig{URL: "https://as.example/introspect", ClientID: "rs", ClientSecret: "x", Client: client})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := v.Verify(t.Context(), "a-token"); !errors.Is(err, bearer.ErrUnavailable) || len(asked) != 1 {
		t.Errorf("%v, asked %q", err, asked)
	}
	if _, err := bearer.IssuerKeys(t.Context(), "https://as.example", client); err == nil || strings.Contains(err.Error(), "Get \"") || !strings.Contains(err.Error(), "it ends here") {
		t.Errorf("%v", err)
	}
	if _, err := bearer.NewKeySet(bearer.KeySetConfig{URL: "https://as.example/keys"}); err != nil {
		t.Fatal(err)
	}
	if d, ok := http.DefaultTransport.(*http.Transport); ok && d.MaxIdleConnsPerHost != 0 {
		t.Errorf("the default transport keeps %d connections", d.MaxIdleConnsPerHost)
	}
}

type roundTrip func(*http.Request) (*http.Response, error)

func (f roundTrip) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }
