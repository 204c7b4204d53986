package audit

import (
	"time"

	"github.com/stile-oauth/stile/states/rules"
)

// answerTraps are further documents and answers that the client must refuse, besides
// those of refusalTraps.
var answerTraps = []Trap{
	altered(trap("iss-case", High, Mixup, "Answers with the scheme of iss in capitals.", "The code is not exchanged.", "Compare code points.", refusesAnswer, nil, rules.IssuerNoNormalization), "iss", "{ISSUER}"),
	trap("iss-unpromised", Critical, Mixup, "Answers with another iss, without having promised one.", "The code is not exchanged.", "Compare iss whenever it is there.", refusesAnswer, []string{"asm-no-iss-flag", "iss-wrong"}, rules.IssuerResponseCompare),
	trap("code-missing", Medium, CodeInjection, "Answers with neither a code nor an error.", "Nothing is exchanged.", "Require a code.", refusesAnswer, []string{"code-missing"}, rules.AuthzRespCode),
	trap("code-empty", Medium, CodeInjection, "Answers with an empty code.", "Nothing is exchanged.", "Require a code.", refusesAnswer, []string{"code-empty"}, rules.AuthzRespCode),
	published(trap("mixup", Critical, Mixup, "Publishes the authorization endpoint of another, honest issuer beside a token endpoint of its own.", "The code of the honest issuer does not go to the other one.", "Compare iss of the answer with the issuer that the login began with.", refusesAnswer, nil, rules.IssuerTokenSameAS, rules.IssuerBeforeToken),
		"authorization_endpoint", "{other}/authorize", "registration_endpoint", "{other}/register"),
	trap("prm-fold", High, Mixup, "Publishes Resource in place of resource.", "The client goes nowhere.", "Compare member names exactly.", refusesMetadata, []string{"prm-case-folded"}, rules.PRMJSONStrict),
	trap("prm-trailing", Medium, Mixup, "Sends a second object behind the resource metadata.", "The client goes nowhere.", "Refuse what follows the document.", refusesMetadata, []string{"prm-trailing-bytes"}, rules.PRMJSONStrict),
	trap("prm-empty", High, Interop, "Publishes an empty list of authorization servers.", "The client goes nowhere.", "Do not guess an issuer.", all(guessesNothing, refusesMetadata), []string{"prm-empty-servers"}, rules.PRMAuthorizationServers),
	trap("reg-dup", High, Mixup, "Answers a registration with client_id twice.", "The client goes nowhere.", "Refuse answers in which a name is there twice.", ifRegistered(refusesMetadata), []string{"register-duplicate-key"}, rules.DCRResponseAuthoritative),
	trap("reg-storm", Medium, DoS, "Answers every registration 500.", "The client gives up after some attempts.", "Bound the attempts.", ifRegistered(all(judgeRegisterStorm, refusesMetadata)), []string{"register-500"}, rules.NetBackoffBounded, rules.DCRFailureHandled),
	trap("reg-fields", High, Leak, "Puts issuer and token_endpoint of another host into the answer of a registration.", "Nothing goes there.", "Take the client's own data from the answer, and nothing else.", canaryClean, []string{"register-sets-issuer"}, rules.DCRNoSilentCopy),
	repeated(trap("answer-again", High, CodeInjection, "Answers a second time, with another code and the right state.", "The second code is not exchanged.", "Take one answer for each state.", all(judgeForgedCode, goesOn), nil, rules.AuthzRespClaimedOnce)),
	trap("terminal", Medium, Phishing, "Puts terminal escapes into error_description of the token endpoint.", "The client's output does not hold them.", "Escape what a server wrote.", all(judgeEscapes, refusesToken), []string{"token-error-escapes"}, rules.TokenRespErrorCharset),
	trap("name-escapes", Medium, Phishing, "Puts terminal escapes into resource_name.", "The client's output does not hold them.", "Escape what a server wrote.", judgeEscapes, []string{"prm-name-escapes"}, rules.PRMDisplayUntrusted),
	observes(trap("page-content", Low, Leak, "Reads the page that the client shows after the login.", "It loads nothing from elsewhere, and the code is not in it.", "Serve a page that needs nothing from elsewhere.", judgePageContent, nil, rules.AuthzRespPageClean)),
}

// networkTraps are about hosts, redirects and statuses.
var networkTraps = []Trap{
	redirecting(trap("mcp-307", Critical, Leak, "Redirects MCP requests that carry a token to another host.", "Nothing is sent there.", "Follow no redirect of a POST, and none to another origin.", canaryClean, nil, rules.BearerNoRedirectForward, rules.NetRedirectPost)),
	exchanging(trap("token-302", High, Leak, "Answers the exchange 302 to another host.", "Nothing is sent there.", "Follow no redirect of a POST.", all(canaryClean, refusesToken), nil, rules.TokenReqNoRedirect), "302"),
	trap("asm-loop", Medium, DoS, "Redirects the issuer's metadata to itself for ever.", "The client stops.", "Bound the redirects.", judgeRedirectLoop, []string{"asm-redirect-loop"}, rules.NetRedirectGet),
	endless(trap("endless", Medium, DoS, "Answers with metadata that does not end.", "The client stops reading.", "Bound every body; a mebibyte is enough.", judgeEndless(LegASM), nil, rules.NetSizeLimit), LegASM),
	trap("mcp-404", Medium, Interop, "Answers every MCP request 404.", "The client does not log in.", "Log in after 401 only.", judgeNoLogin, []string{"rs-404"}, rules.Challenge404405NotAuth),
	trap("mcp-500", Medium, Interop, "Answers every MCP request 500.", "The client does not log in, and gives up after some attempts.", "Log in after 401 only, and bound the attempts.", all(judgeNoLogin, judgeCallStorm), []string{"rs-500"}, rules.Challenge401Unauthenticated),
	trap("code-refused", Medium, DoS, "Answers every exchange invalid_grant.", "The client logs in twice more at most, each time with another state and verifier, and sends no code again.", "Tell the user and stop.", all(judgeCodeOnce, atMost(3), judgeFresh), []string{"token-invalid-grant"}, rules.TokenReqCodeOnce),
	exchanging(trap("code-lost", High, Replay, "Loses the answer to the exchange.", "The code is not sent again.", "Begin a new login; a code is good for one attempt.", judgeCodeOnce, nil, rules.TokenReqCodeOnce), "lost"),
	trap("expires-zero", Medium, DoS, "Answers with expires_in 0.", "The client does not log in again and again.", "Take 0 as expired, and bound what follows.", judgeExpires, []string{"token-expires-zero"}, rules.TokenRespExpiresZero),
	trap("expires-negative", Medium, DoS, "Answers with a negative expires_in.", "The client does not log in again and again.", "Take it as not known.", judgeExpires, []string{"token-expires-negative"}, rules.TokenRespExpiresIn),
	trap("expires-huge", Medium, DoS, "Answers with an expires_in that overflows.", "The client does not log in again and again.", "Bound the number before it is added to a time.", judgeExpires, []string{"token-expires-huge"}, rules.TokenRespExpiresIn),
}

// lifeTraps are about what a client does over several starts.
var lifeTraps = []Trap{
	inRun(trap("refresh-in-run", High, Interop, "Lets the token expire while the client runs.", "It refreshes, and asks nobody.", "Refresh after a 401 to a token that was good before.", judgeInRun, nil, rules.RefreshParams, rules.ChallengeInvalidToken401), 1),
	failing(refreshing("refresh-lost", High, Interop, "Carries the first refresh out and loses the answer.", "The refresh token is tried again before anybody is asked, and the client gets through in the end.", "Keep the refresh token when an answer is lost, and try it again.", judgeLost, nil, 2, rules.RefreshAmbiguousOnce), "lost"),
	refreshing("refresh-echo", High, Interop, "Answers a refresh with the same refresh token.", "It is kept and used.", "Keep the refresh token.", judgeRefreshKept, []string{"refresh-no-rotation", "refresh-echoes-token"}, 2, rules.RefreshRotationAdopt),
	refreshing("token-fields", Critical, Leak, "Puts issuer and token_endpoint of another host into the answer of the token endpoint, then lets the token expire.", "Nothing goes there.", "Take the token from the answer, and nothing else.", canaryClean, []string{"token-sets-issuer"}, 1, rules.TokenRespNoRecordFields),
	together(trap("reg-parallel", Medium, DoS, "Starts three clients together on one empty store.", "They register once.", "Hold a lock while registering.", judgeRegisterParallel, nil, rules.RegSingleFlight), 3),
	beside(trap("cross-path", Critical, Leak, "Starts the client once more for another MCP server at the same origin.", "No token of the first one goes there.", "Keep tokens by issuer and resource.", judgeCrossPath, nil, rules.BearerKeyIsolation, rules.StoreNoAnyToken)),
	secretFor(trap("secret-expired", Low, Interop, "Registers the client with a secret that expires, then starts it again.", "The expired secret is not sent; the client registers anew.", "Look at client_secret_expires_at before a secret is used.", judgeSecretExpired, nil, rules.DCRSecretExpired)),
	loggingOut(trap("logout", Low, Takeover, "Runs the client's command that logs out.", "The refresh token is revoked, and before the access token.", "Revoke what is forgotten.", judgeLogout, nil, rules.RevokeOrder, rules.LogoutConditional)),
}

func altered(t Trap, name, value string) Trap {
	t.Answer = map[string]string{name: value}
	return t
}

func published(t Trap, members ...string) Trap {
	t.Metadata = map[string]string{}
	for i := 0; i+1 < len(members); i += 2 {
		t.Metadata[members[i]] = members[i+1]
	}
	return t
}

func repeated(t Trap) Trap         { t.Repeats = true; return t }
func redirecting(t Trap) Trap      { t.Redirects = true; return t }
func endless(t Trap, leg Leg) Trap { t.Endless = leg; return t }
func beside(t Trap) Trap           { t.Runs, t.Beside = 2, true; return t }
func loggingOut(t Trap) Trap       { t.Runs, t.LogsOut = 2, true; return t }

// inRun lets that many tokens expire after their first use.
func inRun(t Trap, tokens int) Trap { t.TokenLife, t.ExpireInRun = trapLife, tokens; return t }

func exchanging(t Trap, answers ...string) Trap { t.FailExchange = answers; return t }

// keeping starts the client a second time while its token is valid.
func keeping(t Trap) Trap {
	t.Live = true
	t.Runs++
	return t
}

func together(t Trap, n int) Trap { t.FirstAtOnce, t.Runs, t.Live = n, 2, true; return t }

const secretLife = 3 * time.Second

func secretFor(t Trap) Trap {
	t = keyed(expiring(t, 2), "client_secret_post")
	t.SecretLife = secretLife
	return t
}
