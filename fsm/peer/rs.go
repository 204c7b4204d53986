package peer

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/stile-oauth/stile/states/wire"
)

// ScopeRule says which scopes a request needs beyond the basic ones. Empty
// members match everything.
type ScopeRule struct {
	Method string // HTTP method
	Path   string // exact path
	Tool   string // name of the MCP tool that a tools/call names
	Scopes []string
}

// RSConfig says how a resource server behaves.
type RSConfig struct {
	// Resource is its identifier and address (RFC 9728 §1.2, RFC 8707 §2).
	Resource string
	// AuthorizationServers are the issuers that it names.
	AuthorizationServers []string
	// Scopes every request needs; ScopesSupported is published and defaults to
	// them. Rules add to them.
	Scopes          []string
	ScopesSupported []string
	Rules           []ScopeRule
	// Implies lists broad scopes with the narrow ones they hold: {"admin",
	// "user"} (stepup-server-hierarchy).
	Implies [][2]string
	Name    string
	// NoMetadata serves no RFC 9728 document and names none: MCP 2025-03-26.
	NoMetadata bool
	// NoAudience accepts tokens without an audience; a wrong one is still
	// refused.
	NoAudience bool
	Faults     []string
	// DPoP is whether tokens bound to keys are accepted (RFC 9449), or only those; it
	// needs Verify. DPoPNonces demands that proofs hold a nonce of this server.
	DPoP       DPoP
	DPoPNonces bool
	// Sessions begins a session at initialize, for the user of the token (MCP 2025-11-25,
	// "Session Management"). Seed is what its id is drawn from.
	Sessions bool
	Seed     []byte
	// SameOrigin refuses what a web page of another origin sends.
	SameOrigin bool
	// Verify is ASConfig.Verify.
	Verify func(jws string, jwks []byte) (header, claims []byte, ok bool)
}

// RS is a protected resource: an MCP endpoint that decides which requests may pass.
type RS struct {
	config RSConfig
	faults faultSet
	fired  []tally
	seen   []tally // the proofs that were used
	// sessions are those that were begun, and turn changes with the fault challenge-unstable.
	sessions []session
	begun    uint64
	turn     bool
	// ahead and endless say which faults about proofs act on the request being answered.
	ahead, endless bool
	acted          string // the fault that acted last in the call of Judge that is running
}

// Verify says what is known of a token; AS.Introspect is one.
type Verify func(at time.Time, token string) Introspection

// NewRS checks the configuration.
func NewRS(c RSConfig) (*RS, error) {
	if !sound(c.Resource) {
		return nil, fmt.Errorf("peer: the resource %q is not an https URL, or http on loopback, without fragment", c.Resource)
	}
	if c.ScopesSupported == nil {
		c.ScopesSupported = c.Scopes
	}
	if c.DPoP != NoDPoP && c.Verify == nil {
		return nil, fmt.Errorf("peer: DPoP needs Verify")
	}
	faults, err := arm(c.Faults, sideRS)
	if err != nil {
		return nil, err
	}
	return &RS{config: c, faults: faults}, nil
}

// Clone returns a server with the same past and its own future.
func (s *RS) Clone() *RS {
	c := *s
	c.fired, c.seen, c.sessions = slices.Clone(s.fired), slices.Clone(s.seen), slices.Clone(s.sessions)
	return &c
}

// Resource returns the identifier as configured.
func (s *RS) Resource() string { return s.config.Resource }

// prmAddress inserts the well-known string between host and path (RFC 9728
// §3.1).
func prmAddress(resource string) string {
	origin, path, query := split(resource)
	if path == "/" {
		path = ""
	}
	if query != "" {
		query = "?" + query
	}
	return origin + "/.well-known/oauth-protected-resource" + path + query
}

// Serves says whether the URL is the resource, below it, or its metadata.
func (s *RS) Serves(url string) bool { return s.place(url) != "" }

func (s *RS) place(url string) string {
	origin, path, _ := split(url)
	mine, base, _ := split(s.config.Resource)
	if host, plain := strings.CutPrefix(origin, "http://"); plain && strings.HasPrefix(mine, "https://") && s.faults.has("rs-over-http") {
		origin = "https://" + host
	}
	if !strings.EqualFold(origin, mine) {
		return ""
	}
	_, inserted, _ := split(prmAddress(s.config.Resource))
	if strings.HasPrefix(path, "/.well-known/oauth-protected-resource/") && s.faults.has("prm-any-path") {
		return "prm"
	}
	if path == inserted || path == "/.well-known/oauth-protected-resource" {
		return "prm"
	}
	if path == base || strings.HasPrefix(path, strings.TrimSuffix(base, "/")+"/") && !strings.HasPrefix(path, "/.well-known/") {
		return "mcp"
	}
	return ""
}

// Answer answers one request: metadata, a challenge, or, with a good token, a
// JSON object that says who called.
func (s *RS) Answer(at time.Time, req wire.Request, verify Verify) wire.Response {
	r, who := s.judge(at, req, verify)
	if r == nil {
		r = &reply{status: 200, doc: document{
			{"jsonrpc", "2.0"}, {"id", requestID(req.Body)},
			{"result", document{{"subject", who.Subject}, {"client_id", who.ClientID}, {"scope", strings.Join(who.Scopes, " ")}}},
		}}
		s.beginSession(r, req, who)
	}
	s.proved(at, req, r)
	s.distort(r, req)
	return r.response()
}

// Judgment is the result of Judge: the answer and the reason for it, or, where
// Pass is true, who may go on.
type Judgment struct {
	Response wire.Response
	Verdict  Verdict
	Who      Introspection
	Pass     bool
}

// Judge is Answer for a server that has content of its own: Pass says that the
// request may go on, and Who sent it. Faults act on the refusals; one that
// spoils an accepted request turns it into a refusal.
func (s *RS) Judge(at time.Time, req wire.Request, verify Verify) Judgment {
	s.acted = ""
	r, who := s.judge(at, req, verify)
	granted := r == nil
	if granted {
		r = &reply{status: 200}
	}
	s.proved(at, req, r)
	why := Verdict{Rule: r.rule, Detail: r.detail}
	changed := s.distort(r, req)
	why.Fault = s.acted
	return Judgment{r.response(), why, who, granted && !changed}
}

func (s *RS) judge(at time.Time, req wire.Request, verify Verify) (*reply, Introspection) {
	s.ahead, s.endless = false, false
	switch s.place(req.URL) {
	case "prm":
		return s.metadata(req), Introspection{}
	case "mcp":
		return s.protect(at, req, verify)
	}
	return notFound(), Introspection{}
}

// metadata is the RFC 9728 §2 document, at the inserted and the root address.
func (s *RS) metadata(req wire.Request) *reply {
	switch {
	case s.config.NoMetadata:
		return notFound()
	case req.Method == "OPTIONS":
		return preflight("GET")
	case req.Method != "GET" && req.Method != "HEAD":
		return notAllowed("GET")
	}
	r := open(&reply{status: 200})
	r.set("Cache-Control", "public, max-age=300")
	r.doc.put("resource", s.config.Resource)
	if at, _, _ := split(prmAddress(s.config.Resource)); s.faults.has("prm-any-path") {
		if _, path, _ := split(req.URL); strings.TrimPrefix(path, "/.well-known/oauth-protected-resource") != "" {
			r.doc.put("resource", at+strings.TrimPrefix(path, "/.well-known/oauth-protected-resource"))
		}
	}
	r.doc.add("authorization_servers", s.config.AuthorizationServers)
	r.doc.add("scopes_supported", s.config.ScopesSupported)
	r.doc.put("bearer_methods_supported", []string{"header"})
	r.doc.add("resource_name", s.config.Name)
	if s.config.DPoP != NoDPoP {
		r.doc.put("dpop_signing_alg_values_supported", proofAlgs)
		r.doc.add("dpop_bound_access_tokens_required", s.config.DPoP == DPoPRequired)
	}
	return r
}

// distort applies the transforming faults that act on this request, and says
// whether one did.
func (s *RS) distort(r *reply, req wire.Request) bool {
	origin, _, _ := split(s.config.Resource)
	name := s.faults.distort(&s.fired, s.place(req.URL), r, scene{base: origin, issuer: s.config.Resource, req: req})
	if name == "" {
		return false
	}
	s.acted = name
	return true
}

func (s *RS) faulty(name string) bool {
	acts := s.faults.decide(&s.fired, name)
	if acts {
		s.acted = name
	}
	return acts
}
