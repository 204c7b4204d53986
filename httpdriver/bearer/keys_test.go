package bearer_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/stile-oauth/stile/httpdriver/bearer"
)

// keyServer answers with a set of keys, without a network.
type keyServer struct {
	t            *testing.T
	calls        int
	status       int
	body         string
	cacheControl string
	breaks       bool
}

func newKeyServer(t *testing.T) *keyServer {
	body, err := json.Marshal(jose.JSONWebKeySet{Keys: keysOnce().set()})
	if err != nil {
		t.Fatal(err)
	}
	return &keyServer{t: t, status: 200, body: string(body)}
}

func (s *keyServer) RoundTrip(r *http.Request) (*http.Response, error) {
	s.calls++
	if r.Header.Get("Accept") != "application/jwk-set+json, application/json" || !strings.HasPrefix(r.UserAgent(), "stile/") {
		s.t.Errorf("asked with %v", r.Header)
	}
	body := io.Reader(strings.NewReader(s.body))
	if s.breaks {
		body = io.MultiReader(body, io.LimitReader(brokenOff{}, 1))
	}
	return &http.Response{
		StatusCode: s.status, Header: http.Header{"Cache-Control": {s.cacheControl}}, Body: io.NopCloser(body), Request: r,
	}, nil
}

type brokenOff struct{}

func (brokenOff) Read([]byte) (int, error) { return 0, errors.New("the connection broke off") }

func (s *keyServer) keys(change func(*bearer.KeySetConfig)) *bearer.KeySet {
	c := bearer.KeySetConfig{URL: "https://as.example/keys?secret=s3cret", Client: &http.Client{Transport: s}}
	if change != nil {
		change(&c)
	}
	keys, err := bearer.NewKeySet(c)
	if err != nil {
		s.t.Fatal(err)
	}
	return keys
}

// after lets a time pass, asks for a key, and compares how often the server has been
// asked once everything rests.
func (s *keyServer) after(d time.Duration, k *bearer.KeySet, id string, refresh bool, want int) error {
	s.t.Helper()
	time.Sleep(d)
	_, err := k.Get(s.t.Context(), id, refresh)
	synctest.Wait()
	if s.calls != want {
		s.t.Errorf("after %v: asked %d times, want %d", d, s.calls, want)
	}
	return err
}

// TestWhenKeysAreAskedForAgain: after their time, which the server may shorten; and for a
// key that is not known, but not more often than every half minute.
func TestWhenKeysAreAskedForAgain(t *testing.T) {
	for _, c := range []struct {
		cacheControl string
		most         time.Duration
		fresh        time.Duration
	}{
		{"", 0, 10 * time.Minute},
		{"public, max-age=120", 0, 2 * time.Minute},
		{"Max-Age=120 , public", 0, 2 * time.Minute},
		{"max-age=0", 0, 30 * time.Second},
		{"max-age=-1", 0, 10 * time.Minute},
		{"max-age=x", 0, 10 * time.Minute},
		{"60", 0, 10 * time.Minute},
		{"max-age=86400", 0, 10 * time.Minute},
		{"max-age=172800", 48 * time.Hour, 24 * time.Hour},
		{"", 48 * time.Hour, 48 * time.Hour},
	} {
		synctest.Test(t, func(t *testing.T) {
			s := newKeyServer(t)
			s.cacheControl = c.cacheControl
			k := s.keys(func(k *bearer.KeySetConfig) { k.MaxAge, k.Stale = c.most, 1000*time.Hour })
			_ = s.after(0, k, "d", false, 1)
			_ = s.after(c.fresh-1, k, "d", false, 1)
			_ = s.after(1, k, "d", false, 2)
			_ = s.after(30*time.Second-1, k, "unknown", true, 2)
			_ = s.after(1, k, "unknown", true, 3)
		})
	}
}

// TestKeysThatCannotBeHad: older keys are used for a day when there are no newer ones; then
// the reason is said, and nothing of the address but where it is.
func TestKeysThatCannotBeHad(t *testing.T) {
	for reason, spoil := range map[string]func(*keyServer){
		"HTTP status 503":              func(s *keyServer) { s.status = 503 },
		"the answer is no set of keys": func(s *keyServer) { s.body = "<html>" },
		"the connection broke off":     func(s *keyServer) { s.breaks = true },
		"the answer is too large":      func(s *keyServer) { s.body = strings.Repeat(" ", 300<<10) },
	} {
		synctest.Test(t, func(t *testing.T) {
			s := newKeyServer(t)
			k := s.keys(nil)
			if err := s.after(0, k, "d", false, 1); err != nil {
				t.Fatal(err)
			}
			spoil(s)
			if err := s.after(24*time.Hour-1, k, "d", false, 2); err != nil {
				t.Errorf("%s: at hand are older keys: %v", reason, err)
			}
			got, err := k.Get(t.Context(), "d", false)
			if err != nil || len(got) != 1 {
				t.Errorf("%s: %d keys, %v", reason, len(got), err)
			}
			// First what the last attempt ended with, then a new one.
			for _, err := range []error{s.after(1, k, "d", false, 2), s.after(30*time.Second, k, "d", false, 3)} {
				if !errors.Is(err, bearer.ErrUnavailable) || !strings.HasSuffix(err.Error(), "https://as.example/keys: "+reason) || strings.Contains(err.Error(), "s3cret") {
					t.Errorf("%s: %v", reason, err)
				}
			}
		})
	}
}

// TestKeysInASet: of a set a hundred keys are taken.
func TestKeysInASet(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newKeyServer(t)
		set := jose.JSONWebKeySet{}
		for i := range 150 {
			set.Keys = append(set.Keys, jose.JSONWebKey{Key: keysOnce().ed.Public(), KeyID: fmt.Sprint("k", i)})
		}
		body, err := json.Marshal(set)
		if err != nil {
			t.Fatal(err)
		}
		s.body = string(body)
		if got, err := s.keys(nil).Get(t.Context(), "", false); err != nil || len(got) != 100 || got[99].KeyID != "k99" {
			t.Errorf("%d keys, %v", len(got), err)
		}
	})
}

// noting is a set of keys that notes when newer ones are asked for.
type noting struct {
	bearer.StaticKeys
	refreshed int
}

func (n *noting) Get(ctx context.Context, id string, refresh bool) ([]jose.JSONWebKey, error) {
	if refresh {
		n.refreshed++
	}
	return n.StaticKeys.Get(ctx, id, refresh)
}

// TestWhichKeysAreTried: without a key id every key that fits is tried; a forged signature
// under a known id is no reason to ask for newer keys.
func TestWhichKeysAreTried(t *testing.T) {
	k := keysOnce()
	other, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	n := &noting{StaticKeys: bearer.StaticKeys{
		{Key: other.Public(), KeyID: "o"}, {Key: []byte("a shared secret of 32 bytes or so"), KeyID: "s"}, {Key: k.ec.Public(), KeyID: "e"},
	}}
	v, err := bearer.NewJWT(bearer.JWTConfig{Keys: n, Algorithms: []string{"ES256", "RS256"}})
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name, token string
		ok          bool
		refreshed   int
	}{
		{"the second of two keys, unnamed", sign(t, jose.ES256, k.ec, "", "at+jwt", claims), true, 0},
		{"named", sign(t, jose.ES256, k.ec, "e", "at+jwt", claims), true, 0},
		{"signed by another than is named", sign(t, jose.ES256, k.ec, "o", "at+jwt", claims), false, 0},
		{"an unknown name", sign(t, jose.ES256, k.ec, "x", "at+jwt", claims), false, 1},
		{"no name, and no key fits", sign(t, jose.RS256, k.rsa, "", "at+jwt", claims), false, 1},
		{"the name of a secret", sign(t, jose.ES256, k.ec, "s", "at+jwt", claims), false, 0},
	} {
		n.refreshed = 0
		if _, err := v.Verify(t.Context(), c.token); (err == nil) != c.ok || n.refreshed != c.refreshed {
			t.Errorf("%s: %v, newer keys asked for %d times", c.name, err, n.refreshed)
		}
	}
	if _, err := bearer.NewJWT(bearer.JWTConfig{}); err == nil {
		t.Error("no keys at all are accepted")
	}
	lenient, err := bearer.NewJWT(bearer.JWTConfig{Keys: n, AnyType: true})
	if err != nil {
		t.Fatal(err)
	}
	for typ, v := range map[string]*bearer.JWT{"JWT": lenient, "at+jwt": lenient} {
		if _, err := v.Verify(t.Context(), sign(t, jose.ES256, k.ec, "e", typ, claims)); err != nil {
			t.Errorf("any type, and it is %s: %v", typ, err)
		}
	}
}
