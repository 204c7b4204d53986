package peer

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/stile-oauth/stile/states/rules"
	"github.com/stile-oauth/stile/states/wire"
)

// AS is an authorization server. It is just a configuration and a state, and is
// not safe for concurrent use.
type AS struct {
	config ASConfig
	faults faultSet
	state  asState
	// acted is the fault that acted last in the call of Judge that is running.
	acted string
	// proven is the thumbprint of the key that the request being answered proves.
	proven string
	ahead  bool // whether its clock is ahead, for the request being answered
}

// NewAS checks the configuration and makes a server with no history. The
// error names the field that cannot work or the fault that does not exist.
func NewAS(c ASConfig) (*AS, error) {
	if err := c.complete(); err != nil {
		return nil, err
	}
	faults, err := arm(c.Faults, sideAS)
	if err != nil {
		return nil, err
	}
	a := &AS{config: c, faults: faults}
	a.configured()
	return a, nil
}

// Issuer returns the issuer identifier as configured.
func (a *AS) Issuer() string { return a.config.Issuer }

// Clone returns a server with the same past and its own future.
func (a *AS) Clone() *AS {
	return &AS{config: a.config, faults: a.faults, state: a.state.clone()}
}

// configured puts the pre-registered clients into the state, over whatever a
// snapshot says of them.
func (a *AS) configured() {
	a.state.Clients = slices.DeleteFunc(a.state.Clients, func(c client) bool { return c.Kind == "configured" })
	for _, p := range a.config.Clients {
		c := client{
			ID: p.ID, Kind: "configured", Name: p.Name, RedirectURIs: p.RedirectURIs, GrantTypes: p.GrantTypes,
			Method: p.Method, Introspect: p.Introspect, Resource: p.Resource, Elsewhere: p.Elsewhere,
		}
		switch {
		case p.Secret != "":
			c.SecretHash = hash(p.Secret)
		case p.Method == "private_key_jwt":
			c.JWKS = p.JWKS
		default:
			c.Method = "none"
		}
		if len(c.GrantTypes) == 0 {
			c.GrantTypes = []string{"authorization_code", "refresh_token"}
		}
		a.state.Clients = append(a.state.Clients, c)
	}
}

// call is one request being answered.
type call struct {
	at    time.Time
	req   wire.Request
	query wire.Fields
	path  string // after the issuer's base
	id    string // trailing path segment, where the endpoint has one
}

// endpoint is a row of the server's routing table.
type endpoint struct {
	name   string
	path   string // after the base; a trailing slash matches one more segment
	get    func(*AS, call) *reply
	post   func(*AS, call) *reply
	delete func(*AS, call) *reply
	// cross lets scripts of any web page call it (OAuth 2.1 §3.2).
	cross bool
}

var endpoints = []endpoint{
	{name: "register", path: "/register", post: (*AS).register, cross: true},
	{name: "register", path: "/register/", get: (*AS).showClient, delete: (*AS).deleteClient, cross: true},
	{name: "authorize", path: "/authorize", get: (*AS).authorize, post: (*AS).authorizePosted},
	{name: "login", path: "/login", get: (*AS).loginPage, post: (*AS).login},
	{name: "consent", path: "/consent", get: (*AS).consentPage, post: (*AS).consent},
	{name: "token", path: "/token", post: (*AS).token, cross: true},
	{name: "device", path: "/device_authorization", post: (*AS).authorizeDevice, cross: true},
	{name: "device page", path: "/device", get: (*AS).devicePage, post: (*AS).enterCode},
	{name: "revoke", path: "/revoke", post: (*AS).revoke, cross: true},
	{name: "introspect", path: "/introspect", post: (*AS).introspect},
	{name: "jwks", path: "/jwks.json", get: (*AS).jwks, cross: true},
}

func (e endpoint) allow() string {
	var m []string
	if e.get != nil {
		m = append(m, "GET")
	}
	if e.post != nil {
		m = append(m, "POST")
	}
	if e.delete != nil {
		m = append(m, "DELETE")
	}
	return strings.Join(m, ", ")
}

// Serves says whether the URL belongs to this server: one of its endpoints or
// one of its metadata addresses.
func (a *AS) Serves(url string) bool {
	_, _, ok := a.route(url)
	return ok
}

func (a *AS) route(raw string) (endpoint, string, bool) {
	origin, path, _ := split(raw)
	mine, prefix, _ := split(a.config.base())
	if !strings.EqualFold(origin, mine) {
		return endpoint{}, "", false
	}
	for _, m := range a.metadataPaths() {
		if path == m.path {
			return endpoint{name: "metadata", get: m.serve, cross: true}, "", true
		}
	}
	rest, ok := strings.CutPrefix(path, prefix)
	if !ok {
		return endpoint{}, "", false
	}
	for _, e := range endpoints {
		if strings.HasPrefix(e.name, "device") && !a.config.Device {
			continue
		}
		if rest == a.at(e.path) {
			return e, "", !strings.HasSuffix(e.path, "/")
		}
		if id, ok := strings.CutPrefix(rest, e.path); ok && strings.HasSuffix(e.path, "/") && !strings.Contains(id, "/") {
			return e, id, true
		}
	}
	return endpoint{}, "", false
}

// Verdict says why a server answered a request as it did, for its log. It is
// empty when the request was granted and no fault acted.
type Verdict struct {
	// Rule is what a refused request broke; Detail says how. No part of the
	// request is in it.
	Rule   rules.ID
	Detail string
	// Fault is the name of the fault that acted last on the answer.
	Fault string
}

// Answer answers one request at one moment. The URL is absolute. Whatever the
// request holds, there is a response.
func (a *AS) Answer(at time.Time, req wire.Request) wire.Response {
	response, _ := a.Judge(at, req)
	return response
}

// Judge is Answer, with the reason for it.
func (a *AS) Judge(at time.Time, req wire.Request) (wire.Response, Verdict) {
	a.acted = ""
	e, id, ok := a.route(req.URL)
	if !ok {
		return notFound().response(), Verdict{}
	}
	_, path, rawQuery := split(req.URL)
	query, good := wire.DecodeForm(rawQuery)
	c := call{at: at, req: req, query: query, path: path, id: id}
	var r *reply
	serve := map[string]func(*AS, call) *reply{"GET": e.get, "HEAD": e.get, "POST": e.post, "DELETE": e.delete}[req.Method]
	switch {
	case req.Method == "OPTIONS" && e.cross && e.name == "token" && a.faulty("token-no-preflight"):
		return notAllowed(e.allow()).response(), Verdict{Fault: a.acted}
	case req.Method == "GET" && e.name == "token" && a.faulty("token-get"):
		return (&reply{status: 200, doc: document{{"token_type", "Bearer"}}}).response(), Verdict{Fault: a.acted}
	case req.Method == "OPTIONS" && e.cross:
		return preflight(e.allow()).response(), Verdict{}
	case serve == nil:
		return notAllowed(e.allow()).response(), Verdict{}
	case !good:
		r = problem(400, "invalid_request", "the query is not well formed").breaks(rules.ASTokenErrorShape)
	default:
		r = serve(a, c)
	}
	why := Verdict{Rule: r.rule, Detail: r.detail}
	if e.cross {
		open(r)
	}
	name := e.name
	if name == "consent" && r.location != "" && len(r.query) > 0 {
		name = "authorize" // the answer of the authorization endpoint, when the user was asked
	}
	a.distort(name, r, req)
	a.move(name, r)
	out := r.response()
	if req.Method == "HEAD" {
		out.Body = nil
	}
	why.Fault = a.acted
	return out, why
}

// distort applies the transforming faults of an endpoint.
func (a *AS) distort(endpoint string, r *reply, req wire.Request) {
	if name := a.faults.distort(&a.state.Fired, endpoint, r, scene{base: a.config.base(), issuer: a.config.Issuer, req: req}); name != "" {
		a.acted = name
	}
}

// faulty says whether a fault that a decision asks for acts now, and counts it.
func (a *AS) faulty(name string) bool {
	acts := a.faults.decide(&a.state.Fired, name)
	if acts {
		a.acted = name
	}
	return acts
}

// client finds a registered client.
func (a *AS) client(id string) *client {
	if i := latest(a.state.Clients, func(k *client) bool { return k.ID == id }); i >= 0 {
		return &a.state.Clients[i]
	}
	return nil
}

// String names the server, not its state.
func (a *AS) String() string { return fmt.Sprintf("authorization server %s", a.config.Issuer) }
