package bearer

import (
	"context"
	"net/http"

	"github.com/modelcontextprotocol/go-sdk/auth"
)

// Principal is who a verified token speaks for.
type Principal struct {
	Claims
	// UserID is the subject; where tokens of several issuers are accepted, the
	// issuer and the subject, since only together they are unique.
	UserID string
}

type principalKey struct{}

// PrincipalFrom returns who sent the request, in a handler behind a Guard.
// Identity comes from here and from nothing else in the request
// (rs-principal-from-token).
func PrincipalFrom(ctx context.Context) (*Principal, bool) {
	p, ok := ctx.Value(principalKey{}).(*Principal)
	return p, ok
}

// judged is the context of a request that may go on. It answers for two keys:
// our own, and the one under which go-sdk's tools look for auth.TokenInfo.
type judged struct {
	context.Context
	principal Principal
}

// Value finds the principal in either of its shapes.
func (c *judged) Value(key any) any {
	switch key {
	case principalKey{}:
		return &c.principal
	case sdkKey:
		p := &c.principal
		return &auth.TokenInfo{
			Scopes: p.Scopes, Expiration: p.Expires, UserID: p.UserID,
			Extra: map[string]any{"iss": p.Issuer, "client_id": p.ClientID, "aud": p.Audience},
		}
	}
	return c.Context.Value(key)
}

// sdkKey is the key that auth.TokenInfoFromContext asks a context for. It is
// private to go-sdk, which sets it in its own middleware only; running that
// behind ours would judge every request twice and copy it twice.
var sdkKey = func() any {
	s := spy{Context: context.Background()}
	auth.TokenInfoFromContext(&s)
	return s.asked
}()

// spy is a context that remembers what it was asked for.
type spy struct {
	context.Context
	asked any
}

func (s *spy) Value(key any) any {
	s.asked = key
	return nil
}

func newJudged(ctx context.Context, c Claims, several bool) *judged {
	j := &judged{Context: ctx, principal: Principal{Claims: c, UserID: c.Subject}}
	if several && c.Subject != "" {
		j.principal.UserID = c.Issuer + " " + c.Subject
	}
	return j
}

// As runs next for a request that somebody else has judged, as a Guard would
// have run it.
func As(next http.Handler, c Claims) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		next.ServeHTTP(w, r.WithContext(newJudged(r.Context(), c, false)))
	})
}
