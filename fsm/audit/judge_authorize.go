package audit

import (
	"fmt"
	"strings"
)

// judgeBadScope expects that a scope that does not exist is ignored, or refused as
// invalid.
func judgeBadScope(j *judgement) {
	redirect := ""
	if j.e.Account != nil {
		redirect = j.e.Account.RedirectURI
	}
	x, l := j.asks("scope", redirect)
	if x == nil || l != refused {
		return
	}
	if good := j.e.probe(probeAuthorize + "good"); good == nil || good.Response == nil || landed(good, redirect) == refused {
		j.end(CouldNotRun, "the right request is refused as well (az.goes-on)")
		return
	}
	code, sent := query(strings.Replace(strings.Join(x.got("Location"), ""), "#", "?", 1)).Get("error")
	switch {
	case !sent:
		j.fail(x, "the client is not told that a scope does not exist").differ("invalid_scope", fmt.Sprint(x.status()))
	case code != "invalid_scope":
		j.fail(x, "a scope that does not exist is refused by another error").differ("invalid_scope", code)
	}
}

// judgeNo307 expects no redirect that makes the browser send a form again.
func judgeNo307(j *judgement) {
	x := j.e.probe(probeAuthorize + "post")
	if x == nil || x.Response == nil {
		j.unregistered()
		return
	}
	switch s := x.status(); {
	case s == 307 || s == 308:
		j.fail(x, "a form that is sent to the authorization endpoint is redirected with its content").differ("303", fmt.Sprint(s)).Confidence = Likely
	case s == 404 || s == 405 || s == 501:
		j.end(NotApplicable, "the authorization endpoint takes no POST")
	case s >= 400:
		j.end(CouldNotRun, fmt.Sprintf("the POST was refused: %d", s))
	}
}

// judgePreflight tells whether a script from another site may ask for tokens.
func judgePreflight(j *judgement) {
	for _, x := range j.probesOf(probePreflight) {
		allowed := strings.Join(x.got("Access-Control-Allow-Origin"), "")
		if allowed != "*" && allowed != "https://"+canary {
			j.end(Fact, "scripts of other sites may not send to the token endpoint")
		}
	}
}

// judgeThrottle tells at which of the audit's registrations the server began to throttle.
func judgeThrottle(j *judgement) {
	n := 0
	for i := range j.e.Exchanges {
		x := &j.e.Exchanges[i]
		if x.Leg != LegRegister || x.Response == nil || x.Request.Method != "POST" {
			continue
		}
		if n++; x.status() == 429 {
			j.end(Fact, fmt.Sprintf("registrations are throttled: number %d of the audit was answered 429", n))
			return
		}
	}
	if n == 0 {
		j.registering(registration)
	}
}
