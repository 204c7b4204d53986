package audit

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/stile-oauth/stile/states/rules"
	"github.com/stile-oauth/stile/states/wire"
)

// noRefresh ends a check about refreshes if no refresh tokens are issued.
func (j *judgement) noRefresh(token string) bool {
	x := j.e.probe(token)
	if x == nil || x.status() != 200 {
		return false
	}
	if _, ok := j.e.member(token, "refresh_token"); ok {
		return false
	}
	j.end(NotApplicable, "no refresh token is issued")
	return true
}

func judgeRefreshWorks(j *judgement) {
	if j.noRefresh("main.token") {
		return
	}
	x := j.answer("main.refreshed")
	if x == nil {
		return
	}
	if !gives(x) {
		f := j.fail(x, "a refresh with resource gives no token").differ("200 with access_token", fmt.Sprint(x.status()))
		f.Layer = AuthServer
		if x.status() == 200 {
			f.Rules = append(slices.Clone(f.Rules), rules.RefreshTransientKeeps)
		} else {
			f.Rules = append(slices.Clone(f.Rules), refusedGrant(x)...)
		}
		return
	}
	next, _ := wire.ParseObject(x.Response.Body)
	login := j.answer("main.token")
	if login == nil {
		return
	}
	first, _ := wire.ParseObject(login.Response.Body)
	if lacks := wire.Missing(granted(next, j.e.scope()), granted(first, j.e.scope())); len(lacks) > 0 {
		f := j.fail(x, "a refresh gives fewer scopes than the login did").differ(strings.Join(granted(first, ""), " "), strings.Join(granted(next, ""), " "))
		f.Layer, f.Severity, f.Rules = AuthServer, Medium, []rules.ID{rules.RefreshScopeSame, rules.TokenRespScopeNarrowed}
	}
	if c := j.use("main.refreshed-call"); c != nil && !letIn(c) {
		j.fail(c, "the refreshed token is refused").differ("2xx", fmt.Sprint(c.status()))
	}
}

func judgeRotates(j *judgement) {
	if j.noRefresh("main.token") {
		return
	}
	x := j.answer("main.refreshed")
	if x == nil {
		return
	}
	if j.e.Account != nil && j.e.Account.ClientSecret != "" || len(x.sent("Authorization")) > 0 {
		j.end(NotApplicable, "the client is confidential")
		return
	}
	if !gives(x) {
		j.end(CouldNotRun, "the refresh is refused (ref.works)")
		return
	}
	sent, _ := requestForm(x).Get("refresh_token")
	if got, ok := j.e.member("main.refreshed", "refresh_token"); !ok || got == sent {
		f := j.fail(x, "the refresh token of a public client is not rotated")
		f.Layer = AuthServer
		f.Rules = append(slices.Clone(f.Rules), rules.RefreshOmittedKeep)
	}
}

func judgeFreshAlive(j *judgement) {
	if j.noRefresh("main.token") {
		return
	}
	x := j.answer("main.later-call")
	if x == nil {
		return
	}
	if j.needs("main.refreshed-call"); j.v.Outcome != Pass {
		return
	}
	if w := j.e.probe("main.widened"); w != nil && w.status() == 200 {
		j.end(CouldNotRun, "another refresh came between")
		return
	}
	if !letIn(x) {
		j.fail(x, "a refreshed token is refused a moment later").differ("2xx", fmt.Sprint(x.status()))
	}
}

func judgeWiden(j *judgement) {
	if j.noRefresh("main.token") {
		return
	}
	x := j.answer("main.widened")
	if x == nil || x.status() != 200 {
		return
	}
	obj, err := wire.ParseObject(x.Response.Body)
	if err != nil {
		return
	}
	if scope, _, ok := obj.String("scope"); !ok || strings.Contains(scope, "no-such-scope") {
		f := j.fail(x, "a refresh gives a scope that was never granted").differ("invalid_scope", scope)
		f.Layer = AuthServer
		if !ok {
			f.Confidence, f.Severity = Guess, Low
			f.Says = "a refresh with a scope that was never granted succeeds, and does not say which scopes it gives"
		}
	}
}

func judgeFamily(j *judgement) {
	if j.noRefresh("family.token") {
		return
	}
	if x := j.e.probe("family.second"); x != nil && x.status() == 200 && j.e.probe("family.third") == nil {
		j.end(NotApplicable, "refresh tokens are not rotated")
		return
	}
	x := j.answer("family.replayed")
	if x == nil {
		return
	}
	if late := j.e.probe("family.late"); late != nil && gives(x) { // the first use came within a grace period
		if late.Response == nil {
			j.end(CouldNotRun, late.title()+": "+late.Failure)
			return
		}
		x = late
	}
	if gives(x) {
		f := j.fail(x, "a spent refresh token works after its successor was used, and a minute later").differ("400 invalid_grant", "200")
		f.Layer, f.Rules = AuthServer, append(slices.Clone(f.Rules), rules.RefreshTransaction)
		return
	}
	if n := j.answer("family.newest"); n != nil && n.status() == 200 {
		f := j.fail(n, "the family lives on after a spent refresh token came back").differ("400 invalid_grant", "200")
		f.Layer, f.Severity = AuthServer, Medium
	}
}

func judgeReuseError(j *judgement) {
	if j.noRefresh("family.token") {
		return
	}
	if x := j.e.probe("family.second"); x != nil && x.status() == 200 && j.e.probe("family.third") == nil {
		j.end(NotApplicable, "refresh tokens are not rotated")
		return
	}
	x := j.answer("family.replayed")
	if late := j.e.probe("family.late"); late != nil && late.Response != nil {
		x = late
	}
	if x == nil || x.status() == 200 {
		return
	}
	e := wire.ParseOAuthError(*x.Response)
	code := "no OAuth error"
	if e != nil {
		code = string(e.Code)
	}
	if x.status() != 400 || code != "invalid_grant" {
		f := j.fail(x, "a spent refresh token is not refused as invalid_grant").differ("400 invalid_grant", fmt.Sprintf("%d %s", x.status(), code))
		f.Layer, f.Rules = AuthServer, append(slices.Clone(f.Rules), rules.RefreshTransaction)
	}
}

func judgeRevoked(j *judgement) {
	if j.noRefresh("revoke.token") {
		return
	}
	if j.e.address("revocation_endpoint") == "" && j.e.probe("revoke.token") != nil {
		j.end(NotApplicable, "the issuer has no revocation endpoint")
		return
	}
	done := j.answer("revoke.done")
	if done == nil {
		return
	}
	if done.status() != 200 {
		f := j.fail(done, "a revocation is not answered 200").differ("200", fmt.Sprint(done.status()))
		f.Layer = AuthServer
		f.Rules = append(slices.Clone(f.Rules), refusedRevocation(done)...)
	}
	if x := j.answer("revoke.refreshed"); x != nil && gives(x) {
		j.fail(x, "a revoked refresh token still works").differ("400 invalid_grant", "200").Layer = AuthServer
	}
	if x := j.use("revoke.call"); x != nil && letIn(x) {
		j.end(Fact, "the access token of a revoked refresh token still works "+(x.At-done.At).String()+" later")
	}
}

// idle is how long a refresh token must lie unused to say something about refresh
// tokens that expire when they are not used.
const idle = 24 * time.Hour

// judgeIdle tells what happened to the refresh token of a recording that lay idle
// the longest.
func judgeIdle(j *judgement) {
	issued := map[string]time.Duration{}
	var longest time.Duration
	for i := range j.e.Exchanges {
		x := &j.e.Exchanges[i]
		if x.Response == nil || x.Leg != LegToken && x.Leg != LegRefresh {
			continue
		}
		sent, _ := requestForm(x).Get("refresh_token")
		if at, ok := issued[sent]; ok && sent != "" && x.At-at >= max(idle, longest) {
			longest = x.At - at
			did := "worked"
			if !gives(x) {
				did = fmt.Sprintf("was answered %d", x.status())
			}
			j.end(Fact, fmt.Sprintf("a refresh token that had lain idle for %d days %s", int(longest/idle), did))
		}
		if t, _, ok := x.object().String("refresh_token"); ok && gives(x) {
			issued[t] = x.At
		} else if gives(x) && sent != "" {
			issued[sent] = x.At // it stays valid
		}
	}
	if longest == 0 {
		j.end(CouldNotRun, "it takes days: record a client that refreshes 1, 7 and 30 days after its last refresh, and audit the recording (stile audit trace, stile audit har)")
	}
}
