package httpdriver_test

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strconv"
	"strings"
	"testing"

	"github.com/modelcontextprotocol/go-sdk/auth"
	"github.com/modelcontextprotocol/go-sdk/oauthex"

	"github.com/stile-oauth/stile/httpdriver"
	"github.com/stile-oauth/stile/states"
)

// serveMemory puts the world of newMemory behind two servers on loopback.
func serveMemory(tb testing.TB) (server string) {
	m := newMemory()
	var place *strings.Replacer
	serve := func(origin string) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) {
			out, _ := http.NewRequest(r.Method, origin+r.URL.Path, r.Body)
			out.Header = r.Header
			resp, err := m.RoundTrip(out)
			if err != nil {
				http.NotFound(w, r)
				return
			}
			for name, values := range resp.Header {
				w.Header().Set(name, place.Replace(values[0]))
			}
			w.WriteHeader(resp.StatusCode)
			b, _ := io.ReadAll(resp.Body)
			_, _ = io.WriteString(w, place.Replace(string(b)))
		}
	}
	rs, as := httptest.NewServer(serve("https://mcp.example")), httptest.NewServer(serve("https://as.example"))
	tb.Cleanup(rs.Close)
	tb.Cleanup(as.Close)
	place = strings.NewReplacer("https://mcp.example", rs.URL, "https://as.example", as.URL)
	return rs.URL + "/mcp"
}

// redirectFrom answers an authorization request as redirect does, in the name of the
// issuer that made it.
func redirectFrom(raw string) url.Values {
	u, _ := url.Parse(raw)
	q := redirect(raw)
	q.Set("iss", u.Scheme+"://"+u.Host)
	return q
}

// BenchmarkColdLoginLoopback is BenchmarkColdLogin over HTTP on loopback, each
// peer with its own client and its connections kept.
func BenchmarkColdLoginLoopback(b *testing.B) {
	b.Run("stile", func(b *testing.B) {
		server, store := serveMemory(b), &emptied{}
		d, err := httpdriver.New(httpdriver.Options{
			Store: store, MaxIdle: 16,
			Config: states.Config{Redirects: []string{"http://127.0.0.1:39323/callback"}},
			Host: httpdriver.UserAgent(func(_ context.Context, v httpdriver.Visit) (string, error) {
				return v.RedirectURI + "?" + redirectFrom(v.URL).Encode(), nil
			}),
		})
		if err != nil {
			b.Fatal(err)
		}
		defer func() { _ = d.Close() }()
		b.ReportAllocs()
		n := 0
		for b.Loop() {
			n++
			store.forget()
			t, err := d.Transport(httpdriver.Account{Server: server, Tenant: strconv.Itoa(n)}, nil)
			if err != nil {
				b.Fatal(err)
			}
			fetchFrom(b, t, server)
		}
	})
	b.Run("go-sdk", func(b *testing.B) {
		server := serveMemory(b)
		base := http.DefaultTransport.(*http.Transport).Clone()
		defer base.CloseIdleConnections()
		b.ReportAllocs()
		for b.Loop() {
			h, err := auth.NewAuthorizationCodeHandler(&auth.AuthorizationCodeHandlerConfig{
				DynamicClientRegistrationConfig: &auth.DynamicClientRegistrationConfig{Metadata: &oauthex.ClientRegistrationMetadata{
					ClientName: "Stile", RedirectURIs: []string{"http://127.0.0.1:39323/callback"},
				}},
				Client: &http.Client{Transport: base},
				AuthorizationCodeFetcher: func(_ context.Context, a *auth.AuthorizationArgs) (*auth.AuthorizationResult, error) {
					q := redirectFrom(a.URL)
					return &auth.AuthorizationResult{Code: q.Get("code"), State: q.Get("state"), Iss: q.Get("iss")}, nil
				},
			})
			if err != nil {
				b.Fatal(err)
			}
			fetchFrom(b, &sdkTransport{h, base}, server)
		}
	})
	b.Run("floor", func(b *testing.B) {
		server := serveMemory(b)
		base := http.DefaultTransport.(*http.Transport).Clone()
		defer base.CloseIdleConnections()
		b.ReportAllocs()
		for b.Loop() {
			floor(b, base, server, func(authorize string) url.Values {
				u, err := url.Parse("http://127.0.0.1:39323/callback?" + redirectFrom(authorize).Encode())
				if err != nil {
					b.Fatal(err)
				}
				return u.Query()
			})
		}
	})
}
