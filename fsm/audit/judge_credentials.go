package audit

import (
	"fmt"
	"strings"

	"github.com/stile-oauth/stile/states/rules"
	"github.com/stile-oauth/stile/states/wire"
)

// labelled lists the exchanges whose labels begin in the same way.
func (e *Evidence) labelled(prefix string) []*Exchange {
	var out []*Exchange
	for i := range e.Exchanges {
		if x := &e.Exchanges[i]; strings.HasPrefix(x.Probe, prefix) {
			out = append(out, x)
		}
	}
	return out
}

// tried ends a check of the operator's client if nothing was tried. It gives the request
// that gave a token.
func (j *judgement) tried() *Exchange {
	first := j.e.probe(probeOwn + "right")
	switch {
	case j.e.Account == nil || j.e.Account.CCClient == "":
		j.end(CouldNotRun, "no client that may use client_credentials was given (--cc-client)")
		return nil
	case first == nil || first.Response == nil:
		j.end(CouldNotRun, unasked(first))
		return nil
	}
	for _, label := range []string{"right", "aud.endpoint", "aud.both"} {
		if x := j.e.probe(probeOwn + label); x != nil && gives(x) {
			return x
		}
	}
	why := fmt.Sprint(first.status())
	if e := wire.ParseOAuthError(*first.Response); e != nil {
		why += " " + e.String()
	}
	j.end(CouldNotRun, "the client gets no token at all: "+why)
	return nil
}

// unasked says why there is no answer to a request without a login.
func unasked(x *Exchange) string {
	if x == nil {
		return "the metadata names no token endpoint that can be asked, or the credential is missing"
	}
	return x.title() + ": " + x.Failure
}

func judgeWrongCredentials(j *judgement) {
	if j.tried() == nil {
		return
	}
	sent := false
	given := func(name, says string) *Finding {
		x := j.e.probe(probeOwn + name)
		if x == nil || x.Response == nil {
			return nil
		}
		sent = true
		if gives(x) {
			return j.fail(x, says+" gives a token").differ("401 invalid_client", "200")
		}
		if s := x.status(); s >= 500 && s != 503 {
			f := j.fail(x, says+" ends in an error of the server").differ("401 invalid_client", fmt.Sprint(s))
			f.Severity, f.Rules = Low, []rules.ID{rules.TokenRespErrorVsTransient, rules.ASTokenClientAuth}
		}
		return nil
	}
	given("wrong-secret", "a wrong secret")
	for _, a := range assertions {
		if !strings.HasPrefix(a.name, "aud.") { // ext.cc-aud
			if f := given(a.name, a.says); f != nil {
				f.Rules = []rules.ID{rules.ClientauthJWTAlg}
				if a.name == "expired" {
					f.Rules, f.Severity = []rules.ID{rules.ClientauthJWTFresh}, High
				}
			}
		}
	}
	if f := given("replayed", "an assertion that was used before"); f != nil {
		f.Rules, f.Severity = []rules.ID{rules.ClientauthJWTFresh}, Medium
	}
	if !sent {
		j.end(CouldNotRun, "nothing wrong was sent")
	}
}

func judgeAssertionAudience(j *judgement) {
	if j.tried() == nil {
		return
	}
	if j.e.probe(probeOwn+"aud.both") == nil {
		j.end(CouldNotRun, "the client was given without a key (--cc-key-file)")
		return
	}
	if x := j.e.probe(probeOwn + "aud.other"); x != nil && gives(x) {
		j.fail(x, "an assertion for another server gives a token").differ("401 invalid_client", "200")
	}
	var takes, refuses []string
	for _, a := range [][2]string{{"right", "the issuer"}, {"aud.endpoint", "the token endpoint"}, {"aud.both", "a list of both"}} {
		x := j.e.probe(probeOwn + a[0])
		switch {
		case x == nil || x.Response == nil:
		case gives(x):
			takes = append(takes, a[1])
		default:
			refuses = append(refuses, a[1])
		}
	}
	says := "an assertion may be for " + strings.Join(takes, ", ")
	if len(refuses) > 0 {
		says += "; not for " + strings.Join(refuses, ", ")
	}
	j.end(Fact, says)
}

func judgeNoRefreshToken(j *judgement) {
	x := j.tried()
	if x == nil {
		return
	}
	if _, ok := j.e.member(x.Probe, "refresh_token"); ok {
		j.fail(x, "a client that acts for itself gets a refresh token").differ("none", "refresh_token")
	}
}
