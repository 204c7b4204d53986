package attack_test

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"
)

// answer is what a hostile server sends in place of what was asked for.
type answer struct {
	name string
	h    http.HandlerFunc
}

// bombs are 24 MiB of JSON in some KiB, and those again in a few hundred bytes.
var bombs = sync.OnceValues(func() (once, twice []byte) {
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	_, _ = z.Write([]byte(`{"issuer":"`))
	block := bytes.Repeat([]byte("a"), 1<<20)
	for range 24 {
		_, _ = z.Write(block)
	}
	_ = z.Close()
	once = b.Bytes()
	var c bytes.Buffer
	y := gzip.NewWriter(&c)
	_, _ = y.Write(once)
	_ = y.Close()
	return once, c.Bytes()
})

// says answers with a text.
func says(status int, kind, text string, header ...string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", kind)
		for i := 0; i+1 < len(header); i += 2 {
			w.Header().Add(header[i], header[i+1])
		}
		w.WriteHeader(status)
		_, _ = io.WriteString(w, text)
	}
}

// raw answers with bytes of its own in place of HTTP: with first, and then that many times
// with piece, at intervals. Then it closes the connection.
func raw(first, piece string, times int, every time.Duration) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		c, _, err := http.NewResponseController(w).Hijack()
		if err != nil {
			panic(err)
		}
		defer func() { _ = c.Close() }()
		_, err = io.WriteString(c, first)
		for i := 0; err == nil && i < times; i++ {
			time.Sleep(every)
			_, err = io.WriteString(c, piece)
		}
	}
}

// forever is how often a piece of an answer without end is sent: until nobody listens.
const forever = 1 << 40

const (
	okHead   = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
	someJSON = `{"issuer":"http://127.0.0.1:7001"}`
)

// around sends a redirect to another path of the same server, and back.
func around(status int) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		to := r.URL.Path + "/x"
		if strings.HasSuffix(r.URL.Path, "/x") {
			to = strings.TrimSuffix(r.URL.Path, "/x")
		}
		w.Header().Set("Location", to)
		w.WriteHeader(status)
	}
}

func redirect(status int, to string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Location", to)
		w.WriteHeader(status)
	}
}

// answers are given in place of every document and every token.
func answers() []answer {
	once, twice := bombs()
	deep := func(open string) string { return strings.Repeat(open, 200_000) }
	many := func(n int, item string) string { return "[" + strings.Repeat(item+",", n) + item + "]" }
	return []answer{
		{"a gzip bomb", says(200, "application/json", string(once), "Content-Encoding", "gzip")},
		{"a gzip bomb in another", says(200, "application/json", string(twice), "Content-Encoding", "gzip, gzip")},
		{"a gzip bomb that asks for more", says(401, "application/json", string(once), "Content-Encoding", "gzip", "WWW-Authenticate", `Bearer error="invalid_token"`)},
		{"gzip that is cut off", says(200, "application/json", string(once[:2000]), "Content-Encoding", "gzip")},
		{"an encoding that nobody asked for", says(200, "application/json", "\x28\xb5\x2f\xfd", "Content-Encoding", "zstd")},
		{"deep objects", says(200, "application/json", deep(`{"a":`))},
		{"deep lists", says(200, "application/json", deep(`[`))},
		{"deep in a member", says(200, "application/json", `{"issuer":`+deep(`[`))},
		{"a hundred thousand members", says(200, "application/json", `{"a":1`+strings.Repeat(`,"b":2`, 100_000)+`}`)},
		{"a number without end", says(200, "application/json", `{"expires_in":1`+strings.Repeat("0", 500_000)+`}`)},
		{"a member without end", says(200, "application/json", `{"`+strings.Repeat("n", 2<<20))},
		{"ten thousand issuers", says(200, "application/json", `{"resource":"http://127.0.0.1:7002/mcp","authorization_servers":`+many(10_000, `"http://127.0.0.1:7001/x"`)+`}`)},
		{"ten thousand scopes", says(200, "application/json", `{"resource":"http://127.0.0.1:7002/mcp","authorization_servers":["http://127.0.0.1:7001"],"scopes_supported":`+many(10_000, `"a"`)+`}`)},
		{"ten thousand challenges", says(401, "text/plain", "", strings.Split(strings.Repeat("WWW-Authenticate|Bearer a=b|", 10_000), "|")...)},
		{"a hundred 103", raw(strings.Repeat("HTTP/1.1 103 Early Hints\r\nLink: </>\r\n\r\n", 100), "", 0, 0)},
		{"103 without end", raw("", "HTTP/1.1 103 Early Hints\r\nLink: </>\r\n\r\n", forever, time.Millisecond)},
		{"100 without end, slowly", raw("", "HTTP/1.1 100 Continue\r\n\r\n", forever, 5*time.Second)},
		{"closed at once", raw("", "", 0, 0)},
		{"closed in the status", raw("HTTP/1.1 20", "", 0, 0)},
		{"closed in the header", raw("HTTP/1.1 200 OK\r\nContent-Ty", "", 0, 0)},
		{"closed in the body", raw(okHead+"Content-Length: 500\r\n\r\n{", "", 0, 0)},
		{"closed in a chunk", raw(okHead+"Transfer-Encoding: chunked\r\n\r\n20\r\n{", "", 0, 0)},
		{"longer than it says", raw(okHead+"Content-Length: 5\r\n\r\n"+someJSON, "", 0, 0)},
		{"shorter than it says", raw(okHead+"Content-Length: 5000\r\n\r\n"+someJSON, "", 0, 0)},
		{"two lengths", raw(okHead+"Content-Length: 5\r\nContent-Length: 34\r\n\r\n"+someJSON, "", 0, 0)},
		{"a length below zero", raw(okHead+"Content-Length: -1\r\n\r\n"+someJSON, "", 0, 0)},
		{"a length beyond all", raw(okHead+"Content-Length: 9223372036854775807\r\n\r\n"+someJSON, "", 0, 0)},
		{"a chunk beyond all", raw(okHead+"Transfer-Encoding: chunked\r\n\r\nffffffffffffffff\r\n"+someJSON, "", 0, 0)},
		{"a chunk's words without end", raw(okHead+"Transfer-Encoding: chunked\r\n\r\n1;", strings.Repeat("x", 4096), forever, time.Millisecond)},
		{"trailers without end", raw(okHead+"Transfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n", "T: "+strings.Repeat("x", 4096)+"\r\n", forever, time.Millisecond)},
		{"two answers at once", raw(strings.Repeat(okHead+"Content-Length: 34\r\n\r\n"+someJSON, 2), "", 0, 0)},
		{"a header without end", raw("HTTP/1.1 200 OK\r\n", "X-A: "+strings.Repeat("x", 4096)+"\r\n", forever, time.Millisecond)},
		{"a header line without end", raw("HTTP/1.1 200 OK\r\nX-A: ", strings.Repeat("x", 4096), forever, time.Millisecond)},
		{"a byte of the header every ten seconds", raw("HTTP/1.1 200 OK\r\nX-A: ", "x", forever, 10*time.Second)},
		{"a byte of the body every ten seconds", raw(okHead+"\r\n{", " ", forever, 10*time.Second)},
		{"a body without end", raw(okHead+"\r\n{", strings.Repeat(" ", 32<<10), forever, time.Microsecond)},
		{"silence", raw("", "", 1, 24*time.Hour)},
		{"not HTTP", raw("SSH-2.0-OpenSSH_9.9\r\n", "", 0, 0)},
		{"HTTP/2", raw("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "", 0, 0)},
		{"status 999", raw("HTTP/1.1 999 Odd\r\nContent-Length: 0\r\n\r\n", "", 0, 0)},
		{"status 101", raw("HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n", "", 0, 0)},
		{"redirects in a circle", around(302)},
		{"redirects in a circle that keep the method", around(307)},
		{"redirects to ever longer addresses", func(w http.ResponseWriter, r *http.Request) {
			redirect(302, r.URL.Path+"?n="+r.URL.RawQuery+strings.Repeat("x", 100))(w, r)
		}},
		{"a redirect to a metadata service", redirect(302, "http://169.254.169.254/latest")},
		{"a redirect to a private address", redirect(307, "http://10.1.2.3/")},
		{"a redirect to a host of its own", redirect(307, "https://elsewhere.example/")},
		{"a redirect to a program", redirect(302, "javascript:alert(1)")},
		{"a megabyte of address", redirect(302, "/"+strings.Repeat("x", 1<<19))},
		{"slow down, for a year", says(429, "application/json", `{"error":"slow_down"}`, "Retry-After", "31536000")},
		{"come back in the past", says(503, "text/plain", "", "Retry-After", "Thu, 01 Jan 1970 00:00:00 GMT")},
		{"escapes in a refusal", says(400, "application/json", escaped("error", "error_description", "error_uri"))},
		{"escapes in success", says(200, "application/json", escaped("issuer", "resource", "access_token", "token_type", "scope", "client_id"))},
		{"escapes in a page", says(500, "text/html; charset=\x1b", "<script>\x1b]0;x\x07"+nasty)},
		{"UTF-16", says(200, "application/json", "\xff\xfe{\x00}\x00")},
		{"half a letter", says(200, "application/json", "{\"issuer\":\"\xe2\x82\"}")},
		{"a lone surrogate", says(200, "application/json", `{"issuer":"\ud800","error":"\udfff"}`)},
		{"null", says(200, "application/json", "null")},
		{"nothing", says(200, "application/json", "")},
		{"no content", says(204, "application/json", "")},
	}
}

// nasty is what no terminal and no page should get: escape sequences, ends of lines,
// marks that turn the direction of writing, and invisible characters.
const nasty = "\x1b[2J\x1b]8;;http://evil.example\x07\r\n\x00\x7f\u0085\u009b31m\u202e\u2066\u200f\u061c"

func escaped(names ...string) string {
	m := map[string]string{}
	for _, n := range names {
		m[n] = n + nasty
	}
	b, _ := json.Marshal(m)
	return string(b)
}

// places are where the answers are given, with the meetings that ask there.
var places = []struct {
	server, path string
	meetings     []meeting
}{
	{"rs", "/.well-known/", []meeting{firstLogin}},
	{"as", "/.well-known/", []meeting{firstLogin}},
	{"as", "/register", []meeting{firstLogin}},
	{"as", "/token", []meeting{firstLogin, expired, moreScope}},
	{"as", "/revoke", []meeting{logOut}},
}

// at puts a hostile answer at a path of a server.
func (s *scene) at(server, path string, bad http.Handler) {
	at := &s.as
	if server == "rs" {
		at = &s.rs
	}
	at.wrap(func(good http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if strings.HasPrefix(r.URL.Path, path) {
				bad.ServeHTTP(w, r)
				return
			}
			good.ServeHTTP(w, r)
		})
	})
}

// TestHostileAnswers gives each answer at each place. In the short form each answer
// has one place or none, and each place gets its turn.
func TestHostileAnswers(t *testing.T) {
	n := 0
	for _, a := range answers() {
		for _, p := range places {
			for _, m := range p.meetings {
				if n++; !long && n%8 != 0 {
					continue
				}
				name := fmt.Sprintf("%s/%s%s/%s", a.name, p.server, p.path, m.name)
				t.Run(name, func(t *testing.T) {
					visit(t, world{name: name, meet: m, turn: func(s *scene) { s.at(p.server, p.path, a.h) }, want: want{leaves: p.path == "/revoke"}})
				})
			}
		}
	}
}

// TestHostileTexts puts marks and escapes after every text of every honest answer.
func TestHostileTexts(t *testing.T) {
	documents := []struct {
		server, path string
		members      []string
	}{
		{"rs", "/.well-known/", []string{"resource", "authorization_servers", "scopes_supported", "resource_name", "resource_documentation", "bearer_methods_supported"}},
		{"as", "/.well-known/", []string{"issuer", "authorization_endpoint", "token_endpoint", "registration_endpoint", "revocation_endpoint", "scopes_supported", "response_types_supported", "code_challenge_methods_supported", "token_endpoint_auth_methods_supported", "grant_types_supported", "service_documentation"}},
		{"as", "/register", []string{"client_id", "client_secret", "client_name", "redirect_uris", "scope", "token_endpoint_auth_method", "registration_client_uri", "registration_access_token"}},
		{"as", "/token", []string{"access_token", "refresh_token", "token_type", "scope", "id_token", "error", "error_description"}},
	}
	for _, d := range documents {
		for i, member := range d.members {
			if !long && i%3 != 0 {
				continue
			}
			t.Run(d.server+d.path+" "+member, func(t *testing.T) {
				visit(t, world{meet: firstLogin, turn: func(s *scene) { s.rewrite(d.server, d.path, member) }})
			})
		}
	}
}

// rewrite adds what is nasty to one member of an honest answer.
func (s *scene) rewrite(server, path, member string) {
	at := &s.as
	if server == "rs" {
		at = &s.rs
	}
	at.wrap(func(good http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if !strings.HasPrefix(r.URL.Path, path) {
				good.ServeHTTP(w, r)
				return
			}
			got := httptest.NewRecorder()
			good.ServeHTTP(got, r)
			var m map[string]any
			if json.Unmarshal(got.Body.Bytes(), &m) != nil {
				m = map[string]any{}
			}
			switch v := m[member].(type) {
			case []any:
				m[member] = append(v, nasty)
			case string:
				m[member] = v + nasty
			default:
				m[member] = nasty
			}
			b, _ := json.Marshal(m)
			for k, v := range got.Header() {
				w.Header()[k] = v
			}
			w.Header().Del("Content-Length")
			w.WriteHeader(got.Code)
			_, _ = w.Write(b)
		})
	})
}
