package audit

import (
	"slices"
	"strconv"

	"github.com/stile-oauth/stile/states/wire"
)

// endpoint is an endpoint that an issuer publishes and that the audit may ask.
type endpoint struct{ issuer, name, url string }

// endpoints lists the endpoints in the first document of each issuer.
func (e *Evidence) endpoints(names ...string) []endpoint {
	var out []endpoint
	var done []string
	for _, m := range e.reading().asm {
		if slices.Contains(done, m.x.Issuer) {
			continue
		}
		done = append(done, m.x.Issuer)
		for _, name := range names {
			if u, _, ok := m.obj.String(name); ok && e.mayFetch(u) {
				out = append(out, endpoint{m.x.Issuer, name, u})
			}
		}
	}
	return out
}

func planTruth(e *Evidence) []Probe {
	out := planASM(e)
	if !answered(e, out) {
		return out
	}
	for i, ep := range e.endpoints(endpointNames...) {
		label := probeTruth + strconv.Itoa(i)
		out = append(out, Probe{Label: label, Leg: LegOther, Issuer: ep.issuer, Request: wire.Request{Method: "OPTIONS", URL: ep.url}})
		if x := e.probe(label); x != nil && x.status() == 404 {
			again := wire.Request{Method: "GET", URL: ep.url}
			if ep.name != "authorization_endpoint" && ep.name != "userinfo_endpoint" { // some routers know the others only by POST
				again = wire.Request{Method: "POST", URL: ep.url, Header: formFields}
			}
			out = append(out, Probe{Label: label + ".again", Leg: LegOther, Issuer: ep.issuer, Request: again})
		}
	}
	return out
}

func planUnknownClient(e *Evidence) []Probe {
	out := planASM(e)
	if !answered(e, out) {
		return out
	}
	for i, ep := range e.endpoints("authorization_endpoint") {
		u := withQuery(ep.url, "response_type", "code")
		for _, p := range [][2]string{{"client_id", "stile-audit-no-such-client"}, {"redirect_uri", "https://" + canary + "/callback"}, {"state", "stile-audit"},
			{"code_challenge", wire.S256("stile-audit-verifier-that-nobody-has-drawn-0")}, {"code_challenge_method", "S256"}} {
			u = withQuery(u, p[0], p[1])
		}
		out = append(out, Probe{Label: probeUnknown + strconv.Itoa(i), Leg: LegAuthorize, Issuer: ep.issuer,
			Request: wire.Request{Method: "GET", URL: u, Header: wire.Fields{{Name: "Accept", Value: "text/html"}, {Name: "Origin", Value: "https://" + canary}}}})
	}
	return out
}

// tokenProbes are wrong requests to the token endpoint, by name.
var tokenProbes = []struct {
	name string
	form wire.Fields
}{
	{"unknown", wire.Fields{{Name: "grant_type", Value: "authorization_code"}, {Name: "code", Value: "stile-audit-no-such-code"},
		{Name: "redirect_uri", Value: "http://127.0.0.1/callback"}, {Name: "client_id", Value: "stile-audit-no-such-client"}, {Name: "code_verifier", Value: "stile-audit-verifier-that-nobody-has-drawn-0"}}},
	{"empty", nil},
	{"no-grant", wire.Fields{{Name: "client_id", Value: "stile-audit-no-such-client"}}},
	{"bad-grant", wire.Fields{{Name: "grant_type", Value: "urn:stile-audit:no-such-grant"}, {Name: "client_id", Value: "stile-audit-no-such-client"}}},
	{"password", wire.Fields{{Name: "grant_type", Value: "password"}, {Name: "username", Value: "stile-audit-no-such-user"}, {Name: "password", Value: "stile-audit"}, {Name: "client_id", Value: "stile-audit-no-such-client"}}},
}

// formFields are the header fields of a request with a form.
var formFields = wire.Fields{{Name: "Accept", Value: "application/json"}, {Name: "Content-Type", Value: "application/x-www-form-urlencoded"}}

func planToken(e *Evidence) []Probe {
	out := planASM(e)
	if !answered(e, out) {
		return out
	}
	accept := wire.Fields{{Name: "Accept", Value: "application/json"}}
	for i, ep := range e.endpoints("token_endpoint") {
		n := strconv.Itoa(i)
		out = append(out, Probe{Label: probeToken + "get." + n, Leg: LegOther, Issuer: ep.issuer, Request: wire.Request{Method: "GET", URL: ep.url, Header: accept}})
		for _, p := range tokenProbes {
			out = append(out, Probe{Label: probeToken + p.name + "." + n, Leg: LegToken, Issuer: ep.issuer, Request: wire.Request{Method: "POST", URL: ep.url, Header: formFields, Form: p.form}})
		}
		q := ep.url
		for _, f := range tokenProbes[0].form {
			q = withQuery(q, f.Name, f.Value)
		}
		out = append(out, Probe{Label: probeToken + "query." + n, Leg: LegToken, Issuer: ep.issuer,
			Request: wire.Request{Method: "POST", URL: q, Header: formFields}})
	}
	return out
}

// planIntrospect asks about a made-up token without saying which client asks.
func planIntrospect(e *Evidence) []Probe {
	return planMadeUp(e, "introspection_endpoint", probeInspect, LegIntrospect)
}

// planRevokeNobody revokes a token without saying which client asks.
func planRevokeNobody(e *Evidence) []Probe {
	return planMadeUp(e, "revocation_endpoint", probeRevoke, LegRevoke)
}

// planMadeUp sends a made-up token, and no client, to an endpoint of each issuer.
func planMadeUp(e *Evidence, endpoint, label string, leg Leg) []Probe {
	out := planASM(e)
	if !answered(e, out) {
		return out
	}
	for i, ep := range e.endpoints(endpoint) {
		out = append(out, Probe{Label: label + strconv.Itoa(i), Leg: leg, Issuer: ep.issuer,
			Request: wire.Request{Method: "POST", URL: ep.url, Header: formFields, Form: wire.Fields{{Name: "token", Value: madeUp}}}})
	}
	return out
}

// planPreflight sends the token endpoint the request that a browser sends first when a
// script from another site wants to ask it.
func planPreflight(e *Evidence) []Probe {
	out := planASM(e)
	if !answered(e, out) {
		return out
	}
	for i, ep := range e.endpoints("token_endpoint") {
		out = append(out, Probe{Label: probePreflight + strconv.Itoa(i), Leg: LegOther, Issuer: ep.issuer, Request: wire.Request{Method: "OPTIONS", URL: ep.url,
			Header: wire.Fields{{Name: "Origin", Value: "https://" + canary}, {Name: "Access-Control-Request-Method", Value: "POST"}, {Name: "Access-Control-Request-Headers", Value: "content-type"}}}})
	}
	return out
}

// wrongSecrets is how many wrong secrets are tried.
const wrongSecrets = 5

// planSecrets tries wrong secrets of a client that does not exist, so that no
// client is locked out.
func planSecrets(e *Evidence) []Probe {
	out := planASM(e)
	if !answered(e, out) {
		return out
	}
	for i, ep := range e.endpoints("token_endpoint") {
		if i > 0 {
			break
		}
		for n := range wrongSecrets {
			r := wire.Request{Method: "POST", URL: ep.url, Header: formFields, Form: wire.Fields{{Name: "grant_type", Value: "client_credentials"}}}
			out = append(out, Probe{Label: probeSecret + strconv.Itoa(n), Leg: LegToken, Issuer: ep.issuer, Braked: true,
				Request: authenticated(r, "stile-audit-no-such-client", wire.Secret("stile-audit-wrong-"+strconv.Itoa(n)), false)})
		}
	}
	return out
}

// probeSecret is a wrong secret.
const probeSecret = "tok.secret."
