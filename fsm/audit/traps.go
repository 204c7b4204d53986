package audit

import (
	"time"

	"github.com/stile-oauth/stile/states/rules"
)

// plainTraps let the client log in to well-behaved servers and look at how it does so.
var plainTraps = []Trap{
	trap("login", High, Interop, "Lets the client log in to well-behaved servers.", "It gets a token and uses it.", "Follow MCP 2025-11-25 or later.", getsThrough, nil, rules.ChallengeClientParses),
	observes(expiring(trap("pkce", Critical, CodeInjection, "Reads the authorization request and the exchange.", "There is an S256 challenge, and the exchange has its verifier.", "Draw a verifier for each request and send its S256 challenge.", judgePKCE, nil, rules.AuthzReqPKCES256, rules.TokenReqCodeVerifier, rules.AuthzReqVerifierFresh), 2)),
	observes(expiring(trap("state", High, CSRF, "Reads state of the authorization request.", "It is there and long enough to be random.", "Draw 128 bits or more.", judgeState, nil, rules.AuthzReqState, rules.AuthzReqStateRandom), 2)),
	observes(inRun(trap("resource-sent", High, Audience, "Compares resource in authorization request, exchange and refresh with what the server publishes.", "It is there each time and the same.", "Send the published resource with every request.", judgeResource, nil, rules.AuthzReqResourceAlways, rules.TokenReqResourceSame, rules.RefreshResource), 1)),
	observes(trap("redirect-uri", High, Phishing, "Compares redirect_uri of request, exchange and callback.", "They are the same.", "Keep the redirect URI of the request.", judgeRedirect, nil, rules.TokenReqRedirectURI, rules.AuthzRespRedirectExact)),
	observes(trap("token-leak", Critical, Leak, "Watches where tokens, codes and secrets go.", "Each goes to one origin, and never into an address.", "Bind every token to its resource and every secret to its issuer.", all(judgeHostLeak, judgeURLToken), nil, rules.BearerNotElsewhere, rules.BearerBoundResource, rules.BearerNotQuery)),
	observes(baking(trap("cookies", Low, CSRF, "Sets cookies, and looks for cookies on the client's own requests.", "There are none.", "Use no cookie jar.", judgeSentCookies, nil, rules.TokenReqNoCookies, rules.NetNoCookies))),
	observes(trap("metadata-clean", Critical, Leak, "Looks for credentials on metadata requests.", "There are none.", "Send metadata requests without Authorization.", judgeMetadataClean, nil, rules.PRMNoCredentialsSent, rules.ASMNoCredentialsSent)),
	trap("logs", High, Leak, "Searches the client's output for the tokens, codes and secrets that it was given.", "None is in it.", "Mask what is logged.", judgePrinted, nil, rules.LogNoSecrets, rules.LogURLRedacted),
	observes(trap("reg", Medium, Interop, "Reads the registration.", "It asks for a native client with loopback redirects and a method that it can use.", "Send application_type, grant_types and token_endpoint_auth_method.", judgeRegistration, nil, rules.DCRApplicationType, rules.DCRAuthMethodAsked, rules.DCRGrantTypesRefresh, rules.DCRPostJSON)),
	keeping(expiring(trap("reg-count", Medium, DoS, "Starts the client once more while its token is good and twice after it has expired, without a refresh token.", "It registers once.", "Keep the registration with its issuer.", judgeRegistrations, nil, rules.RegReuse, rules.RegSingleFlight), 3)),
}

// refusalTraps are answers that the client must refuse.
var refusalTraps = []Trap{
	trap("issuer-doc", Critical, Mixup, "Publishes another issuer in the metadata.", "The client goes nowhere.", "Compare issuer with the string that the address was built from.", refusesMetadata, []string{"asm-issuer-mismatch"}, rules.ASMIssuerMatch),
	trap("issuer-case", High, Mixup, "Publishes the issuer in capitals.", "The client goes nowhere.", "Compare code points.", refusesMetadata, []string{"asm-issuer-case"}, rules.ASMStringCompare),
	trap("issuer-missing", High, Mixup, "Publishes metadata without issuer.", "The client goes nowhere.", "Require issuer.", refusesMetadata, []string{"asm-issuer-missing"}, rules.ASMIssuerPresent),
	trap("no-pkce-meta", Medium, CodeInjection, "Publishes metadata without code challenge methods.", "The client goes nowhere.", "Refuse, or take it as a named exception.", refusesMetadata, []string{"asm-no-pkce"}, rules.ASMPKCEAdvertised),
	trap("plain-pkce", High, CodeInjection, "Publishes plain as the only code challenge method.", "The client goes nowhere.", "Refuse.", refusesMetadata, []string{"asm-plain-only"}, rules.ASMPKCES256),
	trap("prm-origin", Critical, Audience, "Publishes a resource of another origin.", "The client goes nowhere.", "Compare resource with the server's address.", refusesMetadata, []string{"prm-cross-origin"}, rules.PRMResourceCrossOrigin),
	trap("prm-path", Critical, Audience, "Publishes a resource of another path.", "The client goes nowhere.", "Compare resource with the server's address.", refusesMetadata, []string{"prm-wrong-resource"}, rules.PRMResourceMatchWellknown),
	trap("bad-scheme-js", Critical, Takeover, "Publishes a javascript: authorization endpoint.", "It is never opened.", "Open https, and http on loopback, only.", refusesMetadata, []string{"asm-javascript-endpoint"}, rules.AuthzReqURLScheme, rules.ASMEndpointScheme),
	trap("bad-scheme-file", Critical, Takeover, "Publishes a file: authorization endpoint.", "It is never opened.", "Open https, and http on loopback, only.", refusesMetadata, []string{"asm-file-endpoint"}, rules.AuthzReqURLScheme, rules.ASMEndpointScheme),
	trap("bad-scheme-shell", Critical, Takeover, "Publishes an authorization endpoint with shell characters.", "It is never opened.", "Start the browser without a shell and refuse characters that no URL has.", refusesMetadata, []string{"asm-shell-endpoint"}, rules.AuthzReqNoShell),
	trap("http-endpoint", High, Leak, "Publishes a token endpoint over plain http on a public host.", "The client goes nowhere.", "Refuse endpoints that are not https.", refusesMetadata, []string{"asm-http-endpoint"}, rules.ASMEndpointsHTTPS, rules.TokenReqHTTPS),
	trap("http-authorize", High, Phishing, "Publishes an authorization endpoint over plain http on a public host.", "The user is not sent there.", "Refuse endpoints that are not https.", refusesMetadata, []string{"asm-http-authorize"}, rules.ASMEndpointsHTTPS),
	trap("dup-json", High, Mixup, "Publishes token_endpoint twice.", "The client goes nowhere.", "Refuse documents in which a name is there twice.", refusesMetadata, []string{"json-duplicate-key"}, rules.ASMJSONStrict),
	trap("fold-json", High, Mixup, "Publishes Issuer in place of issuer.", "The client goes nowhere.", "Compare member names exactly.", refusesMetadata, []string{"json-case-folded"}, rules.ASMJSONStrict),
	trap("long-s-json", High, Mixup, "Publishes issuer written with a letter that folds to s.", "The client goes nowhere.", "Compare member names exactly.", refusesMetadata, []string{"json-long-s"}, rules.ASMJSONStrict),
	trap("prm-dup-json", High, Mixup, "Publishes resource twice.", "The client goes nowhere.", "Refuse documents in which a name is there twice.", refusesMetadata, []string{"prm-duplicate-key"}, rules.PRMJSONStrict),
	trap("prm-no-resource", High, Audience, "Publishes resource metadata without resource.", "The client goes nowhere.", "Require resource.", refusesMetadata, []string{"prm-no-resource"}, rules.PRMResourcePresent),
	trap("prm-no-issuer", High, Interop, "Publishes resource metadata without authorization servers.", "The client goes nowhere.", "Do not guess an issuer.", all(guessesNothing, refusesMetadata), []string{"prm-no-servers"}, rules.PRMAuthorizationServers),
	trap("state-wrong", Critical, CSRF, "Answers with another state.", "The code is not exchanged.", "Compare state before anything else.", refusesAnswer, []string{"state-altered"}, rules.AuthzRespStateMatch),
	trap("state-missing", Critical, CSRF, "Answers without state.", "The code is not exchanged.", "Compare state before anything else.", refusesAnswer, []string{"state-dropped"}, rules.AuthzRespStateMatch),
	trap("iss-wrong", Critical, Mixup, "Answers with another iss.", "The code is not exchanged.", "Compare iss with the issuer.", refusesAnswer, []string{"iss-wrong"}, rules.IssuerResponseCompare),
	trap("iss-missing", Critical, Mixup, "Answers without iss, although it is promised.", "The code is not exchanged.", "Require iss where the metadata promises it.", refusesAnswer, []string{"iss-missing"}, rules.IssuerResponseRequired),
	trap("iss-slash", High, Mixup, "Answers with one slash more in iss.", "The code is not exchanged.", "Compare code points.", refusesAnswer, []string{"iss-slash"}, rules.IssuerNoNormalization),
	trap("iss-twice", High, Mixup, "Answers with iss twice.", "The code is not exchanged.", "Refuse repeated parameters.", refusesAnswer, []string{"iss-twice"}, rules.IssuerIssOnce),
	trap("code-twice", High, CodeInjection, "Answers with two codes.", "No code is exchanged.", "Refuse repeated parameters.", refusesAnswer, []string{"code-twice"}, rules.AuthzRespParamOnce),
	trap("code-and-error", Medium, CodeInjection, "Answers with a code and an error.", "The code is not exchanged.", "Refuse an answer that has both.", refusesAnswer, []string{"code-and-error"}, rules.AuthzRespCodeXorError),
	trap("reg-other-redirect", High, Phishing, "Registers another redirect URI than was asked for.", "The client does not log in with it.", "Compare the redirect URIs of the answer.", ifRegistered(refusesMetadata), []string{"register-other-redirect"}, rules.DCRResponseRedirectKept),
	trap("reg-no-id", Medium, Interop, "Answers a registration without client_id.", "The client goes nowhere.", "Require client_id.", ifRegistered(refusesMetadata), []string{"register-no-client-id"}, rules.DCRResponseClientID),
	trap("reg-307", Critical, Leak, "Redirects the registration to another host.", "Nothing is sent there.", "Follow no redirect of a POST.", ifRegistered(all(canaryClean, refusesMetadata)), []string{"register-307"}, rules.NetRedirectPost),
	trap("foreign-token", Info, Mixup, "Publishes a token endpoint at another host.", "The report says whether the code goes there: issuers that everybody uses have theirs elsewhere, and iss (cl.iss-wrong) is what protects.", "Compare iss before the code is sent; refuse or ask where there is none.", judgeForeignToken, []string{"asm-foreign-token-endpoint"}, rules.IssuerTokenSameAS),
	trap("preset", Medium, CSRF, "Publishes an authorization endpoint that presets client_id.", "The client does not send a parameter twice.", "Refuse an endpoint that presets what the client sets.", judgePreset, []string{"asm-presets-parameter"}, rules.AuthzReqParamOnce),
}

// passTraps are answers that a good client copes with.
var passTraps = []Trap{
	trap("header-parse", Medium, Interop, "Sends Negotiate and Basic before Bearer, in two fields.", "The client logs in.", "Parse the field by RFC 9110.", getsThrough, []string{"challenge-several"}, rules.ChallengeMultiple, rules.ChallengeGrammar),
	trap("header-one-field", Medium, Interop, "Sends Basic and Bearer in one field.", "The client logs in.", "Parse the field by RFC 9110.", getsThrough, []string{"challenge-one-field"}, rules.ChallengeMultiple, rules.ChallengeGrammar),
	trap("header-case", Medium, Interop, "Sends scheme and names in the other case.", "The client logs in.", "Compare without regard to case.", getsThrough, []string{"challenge-lower-case"}, rules.ChallengeSchemeCase),
	trap("header-none", Medium, Interop, "Sends 401 without a challenge.", "The client finds the well-known address.", "Probe the well-known addresses.", getsThrough, []string{"challenge-none"}, rules.PRMProbeOrder),
	trap("header-dead", Low, Interop, "Names an address in the challenge that has no document.", "The client goes on to the well-known address.", "Probe the well-known addresses after 4xx.", getsThrough, []string{"challenge-metadata-dead"}, rules.PRMHeaderURLDead),
	trap("prm-root", Low, Interop, "Serves the resource metadata at the root only.", "The client finds it.", "Probe path and root.", findsRoot, []string{"prm-root-only"}, rules.PRMProbeOrder),
	trap("oidc-only", Medium, Interop, "Serves an OpenID Connect document only.", "The client finds it.", "Probe both well-known addresses.", getsThrough, []string{"asm-oidc-only"}, rules.ASMClientBoth),
	trap("meta-5xx", Medium, Interop, "Answers the first metadata request 503.", "The client tries again and goes to no default endpoint.", "Retry 5xx; never guess endpoints.", getsThrough, []string{"asm-503-retry-after@1"}, rules.ASM5xxNotAbsent, rules.RefreshNoGuessedEndpoint),
	trap("reg-200", Low, Interop, "Answers a registration with 200.", "The client logs in.", "Take any 2xx with a client_id.", getsThrough, []string{"register-200"}, rules.DCRResponse201),
	trap("answer-extra", Low, Interop, "Adds unknown parameters to the answer.", "The client logs in.", "Ignore what is not known.", getsThrough, []string{"authorize-extra"}, rules.AuthzRespUnknownIgnored),
	trap("no-iss-flag", Low, Interop, "Sends iss without having promised it.", "The client compares it and logs in; a refusal is reported as a fact (RFC 9207 allows both).", "Compare iss whenever it is there.", judgeUnpromised, []string{"asm-no-iss-flag"}, rules.IssuerResponseCompare),
	trap("type-lower", Low, Interop, "Answers with token_type in small letters.", "The client logs in.", "Compare without regard to case.", getsThrough, []string{"token-type-lower"}, rules.TokenRespTokenType),
	trap("expires-string", Low, Interop, "Answers with expires_in as a string.", "The client logs in.", "Read a decimal string as a number.", getsThrough, []string{"token-expires-string"}, rules.TokenRespExpiresIn),
	trap("expires-absent", Low, Interop, "Answers without expires_in.", "The client logs in.", "Use the token until it is refused.", getsThrough, []string{"token-expires-absent"}, rules.TokenRespExpiresAbsent),
	trap("scope-absent", Low, Interop, "Answers without scope.", "The client logs in.", "Take the scopes as granted.", getsThrough, []string{"token-scope-absent"}, rules.TokenRespScopeReported),
	trap("no-refresh", Low, Interop, "Issues no refresh token.", "The client logs in.", "Do without.", getsThrough, []string{"token-no-refresh"}, rules.TokenRespRefreshOptional),
	trap("id-token", Low, Interop, "Adds an ID token that nobody asked for.", "The client logs in.", "Ignore it.", getsThrough, []string{"token-id-token"}, rules.TokenRespIDToken),
}

// tokenTraps are about the token endpoint and about loops.
var tokenTraps = []Trap{
	trap("post-307", Critical, Leak, "Redirects the exchange to another host.", "Nothing is sent there.", "Follow no redirect of a POST.", all(canaryClean, refusesToken), []string{"token-307"}, rules.TokenReqNoRedirect, rules.NetRedirectPost),
	trap("token-type", Medium, Interop, "Answers with token_type mac.", "The token is not used.", "Refuse types that are not known.", refusesToken, []string{"token-type-mac"}, rules.TokenRespTokenTypeKnown),
	trap("token-dup", High, Mixup, "Answers with access_token twice.", "The token is not used.", "Refuse answers in which a name is there twice.", refusesToken, []string{"token-duplicate-key"}, rules.TokenRespJSONStrict),
	trap("token-fold", High, Mixup, "Answers with Access_Token.", "The token is not used.", "Compare member names exactly.", refusesToken, []string{"token-case-folded"}, rules.TokenRespJSONStrict),
	trap("token-trailing", Medium, Mixup, "Sends a second object behind the answer.", "The token is not used.", "Refuse what follows the answer.", refusesToken, []string{"token-trailing-bytes"}, rules.TokenRespJSONStrict),
	trap("token-newline", High, Leak, "Puts a line break into the token.", "The token is not used.", "Check the characters of the token.", refusesToken, []string{"token-newline"}, rules.TokenRespTokenCharset),
	trap("ok-error", High, Interop, "Answers 200 with an error.", "It is an error.", "Look for error in every answer.", refusesToken, []string{"token-error-200"}, rules.TokenRespOkFalse),
	trap("ok-html", High, Interop, "Answers 200 with a page.", "It is an error.", "Parse the answer strictly.", refusesToken, []string{"token-endpoint-html"}, rules.TokenRespJSON),
	trap("empty-token", High, Interop, "Answers with an empty token.", "It is not used.", "Require access_token.", refusesToken, []string{"token-empty-access-token"}, rules.TokenRespAccessToken),
	trap("loop-fresh", High, DoS, "Refuses every token with 401.", "The client logs in once more at most.", "Stop at the first 401 to a new token.", atMost(2), []string{"endless-401"}, rules.ChallengeFreshTokenLoop),
	trap("loop-step", High, DoS, "Refuses every scope with 403.", "The client asks three times at most.", "Bound step-ups for each scope.", atMost(4), []string{"endless-403"}, rules.StepupRetryLimit, rules.StepupSameChallengeTerminal),
	trap("403-plain", Medium, Interop, "Refuses with 403 and no challenge.", "The client neither logs in nor refreshes.", "Hand the 403 on.", handsOn, []string{"plain-403"}, rules.Challenge403WithoutChallenge),
	trap("invalid-client", Medium, DoS, "Refuses every client at the token endpoint.", "The client registers anew once at most.", "Register once more, then stop.", judgeReregistration, []string{"token-invalid-client"}, rules.RegReregisterOnce),
	trap("denied", Medium, DoS, "Answers access_denied.", "The client does not ask again by itself.", "Tell the user and stop.", judgeDenied, []string{"error-denied"}, rules.AuthzRespDeniedKeeps),
	forging(trap("page", Medium, Phishing, "Puts markup and terminal escapes into error_description, of the answer and of one without state before it.", "The client's page shows it escaped.", "Escape what a server wrote.", judgePage, []string{"error-with-escapes"}, rules.AuthzRespErrorEscaped, rules.AuthzRespPageClean), "error=%3Cscript%3Ealert(1)%3C/script%3E&error_description=%3Cimg%20src=x%3E"),
}

// refreshTraps start the client again after its token has expired.
var refreshTraps = []Trap{
	keeping(refreshing("refresh-happens", High, Interop, "Starts the client again while its token is good, and once more after it has expired.", "It refreshes, with resource, and asks nobody.", "Keep the refresh token and use it.", judgeRefreshHappens, nil, 1, rules.RefreshParams, rules.RefreshResource)),
	refreshing("refresh-omitted", High, Interop, "Answers a refresh without a new refresh token, then lets the token expire once more.", "The old refresh token is kept and used.", "Keep the refresh token when the answer has none.", judgeRefreshKept, []string{"refresh-no-rotation"}, 2, rules.RefreshOmittedKeep),
	refreshing("refresh-rotate", High, Replay, "Rotates refresh tokens over two expiries.", "The newest is used each time.", "Save the new refresh token before anything else.", all(judgeRefreshKept, judgeRefreshTwice), nil, 2, rules.RefreshRotationAdopt),
	failing(refreshing("refresh-5xx", High, Interop, "Answers the first refresh 500, then lets the client start again.", "The refresh token is kept and tried again later; no login.", "Keep the refresh token after every failure but invalid_grant.", judgeTransient, nil, 2, rules.RefreshTransientKeeps), "500"),
	failing(refreshing("refresh-503", High, Interop, "Answers the first refresh 503 with Retry-After.", "The refresh token is kept; no login.", "Keep the refresh token after every failure but invalid_grant.", judgeTransient, nil, 2, rules.RefreshTransientKeeps), "503"),
	failing(refreshing("refresh-html", High, Interop, "Answers the first refresh with a page.", "The refresh token is kept; no login.", "Keep the refresh token after every failure but invalid_grant.", judgeTransient, nil, 2, rules.RefreshTransientKeeps), "html"),
	refreshing("refresh-dead", High, DoS, "Answers every refresh invalid_grant.", "The refresh token is sent once, and then the user logs in.", "Drop the refresh token at invalid_grant.", judgeRefreshDead, []string{"refresh-invalid-grant"}, 1, rules.RefreshInvalidGrantTerminal),
	atOnce(refreshing("refresh-race", Critical, Replay, "Lets the token expire, then starts four clients together on one store; the first refresh is answered when a second one comes, or after two seconds.", "Each refresh token is sent once.", "Hold a lock from reading the token to saving the new one.", all(judgeRefreshTwice, judgeRefreshDead), nil, 1, rules.RefreshTransaction, rules.Refresh401One, rules.RefreshCASSave), 4),
	moved(refreshing("creds-keyed", Critical, Leak, "Names another issuer after a login.", "Neither secret nor refresh token of the old issuer goes to the new one.", "Keep every credential with its issuer.", judgeMoved, nil, 1, rules.IssuerNoCrossUse, rules.IssuerASChangeReregister, rules.IssuerRefreshBound, rules.IssuerColdStartCheck)),
}

const trapLife = 5 * time.Minute

// refreshing is a trap in which the client is started again, a given number of times,
// after its token has expired.
func refreshing(id string, s Severity, t Threat, does, passes, fix string, judge func(*judgement), faults []string, again int, broken ...rules.ID) Trap {
	x := trap(id, s, t, does, passes, fix, judge, faults, broken...)
	x.TokenLife, x.Runs, x.Pause = trapLife, again+1, trapLife+time.Minute
	return x
}

// expiring starts the client a given number of times, without a refresh token and with
// an expired token.
func expiring(t Trap, runs int) Trap {
	t.Runs, t.TokenLife, t.Pause, t.NoRefresh = runs, trapLife, trapLife+time.Minute, true
	return t
}

func atOnce(t Trap, n int) Trap { t.AtOnce = n; return t }

func failing(t Trap, answers ...string) Trap { t.FailRefresh = answers; return t }

func baking(t Trap) Trap { t.Cookies = true; return t }

func moved(t Trap) Trap { t.MoveIssuer = true; return t }
