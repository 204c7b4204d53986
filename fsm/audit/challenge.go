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

// challengeChecks are about what the MCP server says to a request that carries
// no token.
var challengeChecks = []Check{
	{ID: "ch.status", Rules: []rules.ID{rules.Challenge401Unauthenticated, rules.Challenge404405NotAuth}, Severity: High, Safety: Passive, Threat: Interop,
		Does:   "Sends a first request of each era without a token.",
		Passes: "Every answer is 401, or every answer is 200 and the server is open.",
		Why:    "A client starts to log in when it sees 401, and at no other status.",
		Fix:    "Answer 401 to every request without a token, before anything else is looked at.",
		plan:   planFirst, judge: judgeStatus},
	{ID: "ch.no-200", Rules: []rules.ID{rules.RSNo200AuthFailure}, Severity: High, Safety: Passive, Threat: Interop,
		Does:   "Reads the bodies of answers with status 200 to requests without a token.",
		Passes: "None of them says that authorization is missing.",
		Why:    "A refusal inside a 200 is a result to every client: no login starts.",
		Fix:    "Answer 401 with a challenge in place of a JSON-RPC error.",
		plan:   planFirst, judge: judgeNo200},
	{ID: "ch.not-500", Rules: []rules.ID{rules.Challenge401Unauthenticated}, Severity: Medium, Safety: Passive, Threat: Interop,
		Does:   "Sends a first request of each era without a token.",
		Passes: "No answer is 5xx.",
		Why:    "A client takes 5xx for trouble that ends by itself, and tries again.",
		Fix:    "Check for the token before the code that fails without it.",
		plan:   planFirst, judge: judgeNot500},
	{ID: "ch.not-redirect", Rules: []rules.ID{rules.ChallengeRedirectNotAuth}, Severity: High, Safety: Passive, Threat: Interop,
		Does:   "Sends a first request of each era without a token.",
		Passes: "No answer redirects to a page.",
		Why:    "A login page is for browsers; an MCP client cannot follow it.",
		Fix:    "Exempt the MCP path from the redirect to the login page and answer 401.",
		plan:   planFirst, judge: judgeNotRedirect},
	{ID: "ch.present", Rules: []rules.ID{rules.ChallengeWwwAuthenticatePresent}, Severity: High, Safety: Passive, Threat: Interop,
		Does:   "Reads the header of each 401.",
		Passes: "Each carries WWW-Authenticate.",
		Why:    "RFC 9110 asks for it, and clients of 2025-06-18 find the metadata in no other way.",
		Fix:    `Send WWW-Authenticate: Bearer resource_metadata="…" with every 401; see that a proxy lets it through.`,
		plan:   planFirst, judge: judgePresent},
	{ID: "ch.grammar", Rules: []rules.ID{rules.ChallengeGrammar, rules.ChallengeParamOnce, rules.ChallengeHasParam}, Severity: Medium, Safety: Passive, Threat: Interop,
		Does:   "Parses every WWW-Authenticate field by RFC 9110.",
		Passes: "Every challenge is well formed, no parameter is there twice.",
		Why:    "Parsers differ in what they make of a malformed field; some drop all of it.",
		Fix:    `Quote every value that is not a token (a URL is not one), and separate parameters by commas.`,
		plan:   planFirst, judge: judgeGrammar},
	{ID: "ch.multi", Rules: []rules.ID{rules.ChallengeMultiple, rules.ChallengeSchemeCase}, Severity: Info, Safety: Passive, Threat: Interop,
		Does:   "Counts the challenges of each 401.",
		Passes: "There is one, and it is for Bearer or DPoP.",
		Why:    "Clients that search the field for text read a parameter of the wrong challenge.",
		Fix:    "Put the Bearer challenge first, or leave the others out on the MCP path.",
		plan:   planFirst, judge: judgeMulti},
	{ID: "ch.resource-metadata", Rules: []rules.ID{rules.ChallengeResourceMetadata}, Severity: Medium, Safety: Passive, Threat: Interop,
		Does:   "Looks for resource_metadata in the challenge.",
		Passes: "It is there, or the metadata is served at a well-known address.",
		Why:    "It is the one way to the metadata that every client of 2025-06-18 and later knows.",
		Fix:    "Add resource_metadata with the absolute https address of the metadata.",
		plan:   planPRM, judge: judgeResourceMetadata},
	{ID: "ch.metadata-url", Rules: []rules.ID{rules.ChallengeMetadataURLAbsolute, rules.ChallengeMetadataURLHTTPS, rules.ChallengeMetadataURLOrigin, rules.NetMetadataService, rules.NetIPPolicy}, Severity: High, Safety: Passive, Threat: SSRF,
		Does:   "Reads the address that the challenge names.",
		Passes: "It is absolute, https, and of the server's own origin.",
		Why:    "Clients refuse a relative or plain http address, and careful ones refuse another origin.",
		Fix:    "Build the address from the public origin of the server, not from the inner one behind a proxy.",
		plan:   planFirst, judge: judgeMetadataURL},
	{ID: "ch.no-error", Rules: []rules.ID{rules.ChallengeNoErrorUnauthenticated}, Severity: Low, Safety: Passive, Threat: Interop,
		Does:   "Reads the challenge to a request that carried no token.",
		Passes: "It has no error parameter.",
		Why:    "RFC 6750 §3.1: error says what is wrong with a token, and there was none.",
		Fix:    "Leave error out when the request has no Authorization header.",
		plan:   planFirst, judge: judgeNoError},
	{ID: "ch.scope", Rules: []rules.ID{rules.ChallengeScopeCharset, rules.ChallengeScopeNoOfflineAccess, rules.Challenge401Scope}, Severity: Low, Safety: Passive, Threat: Interop,
		Does:   "Reads the scope parameter of the challenge.",
		Passes: "Every scope has the characters of RFC 6749 §3.3, and offline_access is not among them.",
		Why:    "A client asks for exactly these scopes; a wrong character makes the request invalid.",
		Fix:    "Separate scopes by single spaces; leave offline_access to the client.",
		plan:   planFirst, judge: judgeScope},
	{ID: "ch.every-method", Rules: []rules.ID{rules.ChallengeEveryMethod, rules.RSValidateEveryRequest}, Severity: High, Safety: Passive, Threat: Takeover,
		Does:   "Sends initialize, server/discover, tools/list, ping, a notification, GET and DELETE without a token.",
		Passes: "When one is refused with 401, all are.",
		Why:    "A method without the check gives away what the others protect.",
		Fix:    "Put the check before the router, for the whole MCP path.",
		plan:   planMethods, judge: judgeEveryMethod},
	{ID: "ch.both-eras", Rules: []rules.ID{rules.ChallengeEveryMethod}, Severity: Medium, Safety: Passive, Threat: Interop,
		Does:   "Compares the answers to a client of 2025-11-25 and to one of 2026-07-28.",
		Passes: "Status and challenge are the same.",
		Why:    "A client of one era is locked out, or gets in unasked.",
		Fix:    "Check the token before the protocol version is looked at.",
		plan:   planFirst, judge: judgeBothEras},
	{ID: "ch.body-leak", Rules: []rules.ID{rules.NetNoErrorLeak, rules.LogErrorEcho}, Severity: Medium, Safety: Passive, Threat: Leak,
		Does:   "Reads the bodies of refusals.",
		Passes: "There is no stack trace and no path of the server's machine in them.",
		Why:    "They tell an attacker which code runs and where.",
		Fix:    "Turn the framework's debug pages off.",
		plan:   planMethods, judge: judgeBodyLeak},
	{ID: "ch.stable", Rules: []rules.ID{rules.ChallengeUpdatedOnlyByResource}, Severity: Low, Safety: Passive, Threat: Interop,
		Does:   "Asks the first question three times.",
		Passes: "The challenge is the same each time.",
		Why:    "A challenge that changes sends clients to different issuers or for different scopes.",
		Fix:    "Look at the instances behind the load balancer: their configuration differs.",
		plan:   planStable, judge: judgeStable},
}

// firsts gives the answers to the first requests of a client without a token:
// the two of a live audit, or all that a recording holds.
func (j *judgement) firsts() []challenge {
	all := j.e.reading().challenges
	if j.e.Source != LiveServer {
		return all
	}
	var out []challenge
	for _, c := range all {
		if c.x.Probe == probe2025 || c.x.Probe == probe2026 {
			out = append(out, c)
		}
	}
	return out
}

// some gives firsts; none of them ends the check as one that could not run.
func (j *judgement) some() []challenge {
	list := j.firsts()
	if len(list) == 0 {
		j.end(CouldNotRun, j.unanswered(LegMCP, "no answer to a request without a token"))
	}
	return list
}

// refused gives the 401 answers among firsts.
func (j *judgement) refused() []challenge {
	var out []challenge
	for _, c := range j.some() {
		if c.x.status() == 401 {
			out = append(out, c)
		}
	}
	if len(out) == 0 && j.v.Outcome == Pass {
		if j.open() {
			j.end(NotApplicable, "the server is open: it answers without a token")
		} else {
			j.end(CouldNotRun, "no answer was 401")
		}
	}
	return out
}

// open reports whether every first request was let in.
func (j *judgement) open() bool {
	list := j.firsts()
	return len(list) > 0 && !slices.ContainsFunc(list, func(c challenge) bool { return c.x.status() != 200 })
}

// unanswered says why a leg has no answer, from the first failure.
func (j *judgement) unanswered(leg Leg, otherwise string) string {
	for i := range j.e.Exchanges {
		if x := &j.e.Exchanges[i]; x.Leg == leg && x.Failure != "" {
			return x.title() + ": " + x.Failure
		}
	}
	return otherwise
}

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
			// Checks of their own say so.
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

// authFailure reports whether a JSON-RPC error, or a result that is an error,
// says that authorization is missing.
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

// judgeFindings turns what the parser noted into findings of this check.
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

// forTokens reports whether a challenge is one that a client of MCP can meet.
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

func judgeEveryMethod(j *judgement) {
	list := j.e.reading().challenges
	if len(list) < 2 {
		j.end(CouldNotRun, j.unanswered(LegMCP, "fewer than two requests without a token were answered"))
		return
	}
	if !slices.ContainsFunc(list, func(c challenge) bool { return c.x.status() == 401 }) {
		j.end(NotApplicable, "no request is refused with 401")
		return
	}
	for _, c := range list {
		s := c.x.status()
		if s >= 200 && s < 300 && !authFailure(c.x.Response.Body) {
			f := j.fail(c.x, "a request without a token is let in, while others are refused")
			f.differ("401", fmt.Sprintf("%d to %s", s, rpcMethod(c.x)))
			f.Confidence = Likely
		}
	}
}

var methodMember = regexp.MustCompile(`"method"\s*:\s*"([A-Za-z0-9_/$.-]{1,60})"`)

// rpcMethod names what a request asked for: the JSON-RPC method or the HTTP one.
func rpcMethod(x *Exchange) string {
	if m := methodMember.FindSubmatch(x.Request.Body); m != nil {
		return string(m[1])
	}
	return x.Request.Method
}

func judgeBothEras(j *judgement) {
	a, b := j.e.probe(probe2025), j.e.probe(probe2026)
	if j.e.Source != LiveServer || a == nil || b == nil || a.Response == nil || b.Response == nil {
		j.end(CouldNotRun, "the two first requests were not both answered")
		return
	}
	if a.status() != b.status() {
		j.fail(b, "a client of 2026-07-28 is answered otherwise than one of 2025-11-25").differ(fmt.Sprint(a.status()), fmt.Sprint(b.status()))
		return
	}
	if x, y := strings.Join(a.got("WWW-Authenticate"), "; "), strings.Join(b.got("WWW-Authenticate"), "; "); x != y {
		j.fail(b, "the challenge differs between the eras").differ(x, y)
	}
}

var leaks = regexp.MustCompile(`(?m)Traceback \(most recent call last\)|^\s+at [\w.$<>]+\(.*:\d+(:\d+)?\)|goroutine \d+ \[|\bat (/[\w.-]+){2,}|(/home|/usr/src|/var/www|/app|/srv)(/[\w.-]+){2,}\.\w+|[A-Z]:\\\\?[\w.-]+\\\\?[\w.-]+`)

func judgeBodyLeak(j *judgement) {
	seen := false
	for _, x := range j.e.legs(LegMCP, LegPRM, LegASM, LegToken, LegRefresh, LegRegister) {
		if x.status() < 400 {
			continue
		}
		seen = true
		if at := leaks.Find(x.Response.Body); at != nil {
			f := j.fail(x, "the body of a refusal shows a stack trace or a path of the server").differ("nothing of the server's inside", string(at))
			f.Layer = layerOf[x.Leg]
		}
	}
	if !seen {
		j.end(NotApplicable, "there was no refusal")
	}
}

func judgeStable(j *judgement) {
	first := j.e.probe(probe2025)
	if first == nil || first.Response == nil {
		j.end(CouldNotRun, j.unanswered(LegMCP, "the first request was not answered"))
		return
	}
	want := strings.Join(first.got("WWW-Authenticate"), "; ")
	for _, n := range []string{"1", "2"} {
		x := j.e.probe(probeAgain + n)
		if x == nil || x.Response == nil {
			j.end(CouldNotRun, "a repeated request was not answered")
			continue
		}
		if x.status() != first.status() {
			j.fail(x, "the same request is answered otherwise a moment later").differ(fmt.Sprint(first.status()), fmt.Sprint(x.status()))
		} else if got := strings.Join(x.got("WWW-Authenticate"), "; "); got != want {
			j.fail(x, "the challenge to the same request is another one a moment later").differ(want, got)
		}
	}
}
