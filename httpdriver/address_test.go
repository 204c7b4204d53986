package httpdriver_test

import (
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/stile-oauth/stile/httpdriver"
	"github.com/stile-oauth/stile/states"
)

// statusAt asks for an address with the credential of the world's server.
func statusAt(t *testing.T, c *http.Client, url string) (int, error) {
	t.Helper()
	resp, err := c.Get(url)
	if err != nil {
		return 0, err
	}
	_ = resp.Body.Close()
	return resp.StatusCode, nil
}

// TestEscapedAddress: whatever RFC 3986 lets a path hold, a server is logged in to
// and called at it; its token goes there and below, by the escaped form, and not to
// an address that only looks the same when it is decoded.
func TestEscapedAddress(t *testing.T) {
	for path, elsewhere := range map[string][]string{
		"/my%20server/mcp":        {"/my%2520server/mcp", "/my+server/mcp", "/my%20server%2Fmcp", "/my%20server"},
		"/a%2Fb/mcp":              {"/a/b/mcp", "/a%252Fb/mcp", "/a%2Fb/mcp/%2e%2e/x", "/a%2Fb/mcp%2Fx"},
		"/a/b":                    {"/a%2Fb", "/a%2Fb/c", "/a/bc"},
		"/~x/(y);v=1,2/m:c@p!$&'": {"/~x/(y)", "/~x/(y);v=1,2/m:c@p"},
		"/caf%C3%A9/100%25/mcp":   {"/caf%C3%A8/100%25/mcp", "/caf%C3%A9/100%2525/mcp"},
	} {
		t.Run(path, func(t *testing.T) {
			var server string
			w := newWorld(t, func(s setup) {
				server = strings.TrimSuffix(s.RS.Resource, "/mcp") + path
				s.RS.Resource = server
			})
			w.Server = server
			c := w.client(t, w.driver(t))
			w.call(t, c)
			w.call(t, w.client(t, w.driver(t))) // another process
			if status, err := statusAt(t, c, server+"/below?x=%20%2F"); err != nil || status != 200 {
				t.Errorf("below it: %d %v", status, err)
			}
			origin := strings.TrimSuffix(server, path)
			for _, other := range elsewhere {
				if status, err := statusAt(t, c, origin+other); !errors.Is(err, httpdriver.ErrOutside) {
					t.Errorf("the token goes to %s: %d %v", other, status, err)
				}
			}
		})
	}
}

// TestResourceAlias: a server whose metadata names another resource is logged in to
// under a pinned alias, and the token goes to the address that the user configured,
// and to no other of that server.
func TestResourceAlias(t *testing.T) {
	var issuer, alias string
	asked := func(w http.ResponseWriter, r *http.Request) {
		switch {
		case strings.HasPrefix(r.URL.Path, "/.well-known/oauth-protected-resource"):
			w.Header().Set("Content-Type", "application/json")
			_, _ = fmt.Fprintf(w, `{"resource":%q,"authorization_servers":[%q],"scopes_supported":["user"]}`, alias, issuer)
		case strings.HasPrefix(r.Header.Get("Authorization"), "Bearer "):
			w.Header().Set("Content-Type", "text/event-stream")
			_, _ = w.Write([]byte("event: endpoint\ndata: /messages\n\n"))
		default:
			w.Header().Set("WWW-Authenticate", `Bearer scope="user"`)
			w.WriteHeader(http.StatusUnauthorized)
		}
	}
	w := newWorld(t, func(s setup) {
		issuer, alias = s.AS.Issuer, strings.TrimSuffix(s.RS.Resource, "/mcp")+"/public"
		s.Wrap["rs"] = func(http.Handler) http.Handler { return http.HandlerFunc(asked) }
	})
	if status, _, err := w.post(t.Context(), w.client(t, w.driver(t)), ping); err == nil {
		t.Fatalf("without the alias: %d", status)
	}
	quirk := states.Quirk{Name: states.ResourceAlias, Values: []string{w.Server, alias}}
	d := w.driver(t, func(o *httpdriver.Options) { o.Policy.Quirks = []states.Quirk{quirk} })
	c := w.client(t, d)
	w.call(t, c)
	w.call(t, c)
	w.call(t, w.client(t, w.driver(t))) // another process reads of the alias in the record
	for _, other := range []string{w.Server + "/below", w.Server + "?x=1", w.Server + "/../other", alias} {
		if status, err := statusAt(t, c, other); !errors.Is(err, httpdriver.ErrOutside) {
			t.Errorf("the token goes to %s: %d %v", other, status, err)
		}
	}
	if err := readTo(t, c.Transport, http.MethodGet, w.Server); err != nil {
		t.Fatal(err)
	}
	if err := readTo(t, c.Transport, http.MethodPost, strings.TrimSuffix(w.Server, "/mcp")+"/messages"); !errors.Is(err, httpdriver.ErrOutside) {
		t.Errorf("the token goes where a stream says: %v", err)
	}
}
