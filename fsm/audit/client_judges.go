package audit

import (
	"fmt"
	"slices"
	"strings"

	"github.com/stile-oauth/stile/states/rules"
	"github.com/stile-oauth/stile/states/wire"
)

// began reports whether the client got as far as asking the resource. If not,
// nothing can be said about it.
func (j *judgement) began() bool {
	if j.e.first(LegMCP) == nil {
		j.end(CouldNotRun, "the client sent no request"+j.e.lastWords())
		return false
	}
	return true
}

// The expectations of traps. Each is a judge.

// refusesMetadata: no user is sent anywhere, and nothing is registered or sent
// to a token endpoint.
func refusesMetadata(j *judgement) {
	if !j.began() {
		return
	}
	if j.e.first(LegPRM) == nil && j.e.first(LegASM) == nil {
		j.end(CouldNotRun, "the client read no metadata"+j.e.lastWords())
		return
	}
	for _, leg := range []Leg{LegAuthorize, LegToken} {
		if x := j.e.first(leg); x != nil {
			j.fail(x, "the client goes on to the "+string(leg)+" endpoint").Layer = Client
			return
		}
	}
	for _, run := range j.e.Runs {
		for _, u := range run.Opened {
			j.fail(nil, "the client sends the user to "+u).Layer = Client
			return
		}
	}
}

// refusesAnswer: the callback is not followed by an exchange.
func refusesAnswer(j *judgement) {
	if !j.began() {
		return
	}
	if !j.e.wasAnswered() {
		j.end(CouldNotRun, "no answer came back to the client"+j.e.lastWords())
		return
	}
	if x := j.e.first(LegToken); x != nil {
		j.fail(x, "the client exchanges the code of an answer that it must refuse").Layer = Client
	}
}

// refusesToken: what the token endpoint gave is not used.
func refusesToken(j *judgement) {
	if !j.began() {
		return
	}
	if j.e.first(LegToken) == nil {
		j.end(CouldNotRun, "the client exchanged no code"+j.e.lastWords())
		return
	}
	for i := range j.e.Exchanges {
		if x := &j.e.Exchanges[i]; x.Leg == LegMCP && len(x.sent("Authorization")) > 0 {
			j.fail(x, "the client uses a token of an answer that it must refuse").Layer = Client
			return
		}
	}
}

// getsThrough: the client logs in nevertheless.
func getsThrough(j *judgement) {
	if !j.began() {
		return
	}
	if !j.e.authorized() {
		f := j.fail(j.e.first(LegMCP), "the client does not get through, although it can")
		f.Layer, f.Affected = Client, "users of servers that behave so"
		if w := j.e.lastWords(); w != "" {
			f.Got = wire.Clean(strings.TrimPrefix(w, ": "), 300)
		}
	}
}

// atMost: the client asks for a login no more than n times.
func atMost(n int) func(*judgement) {
	return func(j *judgement) {
		if !j.began() {
			return
		}
		if j.e.first(LegToken) == nil {
			j.end(CouldNotRun, "the client never logged in"+j.e.lastWords())
			return
		}
		if got := j.e.count(LegRefresh, 0); got > 2*n {
			j.fail(j.e.first(LegRefresh), "the client refreshes again and again").differ(fmt.Sprintf("%d at most", 2*n), fmt.Sprint(got)).Layer = Client
		}
		if got := j.e.count(LegAuthorize, 0); got > n {
			j.fail(j.e.first(LegAuthorize), "the client asks for a login again and again").differ(fmt.Sprintf("%d at most", n), fmt.Sprint(got)).Layer = Client
		}
		j.hammers()
	}
}

// hammers looks for a client that sends a refused request again and again.
func (j *judgement) hammers() {
	const most = 20 // several requests at once, each tried once or twice
	refused := map[string]int{}
	for i := range j.e.Exchanges {
		x := &j.e.Exchanges[i]
		if x.Leg != LegMCP || x.status() != 401 && x.status() != 403 {
			continue
		}
		key := fmt.Sprint(x.Run, " ", strings.Join(x.sent("Authorization"), ""))
		if refused[key]++; refused[key] == most+1 {
			j.fail(x, "the client sends a token that was refused again and again").differ(fmt.Sprintf("%d at most", most), "more").Layer = Client
		}
	}
}

// handsOn: a 403 without a challenge is no reason to log in or to refresh.
func handsOn(j *judgement) {
	atMost(1)(j)
	if x := j.e.first(LegRefresh); x != nil {
		f := j.fail(x, "a 403 without a challenge makes the client refresh")
		f.Layer, f.Severity = Client, Low
	}
}

// guessesNothing: no request goes to an endpoint that nobody named.
func guessesNothing(j *judgement) {
	for i := range j.e.Exchanges {
		x := &j.e.Exchanges[i]
		if j.e.role(x) == RoleResource && x.Leg != LegMCP && x.Leg != LegPRM {
			j.fail(x, "the client guesses an endpoint at the MCP server").Layer = Client
			return
		}
	}
}

// canaryClean: nothing is sent to the canary.
func canaryClean(j *judgement) {
	for i := range j.e.Exchanges {
		if x := &j.e.Exchanges[i]; j.e.role(x) == RoleCanary {
			j.fail(x, "the client sends a request to a host that it must not follow to").Layer = Client
		}
	}
}

// all runs several judges.
func all(judges ...func(*judgement)) func(*judgement) {
	return func(j *judgement) {
		for _, judge := range judges {
			judge(j)
		}
	}
}

// trap makes a row; most rows differ only in these arguments.
func trap(id string, s Severity, t Threat, does, passes, fix string, judge func(*judgement), faults []string, broken ...rules.ID) Trap {
	return Trap{Check: Check{ID: "cl." + id, Rules: broken, Severity: s, Safety: ClientTrap, Threat: t, Does: does, Passes: passes,
		Why: "A client that does otherwise is open to: " + string(t) + ".", Fix: fix, judge: judge}, Faults: faults}
}

// Browser is what the audit's browser calls itself.
const Browser = "Mozilla/5.0 (stile-audit)"

// wasAnswered reports whether an answer of the authorization endpoint came to
// the client: at its redirect URI, or because it fetched the endpoint itself.
func (e *Evidence) wasAnswered() bool {
	if e.first(LegCallback) != nil {
		return true
	}
	return slices.ContainsFunc(e.Exchanges, func(x Exchange) bool {
		return x.Leg == LegAuthorize && len(x.got("Location")) > 0 && !slices.Contains(x.sent("User-Agent"), Browser)
	})
}

// goesOn is getsThrough for traps in which only the login is at stake.
func goesOn(j *judgement) {
	before := len(j.v.Findings)
	getsThrough(j)
	for i := before; i < len(j.v.Findings); i++ {
		j.v.Findings[i].Severity, j.v.Findings[i].Threat = Medium, DoS
	}
}

// findsRoot: the resource metadata is at the root. A client that reads it there and
// compares its resource with the address (RFC 9728 §3.3) may refuse it.
func findsRoot(j *judgement) {
	for _, x := range j.e.legs(LegPRM) {
		if x.status() == 200 && !j.e.authorized() {
			j.end(Fact, "the client reads the document at the root and refuses it, because its resource has a path")
			return
		}
	}
	getsThrough(j)
}

// judgeUnpromised: iss came although the metadata had not announced it. RFC 9207 §2.4
// leaves it to the client whether to accept such an answer.
func judgeUnpromised(j *judgement) {
	if j.e.wasAnswered() && !j.e.authorized() && j.e.first(LegToken) == nil {
		j.end(Fact, "the client refuses an answer whose iss was not promised, as RFC 9207 allows")
		return
	}
	getsThrough(j)
}
