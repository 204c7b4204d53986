package bearer_test

import (
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/go-jose/go-jose/v4"

	"github.com/stile-oauth/stile/httpdriver/bearer"
)

// An issuer that is known by its address alone: its keys are where its metadata says,
// and what fails names the address and the status.
func TestFromIssuer(t *testing.T) {
	k := keysOnce()
	var broken, other, keyless atomic.Bool
	var s *httptest.Server
	s = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		switch {
		case r.URL.Path == "/.well-known/openid-configuration":
			m := map[string]any{
				"issuer": s.URL, "authorization_endpoint": s.URL + "/a", "token_endpoint": s.URL + "/t",
				"response_types_supported": []string{"code"}, "code_challenge_methods_supported": []string{"S256"},
			}
			if !keyless.Load() {
				m["jwks_uri"] = s.URL + "/keys"
			}
			if other.Load() {
				m["issuer"] = "https://other.example"
			}
			_ = json.NewEncoder(w).Encode(m)
		case r.URL.Path == "/keys" && !broken.Load():
			_ = json.NewEncoder(w).Encode(jose.JSONWebKeySet{Keys: k.set()})
		case r.URL.Path == "/keys":
			w.WriteHeader(http.StatusBadGateway)
		default:
			http.NotFound(w, r)
		}
	}))
	defer s.Close()
	v, err := bearer.FromIssuer(t.Context(), s.URL)
	if err != nil {
		t.Fatal(err)
	}
	token := sign(t, jose.EdDSA, k.ed, "d", "at+jwt", claims)
	if c, err := v.Verify(t.Context(), token); err != nil || c.Subject != "ann" {
		t.Errorf("%+v %v", c, err)
	}
	broken.Store(true)
	if v, err = bearer.FromIssuer(t.Context(), s.URL); err != nil {
		t.Fatal(err)
	}
	for range 2 { // the second does not ask again, and says the same
		if _, err := v.Verify(t.Context(), token); !errors.Is(err, bearer.ErrUnavailable) || !strings.Contains(err.Error(), s.URL+"/keys: HTTP status 502") {
			t.Errorf("broken keys: %v", err)
		}
	}
	fails := func(issuer, want string) {
		t.Helper()
		if _, err := bearer.FromIssuer(t.Context(), issuer); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %q", err, want)
		}
	}
	keyless.Store(true)
	fails(s.URL, "names no keys")
	other.Store(true)
	fails(s.URL, "asm-issuer")
	fails(s.URL+"/tenant", "/tenant/.well-known/openid-configuration answered with HTTP status 404")
	fails("http://as.example", "neither https nor http on loopback")
	gone := s.URL
	s.Close()
	fails(gone, "no answer from "+gone)
}
