package audit

import (
	"slices"
	"strings"

	"github.com/stile-oauth/stile/states/rules"
	"github.com/stile-oauth/stile/states/wire"
)

func judgeCallback(j *judgement) {
	x := j.e.probe("main.visit")
	if x == nil || x.Failure != "" {
		j.answer("main.call")
		return
	}
	want, _ := query(x.Sent).Get("state")
	j.callback(x, want, x.Sent != "")
}

// callback judges one answer of the authorization endpoint; want is the state
// that was sent, if that is known.
func (j *judgement) callback(x *Exchange, want string, known bool) {
	q := query(x.Request.URL)
	seen := map[string]int{}
	for _, f := range q {
		if seen[f.Name]++; seen[f.Name] == 2 {
			rule := rules.AuthzRespParamOnce
			if f.Name == "iss" {
				rule = rules.IssuerIssOnce
			}
			f := j.fail(x, "the answer has "+f.Name+" twice")
			f.Layer, f.Rules = AuthServer, []rules.ID{rule, rules.AuthzRespParamOnce}
		}
	}
	code, _ := q.Get("code")
	failed, _ := q.Get("error")
	switch {
	case code == "" && failed == "":
		f := j.fail(x, "the answer has neither a code nor an error")
		f.Layer, f.Rules = AuthServer, []rules.ID{rules.AuthzRespCode, rules.AuthzRespQueryMode}
	case code != "" && failed != "":
		f := j.fail(x, "the answer has a code and an error")
		f.Layer, f.Rules = AuthServer, []rules.ID{rules.AuthzRespCodeXorError}
	}
	if cb, bad := wire.ParseCallback(x.Request.URL); bad != nil {
		f := j.fail(x, "the answer cannot be read: "+bad.Detail)
		f.Layer, f.Rules = AuthServer, []rules.ID{bad.Rule}
	} else if cb.Error != nil {
		j.end(Fact, "the authorization endpoint refused: "+cb.Error.String())
	}
	if known {
		if got, _ := q.Get("state"); got != want {
			f := j.fail(x, "state did not come back as it was sent")
			f.Layer, f.Rules = AuthServer, []rules.ID{rules.AuthzRespStateEcho, rules.AuthzRespStateMatch}
		}
	}
}

func judgeCallbackIss(j *judgement) {
	x := j.e.probe("main.visit")
	if x == nil || x.Failure != "" {
		j.answer("main.call")
		return
	}
	m, ok := j.e.home()
	if !ok {
		return
	}
	issuer, _, _ := m.obj.String("issuer")
	promised, _, _ := m.obj.Bool("authorization_response_iss_parameter_supported")
	iss, has := query(x.Request.URL).Get("iss")
	cb, bad := wire.ParseCallback(x.Request.URL)
	if bad == nil {
		_, bad = wire.JudgeIss(cb, issuer, promised)
	}
	switch {
	case bad != nil && slices.Contains(j.check.Rules, bad.Rule):
		f := j.fail(x, "iss of the answer is not the issuer").differ(issuer, iss)
		f.Layer, f.Rules = AuthServer, []rules.ID{bad.Rule}
		if strings.TrimSuffix(iss, "/") == strings.TrimSuffix(issuer, "/") && has {
			f.Rules = []rules.ID{rules.IssuerNoNormalization, bad.Rule}
		}
		if cb.Error != nil {
			f.Rules = append(f.Rules, rules.IssuerErrorResponseToo)
		}
	case !has && !promised:
		j.end(NotApplicable, "iss is neither promised nor sent")
	}
}
