package devas_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stile-oauth/stile/fsm/peer"
	"github.com/stile-oauth/stile/httpdriver/devas"
	"github.com/stile-oauth/stile/httpdriver/guard"
	"github.com/stile-oauth/stile/states/wire"
)

func document(id string) wire.Response {
	return wire.Response{
		Status: 200, Header: wire.Fields{{Name: "Content-Type", Value: "application/json"}},
		Body: []byte(`{"client_id":"` + id + `","client_name":"doc","redirect_uris":["` + back + `"],"grant_types":["authorization_code"]}`),
	}
}

// Eight client documents are fetched at the same time, and no more; when one is there,
// the next can be fetched.
func TestFetchesAtOnce(t *testing.T) {
	var log logged
	under, release := make(chan string, 20), make(chan struct{})
	s := newSite(t, func(a *devas.ASConfig, _ *devas.RSConfig) {
		a.CIMD, a.Logger = true, slog.New(slog.NewTextHandler(&log, nil))
		a.Fetch = func(ctx context.Context, id string) (wire.Response, error) {
			under <- id
			select {
			case <-release:
			case <-ctx.Done():
			}
			return document(id), nil
		}
	})
	id := func(n int) string { return fmt.Sprintf("https://client.example/%d.json", n) }
	var ok atomic.Int32
	var wg sync.WaitGroup
	ask := func(n int) {
		wg.Go(func() {
			if s.do("GET", s.authorizeURL(id(n)), "").location().Get("code") != "" {
				ok.Add(1)
			}
		})
	}
	for n := range 8 {
		ask(n)
	}
	for range 8 {
		<-under
	}
	if a := s.do("GET", s.authorizeURL(id(8)), ""); a.status != 400 || !strings.Contains(log.take(), "too many fetches under way") {
		t.Errorf("the ninth: %d", a.status)
	}
	close(release)
	wg.Wait()
	for n := 8; n < 20; n++ { // one after the other
		ask(n)
		wg.Wait()
	}
	if got := ok.Load(); got != 20 {
		t.Errorf("%d of 20 got a code", got)
	}
}

// A user who does not wait for a client document, or for the keys of an issuer, does not
// keep the next one from getting them; the fetch has ten seconds.
func TestFetchesAreNotCancelled(t *testing.T) {
	var fetches []context.Context
	judge := func(ctx context.Context, began time.Time) {
		fetches = append(fetches, ctx)
		end, ok := ctx.Deadline()
		if left := end.Sub(began); ctx.Err() != nil || !ok || left < 10*time.Second || end.After(time.Now().Add(10*time.Second)) {
			t.Errorf("a fetch: %v, deadline %v", ctx.Err(), left)
		}
	}
	c := devas.DefaultAS("http://127.0.0.1:9000")
	c.AutoConsent = true
	c.Trust("https://platform.example", true)
	began := time.Now()
	c.Fetch = func(ctx context.Context, id string) (wire.Response, error) {
		judge(ctx, began)
		return document(id), nil
	}
	c.FetchKeys = func(ctx context.Context, _ string) ([]byte, error) {
		judge(ctx, began)
		return nil, errors.New("none")
	}
	as, err := devas.NewAS(c)
	if err != nil {
		t.Fatal(err)
	}
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	s := &site{t: t, issuer: "http://127.0.0.1:9000", resource: "http://127.0.0.1:8001/mcp"}
	w := httptest.NewRecorder()
	as.ServeHTTP(w, httptest.NewRequestWithContext(gone, "GET", s.authorizeURL("https://client.example/a.json"), nil))
	if got := (answer{w.Code, w.Header(), ""}).location().Get("code"); got == "" {
		t.Errorf("no code: %d %s", w.Code, w.Body)
	}
	r := httptest.NewRequestWithContext(gone, "POST", s.issuer+"/token", strings.NewReader(pairs("grant_type", "urn:ietf:params:oauth:grant-type:jwt-bearer",
		"assertion", claimsOf(`{"iss":"https://platform.example","sub":"job","aud":"http://127.0.0.1:9000","jti":"1","exp":99999999999}`))))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	as.ServeHTTP(httptest.NewRecorder(), r)
	if len(fetches) != 2 {
		t.Fatalf("%d fetches", len(fetches))
	}
	for _, ctx := range fetches {
		if ctx.Err() == nil {
			t.Error("what a fetch holds is not let go at its end")
		}
	}
}

// claimsOf is an assertion with a signature that nobody will take.
func claimsOf(claims string) string {
	key, err := devas.NewKey(nil)
	if err != nil {
		return ""
	}
	return key.Sign([]byte(`{"alg":"EdDSA","typ":"JWT"}`), []byte(claims))
}

// Without a way to fetch keys, and when they cannot be fetched, an assertion is refused,
// and the log says which issuer it was.
func TestKeysThatAreNotThere(t *testing.T) {
	for _, fetch := range []func(context.Context, string) ([]byte, error){
		nil, func(context.Context, string) ([]byte, error) { return nil, errors.New("the wire is cut") },
	} {
		var log logged
		s := newSite(t, func(a *devas.ASConfig, _ *devas.RSConfig) {
			a.Trust("https://platform.example", true)
			a.FetchKeys, a.Logger = fetch, slog.New(slog.NewTextHandler(&log, nil))
		})
		a := s.form("/token", "grant_type", "urn:ietf:params:oauth:grant-type:jwt-bearer", "resource", s.resource,
			"assertion", claimsOf(`{"iss":"https://platform.example","sub":"job","aud":"`+s.issuer+`","jti":"1","exp":99999999999}`))
		if a.status != 400 || a.json(t)["error"] != "invalid_grant" {
			t.Errorf("%d %s", a.status, a.body)
		}
		if got := log.take(); strings.Contains(got, "https://platform.example") != (fetch != nil) || strings.Contains(got, "the wire is cut") != (fetch != nil) {
			t.Errorf("with a fetcher %v: %s", fetch != nil, got)
		}
	}
}

// A client document may have five KiB, and no more than eight are read.
func TestSizesOfDocuments(t *testing.T) {
	d := newDocuments(t)
	g, err := guard.New(guard.Options{})
	if err != nil {
		t.Fatal(err)
	}
	d.at["/app.json"] = func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		var n int
		_, _ = fmt.Sscan(r.URL.RawQuery, &n)
		_, _ = w.Write([]byte(strings.Repeat(" ", n)))
	}
	fetch := devas.Fetch(g, true)
	for n, over := range map[int]bool{5 << 10: false, 8 << 10: false, 8<<10 + 1: true} {
		resp, err := fetch(t.Context(), fmt.Sprintf("%s/app.json?%d", d.base, n))
		if err != nil || resp.Oversized != over || len(resp.Body) != min(n, 8<<10) {
			t.Errorf("%d bytes: %d are read, over %v, %v", n, len(resp.Body), resp.Oversized, err)
		}
	}
	for _, r := range d.asked() {
		if r.Header.Get("Accept") != "application/json" {
			t.Errorf("Accept: %q", r.Header.Get("Accept"))
		}
	}
}

// VerifyJWS says yes to the signature of a key in the set, named or not, and else no.
func TestVerifyJWS(t *testing.T) {
	key, err := devas.NewKey(nil)
	if err != nil {
		t.Fatal(err)
	}
	other, err := devas.NewKey(nil)
	if err != nil {
		t.Fatal(err)
	}
	const claims = `{"a":1}`
	named := func(id string) string { return `{"alg":"EdDSA","kid":"` + id + `"}` }
	for name, c := range map[string]struct {
		jws    string
		jwks   string
		header string
	}{
		"named":             {key.Sign([]byte(named(key.ID)), []byte(claims)), string(key.JWKS), named(key.ID)},
		"not named":         {key.Sign([]byte(`{"alg":"EdDSA"}`), []byte(claims)), string(key.JWKS), `{"alg":"EdDSA"}`},
		"named otherwise":   {key.Sign([]byte(named("x")), []byte(claims)), string(key.JWKS), ""},
		"by another key":    {other.Sign([]byte(named(key.ID)), []byte(claims)), string(key.JWKS), ""},
		"another algorithm": {key.Sign([]byte(`{"alg":"none"}`), []byte(claims)), string(key.JWKS), ""},
		"no JWS":            {"a.b", string(key.JWKS), ""},
		"no keys":           {key.Sign([]byte(named(key.ID)), []byte(claims)), `{"keys":[]}`, ""},
		"no set":            {key.Sign([]byte(named(key.ID)), []byte(claims)), `x`, ""},
	} {
		header, got, ok := devas.VerifyJWS(c.jws, []byte(c.jwks))
		if ok != (c.header != "") || string(header) != c.header || ok && string(got) != claims || !ok && got != nil {
			t.Errorf("%s: %s %s %v", name, header, got, ok)
		}
	}
}

// The verdict about a tenant's token names the tenant, and a tenant's token is no token
// of another.
func TestTokensOfTenants(t *testing.T) {
	c := devas.DefaultAS("http://127.0.0.1:9000")
	c.Tenants, c.Clients = []string{"blue"}, []peer.PreClient{{ID: "machine", Secret: "s", GrantTypes: []string{"client_credentials"}}}
	as, err := devas.NewAS(c)
	if err != nil {
		t.Fatal(err)
	}
	for _, tenant := range []string{"", "/blue"} {
		r := httptest.NewRequest("POST", c.Issuer+tenant+"/token", strings.NewReader("grant_type=client_credentials&client_id=machine&client_secret=s&resource=http://127.0.0.1:8001/mcp"))
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		w := httptest.NewRecorder()
		as.ServeHTTP(w, r)
		access, _ := answer{w.Code, w.Header(), w.Body.String()}.json(t)["access_token"].(string)
		if got := as.Introspect(time.Now(), access); !got.Active || got.Issuer != c.Issuer+tenant {
			t.Errorf("%q: %+v", tenant, got)
		}
	}
}
