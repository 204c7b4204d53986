package bearer_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/modelcontextprotocol/go-sdk/auth"

	"github.com/stile-oauth/stile/httpdriver/bearer"
)

// The benchmarks measure requests through a handler in process, without a
// socket: bare, behind a Guard, and behind go-sdk's RequireBearerToken with
// the same verifier and the same checks of issuer and audience.

// discard is a ResponseWriter that costs nothing.
type discard struct{ h http.Header }

func (d discard) Header() http.Header         { return d.h }
func (d discard) Write(b []byte) (int, error) { return len(b), nil }
func (d discard) WriteHeader(int)             {}

// answers is a transport that always gives one body.
type answers string

func (a answers) RoundTrip(r *http.Request) (*http.Response, error) {
	return &http.Response{
		StatusCode: 200, Header: http.Header{"Content-Type": {"application/json"}}, Request: r,
		Body: io.NopCloser(strings.NewReader(string(a))),
	}, nil
}

var empty = http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(200) })

func request(b *testing.B, token string) *http.Request {
	b.Helper()
	r, err := http.NewRequestWithContext(context.Background(), "POST", mcp, http.NoBody)
	if err != nil {
		b.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer "+token)
	return r
}

func run(b *testing.B, h http.Handler, token string) {
	b.Helper()
	r := request(b, token)
	w := discard{http.Header{}}
	h.ServeHTTP(w, r)
	if w.h.Get("WWW-Authenticate") != "" {
		b.Fatalf("refused: %s", w.h.Get("WWW-Authenticate"))
	}
	b.ReportAllocs()
	b.ResetTimer()
	for b.Loop() {
		h.ServeHTTP(w, r)
	}
}

func guardWith(b *testing.B, v bearer.Verifier) http.Handler {
	b.Helper()
	g, err := bearer.New(bearer.Config{
		Policy:   bearer.Policy{Resource: mcp, Issuers: []string{"https://as.example"}, Scopes: []string{"user"}},
		Verifier: v,
	})
	if err != nil {
		b.Fatal(err)
	}
	return g.Handler(empty)
}

// sdkWith protects with go-sdk's middleware, which leaves issuer and audience
// to the verifier.
func sdkWith(v bearer.Verifier) http.Handler {
	policy := bearer.Policy{Resource: mcp, Issuers: []string{"https://as.example"}}
	return auth.RequireBearerToken(func(ctx context.Context, token string, _ *http.Request) (*auth.TokenInfo, error) {
		c, err := v.Verify(ctx, token)
		if errors.Is(err, bearer.ErrInvalidToken) || err == nil && !bearer.Decide(time.Now(), policy, c).OK() {
			return nil, auth.ErrInvalidToken
		}
		if err != nil {
			return nil, err
		}
		return &auth.TokenInfo{
			Scopes: c.Scopes, Expiration: c.Expires, UserID: c.Subject,
			Extra: map[string]any{"iss": c.Issuer, "client_id": c.ClientID, "aud": c.Audience},
		}, nil
	}, &auth.RequireBearerTokenOptions{ResourceMetadataURL: bearer.MetadataURL(mcp), Scopes: []string{"user"}})(empty)
}

// introspected is an introspection verifier whose endpoint was asked once.
func introspected(b *testing.B) bearer.Verifier {
	b.Helper()
	client := &http.Client{Transport: answers(`{"active":true,"iss":"https://as.example","sub":"ann","aud":"` + mcp + `","scope":"user","exp":99999999999}`)}
	v, err := bearer.NewIntrospection(bearer.IntrospectionConfig{
		URL: "https://as.example/introspect", ClientID: "rs", ClientSecret: "s", Client: client, CacheFor: time.Hour,
	})
	if err != nil {
		b.Fatal(err)
	}
	return v
}

func signed(b *testing.B) (bearer.Verifier, string) {
	b.Helper()
	k := keysOnce()
	v, err := bearer.NewJWT(bearer.JWTConfig{Keys: bearer.StaticKeys(k.set())})
	if err != nil {
		b.Fatal(err)
	}
	return v, sign(b, jose.ES256, k.ec, "e", "at+jwt", `{"iss":"https://as.example","sub":"ann","aud":"`+mcp+`","scope":"user","exp":99999999999}`)
}

func BenchmarkBare(b *testing.B) { run(b, empty, "x") }

func BenchmarkIntrospectedGuard(b *testing.B) { run(b, guardWith(b, introspected(b)), "a-token") }
func BenchmarkIntrospectedSDK(b *testing.B)   { run(b, sdkWith(introspected(b)), "a-token") }

func BenchmarkIntrospectedGuardParallel(b *testing.B) { together(b, guardWith(b, introspected(b))) }
func BenchmarkIntrospectedSDKParallel(b *testing.B)   { together(b, sdkWith(introspected(b))) }

// together runs a handler on all processors at once, with one token.
func together(b *testing.B, h http.Handler) {
	b.Helper()
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		r, w := request(b, "a-token"), discard{http.Header{}}
		for pb.Next() {
			h.ServeHTTP(w, r)
		}
		if w.h.Get("WWW-Authenticate") != "" {
			b.Error("refused")
		}
	})
}

func BenchmarkJWTGuard(b *testing.B) {
	v, token := signed(b)
	run(b, guardWith(b, v), token)
}

func BenchmarkJWTSDK(b *testing.B) {
	v, token := signed(b)
	run(b, sdkWith(v), token)
}

func BenchmarkDecide(b *testing.B) {
	p := bearer.Policy{Resource: mcp, Issuers: []string{"https://as.example"}, Scopes: []string{"user"}}
	c, err := tokens.Verify(context.Background(), "good")
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		if !bearer.Decide(noon, p, c).OK() {
			b.Fatal("refused")
		}
	}
}
