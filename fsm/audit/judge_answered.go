package audit

import (
	"strings"

	"github.com/stile-oauth/stile/states/rules"
)

// errorAnswers are the errors that were sent to the client's redirect URI, each with
// the state of its request.
func (j *judgement) errorAnswers() (out []*Exchange) {
	if j.e.Account == nil {
		j.unregistered()
		return nil
	}
	for i := range j.e.Exchanges {
		x := &j.e.Exchanges[i]
		if strings.HasPrefix(x.Probe, probeAuthorize+"type.") {
			continue // the answer to a request for a token is in the fragment
		}
		if strings.HasPrefix(x.Probe, probeAuthorize) && x.Response != nil && strings.HasPrefix(strings.Join(x.got("Location"), " "), j.e.Account.RedirectURI) && landed(x, j.e.Account.RedirectURI) == refused {
			out = append(out, x)
		}
	}
	if len(out) == 0 {
		if x := j.e.probe(probeAuthorize + "good"); x == nil || x.Response == nil {
			j.unregistered()
		} else {
			j.end(CouldNotRun, "no error was sent to the redirect URI")
		}
	}
	return out
}

func judgeStateEcho(j *judgement) {
	for _, x := range j.errorAnswers() {
		asked := query(x.Request.URL)
		var states []string
		for _, f := range asked {
			if f.Name == "state" {
				states = append(states, f.Value)
			}
		}
		if len(states) != 1 {
			continue
		}
		if got, _ := query(strings.Replace(strings.Join(x.got("Location"), ""), "#", "?", 1)).Get("state"); got != states[0] {
			j.fail(x, "state of an error is not the one that was sent").differ(states[0], got)
			return
		}
	}
}

func judgeIssOnError(j *judgement) {
	answers := j.errorAnswers()
	m, ok := j.e.home()
	if !ok {
		return
	}
	issuer, _, _ := m.obj.String("issuer")
	promised, _, _ := m.obj.Bool("authorization_response_iss_parameter_supported")
	for _, x := range answers {
		iss, has := query(strings.Join(x.got("Location"), "")).Get("iss")
		switch {
		case has && iss != issuer:
			j.fail(x, "iss of an error is not the issuer").differ(issuer, iss)
			return
		case !has && promised:
			j.fail(x, "an error has no iss, though it is promised").differ(issuer, "")
			return
		}
	}
}

func judgeErrorOrCode(j *judgement) {
	for _, x := range j.errorAnswers() {
		to := strings.Join(x.got("Location"), "")
		if strings.Contains(to, "#") {
			f := j.fail(x, "an error is sent in the fragment").differ("the query", to)
			f.Rules = []rules.ID{rules.AuthzRespQueryMode}
			return
		}
		if _, has := query(to).Get("code"); has {
			j.fail(x, "an error comes with a code").Rules = []rules.ID{rules.AuthzRespCodeXorError}
			return
		}
	}
}

// judgePlain expects a refusal of the method plain, and of a missing method, which
// means plain.
func judgePlain(j *judgement) {
	judgeRefuses("an authorization request with a plain challenge goes on", "plain")(j)
	if j.v.Outcome == CouldNotRun {
		return
	}
	if x, l := j.asks("no-method", j.e.Account.RedirectURI); x != nil && l != refused {
		f := j.accepts(x, l, "an authorization request without a challenge method goes on")
		f.Severity, f.Confidence = Low, Guess // a server may read it as S256, which is just as good
	}
}
