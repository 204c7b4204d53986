package httpdriver_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
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
	coldLogins(b, func(b *testing.B) coldWorld { return coldWorld{server: serveMemory(b), redirect: redirectFrom} })
}
