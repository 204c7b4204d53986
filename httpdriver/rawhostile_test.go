package httpdriver_test

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"
)

// bomb is 16 MiB of JSON in a few KiB: far past every limit.
var bomb = sync.OnceValue(func() []byte {
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	_, _ = z.Write([]byte(`{"issuer":"`))
	block := bytes.Repeat([]byte("a"), 1<<20)
	for range 16 {
		_, _ = z.Write(block)
	}
	_ = z.Close()
	return b.Bytes()
})

func redirectTo(status int, to string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Location", to)
		w.WriteHeader(status)
	}
}

func says(status int, kind, text string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", kind)
		w.WriteHeader(status)
		_, _ = io.WriteString(w, text)
	}
}

// hijacked takes the connection away from HTTP.
func hijacked(text string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		c, _, err := http.NewResponseController(w).Hijack()
		if err != nil {
			panic(err)
		}
		_, _ = io.WriteString(c, text)
		_ = c.Close()
	}
}

// endless writes a piece again and again until nobody listens.
func endless(piece string, every time.Duration) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		for r.Context().Err() == nil {
			if _, err := io.WriteString(w, piece); err != nil {
				return
			}
			_ = http.NewResponseController(w).Flush()
			select {
			case <-time.After(every):
			case <-r.Context().Done():
			}
		}
	}
}

// poison is what a peer may write to reach a terminal or a page.
const poison = `{"error":"\u001b[2J\u001b]0;owned\u0007","error_description":"\u001b[31m<script>alert(1)</script>\r\nSet-Cookie: x","error_uri":"javascript:alert(1)"}`

// worst are answers that no document can be made of, whatever is asked.
var worst = []struct {
	name string
	h    http.HandlerFunc
}{
	{"gzip bomb", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		w.Header().Set("Content-Encoding", "gzip")
		_, _ = w.Write(bomb())
	}},
	{"broken gzip", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		w.Header().Set("Content-Encoding", "gzip")
		_, _ = w.Write(bomb()[:1000])
	}},
	{"a byte every five seconds", endless(" ", 5*time.Second)},
	{"no end", endless(strings.Repeat(" ", 64<<10), 0)},
	{"no answer", func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }},
	{"a megabyte of header", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("X-Much", strings.Repeat("x", 1<<20))
		_, _ = io.WriteString(w, "{}")
	}},
	{"closed at once", hijacked("")},
	{"closed in the middle", hijacked("HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 1000\r\n\r\n{")},
	{"no HTTP", hijacked("SSH-2.0-OpenSSH_9.9\r\n")},
	{"status 99", hijacked("HTTP/1.1 099 Odd\r\nContent-Length: 0\r\n\r\n")},
	{"status 204", says(204, "application/json", "")},
	{"status 304", says(304, "application/json", "")},
	{"a redirect to a metadata service", redirectTo(302, "http://169.254.169.254/latest/meta-data/")},
	{"a redirect to a private address", redirectTo(307, "https://10.0.0.1/oauth")},
	{"a redirect to a private IPv6 address", redirectTo(308, "https://[fd00::1]/oauth")},
	{"a redirect to a file", redirectTo(302, "file:///etc/passwd")},
	{"a redirect to another origin", redirectTo(307, "https://elsewhere.example/oauth")},
	{"redirects without end", func(w http.ResponseWriter, r *http.Request) {
		redirectTo(302, "?n="+r.URL.RawQuery+"1")(w, r)
	}},
	{"a refusal with terminal escapes", says(400, "application/json", poison)},
	{"success with terminal escapes", says(200, "application/json", poison)},
	{"text with terminal escapes", says(500, "text/plain", "\x1b[2J\x1b]0;owned\x07\r\n<script>alert(1)</script>")},
	{"deep JSON", says(200, "application/json", strings.Repeat(`{"a":`, 100_000))},
	{"invalid UTF-8", says(200, "application/json", "{\"issuer\":\"\xff\xfe\"}")},
	{"UTF-16", says(200, "application/json; charset=utf-16", "\xff\xfe{\x00}\x00")},
	{"null", says(200, "application/json", "null")},
}

// TestWorstAnswers puts each of them at each address that the driver asks, in
// every meeting that asks it.
func TestWorstAnswers(t *testing.T) { meetWorst(t, nthFault) }

func meetWorst(t *testing.T, nth int) {
	places := []struct {
		server, path string
		meetings     []int
	}{
		{"rs", "/.well-known/", []int{0, 2}}, {"as", "/.well-known/", []int{0, 2}}, {"as", "/register", []int{0}}, {"as", "/token", []int{0, 1, 2, 3}},
	}
	lines := make([]string, len(worst))
	t.Run("each", func(t *testing.T) {
		for i, bad := range worst {
			if i%nth != 0 {
				continue
			}
			t.Run(bad.name, func(t *testing.T) {
				t.Parallel()
				lines[i] = bad.name
				for _, p := range places {
					for _, n := range p.meetings {
						play(t, func(s *scene) {
							m := meetings[n]
							lines[i] += fmt.Sprintf("\n  %s %s, %s: %s", p.server, p.path, m.name, m.meet(s, func() { s.place(p.server, p.path, bad.h) }))
							s.clean(false)
						})
					}
				}
				play(t, func(s *scene) {
					s.call(s.t, s.c)
					s.place("as", "/revoke", bad.h)
					err := s.d.Logout(s.t.Context(), s.account())
					if err != nil {
						lines[i] += "\n  log out: " + s.verdict(0, err)
					}
					if s.kept() != nil {
						s.t.Error("the credential is still there after the logout")
					}
					s.clean(false)
				})
			})
		}
	})
	golden(t, "worst.golden", lines)
}

// place puts a handler at one path of a server.
func (s *scene) place(server, path string, bad http.Handler) {
	good := *s.now[server].Load()
	s.swap(server, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasPrefix(r.URL.Path, path) {
			bad.ServeHTTP(w, r)
			return
		}
		good.ServeHTTP(w, r)
	}))
}
