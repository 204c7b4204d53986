package audit

import (
	"bytes"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/stile-oauth/stile/states/rules"
	"github.com/stile-oauth/stile/states/wire"
)

func judgeStatus(j *judgement) {
	list := j.some()
	if len(list) == 0 || j.open() {
		if j.open() {
			j.end(NotApplicable, "the server is open: it answers without a token")
		}
		return
	}
	for _, c := range list {
		switch s := c.x.status(); {
		case s == 401:
		case s >= 500 || s >= 300 && s < 400 || s == 200 && authFailure(c.x.Response.Body):
			// Other checks report these.
		default:
			f := j.fail(c.x, fmt.Sprintf("a request without a token is answered %d, not 401", s)).differ("401", fmt.Sprint(s))
			if s == 404 || s == 405 {
				f.Rules = []rules.ID{rules.Challenge404405NotAuth, rules.Challenge401Unauthenticated}
				f.Confidence = Likely // the address may be wrong
			} else {
				f.Rules = f.Rules[:1]
			}
		}
	}
}

var authWords = regexp.MustCompile(`(?i)unauthori[sz]ed|unauthenticated|authentication required|not authenticated|missing (access )?token|no (access )?token|invalid[_ ]token|login required`)

func authFailure(body []byte) bool {
	if i := bytes.Index(body, []byte("data:")); i >= 0 && !bytes.HasPrefix(bytes.TrimSpace(body), []byte("{")) {
		body = body[i+len("data:"):]
	}
	obj, err := wire.ParseObject(bytes.TrimSpace(body))
	if err != nil {
		return false
	}
	if _, has := obj.Raw("error"); has {
		raw, _ := obj.Raw("error")
		return authWords.Match(raw)
	}
	if res, _, ok := obj.Object("result"); ok {
		if isError, _, ok := res.Bool("isError"); ok && isError {
			raw, _ := obj.Raw("result")
			return authWords.Match(raw)
		}
	}
	return false
}

func judgeNo200(j *judgement) {
	for _, c := range j.some() {
		if c.x.status() == 200 && authFailure(c.x.Response.Body) {
			j.fail(c.x, "a refusal for want of authorization has status 200").differ("401", "200").Affected = "every client: none starts a login"
		}
	}
}

func judgeNot500(j *judgement) {
	for _, c := range j.some() {
		if s := c.x.status(); s >= 500 {
			j.fail(c.x, "a request without a token ends in an error of the server").differ("401", fmt.Sprint(s))
		}
	}
}

func judgeNotRedirect(j *judgement) {
	for _, c := range j.some() {
		if s := c.x.status(); s >= 300 && s < 400 {
			j.fail(c.x, "a request without a token is redirected").differ("401", fmt.Sprintf("%d to %s", s, strings.Join(c.x.got("Location"), " ")))
		}
	}
}

func judgePresent(j *judgement) {
	for _, c := range j.refused() {
		if len(c.x.got("WWW-Authenticate")) == 0 {
			j.fail(c.x, "401 without WWW-Authenticate").Affected = "clients that find the metadata only through the challenge (MCP 2025-06-18)"
		}
	}
}

func judgeFindings(j *judgement, x *Exchange, found []wire.Finding) {
	for _, f := range found {
		if slices.Contains(j.check.Rules, f.Rule) {
			j.fail(x, f.Detail).Rules = []rules.ID{f.Rule}
		}
	}
}

func judgeGrammar(j *judgement) {
	for _, c := range j.refused() {
		judgeFindings(j, c.x, c.findings)
		for _, a := range c.all {
			if forTokens(a) && a.Token68 == "" && len(a.Params) == 0 {
				j.fail(c.x, "the challenge "+a.Scheme+" has no parameter").Rules = []rules.ID{rules.ChallengeHasParam}
			}
		}
	}
}

func forTokens(a wire.AuthChallenge) bool { return a.Scheme == "bearer" || a.Scheme == "dpop" }

var unusualCase = regexp.MustCompile(`(^|,\s*)(?:bearer|BEARER|dpop|DPOP)\b`)

func judgeMulti(j *judgement) {
	for _, c := range j.refused() {
		bearer := slices.IndexFunc(c.all, forTokens)
		switch {
		case bearer < 0 && len(c.all) > 0:
			f := j.fail(c.x, "no challenge is for Bearer or DPoP")
			f.Severity, f.Affected = High, "every client of MCP"
			f.Rules = []rules.ID{rules.ChallengeWwwAuthenticatePresent, rules.ChallengeMultiple}
		case unusualCase.MatchString(strings.Join(c.x.got("WWW-Authenticate"), ", ")):
			j.end(Fact, "the scheme is not written Bearer; clients that compare it exactly do not see the challenge")
		case len(c.all) > 1:
			j.end(Fact, fmt.Sprintf("%d challenges; clients that search the field for text may read the wrong one", len(c.all)))
		}
	}
}

func judgeResourceMetadata(j *judgement) {
	for _, c := range j.refused() {
		if len(c.all) == 0 {
			continue // ch.present
		}
		named := slices.ContainsFunc(c.all, func(a wire.AuthChallenge) bool { _, ok := a.Get("resource_metadata"); return ok })
		if named {
			continue
		}
		f := j.fail(c.x, "the challenge has no resource_metadata")
		f.Affected = "clients of MCP 2025-06-18"
		if len(j.e.reading().prm) > 0 {
			f.Severity = Low
			f.Affected += "; later ones find the well-known address"
		}
	}
}

func judgeMetadataURL(j *judgement) {
	origin := wire.Origin(j.e.Target)
	seen := false
	for _, c := range j.refused() {
		for _, a := range c.all {
			u, ok := a.Get("resource_metadata")
			if !ok {
				continue
			}
			seen = true
			bad := wire.CheckURL(u, wire.URLPolicy{AllowLoopbackHTTP: wire.IsLoopbackHTTP(j.e.Target)})
			switch {
			case metadataService(hostOf(u)):
				f := j.fail(c.x, "resource_metadata names a metadata service of a cloud").differ("an address of the server", u)
				f.Rules, f.Severity = []rules.ID{rules.NetMetadataService}, Critical
			case bad != nil && bad.Rule == rules.URLHTTPS:
				j.fail(c.x, "resource_metadata is not https").differ("https://…", u).Rules = []rules.ID{rules.ChallengeMetadataURLHTTPS}
			case bad != nil:
				j.fail(c.x, "resource_metadata is no absolute URL that a client may follow: "+bad.Detail).differ("an absolute https URL", u).Rules = []rules.ID{rules.ChallengeMetadataURLAbsolute}
			case origin != "" && wire.Origin(u) != origin:
				f := j.fail(c.x, "resource_metadata is of another origin than the server").differ(origin, wire.Origin(u))
				f.Rules, f.Severity = []rules.ID{rules.ChallengeMetadataURLOrigin}, Medium
			}
		}
	}
	if !seen && j.v.Outcome == Pass {
		j.end(NotApplicable, "no challenge names an address")
	}
}

func judgeNoError(j *judgement) {
	for _, c := range j.refused() {
		for _, a := range c.all {
			if v, ok := a.Get("error"); ok {
				j.fail(c.x, "the challenge has an error although no token was sent").differ("no error parameter", "error="+v)
			}
		}
	}
}

func judgeScope(j *judgement) {
	for _, c := range j.refused() {
		for _, a := range c.all {
			v, ok := a.Get("scope")
			if !ok {
				continue
			}
			scopes := wire.ParseScope(v)
			if strings.Join(scopes, " ") != v {
				j.fail(c.x, "scope is not a list of scope tokens with single spaces").differ(strings.Join(scopes, " "), v).Rules = []rules.ID{rules.ChallengeScopeCharset}
			}
			if slices.Contains(scopes, "offline_access") {
				j.fail(c.x, "scope asks for offline_access").Rules = []rules.ID{rules.ChallengeScopeNoOfflineAccess}
			}
		}
	}
}
