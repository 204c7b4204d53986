package audit

import (
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/stile-oauth/stile/states/rules"
	"github.com/stile-oauth/stile/states/wire"
)

func unspent(x *Exchange) bool {
	if x.Response == nil {
		return strings.Contains(x.Failure, "unsent") // it was never sent
	}
	if x.status() == 429 || x.status() == 503 {
		return true
	}
	e := wire.ParseOAuthError(*x.Response)
	return e != nil && (e.Code == "invalid_client" || e.Code == "use_dpop_nonce" || e.Code == "temporarily_unavailable")
}

func judgeCodeTwice(j *judgement) {
	last := map[string]*Exchange{}
	n := 0
	for i := range j.e.Exchanges {
		x := &j.e.Exchanges[i]
		if x.Leg != LegToken {
			continue
		}
		code, has := requestForm(x).Get("code")
		if !has {
			continue
		}
		n++
		if before := last[code]; before != nil && !unspent(before) {
			j.fail(x, "a code is sent a second time").Layer = Client
		}
		last[code] = x
	}
	if n == 0 {
		j.end(CouldNotRun, "the recording holds no exchange of a code")
	}
}

func (j *judgement) refreshes(each func(x, before *Exchange)) {
	last := map[string]*Exchange{}
	n := 0
	for i := range j.e.Exchanges {
		x := &j.e.Exchanges[i]
		if x.Leg != LegRefresh {
			continue
		}
		n++
		token, _ := requestForm(x).Get("refresh_token")
		each(x, last[token])
		last[token] = x
	}
	if n == 0 {
		j.end(CouldNotRun, "the recording holds no refresh")
	}
}

func judgeRefreshTwice(j *judgement) {
	j.refreshes(func(x, before *Exchange) {
		if before == nil || before.status() != 200 {
			return
		}
		obj, err := wire.ParseObject(before.Response.Body)
		if err != nil {
			return
		}
		next, _, _ := obj.String("refresh_token")
		sent, _ := requestForm(x).Get("refresh_token")
		if next != "" && next != sent {
			j.fail(x, "a refresh token is sent again after it was exchanged for another, "+(x.At-before.At).Round(time.Millisecond).String()+" later").Layer = Client
		}
	})
}

func judgeRefreshDead(j *judgement) {
	j.refreshes(func(x, before *Exchange) {
		if before == nil || before.Response == nil {
			return
		}
		if e := wire.ParseOAuthError(*before.Response); e != nil && e.Code == "invalid_grant" {
			j.fail(x, "a refresh token is sent again after invalid_grant").Layer = Client
		}
	})
}

const many = 3

func judgeLoops(j *judgement) {
	scopes := map[string]int{}
	registrations := map[string]int{}
	var last *Exchange
	for i := range j.e.Exchanges {
		x := &j.e.Exchanges[i]
		switch x.Leg {
		case LegAuthorize:
			scope, _ := query(x.Request.URL).Get("scope")
			scopes[scope]++
			if scopes[scope] == many+1 {
				j.fail(x, "the same scopes are asked for more than three times").Layer = Client
			}
		case LegRegister:
			registrations[x.Request.URL]++
			if registrations[x.Request.URL] == many+1 {
				f := j.fail(x, "the client registers more than three times")
				f.Layer, f.Rules = Client, []rules.ID{rules.RegReuse}
			}
		default: // the others need nothing here
		}
		last = x
	}
	if last == nil {
		j.end(CouldNotRun, "the recording is empty")
	}
}

func judgeExpiredUse(j *judgement) {
	if j.e.NoAuthorization || j.e.Source == FromTrace {
		j.end(CouldNotRun, "the recording does not show which token a request carried")
		return
	}
	ends := map[string]time.Duration{}
	for i := range j.e.Exchanges {
		x := &j.e.Exchanges[i]
		if (x.Leg == LegToken || x.Leg == LegRefresh) && x.status() == 200 {
			obj, err := wire.ParseObject(x.Response.Body)
			if err != nil {
				continue
			}
			token, _, _ := obj.String("access_token")
			if raw, has := obj.Raw("expires_in"); has && token != "" {
				if n, err := strconv.Atoi(strings.Trim(string(raw), `"`)); err == nil {
					ends[token] = x.At + x.Took + time.Duration(n)*time.Second
				}
			}
		}
		for _, a := range x.sent("Authorization") {
			_, token, _ := strings.Cut(a, " ")
			if end, known := ends[token]; known && x.At > end {
				j.fail(x, "a token is sent "+(x.At-end).Round(time.Second).String()+" after it expired").Layer = Client
			}
		}
	}
}

func judgeHostLeak(j *judgement) {
	at := map[string]string{}
	see := func(x *Exchange, kind, value string) {
		if value == "" || len(value) < 8 {
			return
		}
		origin := wire.Origin(x.Request.URL)
		if first, seen := at[kind+value]; seen && first != origin {
			j.fail(x, kind+" that was sent to "+first+" is sent to another origin").differ(first, origin).Layer = Client
		} else if !seen {
			at[kind+value] = origin
		}
	}
	refresh := map[string]bool{}
	for i := range j.e.Exchanges {
		x := &j.e.Exchanges[i]
		if x.Leg == LegToken || x.Leg == LegRefresh {
			v, _, _ := x.object().String("refresh_token")
			refresh[v] = len(v) >= 8
		}
		for _, a := range x.sent("Authorization") {
			scheme, token, _ := strings.Cut(a, " ")
			if j.e.Source == FromTrace && token == stand+"generation" {
				continue
			}
			if x.Leg == LegMCP && refresh[token] {
				j.fail(x, "a refresh token is sent to the MCP server").Layer = Client
			}
			see(x, "a "+scheme+" credential", token)
		}
		form := requestForm(x)
		for name, kind := range map[string]string{"client_secret": "a client secret", "refresh_token": "a refresh token", "code": "a code"} {
			v, _ := form.Get(name)
			see(x, kind, v)
		}
	}
}

func judgeRedirectFollow(j *judgement) {
	for i := 1; i < len(j.e.Exchanges); i++ {
		before, x := &j.e.Exchanges[i-1], &j.e.Exchanges[i]
		if s := before.status(); s < 300 || s > 399 || before.Leg == LegAuthorize {
			continue
		}
		to := strings.Join(before.got("Location"), "")
		if to != x.Request.URL {
			continue
		}
		token := len(before.sent("Authorization")) > 0 && slices.Equal(before.sent("Authorization"), x.sent("Authorization"))
		crossed := wire.Origin(before.Request.URL) != wire.Origin(x.Request.URL)
		body := before.Request.Method == "POST" && x.Request.Method == "POST" && len(before.Request.Body)+len(before.Request.Form) > 0
		switch {
		case token && crossed:
			j.fail(x, "a token is sent on to the target of a redirect").Layer = Client
		case body:
			f := j.fail(x, "the body of a POST is sent on to the target of a redirect")
			f.Layer, f.Rules = Client, []rules.ID{rules.NetRedirectPost}
		}
	}
}
