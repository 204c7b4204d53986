package audit

import (
	"fmt"
	"slices"
	"strings"

	"github.com/stile-oauth/stile/states/rules"
	"github.com/stile-oauth/stile/states/wire"
)

// landing is how the authorization endpoint reacted to a request.
type landing int

const (
	unclear  landing = iota // a login page comes first
	refused                 // an error page, or an error that is sent to the client
	accepted                // a code that is sent to the client
)

// landed classifies an answer of the authorization endpoint; redirect is where the
// client asked it to send the answer.
func landed(x *Exchange, redirect string) landing {
	if x == nil {
		return unclear
	}
	to := strings.Join(x.got("Location"), " ")
	s := x.status()
	switch {
	case s >= 300 && s < 400 && to != "" && strings.HasPrefix(to, redirect):
		q := query(strings.Replace(to, "#", "?", 1))
		if _, has := q.Get("error"); has {
			return refused
		}
		return accepted
	case s >= 400:
		return refused
	}
	return unclear
}

// asks gives the answer to a request with something wrong in it, and how the request
// landed. It ends the check if that cannot be told: if there is no answer, or if a
// login page comes first for every request.
func (j *judgement) asks(name, redirect string) (*Exchange, landing) {
	x := j.e.probe(probeAuthorize + name)
	if x == nil || x.Response == nil {
		j.unregistered()
		return nil, unclear
	}
	l := landed(x, redirect)
	if l == unclear && !j.looksFirst() {
		j.end(CouldNotRun, "a login page comes first: requests are looked at behind it")
		return nil, unclear
	}
	return x, l
}

// looksFirst reports whether the endpoint refuses a bad request before the user logs
// in. If so, a login page means acceptance.
func (j *judgement) looksFirst() bool {
	for _, name := range []string{"no-type", "type.token", "redirect.host"} {
		if x := j.e.probe(probeAuthorize + name); x != nil && x.Response != nil && landed(x, j.e.Account.RedirectURI) == refused {
			good := j.e.probe(probeAuthorize + "good")
			return good != nil && good.Response != nil && landed(good, j.e.Account.RedirectURI) != refused
		}
	}
	return false
}

// unregistered says why there is no answer to a request of a registered client.
func (j *judgement) unregistered() {
	switch {
	case j.e.Account == nil:
		j.end(CouldNotRun, "there is no client to ask as")
	case j.e.address("registration_endpoint") == "" && j.e.Account.ClientID == "" && len(j.e.reading().asm) > 0:
		j.end(CouldNotRun, "the issuer has no registration endpoint, and no client was given")
	default:
		j.answer("main.call")
	}
}

// accepts records a finding about a request that should have been refused.
func (j *judgement) accepts(x *Exchange, l landing, says string) *Finding {
	f := j.fail(x, says).differ("an error", fmt.Sprint(x.status()))
	if l == unclear {
		f.Confidence = Likely
	}
	return f
}

func judgeRedirects(names ...string) func(*judgement) {
	return func(j *judgement) {
		if j.e.Account == nil {
			j.unregistered()
			return
		}
		for _, r := range wrongRedirects(j.e.Account.RedirectURI) {
			if !slices.Contains(names, r[0]) {
				continue
			}
			x := j.e.probe(probeAuthorize + "redirect." + r[0])
			if x == nil || x.Response == nil {
				j.unregistered()
				return
			}
			to := strings.Join(x.got("Location"), " ")
			switch l := landed(x, r[1]); {
			case strings.HasPrefix(to, r[1]): // an error that is sent there is just as bad
				j.fail(x, "the answer goes to a redirect URI that the client does not have").differ(j.e.Account.RedirectURI, r[1])
			case l == unclear && j.looksFirst():
				f := j.fail(x, "a redirect URI that the client does not have leads to the login").differ(j.e.Account.RedirectURI, r[1])
				f.Confidence = Likely
			case l == unclear:
				j.end(CouldNotRun, "a login page comes first: requests are looked at behind it")
			}
		}
	}
}

func judgeAnswersThere(j *judgement) {
	x := j.e.probe(probeAuthorize + "good")
	if x == nil || x.Response == nil {
		j.unregistered()
		return
	}
	to := strings.Join(x.got("Location"), " ")
	bare, _, _ := strings.Cut(strings.Replace(to, "#", "?", 1), "?")
	switch _, has := query(strings.Replace(to, "#", "?", 1)).Get("code"); {
	case has && bare != j.e.Account.RedirectURI:
		j.fail(x, "the code is sent to another address than was asked for").differ(j.e.Account.RedirectURI, bare)
	case !has:
		j.end(CouldNotRun, "a login comes before the code")
	}
}

// judgeGoesOn expects that the correct request is not refused.
func judgeGoesOn(j *judgement) {
	x := j.e.probe(probeAuthorize + "good")
	if x == nil || x.Response == nil {
		j.unregistered()
		return
	}
	if landed(x, j.e.Account.RedirectURI) != refused {
		return
	}
	q := query(strings.Replace(strings.Join(x.got("Location"), ""), "#", "?", 1))
	code, sent := q.Get("error")
	says, _ := q.Get("error_description")
	f := j.fail(x, "a right authorization request is refused").differ("a login", strings.TrimSpace(fmt.Sprint(x.status(), " ", code)))
	f.Confidence = Likely
	if !sent {
		f.Rules = []rules.ID{rules.RegReregisterOnce, rules.RegClientIDFirst}
		if x.status() >= 500 {
			f.Rules = []rules.ID{rules.AuthzRespDeadline}
		}
		return
	}
	f.Rules = refusedAuthorization(code)
	if _, has := q.Get("code"); has {
		f.Rules = append(f.Rules, rules.AuthzRespCodeXorError)
	}
	if strings.ContainsFunc(says, func(r rune) bool { return r < 0x20 || r == 0x7f }) {
		g := j.fail(x, "error_description has characters that RFC 6749 §4.1.2.1 does not allow").differ("printable characters", says)
		g.Severity, g.Rules = Medium, []rules.ID{rules.AuthzRespErrorEscaped}
	}
}

func judgeLoopbackPort(j *judgement) {
	if j.e.Account == nil || otherPort(j.e.Account.RedirectURI) == "" {
		j.end(NotApplicable, "the redirect URI is not one on loopback")
		return
	}
	x, l := j.asks("port", otherPort(j.e.Account.RedirectURI))
	if x == nil {
		return
	}
	if l == refused && landed(j.e.probe(probeAuthorize+"good"), j.e.Account.RedirectURI) == refused {
		j.end(CouldNotRun, "the right request is refused as well (az.goes-on)")
		return
	}
	if l == refused {
		f := j.fail(x, "a loopback redirect URI at another port is refused").differ("a login or a code", fmt.Sprint(x.status()))
		f.Affected = "clients that listen at a port of the system's choice, and register once"
	}
}

// judgeRefuses expects an error for each of these requests.
func judgeRefuses(says string, names ...string) func(*judgement) {
	return func(j *judgement) {
		for _, name := range names {
			redirect := ""
			if j.e.Account != nil {
				redirect = j.e.Account.RedirectURI
			}
			x, l := j.asks(name, redirect)
			if x == nil {
				return
			}
			if l != refused {
				j.accepts(x, l, says)
			}
		}
	}
}

func judgeUnknownParameter(j *judgement) {
	good := j.e.probe(probeAuthorize + "good")
	x := j.e.probe(probeAuthorize + "unknown")
	if x == nil || x.Response == nil || good == nil || good.Response == nil {
		j.unregistered()
		return
	}
	if landed(x, j.e.Account.RedirectURI) == refused && landed(good, j.e.Account.RedirectURI) != refused {
		j.fail(x, "a request with a parameter that is not known is refused").differ("ignored", fmt.Sprint(x.status()))
	}
}

func judgeForeignResource(j *judgement) {
	if j.e.Account == nil {
		j.unregistered()
		return
	}
	x, l := j.asks("resource", j.e.Account.RedirectURI)
	if x == nil {
		return
	}
	if l != refused {
		f := j.accepts(x, l, "an authorization request for a resource that the issuer cannot know goes on")
		f.Confidence = Likely
		f.Affected = "nobody, if the token endpoint refuses it later"
	}
}

// asClient gives the answer to a token request of the registered client.
func (j *judgement) asClient(name string) *Exchange {
	x := j.e.probe(probeClient + name)
	if x == nil || x.Response == nil {
		j.unregistered()
		return nil
	}
	return x
}

// judgeInvalidGrant expects 400 invalid_grant.
func judgeInvalidGrant(name, says string) func(*judgement) {
	return func(j *judgement) {
		x := j.asClient(name)
		if x == nil {
			return
		}
		e := wire.ParseOAuthError(*x.Response)
		switch {
		case gives(x):
			j.fail(x, says+" gives a token").Severity = Critical
		case e == nil || x.status() != 400 && x.status() != 401 || x.status() == 429:
			j.end(CouldNotRun, "the answer is no OAuth error (tok.error-json)")
		case e.Code == "invalid_client":
			f := j.fail(x, says+" is answered invalid_client").differ("400 invalid_grant", fmt.Sprintf("%d %s", x.status(), e.Code))
			f.Rules = append([]rules.ID{rules.RegReregisterOnce}, f.Rules...)
			f.Affected = "every client: it takes its registration for deleted, and registers anew"
		case e.Code != "invalid_grant" || x.status() != 400:
			j.fail(x, says+" is not answered 400 invalid_grant").differ("400 invalid_grant", fmt.Sprintf("%d %s", x.status(), e.Code))
		}
	}
}

// judgeGivesNothing expects anything but a token.
func judgeGivesNothing(name, says string) func(*judgement) {
	return func(j *judgement) {
		if x := j.asClient(name); x != nil && gives(x) {
			j.fail(x, says).differ("an error", "200")
		}
	}
}

func judgeTwice(j *judgement) {
	x := j.asClient("twice")
	if x == nil {
		return
	}
	if e := wire.ParseOAuthError(*x.Response); gives(x) || e != nil && e.Code == "invalid_grant" {
		j.fail(x, "a token request with a parameter twice is not refused as such").differ("400 invalid_request", fmt.Sprint(x.status())).Confidence = Likely
	}
}

func judgeRevokeUnknown(j *judgement) {
	if j.e.Account != nil && len(j.e.reading().asm) > 0 && j.e.address("revocation_endpoint") == "" {
		j.end(NotApplicable, "the issuer has no revocation endpoint")
		return
	}
	if x := j.asClient("revoke"); x != nil && x.status() != 200 {
		j.fail(x, "the revocation of a token that is not known is not answered 200").differ("200", fmt.Sprint(x.status()))
	}
}
