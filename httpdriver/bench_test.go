package httpdriver_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"testing"

	"github.com/modelcontextprotocol/go-sdk/auth"
	"github.com/modelcontextprotocol/go-sdk/oauthex"
	"golang.org/x/oauth2"

	"github.com/stile-oauth/stile/httpdriver"
	"github.com/stile-oauth/stile/states"
	"github.com/stile-oauth/stile/states/wire"
	"github.com/stile-oauth/stile/storage"
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

// over carries the machine's exchanges over an http.Client, as the guard does.
func over(c *http.Client) func(context.Context, states.Send) states.Input {
	return func(ctx context.Context, s states.Send) states.Input {
		var body io.Reader
		switch {
		case s.Request.Form != nil:
			body = strings.NewReader(wire.EncodeForm(s.Request.Form))
		case s.Request.Body != nil:
			body = bytes.NewReader(s.Request.Body)
		}
		req, err := http.NewRequestWithContext(ctx, s.Request.Method, s.Request.URL, body)
		if err != nil {
			return states.Unreachable{Serial: s.Serial, Class: states.Unsent, Detail: err.Error()}
		}
		for _, h := range s.Request.Header {
			req.Header.Set(h.Name, h.Value)
		}
		resp, err := c.Do(req)
		if err != nil {
			return states.Unreachable{Serial: s.Serial, Class: states.Lost, Detail: err.Error()}
		}
		defer func() { _ = resp.Body.Close() }()
		b, _ := io.ReadAll(io.LimitReader(resp.Body, s.MaxBody))
		var header wire.Fields
		for name, values := range resp.Header {
			for _, v := range values {
				header = append(header, wire.Field{Name: name, Value: v})
			}
		}
		return states.Responded{Serial: s.Serial, Response: wire.Response{Status: resp.StatusCode, Header: header, Body: b}}
	}
}

// emptied is a store in memory that forgets everything before each login, so
// that the collector does not walk over the logins before.
type emptied struct{ storage.Store }

func (e *emptied) forget() { e.Store = storage.NewMemory() }

// BenchmarkColdLogin is a first request that is refused, everything until a
// token is held, and the request once more: this driver and go-sdk's
// AuthorizationCodeHandler against the same server in memory, and the floor
// below both. go-sdk keeps nothing; this driver stores registration, login and
// credential.
func BenchmarkColdLogin(b *testing.B) {
	b.Run("stile", func(b *testing.B) {
		m, store := newMemory(), &emptied{}
		d, err := httpdriver.New(httpdriver.Options{
			Store: store, MaxIdle: 16,
			Send:   over(&http.Client{Transport: m}),
			Config: states.Config{Redirects: []string{"http://127.0.0.1:39323/callback"}},
			Host: httpdriver.UserAgent(func(_ context.Context, v httpdriver.Visit) (string, error) {
				return v.RedirectURI + "?" + redirect(v.URL).Encode(), nil
			}),
		})
		if err != nil {
			b.Fatal(err)
		}
		defer func() { _ = d.Close() }()
		b.ReportAllocs()
		n := 0
		for b.Loop() {
			n++ // a tenant of its own: no session of it is in memory
			store.forget()
			t, err := d.Transport(httpdriver.Account{Server: benchServer, Tenant: strconv.Itoa(n)}, m)
			if err != nil {
				b.Fatal(err)
			}
			fetch(b, t)
		}
		b.ReportMetric(float64(m.sent)/float64(b.N), "requests/op")
	})
	b.Run("go-sdk", func(b *testing.B) {
		m := newMemory()
		b.ReportAllocs()
		for b.Loop() {
			h, err := auth.NewAuthorizationCodeHandler(&auth.AuthorizationCodeHandlerConfig{
				DynamicClientRegistrationConfig: &auth.DynamicClientRegistrationConfig{Metadata: &oauthex.ClientRegistrationMetadata{
					ClientName: "Stile", RedirectURIs: []string{"http://127.0.0.1:39323/callback"},
				}},
				Client: &http.Client{Transport: m},
				AuthorizationCodeFetcher: func(_ context.Context, a *auth.AuthorizationArgs) (*auth.AuthorizationResult, error) {
					q := redirect(a.URL)
					return &auth.AuthorizationResult{Code: q.Get("code"), State: q.Get("state"), Iss: q.Get("iss")}, nil
				},
			})
			if err != nil {
				b.Fatal(err)
			}
			fetch(b, &sdkTransport{h, m})
		}
		b.ReportMetric(float64(m.sent)/float64(b.N), "requests/op")
	})
	b.Run("floor", func(b *testing.B) {
		m := newMemory()
		b.ReportAllocs()
		for b.Loop() {
			floor(b, m, benchServer, func(authorize string) url.Values {
				u, err := url.Parse("http://127.0.0.1:39323/callback?" + redirect(authorize).Encode())
				if err != nil {
					b.Fatal(err)
				}
				return u.Query()
			})
		}
		b.ReportMetric(float64(m.sent)/float64(b.N), "requests/op")
	})
}

// sdkTransport does what go-sdk's streamable client does with its handler.
type sdkTransport struct {
	h    auth.OAuthHandler
	base http.RoundTripper
}

func (t *sdkTransport) RoundTrip(req *http.Request) (*http.Response, error) {
	resp, err := t.send(req)
	if err != nil || resp.StatusCode != http.StatusUnauthorized {
		return resp, err
	}
	if err := t.h.Authorize(req.Context(), req, resp); err != nil {
		return nil, err
	}
	return t.send(req)
}

func (t *sdkTransport) send(req *http.Request) (*http.Response, error) {
	r := req.Clone(req.Context())
	ts, err := t.h.TokenSource(req.Context())
	if err != nil {
		return nil, err
	}
	if ts != nil {
		tok, err := ts.Token()
		if err != nil {
			return nil, err
		}
		r.Header.Set("Authorization", "Bearer "+tok.AccessToken)
	}
	return t.base.RoundTrip(r)
}

func fetch(tb testing.TB, t http.RoundTripper) {
	tb.Helper()
	fetchFrom(tb, t, benchServer)
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
		Send:   over(&http.Client{Transport: m}),
		Config: states.Config{Redirects: []string{"http://127.0.0.1:39323/callback"}},
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
