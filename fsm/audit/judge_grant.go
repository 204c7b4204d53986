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

// Claims is what the audit keeps of a token that is a JWT. The token itself is not kept.
type Claims struct {
	Alg      string   `json:"alg"`
	Issuer   string   `json:"iss,omitempty"`
	Audience []string `json:"aud,omitempty"`
	HasExp   bool     `json:"has_exp,omitzero"`
}

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
	j.registration(x)
}

// registration judges one answer to a registration.
func (j *judgement) registration(x *Exchange) {
	asked, err := wire.ParseObject(x.Request.Body)
	redirects, _, _ := asked.Strings("redirect_uris")
	if err != nil {
		return
	}
	method, _, _ := asked.String("token_endpoint_auth_method")
	application, _, _ := asked.String("application_type")
	_, found, bad := wire.ParseRegistration(*x.Response, wire.RegistrationParams{Endpoint: x.Request.URL, RedirectURIs: redirects, Method: method, ApplicationType: application}, nil, x.Clock)
	switch {
	case bad != nil:
		f := j.fail(x, "a client cannot register: "+bad.Detail).differ("201", fmt.Sprint(x.status()))
		f.Rules = append([]rules.ID{bad.Rule}, refusedRegistration(x)...)
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

// refusedRegistration names the rules that say what a client does about a refused
// registration.
func refusedRegistration(x *Exchange) []rules.ID {
	e := wire.ParseOAuthError(*x.Response)
	switch s := x.status(); {
	case s == 401:
		return []rules.ID{rules.DCRInitialAccessToken}
	case s == 429:
		return []rules.ID{rules.ASRegisterThrottle}
	case s == 404:
		return []rules.ID{rules.DCRFailureHandled, rules.ASMCacheBounded}
	case x.Response.Oversized || len(x.Response.Body) > 1<<20:
		return []rules.ID{rules.NetSizeLimit}
	case e != nil && e.Code == "invalid_redirect_uri":
		return []rules.ID{rules.DCRAdjustedRetry}
	case s >= 400:
		return []rules.ID{rules.DCRFailureShown}
	}
	return []rules.ID{rules.DCRResponseAuthoritative}
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
	j.tokenAnswer(x)
	if lacks := wire.Missing(granted(x.object(), j.e.scope()), wire.ParseScope(j.e.scope())); len(lacks) > 0 {
		j.end(Fact, "the issuer grants less than was asked for; it leaves out "+strings.Join(lacks, " "))
	}
}

// object is the answer's JSON object; empty for anything else.
func (x *Exchange) object() wire.Object {
	if x.Response == nil {
		return wire.Object{}
	}
	obj, _ := wire.ParseObject(x.Response.Body)
	return obj
}

// tokenAnswer judges one answer of the token endpoint with status 200.
func (j *judgement) tokenAnswer(x *Exchange) {
	_, found, bad := wire.ParseToken(*x.Response, wire.TokenPolicy{DPoP: len(x.sent("DPoP")) > 0})
	obj, err := wire.ParseObject(x.Response.Body)
	if bad != nil {
		f := j.fail(x, "a client cannot use the answer: "+bad.Detail)
		f.Severity, f.Rules = High, []rules.ID{bad.Rule}
		switch {
		case len(x.Response.Body) == 0:
			f.Rules = append(f.Rules, rules.TokenRespAccessToken)
		case x.Response.Oversized || len(x.Response.Body) > 1<<20:
			f.Rules = append(f.Rules, rules.TokenRespSize)
		case slices.ContainsFunc(obj, func(m wire.Member) bool { return m.Name != "access_token" && strings.EqualFold(m.Name, "access_token") }):
			f.Rules = append(f.Rules, rules.TokenRespJSONStrict)
		}
	}
	for _, name := range []string{"issuer", "token_endpoint"} {
		if s, _, has := obj.String(name); err == nil && has && !j.e.publishes(name, s) {
			f := j.fail(x, "the answer names another "+name+" than the metadata").differ("", s)
			f.Severity, f.Rules = Low, []rules.ID{rules.TokenRespNoRecordFields}
		}
	}
	for _, n := range found {
		j.fail(x, n.Detail).Rules = []rules.ID{n.Rule}
	}
	if cc := strings.ToLower(strings.Join(x.got("Cache-Control"), ", ")); !strings.Contains(cc, "no-store") {
		j.fail(x, "the answer with the token may be stored").differ("no-store", cc).Rules = []rules.ID{rules.ASTokenNoStore}
	}
}

// granted are the scopes that an answer gives. If it has no scope, they are those that
// were asked for (RFC 6749 §5.1).
func granted(obj wire.Object, asked string) []string {
	if s, _, ok := obj.String("scope"); ok {
		return wire.ParseScope(s)
	}
	return wire.ParseScope(asked)
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
		j.fail(x, "the answer does not say how long the token lives").Rules = []rules.ID{rules.ASTokenExpiresIn, rules.TokenRespExpiresAbsent}
	case string(raw) == "0":
		j.fail(x, "the token ends at once").differ("some minutes", "0").Rules = []rules.ID{rules.TokenRespExpiresZero}
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
		f.Rules = append(slices.Clone(f.Rules), rules.TokenRespAudience)
		if slices.Contains(x.Claims.Audience, r) {
			f.Severity = Medium
		}
	}
	if !x.Claims.HasExp {
		j.fail(x, "the token has no exp").Rules = []rules.ID{rules.RSExpRequired}
	}
}
