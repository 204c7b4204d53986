package bearer

import (
	"context"
	"net/http"
	"slices"
)

// Principal is who a verified token speaks for.
type Principal struct {
	Claims
	// UserID is the subject; where tokens of several issuers are accepted, the
	// issuer and the subject, since only together they are unique.
	UserID string
}

type principalKey struct{}

// PrincipalFrom returns who sent the request, in a handler behind a Guard. The result is
// the caller's own copy. A handler must take the identity from here and from nothing else
// in the request (rs-principal-from-token).
func PrincipalFrom(ctx context.Context) (Principal, bool) {
	p, ok := ctx.Value(principalKey{}).(*Principal)
	if !ok {
		return Principal{}, false
	}
	own := *p
	own.Audience, own.Scopes, own.Findings = slices.Clone(p.Audience), slices.Clone(p.Scopes), slices.Clone(p.Findings)
	return own, true
}

// WithClaims runs next for a request whose token has been verified and judged
// already, as a Guard would run it. It judges nothing.
func WithClaims(next http.Handler, c Claims) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		next.ServeHTTP(w, r.WithContext(newPrincipalContext(r.Context(), c, false)))
	})
}

// principalContext is the context of a request that may go on: one allocation
// for the context and the principal.
type principalContext struct {
	context.Context
	principal Principal
}

func newPrincipalContext(ctx context.Context, c Claims, severalIssuers bool) *principalContext {
	p := &principalContext{Context: ctx, principal: Principal{Claims: c, UserID: c.Subject}}
	if severalIssuers && c.Subject != "" {
		p.principal.UserID = c.Issuer + " " + c.Subject
	}
	return p
}

// Value finds the principal.
func (c *principalContext) Value(key any) any {
	if key == (principalKey{}) {
		return &c.principal
	}
	return c.Context.Value(key)
}
