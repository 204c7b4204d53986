package audit

import (
	"net/url"
	"slices"
	"strings"

	"github.com/stile-oauth/stile/states/rules"
	"github.com/stile-oauth/stile/states/wire"
)

func judgeResponseType(j *judgement) {
	for _, l := range j.someLogins() {
		q := query(l.authorize.Request.URL)
		if kind, _ := q.Get("response_type"); kind != "code" {
			j.fail(l.authorize, "the authorization request asks for something else than a code").differ("code", kind).Layer = Client
		}
		if mode, has := q.Get("response_mode"); has && mode != "query" {
			j.fail(l.authorize, "the authorization request asks for an answer outside of the query").differ("query", mode).Layer = Client
		}
	}
}

// offered lists the scopes that a server named to the client.
func (e *Evidence) offered() []string {
	var out []string
	for _, c := range e.reading().challenges {
		for _, a := range c.all {
			if v, ok := a.Get("scope"); ok {
				out = append(out, wire.ParseScope(v)...)
			}
		}
	}
	for i := range e.Exchanges {
		if x := &e.Exchanges[i]; x.Leg == LegMCP && x.status() == 403 {
			_, scope := demanded(x)
			out = append(out, wire.ParseScope(scope)...)
		}
	}
	for _, m := range e.reading().prm {
		list, _, _ := m.obj.Strings("scopes_supported")
		out = append(out, list...)
	}
	return out
}

func judgeScopeChoice(j *judgement) {
	offered := j.e.offered()
	for _, l := range j.someLogins() {
		asked, has := query(l.authorize.Request.URL).Get("scope")
		if !has && len(offered) > 0 {
			f := j.fail(l.authorize, "the authorization request names no scope, although the server did").differ(strings.Join(offered, " "), "")
			f.Layer, f.Severity, f.Rules = Client, Low, []rules.ID{rules.AuthzReqScopeChallenge}
			continue
		}
		for _, s := range wire.ParseScope(asked) {
			if !slices.Contains(offered, s) && s != "offline_access" && s != "openid" && len(offered) > 0 {
				f := j.fail(l.authorize, "the authorization request asks for a scope that the server did not name")
				f.differ(strings.Join(slices.Compact(slices.Sorted(slices.Values(offered))), " "), s)
				f.Layer, f.Rules = Client, []rules.ID{rules.AuthzReqScopeMinimal, rules.AuthzReqScopeChallenge}
			}
		}
	}
}

func judgeOffline(j *judgement) {
	for _, m := range j.e.reading().asm {
		if list, _, _ := m.obj.Strings("scopes_supported"); slices.Contains(list, "offline_access") {
			j.end(NotApplicable, "the issuer offers offline_access")
			return
		}
	}
	for _, l := range j.someLogins() {
		if asked, _ := query(l.authorize.Request.URL).Get("scope"); slices.Contains(wire.ParseScope(asked), "offline_access") {
			j.fail(l.authorize, "the authorization request asks for offline_access, which the issuer does not offer").Layer = Client
		}
	}
}

// judgeTokenForm reads what was sent to the path of a token endpoint, in whatever way.
func judgeTokenForm(j *judgement) {
	at := map[string]bool{}
	for _, m := range j.e.reading().asm {
		if u, _, ok := m.obj.String("token_endpoint"); ok {
			at[u] = true
		}
	}
	public := map[string]bool{}
	for _, x := range j.e.legs(LegRegister) {
		obj := x.object()
		id, _, _ := obj.String("client_id")
		method, _, _ := obj.String("token_endpoint_auth_method")
		public[id] = id != "" && method == "none"
	}
	n := 0
	for i := range j.e.Exchanges {
		x := &j.e.Exchanges[i]
		base, q, _ := strings.Cut(x.Request.URL, "?")
		if !at[base] {
			continue
		}
		n++
		client := func(says string, rule rules.ID) {
			f := j.fail(x, says)
			f.Layer, f.Rules = Client, []rules.ID{rule}
		}
		form := requestForm(x)
		switch {
		case x.Request.Method != "POST":
			client("a token request is no POST", rules.TokenReqPost)
			continue
		case q != "":
			client("a token request has parameters in its address", rules.TokenReqNoQuery)
		case len(form) == 0:
			client("a token request is no form", rules.TokenReqForm)
		}
		seen := map[string]bool{}
		for _, f := range form {
			if seen[f.Name] {
				client("a token request has "+f.Name+" twice", rules.TokenReqParamOnce)
			}
			seen[f.Name] = true
		}
		authorized := len(x.sent("Authorization")) > 0
		grant, _ := form.Get("grant_type")
		switch id, _ := form.Get("client_id"); {
		case seen["client_secret"] && authorized:
			client("a token request authenticates in two ways", rules.ClientauthOneMethod)
		case len(form) > 0 && id == "" && !authorized && !seen["client_assertion"]:
			client("a token request does not say which client it is of", rules.TokenReqClientID)
		case authorized && public[id]:
			client("a client that is registered without a secret sends Authorization to the token endpoint", rules.ClientauthNone)
		}
		if grant == "password" || grant == "client_credentials" {
			client("a token request is not for the code of the login, but has grant_type="+grant, rules.TokenReqGrantType)
		}
	}
	if n == 0 {
		j.end(CouldNotRun, "the client asked no token endpoint"+j.e.lastWords())
	}
}

// judgeEachRequest: once a request was let in, every later request of the same start
// carries the token.
func judgeEachRequest(j *judgement) {
	if !j.e.authorized() {
		j.end(CouldNotRun, "the client never had a token"+j.e.lastWords())
		return
	}
	in := map[int]bool{}
	for i := range j.e.Exchanges {
		x := &j.e.Exchanges[i]
		switch has := len(x.sent("Authorization")) > 0; {
		case x.Leg != LegMCP || x.Request.Method == "OPTIONS" || x.Request.Method == "HEAD":
		case has && x.status() >= 200 && x.status() < 300:
			in[x.Run] = true
		case !has && in[x.Run]:
			j.fail(x, "a request after the login carries no token").Layer = Client
			return
		}
	}
}

// judgeRedirectRegistered compares redirect URIs with the registrations in the evidence.
func judgeRedirectRegistered(j *judgement) {
	registered := map[string][]string{}
	for _, x := range j.e.legs(LegRegister) {
		obj, err := wire.ParseObject(x.Response.Body)
		if err != nil {
			continue
		}
		id, _, _ := obj.String("client_id")
		registered[id], _, _ = obj.Strings("redirect_uris")
	}
	for _, l := range j.someLogins() {
		q := query(l.authorize.Request.URL)
		id, _ := q.Get("client_id")
		list, known := registered[id]
		used, _ := q.Get("redirect_uri")
		if known && !slices.ContainsFunc(list, func(u string) bool { return samePort(u) == samePort(used) }) {
			j.fail(l.authorize, "the redirect URI was not registered").differ(strings.Join(list, " "), used).Layer = Client
		}
	}
}

// samePort removes the port from a loopback address (RFC 8252 §7.3).
func samePort(raw string) string {
	if u, err := url.Parse(raw); err == nil && wire.IsLoopbackHTTP(raw) && u.Hostname() != "localhost" {
		u.Host = u.Hostname()
		return u.String()
	}
	return raw
}

// InjectedCode is the code of a forged answer.
const InjectedCode = "stile-audit-injected-code"

func judgeForgedCode(j *judgement) {
	for _, x := range j.e.legs(LegToken) {
		if code, _ := requestForm(x).Get("code"); code == InjectedCode {
			j.fail(x, "the client exchanges a code of an answer that it must not take").Layer = Client
		}
	}
}

// The labels of what a trap asks the client's own listener.
const (
	ListenerHost    = "listener.host"
	ListenerPath    = "listener.path"
	ListenerOutside = "listener.outside"
	ListenerMethod  = "listener.method"
)

func judgeListener(j *judgement) {
	if j.e.first(LegAuthorize) == nil {
		j.end(CouldNotRun, "the client sent nobody to the issuer"+j.e.lastWords())
		return
	}
	asked := 0
	for label, says := range map[string]string{
		ListenerHost:    "the client's listener answers to another host name",
		ListenerPath:    "the client's listener answers at another path",
		ListenerOutside: "the client's listener can be reached from outside of loopback",
		ListenerMethod:  "the client's listener takes a POST, and an answer comes by GET",
	} {
		x := j.e.probe(label)
		if x == nil {
			continue
		}
		asked++
		if x.Response != nil && (x.status() < 400 || label == ListenerOutside) {
			f := j.fail(x, says)
			f.Layer = Client
			switch label {
			case ListenerHost:
				f.Rules, f.Severity = []rules.ID{rules.NetHostHeaderLoopback}, Medium
			case ListenerPath, ListenerMethod:
				f.Rules, f.Severity = []rules.ID{rules.AuthzRespListenerLoopback}, Low
			}
		}
	}
	slices.SortFunc(j.v.Findings, func(a, b Finding) int { return strings.Compare(a.Says, b.Says) })
	if asked == 0 {
		j.end(NotApplicable, "the client listens on no loopback address")
	}
}
