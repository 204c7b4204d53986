package audit

import (
	"slices"
	"strings"

	"github.com/stile-oauth/stile/states/rules"
	"github.com/stile-oauth/stile/states/wire"
)

// judgeMetadataService: the canary is the client's proxy, and keeps only the requests
// for a metadata service.
func judgeMetadataService(j *judgement) {
	if !j.began() {
		return
	}
	for i := range j.e.Exchanges {
		if x := &j.e.Exchanges[i]; j.e.role(x) == RoleCanary {
			j.fail(x, "the client connects to the address of a metadata service").differ("no connection", strings.TrimPrefix(x.Request.URL, wire.Origin(x.Request.URL)+"/")).Layer = Client
			return
		}
	}
}

// judgeTLS: a request that arrives shows that the client accepted the certificate.
func judgeTLS(j *judgement) {
	if !j.began() {
		return
	}
	if j.e.first(LegPRM) == nil {
		j.end(CouldNotRun, "the client read no metadata"+j.e.lastWords())
		return
	}
	for i := range j.e.Exchanges {
		if x := &j.e.Exchanges[i]; j.e.role(x) == RoleTLS {
			j.fail(x, "the client asks a server whose certificate nobody has signed").Layer = Client
			return
		}
	}
}

// judgeDecoy: nothing is sent to the issuer that only the wrong documents name.
func judgeDecoy(j *judgement) {
	if !j.began() {
		return
	}
	for i := range j.e.Exchanges {
		if x := &j.e.Exchanges[i]; j.e.role(x) == RoleOther {
			j.fail(x, "the client takes the issuer of a document that it should not have asked for").Layer = Client
			return
		}
	}
}

func judgeDemandedScope(j *judgement) {
	demanded := ""
	for _, c := range j.e.reading().challenges {
		for _, a := range c.all {
			if v, ok := a.Get("scope"); ok {
				demanded = v
			}
		}
	}
	if demanded == "" {
		j.end(CouldNotRun, "the client met no challenge")
		return
	}
	for _, l := range j.someLogins() {
		asked, _ := query(l.authorize.Request.URL).Get("scope")
		more := slices.DeleteFunc(wire.Missing(wire.ParseScope(demanded), wire.ParseScope(asked)), func(s string) bool { return s == "offline_access" || s == "openid" })
		if len(more) > 0 {
			f := j.fail(l.authorize, "the authorization request asks for more than the challenge demands").differ(demanded, asked)
			f.Layer, f.Rules = Client, []rules.ID{rules.AuthzReqScopeChallenge, rules.AuthzReqScopeMinimal}
		}
	}
}

// judgeLastStart expects that the client is let in at its last start.
func judgeLastStart(j *judgement) {
	if !j.loggedInFirst() {
		return
	}
	last, waits := 0, false
	for _, run := range j.e.Runs {
		last, waits = max(last, run.Start), run.Killed && !run.Crashed
	}
	if last < 2 {
		j.end(CouldNotRun, "the client was not started again")
		return
	}
	for i := range j.e.Exchanges {
		x := &j.e.Exchanges[i]
		if x.Leg == LegMCP && x.Run == last && len(x.sent("Authorization")) > 0 && x.status() >= 200 && x.status() < 300 {
			return
		}
	}
	if waits { // a lease that ends by itself is correct, and may take longer
		j.end(CouldNotRun, "the client was still waiting when its time was over")
		return
	}
	if !slices.ContainsFunc(j.e.Exchanges, func(x Exchange) bool { return x.Leg == LegRefresh }) {
		j.end(CouldNotRun, "the client does not refresh"+j.e.lastWords())
		return
	}
	f := j.fail(j.e.first(LegRefresh), "the client does not get through any more at its last start")
	f.Layer, f.Got = Client, wire.Clean(strings.TrimPrefix(j.e.lastWords(), ": "), 300)
}

// judgeExpiredSent: the second start comes after the token has expired by every clock.
func judgeExpiredSent(j *judgement) {
	if !j.loggedInFirst() {
		return
	}
	first := map[string]bool{}
	for i := range j.e.Exchanges {
		x := &j.e.Exchanges[i]
		sent := strings.Join(x.sent("Authorization"), "")
		switch {
		case x.Leg != LegMCP || sent == "":
		case x.Run == 1:
			first[sent] = true
		case first[sent]:
			j.fail(x, "a token is sent after it expired").Layer = Client
			return
		}
	}
}

// judgeFresh expects a new state and a new challenge for each authorization request.
func judgeFresh(j *judgement) {
	seen := map[string]bool{}
	for _, x := range j.e.legs(LegAuthorize) {
		q := query(x.Request.URL)
		for name, broken := range map[string]rules.ID{"state": rules.AuthzReqStateRandom, "code_challenge": rules.AuthzReqVerifierFresh} {
			v, _ := q.Get(name)
			if v != "" && seen[name+v] {
				f := j.fail(x, "two authorization requests have the same "+name)
				f.Layer, f.Rules, f.Severity = Client, []rules.ID{broken}, High
			}
			seen[name+v] = true
		}
	}
	slices.SortStableFunc(j.v.Findings, func(a, b Finding) int { return strings.Compare(a.Says, b.Says) })
}
