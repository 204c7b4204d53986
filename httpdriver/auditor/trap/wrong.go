package trap

import (
	"encoding/json"
	"net/http"
	"strings"

	"github.com/stile-oauth/stile/fsm/audit"
	"github.com/stile-oauth/stile/states/wire"
)

// What the traps do that are about documents at the wrong place and answers that do not
// come.

// silent reports whether a request is the exchange that gets no answer.
func (s *stage) silent(body []byte) bool {
	form, _ := wire.DecodeForm(string(body))
	grant, _ := form.Get("grant_type")
	return s.trap.Silent && grant == "authorization_code"
}

// endless reports whether a request is one that is answered without end.
func (s *stage) endless(origin string, r *http.Request, body []byte) bool {
	role := s.roles[origin]
	switch s.trap.Endless {
	case audit.LegASM:
		return role == audit.RoleIssuer && isMetadata(r)
	case audit.LegPRM:
		return role == audit.RoleResource && strings.Contains(r.URL.Path, "protected-resource")
	case audit.LegToken:
		form, _ := wire.DecodeForm(string(body))
		grant, _ := form.Get("grant_type")
		return grant == "authorization_code"
	default:
		return false
	}
}

// rooted serves the metadata of an issuer with a path at the root only, where the trap
// says so. The document is the same.
func (s *stage) rooted(r *http.Request, b *buffered) {
	if !s.trap.RootMetadata {
		return
	}
	const root = "/.well-known/oauth-authorization-server"
	if r.URL.Path != root {
		*b = buffered{header: http.Header{}, status: http.StatusNotFound}
		return
	}
	again := r.Clone(r.Context())
	again.URL.Path = root + s.trap.IssuerPath
	*b = buffered{header: http.Header{}, status: http.StatusOK}
	(*s.handler[audit.RoleIssuer].Load()).ServeHTTP(b, again)
}

// luring answers an MCP request without a token with a redirect to the canary, if the
// trap says so.
func (s *stage) luring(h http.Handler) http.Handler {
	if !s.trap.Lures {
		return h
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") != "" || strings.HasPrefix(r.URL.Path, "/.well-known/") {
			h.ServeHTTP(w, r)
			return
		}
		http.Redirect(w, r, s.canary+"/login", http.StatusFound)
	})
}

// strange is what the canary serves: where the trap says so, metadata of a resource of its
// own, with the other issuer.
func (s *stage) strange() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !s.trap.StepElsewhere || r.Method != http.MethodGet || !strings.Contains(r.URL.Path, "protected-resource") {
			http.NotFound(w, r)
			return
		}
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(map[string]any{"resource": s.canary + "/mcp", "authorization_servers": []string{s.other}})
	})
}
