package audit

import (
	"encoding/base64"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/stile-oauth/stile/states/rules"
	"github.com/stile-oauth/stile/states/wire"
)

// Claims are what a JWT says, looked at and not trusted: kept with the exchange,
// since the token itself is replaced before evidence is kept.
type Claims struct {
	Alg      string   `json:"alg"`
	Issuer   string   `json:"iss,omitempty"`
	Audience []string `json:"aud,omitempty"`
	HasExp   bool     `json:"has_exp,omitzero"`
}

// claimsOf reads the claims of the access token of an answer; nil when it is
// no JWT.
func claimsOf(resp *wire.Response) *Claims {
	if resp == nil || resp.Status != 200 {
		return nil
	}
	obj, err := wire.ParseObject(resp.Body)
	if err != nil {
		return nil
	}
	token, _, _ := obj.String("access_token")
	parts := strings.Split(token, ".")
	if len(parts) != 3 {
		return nil
	}
	read := func(s string) wire.Object {
		b, err := base64.RawURLEncoding.DecodeString(s)
		if err != nil {
			return nil
		}
		o, err := wire.ParseObject(b)
		if err != nil {
			return nil
		}
		return o
	}
	header, claims := read(parts[0]), read(parts[1])
	if header == nil || claims == nil {
		return nil
	}
	c := &Claims{}
	c.Alg, _, _ = header.String("alg")
	c.Issuer, _, _ = claims.String("iss")
	if aud, _, ok := claims.String("aud"); ok {
		c.Audience = []string{aud}
	} else {
		c.Audience, _, _ = claims.Strings("aud")
	}
	_, c.HasExp = claims.Raw("exp")
	return c
}

// answer gives the exchange of a probe; without an answer the check could not
// be run, for the reason of the first step that failed.
func (j *judgement) answer(label string) *Exchange {
	if x := j.e.probe(label); x != nil && x.Response != nil {
		return x
	}
	grant, _, _ := strings.Cut(label, ".")
	why := "the login did not come so far"
	for _, step := range []string{registration, grant + ".visit", grant + ".token", grant + ".first", label} {
		x := j.e.probe(step)
		if x == nil {
			continue
		}
		if x.Failure != "" {
			why = x.title() + ": " + x.Failure
			break
		}
		if x.Response != nil && x.status() >= 400 {
			why = fmt.Sprintf("%s: %d", x.title(), x.status())
			break
		}
		if e, ok := query(x.Request.URL).Get("error"); ok && strings.HasSuffix(step, ".visit") {
			why = "the authorization endpoint answered " + e
			break
		}
	}
	j.end(CouldNotRun, why)
	return nil
}

// letIn reports whether a request with a token was answered as one.
func letIn(x *Exchange) bool {
	return x.status() >= 200 && x.status() < 300 && !authFailure(x.Response.Body)
}

// gives reports whether a token endpoint gave a token.
func gives(x *Exchange) bool {
	if x.status() != 200 {
		return false
	}
	obj, err := wire.ParseObject(x.Response.Body)
	_, has := obj.Raw("access_token")
	return err == nil && has
}

func judgeFlow(j *judgement) {
	if x := j.answer("main.call"); x != nil && !letIn(x) {
		j.fail(x, "a token that was just issued is refused").differ("2xx", fmt.Sprint(x.status()))
	}
}

func judgeRegisters(j *judgement) {
	if j.e.Account != nil && j.e.Account.ClientID != "" {
		j.end(NotApplicable, "a client was given")
		return
	}
	x := j.e.probe(registration)
	switch {
	case x == nil && j.e.address("registration_endpoint") == "" && len(j.e.reading().asm) > 0:
		j.end(NotApplicable, "the issuer has no registration endpoint")
		return
	case x == nil:
		j.end(CouldNotRun, "nothing was registered")
		return
	case x.Response == nil:
		j.end(CouldNotRun, x.title()+": "+x.Failure)
		return
	}
	asked, err := wire.ParseObject(x.Request.Body)
	redirects, _, _ := asked.Strings("redirect_uris")
	if err != nil {
		return
	}
	_, found, bad := wire.ParseRegistration(*x.Response, wire.RegistrationParams{Endpoint: x.Request.URL, RedirectURIs: redirects, Method: "none", ApplicationType: "native"}, nil, x.Clock)
	switch {
	case bad != nil:
		f := j.fail(x, "a client cannot register: "+bad.Detail).differ("201", fmt.Sprint(x.status()))
		f.Rules = []rules.ID{bad.Rule}
		if e := bad.OAuth; e != nil {
			f.Got += " " + e.String()
		}
	case x.status() != 201:
		f := j.fail(x, "a registration is not answered 201").differ("201", fmt.Sprint(x.status()))
		f.Rules, f.Severity = []rules.ID{rules.DCRResponse201}, Low
	}
	for _, n := range found {
		f := j.fail(x, n.Detail)
		f.Rules, f.Severity = []rules.ID{n.Rule}, Low
	}
}

func judgeCallback(j *judgement) {
	x := j.e.probe("main.visit")
	if x == nil || x.Failure != "" {
		j.answer("main.call")
		return
	}
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
	if x.Sent != "" {
		want, _ := query(x.Sent).Get("state")
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

func judgeTokenAnswer(j *judgement) {
	x := j.answer("main.token")
	if x == nil {
		return
	}
	if x.status() != 200 {
		j.end(CouldNotRun, fmt.Sprintf("the code was answered %d", x.status()))
		return
	}
	_, found, bad := wire.ParseToken(*x.Response, wire.TokenPolicy{})
	if bad != nil {
		f := j.fail(x, "a client cannot use the answer: "+bad.Detail)
		f.Severity, f.Rules = High, []rules.ID{bad.Rule}
	}
	for _, n := range found {
		j.fail(x, n.Detail).Rules = []rules.ID{n.Rule}
	}
	if cc := strings.ToLower(strings.Join(x.got("Cache-Control"), ", ")); !strings.Contains(cc, "no-store") {
		j.fail(x, "the answer with the token may be stored").differ("no-store", cc).Rules = []rules.ID{rules.ASTokenNoStore}
	}
}

func judgeShortLived(j *judgement) {
	x := j.answer("main.token")
	if x == nil {
		return
	}
	obj, err := wire.ParseObject(x.Response.Body)
	if err != nil || x.status() != 200 {
		j.end(CouldNotRun, "no token was issued")
		return
	}
	raw, has := obj.Raw("expires_in")
	n, _ := strconv.Atoi(strings.Trim(string(raw), `"`))
	switch {
	case !has:
		j.fail(x, "the answer does not say how long the token lives").Rules = []rules.ID{rules.ASTokenExpiresIn}
	case n > 7*86400:
		j.fail(x, "the token lives longer than a week").differ("604800 at most", fmt.Sprint(n))
	case n > 86400:
		j.end(Fact, fmt.Sprintf("the token lives %d hours", n/3600))
	}
}

func judgeJWT(j *judgement) {
	x := j.answer("main.token")
	if x == nil {
		return
	}
	if x.Claims == nil {
		j.end(NotApplicable, "the token is opaque")
		return
	}
	m, _ := j.e.home()
	issuer, _, _ := m.obj.String("issuer")
	if x.Claims.Issuer != issuer {
		j.fail(x, "iss of the token is not the issuer").differ(issuer, x.Claims.Issuer).Rules = []rules.ID{rules.RSJWTProfile}
	}
	if r := j.e.resource(); r != "" && !slices.Equal(x.Claims.Audience, []string{r}) {
		f := j.fail(x, "aud of the token is not the resource alone").differ(r, strings.Join(x.Claims.Audience, " "))
		if slices.Contains(x.Claims.Audience, r) {
			f.Severity = Medium
		}
	}
	if !x.Claims.HasExp {
		j.fail(x, "the token has no exp").Rules = []rules.ID{rules.RSExpRequired}
	}
}

// judgeRefusedToken wants 401 to a request with a token that is no good.
func judgeRefusedToken(label, says string) func(*judgement) {
	return func(j *judgement) {
		x := j.answer(label)
		if x == nil {
			if _, ok := j.e.member("main.token", "refresh_token"); !ok && label == "main.refresh-as-bearer" && j.e.probe("main.token") != nil {
				j.end(NotApplicable, "no refresh token is issued")
			}
			return
		}
		if call := j.e.probe("main.call"); call == nil || call.Response == nil || !letIn(call) {
			j.end(CouldNotRun, "the right token is refused as well")
			return
		}
		if letIn(x) {
			j.fail(x, says).differ("401", fmt.Sprint(x.status())).Layer = MCPServer
		}
	}
}

func judgeScheme(j *judgement) {
	x, call := j.answer("main.lower"), j.e.probe("main.call")
	if x != nil && call != nil && call.Response != nil && letIn(call) && !letIn(x) {
		j.fail(x, "the scheme bearer in small letters is refused").differ("2xx", fmt.Sprint(x.status())).Layer = MCPServer
	}
}

// noRefresh ends a check about refreshes where none are issued.
func (j *judgement) noRefresh(token string) bool {
	x := j.e.probe(token)
	if x == nil || x.status() != 200 {
		return false
	}
	if _, ok := j.e.member(token, "refresh_token"); ok {
		return false
	}
	j.end(NotApplicable, "no refresh token is issued")
	return true
}

func judgeRefreshWorks(j *judgement) {
	if j.noRefresh("main.token") {
		return
	}
	x := j.answer("main.refreshed")
	if x == nil {
		return
	}
	if x.status() != 200 {
		j.fail(x, "a refresh with resource is refused").differ("200", fmt.Sprint(x.status())).Layer = AuthServer
		return
	}
	if c := j.answer("main.refreshed-call"); c != nil && !letIn(c) {
		j.fail(c, "the refreshed token is refused").differ("2xx", fmt.Sprint(c.status()))
	}
}

func judgeRotates(j *judgement) {
	if j.noRefresh("main.token") {
		return
	}
	x := j.answer("main.refreshed")
	if x == nil {
		return
	}
	if j.e.Account != nil && j.e.Account.ClientSecret != "" || len(x.sent("Authorization")) > 0 {
		j.end(NotApplicable, "the client is confidential")
		return
	}
	sent, _ := requestForm(x).Get("refresh_token")
	if got, ok := j.e.member("main.refreshed", "refresh_token"); !ok || got == sent {
		j.fail(x, "the refresh token of a public client is not rotated").Layer = AuthServer
	}
}

func judgeFreshAlive(j *judgement) {
	if j.noRefresh("main.token") {
		return
	}
	x, before := j.answer("main.later-call"), j.e.probe("main.refreshed-call")
	if x == nil || before == nil || before.Response == nil || !letIn(before) {
		return
	}
	if w := j.e.probe("main.widened"); w != nil && w.status() == 200 {
		j.end(CouldNotRun, "another refresh came between")
		return
	}
	if !letIn(x) {
		j.fail(x, "a refreshed token is refused a moment later").differ("2xx", fmt.Sprint(x.status()))
	}
}

func judgeWiden(j *judgement) {
	if j.noRefresh("main.token") {
		return
	}
	x := j.answer("main.widened")
	if x == nil || x.status() != 200 {
		return
	}
	obj, err := wire.ParseObject(x.Response.Body)
	if err != nil {
		return
	}
	if scope, _, ok := obj.String("scope"); !ok || strings.Contains(scope, "no-such-scope") {
		f := j.fail(x, "a refresh gives a scope that was never granted").differ("invalid_scope", scope)
		f.Layer = AuthServer
		if !ok {
			f.Confidence, f.Severity = Guess, Low
			f.Says = "a refresh with a scope that was never granted succeeds, and does not say which scopes it gives"
		}
	}
}

// judgeRefusedGrant wants an OAuth error to a wrong exchange.
func judgeRefusedGrant(label, says string) func(*judgement) {
	return func(j *judgement) {
		if x := j.answer(label); x != nil && gives(x) {
			j.fail(x, says).differ("400 invalid_grant", "200").Layer = AuthServer
		}
	}
}

func judgeReuseRevokes(j *judgement) {
	again := j.answer("reuse.again")
	if again == nil {
		return
	}
	if again.status() == 200 {
		j.end(CouldNotRun, "the code could be used again (lg.code-reuse)")
		return
	}
	if x := j.answer("reuse.call"); x != nil && letIn(x) {
		j.fail(x, "the token of a code that came back still works").differ("401", fmt.Sprint(x.status())).Layer = AuthServer
	}
}

func judgeFamily(j *judgement) {
	if j.noRefresh("family.token") {
		return
	}
	if x := j.e.probe("family.second"); x != nil && x.status() == 200 && j.e.probe("family.third") == nil {
		j.end(NotApplicable, "refresh tokens are not rotated")
		return
	}
	x := j.answer("family.replayed")
	if x == nil {
		return
	}
	if x.status() == 200 {
		j.fail(x, "a spent refresh token works after its successor was used").differ("400 invalid_grant", "200").Layer = AuthServer
		return
	}
	if n := j.answer("family.newest"); n != nil && n.status() == 200 {
		f := j.fail(n, "the family lives on after a spent refresh token came back").differ("400 invalid_grant", "200")
		f.Layer, f.Severity = AuthServer, Medium
	}
}

func judgeReuseError(j *judgement) {
	if j.noRefresh("family.token") {
		return
	}
	if x := j.e.probe("family.second"); x != nil && x.status() == 200 && j.e.probe("family.third") == nil {
		j.end(NotApplicable, "refresh tokens are not rotated")
		return
	}
	x := j.answer("family.replayed")
	if x == nil || x.status() == 200 {
		return
	}
	e := wire.ParseOAuthError(*x.Response)
	code := "no OAuth error"
	if e != nil {
		code = e.Code
	}
	if x.status() != 400 || code != "invalid_grant" {
		j.fail(x, "a spent refresh token is not refused as invalid_grant").differ("400 invalid_grant", fmt.Sprintf("%d %s", x.status(), code)).Layer = AuthServer
	}
}

func judgeRevoked(j *judgement) {
	if j.noRefresh("revoke.token") {
		return
	}
	if j.e.address("revocation_endpoint") == "" && j.e.probe("revoke.token") != nil {
		j.end(NotApplicable, "the issuer has no revocation endpoint")
		return
	}
	done := j.answer("revoke.done")
	if done == nil {
		return
	}
	if done.status() != 200 {
		j.fail(done, "a revocation is not answered 200").differ("200", fmt.Sprint(done.status())).Layer = AuthServer
	}
	if x := j.answer("revoke.refreshed"); x != nil && x.status() == 200 {
		j.fail(x, "a revoked refresh token still works").differ("400 invalid_grant", "200").Layer = AuthServer
	}
	if x := j.answer("revoke.call"); x != nil && letIn(x) {
		j.end(Fact, "the access token of a revoked refresh token still works "+(x.At-done.At).String()+" later")
	}
}
