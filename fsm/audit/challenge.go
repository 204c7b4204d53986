package audit

import (
	"slices"

	"github.com/stile-oauth/stile/states/rules"
)

// challengeChecks are about how the MCP server answers a request that carries
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
		Passes: "Either all of them are refused with 401, or none is.",
		Why:    "A method that is not checked reveals what the checks of the others protect.",
		Fix:    "Put the check before the router, for the whole MCP path.",
		plan:   planMethods, judge: judgeEveryMethod},
	{ID: "ch.both-eras", Rules: []rules.ID{rules.ChallengeEveryMethod}, Severity: Medium, Safety: Passive, Threat: Interop,
		Does:   "Compares the answers to a client of 2025-11-25 and to one of 2026-07-28.",
		Passes: "Status and challenge are the same.",
		Why:    "Otherwise clients of one era are locked out, or get in without a token.",
		Fix:    "Check the token before you look at the protocol version.",
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

// firsts gives the answers to the first requests of a client without a token: the
// answers to the two requests of a live audit, or all those that a recording holds.
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

// some gives firsts. If there are none, the check ends as one that could not run.
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

// unanswered says why a leg has no answer, based on the first failure.
func (j *judgement) unanswered(leg Leg, otherwise string) string {
	for i := range j.e.Exchanges {
		if x := &j.e.Exchanges[i]; x.Leg == leg && x.Failure != "" {
			return x.title() + ": " + x.Failure
		}
	}
	return otherwise
}

// authFailure reports whether a JSON-RPC error, or a result that is an error,
// says that authorization is missing.
// judgeFindings turns what the parser noted into findings of this check.
// forTokens reports whether a challenge is one that a client of MCP can meet.
// rpcMethod names what a request asked for: the JSON-RPC method or the HTTP method.
