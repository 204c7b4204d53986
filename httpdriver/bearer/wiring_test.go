package bearer_test

import (
	"bytes"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stile-oauth/stile/httpdriver/bearer"
)

// TestBoundsOfAConfiguration: what is at a bound is taken, and what is beyond it is an
// error, not another value.
func TestBoundsOfAConfiguration(t *testing.T) {
	for name, c := range map[string]struct {
		change func(*bearer.Config)
		ok     bool
	}{
		"a skew of a minute":                {func(c *bearer.Config) { c.Policy.Skew = bearer.MaxSkew }, true},
		"more":                              {func(c *bearer.Config) { c.Policy.Skew = bearer.MaxSkew + 1 }, false},
		"a negative one":                    {func(c *bearer.Config) { c.Policy.Skew = -1 }, false},
		"no issuer, where none is needed":   {func(c *bearer.Config) { c.Policy.Issuers, c.Policy.AllowMissingIssuer = nil, true }, true},
		"an issuer where none is needed":    {func(c *bearer.Config) { c.Policy.AllowMissingIssuer = true }, true},
		"a window of five minutes":          {func(c *bearer.Config) { c.DPoP = &bearer.DPoP{Window: 5 * time.Minute} }, true},
		"a longer window":                   {func(c *bearer.Config) { c.DPoP = &bearer.DPoP{Window: 5*time.Minute + 1} }, false},
		"a negative window":                 {func(c *bearer.Config) { c.DPoP = &bearer.DPoP{Window: -1} }, false},
		"one proof":                         {func(c *bearer.Config) { c.DPoP = &bearer.DPoP{MaxProofs: 1} }, true},
		"a negative number of proofs":       {func(c *bearer.Config) { c.DPoP = &bearer.DPoP{MaxProofs: -1} }, false},
		"proofs by a symmetric algorithm":   {func(c *bearer.Config) { c.DPoP = &bearer.DPoP{Algorithms: []string{"ES256", "HS256"}} }, false},
		"proofs by one algorithm":           {func(c *bearer.Config) { c.DPoP = &bearer.DPoP{Algorithms: []string{"ES256"}} }, true},
		"proofs for given addresses":        {func(c *bearer.Config) { c.DPoP = &bearer.DPoP{Addresses: func(*http.Request) []string { return nil }} }, true},
		"no verifier":                       {func(c *bearer.Config) { c.Verifier = nil }, false},
		"a resource that cannot be parsed":  {func(c *bearer.Config) { c.Policy.Resource = "https://mcp.example/%zz" }, false},
		"metadata in place of the policy's": {func(c *bearer.Config) { c.Metadata.Resource = mcp }, true},
	} {
		config := bearer.Config{Policy: bearer.Policy{Resource: mcp, Issuers: []string{"https://as.example"}}, Verifier: tokens}
		c.change(&config)
		_, err := bearer.New(config)
		if (err == nil) != c.ok {
			t.Errorf("%s: %v", name, err)
		}
		for what, most := range map[string]string{"skew": "1m0s", "window": "5m0s"} {
			if err != nil && strings.Contains(err.Error(), what) && !strings.Contains(err.Error(), most) {
				t.Errorf("%s: %v", name, err)
			}
		}
	}
}

// TestUserOfSeveralIssuers: where two issuers are trusted, a subject names nobody alone.
func TestUserOfSeveralIssuers(t *testing.T) {
	for issuers, want := range map[string]string{
		"https://as.example": "annika", "https://as.example https://other.example": "https://as.example annika",
	} {
		g := newGuard(t, func(c *bearer.Config) { c.Policy.Issuers = strings.Fields(issuers) })
		h := g.Handler(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
			if p, ok := bearer.PrincipalFrom(r.Context()); !ok || p.UserID != want || p.Subject != "annika" {
				t.Errorf("%s: %+v", issuers, p)
			}
		}))
		r := httptest.NewRequestWithContext(t.Context(), "GET", mcp, http.NoBody)
		r.Header.Set("Authorization", "Bearer good")
		w := httptest.NewRecorder()
		if h.ServeHTTP(w, r); w.Code != 200 {
			t.Errorf("%s: %d", issuers, w.Code)
		}
	}
}

// TestNoncesOfSeveralServers: servers with one key make the same nonces, each for its
// life, which is two minutes unless it is given; a short key is refused.
func TestNoncesOfSeveralServers(t *testing.T) {
	key := bytes.Repeat([]byte{7}, 32)
	nonces := func(key []byte, life time.Duration) *bearer.Nonces {
		n, err := bearer.NewNonces(key, life)
		if err != nil {
			t.Fatal(err)
		}
		return n
	}
	one, same, other := nonces(key, 0), nonces(key, 2*time.Minute), nonces(nil, 0)
	start := time.Unix(0, 0).Add(240 * time.Hour)
	seen := map[string]bool{}
	for after := time.Duration(0); after < 8*time.Minute; after += 30 * time.Second {
		at := start.Add(after)
		if one.Current(at) != same.Current(at) || one.Current(at) == other.Current(at) {
			t.Errorf("%v later: %q, with the same key %q, with another %q", after, one.Current(at), same.Current(at), other.Current(at))
		}
		seen[one.Current(at)] = true
	}
	if len(seen) != 4 {
		t.Errorf("%d nonces in eight minutes", len(seen))
	}
	key[0]++ // the key was copied
	if one.Current(start) != same.Current(start) || !seen[one.Current(start)] {
		t.Error("a change of the caller's bytes changes the nonces")
	}
	for name, err := range map[string]error{
		"a short key":     second(bearer.NewNonces(make([]byte, 31), 0)),
		"a negative life": second(bearer.NewNonces(key, -1)),
	} {
		if err == nil {
			t.Errorf("%s was accepted", name)
		}
	}
}

func second(_ *bearer.Nonces, err error) error { return err }

// TestMetadataThatIsRefused: an address whose metadata sends tokens into the clear ends
// the search; one that does not answer, or answers too much, does not.
func TestMetadataThatIsRefused(t *testing.T) {
	var s *httptest.Server
	var first atomic.Pointer[func(w http.ResponseWriter)]
	document := func(w http.ResponseWriter, endpoint string) {
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(map[string]any{
			"issuer": s.URL, "authorization_endpoint": s.URL + "/a", "token_endpoint": endpoint, "jwks_uri": s.URL + "/keys",
			"response_types_supported": []string{"code"}, "code_challenge_methods_supported": []string{"S256"},
		})
	}
	s = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch {
		case r.Header.Get("Accept") != "application/json":
			w.WriteHeader(http.StatusNotAcceptable)
		case r.URL.Path == "/.well-known/oauth-authorization-server":
			(*first.Load())(w)
		default:
			document(w, s.URL+"/t")
		}
	}))
	defer s.Close()
	for name, c := range map[string]struct {
		first func(w http.ResponseWriter)
		ok    bool
	}{
		"tokens in the clear": {func(w http.ResponseWriter) { document(w, "http://as.example/t") }, false},
		"no answer":           {func(http.ResponseWriter) { panic(http.ErrAbortHandler) }, true},
		"too much":            {func(w http.ResponseWriter) { document(w, s.URL+"/"+strings.Repeat("t", 256<<10)) }, true},
	} {
		first.Store(&c.first)
		if _, err := bearer.FromIssuer(t.Context(), s.URL); (err == nil) != c.ok {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestGivenMetadata: what the host says of its resource is published, and not what
// would be published otherwise.
func TestGivenMetadata(t *testing.T) {
	g := newGuard(t, func(c *bearer.Config) {
		c.MetadataURL = "https://elsewhere.example/metadata"
		c.Metadata = bearer.Metadata{
			Resource: mcp + "/", AuthorizationServers: []string{"https://b.example"}, ScopesSupported: []string{"x"}, BearerMethods: []string{"body"},
		}
	})
	w := httptest.NewRecorder()
	g.MetadataHandler().ServeHTTP(w, httptest.NewRequest("GET", "/", nil))
	want := `{"resource":"https://mcp.example/mcp/","authorization_servers":["https://b.example"],"scopes_supported":["x"],"bearer_methods_supported":["body"]}`
	if w.Body.String() != want || !strings.Contains(w.Header().Get("Cache-Control"), "max-age") {
		t.Errorf("%s %v", w.Body, w.Header())
	}
	w = httptest.NewRecorder()
	g.MetadataHandler().ServeHTTP(w, httptest.NewRequest("HEAD", "/", nil))
	if w.Body.Len() != 0 || w.Header().Get("Content-Length") != strconv.Itoa(len(want)) {
		t.Errorf("HEAD: %q %v", w.Body, w.Header())
	}
	w = ask(t, g, "GET", "", http.NoBody)
	if c := w.Header().Get("WWW-Authenticate"); !strings.Contains(c, `resource_metadata="https://elsewhere.example/metadata"`) {
		t.Errorf("the challenge is %s", c)
	}
}

// TestNoMetadata: a server of MCP 2025-03-26 neither publishes nor names metadata.
func TestNoMetadata(t *testing.T) {
	g := newGuard(t, func(c *bearer.Config) { c.NoMetadata, c.MetadataURL = true, "https://elsewhere.example/metadata" })
	if c := ask(t, g, "GET", "", http.NoBody).Header().Get("WWW-Authenticate"); strings.Contains(c, "resource_metadata") {
		t.Errorf("the challenge is %s", c)
	}
	mux := http.NewServeMux()
	g.Mount(mux, open)
	for _, h := range []http.Handler{mux, g.MetadataHandler()} {
		w := httptest.NewRecorder()
		if h.ServeHTTP(w, httptest.NewRequest("GET", g.MetadataPath(), nil)); w.Code != 404 {
			t.Errorf("metadata: %d %s", w.Code, w.Body)
		}
	}
}

// TestMountedPaths: the whole host is protected for a resource that is the whole host, and
// a query is no part of a path.
func TestMountedPaths(t *testing.T) {
	for resource, paths := range map[string][2]string{
		"https://mcp.example":       {"/.well-known/oauth-protected-resource", "/any/thing"},
		"https://mcp.example/":      {"/.well-known/oauth-protected-resource", "/any/thing"},
		"https://mcp.example/?a=b":  {"/.well-known/oauth-protected-resource", "/any/thing"},
		"https://mcp.example/m?a=b": {"/.well-known/oauth-protected-resource/m", "/m"},
		"https://mcp.example/m/":    {"/.well-known/oauth-protected-resource/m/", "/m/x"},
	} {
		g := newGuard(t, func(c *bearer.Config) { c.Policy.Resource = resource })
		if g.MetadataPath() != paths[0] {
			t.Errorf("%s: metadata at %s", resource, g.MetadataPath())
		}
		mux := http.NewServeMux()
		g.Mount(mux, open)
		for path, want := range map[string]int{paths[0]: 200, paths[1]: 401} {
			w := httptest.NewRecorder()
			if mux.ServeHTTP(w, httptest.NewRequest("GET", path, nil)); w.Code != want {
				t.Errorf("%s: %s is answered with %d", resource, path, w.Code)
			}
		}
	}
	for resource, want := range map[string]string{
		"mcp.example":              "",
		"https://mcp.example/?a=b": "https://mcp.example/.well-known/oauth-protected-resource?a=b",
	} {
		if got := bearer.MetadataURL(resource); got != want {
			t.Errorf("%s: %q", resource, got)
		}
	}
}

// TestPolicyIsCopied: a caller that goes on using its lists changes no guard.
func TestPolicyIsCopied(t *testing.T) {
	issuers, scopes := []string{"https://as.example"}, []string{"user"}
	g := newGuard(t, func(c *bearer.Config) { c.Policy.Issuers, c.Policy.Scopes, c.Tools = issuers, scopes, nil })
	issuers[0], scopes[0] = "https://evil.example", "root"
	if w := ask(t, g, "GET", "Bearer good", http.NoBody); w.Code != 200 {
		t.Errorf("%d %s", w.Code, w.Body)
	}
}
