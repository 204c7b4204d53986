package audit

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/stile-oauth/stile/states/rules"
	"github.com/stile-oauth/stile/states/wire"
)

func judgeOmitResource(j *judgement) {
	if j.noRefresh("main.token") {
		return
	}
	x := j.answer("main.no-resource")
	if x == nil {
		return
	}
	e := wire.ParseOAuthError(*x.Response)
	call := j.e.probe("main.no-resource-call")
	switch {
	case e != nil && e.Code == "invalid_target":
		j.end(Fact, "a refresh without resource is refused with invalid_target: clients that leave it out log in again")
	case x.status() != 200:
		j.end(Fact, fmt.Sprintf("a refresh without resource is answered %d", x.status()))
	case call != nil && call.Response != nil && !letIn(call):
		j.fail(call, "a refresh without resource gives a token that this server refuses").differ("2xx", fmt.Sprint(call.status())).Affected = "clients that send resource at the login only"
	}
}

func judgeForeignRefresh(j *judgement) {
	if j.noRefresh("main.token") {
		return
	}
	x := j.answer("main.other-resource")
	if x == nil || x.status() != 200 {
		return
	}
	f := j.fail(x, "a refresh gives a token for a resource that was never granted").differ("invalid_target", "200")
	f.Layer = AuthServer
	if c := x.Claims; c == nil {
		f.Confidence = Likely
	} else if !slices.ContainsFunc(c.Audience, func(a string) bool { return strings.Contains(a, canary) }) {
		f.Says, f.Severity = "a refresh for a resource that was never granted succeeds, and gives a token for another one", Low
	}
}

// judgeBound expects that a code or token is refused if another client sends it.
func judgeBound(judge func(*judgement)) func(*judgement) {
	return func(j *judgement) {
		if j.e.Account != nil && len(j.e.reading().asm) > 0 && j.e.address("registration_endpoint") == "" {
			j.end(CouldNotRun, "there is no second client to ask as")
			return
		}
		judge(j)
	}
}

// owner is the grant whose refresh token another client tried: the grant of the code
// that was sent wrongly, or another one if that code was used up.
func (j *judgement) owner() string {
	if j.e.probe("own.right") != nil {
		return "own"
	}
	return "code"
}

func judgeForeignSpend(j *judgement) {
	grant := j.owner()
	judgeRefusedGrant(grant+".other-refresh", grant+".works", "a refresh token is spent by another client")(j)
}

func judgeForeignRevoke(j *judgement) {
	grant := j.owner()
	x := j.e.probe(grant + ".other-revoke")
	if x == nil || x.Response == nil {
		j.end(CouldNotRun, "there is no second client, no refresh token or no revocation endpoint to try it with")
		return
	}
	if !j.works(grant + ".works") {
		j.end(CouldNotRun, "the refresh token does not work for its own client (ref.works)")
		return
	}
	if still := j.answer(grant + ".still"); still != nil && still.status() == 400 && x.status() == 200 {
		f := j.fail(still, "another client revokes a refresh token that is not its own").differ("200", "400")
		f.Layer, f.Confidence = AuthServer, Likely
	}
}

func judgeRace(j *judgement) {
	if j.noRefresh("grace.token") {
		return
	}
	one, two := j.answer("grace.race"), j.e.probe("grace.race"+Second)
	if one == nil || two == nil || two.Response == nil {
		j.end(CouldNotRun, "the refresh token was not spent twice")
		return
	}
	won := 0
	for _, x := range []*Exchange{one, two} {
		if gives(x) {
			won++
		} else if e := wire.ParseOAuthError(*x.Response); won > 0 && (x.status() >= 500 || e == nil) {
			j.fail(x, "one of two refreshes at once ends in an error of the server").differ("400 invalid_grant", fmt.Sprint(x.status())).Layer = AuthServer
		}
	}
	alive := j.e.probe("grace.alive")
	switch {
	case won == 0:
		j.end(CouldNotRun, "neither of two refreshes at once succeeded (ref.works)")
	case alive != nil && alive.Response != nil && !gives(alive):
		f := j.fail(alive, "two refreshes at once end the login").differ("200", fmt.Sprint(alive.status()))
		f.Layer, f.Severity, f.Confidence = AuthServer, Medium, Likely
		f.Affected = "clients with several processes, and those whose answer was lost; the rule allows it"
	case won == 1:
		j.end(Fact, "of two refreshes at once one succeeds, and the login lives on")
	default:
		j.end(Fact, "of two refreshes at once both succeed: there is a grace")
	}
}

func judgeGraceComplete(j *judgement) {
	if j.noRefresh("grace.token") {
		return
	}
	one, two := j.answer("grace.race"), j.e.probe("grace.race"+Second)
	if one == nil || two == nil || two.Response == nil || !gives(one) || !gives(two) {
		j.end(NotApplicable, "there is no grace")
		return
	}
	first, a := j.e.member("grace.race", "refresh_token")
	_, b := j.e.member("grace.race"+Second, "refresh_token")
	if a != b || !a && first == "" && j.e.newest("main.refreshed") != "" {
		j.fail(two, "the answer within the grace has no refresh token").differ("refresh_token", "").Layer = AuthServer
	}
}

func judgeRevokedAccess(j *judgement) {
	if j.e.address("revocation_endpoint") == "" && j.e.probe("revoke.token") != nil {
		j.end(NotApplicable, "the issuer has no revocation endpoint")
		return
	}
	done := j.answer("revoke.access")
	if done == nil {
		return
	}
	if done.status() != 200 {
		if e := wire.ParseOAuthError(*done.Response); e != nil && e.Code == "unsupported_token_type" {
			j.end(Fact, "access tokens cannot be revoked")
			return
		}
		j.fail(done, "the revocation of an access token is not answered 200").differ("200", fmt.Sprint(done.status()))
		return
	}
	if x := j.answer("revoke.access-call"); x != nil && letIn(x) {
		f := j.fail(x, "a revoked access token is let in "+(x.At-done.At).Round(time.Second).String()+" later").differ("401", fmt.Sprint(x.status()))
		f.Layer, f.Confidence = MCPServer, Likely
		f.Affected = "nobody, if tokens live for minutes only"
	}
}

func judgeIntrospection(j *judgement) {
	if j.e.Account == nil || j.e.Account.IntrospectID == "" {
		j.end(CouldNotRun, "no client that may introspect was given (--introspect-client)")
		return
	}
	if len(j.e.reading().asm) > 0 && j.e.address("introspection_endpoint") == "" {
		j.end(NotApplicable, "the issuer has no introspection endpoint")
		return
	}
	x := j.answer("main.inspected")
	if x == nil {
		return
	}
	obj, err := wire.ParseObject(x.Response.Body)
	if x.status() != 200 || x.mediaType() != "application/json" {
		f := j.fail(x, "a live token is not told about").differ("200 application/json", fmt.Sprintf("%d %s", x.status(), x.mediaType()))
		f.Rules = []rules.ID{rules.RSIntrospectDown, rules.ASIntrospectChecks}
		return
	}
	if err != nil {
		j.fail(x, "the answer cannot be read: "+wire.Clean(err.Error(), 200)).Rules = []rules.ID{rules.RSIntrospectActiveStrict}
		return
	}
	active, _, ok := obj.Bool("active")
	if !ok || !active {
		raw, _ := obj.Raw("active")
		j.fail(x, "active of a live token is not true").differ("true", string(raw)).Rules = []rules.ID{rules.RSIntrospectActiveStrict, rules.ASIntrospectChecks}
	}
	if _, present, ok := obj.String("scope"); present && !ok {
		j.fail(x, "scope is not a string").Rules = []rules.ID{rules.RSIntrospectScopeString}
	}
	if raw, has := obj.Raw("exp"); !has {
		j.fail(x, "the answer does not say when the token ends").differ("exp", "").Rules = []rules.ID{rules.RSExpRequired}
	} else if _, err := strconv.ParseInt(string(raw), 10, 64); err != nil {
		j.fail(x, "exp is not a number of seconds").differ("a number", string(raw)).Rules = []rules.ID{rules.RSExpRequired}
	}
	if r := j.e.resource(); r != "" {
		aud, present, _ := obj.Strings("aud")
		if s, _, ok := obj.String("aud"); ok {
			aud, present = []string{s}, true
		}
		if !present || !slices.Contains(aud, r) {
			j.fail(x, "aud does not name the resource").differ(r, strings.Join(aud, " ")).Rules = []rules.ID{rules.RSIntrospectAudience, rules.TokenRespAudience}
		}
	}
	if after := j.e.probe("revoke.inspected"); after != nil && after.Response != nil {
		if done := j.e.probe("revoke.access"); done != nil && done.status() == 200 {
			if o, err := wire.ParseObject(after.Response.Body); err == nil {
				if active, _, _ := o.Bool("active"); active {
					j.fail(after, "the issuer says that a revoked token is active").differ("false", "true").Rules = []rules.ID{rules.ASIntrospectInactive}
				}
			}
		}
	}
}
