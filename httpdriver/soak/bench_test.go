//go:build unix

package soak_test

import (
	"context"
	"fmt"
	"net/http"
	"path/filepath"
	"testing"
	"time"

	"github.com/stile-oauth/stile/httpdriver"
	"github.com/stile-oauth/stile/states"
	"github.com/stile-oauth/stile/states/wire"
	"github.com/stile-oauth/stile/storage"
	"github.com/stile-oauth/stile/storage/storetest/realservers"
)

const coldServer = "https://mcp.example/mcp"

// taken answers every request that carries the token of credential.
type taken struct{}

func (taken) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.Header.Get("Authorization") != "Bearer at-7d0f5c1c9e5b4c0f8a" {
		return nil, fmt.Errorf("sent with %d bytes of Authorization", len(r.Header.Get("Authorization")))
	}
	return &http.Response{StatusCode: http.StatusOK, Header: http.Header{}, Body: http.NoBody, Request: r}, nil
}

// credential is a record of the usual size, good for a day.
func credential(tb testing.TB) []byte {
	now := time.Now().UTC()
	v, err := states.Encode(&states.Credential{Version: states.RecordVersion, Current: &states.Token{
		Generation: states.Generation(now.UnixMilli()), AccessToken: "at-7d0f5c1c9e5b4c0f8a", Type: "Bearer",
		RefreshToken: "rt-3b9d1e7f5a6c4d2e1f", Received: now, Expires: now.Add(24 * time.Hour),
		Granted: []string{"read", "write"}, Requested: []string{"read", "write"},
		Server: wire.ASM{
			Issuer: "https://as.example", AuthorizationEndpoint: "https://as.example/authorize", TokenEndpoint: "https://as.example/token",
			RegistrationEndpoint: "https://as.example/register", ScopesSupported: []string{"read", "write"}, ResponseTypes: []string{"code"},
			GrantTypes: []string{"authorization_code", "refresh_token"}, AuthMethods: []string{"none"}, ChallengeMethods: []string{"S256"}, Iss: true,
		},
		Client:   wire.Client{ID: "client-7f3a9c", Method: wire.MethodNone, Source: wire.SourceDynamic, RedirectURIs: []string{"http://127.0.0.1:39323/callback"}},
		Resource: coldServer, Metadata: "https://mcp.example/.well-known/oauth-protected-resource/mcp",
		Listed: []string{"read", "write"}, RedirectURI: "http://127.0.0.1:39323/callback",
	}})
	if err != nil {
		tb.Fatal(err)
	}
	return []byte(v.Reveal())
}

// BenchmarkFirstRequest measures how long a program that starts waits until its first
// request with the token is answered: from a new driver to the answer of a server that
// takes no time. The store is either open already (warm) or has to be opened first
// (cold). Nothing is refreshed.
func BenchmarkFirstRequest(b *testing.B) {
	first := func(b *testing.B, s storage.Store, tenant string) {
		d, err := httpdriver.New(httpdriver.Options{Store: s})
		if err != nil {
			b.Fatal(err)
		}
		defer func() { _ = d.Close() }()
		t, err := d.Transport(httpdriver.Account{Server: coldServer, Tenant: tenant}, taken{})
		if err != nil {
			b.Fatal(err)
		}
		req, err := http.NewRequestWithContext(b.Context(), http.MethodPost, coldServer, http.NoBody)
		if err != nil {
			b.Fatal(err)
		}
		resp, err := t.RoundTrip(req)
		if err != nil {
			b.Fatal(err)
		}
		if resp.StatusCode != http.StatusOK {
			b.Fatal(resp.Status)
		}
	}
	put := func(b *testing.B, s storage.Store, tenant string) {
		key := states.Key{Kind: states.KindCredential, Tenant: tenant, Name: coldServer}
		if _, err := s.Put(b.Context(), key, credential(b), 0, time.Time{}); err != nil {
			b.Fatal(err)
		}
	}
	b.Run("memory/warm", func(b *testing.B) {
		s := storage.NewMemory()
		put(b, s, "")
		for b.Loop() {
			first(b, s, "")
		}
	})
	for _, kind := range append(append([]string{}, files...), servers...) {
		w := where{Kind: kind, Target: filepath.Join(b.TempDir(), "store"), Key: "32 bytes that are only for tests."[:32]}
		switch kind {
		case "postgres":
			w.Target = realservers.Postgres(b)
		case "redis":
			w.Target = realservers.Redis(b)
		}
		tenant := fmt.Sprintf("%s-%d", b.Name(), time.Now().UnixNano())
		s, end, err := w.open(context.WithoutCancel(b.Context()))
		if err != nil {
			b.Fatal(err)
		}
		b.Cleanup(end)
		put(b, s, tenant)
		b.Run(kind+"/warm", func(b *testing.B) {
			for b.Loop() {
				first(b, s, tenant)
			}
		})
		b.Run(kind+"/cold", func(b *testing.B) {
			for b.Loop() {
				own, end, err := w.open(b.Context())
				if err != nil {
					b.Fatal(err)
				}
				first(b, own, tenant)
				end()
			}
		})
	}
}
