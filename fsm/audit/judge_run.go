package audit

import (
	"fmt"
	"strings"
	"time"

	"github.com/stile-oauth/stile/states/rules"
	"github.com/stile-oauth/stile/states/wire"
)

// judgeOnce counts what a client does at a start, to servers that refuse it nothing.
func judgeOnce(j *judgement) {
	if j.e.first(LegRegister) == nil && j.e.first(LegAuthorize) == nil {
		j.end(CouldNotRun, "the client neither registered nor asked its user"+j.e.lastWords())
		return
	}
	if n := j.e.count(LegRegister, 0); n > 1 {
		f := j.fail(j.e.first(LegRegister), "the client registers more than once while it runs").differ("1", fmt.Sprint(n))
		f.Layer = Client
	}
	answered := 0
	for _, x := range j.e.legs(LegAuthorize) {
		if len(x.got("Location")) > 0 {
			answered++
		}
	}
	if answered > 1 && j.e.authorized() {
		f := j.fail(j.e.first(LegAuthorize), "the client asks its user more than once for a token that is good for an hour").differ("1", fmt.Sprint(answered))
		f.Layer, f.Rules = Client, []rules.ID{rules.ChallengeFreshTokenLoop}
	}
}

// ifRefreshed is for traps in which the client may send nothing after its token has
// expired.
func ifRefreshed(judge func(*judgement)) func(*judgement) {
	return func(j *judgement) {
		if !j.loggedInFirst() {
			return
		}
		if j.e.first(LegRefresh) == nil {
			j.end(NotApplicable, "the client does not refresh while it runs")
			return
		}
		judge(j)
	}
}

// judgeNoLoginAfter: what happened to a refresh is no reason to ask the user.
func judgeNoLoginAfter(j *judgement) {
	refreshed := false
	for i := range j.e.Exchanges {
		x := &j.e.Exchanges[i]
		refreshed = refreshed || x.Leg == LegRefresh
		if x.Leg == LegAuthorize && refreshed {
			j.fail(x, "the client asks the user although it has a refresh token").Layer = Client
			return
		}
	}
	j.hurried()
}

// judgeRefreshSecret: the client was registered with a secret.
func judgeRefreshSecret(j *judgement) {
	if !j.loggedInFirst() {
		return
	}
	if j.e.first(LegRegister) == nil {
		j.end(NotApplicable, "the client does not register")
		return
	}
	if j.e.first(LegRefresh) == nil {
		j.end(CouldNotRun, "the client does not refresh")
		return
	}
	for _, x := range j.e.legs(LegRefresh) {
		if e := wire.ParseOAuthError(*x.Response); e != nil && e.Code == "invalid_client" {
			j.fail(x, "a refresh is not authenticated as the client was registered").differ("client_secret", "").Layer = Client
			return
		}
	}
}

// judgePrintedFailure is judgePrinted for a client that is given no token.
func judgePrintedFailure(j *judgement) {
	if j.e.first(LegToken) == nil {
		j.end(CouldNotRun, "the client exchanged no code"+j.e.lastWords())
		return
	}
	for _, run := range j.e.Runs {
		for _, kind := range run.Printed {
			j.fail(nil, "the client's output shows "+kind+" when the exchange is refused").Layer = Client
		}
	}
}

// judgeSilent: the token endpoint took the exchange and does not answer.
func judgeSilent(j *judgement) {
	if !j.began() {
		return
	}
	x := j.e.first(LegToken)
	if x == nil {
		j.end(CouldNotRun, "the client exchanged no code"+j.e.lastWords())
		return
	}
	judgeCodeOnce(j)
	for _, run := range j.e.Runs {
		const apart = 2 * time.Second // the request and the run end together if the client is stopped
		if run.Killed && x.Failure == AnswerAwaited && (x.Took < time.Second || x.At+x.Took+apart > run.Took) {
			j.fail(x, "the client waits for an answer without a deadline").differ("an end", "still waiting after "+silentTime.String()).Layer = Client
			return
		}
		if !run.Killed && run.Exit == 0 && strings.TrimSpace(run.Output) == "" {
			f := j.fail(x, "the client ends as if all were well, and says nothing")
			f.Layer, f.Confidence = Client, Likely
		}
	}
}

// judgeNobody: the user was asked and does not come back.
func judgeNobody(j *judgement) {
	if !j.began() {
		return
	}
	n := j.e.count(LegAuthorize, 0)
	if n == 0 {
		j.end(CouldNotRun, "the client sent nobody to the issuer"+j.e.lastWords())
		return
	}
	if n > 3 {
		f := j.fail(j.e.first(LegAuthorize), "the client asks its user again and again while nobody comes").differ("3 at most", fmt.Sprint(n))
		f.Layer, f.Severity = Client, Medium
	}
	for _, run := range j.e.Runs {
		switch {
		case run.Killed:
			j.end(Fact, "the client still waits for its user after "+silentTime.String())
		case run.Exit == 0 && strings.TrimSpace(run.Output) == "":
			f := j.fail(nil, "nobody came back, and the client ends as if all were well and says nothing")
			f.Layer, f.Confidence = Client, Likely
		}
	}
}

// ifRegistered is for traps about registrations. A client that never registers is
// known to the issuer in another way.
func ifRegistered(judge func(*judgement)) func(*judgement) {
	return func(j *judgement) {
		if j.e.first(LegRegister) == nil && j.e.first(LegAuthorize) != nil {
			j.end(NotApplicable, "the client does not register")
			return
		}
		judge(j)
	}
}

// storms looks for a client that sends requests of a leg without end.
func (j *judgement) storms(leg Leg, most int, says string) {
	if n := j.e.count(leg, 0); n > most {
		f := j.fail(j.e.first(leg), says).differ(fmt.Sprintf("%d at most", most), fmt.Sprint(n))
		f.Layer, f.Rules, f.Severity, f.Threat = Client, []rules.ID{rules.NetBackoffBounded}, Medium, DoS
	}
}

func judgeMetadataStorm(j *judgement) {
	const most = 40 // three addresses, each asked some times
	j.storms(LegASM, most, "the client asks for metadata again and again while the issuer is in trouble")
}

func judgeCallStorm(j *judgement) {
	const most = 20
	j.storms(LegMCP, most, "the client calls again and again while the MCP server is in trouble")
}
