package audit

import (
	"fmt"
	"slices"
	"strings"

	"github.com/stile-oauth/stile/states/rules"
	"github.com/stile-oauth/stile/states/wire"
)

// visited gives a visit at which nobody consents, if it was made.
func (j *judgement) visited(label string) *Exchange {
	if j.e.Account == nil || !j.e.Account.Consent {
		j.end(CouldNotRun, "nobody was asked to look at pages of the issuer (--consent)")
		return nil
	}
	x := j.e.probe(label)
	switch {
	case x == nil && label == visitSilent && j.e.code("main") != "" && j.e.probe("second.register") == nil:
		j.end(NotApplicable, "clients cannot register")
	case x == nil && label == visitSilent && j.e.probe("second.register") != nil:
		j.end(CouldNotRun, "no second client could be registered")
	case x == nil:
		if j.answer("main.token") != nil {
			j.end(CouldNotRun, "the login did not come so far")
		}
	case x.Failure != "":
		j.end(CouldNotRun, x.Failure)
	default:
		return x
	}
	return nil
}

// silently reports whether the browser came back with a code although nobody did
// anything.
func (j *judgement) silently(x *Exchange) bool {
	if code, _ := query(x.Request.URL).Get("code"); !x.Waits && code != "" {
		return true
	}
	if err, _ := query(x.Request.URL).Get("error"); !x.Waits {
		j.end(CouldNotRun, "the authorization endpoint answered "+err)
	}
	return false
}

func judgeSilentRedirect(j *judgement) {
	x := j.visited(visitSilent)
	if x == nil {
		return
	}
	if j.silently(x) {
		j.fail(x, "a client that was never seen before gets a code, and the user is not asked").differ("a page for the user", "a code").Confidence = Likely
		return
	}
	if !x.Page {
		return
	}
	for _, what := range x.Lacks {
		says, rule := "the page that asks the user does not name the client", rules.ASConsentPage
		if what != clientName {
			says, rule = "the page that asks the user does not name the host that the answer goes to", rules.ASCIMDShowHost
		}
		f := j.fail(x, says).differ(what, "")
		f.Rules, f.Severity, f.Confidence = []rules.ID{rule}, Medium, Likely
	}
}

func judgeReconsent(j *judgement) {
	x := j.visited(visitAgain)
	if x == nil || !j.silently(x) {
		return
	}
	redirect, _ := query(x.Sent).Get("redirect_uri")
	secret := slices.ContainsFunc(j.e.labelled("main.token"), func(t *Exchange) bool { return len(t.sent("Authorization")) > 0 || requestSecret(t) != "" })
	if secret || strings.HasPrefix(redirect, "https://") {
		j.end(Fact, "a second login of the same client asks the user nothing")
		return
	}
	f := j.fail(x, "a second login of the same native client asks the user nothing").differ("a page for the user", "a code")
	f.Layer, f.Confidence = AuthServer, Likely
}

func judgeUserDenied(j *judgement) {
	x := j.visited(visitDenied)
	if x == nil {
		return
	}
	sent, q := query(x.Sent), query(x.Request.URL)
	code, _ := q.Get("error")
	if given, _ := q.Get("code"); given != "" && code == "" {
		j.end(CouldNotRun, "the request was allowed, not denied")
		return
	}
	wrong := func(says, want, got string, ids ...rules.ID) {
		f := j.fail(x, says).differ(want, got)
		f.Layer, f.Rules = AuthServer, ids
	}
	if code != "access_denied" {
		wrong("the answer to a user who denies is not access_denied", "access_denied", code, rules.AuthzRespErrorCode)
	}
	want, _ := sent.Get("state")
	if got, _ := q.Get("state"); got != want {
		wrong("state did not come back as it was sent with the error", "", "", rules.AuthzRespStateEcho, rules.AuthzRespStateMatch)
	}
	m, ok := j.e.home()
	if !ok {
		return
	}
	issuer, _, _ := m.obj.String("issuer")
	promised, _, _ := m.obj.Bool("authorization_response_iss_parameter_supported")
	if iss, has := q.Get("iss"); promised && !has || has && iss != issuer {
		wrong("the error comes without the issuer's iss", issuer, iss, rules.IssuerErrorResponseToo, rules.IssuerResponseCompare)
	}
	if cb, bad := wire.ParseCallback(x.Request.URL); bad != nil && cb.Error == nil && code != "" {
		wrong("the answer cannot be read: "+bad.Detail, "", "", bad.Rule, rules.AuthzRespErrorCode)
	}
}

func judgeSessionCross(j *judgement) {
	if j.e.Account == nil || !j.e.Account.Another {
		j.end(CouldNotRun, "no second user was there to log in (--second-user)")
		return
	}
	first := j.answer("main.call")
	if first == nil {
		return
	}
	if len(first.got("Mcp-Session-Id")) == 0 {
		j.end(NotApplicable, "the server keeps no session")
		return
	}
	if own := j.answer("cross.own"); own == nil {
		return
	} else if !letIn(own) || !letIn(first) {
		j.end(CouldNotRun, "one of the two users is refused everywhere (lg.flow)")
		return
	}
	if x := j.answer("cross.call"); x != nil && letIn(x) {
		f := j.fail(x, "a session of one user is used with the token of another").differ("a refusal", fmt.Sprint(x.status()))
		f.Layer, f.Confidence = MCPServer, Likely
	}
}
