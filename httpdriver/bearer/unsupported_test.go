package bearer_test

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/stile-oauth/stile/httpdriver/bearer"
)

// A token of a form that the issuer does not introspect is nobody's; every other
// error of the endpoint says nothing about the token.
func TestTokenThatIsNotIntrospected(t *testing.T) {
	for body, invalid := range map[string]bool{
		`{"error":"unsupported_token_type"}`: true,
		`{"error":"invalid_request"}`:        false,
		`<html>unsupported_token_type`:       false,
	} {
		s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "application/json")
			w.WriteHeader(http.StatusBadRequest)
			_, _ = w.Write([]byte(body))
		}))
		v, err := bearer.NewIntrospection(bearer.IntrospectionConfig{URL: s.URL, ClientID: "rs", ClientSecret: "s/cret"})
		if err != nil {
			t.Fatal(err)
		}
		if _, err = v.Verify(t.Context(), "a.b.c"); err == nil || errors.Is(err, bearer.ErrInvalidToken) != invalid {
			t.Errorf("%s: %v", body, err)
		}
		s.Close()
	}
}
