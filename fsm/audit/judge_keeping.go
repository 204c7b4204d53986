package audit

import (
	"fmt"
	"slices"
	"strings"

	"github.com/stile-oauth/stile/states/rules"
	"github.com/stile-oauth/stile/states/wire"
)

func judgeStore(j *judgement) {
	if !j.e.authorized() {
		j.end(CouldNotRun, "the client never had a token"+j.e.lastWords())
		return
	}
	for _, run := range j.e.Runs {
		for _, file := range run.Files {
			if len(file.Holds) == 0 {
				continue
			}
			if file.Mode&0o077 != 0 {
				f := j.fail(nil, "a file that others can read holds "+strings.Join(file.Holds, " and ")).differ("-rw-------", file.Name+" "+fmt.Sprintf("%04o", file.Mode))
				f.Layer, f.Rules = Client, []rules.ID{rules.StoreMode}
				continue
			}
			f := j.fail(nil, "a file holds "+strings.Join(file.Holds, " and ")+" as it is").differ("encrypted, or in the keychain", file.Name)
			f.Layer, f.Rules, f.Severity = Client, []rules.ID{rules.StoreEncrypted}, Low
		}
	}
}

func judgeCodeOnce(j *judgement) {
	if j.e.first(LegToken) == nil {
		j.end(CouldNotRun, "the client exchanged no code"+j.e.lastWords())
		return
	}
	seen := map[string]bool{}
	for i := range j.e.Exchanges { // including those whose answer was lost
		x := &j.e.Exchanges[i]
		if x.Leg != LegToken {
			continue
		}
		code, _ := requestForm(x).Get("code")
		if code != "" && seen[code] {
			j.fail(x, "the client sends a code a second time").Layer = Client
			return
		}
		seen[code] = true
	}
}

// judgeStepUnion reads the login that follows a demand for more scopes.
func judgeStepUnion(j *judgement) {
	if !j.began() {
		return
	}
	list := j.logins()
	if len(list) == 0 {
		j.end(CouldNotRun, "the client never logged in"+j.e.lastWords())
		return
	}
	if x := j.e.first(LegRefresh); x != nil { // the token is good for an hour
		f := j.fail(x, "the client answers the demand for more scope with a refresh, which cannot give more")
		f.Layer, f.Rules = Client, []rules.ID{rules.StepupNotByRefresh}
	}
	if len(list) == 1 {
		f := j.fail(list[0].authorize, "the client does not ask for more scope when the server demands it")
		f.Layer, f.Rules, f.Severity = Client, []rules.ID{rules.StepupAttemptUser}, Low
		return
	}
	first, _ := query(list[0].authorize.Request.URL).Get("scope")
	next, _ := query(list[1].authorize.Request.URL).Get("scope")
	want := union(first, StepScope)
	if lacks := wire.Missing(wire.ParseScope(next), wire.ParseScope(want)); len(lacks) > 0 {
		j.fail(list[1].authorize, "the login for more scope does not ask for all that is needed").differ(want, next).Layer = Client
	}
	if list[1].token != nil && list[1].token.status() == 200 && !slices.ContainsFunc(j.e.Exchanges, func(x Exchange) bool {
		return x.Leg == LegMCP && x.At > list[1].token.At
	}) {
		f := j.fail(list[1].token, "the client logs in for more scope, and does not send its request again")
		f.Layer, f.Rules, f.Severity = Client, []rules.ID{rules.StepupRetryOriginal}, Low
	}
	if len(list) > 4 {
		f := j.fail(list[4].authorize, "the client asks for more scope again and again").differ("3 at most", fmt.Sprint(len(list)-1))
		f.Layer, f.Rules = Client, []rules.ID{rules.StepupRetryLimit}
	}
}

// StepScope is the scope that a server demands once the client has a token.
const StepScope = "admin"

func judgeCrossServer(j *judgement) {
	if !j.loggedInFirst() {
		return
	}
	first, given := map[string]bool{}, map[string]bool{}
	for i := range j.e.Exchanges {
		x := &j.e.Exchanges[i]
		sent := strings.Join(x.sent("Authorization"), " ")
		if x.Run == 1 && x.Leg == LegToken {
			refresh, _, _ := x.object().String("refresh_token")
			given[refresh] = refresh != ""
		}
		if token, _ := requestForm(x).Get("refresh_token"); x.Run == 2 && given[token] {
			f := j.fail(x, "the refresh token of one MCP server is used for another")
			f.Layer, f.Severity = Client, High
		}
		switch {
		case x.Leg != LegMCP && x.Leg != LegPRM || sent == "":
		case j.e.role(x) == RoleResource:
			first[sent] = true
		case j.e.role(x) == RoleSecond && first[sent]:
			j.fail(x, "the token of one MCP server goes to another").Layer = Client
			return
		}
	}
}

func judgeRefreshParams(j *judgement) {
	if !j.loggedInFirst() {
		return
	}
	x := j.e.first(LegRefresh)
	if x == nil {
		j.end(CouldNotRun, "the client does not refresh")
		return
	}
	form := requestForm(x)
	if _, has := form.Get("client_id"); !has && len(x.sent("Authorization")) == 0 {
		f := j.fail(x, "a refresh does not say which client it is of")
		f.Layer, f.Rules = Client, []rules.ID{rules.RefreshClientAuth}
	}
	asked, _ := form.Get("scope")
	first := j.e.first(LegAuthorize)
	if first == nil {
		return
	}
	had, _ := query(first.Request.URL).Get("scope")
	if more := wire.Missing(wire.ParseScope(had), wire.ParseScope(asked)); len(more) > 0 {
		f := j.fail(x, "a refresh asks for more scope than was granted").differ(had, asked)
		f.Layer, f.Rules = Client, []rules.ID{rules.RefreshScopeNotWider}
	}
}

const maxAttempts = 8

func judgeStorm(j *judgement) {
	if !j.loggedInFirst() {
		return
	}
	x := j.e.first(LegRefresh)
	if x == nil {
		j.end(CouldNotRun, "the client does not refresh")
		return
	}
	if n := j.e.count(LegRefresh, 0); n > maxAttempts {
		j.fail(x, "the client refreshes again and again while the issuer is in trouble").differ(fmt.Sprintf("%d at most", maxAttempts), fmt.Sprint(n)).Layer = Client
	}
	if j.e.count(LegAuthorize, 2) > 0 {
		f := j.fail(x, "a transient failure makes the client ask the user")
		f.Layer, f.Rules = Client, []rules.ID{rules.RefreshTransientKeeps}
	}
}

// judgeLogout reads what the client's command that logs out did.
func judgeLogout(j *judgement) {
	if len(j.e.Runs) < 2 || !j.e.Runs[len(j.e.Runs)-1].LogsOut {
		j.end(NotApplicable, "no command that logs out was given (--logout)")
		return
	}
	if !j.loggedInFirst() {
		return
	}
	revoked := j.e.legs(LegRevoke)
	if len(revoked) == 0 {
		j.fail(j.e.first(LegToken), "the client logs out and revokes nothing").Layer = Client
		return
	}
	refresh := ""
	for _, x := range j.e.legs(LegToken, LegRefresh) {
		if x.Response == nil {
			continue
		}
		if obj, err := wire.ParseObject(x.Response.Body); err == nil {
			if v, _, ok := obj.String("refresh_token"); ok {
				refresh = v
			}
		}
	}
	for _, x := range revoked {
		form := requestForm(x)
		if _, has := form.Get("token"); x.Request.Method != "POST" || !has {
			f := j.fail(x, "a revocation is no form that is posted with the token")
			f.Layer, f.Rules = Client, []rules.ID{rules.RevokeFormPost}
			return
		}
		if _, has := form.Get("client_id"); !has && len(x.sent("Authorization")) == 0 {
			f := j.fail(x, "a revocation does not say which client it is of")
			f.Layer, f.Rules = Client, []rules.ID{rules.RevokeClientAuth}
		}
	}
	for i, x := range revoked {
		if got, _ := requestForm(x).Get("token"); got == refresh {
			if i > 0 {
				j.fail(x, "the client revokes the access token before the refresh token").Layer = Client
			}
			return
		}
	}
	f := j.fail(revoked[0], "the client logs out and does not revoke the refresh token")
	f.Layer, f.Rules = Client, []rules.ID{rules.RevokeOrder}
}
