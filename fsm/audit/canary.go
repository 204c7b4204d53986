package audit

import (
	"slices"
	"strconv"
	"strings"

	"github.com/go-json-experiment/json"

	"github.com/stile-oauth/stile/states/rules"
	"github.com/stile-oauth/stile/states/wire"
)

// Key signs what an audit forges. The caller keeps its private half.
type Key interface {
	Public() string                    // the public half as a JWK
	Named() (alg, kid string)          // its algorithm, and its id if it has one
	Sign(header, claims string) string // a JWS in compact form, by that algorithm
}

// The paths of the listener that a server might fetch.
const (
	pathKeys   = "/jwks"
	pathX5U    = "/x5u"
	pathLogo   = "/logo"
	pathOwn    = "/own-jwks" // the keys of a registration
	pathClient = "/client/"
)

// Documents are what the listener of an audit serves, by path: the keys that a forged
// token names, and metadata documents of clients, one of which is correct. base is the
// listener's address.
func Documents(base, redirect string, key Key) map[string]wire.Response {
	kept := wire.Fields{{Name: "Content-Type", Value: "application/json"}, {Name: "Cache-Control", Value: "no-store"}}
	of := func(name string, change func(*clientDocument)) wire.Response {
		d := clientDocument{ID: base + pathClient + name, client: client{Name: clientName, Redirects: []string{redirect}, Grants: []string{"authorization_code"}, Responses: []string{"code"}, Method: "none"}}
		change(&d)
		body, _ := json.Marshal(d) // strings and lists of strings
		return wire.Response{Status: 200, Header: kept, Body: body}
	}
	same := func(*clientDocument) {}
	page, long := of("page", same), of("long", func(d *clientDocument) { d.Padding = strings.Repeat("x", 6<<10) })
	page.Header = wire.Fields{{Name: "Content-Type", Value: "text/html"}}
	out := map[string]wire.Response{
		pathClient + "good":  of("good", same),
		pathClient + "other": of("other", func(d *clientDocument) { d.ID = base + pathClient + "good" }),
		pathClient + "redirect": of("redirect", func(d *clientDocument) {
			d.Redirects = []string{"https://" + canary + "/callback"}
		}),
		pathClient + "secret":  of("secret", func(d *clientDocument) { d.Secret = "stile-audit-secret" }),
		pathClient + "moved":   {Status: 302, Header: wire.Fields{{Name: "Location", Value: base + pathClient + "moved-to"}}},
		pathClient + "missing": {Status: 404, Header: kept, Body: []byte("{}")},
		pathClient + "page":    page,
		pathClient + "long":    long,
		pathClient + "methods": of("methods", func(d *clientDocument) { d.Methods = []string{"none", "urn:stile-audit:no-such-method"} }),
		pathClient + "no-method": of("no-method", func(d *clientDocument) {
			d.Method, d.Methods = "", []string{"urn:stile-audit:no-such-method"}
		}),
	}
	moved := of("moved", same) // the document behind the redirect names the address before the redirect
	out[pathClient+"moved-to"] = moved
	if key != nil {
		out[pathOwn] = wire.Response{Status: 200, Header: kept, Body: []byte(`{"keys":[` + key.Public() + `]}`)}
		out[pathKeys] = wire.Response{Status: 200, Header: kept, Body: []byte(`{"keys":[` + key.Public() + `]}`)}
	}
	return out
}

// clientDocument is a client ID metadata document.
type clientDocument struct {
	ID string `json:"client_id"`
	client
	Secret  string   `json:"client_secret,omitempty"`
	Methods []string `json:"token_endpoint_auth_methods_supported,omitempty"`
	Padding string   `json:"stile_audit_padding,omitempty"`
}

// fetched are the requests that came to the listener for a path.
func (e *Evidence) fetched(paths ...string) []*Exchange {
	var out []*Exchange
	for i := range e.Exchanges {
		x := &e.Exchanges[i]
		if x.Leg == LegCanary && slices.ContainsFunc(paths, func(p string) bool { return x.Request.URL == e.Canary+p }) {
			out = append(out, x)
		}
	}
	return out
}

// planSelfSigned sends tokens that the audit signed itself. They name the place of
// their key in four different ways.
func planSelfSigned(e *Evidence) []Probe {
	out := planASM(e)
	if e.Key == nil || !answered(e, out) {
		return out
	}
	base := e.Canary
	if base == "" {
		base = "https://" + canary
	}
	for _, where := range [][2]string{{"kid", `"kid":"stile-audit"`}, {"jwk", `"jwk":` + e.Key.Public()}, {"jku", `"kid":"stile-audit","jku":` + strconv.Quote(base+pathKeys)}, {"x5u", `"x5u":` + strconv.Quote(base+pathX5U)}} {
		label := probeSelf + where[0]
		p := Probe{Label: label, Leg: LegMCP}
		if e.probe(label) == nil { // signing costs more than looking it up
			p.Request = bearer(list(e), e.Key.Sign(`{"alg":"ES256","typ":"at+jwt",`+where[1]+`}`, claimsText(e)))
		}
		out = append(out, p)
	}
	return out
}

// probeSelf is a token that the audit signed.
const probeSelf = "mcp.token.self."

func judgeSelfSigned(j *judgement) {
	judgeForged(j, probeSelf)
	for _, x := range j.e.fetched(pathKeys, pathX5U) {
		f := j.fail(x, "the server fetches a key from an address that the token names").differ("no request", strings.TrimPrefix(x.Request.URL, j.e.Canary))
		f.Severity, f.Rules, f.Layer = High, []rules.ID{rules.RSIssuerTrusted}, MCPServer
	}
}

// judgeUnsafeURLs expects that the server fetches nothing that a registration names.
func judgeUnsafeURLs(j *judgement) {
	for _, x := range j.e.fetched(pathLogo, pathOwn) {
		f := j.fail(x, "the server fetches an address that a registration names, at the place where nobody but itself can reach it").differ("no request", strings.TrimPrefix(x.Request.URL, j.e.Canary))
		f.Rules = []rules.ID{rules.ASCIMDSSRF, rules.ASCIMDLogo}
	}
	if j.e.Canary == "" {
		j.end(CouldNotRun, "nothing listened that the server could fetch from: the audit listens for servers of this machine only")
		return
	}
	j.registering(probeRegister + "urls")
}
