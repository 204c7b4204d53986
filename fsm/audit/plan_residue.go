package audit

import (
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/go-json-experiment/json"

	"github.com/stile-oauth/stile/states/wire"
)

// The labels of the probes that need a registered client.
const (
	probeAuthorize = "az."
	probeClient    = "client."
	probeRegister  = "reg."
	probeDevice    = "device."
)

// deviceGrant is the grant type of RFC 8628 §3.4.
const deviceGrant = "urn:ietf:params:oauth:grant-type:device_code"

// clientName is what every registration of an audit is called, so that an
// operator who finds one knows what it is.
const clientName = "stile-audit (safe to delete)"

// client is the metadata of a registration (RFC 7591 §2). Empty members are left
// out.
type client struct {
	Name        string   `json:"client_name"`
	Application string   `json:"application_type,omitempty"`
	Redirects   []string `json:"redirect_uris"`
	Grants      []string `json:"grant_types,omitempty"`
	Responses   []string `json:"response_types,omitempty"`
	Method      string   `json:"token_endpoint_auth_method,omitempty"`
	Scope       string   `json:"scope,omitempty"`
	ID          string   `json:"client_id,omitempty"`
	Unknown     string   `json:"stile_audit_unknown,omitempty"`
	Logo        string   `json:"logo_uri,omitempty"`
	Keys        string   `json:"jwks_uri,omitempty"`
}

// native is the client that the audit logs in as.
func (e *Evidence) native() client {
	return client{Name: clientName, Application: "native", Redirects: []string{e.Account.RedirectURI},
		Grants: []string{"authorization_code", "refresh_token"}, Responses: []string{"code"}, Method: "none", Scope: e.everyScope()}
}

// everyScope is every scope that the client may ask for later, as far as the issuer lists
// it. Some issuers give a client only the scopes that it registered (RFC 7591 §2), and
// some refuse scopes that they do not list.
func (e *Evidence) everyScope() string {
	all := e.scope()
	for _, m := range e.reading().prm {
		list, _, _ := m.obj.Strings("scopes_supported")
		all = union(all, strings.Join(list, " "))
	}
	m, ok := e.home()
	if !ok {
		return ""
	}
	listed, _, _ := m.obj.Strings("scopes_supported")
	return strings.Join(slices.DeleteFunc(wire.ParseScope(all), func(s string) bool { return !slices.Contains(listed, s) }), " ")
}

func (e *Evidence) registers(label string, c client) Probe {
	body, _ := json.Marshal(c) // strings and lists of strings
	return e.registersBody(label, string(body))
}

func (e *Evidence) registersBody(label, body string) Probe {
	return Probe{Label: label, Leg: LegRegister, Request: wire.Request{Method: "POST", URL: e.address("registration_endpoint"),
		Header: wire.Fields{{Name: "Content-Type", Value: "application/json"}, {Name: "Accept", Value: "application/json"}}, Body: []byte(body)}}
}

// planRegistered gets a client for the audit: the operator's, or a newly registered
// one.
func planRegistered(e *Evidence) ([]Probe, bool) {
	out := e.planned(3, makeRegistered)
	if e.Account == nil || !answered(e, planASM(e)) {
		return out, false
	}
	return out, e.clientID() != ""
}

func makeRegistered(e *Evidence) []Probe {
	out := planASM(e)
	if e.Account != nil && answered(e, out) && e.Account.ClientID == "" && e.address("registration_endpoint") != "" {
		out = append(out, e.registers(registration, e.native()))
	}
	return out
}

// question is the authorization request of a grant, as a client should make it.
func (e *Evidence) question(name string) wire.Fields {
	var out wire.Fields
	for _, f := range []wire.Field{{Name: "response_type", Value: "code"}, {Name: "client_id", Value: e.clientID()}, {Name: "redirect_uri", Value: e.Account.RedirectURI}, {Name: "state", Value: e.draw(name + ".state")},
		{Name: "code_challenge", Value: wire.S256(e.draw(name + ".verifier"))}, {Name: "code_challenge_method", Value: "S256"}, {Name: "resource", Value: e.resource()}, {Name: "scope", Value: e.scope()}} {
		if f.Value != "" {
			out = append(out, f)
		}
	}
	return out
}

// at is the address of an authorization request.
func at(endpoint string, question wire.Fields) string {
	for _, f := range question {
		endpoint = withQuery(endpoint, f.Name, f.Value)
	}
	return endpoint
}

// put replaces the values of a parameter; without values the parameter is left out.
func put(q wire.Fields, name string, values ...string) wire.Fields {
	out := slices.DeleteFunc(slices.Clone(q), func(f wire.Field) bool { return f.Name == name })
	for _, v := range values {
		out = append(out, wire.Field{Name: name, Value: v})
	}
	return out
}

// unsafeState holds what an encoder can get wrong, and is long.
var unsafeState = " +&=%/?#\"<>~" + strings.Repeat("s", 500)

// wrongRedirects are redirect URIs that differ only slightly from the client's own.
func wrongRedirects(own string) [][2]string {
	scheme, rest, _ := strings.Cut(own, "://")
	return [][2]string{
		{"path", own + "/stile-audit"}, {"query", own + "?stile-audit=1"}, {"user", scheme + "://stile-audit@" + rest},
		{"dots", own + "/../stile-audit"}, {"slash", own + "/"}, {"host", scheme + "://" + canary + "/" + rest},
	}
}

// planAuthorize asks the authorization endpoint with each parameter wrong in turn, and
// follows no redirect.
func planAuthorize(e *Evidence) []Probe {
	out, ok := planRegistered(e)
	endpoint := ""
	if ok {
		endpoint = e.address("authorization_endpoint")
	}
	if endpoint == "" {
		return out
	}
	q := e.question("az")
	ask := func(name string, question wire.Fields) {
		out = append(out, Probe{Label: probeAuthorize + name, Leg: LegOther, Request: wire.Request{Method: "GET", URL: at(endpoint, question), Header: wire.Fields{{Name: "Accept", Value: "text/html"}}}})
	}
	ask("good", q)
	ask("no-type", put(put(q, "response_type"), "state", unsafeState))
	for _, r := range wrongRedirects(e.Account.RedirectURI) {
		ask("redirect."+r[0], put(q, "redirect_uri", r[1]))
	}
	if port := otherPort(e.Account.RedirectURI); port != "" {
		ask("port", put(q, "redirect_uri", port))
	}
	ask("no-pkce", put(put(q, "code_challenge"), "code_challenge_method"))
	ask("plain", put(put(q, "code_challenge", e.draw("az.verifier")), "code_challenge_method", "plain"))
	ask("no-method", put(put(q, "code_challenge", e.draw("az.verifier")), "code_challenge_method"))
	ask("type.token", put(q, "response_type", "token"))
	ask("type.hybrid", put(q, "response_type", "code token"))
	ask("twice", put(q, "state", "stile-audit-one", "stile-audit-two"))
	ask("unknown", put(q, "stile_audit_unknown", "x"))
	ask("resource", put(q, "resource", "https://"+canary+"/mcp"))
	ask("scope", put(q, "scope", "stile-audit:no-such-scope"))
	out = append(out, Probe{Label: probeAuthorize + "post", Leg: LegOther, Request: wire.Request{Method: "POST", URL: endpoint,
		Header: wire.Fields{{Name: "Accept", Value: "text/html"}, formFields[1]}, Form: q}})
	return out
}

// otherPort is a loopback redirect URI with another port; "" for any other URI.
func otherPort(own string) string {
	u, err := url.Parse(own)
	if err != nil || !wire.IsLoopbackHTTP(own) || u.Port() == "" {
		return ""
	}
	port := "49152"
	if u.Port() == port {
		port = "49153"
	}
	return strings.Replace(own, ":"+u.Port(), ":"+port, 1)
}

// planClient sends what a registered client might get wrong at the token
// endpoint and the revocation endpoint.
func planClient(e *Evidence) []Probe {
	out, ok := planRegistered(e)
	token := ""
	if ok {
		token = e.address("token_endpoint")
	}
	if token == "" {
		return out
	}
	code := wire.Fields{{Name: "grant_type", Value: "authorization_code"}, {Name: "code", Value: "stile-audit-no-such-code"}, {Name: "redirect_uri", Value: e.Account.RedirectURI}, {Name: "code_verifier", Value: e.draw("client.verifier")}}
	ask := func(name string, leg Leg, form wire.Fields) {
		out = append(out, Probe{Label: probeClient + name, Leg: leg, Request: e.tokenRequest(token, form)})
	}
	ask("code", LegToken, code)
	ask("refresh", LegRefresh, wire.Fields{{Name: "grant_type", Value: "refresh_token"}, {Name: "refresh_token", Value: madeUp}})
	ask("redirect", LegToken, put(code, "redirect_uri", "https://"+canary+"/callback"))
	ask("twice", LegToken, append(slices.Clone(code), wire.Field{Name: "code", Value: "stile-audit-no-such-code-2"}))
	if e.Account.ClientSecret == "" {
		ask("itself", LegToken, wire.Fields{{Name: "grant_type", Value: "client_credentials"}})
	}
	return append(out, e.revoke(probeClient+"revoke", madeUp)...)
}

// planRegister asks for registrations that should be refused, and for some that
// should not. Once one of a kind is accepted, no more of that kind are sent.
func planRegister(e *Evidence) []Probe {
	out, _ := planRegistered(e)
	if e.Account == nil || !answered(e, out) || e.address("registration_endpoint") == "" {
		return out
	}
	public := func(redirects ...string) client {
		return client{Name: clientName, Redirects: redirects, Grants: []string{"authorization_code"}, Responses: []string{"code"}, Method: "none"}
	}
	extra, chosen := e.native(), e.native()
	extra.Unknown = "x"
	chosen.ID, chosen.Method = "stile-audit-chosen", ""
	out = append(out, e.registers(probeRegister+"extra", extra), e.registers(probeRegister+"chosen", chosen),
		e.registers(probeRegister+"http", public("http://"+canary+"/callback")))
	if wire.IsLoopbackHTTP(e.Account.RedirectURI) {
		web := e.native()
		web.Application = "web"
		out = append(out, e.registers(probeRegister+"web", web))
	}
	if e.Canary != "" {
		urls := e.native()
		urls.Logo, urls.Keys = e.Canary+pathLogo, e.Canary+pathOwn
		out = append(out, e.registers(probeRegister+"urls", urls))
	}
	for _, kind := range []struct {
		name string
		uris []string
	}{
		{"scheme.", []string{"javascript:alert(1)", "data:text/html,x", "file:///etc/hosts"}},
		{"form.", []string{"https://" + canary + "/callback#x", "https://*." + canary + "/callback", "https://user:secret@" + canary + "/callback"}},
	} {
		for i, u := range kind.uris {
			label := probeRegister + kind.name + strconv.Itoa(i)
			out = append(out, e.registers(label, public(u)))
			if x := e.probe(label); x == nil || x.status() >= 200 && x.status() < 300 {
				break
			}
		}
	}
	out = append(out, e.registers(probeRegister+"empty", public()), e.registersBody(probeRegister+"malformed", `{"client_name":`))
	if m, ok := e.home(); ok {
		listed, _, _ := m.obj.Strings("token_endpoint_auth_methods_supported")
		for _, method := range []string{"client_secret_basic", "client_secret_post"} {
			if slices.Contains(listed, method) {
				c := e.native()
				c.Method = method
				out = append(out, e.registers(probeRegister+"method."+method, c))
			}
		}
	}
	return out
}
