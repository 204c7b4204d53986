package attack_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stile-oauth/stile/states"
)

// TestChallengeLoops: a resource that is never content costs a bounded number of
// requests and of logins.
func TestChallengeLoops(t *testing.T) {
	refuse := func(status int, challenge func(n int) string) func(*scene) {
		n := 0
		return func(s *scene) {
			s.at("rs", "/mcp", http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				n++
				if c := challenge(n); c != "" {
					w.Header().Set("WWW-Authenticate", c)
				}
				w.WriteHeader(status)
			}))
		}
	}
	for _, c := range []struct {
		name string
		turn func(*scene)
	}{
		{"401 to every token", refuse(401, func(int) string { return `Bearer error="invalid_token"` })},
		{"401 without a challenge", refuse(401, func(int) string { return "" })},
		{"ever new scopes", refuse(403, func(n int) string {
			return fmt.Sprintf(`Bearer error="insufficient_scope", scope="user s%d"`, n)
		})},
		{"the same scope again and again", refuse(403, func(int) string { return `Bearer error="insufficient_scope", scope="admin"` })},
		{"a challenge of a megabyte", refuse(401, func(int) string { return `Bearer scope="` + strings.Repeat("x ", 300_000) + `"` })},
		{"metadata at itself", refuse(401, func(int) string { return `Bearer resource_metadata="http://127.0.0.1:7002/mcp"` })},
		{"metadata in a private network", refuse(401, func(int) string { return `Bearer resource_metadata="http://10.0.0.1/x"` })},
		{"metadata in a file", refuse(401, func(int) string { return `Bearer resource_metadata="file:///etc/passwd"` })},
		{"escapes in a challenge", refuse(403, func(int) string {
			return "Bearer error=\"insufficient_scope\", error_description=\"" + strings.NewReplacer("\r\n", "", "\x00", "").Replace(nasty) + "\", scope=\"a\u202eb\""
		})},
	} {
		for _, m := range []meeting{firstLogin, expired, moreScope} {
			t.Run(c.name+"/"+m.name, func(t *testing.T) {
				visit(t, world{meet: m, turn: c.turn, want: want{passes: true}})
			})
		}
	}
}

// sixteen makes a server that lists sixteen issuers, all of which do the same.
func sixteen(do http.HandlerFunc) func(*scene) {
	return func(s *scene) {
		var list []string
		for i := range 16 {
			list = append(list, fmt.Sprintf("%s/%d", s.issuer, i))
		}
		b, _ := json.Marshal(map[string]any{"resource": s.server, "authorization_servers": list})
		s.at("rs", "/.well-known/", says(200, "application/json", string(b)))
		s.at("as", "/", do)
	}
}

// TestManyIssuers: each of sixteen issuers that a server names is silent, and the
// login still has one minute for all of them; or each answers at once that it has
// nothing, and a login asks for a bounded number of documents.
func TestManyIssuers(t *testing.T) {
	visit(t, world{
		meet: firstLogin, turn: sixteen(raw("", "", 1, 24*time.Hour)),
		want: want{ends: "fault", within: 61 * time.Second, requests: 42, party: states.PartyNetwork},
	})
	visit(t, world{
		meet: firstLogin, turn: sixteen(says(404, "text/plain", "nothing here")),
		want: want{ends: "fault", within: time.Second, requests: 42},
	})
	visit(t, world{ // and one that is silent
		meet: firstLogin, turn: func(s *scene) { s.at("as", "/", raw("", "", 1, 24*time.Hour)) },
		want: want{ends: "fault", within: 61 * time.Second, requests: 10, party: states.PartyNetwork},
	})
}
