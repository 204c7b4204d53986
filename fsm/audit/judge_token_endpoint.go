package audit

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/stile-oauth/stile/states/rules"
	"github.com/stile-oauth/stile/states/wire"
)

func judgeTokenGet(j *judgement) {
	for _, x := range j.probesOf(probeToken + "get.") {
		if s := x.status(); s != 400 && s != 404 && s != 405 && s != 401 {
			j.fail(x, "the token endpoint answers to GET").differ("405", fmt.Sprint(s)).Layer = AuthServer
		}
	}
}

func judgeTokenUnknown(j *judgement) {
	for _, x := range j.probesOf(probeToken + "unknown.") {
		e := wire.ParseOAuthError(*x.Response)
		switch {
		case gives(x):
			j.fail(x, "a client that does not exist is given something").differ("401 invalid_client", "200").Severity = Critical
		case e == nil: // tok.error-json
		case e.Code != "invalid_client" || x.status() != 401 && x.status() != 400:
			f := j.fail(x, "a client that does not exist is not answered invalid_client").differ("401 invalid_client", fmt.Sprintf("%d %s", x.status(), e.Code))
			f.Rules = append(slices.Clone(f.Rules), refusedGrant(x)...)
		}
	}
}

func judgeTokenGrant(j *judgement) {
	for _, name := range []string{"no-grant.", "bad-grant."} {
		for _, x := range j.probesOf(probeToken + name) {
			e := wire.ParseOAuthError(*x.Response)
			if e != nil && x.status() != 400 && x.status() != 401 {
				j.fail(x, "a request without a usable grant_type has an unusual status").differ("400", fmt.Sprint(x.status()))
			}
		}
	}
}

func judgeTokenPassword(j *judgement) {
	for _, x := range j.probesOf(probeToken + "password.") {
		e := wire.ParseOAuthError(*x.Response)
		switch {
		case gives(x):
			j.fail(x, "the password grant gives a token").Severity = Critical
		case e != nil && e.Code == "invalid_grant" && j.always("invalid_grant"):
			j.end(CouldNotRun, "a grant that does not exist is answered invalid_grant as well")
		case e != nil && e.Code == "invalid_grant":
			j.fail(x, "the password grant is served: a made-up user is refused, not the grant").differ("unsupported_grant_type", string(e.Code)).Confidence = Likely
		}
	}
}

// always reports whether a grant that does not exist is answered with the same
// error.
func (j *judgement) always(code string) bool {
	for i := range j.e.Exchanges {
		if x := &j.e.Exchanges[i]; strings.HasPrefix(x.Probe, probeToken+"bad-grant.") && x.Response != nil {
			if e := wire.ParseOAuthError(*x.Response); e != nil && string(e.Code) == code {
				return true
			}
		}
	}
	return false
}

func judgeTokenQuery(j *judgement) {
	for _, x := range j.probesOf(probeToken + "query.") {
		e := wire.ParseOAuthError(*x.Response)
		if e != nil && (e.Code == "invalid_grant" || e.Code == "invalid_client" || e.Code == "unauthorized_client") {
			if n := j.e.probe(strings.Replace(x.Probe, "query.", "empty.", 1)); n != nil && n.Response != nil {
				if o := wire.ParseOAuthError(*n.Response); o != nil && o.Code == e.Code {
					continue // the server looks at the client first, whatever the query says
				}
			}
			j.fail(x, "the token endpoint reads parameters from the query").differ("invalid_request", string(e.Code)).Confidence = Likely
		}
	}
}

// posted gives the answers to what was sent to token endpoints by POST.
func (j *judgement) posted() []*Exchange {
	list := slices.DeleteFunc(j.probesOf(probeToken), func(x *Exchange) bool { return strings.Contains(x.Probe, ".get.") })
	if len(list) == 0 {
		j.end(CouldNotRun, "nothing was posted there")
	}
	return list
}

func judgeTokenErrors(j *judgement) {
	for _, x := range j.posted() {
		e := wire.ParseOAuthError(*x.Response)
		switch s := x.status(); {
		case s >= 500:
			f := j.fail(x, "a wrong token request ends in an error of the server").differ("400", fmt.Sprint(s))
			f.Rules = append([]rules.ID{rules.TokenRespErrorStatus}, refusedGrant(x)...)
		case s == 429:
			j.end(CouldNotRun, "the token endpoint throttles")
		case s == 404:
			j.fail(x, "there is nothing at the token endpoint").differ("400", "404").Rules = []rules.ID{rules.TokenRespErrorStatus}
		case s == 200 && e != nil:
			j.fail(x, "an error has status 200").differ("400", "200").Rules = []rules.ID{rules.TokenRespOkFalse}
		case s != 200 && e == nil:
			j.fail(x, "an error is not a JSON object with error").differ("application/json", strings.Join(x.got("Content-Type"), ", ")).Rules = []rules.ID{rules.TokenRespErrorJSON}
		case e != nil && x.mediaType() != "application/json":
			f := j.fail(x, "an error is not sent as JSON").differ("application/json", strings.Join(x.got("Content-Type"), ", "))
			f.Rules, f.Severity = []rules.ID{rules.TokenRespErrorJSON}, Medium
		case e != nil && strings.ContainsFunc(e.Raw, func(r rune) bool { return r < 0x20 || r == 0x7f }), describesBadly(x):
			f := j.fail(x, "an error has characters that RFC 6749 §5.2 does not allow")
			f.Rules, f.Severity = []rules.ID{rules.TokenRespErrorCharset}, Low
		case e != nil && !slices.Contains([]int{400, 401}, s):
			j.fail(x, "an error has another status than 400 or 401").differ("400", fmt.Sprint(s)).Rules = []rules.ID{rules.TokenRespErrorStatus}
		}
	}
}

// describesBadly reports whether error_description has control characters.
func describesBadly(x *Exchange) bool {
	obj, err := wire.ParseObject(x.Response.Body)
	if err != nil {
		return false
	}
	s, _, _ := obj.String("error_description")
	return strings.ContainsFunc(s, func(r rune) bool { return r < 0x20 || r == 0x7f })
}

func judgeTokenNoStore(j *judgement) {
	for _, x := range j.posted() {
		if cc := strings.ToLower(strings.Join(x.got("Cache-Control"), ", ")); !strings.Contains(cc, "no-store") {
			j.fail(x, "an answer of the token endpoint may be stored").differ("no-store", cc)
		}
	}
}

func judgeIntrospect(j *judgement) {
	for _, x := range j.probesOf(probeInspect) {
		obj, err := wire.ParseObject(x.Response.Body)
		_, _, told := obj.Bool("active")
		if x.status() == 200 && err == nil && told {
			j.fail(x, "the introspection endpoint answers to everybody").differ("401", "200")
		}
	}
}

func judgeRevokeNobody(j *judgement) {
	for _, x := range j.probesOf(probeRevoke) {
		if x.status() == 200 && wire.ParseOAuthError(*x.Response) == nil {
			j.fail(x, "the revocation endpoint takes a request that names no client").differ("401 invalid_client", "200").Confidence = Likely
		}
	}
}

func judgePostRedirect(j *judgement) {
	n := 0
	for i := range j.e.Exchanges {
		x := &j.e.Exchanges[i]
		if x.Request.Method != "POST" || x.Response == nil || x.Probe == probeAuthorize+"post" { // that one may answer with a redirect
			continue
		}
		n++
		if s := x.status(); s >= 300 && s < 400 {
			to := strings.Join(x.got("Location"), " ")
			j.fail(x, "a POST is redirected").differ("an answer", fmt.Sprintf("%d to %s", s, to))
		}
	}
	if n == 0 {
		j.end(CouldNotRun, j.unanswered(LegMCP, "no POST was answered"))
	}
}

// judgeBrake looks whether the server slows down after wrong secrets.
func judgeBrake(j *judgement) {
	all := j.probesOf(probeSecret)
	for n, x := range all {
		switch {
		case x.status() == 429:
			return
		case gives(x):
			f := j.fail(x, "a client that does not exist gets a token").differ("401", fmt.Sprint(x.status()))
			f.Severity = Critical
			return
		case n == wrongSecrets-1 && x.Took > time.Second && x.Took > 3*all[0].Took:
			return
		}
	}
	if len(all) == wrongSecrets {
		j.end(Fact, "five wrong secrets in a row are answered at once; a brake may come later")
	} else if len(all) > 0 {
		j.end(CouldNotRun, "not all of the wrong secrets were answered")
	}
}
