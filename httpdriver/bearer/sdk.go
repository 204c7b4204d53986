package bearer

import (
	"context"
	"net/http"

	"github.com/modelcontextprotocol/go-sdk/auth"
)

// newPrincipal builds what both kinds of handler read. With several issuers a
// subject is only unique together with its issuer.
func newPrincipal(c Claims, several bool) *Principal {
	user := c.Subject
	if several && user != "" {
		user = c.Issuer + " " + user
	}
	return &Principal{Claims: c, info: auth.TokenInfo{
		Scopes: c.Scopes, Expiration: c.Expires, UserID: user,
		Extra: map[string]any{"iss": c.Issuer, "client_id": c.ClientID, "aud": c.Audience},
	}}
}

// forSDK hands the principal on as go-sdk's auth.TokenInfo. The key under
// which its tools look is private to that package, so its own middleware is
// run with a verifier that repeats what was decided here. Expiry has been
// judged already: the generous skew keeps it from being judged twice.
func forSDK(next http.Handler) http.Handler {
	return auth.RequireBearerToken(
		func(ctx context.Context, _ string, _ *http.Request) (*auth.TokenInfo, error) {
			p, ok := PrincipalFrom(ctx)
			if !ok {
				return nil, auth.ErrInvalidToken
			}
			return &p.info, nil
		},
		&auth.RequireBearerTokenOptions{AllowMissingExpiration: true, ClockSkew: 24 * 365 * 100 * 3600e9},
	)(next)
}

// As runs next for a request that somebody else has judged, as a Guard would
// have run it.
func As(next http.Handler, c Claims) http.Handler {
	inner := forSDK(next)
	p := newPrincipal(c, false)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		r = r.WithContext(context.WithValue(r.Context(), principalKey{}, p))
		if r.Header.Get("Authorization") == "" {
			next.ServeHTTP(w, r) // go-sdk's middleware would refuse it
			return
		}
		inner.ServeHTTP(w, r)
	})
}
