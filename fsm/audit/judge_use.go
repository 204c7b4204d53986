package audit

import (
	"fmt"
	"slices"
	"strings"

	"github.com/stile-oauth/stile/states/rules"
	"github.com/stile-oauth/stile/states/wire"
)

// judgeSessions looks whether a session is accepted in place of a token.
func judgeSessions(j *judgement) {
	call := j.answer("main.call")
	if call == nil {
		return
	}
	if len(call.got("Mcp-Session-Id")) == 0 {
		j.end(NotApplicable, "the server keeps no session")
		return
	}
	for _, name := range []string{"main.session.bare", "main.session.other"} {
		if x := j.answer(name); x != nil && letIn(x) {
			j.fail(x, "a request of a session is let in without a token that is good").differ("401", fmt.Sprint(x.status()))
		}
	}
}

func judgeStaleSession(j *judgement) {
	x := j.answer("main.stale")
	if x == nil {
		return
	}
	if j.needs("main.call"); j.v.Outcome != Pass {
		return
	}
	switch s := x.status(); {
	case s >= 500:
		j.fail(x, "a session that does not exist ends in an error of the server").differ("404", fmt.Sprint(s))
	case s >= 200 && s < 300:
		j.end(NotApplicable, "the server keeps no session")
	}
}

func judgeIDToken(j *judgement) {
	if j.answer("main.call") == nil {
		return
	}
	if _, ok := j.e.member("main.token", "id_token"); !ok {
		j.end(NotApplicable, "no ID token is issued")
		return
	}
	judgeRefusedToken("main.id-token", "an ID token is let in as an access token")(j)
}

func judgeOtherResource(j *judgement) {
	if j.e.Account == nil || j.e.Account.Other == "" {
		j.end(CouldNotRun, "no other resource of the issuer was named (--other-resource)")
		return
	}
	x := j.answer("other.call")
	switch t := j.e.probe("other.token"); {
	case x != nil && letIn(x):
		j.fail(x, "a token for another resource is let in").differ("401", fmt.Sprint(x.status())).Layer = MCPServer
	case x == nil && t != nil && t.status() == 400:
		j.v.Outcome, j.v.Why = CouldNotRun, "the issuer gives no token for "+wire.Clean(j.e.Account.Other, 200)
	}
}

func judgeNoResource(j *judgement) {
	x := j.answer("bare.call")
	if x == nil {
		if t := j.e.probe("bare.token"); t != nil && t.status() == 400 {
			j.v.Outcome, j.v.Why = Fact, "the issuer gives no token without resource"
		}
		return
	}
	t := j.answer("bare.token")
	switch resource := j.e.resource(); {
	case t == nil: // it could not run
	case !letIn(x):
		j.end(Fact, "a token that was asked for without resource is refused: clients that leave it out cannot use the server")
	case t.Claims != nil && resource != "" && !slices.Contains(t.Claims.Audience, resource):
		j.fail(x, "a token that does not name this resource is let in").differ(resource, strings.Join(t.Claims.Audience, " ")).Layer = MCPServer
	default:
		j.end(Fact, "a token that was asked for without resource is let in: the issuer has a default")
	}
}

func judgeExpired(j *judgement) {
	t := j.answer("main.token")
	if t == nil {
		return
	}
	x := j.e.probe("main.expired")
	switch {
	case x == nil || x.Response == nil:
		j.end(CouldNotRun, "nobody waited until the token expired (--slow), or it lives longer than "+maxExpiry.String())
	case letIn(x):
		j.fail(x, "a token is let in a minute after its end").differ("401", fmt.Sprint(x.status())).Layer = MCPServer
	case x.status() != 401:
		f := j.fail(x, "an expired token is not answered 401").differ("401", fmt.Sprint(x.status()))
		f.Layer, f.Rules = MCPServer, []rules.ID{rules.ChallengeInvalidToken401, rules.RSExpiry}
	}
}

// needsTool ends a check about scopes if no tool was named, or if the token is refused
// for everything.
func (j *judgement) needsTool() *Exchange {
	if j.e.Account == nil || j.e.Account.Tool == "" {
		j.end(CouldNotRun, "no tool that needs more scope was named (--tool)")
		return nil
	}
	x := j.answer("main.tool")
	if x == nil {
		return nil
	}
	if c := j.e.probe("main.call"); c == nil || c.Response == nil || !letIn(c) {
		j.end(CouldNotRun, "the token is refused for everything")
		return nil
	}
	return x
}

func judgeScopeMin(j *judgement) {
	x := j.needsTool()
	if x == nil {
		return
	}
	code, _ := demanded(x)
	switch s := x.status(); {
	case letIn(x):
		j.end(NotApplicable, "the tool needs no more scope than the login has")
	case s == 401 && code == "insufficient_scope":
		j.fail(x, "a lack of scope is answered 401").differ("403", "401").Rules = []rules.ID{rules.ChallengeStatusCodeMatch, rules.Challenge403InsufficientScope}
	case s != 403:
		j.fail(x, "a lack of scope is not answered 403").differ("403", fmt.Sprint(s))
	}
}

func judgeScopeChallenge(j *judgement) {
	x := j.needsTool()
	if x == nil {
		return
	}
	if x.status() != 403 {
		j.end(CouldNotRun, "the call was not answered 403 (scope.min)")
		return
	}
	code, scope := demanded(x)
	if code != "insufficient_scope" {
		j.fail(x, `the challenge has no error="insufficient_scope"`).differ("insufficient_scope", code).Rules = []rules.ID{rules.Challenge403InsufficientScope}
	}
	if scope == "" {
		j.fail(x, "the challenge does not say which scopes are needed").differ("scope", "").Rules = []rules.ID{rules.Challenge403Scope}
	}
	all, _ := wire.ParseChallenges(x.Response.Header)
	if scope != "" && !slices.ContainsFunc(all, func(a wire.AuthChallenge) bool { _, ok := a.Get("resource_metadata"); return ok }) {
		f := j.fail(x, "the challenge does not name the metadata").differ("resource_metadata", "")
		f.Severity, f.Rules = Low, []rules.ID{rules.Challenge403ResourceMetadata}
	}
}

func judgeScopeEnds(j *judgement) {
	x := j.needsTool()
	if x == nil {
		return
	}
	_, scope := demanded(x)
	if x.status() != 403 || scope == "" {
		j.end(CouldNotRun, "there is no challenge with scopes to follow (scope.challenge)")
		return
	}
	again := j.answer("step.tool")
	if again == nil {
		return
	}
	if letIn(again) {
		return
	}
	_, wanted := demanded(again)
	f := j.fail(again, "the call is refused again after the scopes of the challenge were granted").differ(scope, wanted)
	f.Layer = MCPServer
	if again.status() == 403 && wanted != "" && wire.Covers(wire.ParseScope(scope), wire.ParseScope(wanted)) {
		f.Rules = append(slices.Clone(f.Rules), rules.StepupSameChallengeTerminal)
	}
}

func judgeScopeCatalogue(j *judgement) {
	x := j.needsTool()
	if x == nil {
		return
	}
	_, scope := demanded(x)
	wanted := wire.ParseScope(scope)
	for _, m := range j.e.reading().prm {
		listed, _, _ := m.obj.Strings("scopes_supported")
		if len(listed) > 2 && wire.Covers(wanted, listed) {
			j.fail(x, "the challenge asks for every scope of the server").differ("those that the call needs", scope).Confidence = Likely
			return
		}
	}
}
