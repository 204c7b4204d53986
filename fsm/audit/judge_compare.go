package audit

import (
	"net/url"
	"slices"
	"strings"

	"github.com/stile-oauth/stile/states/rules"
	"github.com/stile-oauth/stile/states/wire"
)

// ForeignError is what the error of another issuer says.
const ForeignError = "stile-audit-words-of-another-issuer"

func judgeForeignError(j *judgement) {
	if !j.began() {
		return
	}
	if !j.e.wasAnswered() {
		j.end(CouldNotRun, "no answer came back to the client"+j.e.lastWords())
		return
	}
	for _, x := range j.e.legs(LegCallback) {
		if strings.Contains(string(x.Response.Body), ForeignError) {
			j.fail(x, "the client's page shows what an error of another issuer says").Layer = Client
		}
	}
	for _, run := range j.e.Runs {
		if strings.Contains(run.Output, ForeignError) {
			j.fail(nil, "the client's output shows what an error of another issuer says").Layer = Client
		}
	}
	if x := j.e.first(LegToken); x != nil {
		j.fail(x, "the client exchanges a code after an error of another issuer").Layer = Client
	}
}

func judgeQueryKept(j *judgement) {
	if !j.began() {
		return
	}
	x := j.e.first(LegAuthorize)
	if x == nil {
		j.end(CouldNotRun, "the client sent nobody to the issuer"+j.e.lastWords())
		return
	}
	if v, _ := query(x.Request.URL).Get(tenantParameter); v != "1" {
		j.fail(x, "the query of the authorization endpoint does not survive").differ(tenantParameter+"=1", v).Layer = Client
	}
}

func judgeAuthorizeForm(j *judgement) {
	for _, l := range j.someLogins() {
		client := func(says string, rule rules.ID) *Finding {
			f := j.fail(l.authorize, says)
			f.Layer, f.Rules = Client, []rules.ID{rule}
			return f
		}
		seen := map[string]bool{}
		for _, f := range query(l.authorize.Request.URL) {
			switch {
			case seen[f.Name] && f.Name == "resource":
				client("an authorization request names several resources", rules.AuthzReqResourceSingle).Severity = Low
			case seen[f.Name]:
				client("the authorization request has "+f.Name+" twice", rules.AuthzReqParamOnce)
			}
			seen[f.Name] = true
		}
		redirect, has := query(l.authorize.Request.URL).Get("redirect_uri")
		u, err := url.Parse(redirect)
		switch {
		case !has || redirect == "":
			client("an authorization request without redirect_uri", rules.AuthzReqRedirectURI)
		case err != nil || u.Scheme == "":
			client("redirect_uri is no address", rules.AuthzReqRedirectForm).differ("http://127.0.0.1/…", redirect)
		case strings.Contains(redirect, "#"):
			client("redirect_uri has a fragment", rules.AuthzReqRedirectNoFragment).differ("", redirect)
		case u.Scheme == "http" && !wire.IsLoopbackHTTP(redirect):
			client("redirect_uri is http and not loopback", rules.AuthzReqRedirectForm).differ("http://127.0.0.1/…", redirect).Severity = High
		}
		asked, _ := query(l.authorize.Request.URL).Get("scope")
		words := strings.Split(asked, " ")
		slices.Sort(words)
		if len(slices.Compact(slices.Clone(words))) < len(words) {
			client("a scope is asked for twice", rules.AuthzReqScopeSyntax).differ("", asked).Severity = Low
		}
	}
}

// judgeForgets: the client was started, logged out, and started again, while its token
// and its refresh token would still be good.
func judgeForgets(j *judgement) {
	if len(j.e.Runs) < 3 || !j.e.Runs[1].LogsOut {
		j.end(NotApplicable, "no command that logs out was given (--logout)")
		return
	}
	if !j.loggedInFirst() {
		return
	}
	had := map[string]bool{}
	for _, x := range j.e.legs(LegToken, LegRefresh) {
		if x.Run < 3 {
			for _, name := range []string{"access_token", "refresh_token"} {
				v, _, _ := x.object().String(name)
				had[v] = v != ""
			}
		}
	}
	for i := range j.e.Exchanges {
		x := &j.e.Exchanges[i]
		if x.Run < 3 {
			continue
		}
		_, token, _ := strings.Cut(strings.Join(x.sent("Authorization"), ""), " ")
		refresh, _ := requestForm(x).Get("refresh_token")
		if x.Leg == LegMCP && had[token] || x.Leg == LegRefresh && had[refresh] {
			j.fail(x, "the client uses after a logout what it had before").Layer = Client
			return
		}
	}
}

// judgeDocumentID reads client ids that are addresses.
func judgeDocumentID(j *judgement) {
	n := 0
	for _, l := range j.someLogins() {
		id, _ := query(l.authorize.Request.URL).Get("client_id")
		u, err := url.Parse(id)
		if err != nil || u.Scheme != "https" && u.Scheme != "http" {
			continue
		}
		n++
		client := func(says string, rule rules.ID) *Finding {
			f := j.fail(l.authorize, says).differ("https://client.example/client.json", id)
			f.Layer, f.Rules = Client, []rules.ID{rule}
			return f
		}
		switch {
		case u.Scheme != "https":
			client("the client names itself by an address that is not https", rules.CIMDURLHTTPS)
		case u.Path == "" || u.Path == "/":
			client("the client names itself by an address without a path", rules.CIMDURLPath)
		case strings.Contains(id, "#") || u.User != nil || slices.ContainsFunc(strings.Split(u.Path, "/"), func(s string) bool { return s == "." || s == ".." }):
			client("the client names itself by an address with a fragment, a password or dot segments", rules.CIMDURLPath)
		case u.RawQuery != "":
			client("the client names itself by an address with a query", rules.CIMDURLQuery).Severity = Low
		}
	}
	if n == 0 && j.v.Outcome == Pass {
		j.end(NotApplicable, "the client does not name itself by a document")
	}
}

// What is wrong with an assertion is noted before its text is replaced.
func judgeAssertion(j *judgement) {
	var first *Exchange
	seen := map[string]bool{}
	for i := range j.e.Exchanges {
		x := &j.e.Exchanges[i]
		v, has := requestForm(x).Get("client_assertion")
		if !has {
			continue
		}
		if first == nil {
			first = x
		}
		if seen[v] {
			f := j.fail(x, "an assertion is sent a second time")
			f.Layer, f.Rules = Client, []rules.ID{rules.ClientauthJWTFresh}
		}
		seen[v] = true
		if kind, _ := requestForm(x).Get("client_assertion_type"); kind != "urn:ietf:params:oauth:client-assertion-type:jwt-bearer" {
			f := j.fail(x, "client_assertion_type is another one").differ("urn:ietf:params:oauth:client-assertion-type:jwt-bearer", kind)
			f.Layer, f.Rules, f.Severity = Client, []rules.ID{rules.ClientauthJWTType}, Medium
		}
	}
	if first == nil {
		j.end(NotApplicable, "the client sends no assertion")
		return
	}
	for what, rule := range map[string]rules.ID{
		SeenAssertionClient: rules.ClientauthJWTClaims, SeenAssertionAudience: rules.ClientauthJWTAud,
		SeenAssertionLife: rules.ClientauthJWTFresh, SeenAssertionID: rules.ClientauthJWTFresh, SeenAssertionNone: rules.ClientauthJWTAlg,
	} {
		if j.e.saw(what) {
			f := j.fail(first, strings.TrimPrefix(what, "assertion "))
			f.Layer, f.Rules = Client, []rules.ID{rule}
		}
	}
	slices.SortStableFunc(j.v.Findings, func(a, b Finding) int { return strings.Compare(a.Says, b.Says) })
}
