package devas_test

import (
	"bufio"
	"bytes"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stile-oauth/stile/httpdriver/devas"
)

// FuzzRequests writes anything to the development servers: forms, cookies,
// JSON, calls of tools. There is always an answer, none of its headers can be
// split, no cookie is open to scripts, and nobody gets to a tool.
func FuzzRequests(f *testing.F) {
	const issuer, resource = "http://127.0.0.1:9000", "http://127.0.0.1:8001/mcp"
	noon := func() time.Time { return time.Date(2026, 7, 28, 12, 0, 0, 0, time.UTC) }
	ac := devas.DefaultAS(issuer)
	ac.Now, ac.Seed, ac.Tenants = noon, []byte("seed"), []string{"team-a"}
	as, err := devas.NewAS(ac)
	if err != nil {
		f.Fatal(err)
	}
	rc, err := introspecting(resource, devas.Server{Issuer: issuer, Introspection: issuer + "/introspect"})
	if err != nil {
		f.Fatal(err)
	}
	rc.Now = noon
	rs, err := devas.NewRS(rc)
	if err != nil {
		f.Fatal(err)
	}
	const as9, rs8 = "Host: 127.0.0.1:9000\r\n", "Host: 127.0.0.1:8001\r\n"
	form := func(path, body string) string {
		return "POST " + path + " HTTP/1.1\r\n" + as9 + fmt.Sprintf("Content-Type: application/x-www-form-urlencoded\r\nContent-Length: %d\r\n\r\n", len(body)) + body
	}
	for _, s := range []string{
		"GET /.well-known/oauth-authorization-server/team-a HTTP/1.1\r\n" + as9 + "\r\n",
		"GET /authorize?client_id=x&redirect_uri=http%3A%2F%2F127.0.0.1%2Fcb&state=%0d%0a HTTP/1.1\r\n" + as9 + "Cookie: stile_as_00000000=x; a=\"b\r\n\r\n",
		form("/token", "grant_type=client_credentials&client_id=rs&scope=%zz"), form("/login", "ticket=x&csrf=y&username=demo&password=demo"),
		"POST /register HTTP/1.1\r\n" + as9 + "Content-Type: application/json\r\nContent-Length: 42\r\n\r\n{\"redirect_uris\":[\"http://127.0.0.1/cb\"]} ",
		"OPTIONS /token HTTP/1.1\r\n" + as9 + "Origin: https://evil.example\r\n\r\n",
		"POST /mcp HTTP/1.1\r\n" + rs8 + "Authorization: Bearer x\r\nContent-Type: application/json\r\nContent-Length: 41\r\n\r\n{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"ping\"} ",
		"GET /.well-known/oauth-protected-resource/mcp HTTP/1.1\r\n" + rs8 + "\r\n", "DELETE /mcp HTTP/1.0\r\n\r\n",
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		for _, h := range []struct {
			name    string
			handler http.Handler
		}{{"as", as}, {"rs", rs}} {
			q, err := http.ReadRequest(bufio.NewReader(bytes.NewReader(b)))
			if err != nil {
				return
			}
			q.RemoteAddr = "127.0.0.1:1"
			w := httptest.NewRecorder()
			h.handler.ServeHTTP(w, q)
			if w.Code < 200 || w.Code > 599 {
				t.Fatalf("%s: status %d", h.name, w.Code)
			}
			for name, values := range w.Header() {
				for _, v := range values {
					if strings.ContainsAny(v, "\r\n\x00") {
						t.Fatalf("%s: %s can be split: %q", h.name, name, v)
					}
					if name == "Set-Cookie" && !strings.Contains(v, "; HttpOnly; SameSite=Lax") {
						t.Fatalf("%s: cookie %q", h.name, v)
					}
				}
			}
			if h.name == "rs" && w.Code == 200 && q.Method != "OPTIONS" && !strings.Contains(q.URL.Path, "well-known") {
				t.Fatalf("%s %s was answered without a token", q.Method, q.URL)
			}
		}
	})
}

// FuzzStateFile: a state file gives exactly the state that it holds, or it is
// refused and left as it is.
func FuzzStateFile(f *testing.F) {
	path := filepath.Join(f.TempDir(), "state.json")
	config := func() devas.ASConfig {
		c := devas.DefaultAS("http://127.0.0.1:9000")
		c.StateFile, c.Seed = path, []byte("seed")
		return c
	}
	as, err := devas.NewAS(config())
	if err != nil {
		f.Fatal(err)
	}
	register := httptest.NewRequest("POST", "http://127.0.0.1:9000/register", strings.NewReader(`{"redirect_uris":["http://127.0.0.1/cb"]}`))
	register.Header.Set("Content-Type", "application/json")
	as.ServeHTTP(httptest.NewRecorder(), register)
	kept, err := os.ReadFile(path)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(kept)
	f.Add([]byte(`{"version":1,"tenants":[{"issuer":"http://127.0.0.1:9000","state":{"draws":1,"clients":[{}],"grants":[{}],"tallies":[{"until":"0001-01-01T00:00:00Z"}]}}]}`))
	f.Add([]byte(`{"version":2}`))
	f.Add([]byte(`{"version":1,"tenants":null}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		if err := os.WriteFile(path, b, 0o600); err != nil {
			t.Fatal(err)
		}
		as, err := devas.NewAS(config())
		if err != nil {
			if now, err := os.ReadFile(path); err != nil || !bytes.Equal(now, b) {
				t.Fatalf("what was refused was changed: %v", err)
			}
			return
		}
		for _, ask := range []string{"GET /authorize?client_id=&redirect_uri=&response_type=code", "POST /token", "POST /register", "POST /introspect", "POST /revoke", "POST /login", "POST /consent", "GET /register/"} {
			method, path, _ := strings.Cut(ask, " ")
			q := httptest.NewRequest(method, "http://127.0.0.1:9000"+path, strings.NewReader("client_id=&code=&token=&ticket=&grant_type=refresh_token&refresh_token="))
			q.Header.Set("Content-Type", "application/x-www-form-urlencoded")
			w := httptest.NewRecorder()
			as.ServeHTTP(w, q)
			if w.Code < 200 || w.Code > 599 {
				t.Fatalf("%s: status %d", ask, w.Code)
			}
		}
	})
}
