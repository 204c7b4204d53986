package httpdriver_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"golang.org/x/oauth2"

	"github.com/stile-oauth/stile/httpdriver"
)

// memory is a whole world behind one http.RoundTripper: a protected server and
// its issuer, with fixed documents and no sockets, the same for every peer that
// is compared.
type memory struct {
	answers map[string]canned
	sent    int
}

type canned struct {
	status int
	body   string
}

const (
	benchServer = "https://mcp.example/mcp"
	benchPRM    = `{"resource":"https://mcp.example/mcp","authorization_servers":["https://as.example"],"scopes_supported":["read","write"],"bearer_methods_supported":["header"]}`
	benchASM    = `{"issuer":"https://as.example","authorization_endpoint":"https://as.example/authorize","token_endpoint":"https://as.example/token","registration_endpoint":"https://as.example/register","scopes_supported":["read","write"],"response_types_supported":["code"],"grant_types_supported":["authorization_code","refresh_token"],"token_endpoint_auth_methods_supported":["none","client_secret_post"],"code_challenge_methods_supported":["S256"],"authorization_response_iss_parameter_supported":true}`
	benchREG    = `{"client_id":"client-7f3a9c","redirect_uris":["http://127.0.0.1:39323/callback"],"grant_types":["authorization_code","refresh_token"],"response_types":["code"],"token_endpoint_auth_method":"none","application_type":"native"}`
	benchTOK    = `{"access_token":"at-7d0f5c1c9e5b4c0f8a","token_type":"Bearer","expires_in":3600,"refresh_token":"rt-3b9d1e7f5a6c4d2e1f","scope":"read write"}`
)

func newMemory() *memory {
	return &memory{answers: map[string]canned{
		"https://mcp.example/.well-known/oauth-protected-resource/mcp": {200, benchPRM},
		"https://as.example/.well-known/oauth-authorization-server":    {200, benchASM},
		"https://as.example/register":                                  {201, benchREG},
		"https://as.example/token":                                     {200, benchTOK},
	}}
}

var (
	benchJSON   = http.Header{"Content-Type": {"application/json"}, "Cache-Control": {"no-store"}}
	benchRefuse = http.Header{"Www-Authenticate": {`Bearer resource_metadata="https://mcp.example/.well-known/oauth-protected-resource/mcp"`}}
)

func (m *memory) RoundTrip(r *http.Request) (*http.Response, error) {
	m.sent++
	if r.Body != nil {
		_, _ = io.Copy(io.Discard, r.Body)
		_ = r.Body.Close()
	}
	status, header, body := http.StatusOK, benchJSON, "{}"
	switch a, ok := m.answers[r.URL.String()]; {
	case ok:
		status, body = a.status, a.body
	case r.URL.Host != "mcp.example":
		return nil, errors.New("no such address: " + r.URL.String())
	case r.Header.Get("Authorization") == "":
		status, header, body = http.StatusUnauthorized, benchRefuse, ""
	}
	return &http.Response{
		StatusCode: status, Status: http.StatusText(status), Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Header: header, Body: io.NopCloser(strings.NewReader(body)), Request: r,
	}, nil
}

// redirect answers an authorization request as its endpoint would.
func redirect(raw string) url.Values {
	u, _ := url.Parse(raw)
	return url.Values{"code": {"code-1"}, "state": {u.Query().Get("state")}, "iss": {"https://as.example"}}
}

func fetchFrom(tb testing.TB, t http.RoundTripper, server string) {
	tb.Helper()
	req, err := http.NewRequest(http.MethodGet, server, nil)
	if err != nil {
		tb.Fatal(err)
	}
	resp, err := t.RoundTrip(req)
	if err != nil {
		tb.Fatal(err)
	}
	_, _ = io.Copy(io.Discard, resp.Body)
	_ = resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		tb.Fatal(resp.Status)
	}
}

// nothing is a RoundTripper that costs nothing.
type nothing struct{ resp *http.Response }

func (n nothing) RoundTrip(*http.Request) (*http.Response, error) { return n.resp, nil }

var done = nothing{&http.Response{StatusCode: http.StatusOK, Header: http.Header{}, Body: http.NoBody}}

// warm gives the transports that are compared on a request with a valid token.
func warm(tb testing.TB) []struct {
	name string
	t    http.RoundTripper
} {
	m := newMemory()
	d, err := httpdriver.New(httpdriver.Options{
		Send:   over(m),
		Policy: httpdriver.Policy{Redirects: []string{"http://127.0.0.1:39323/callback"}},
		Host: httpdriver.UserAgent(func(_ context.Context, v httpdriver.Visit) (string, error) {
			return v.RedirectURI + "?" + redirect(v.URL).Encode(), nil
		}),
	})
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { _ = d.Close() })
	a := httpdriver.Account{Server: benchServer}
	if err := d.Login(tb.Context(), a); err != nil {
		tb.Fatal(err)
	}
	stile, err := d.Transport(a, done)
	if err != nil {
		tb.Fatal(err)
	}
	tok, err := d.Token(tb.Context(), a)
	if err != nil {
		tb.Fatal(err)
	}
	return []struct {
		name string
		t    http.RoundTripper
	}{
		{"bare", done},
		{"stile", stile},
		{"x-oauth2", &oauth2.Transport{Source: oauth2.ReuseTokenSource(tok, nil), Base: done}},
		{"go-sdk", &sdkTransport{staticHandler{oauth2.ReuseTokenSource(tok, nil)}, done}},
	}
}

type staticHandler struct{ ts oauth2.TokenSource }

func (s staticHandler) TokenSource(context.Context) (oauth2.TokenSource, error) { return s.ts, nil }
func (s staticHandler) Authorize(context.Context, *http.Request, *http.Response) error {
	return errors.New("not expected")
}

func warmRequest(tb testing.TB) *http.Request {
	req, err := http.NewRequest(http.MethodPost, benchServer, bytes.NewReader([]byte(`{}`)))
	if err != nil {
		tb.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Accept", "application/json, text/event-stream")
	req.Header.Set("MCP-Protocol-Version", "2026-07-28")
	return req
}

// BenchmarkValidToken is one request with a token that is valid.
func BenchmarkValidToken(b *testing.B) {
	for _, w := range warm(b) {
		b.Run(w.name, func(b *testing.B) {
			req := warmRequest(b)
			b.ReportAllocs()
			for b.Loop() {
				if _, err := w.t.RoundTrip(req); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// TestValidTokenAllocations holds the path of a request with a valid token to
// its promise: at most four allocations over the bare RoundTripper.
func TestValidTokenAllocations(t *testing.T) {
	req := warmRequest(t)
	allocs := map[string]float64{}
	for _, w := range warm(t) {
		allocs[w.name] = testing.AllocsPerRun(100, func() {
			if _, err := w.t.RoundTrip(req); err != nil {
				t.Fatal(err)
			}
		})
	}
	if over := allocs["stile"] - allocs["bare"]; over > 4 {
		t.Errorf("%v allocations over bare; at most 4 are allowed (%v)", over, allocs)
	}
}
