// Package mcpsdk tells tools of the official Go SDK for MCP who calls them, when
// package bearer protects the server:
//
//	tools := mcp.NewStreamableHTTPHandler(func(*http.Request) *mcp.Server { return server }, nil)
//	guard.Mount(mux, mcpsdk.Handler(tools))
//
// A tool then finds the user in its request's Extra.TokenInfo, as behind the SDK's
// own middleware. This is a package of its own so that bearer does not link the SDK.
//
// # Guarantees
//
//   - A tool sees only what the Guard has accepted: a request without a principal
//     carries no TokenInfo.
//
// # Who should not use it
//
// A server that is not built on the Go SDK reads bearer.PrincipalFrom.
package mcpsdk

import (
	"context"
	"net/http"

	"github.com/modelcontextprotocol/go-sdk/auth"

	"github.com/stile-oauth/stile/httpdriver/bearer"
)

// Handler runs next with the principal of a bearer.Guard as the SDK's
// auth.TokenInfo, with the members "iss", "client_id" and "aud" in Extra. A
// request without a principal passes unchanged.
func Handler(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if p, ok := bearer.PrincipalFrom(r.Context()); ok {
			r = r.WithContext(&infoContext{r.Context(), TokenInfo(p)})
		}
		next.ServeHTTP(w, r)
	})
}

// TokenInfo is a principal in the SDK's words.
func TokenInfo(p bearer.Principal) *auth.TokenInfo {
	return &auth.TokenInfo{
		Scopes: p.Scopes, Expiration: p.Expires, UserID: p.UserID,
		Extra: map[string]any{"iss": p.Issuer, "client_id": p.ClientID, "aud": p.Audience},
	}
}

// infoContext answers the SDK's question for TokenInfo.
type infoContext struct {
	context.Context
	info *auth.TokenInfo
}

// Value finds the TokenInfo.
func (c *infoContext) Value(key any) any {
	if key == sdkKey {
		return c.info
	}
	return c.Context.Value(key)
}

// sdkKey is the key for which auth.TokenInfoFromContext asks a context. It is
// private to the SDK, which sets it in its own middleware only; running that
// after the guard would judge every request twice.
var sdkKey = func() any {
	r := recordingContext{Context: context.Background()}
	auth.TokenInfoFromContext(&r)
	return r.asked
}()

// recordingContext remembers what it was asked for.
type recordingContext struct {
	context.Context
	asked any
}

// Value remembers the key.
func (r *recordingContext) Value(key any) any {
	r.asked = key
	return nil
}
