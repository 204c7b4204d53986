package peer

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/go-json-experiment/json/jsontext"

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
}

// RS is a protected resource: an MCP endpoint that tells who may come in.
type RS struct {
	config RSConfig
	faults []armed
	fired  []tally
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
	faults, err := arm(c.Faults, sideRS)
	if err != nil {
		return nil, err
	}
	return &RS{config: c, faults: faults}, nil
}

// Clone returns a server with the same past and its own future.
func (s *RS) Clone() *RS {
	c := *s
	c.fired = slices.Clone(s.fired)
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
	if !strings.EqualFold(origin, mine) {
		return ""
	}
	_, inserted, _ := split(prmAddress(s.config.Resource))
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
	}
	s.distort(r, req)
	return r.response()
}

// Judge is Answer for a server that has content of its own: pass says that
// the request may go on, and who sent it. Faults act on the refusals; one that
// spoils an accepted request turns it into a refusal.
func (s *RS) Judge(at time.Time, req wire.Request, verify Verify) (resp wire.Response, who Introspection, pass bool) {
	r, who := s.judge(at, req, verify)
	granted := r == nil
	if granted {
		r = &reply{status: 200}
	}
	changed := s.distort(r, req)
	return r.response(), who, granted && !changed
}

func (s *RS) judge(at time.Time, req wire.Request, verify Verify) (*reply, Introspection) {
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
	r.doc.add("authorization_servers", s.config.AuthorizationServers)
	r.doc.add("scopes_supported", s.config.ScopesSupported)
	r.doc.put("bearer_methods_supported", []string{"header"})
	r.doc.add("resource_name", s.config.Name)
	return r
}

// protect decides about a request to the resource itself: nil lets it pass.
func (s *RS) protect(at time.Time, req wire.Request, verify Verify) (*reply, Introspection) {
	prm := prmAddress(s.config.Resource)
	if s.config.NoMetadata {
		prm = ""
	}
	need := s.needs(req)
	fields := req.Header.Header("Authorization")
	if req.Method == "GET" && s.faulty("get-unprotected") {
		return nil, Introspection{Subject: "anybody"}
	}
	switch {
	case len(fields) == 0:
		return refuse(401, "", need, prm), Introspection{}
	case len(fields) > 1:
		return refuse(400, "invalid_request", nil, prm), Introspection{}
	}
	scheme, token, _ := strings.Cut(fields[0], " ")
	if !strings.EqualFold(scheme, "Bearer") {
		return refuse(401, "", need, prm), Introspection{}
	}
	if token == "" || strings.ContainsAny(token, " \t,") {
		return refuse(400, "invalid_request", nil, prm), Introspection{}
	}
	who := verify(at, token)
	if !who.Active || !at.Before(who.Expires) || !s.trusts(who.Issuer) {
		if s.faulty("expiry-unchecked") {
			return nil, who
		}
		return refuse(401, "invalid_token", need, prm), Introspection{}
	}
	if !s.meant(who.Audience) && !s.faulty("audience-unchecked") {
		return refuse(401, "invalid_token", need, prm), Introspection{}
	}
	if !within(need, s.holds(who.Scopes)) {
		return refuse(403, "insufficient_scope", need, prm), Introspection{}
	}
	return nil, who
}

func (s *RS) trusts(issuer string) bool {
	return len(s.config.AuthorizationServers) == 0 || slices.Contains(s.config.AuthorizationServers, issuer)
}

// meant says that the audience names this resource, give or take one slash.
func (s *RS) meant(audience []string) bool {
	if len(audience) == 0 {
		return s.config.NoAudience
	}
	return slices.ContainsFunc(audience, func(a string) bool {
		return a == s.config.Resource || a == otherSlash(s.config.Resource)
	})
}

func (s *RS) holds(have []string) []string {
	out := slices.Clone(have)
	for range s.config.Implies {
		for _, i := range s.config.Implies {
			if slices.Contains(out, i[0]) && !slices.Contains(out, i[1]) {
				out = append(out, i[1])
			}
		}
	}
	return out
}

// needs are all scopes of an operation at once, the same for the same
// operation (stepup-server-complete, stepup-server-consistent).
func (s *RS) needs(req wire.Request) []string {
	out := slices.Clone(s.config.Scopes)
	_, path, _ := split(req.URL)
	tool := calledTool(req.Body)
	for _, r := range s.config.Rules {
		if (r.Method == "" || r.Method == req.Method) && (r.Path == "" || r.Path == path) && (r.Tool == "" || r.Tool == tool) {
			for _, x := range r.Scopes {
				if !slices.Contains(out, x) {
					out = append(out, x)
				}
			}
		}
	}
	return out
}

// refuse is a refusal with its challenge. The body repeats it for people.
func refuse(status int, code string, need []string, prm string) *reply {
	r := &reply{status: status}
	r.doc.put("error", code)
	if code == "" {
		r.doc.put("error", "unauthorized")
	}
	r.doc.add("scope", strings.Join(need, " "))
	r.set("WWW-Authenticate", challenge(code, need, prm))
	noStore(r)
	return r
}

// challenge writes a Bearer challenge (RFC 6750 §3, RFC 9728 §5.1).
func challenge(code string, need []string, prm string) string {
	var params []string
	add := func(name, v string) {
		if v != "" {
			v = strings.ReplaceAll(strings.ReplaceAll(v, `\`, `\\`), `"`, `\"`)
			params = append(params, name+`="`+v+`"`)
		}
	}
	add("error", code)
	add("scope", strings.Join(need, " "))
	add("resource_metadata", prm)
	if len(params) == 0 {
		add("realm", "mcp")
	}
	return "Bearer " + strings.Join(params, ", ")
}

func (s *RS) distort(r *reply, req wire.Request) bool {
	where := s.place(req.URL)
	origin, _, _ := split(s.config.Resource)
	changed := false
	for _, f := range s.faults {
		if f.fault.apply == nil || f.fault.Endpoint != where || f.left >= 0 && s.count(f.fault.Name, 0) >= f.left {
			continue
		}
		if f.fault.apply(r, scene{base: origin, issuer: s.config.Resource, req: req}) {
			changed = true
			if f.left >= 0 {
				s.count(f.fault.Name, 1)
			}
		}
	}
	return changed
}

func (s *RS) faulty(name string) bool {
	for _, f := range s.faults {
		if f.fault.Name == name && (f.left < 0 || s.count(name, 0) < f.left) {
			if f.left >= 0 {
				s.count(name, 1)
			}
			return true
		}
	}
	return false
}

func (s *RS) count(name string, add int) int {
	for i := range s.fired {
		if s.fired[i].Key == name {
			s.fired[i].Count += add
			return s.fired[i].Count
		}
	}
	if add > 0 {
		s.fired = append(s.fired, tally{Key: name, Count: add})
	}
	return add
}

// requestID copies the JSON-RPC id, or null.
func requestID(body []byte) jsontext.Value {
	var m rpc
	if m.read(body) && len(m.ID) > 0 {
		return m.ID
	}
	return jsontext.Value("null")
}
