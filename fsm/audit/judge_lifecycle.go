package audit

import (
	"fmt"
	"slices"
	"strings"

	"github.com/stile-oauth/stile/states/rules"
	"github.com/stile-oauth/stile/states/wire"
)

// answer gives the exchange of a probe. Without an answer the check could not run; the
// reason is that of the first step that failed.
func (j *judgement) answer(label string) *Exchange {
	if x := j.e.probe(label); x != nil && x.Response != nil {
		return x
	}
	grant, _, _ := strings.Cut(label, ".")
	why := "the login did not come so far"
	for _, step := range []string{registration, grant + ".visit", grant + ".token", grant + ".first", label} {
		x := j.e.probe(step)
		if x == nil {
			continue
		}
		if x.Failure != "" {
			why = x.title() + ": " + x.Failure
			break
		}
		if x.Response != nil && x.status() >= 400 {
			why = fmt.Sprintf("%s: %d", x.title(), x.status())
			break
		}
		if e, ok := query(x.Request.URL).Get("error"); ok && strings.HasSuffix(step, ".visit") {
			why = "the authorization endpoint answered " + e
			break
		}
	}
	j.end(CouldNotRun, why)
	return nil
}

// use does the same for a request with a token. An authorization server alone gets no
// such request.
func (j *judgement) use(label string) *Exchange {
	if j.e.Source == LiveIssuer {
		return nil
	}
	return j.answer(label)
}

// letIn reports whether a request with a token was accepted.
func letIn(x *Exchange) bool {
	return x.status() >= 200 && x.status() < 300 && !authFailure(x.Response.Body)
}

// gives reports whether a token endpoint gave a token.
func gives(x *Exchange) bool {
	if x.status() != 200 {
		return false
	}
	obj, err := wire.ParseObject(x.Response.Body)
	_, has := obj.Raw("access_token")
	return err == nil && has
}

func judgeFlow(j *judgement) {
	if t := j.e.probe("main.token"); t != nil && t.Response != nil && t.status() != 200 {
		f := j.fail(t, "a code that was just issued, with the right verifier, is refused").differ("200", strings.TrimSpace(fmt.Sprint(t.status())+" "+t.says("error")))
		f.Layer, f.Rules = AuthServer, append(slices.Clone(f.Rules), refusedGrant(t)...)
		return
	}
	if j.e.Source == LiveIssuer && j.answer("main.token") == nil {
		return
	}
	x := j.use("main.call")
	if x == nil || letIn(x) {
		return
	}
	f := j.fail(x, "a token that was just issued is refused").differ("2xx", fmt.Sprint(x.status()))
	code, scope := demanded(x)
	switch s := x.status(); {
	case s == 401:
		f.Rules = append(slices.Clone(f.Rules), rules.ChallengeFreshTokenLoop, rules.TokenRespAudience)
	case s == 403 && code == "":
		f.Rules = append(slices.Clone(f.Rules), rules.Challenge403WithoutChallenge)
	case s == 403 && wire.Covers(wire.ParseScope(j.e.scope()), wire.ParseScope(scope)):
		f.Rules = append(slices.Clone(f.Rules), rules.StepupSameChallengeTerminal, rules.TokenRespScopeNarrowed)
	}
}

// refusedGrant names the rules that say what a client does when a correct token
// request is refused.
func refusedGrant(x *Exchange) []rules.ID {
	e := wire.ParseOAuthError(*x.Response)
	switch s := x.status(); {
	case s == 404 || s == 410:
		return []rules.ID{rules.TokenRespErrorStatus, rules.ASMCacheBounded, rules.IssuerRefreshBound}
	case s >= 500 || s == 429:
		return []rules.ID{rules.TokenRespErrorVsTransient, rules.RefreshTransientKeeps}
	case e == nil:
		return []rules.ID{rules.TokenRespErrorJSON}
	case e.Code == "server_error" || e.Code == "temporarily_unavailable":
		return []rules.ID{rules.TokenRespErrorVsTransient}
	case e.Code == "invalid_client":
		return []rules.ID{rules.RegReregisterOnce}
	case e.Code == "invalid_grant" || e.Code == "interaction_required":
		return []rules.ID{rules.TokenRespInvalidGrantHonest, rules.RefreshInvalidGrantTerminal}
	}
	return []rules.ID{rules.TokenRespInvalidGrantHonest}
}

// judgeRefusedToken expects 401 for a request with a token that is not valid.
func judgeRefusedToken(label, says string) func(*judgement) {
	return func(j *judgement) {
		x := j.answer(label)
		if x == nil {
			if _, ok := j.e.member("main.token", "refresh_token"); !ok && label == "main.refresh-as-bearer" && j.e.probe("main.token") != nil {
				j.end(NotApplicable, "no refresh token is issued")
			}
			return
		}
		if j.needs("main.call"); letIn(x) && j.v.Outcome == Pass {
			j.fail(x, says).differ("401", fmt.Sprint(x.status())).Layer = MCPServer
		}
	}
}

func judgeScheme(j *judgement) {
	x, call := j.answer("main.lower"), j.e.probe("main.call")
	switch {
	case x == nil:
	case call == nil || call.Response == nil || !letIn(call):
		j.needs("main.call")
	case !letIn(x):
		j.fail(x, "the scheme bearer in small letters is refused").differ("2xx", fmt.Sprint(x.status())).Layer = MCPServer
	}
}

// judgeRefusedGrant expects an OAuth error for a wrong exchange, and a token for the
// correct one.
func judgeRefusedGrant(label, right, says string) func(*judgement) {
	return func(j *judgement) {
		if x := j.answer(label); x != nil && gives(x) {
			j.fail(x, says).differ("400 invalid_grant", "200").Layer = AuthServer
		} else if x != nil {
			j.needs(right)
		}
	}
}

// judgeWrongExchange expects that a code is refused when it is sent wrongly in one
// particular way. It looks at the code that was sent wrongly in every way, or, if that
// code was used up, at a code of its own.
func judgeWrongExchange(way, says string) func(*judgement) {
	return func(j *judgement) {
		shared := j.e.probe("code." + way)
		switch {
		case shared != nil && gives(shared):
			judgeRefusedGrant("code."+way, "", says)(j)
		case j.works("code.right") || way == wrongExchanges[0] && (j.works("own.right") || j.works("main.token")):
			j.answer("code." + way)
		case j.works("own.right"):
			judgeRefusedGrant(way+".code", "own.right", says)(j)
		default:
			judgeRefusedGrant("code."+way, "code.right", says)(j)
		}
	}
}

// works reports whether a correct request was accepted.
func (j *judgement) works(label string) bool {
	x := j.e.probe(label)
	return x != nil && x.Response != nil && (gives(x) || x.Leg == LegMCP && letIn(x))
}

// needs ends a check that expects a refusal if the correct request was refused as
// well, because then the refusal says nothing.
func (j *judgement) needs(right string) {
	if j.works(right) {
		return
	}
	why := "the right request is refused as well"
	if right == "code.right" && j.works("main.token") {
		why = "the code was used up by the first wrong exchange, and no login gave another one"
	}
	j.end(CouldNotRun, why)
}

func judgeReuseRevokes(j *judgement) {
	again := j.answer("reuse.again")
	if again == nil {
		return
	}
	if again.status() == 200 {
		j.end(CouldNotRun, "the code could be used again (lg.code-reuse)")
		return
	}
	if x := j.answer("reuse.call"); x != nil && letIn(x) {
		j.fail(x, "the token of a code that came back still works").differ("401", fmt.Sprint(x.status())).Layer = AuthServer
	}
}

// judgeUnasked expects that a verifier is refused if it belongs to no challenge.
func judgeUnasked(j *judgement) {
	if x := j.e.probe(probeAuthorize + "no-pkce"); x == nil || x.Response == nil {
		j.unregistered()
		return
	}
	visit := j.e.probe("unasked.visit")
	switch {
	case !j.e.unchallenged():
		j.end(NotApplicable, "a request without a challenge is refused (az.no-pkce)")
	case visit != nil && visit.Failure == "" && j.e.code("unasked") == "":
		j.end(NotApplicable, "a request without a challenge is refused behind the login")
	default:
		judgeRefusedGrant("unasked.token", "main.token", "a code without a challenge is exchanged with a verifier")(j)
	}
}

// judgeCodeLife expects that a code is refused if it is older than ten minutes.
func judgeCodeLife(j *judgement) {
	if j.e.Account == nil || !j.e.Account.Slow {
		j.end(CouldNotRun, "nobody waited until a code is old (--slow)")
		return
	}
	judgeRefusedGrant("late.token", "main.token", "a code is exchanged ten and a half minutes after it was issued")(j)
}
