package bearer

import (
	"net/http"
	"strconv"
	"strings"

	"github.com/go-json-experiment/json"
)

// Metadata is the protected resource metadata document (RFC 9728 §2). Empty
// members are left out.
type Metadata struct {
	Resource             string   `json:"resource"`
	AuthorizationServers []string `json:"authorization_servers,omitempty"`
	ScopesSupported      []string `json:"scopes_supported,omitempty"`
	BearerMethods        []string `json:"bearer_methods_supported,omitempty"`
	Name                 string   `json:"resource_name,omitempty"`
	Documentation        string   `json:"resource_documentation,omitempty"`
	Policy               string   `json:"resource_policy_uri,omitempty"`
	Terms                string   `json:"resource_tos_uri,omitempty"`
	// DPoPAlgs and DPoPRequired follow Config.DPoP.
	DPoPAlgs     []string `json:"dpop_signing_alg_values_supported,omitempty"`
	DPoPRequired bool     `json:"dpop_bound_access_tokens_required,omitzero"`
}

func (m Metadata) encode() ([]byte, error) {
	if m.BearerMethods == nil {
		m.BearerMethods = []string{"header"}
	}
	return json.Marshal(m)
}

// MetadataURL is where the metadata of a resource is: the well-known string
// inserted between host and path (RFC 9728 §3.1).
func MetadataURL(resource string) string {
	scheme, rest, ok := strings.Cut(resource, "://")
	if !ok {
		return ""
	}
	n := strings.IndexAny(rest, "/?")
	if n < 0 {
		n = len(rest)
	}
	host, tail := rest[:n], rest[n:]
	if tail == "/" || strings.HasPrefix(tail, "/?") {
		tail = tail[1:]
	}
	return scheme + "://" + host + "/.well-known/oauth-protected-resource" + tail
}

// MetadataPath is the path of the metadata on this server.
func (g *Guard) MetadataPath() string { return g.path }

// MetadataHandler serves the metadata to everybody, browsers of any origin
// included (rs-prm-cors, prm-public).
func (g *Guard) MetadataHandler() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		if g.config.NoMetadata {
			http.NotFound(w, r)
			return
		}
		h.Set("Access-Control-Allow-Origin", "*")
		switch r.Method {
		case http.MethodOptions:
			h.Set("Access-Control-Allow-Methods", "GET, HEAD, OPTIONS")
			h.Set("Access-Control-Allow-Headers", "Content-Type, MCP-Protocol-Version")
			h.Set("Access-Control-Max-Age", "600")
			w.WriteHeader(http.StatusNoContent)
		case http.MethodGet, http.MethodHead:
			h.Set("Content-Type", "application/json")
			h.Set("Cache-Control", "public, max-age=300")
			h.Set("Content-Length", strconv.Itoa(len(g.metadata)))
			if r.Method == http.MethodGet {
				_, _ = w.Write(g.metadata)
			}
		default:
			h.Set("Allow", "GET, HEAD, OPTIONS")
			http.Error(w, "method not allowed", http.StatusMethodNotAllowed)
		}
	})
}

// Mount puts the protected handler at the resource's path and the metadata
// where clients look for it.
func (g *Guard) Mount(mux *http.ServeMux, next http.Handler) {
	path := strings.TrimPrefix(g.path, "/.well-known/oauth-protected-resource")
	if path == "" {
		path = "/"
	}
	protected := g.Handler(next)
	mux.Handle(path, protected)
	if !strings.HasSuffix(path, "/") {
		mux.Handle(path+"/", protected)
	}
	if !g.config.NoMetadata {
		mux.Handle(g.path, g.MetadataHandler())
	}
}
