package audit

import (
	"fmt"
	"slices"

	"github.com/stile-oauth/stile/states/wire"
)

// The labels of token requests of a client with a secret: authenticated correctly,
// with a wrong secret, and in two ways at once.
const (
	probeBasic = "client.basic"
	probeWrong = "client.basic.wrong"
	probeBoth  = "client.basic.both"
)

const secretBasic = "client_secret_basic"

// listsBasic reports whether the issuer says that clients may use HTTP Basic.
func (e *Evidence) listsBasic() bool {
	m, _ := e.home()
	listed, _, _ := m.obj.Strings("token_endpoint_auth_methods_supported")
	return slices.Contains(listed, secretBasic)
}

// withSecret gets a client that authenticates by HTTP Basic: the operator's, or
// a newly registered one. ok is false if there is none.
func (e *Evidence) withSecret() (out []Probe, id string, secret wire.Secret, ok bool) {
	out, ok = planRegistered(e)
	if !ok || !e.listsBasic() {
		return out, "", "", false
	}
	if e.Account.ClientID != "" {
		return out, e.Account.ClientID, e.Account.ClientSecret, e.Account.ClientSecret != ""
	}
	c := e.native()
	c.Method = secretBasic
	label := probeRegister + "method." + secretBasic
	out = append(out, e.registers(label, c))
	id, has := e.member(label, "client_id")
	s, gets := e.member(label, "client_secret")
	return out, id, wire.Secret(s), has && gets
}

// planTwoMethods redeems a code that nobody issued. The error shows whether the client
// was accepted.
func planTwoMethods(e *Evidence) []Probe {
	out, id, secret, ok := e.withSecret()
	endpoint := ""
	if ok {
		endpoint = e.address("token_endpoint")
	}
	if endpoint == "" {
		return out
	}
	r := wire.Request{Method: "POST", URL: endpoint, Header: formFields, Form: wire.Fields{{Name: "grant_type", Value: "authorization_code"}, {Name: "code", Value: "stile-audit-no-such-code"},
		{Name: "redirect_uri", Value: e.Account.RedirectURI}, {Name: "code_verifier", Value: e.draw("client.verifier")}}}
	basic := authenticated(r, id, secret, false)
	return append(out, Probe{Label: probeBasic, Leg: LegToken, Request: basic},
		Probe{Label: probeWrong, Leg: LegToken, Request: authenticated(r, id, madeUp, false)},
		Probe{Label: probeBoth, Leg: LegToken, Request: authenticated(basic, id, secret, true)})
}

func judgeTwoMethods(j *judgement) {
	good, wrong, both := j.e.probe(probeBasic), j.e.probe(probeWrong), j.e.probe(probeBoth)
	if both == nil || both.Response == nil || good == nil || good.Response == nil || wrong == nil || wrong.Response == nil {
		switch {
		case j.e.Account == nil, j.e.clientID() == "":
			j.unregistered()
		case !j.e.listsBasic():
			j.end(NotApplicable, "the metadata lists no client_secret_basic")
		default:
			j.end(CouldNotRun, "there is no client that authenticates by HTTP Basic")
		}
		return
	}
	takes := func(x *Exchange) bool {
		e := wire.ParseOAuthError(*x.Response)
		return gives(x) || e != nil && e.Code == "invalid_grant"
	}
	switch {
	case !takes(good):
		j.end(CouldNotRun, "a client that authenticates as it should is refused as well")
	case takes(wrong):
		j.end(CouldNotRun, "the code is looked at before the client")
	case takes(both):
		j.fail(both, "a client that authenticates in two ways is taken").differ("400 invalid_request", fmt.Sprint(both.status())).Confidence = Likely
	}
}

// judgeBadRedirect expects a refusal, and no server error.
func judgeBadRedirect(j *judgement) {
	x := j.asClient("redirect")
	if x == nil {
		return
	}
	switch s := x.status(); {
	case gives(x):
		j.fail(x, "a made-up code with another redirect URI gives a token").differ("400 invalid_grant", "200").Severity = Critical
	case s == 429:
		j.end(CouldNotRun, "the token endpoint throttles")
	case s != 400 && s != 401:
		j.fail(x, "a code with a redirect URI that the client does not have is not refused as such").differ("400 invalid_grant", fmt.Sprint(s))
	}
}
