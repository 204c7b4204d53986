package audit

import (
	"fmt"
	"slices"
	"strings"

	"github.com/stile-oauth/stile/states/wire"
)

func judgeCoverage(j *judgement) {
	var lacks []string
	for _, l := range []Leg{LegMCP, LegPRM, LegASM, LegRegister, LegAuthorize, LegCallback, LegToken, LegRefresh} {
		if !slices.ContainsFunc(j.e.Exchanges, func(x Exchange) bool { return x.Leg == l }) {
			lacks = append(lacks, string(l))
		}
	}
	if len(lacks) > 0 {
		j.end(Fact, "not in the recording: "+strings.Join(lacks, ", "))
	}
}

func judgeLiveSecrets(j *judgement) {
	switch {
	case j.e.Source != FromHAR:
		j.end(NotApplicable, "traces are written without secrets")
	case j.e.Live > 0:
		f := j.fail(nil, fmt.Sprintf("%d values that open something were in the file; they are replaced in this report", j.e.Live))
		f.Layer = Operator
	}
}

func judgeURLToken(j *judgement) {
	for i := range j.e.Exchanges {
		x := &j.e.Exchanges[i]
		for _, at := range append([]string{x.Request.URL}, x.sent("Referer")...) {
			for _, f := range query(at) {
				if slices.Contains([]string{"access_token", "refresh_token", "client_secret", "id_token"}, f.Name) && f.Value != "" {
					j.fail(x, f.Name+" is in an address").Layer = Client
				}
			}
		}
	}
}

func judgePlainHTTP(j *judgement) {
	for i := range j.e.Exchanges {
		x := &j.e.Exchanges[i]
		if strings.HasPrefix(x.Request.URL, "http:") && !wire.IsLoopbackHTTP(x.Request.URL) && x.Leg != LegOther {
			j.fail(x, "a request of the protocol goes over plain http").Layer = Client
		}
	}
}

func judgeSentCookies(j *judgement) {
	for _, x := range j.e.legs(LegPRM, LegASM, LegToken, LegRefresh, LegRegister) {
		if len(x.sent("Cookie")) > 0 {
			j.fail(x, "a request of the client itself carries a cookie").Layer = Client
		}
	}
}

func judgeScopes(j *judgement) {
	var challenged []string
	n := 0
	for i := range j.e.Exchanges {
		x := &j.e.Exchanges[i]
		switch x.Leg {
		case LegMCP:
			if x.Response == nil || x.status() != 401 && x.status() != 403 {
				continue
			}
			all, _ := wire.ParseChallenges(x.Response.Header)
			for _, a := range all {
				if v, ok := a.Get("scope"); ok && (a.Scheme == "bearer" || a.Scheme == "dpop") {
					challenged = wire.ParseScope(v)
				}
			}
		case LegAuthorize:
			n++
			v, _ := query(x.Request.URL).Get("scope")
			if lacks := wire.Missing(wire.ParseScope(v), challenged); len(lacks) > 0 {
				j.fail(x, "an authorization request leaves out scopes that the challenge names").differ(strings.Join(challenged, " "), v).Layer = Client
			}
		default: // the others need nothing here
		}
	}
	if n == 0 {
		j.end(CouldNotRun, "the recording holds no authorization request")
	}
}

func judgeOrder(j *judgement) {
	metadata := false
	for i := range j.e.Exchanges {
		x := &j.e.Exchanges[i]
		switch x.Leg {
		case LegASM:
			metadata = true
		case LegRegister, LegAuthorize:
			if !metadata && j.e.Stored {
				j.end(CouldNotRun, "the client began with a stored credential, which names endpoints")
				return
			}
			if !metadata && j.e.Source == FromTrace {
				f := j.fail(x, "the client goes to an endpoint before it read any metadata")
				f.Layer, f.Confidence = Client, Likely
				return
			}
		default: // the others need nothing here
		}
	}
	if !metadata && j.v.Outcome == Pass {
		j.end(CouldNotRun, "the recording holds no metadata of an authorization server")
	}
}

func judgeFirstCause(j *judgement) {
	for i := range j.e.Exchanges {
		x := &j.e.Exchanges[i]
		switch {
		case x.Failure != "":
			j.end(Fact, "the first exchange that failed: "+x.title()+": "+x.Failure)
			return
		case x.status() >= 400 && x.Leg != LegMCP && x.Leg != LegPRM && x.Leg != LegASM:
			j.end(Fact, fmt.Sprintf("the first exchange that was refused: %s: %d", x.title(), x.status()))
			return
		}
	}
}
