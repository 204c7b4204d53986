package devas_test

import (
	"bytes"
	"crypto/ed25519"
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stile-oauth/stile/httpdriver/bearer"
	"github.com/stile-oauth/stile/httpdriver/devas"
)

// TestSeedsOfKeys: the same 32 bytes always give the same key, and fewer or more
// bytes give none.
func TestSeedsOfKeys(t *testing.T) {
	for n := range 70 {
		k, err := devas.NewKey(make([]byte, n))
		if (err == nil) != (n == ed25519.SeedSize) {
			t.Errorf("%d bytes: %v", n, err)
		}
		if err == nil {
			if again, err := devas.NewKey(make([]byte, n)); err != nil || again.ID != k.ID || !bytes.Equal(again.JWKS, k.JWKS) {
				t.Errorf("the same seed, another key: %v", err)
			}
		}
	}
	a, err1 := devas.NewKey(nil)
	b, err2 := devas.NewKey(nil)
	if err1 != nil || err2 != nil || a.ID == b.ID {
		t.Errorf("two fresh keys are one: %v %v", err1, err2)
	}
}

// TestSizesOfRequests: a form of 64 KiB is read, and one that is a byte longer is not.
func TestSizesOfRequests(t *testing.T) {
	s := newSite(t, nil)
	const form = "grant_type=x&client_id=y&pad="
	for n, want := range map[int]bool{1 << 10: true, 64<<10 - 1: true, 64 << 10: true, 64<<10 + 1: false, 1 << 20: false} {
		a := s.do("POST", s.issuer+"/token", form+strings.Repeat("x", n-len(form)), "Content-Type", "application/x-www-form-urlencoded")
		if got := a.status != http.StatusRequestEntityTooLarge; got != want {
			t.Errorf("%d bytes: %d", n, a.status)
		}
	}
}

// TestTokensThatRanOut: the verifier of a server in the same process knows a token
// from its first moment to its last, and no other.
func TestTokensThatRanOut(t *testing.T) {
	s := newSite(t, nil)
	_, access, _ := s.login()
	v := s.as.Verifier()
	c, err := v.Verify(t.Context(), access)
	if err != nil || c.Issuer != s.issuer || c.Type != "Bearer" || c.Expires.IsZero() || c.Subject == "" {
		t.Errorf("%+v %v", c, err)
	}
	for _, other := range []string{"", "made-up", access + "x"} {
		if c, err := v.Verify(t.Context(), other); !errors.Is(err, bearer.ErrInvalidToken) {
			t.Errorf("%q: %+v %v", other, c, err)
		}
	}
	s.ahead.Store(int64(25 * time.Hour))
	if c, err := v.Verify(t.Context(), access); err == nil {
		t.Errorf("after its time: %+v", c)
	}
}
