package devas_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/stile-oauth/stile/httpdriver/bearer"
	"github.com/stile-oauth/stile/httpdriver/devas"
	"github.com/stile-oauth/stile/httpdriver/guard"
	"github.com/stile-oauth/stile/httpdriver/version"
)

// documents serves what the test puts at a path; everything else is 404. Each request
// is noted.
type documents struct {
	base string
	at   map[string]http.HandlerFunc

	mu   sync.Mutex
	seen []*http.Request
}

// asked are the requests so far.
func (d *documents) asked() []*http.Request {
	d.mu.Lock()
	defer d.mu.Unlock()
	return slices.Clone(d.seen)
}

func newDocuments(t *testing.T) *documents {
	t.Helper()
	ln := listen(t)
	d := &documents{base: "http://" + ln.Addr().String(), at: map[string]http.HandlerFunc{}}
	serve(t, ln, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		d.mu.Lock()
		d.seen = append(d.seen, r)
		d.mu.Unlock()
		if h := d.at[r.URL.Path]; h != nil {
			h(w, r)
			return
		}
		http.NotFound(w, r)
	}))
	return d
}

func (d *documents) put(path string, status int, body string) {
	d.at[path] = func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(status)
		_, _ = w.Write([]byte(body))
	}
}

const wellKnown = "/.well-known/oauth-authorization-server"

// Discover takes a document of the issuer that it was told, answered with 200, and names
// what is wrong with any other.
func TestDiscover(t *testing.T) {
	d := newDocuments(t)
	good := func(issuer string) string {
		return `{"issuer":"` + issuer + `","introspection_endpoint":"` + issuer + `/in","jwks_uri":"` + issuer + `/keys"}`
	}
	d.put(wellKnown, 200, good(d.base))
	d.put(wellKnown+"/slash", 200, good(d.base+"/slash/"))
	d.put(wellKnown+"/other", 200, good("https://other.example"))
	d.put(wellKnown+"/created", 201, good(d.base+"/created"))
	d.put(wellKnown+"/list", 200, "[]")
	d.put(wellKnown+"/big", 200, strings.Repeat(" ", 800<<10)+good(d.base+"/big"))
	d.put(wellKnown+"/huge", 200, strings.Repeat(" ", 1<<20)+good(d.base+"/huge"))
	d.at[wellKnown+"/short"] = func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Length", "5000")
		_, _ = w.Write([]byte(good(d.base + "/short")))
	}
	for path, want := range map[string]string{
		"": "", "/": "", "/slash": "", "/slash/": "", "/big": "",
		"/none":    "was answered with status 404",
		"/created": "was answered with status 201",
		"/other":   `is of issuer "https://other.example"`,
		"/list":    "not a JSON object",
		"/huge":    "not a JSON object",
		"/short":   "unexpected EOF",
	} {
		got, err := devas.Discover(t.Context(), http.DefaultClient, d.base+path)
		if want != "" {
			if err == nil || !strings.Contains(err.Error(), want) || got != (devas.Server{}) {
				t.Errorf("%q: %+v %v", path, got, err)
			}
			continue
		}
		issuer := strings.TrimSuffix(got.Issuer, "/")
		if err != nil || issuer != strings.TrimSuffix(d.base+path, "/") || got.Introspection != got.Issuer+"/in" || got.JWKS != got.Issuer+"/keys" {
			t.Errorf("%q: %+v %v", path, got, err)
		}
	}
	for _, r := range d.asked() {
		if got := r.Header.Get("User-Agent"); got != version.Get().UserAgent() {
			t.Fatalf("User-Agent: %q", got)
		}
	}
	if _, err := devas.Discover(t.Context(), http.DefaultClient, "http://[::1"); err == nil || !strings.Contains(err.Error(), "is no address") {
		t.Errorf("no address: %v", err)
	}
	ln := listen(t)
	_ = ln.Close()
	if _, err := devas.Discover(t.Context(), http.DefaultClient, "http://"+ln.Addr().String()); err == nil || !strings.Contains(err.Error(), "does not answer") {
		t.Errorf("nobody there: %v", err)
	}
}

// A verifier that cannot be made yet is tried again with each token, and kept once it is
// there.
func TestLazyVerifier(t *testing.T) {
	tries, fails := 0, errors.New("not yet")
	v := devas.LazyVerifier(func(context.Context) (bearer.Verifier, error) {
		if tries++; tries < 3 {
			return nil, fails
		}
		return bearer.VerifierFunc(func(_ context.Context, token string) (bearer.Claims, error) {
			return bearer.Claims{Subject: token}, nil
		}), nil
	})
	for n := range 5 {
		c, err := v.Verify(t.Context(), "x")
		if n < 2 && !errors.Is(err, fails) || n >= 2 && (err != nil || c.Subject != "x") {
			t.Errorf("token %d: %+v %v", n, c, err)
		}
	}
	if tries != 3 {
		t.Errorf("it was made %d times", tries)
	}
}

// FetchKeys finds the keys by the metadata of the issuer, at whichever address it is.
func TestKeysOfAnIssuer(t *testing.T) {
	g, err := guard.New(guard.Options{})
	if err != nil {
		t.Fatal(err)
	}
	d := newDocuments(t)
	metadata := func(path, keys string) string {
		issuer := d.base + path
		return fmt.Sprintf(`{"issuer":%q,"authorization_endpoint":%q,"token_endpoint":%q,"response_types_supported":["code"],"code_challenge_methods_supported":["S256"]%s}`,
			issuer, issuer+"/a", issuer+"/t", keys)
	}
	names := func(path string) string { return fmt.Sprintf(`,"jwks_uri":%q`, d.base+path) }
	const set, openID = `{"keys":[]}`, "/.well-known/openid-configuration"
	d.put("/keys", 200, set)
	d.put("/bigkeys", 200, set+strings.Repeat(" ", 200<<10))
	d.put("/hugekeys", 200, set+strings.Repeat(" ", 300<<10))
	d.put("/nokeys", 500, set)
	d.put(wellKnown+"/a", 200, metadata("/a", names("/keys")))
	d.put(openID+"/b", 200, metadata("/b", names("/keys"))) // the second address
	d.put(wellKnown+"/c", 200, metadata("/c", ""))          // without keys, then with them
	d.put(openID+"/c", 200, metadata("/c", names("/keys")))
	d.put(wellKnown+"/d", 200, metadata("/other", names("/keys")))
	d.put(wellKnown+"/e", 200, metadata("/e", names("/nokeys")))
	d.put(wellKnown+"/f", 200, metadata("/f", names("/bigkeys")))
	d.put(wellKnown+"/g", 200, metadata("/g", names("/hugekeys")))
	d.at[wellKnown+"/h"] = func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }
	d.put(openID+"/h", 200, metadata("/h", names("/keys")))
	for _, at := range []string{wellKnown + "/down", openID + "/down", "/down" + openID} {
		d.at[at] = func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }
	}
	fetch := devas.FetchKeys(g, true)
	for path, want := range map[string]string{
		"/a": "", "/b": "", "/c": "", "/f": "", "/h": "",
		"/d": "no metadata that names its keys", "/none": "no metadata that names its keys",
		"/down": "was lost", "/e": "its keys cannot be read", "/g": "its keys cannot be read",
	} {
		keys, err := fetch(t.Context(), d.base+path)
		if want == "" && (err != nil || strings.TrimSpace(string(keys)) != set) {
			t.Errorf("%s: %d bytes, %v", path, len(keys), err)
		}
		if want != "" && (err == nil || !strings.Contains(err.Error(), want) || keys != nil) {
			t.Errorf("%s: %d bytes, %v", path, len(keys), err)
		}
	}
	before := len(d.asked())
	if _, err := devas.FetchKeys(g, false)(t.Context(), d.base+"/a"); err == nil || len(d.asked()) != before {
		t.Errorf("an issuer inside: %v", err)
	}
}
