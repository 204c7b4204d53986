package audit

import (
	"fmt"
	"slices"
	"strings"

	"github.com/stile-oauth/stile/states/rules"
	"github.com/stile-oauth/stile/states/wire"
)

// answerChecks read the answers of the authorization server that a recording holds.
// They use the same functions as an audit of the server.
var answerChecks = []Check{
	{ID: "tr.registered", Rules: []rules.ID{rules.DCRResponseComplete, rules.DCRErrorShape, rules.DCRMethodSecretConsistent}, Severity: High, Safety: Offline, Threat: Interop,
		Does:   "Reads the answers to registrations.",
		Passes: "Each is 201 with what was asked for.",
		Why:    "A client that was never seen before gets in by it.",
		Fix:    "Answer as RFC 7591 §3.2 has it.",
		judge:  judgeRecorded(LegRegister, "registration", (*judgement).recordedRegistration)},
	{ID: "tr.answered", Rules: []rules.ID{rules.AuthzRespErrorCode, rules.AuthzRespCode, rules.AuthzRespStateEcho}, Severity: High, Safety: Offline, Threat: CSRF,
		Does:   "Reads the answers of the authorization endpoint.",
		Passes: "Each has state as it was sent, and a code.",
		Why:    "A client that is careful refuses every other answer.",
		Fix:    "Send state back octet for octet, and every parameter once.",
		judge:  judgeRecorded(LegCallback, "callback", (*judgement).recordedCallback)},
	{ID: "tr.issued", Rules: []rules.ID{rules.TokenRespTokenTypeKnown, rules.TokenRespErrorStatus, rules.TokenRespErrorVsTransient}, Severity: Medium, Safety: Offline, Threat: Interop,
		Does:   "Reads the answers to codes.",
		Passes: "Each is a token that a client can use.",
		Why:    "A client refuses what it cannot read in one way only.",
		Fix:    "Answer as RFC 6749 §5 has it.",
		judge:  judgeRecorded(LegToken, "exchange of a code", (*judgement).recordedToken)},
	{ID: "tr.refreshed", Rules: []rules.ID{rules.RefreshTransientKeeps, rules.RefreshInvalidGrantTerminal, rules.RefreshRotatePublic}, Severity: Medium, Safety: Offline, Threat: Interop,
		Does:   "Reads the answers to refreshes.",
		Passes: "Each is a token with the scopes of the login, and a new refresh token for a public client.",
		Why:    "Otherwise the user logs in again.",
		Fix:    "Answer as RFC 6749 §6 has it.",
		judge:  judgeRecorded(LegRefresh, "refresh", (*judgement).recordedRefresh)},
	{ID: "tr.revoked", Rules: []rules.ID{rules.RevokeBestEffort, rules.Revoke503Retry, rules.RevokeUnsupportedType}, Severity: Medium, Safety: Offline, Threat: Takeover,
		Does:   "Reads the answers to revocations.",
		Passes: "Each is 200.",
		Why:    "A user who logs out expects that nobody can use the tokens afterwards.",
		Fix:    "Support RFC 7009 for both kinds of tokens.",
		judge:  judgeRecorded(LegRevoke, "revocation", (*judgement).recordedRevocation)},
	{ID: "tr.let-in", Rules: []rules.ID{rules.ChallengeFreshTokenLoop, rules.TokenRespAudience}, Severity: High, Safety: Offline, Threat: Interop,
		Does:   "Looks for a token that is refused before it was ever let in.",
		Passes: "There is none.",
		Why:    "Server and issuer do not agree about the token: about its audience, as a rule.",
		Fix:    "Compare aud of the token with the resource's identifier.",
		judge:  judgeLetIn},
	{ID: "tr.forbidden", Rules: []rules.ID{rules.Challenge403InsufficientScope, rules.Challenge403WithoutChallenge, rules.Challenge403Scope}, Severity: Medium, Safety: Offline, Threat: Interop,
		Does:   "Reads the answers with status 403 to requests with a token.",
		Passes: "Each has a challenge with error=\"insufficient_scope\" and the scopes that are needed.",
		Why:    "A client cannot guess what is missing.",
		Fix:    "Send the challenge of RFC 6750 §3 with every 403 that more scope would lift.",
		judge:  judgeForbidden},
}

func judgeForbidden(j *judgement) {
	n := 0
	for _, x := range j.e.legs(LegMCP) {
		if x.status() != 403 || len(x.sent("Authorization")) == 0 {
			continue
		}
		n++
		code, scope := demanded(x)
		switch {
		case code == "" && scope == "":
			f := j.fail(x, "403 to a token comes without a challenge").differ(`error="insufficient_scope"`, "")
			f.Rules, f.Severity, f.Confidence = []rules.ID{rules.Challenge403WithoutChallenge}, Low, Likely
		case code == "invalid_token":
			j.fail(x, "a token that is no good is answered 403").differ("401", "403").Rules = []rules.ID{rules.ChallengeStatusCodeMatch}
		case code != "insufficient_scope":
			j.fail(x, `the challenge of a 403 has no error="insufficient_scope"`).differ("insufficient_scope", code).Rules = []rules.ID{rules.Challenge403InsufficientScope}
		case scope == "":
			j.fail(x, "the challenge of a 403 does not say which scopes are needed").differ("scope", "").Rules = []rules.ID{rules.Challenge403Scope}
		}
	}
	if n == 0 {
		j.end(CouldNotRun, "the recording holds no answer 403 to a token")
	}
}

// judgeRecorded lets a judge read each answered exchange of a leg.
func judgeRecorded(leg Leg, name string, each func(*judgement, *Exchange)) func(*judgement) {
	return func(j *judgement) {
		n := 0
		for i := range j.e.Exchanges {
			if x := &j.e.Exchanges[i]; x.Leg == leg && (x.Response != nil || leg == LegCallback) {
				n++
				each(j, x)
			}
		}
		if n == 0 {
			j.end(CouldNotRun, "the recording holds no answered "+name)
		}
	}
}

func (j *judgement) recordedRegistration(x *Exchange) {
	j.registration(x)
	if !took(x) {
		return
	}
	got := x.object()
	asked, _ := wire.ParseObject(x.Request.Body)
	want, _, _ := asked.Strings("redirect_uris")
	if _, _, has := got.Strings("redirect_uris"); !has && len(got) > 0 {
		f := j.fail(x, "the answer does not say which redirect URIs were registered").differ(strings.Join(want, " "), "")
		f.Severity, f.Rules = Low, []rules.ID{rules.DCRResponseComplete}
	}
	j.copies(x)
	j.secretAndMethod(x)
}

// copies looks for members that belong to the issuer's metadata.
func (j *judgement) copies(x *Exchange) {
	got := x.object()
	for _, name := range []string{"issuer", "token_endpoint", "authorization_endpoint"} {
		if s, _, has := got.String(name); has && !j.e.publishes(name, s) {
			f := j.fail(x, "the answer names another "+name+" than the metadata").differ("", s)
			f.Rules = []rules.ID{rules.DCRNoSilentCopy}
		}
	}
}

func (j *judgement) recordedCallback(x *Exchange) {
	want, known := "", false
	q := query(x.Request.URL)
	got, _ := q.Get("state")
	before := false
	for i := range slices.Backward(j.e.Exchanges) { // the newest one that fits: a long recording has many
		y := &j.e.Exchanges[i]
		if !before || y.Leg != LegAuthorize {
			before = before || y == x
			continue
		}
		sent, _ := query(y.Request.URL).Get("state")
		if !known || sent == got {
			want, known = sent, true
		}
		if sent == got {
			break
		}
	}
	j.callback(x, want, known)
	if strings.Contains(x.Request.URL, "#") {
		j.fail(x, "the answer is in the fragment").differ("the query", "").Rules = []rules.ID{rules.AuthzRespQueryMode}
	}
	code, failed := q.Get("error")
	if !failed {
		return
	}
	f := j.fail(x, "the authorization endpoint refuses").differ("code", code)
	f.Severity, f.Layer, f.Rules = Info, AuthServer, refusedAuthorization(code)
	if says, _ := q.Get("error_description"); strings.ContainsFunc(says, func(r rune) bool { return r < 0x20 || r == 0x7f }) || strings.HasPrefix(says, "text(") && code == "access_denied" {
		f.Rules = append(f.Rules, rules.AuthzRespErrorEscaped)
	}
	iss, has := q.Get("iss")
	wrong := iss != x.Issuer
	if x.Issuer == "" { // a browser's recording does not say where the login began
		wrong = !j.e.publishes("issuer", iss)
	}
	if has && wrong {
		g := j.fail(x, "iss of an error is not the issuer").differ(x.Issuer, iss)
		g.Layer, g.Rules = AuthServer, []rules.ID{rules.IssuerErrorResponseToo}
	}
}

// refusedAuthorization names the rule that says what a client does about an
// error of the authorization endpoint.
func refusedAuthorization(code string) []rules.ID {
	switch code {
	case "access_denied":
		return []rules.ID{rules.AuthzRespDeniedKeeps}
	case "invalid_target":
		return []rules.ID{rules.ASAuthorizeInvalidTarget}
	case "invalid_scope":
		return []rules.ID{rules.ASAuthorizeScopeDefault}
	}
	return []rules.ID{rules.AuthzRespErrorCode}
}

func (j *judgement) recordedToken(x *Exchange) {
	if e := wire.ParseOAuthError(*x.Response); x.status() == 200 && e == nil {
		j.tokenAnswer(x)
		j.lifetime(x)
		return
	} else if x.status() == 200 {
		f := j.fail(x, "an error has status 200").differ("400", "200")
		f.Rules = []rules.ID{rules.TokenRespOkFalse, rules.TokenRespErrorStatus}
		return
	}
	f := j.fail(x, "a code is refused").differ("200", fmt.Sprint(x.status()))
	f.Rules, f.Confidence = refusedGrant(x), Likely
	if describesBadly(x) {
		f.Rules = append(f.Rules, rules.TokenRespErrorCharset)
	}
}

// lifetime judges expires_in of an answer.
func (j *judgement) lifetime(x *Exchange) {
	obj := x.object()
	raw, has := obj.Raw("expires_in")
	switch {
	case len(obj) == 0:
	case !has:
		j.fail(x, "the answer does not say how long the token lives").Rules = []rules.ID{rules.ASTokenExpiresIn, rules.TokenRespExpiresAbsent}
	case string(raw) == "0":
		j.fail(x, "the token ends at once").differ("some minutes", "0").Rules = []rules.ID{rules.TokenRespExpiresZero}
	}
}

func (j *judgement) recordedRefresh(x *Exchange) {
	if !gives(x) {
		f := j.fail(x, "a refresh gives no token").differ("200 with access_token", fmt.Sprint(x.status()))
		f.Confidence = Likely
		if x.status() == 200 {
			f.Rules = []rules.ID{rules.RefreshTransientKeeps}
		} else {
			f.Rules = refusedGrant(x)
		}
		return
	}
	var first *Exchange
	for _, y := range j.e.legs(LegToken) {
		if y.At <= x.At && gives(y) {
			first = y
		}
	}
	if first != nil {
		had, has := granted(first.object(), ""), granted(x.object(), "")
		if lacks := wire.Missing(has, had); len(has) > 0 && len(lacks) > 0 {
			f := j.fail(x, "a refresh gives fewer scopes than the login did").differ(strings.Join(had, " "), strings.Join(has, " "))
			f.Rules = []rules.ID{rules.RefreshScopeSame, rules.TokenRespScopeNarrowed}
		}
	}
	sent, _ := requestForm(x).Get("refresh_token")
	got, _, _ := x.object().String("refresh_token")
	if public := len(x.sent("Authorization")) == 0 && !slices.ContainsFunc(requestForm(x), func(f wire.Field) bool {
		return f.Name == "client_secret" || f.Name == "client_assertion"
	}); public && (got == "" || got == sent) {
		f := j.fail(x, "the refresh token of a public client is not rotated")
		f.Rules = []rules.ID{rules.RefreshRotatePublic, rules.RefreshOmittedKeep}
	}
}

func (j *judgement) recordedRevocation(x *Exchange) {
	if x.status() == 200 {
		return
	}
	f := j.fail(x, "a revocation is not answered 200").differ("200", fmt.Sprint(x.status()))
	f.Rules = refusedRevocation(x)
}

// refusedRevocation names the rule that says what a client does about a refused
// revocation.
func refusedRevocation(x *Exchange) []rules.ID {
	switch e := wire.ParseOAuthError(*x.Response); {
	case x.status() == 503:
		return []rules.ID{rules.Revoke503Retry}
	case e != nil && e.Code == "unsupported_token_type":
		return []rules.ID{rules.RevokeUnsupportedType}
	}
	return []rules.ID{rules.RevokeBestEffort}
}

// judgeLetIn looks at the first refusal of a token after the token was issued.
func judgeLetIn(j *judgement) {
	issued := false
	for i := range j.e.Exchanges {
		x := &j.e.Exchanges[i]
		switch {
		case x.Leg == LegToken && x.Response != nil && gives(x):
			issued = true
		case x.Leg == LegRefresh:
			issued = false
		case x.Leg == LegMCP && issued && len(x.sent("Authorization")) > 0 && x.Response != nil:
			if x.status() == 401 {
				j.fail(x, "a token that was just issued is refused").differ("2xx", "401").Confidence = Likely
			}
			issued = false
		}
	}
}
