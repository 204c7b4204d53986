package httpdriver_test

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"testing"

	"github.com/modelcontextprotocol/go-sdk/auth"
	"github.com/modelcontextprotocol/go-sdk/oauthex"

	"github.com/stile-oauth/stile/httpdriver"
	"github.com/stile-oauth/stile/states"
	"github.com/stile-oauth/stile/states/wire"
	"github.com/stile-oauth/stile/storage"
)

// BenchmarkColdLogin is a first request that is refused, everything until a
// token is held, and the request once more: this driver and go-sdk's
// AuthorizationCodeHandler against the same server in memory, and the floor
// below both. go-sdk keeps nothing; this driver stores registration, login and
// credential.
func BenchmarkColdLogin(b *testing.B) {
	coldLogins(b, func(*testing.B) coldWorld {
		m := newMemory()
		return coldWorld{server: benchServer, base: m, send: over(m), redirect: redirect, sent: &m.sent}
	})
}

// coldWorld is what one peer of the comparison logs in at.
type coldWorld struct {
	server   string
	base     http.RoundTripper // nil: the peer's own
	send     func(context.Context, states.Send) states.Input
	redirect func(authorize string) url.Values
	sent     *int // requests that arrived, where they are counted
}

// coldLogins runs the three peers, each in a world of its own.
func coldLogins(b *testing.B, open func(*testing.B) coldWorld) {
	for _, peer := range []struct {
		name  string
		logIn func(*testing.B, coldWorld) (once func())
	}{{"stile", coldStile}, {"go-sdk", coldSDK}, {"floor", coldFloor}} {
		b.Run(peer.name, func(b *testing.B) {
			w := open(b)
			once := peer.logIn(b, w)
			b.ReportAllocs()
			for b.Loop() {
				once()
			}
			if w.sent != nil {
				b.ReportMetric(float64(*w.sent)/float64(b.N), "requests/op")
			}
		})
	}
}

func coldStile(b *testing.B, w coldWorld) func() {
	store := &emptied{}
	d, err := httpdriver.New(httpdriver.Options{
		Store: store, IdleBytes: 32 << 10,
		Send:   w.send,
		Policy: httpdriver.Policy{Redirects: []string{"http://127.0.0.1:39323/callback"}},
		Host: httpdriver.UserAgent(func(_ context.Context, v httpdriver.Visit) (string, error) {
			return v.RedirectURI + "?" + w.redirect(v.URL).Encode(), nil
		}),
	})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = d.Close() })
	n := 0
	return func() {
		n++ // a tenant of its own: no session of it is in memory
		store.forget()
		t, err := d.Transport(httpdriver.Account{Server: w.server, Tenant: strconv.Itoa(n)}, w.base)
		if err != nil {
			b.Fatal(err)
		}
		fetchFrom(b, t, w.server)
	}
}

func coldSDK(b *testing.B, w coldWorld) func() {
	base := w.own(b)
	return func() {
		h, err := auth.NewAuthorizationCodeHandler(&auth.AuthorizationCodeHandlerConfig{
			DynamicClientRegistrationConfig: &auth.DynamicClientRegistrationConfig{Metadata: &oauthex.ClientRegistrationMetadata{
				ClientName: "Stile", RedirectURIs: []string{"http://127.0.0.1:39323/callback"},
			}},
			Client: &http.Client{Transport: base},
			AuthorizationCodeFetcher: func(_ context.Context, a *auth.AuthorizationArgs) (*auth.AuthorizationResult, error) {
				q := w.redirect(a.URL)
				return &auth.AuthorizationResult{Code: q.Get("code"), State: q.Get("state"), Iss: q.Get("iss")}, nil
			},
		})
		if err != nil {
			b.Fatal(err)
		}
		fetchFrom(b, &sdkTransport{h, base}, w.server)
	}
}

func coldFloor(b *testing.B, w coldWorld) func() {
	base := w.own(b)
	return func() {
		floor(b, base, w.server, func(authorize string) url.Values {
			u, err := url.Parse("http://127.0.0.1:39323/callback?" + w.redirect(authorize).Encode())
			if err != nil {
				b.Fatal(err)
			}
			return u.Query()
		})
	}
}

// own is the transport of a peer that has none of its own.
func (w coldWorld) own(b *testing.B) http.RoundTripper {
	if w.base != nil {
		return w.base
	}
	t := http.DefaultTransport.(*http.Transport).Clone()
	b.Cleanup(t.CloseIdleConnections)
	return t
}

// over carries the machine's exchanges over a RoundTripper, as the guard does:
// no client between them.
func over(t http.RoundTripper) func(context.Context, states.Send) states.Input {
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
		resp, err := t.RoundTrip(req)
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
