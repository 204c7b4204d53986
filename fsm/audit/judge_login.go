package audit

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/stile-oauth/stile/states/rules"
	"github.com/stile-oauth/stile/states/wire"
)

type login struct {
	authorize, callback, token *Exchange
}

func (j *judgement) logins() []login {
	var out []login
	for i := range j.e.Exchanges {
		x := &j.e.Exchanges[i]
		switch x.Leg {
		case LegAuthorize:
			out = append(out, login{authorize: x})
		case LegCallback:
			state, _ := query(x.Request.URL).Get("state")
			for k := len(out) - 1; k >= 0; k-- {
				if sent, _ := query(out[k].authorize.Request.URL).Get("state"); sent == state && out[k].callback == nil {
					out[k].callback = x
					break
				}
			}
		case LegToken:
			code, _ := requestForm(x).Get("code")
			for k := len(out) - 1; k >= 0; k-- {
				if out[k].callback == nil || out[k].token != nil {
					continue
				}
				if got, _ := query(out[k].callback.Request.URL).Get("code"); got == code && code != "" {
					out[k].token = x
					break
				}
			}
		default: // the others need nothing here
		}
	}
	return out
}

func (j *judgement) someLogins() []login {
	list := j.logins()
	if len(list) == 0 {
		j.end(CouldNotRun, "the recording holds no authorization request")
	}
	return list
}

func judgePKCE(j *judgement) {
	seen := map[string]bool{}
	for _, l := range j.someLogins() {
		q := query(l.authorize.Request.URL)
		challenge, has := q.Get("code_challenge")
		method, _ := q.Get("code_challenge_method")
		switch {
		case !has || challenge == "":
			j.fail(l.authorize, "an authorization request without code_challenge").Layer = Client
		case method != "S256":
			j.fail(l.authorize, "the code challenge is not S256").differ("S256", method).Layer = Client
		case seen[challenge]:
			f := j.fail(l.authorize, "two authorization requests have the same code challenge")
			f.Layer, f.Rules = Client, []rules.ID{rules.AuthzReqVerifierFresh}
		}
		seen[challenge] = true
		if l.token == nil {
			continue
		}
		verifier, has := requestForm(l.token).Get("code_verifier")
		of, whole := strings.CutPrefix(verifier, "verifier-of-")
		switch {
		case len(verifier) >= 8 && slices.ContainsFunc(q, func(f wire.Field) bool { return f.Value == verifier }):
			f := j.fail(l.authorize, "the verifier travels with the browser, in the authorization address")
			f.Layer, f.Rules = Client, []rules.ID{rules.AuthzReqNoSecret}
		case !has:
			f := j.fail(l.token, "the code is exchanged without its verifier")
			f.Layer, f.Rules = Client, []rules.ID{rules.TokenReqCodeVerifier}
		case whole && of != challenge, !whole && wire.S256(verifier) != challenge && !strings.HasPrefix(verifier, stand):
			f := j.fail(l.token, "the verifier is not the one of the code challenge")
			f.Layer, f.Rules = Client, []rules.ID{rules.TokenReqCodeVerifier}
		}
	}
	if j.e.saw(SeenVerifierForm) {
		f := j.fail(j.e.first(LegToken), "the verifier is no verifier of RFC 7636").differ("43 to 128 unreserved characters", "")
		f.Layer, f.Rules, f.Severity = Client, []rules.ID{rules.AuthzReqVerifierForm}, Medium
	}
	if j.e.saw(SeenVerifierPoor) {
		f := j.fail(j.e.first(LegToken), "the verifier is not random: it has a handful of different characters")
		f.Layer, f.Rules, f.Severity = Client, []rules.ID{rules.AuthzReqVerifierFresh}, High
	}
}

const minState = 22

func judgeState(j *judgement) {
	seen := map[string]bool{}
	for _, l := range j.someLogins() {
		state, has := query(l.authorize.Request.URL).Get("state")
		n := len(state)
		if rest, ok := strings.CutPrefix(state, stand); ok {
			length, _, _ := strings.Cut(rest, "-")
			n, _ = strconv.Atoi(length)
		}
		switch {
		case !has || state == "":
			j.fail(l.authorize, "an authorization request without state").Layer = Client
		case seen[state]:
			f := j.fail(l.authorize, "two authorization requests have the same state")
			f.Layer, f.Rules = Client, []rules.ID{rules.AuthzReqStateRandom}
		case n < minState && j.e.Source != FromTrace:
			f := j.fail(l.authorize, "state is too short to be random").differ(fmt.Sprintf("%d characters", minState), fmt.Sprintf("%d characters", n))
			f.Layer, f.Rules, f.Confidence, f.Severity = Client, []rules.ID{rules.AuthzReqStateRandom}, Likely, Medium
		}
		seen[state] = true
	}
	if j.e.saw(SeenStatePoor) && len(j.v.Findings) == 0 {
		f := j.fail(j.e.first(LegAuthorize), "state is not random: it has a handful of different characters")
		f.Layer, f.Rules, f.Confidence, f.Severity = Client, []rules.ID{rules.AuthzReqStateRandom}, Likely, Medium
	}
}

func judgeIss(j *judgement) {
	judged := false
	for _, l := range j.logins() {
		if l.callback == nil {
			continue
		}
		var asm *document
		for i, m := range j.e.reading().asm {
			if issuer, _, _ := m.obj.String("issuer"); l.authorize.Issuer == issuer || endpointOf(m, l.authorize.Request.URL) {
				asm = &j.e.reading().asm[i]
			}
		}
		if asm == nil {
			continue
		}
		judged = true
		issuer, _, _ := asm.obj.String("issuer")
		promised, _, _ := asm.obj.Bool("authorization_response_iss_parameter_supported")
		iss, has := query(l.callback.Request.URL).Get("iss")
		switch {
		case has && iss != issuer && l.token != nil:
			j.fail(l.token, "the code of an answer with another iss is exchanged").differ(issuer, iss).Layer = Client
		case has && iss != issuer:
			f := j.fail(l.callback, "the answer's iss is not the issuer").differ(issuer, iss)
			f.Layer, f.Severity = AuthServer, High
			if strings.TrimSuffix(iss, "/") == strings.TrimSuffix(issuer, "/") {
				f.Rules = []rules.ID{rules.IssuerNoNormalization, rules.IssuerResponseCompare}
			}
		case !has && promised && l.token != nil:
			f := j.fail(l.token, "the code of an answer without iss is exchanged, although the issuer promises iss")
			f.Layer, f.Rules = Client, []rules.ID{rules.IssuerResponseRequired}
		}
	}
	if !judged {
		j.end(CouldNotRun, "the recording holds no callback together with its issuer's metadata")
	}
}

func endpointOf(m document, url string) bool {
	at, _, _ := m.obj.String("authorization_endpoint")
	base, _, _ := strings.Cut(url, "?")
	want, _, _ := strings.Cut(at, "?")
	return at != "" && base == want
}

func judgeResource(j *judgement) {
	published := ""
	for _, m := range j.e.reading().prm {
		if published == "" {
			published, _, _ = m.obj.String("resource")
		}
	}
	if published == "" && len(j.e.legs(LegPRM)) > 0 {
		j.end(NotApplicable, "the server publishes no resource: it is one of MCP 2025-03-26")
		return
	}
	compare := func(x *Exchange, got string, has bool, rule rules.ID, what string) {
		switch {
		case !has:
			f := j.fail(x, what+" without resource")
			f.Layer, f.Rules = Client, []rules.ID{rule}
		case published != "" && got != published:
			f := j.fail(x, what+" is for another resource than the server publishes").differ(published, got)
			f.Layer, f.Rules = Client, []rules.ID{rule}
		}
	}
	n := 0
	for i := range j.e.Exchanges {
		x := &j.e.Exchanges[i]
		switch x.Leg {
		case LegAuthorize:
			v, has := query(x.Request.URL).Get("resource")
			compare(x, v, has, rules.AuthzReqResourceAlways, "an authorization request")
		case LegToken:
			v, has := requestForm(x).Get("resource")
			compare(x, v, has, rules.TokenReqResourceSame, "an exchange")
		case LegRefresh:
			v, has := requestForm(x).Get("resource")
			compare(x, v, has, rules.RefreshResource, "a refresh")
		default:
			continue
		}
		n++
	}
	if n == 0 {
		j.end(CouldNotRun, "the recording holds neither authorization nor token requests")
	}
}

func judgeRedirect(j *judgement) {
	compared := false
	for _, l := range j.someLogins() {
		compared = compared || l.token != nil || l.callback != nil
		want, _ := query(l.authorize.Request.URL).Get("redirect_uri")
		if l.token != nil {
			got, has := requestForm(l.token).Get("redirect_uri")
			if !has && want != "" || has && got != want {
				j.fail(l.token, "the exchange has another redirect_uri than the authorization request").differ(want, got).Layer = Client
			}
		}
		if l.callback != nil && want != "" {
			at, _, _ := strings.Cut(l.callback.Request.URL, "?")
			base, _, _ := strings.Cut(want, "?")
			if at != base {
				j.fail(l.callback, "the answer came to another address than redirect_uri").differ(base, at).Layer = AuthServer
			}
		}
	}
	if !compared && j.v.Outcome == Pass {
		j.end(CouldNotRun, "the recording holds nothing that followed an authorization request")
	}
}
