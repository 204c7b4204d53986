package audit

import (
	"fmt"
	"slices"
	"strings"

	"github.com/stile-oauth/stile/states/rules"
	"github.com/stile-oauth/stile/states/wire"
)

// probesOf gives the answers to the probes whose labels begin with prefix. If there are
// none, the check ends: as not applicable if the server publishes nothing to ask,
// otherwise as one that could not run.
func (j *judgement) probesOf(prefix string) []*Exchange {
	var out []*Exchange
	failed := ""
	for i := range j.e.Exchanges {
		x := &j.e.Exchanges[i]
		if !strings.HasPrefix(x.Probe, prefix) {
			continue
		}
		if x.Response != nil {
			out = append(out, x)
		} else {
			failed = x.title() + ": " + x.Failure
		}
	}
	if len(out) == 0 {
		switch {
		case failed != "":
			j.end(CouldNotRun, failed)
		case len(j.e.Exchanges) == 0 || !j.e.live():
			j.end(CouldNotRun, "it was not asked")
		default:
			j.end(NotApplicable, "there is nothing of the kind to ask")
		}
	}
	return out
}

// protected reports whether the server refuses requests without a token. On an open
// server there is nothing to check.
func (j *judgement) protected() bool {
	if j.open() {
		j.end(NotApplicable, "the server is open: it answers without a token")
		return false
	}
	return true
}

func judgeInvalidToken(j *judgement) {
	if !j.protected() {
		return
	}
	for _, x := range j.probesOf("mcp.token.") {
		if x.Probe != probeOpaque && x.Probe != probeJWT {
			continue
		}
		switch s := x.status(); {
		case s >= 200 && s < 300 && !authFailure(x.Response.Body):
			f := j.fail(x, "a token that nobody issued is let in").differ("401", fmt.Sprint(s))
			f.Severity, f.Rules = Critical, []rules.ID{rules.RSUnknownToken401}
		case s != 401:
			f := j.fail(x, "a token that nobody issued is not answered 401").differ("401", fmt.Sprint(s))
			f.Rules = []rules.ID{rules.ChallengeInvalidToken401, rules.RSUnknownToken401}
			if s == 403 {
				f.Rules = append(f.Rules, rules.ChallengeStatusCodeMatch)
			}
		default:
			all, _ := wire.ParseChallenges(x.Response.Header)
			if !slices.ContainsFunc(all, func(a wire.AuthChallenge) bool {
				v, _ := a.Get("error")
				return forTokens(a) && v == "invalid_token"
			}) {
				f := j.fail(x, "the challenge to a bad token has no error=\"invalid_token\"").differ(`error="invalid_token"`, strings.Join(x.got("WWW-Authenticate"), ", "))
				f.Severity, f.Rules = Low, []rules.ID{rules.ChallengeErrorInvalidToken}
			}
		}
	}
}

func judgeForged(j *judgement, probe string) {
	if !j.protected() {
		return
	}
	for _, x := range j.probesOf(probe) {
		if s := x.status(); s >= 200 && s < 300 && !authFailure(x.Response.Body) {
			j.fail(x, "a forged token is let in").differ("401", fmt.Sprint(s))
		} else if s >= 500 {
			j.fail(x, "a forged token ends in an error of the server").differ("401", fmt.Sprint(s)).Severity = Medium
		}
	}
}

func judgeConfused(j *judgement) {
	judgeForged(j, probeConfused)
}

func judgeMalformed(j *judgement) {
	if !j.protected() {
		return
	}
	for _, x := range j.probesOf(probeMalformed) {
		switch s := x.status(); {
		case s == 400 || s == 401 || s == 431:
		case s >= 200 && s < 300 && !authFailure(x.Response.Body):
			j.fail(x, "a malformed Authorization header is let in").differ("400 or 401", fmt.Sprint(s)).Severity = Critical
		default:
			j.fail(x, "a malformed Authorization header is not refused as such").differ("400 or 401", fmt.Sprint(s))
		}
	}
}

func judgeQueryToken(j *judgement) {
	if !j.protected() {
		return
	}
	for _, x := range j.probesOf(probeQuery) {
		all, _ := wire.ParseChallenges(x.Response.Header)
		reads := slices.ContainsFunc(all, func(a wire.AuthChallenge) bool { v, _ := a.Get("error"); return v == "invalid_token" })
		switch s := x.status(); {
		case s >= 200 && s < 300 && !authFailure(x.Response.Body):
			j.fail(x, "a made-up token in the query is let in").differ("401", fmt.Sprint(s)).Severity = Critical
		case s == 401 && reads && !j.errs():
			j.fail(x, "a token in the query is read: the answer calls it invalid").Confidence = Likely
		}
	}
}

// errs reports whether the challenge has an error even when no token was sent.
func (j *judgement) errs() bool {
	return slices.ContainsFunc(j.firsts(), func(c challenge) bool {
		return slices.ContainsFunc(c.all, func(a wire.AuthChallenge) bool { _, ok := a.Get("error"); return ok })
	})
}

func judgeSession(j *judgement) {
	if !j.protected() {
		return
	}
	for _, x := range j.probesOf(probeSession) {
		if s := x.status(); s != 401 {
			j.fail(x, "a session is looked up before the token is checked").differ("401", fmt.Sprint(s))
		}
	}
}

func judgeOrigin(j *judgement) {
	for _, x := range j.probesOf(probeOrigin) {
		switch s := x.status(); {
		case s == 403:
		case s == 401:
			j.originWithToken()
		case s >= 200 && s < 300 && !authFailure(x.Response.Body):
			j.fail(x, "a request from a page of another site is let in").differ("403", fmt.Sprint(s))
		}
	}
}

// originWithToken judges the same request with a token, if there was a login.
func (j *judgement) originWithToken() {
	x, call := j.e.probe("main.origin"), j.e.probe("main.call")
	switch {
	case x == nil || x.Response == nil || call == nil || call.Response == nil || !letIn(call):
		j.end(CouldNotRun, "401 came before the origin was looked at; it shows with a token only")
	case letIn(x):
		j.fail(x, "a request from a page of another site is let in").differ("403", fmt.Sprint(x.status())).Severity = Medium // the page has no token
	}
}

func judgeHost(j *judgement) {
	if !wire.IsLoopbackHTTP(j.e.Target) {
		j.end(NotApplicable, "the server is not on this machine")
		return
	}
	for _, x := range j.probesOf(probeHost) {
		switch s := x.status(); {
		case s == 403 || s == 421 || s == 400 || s == 404:
		case s == 401:
			j.end(CouldNotRun, "401 came before Host was looked at; it shows with a token only")
		default:
			j.fail(x, "a request for another host is let in").differ("403 or 421", fmt.Sprint(s))
		}
	}
}

func judgeInjection(j *judgement) {
	for _, x := range j.probesOf(probeInject) {
		all, _ := wire.ParseChallenges(x.Response.Header)
		for _, a := range all {
			if _, ok := a.Get("injected"); ok {
				j.fail(x, "what the caller sent becomes a parameter of the challenge").differ("", strings.Join(x.got("WWW-Authenticate"), ", "))
			}
		}
		if len(x.got("X-Injected")) > 0 {
			j.fail(x, "what the caller sent becomes a header field of the answer").Severity = Critical
		}
	}
}

func judgeReflect(j *judgement, legs ...Leg) {
	n := 0
	for _, x := range j.probesOf(probeReflect) {
		if !slices.Contains(legs, x.Leg) {
			continue
		}
		n++
		for _, h := range x.Response.Header {
			if strings.Contains(h.Value, canary) {
				j.fail(x, h.Name+" follows X-Forwarded-Host of the caller").differ("the configured host", h.Value)
			}
		}
		if strings.Contains(string(x.Response.Body), canary) {
			f := j.fail(x, "the document follows X-Forwarded-Host of the caller")
			if cc := strings.ToLower(strings.Join(x.got("Cache-Control"), " ")); !strings.Contains(cc, "no-store") && !strings.Contains(cc, "private") {
				f.Severity = Critical
			}
		}
	}
	if n == 0 {
		j.end(CouldNotRun, "there is no document to ask for again")
	}
}

func judgeSoft404(j *judgement) {
	for _, x := range j.probesOf(probeSoft) {
		obj, err := wire.ParseObject(x.Response.Body)
		if x.status() != 200 || err != nil {
			continue
		}
		resource, _, _ := obj.String("resource")
		switch {
		case strings.Contains(resource, "/stile-audit/no-such-path"):
			j.fail(x, "a path that does not exist has metadata that claims it").differ("404", resource)
		case resource != "" && wire.Origin(resource) == strings.TrimSuffix(resource, "/"):
			j.fail(x, "a path that does not exist has the metadata of the whole host").differ("404", resource).Severity = Low
		}
	}
}

func judgeTruth(j *judgement) {
	for _, x := range j.probesOf(probeTruth) {
		if strings.HasSuffix(x.Probe, ".again") && x.status() == 404 {
			j.fail(x, "an endpoint of the metadata does not exist").differ("anything but 404", "404").Layer = AuthServer
		}
	}
}

func judgeUnknownClient(j *judgement) {
	for _, x := range j.probesOf(probeUnknown) {
		to := strings.Join(x.got("Location"), " ")
		switch s := x.status(); {
		case s >= 300 && s < 400 && strings.Contains(hostOf(to), canary):
			j.fail(x, "the authorization endpoint redirects for a client that does not exist").differ("an error page", fmt.Sprintf("%d to %s", s, to))
		case s >= 300 && s < 400:
			j.end(CouldNotRun, "a login page comes first: the client is looked at behind it")
		case s >= 500:
			j.fail(x, "a client that does not exist ends in an error of the server").differ("400", fmt.Sprint(s)).Severity = Medium
		case s == 200 && x.Form:
			j.end(CouldNotRun, "a login page comes first: the client is looked at behind it")
		}
	}
}

func judgeFrame(j *judgement) {
	seen := false
	for _, x := range append(j.probesOf(probeUnknown), j.page()...) {
		// A page without a form has nothing that could be clicked by mistake.
		if x.status() >= 300 && x.status() < 400 || !x.Form {
			continue
		}
		seen = true
		csp := strings.ToLower(strings.Join(x.got("Content-Security-Policy"), ";"))
		if !strings.Contains(csp, "frame-ancestors") && len(x.got("X-Frame-Options")) == 0 {
			j.fail(x, "the page of the authorization endpoint can be framed")
		}
	}
	if !seen && j.v.Outcome == Pass {
		j.end(CouldNotRun, "the authorization endpoint showed no form; its login is elsewhere, or behind a registration")
	}
}

// page is what the user of a registered client is shown, if the audit has seen it.
func (j *judgement) page() []*Exchange {
	if x := j.e.probe(probeAuthorize + "good"); x != nil && x.Response != nil {
		return []*Exchange{x}
	}
	return nil
}

func judgeNoCORS(j *judgement) {
	for _, x := range j.probesOf(probeUnknown) {
		if v := x.got("Access-Control-Allow-Origin"); len(v) > 0 {
			j.fail(x, "the authorization endpoint takes part in CORS").differ("no Access-Control-Allow-Origin", strings.Join(v, ", "))
		}
	}
}
