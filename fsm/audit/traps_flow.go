package audit

import "github.com/stile-oauth/stile/states/rules"

// flowTraps read what a client sends to servers that break nothing.
var flowTraps = []Trap{
	observes(trap("response-type", High, Leak, "Reads response_type and response_mode of the authorization request.", "It asks for a code, in the query.", "Send response_type=code and no response_mode.", judgeResponseType, nil, rules.AuthzReqResponseType)),
	observes(trap("scope-choice", Medium, Takeover, "Compares the scopes that are asked for with those that the server names.", "None is asked for that was not named.", "Ask for the scopes of the challenge, or of the resource's metadata.", judgeScopeChoice, nil, rules.AuthzReqScopeChallenge, rules.AuthzReqScopeMinimal)),
	observes(trap("offline", Low, Takeover, "Looks for offline_access where the issuer does not offer it.", "It is not asked for.", "Ask for offline_access only where scopes_supported has it.", judgeOffline, nil, rules.AuthzReqOfflineAccess)),
	observes(inRun(trap("token-form", High, Leak, "Reads the requests to the token endpoint.", "Each is a form that is posted, with nothing in the address, every parameter once and one way of authentication.", "Send a form by POST.", judgeTokenForm, nil, rules.TokenReqForm, rules.TokenReqPost, rules.TokenReqNoQuery, rules.TokenReqParamOnce, rules.ClientauthOneMethod), 1)),
	observes(trap("each-request", High, Takeover, "Reads the MCP requests after the first that was let in.", "Each carries the token.", "Send Authorization with every request of a session.", judgeEachRequest, nil, rules.BearerEveryRequest)),
	observes(trap("redirect-registered", High, Phishing, "Compares the redirect URI with what was registered.", "It was registered; the port of a loopback address may differ.", "Use the redirect URI of the registration.", judgeRedirectRegistered, nil, rules.RegRedirectRegistered)),
	forging(trap("error-csrf", Medium, DoS, "Sends an error without state to the client's redirect URI before the answer comes.", "The login goes on.", "Take no answer without the state that was sent.", getsThrough, nil, rules.AuthzRespStateMatch), "error=access_denied"),
	forging(trap("code-csrf", Critical, CSRF, "Sends a code with another state to the client's redirect URI before the answer comes.", "That code is not exchanged, and the login goes on.", "Take no answer without the state that was sent.", all(judgeForgedCode, goesOn), nil, rules.AuthzRespStateMatch), "code=stile-audit-injected-code&state=stile-audit-other-state"),
	listening(trap("listener", High, CSRF, "Asks the client's redirect URI by another host name, at another path, and from outside of loopback.", "It is bound to loopback, and answers what is not its own with 4xx.", "Bind 127.0.0.1, and check Host and path.", judgeListener, nil, rules.AuthzRespListenerLoopback, rules.NetHostHeaderLoopback)),
	storing(trap("store", High, Leak, "Looks at the files that the client leaves, for what it was given.", "Nobody else can read them, and no token or secret stands in them.", "Write with mode 0600 and encrypt, or use the keychain.", judgeStore, nil, rules.StoreMode, rules.StoreEncrypted)),
	trap("code-once", High, Replay, "Answers the exchange 500.", "The code is not sent again.", "Begin a new login; a code is good for one attempt.", judgeCodeOnce, []string{"token-500"}, rules.TokenReqCodeOnce),
	stepping(trap("step-union", Medium, Interop, "Demands one more scope once the client has a token.", "The client asks for what it had and the new scope.", "Ask for the union of the scopes.", judgeStepUnion, nil, rules.StepupUnion, rules.StepupRetryLimit)),
	keyed(trap("basic-encoding", High, Interop, "Registers the client with a secret that has characters which forms escape.", "The secret arrives, once.", "Encode id and secret as form values before Basic.", ifRegistered(getsThrough), nil, rules.ClientauthBasicEncoding, rules.ClientauthOneMethod, rules.ClientauthMethodFromRegistration), "client_secret_basic"),
	keyed(trap("secret-post", Medium, Interop, "Registers the client for a secret in the form.", "The secret arrives, once.", "Follow token_endpoint_auth_method of the registration.", ifRegistered(getsThrough), nil, rules.ClientauthMethodFromRegistration, rules.ClientauthOneMethod), "client_secret_post"),
	elsewhere(trap("cross-server", Critical, Leak, "Starts the client once more for another MCP server of the same issuer.", "No token of the first one goes there.", "Keep tokens by issuer and resource.", judgeCrossServer, nil, rules.BearerKeyIsolation, rules.StoreNoAnyToken)),

	trap("state-twice", High, CSRF, "Answers with state twice.", "The code is not exchanged.", "Refuse repeated parameters.", refusesAnswer, []string{"state-twice"}, rules.AuthzRespParamOnce),
	proxied(trap("prm-http", High, Leak, "Names an issuer over plain http on a public host.", "The client goes nowhere.", "Refuse issuers that are not https.", all(canaryClean, refusesMetadata), []string{"prm-http-server"}, rules.PRMIssuerEntrySyntax)),
	trap("prm-redirect", High, SSRF, "Redirects the resource metadata to another host.", "Nothing is fetched there.", "Follow redirects within the origin, if any.", canaryClean, []string{"prm-redirect"}, rules.NetRedirectGet),
	trap("asm-redirect", High, SSRF, "Redirects the issuer's metadata to another host.", "Nothing is fetched there.", "Follow redirects within the origin, if any.", canaryClean, []string{"asm-redirect"}, rules.NetRedirectGet),
	trap("asm-userinfo", Medium, Phishing, "Publishes a token endpoint with a name and a password in it.", "The client goes nowhere.", "Refuse endpoints with userinfo.", refusesMetadata, []string{"asm-userinfo-endpoint"}, rules.ASMEndpointNoUserinfo),
	trap("asm-none", High, Mixup, "Publishes no metadata of the issuer.", "The client goes nowhere.", "Do not guess endpoints.", refusesMetadata, []string{"asm-404"}, rules.ASMServed, rules.RefreshNoGuessedEndpoint),
	trap("asm-down", Medium, Mixup, "Answers every metadata request of the issuer 500.", "The client goes nowhere, and gives up after some attempts.", "Do not guess endpoints after 5xx, and bound the attempts.", all(judgeMetadataStorm, refusesMetadata), []string{"asm-500"}, rules.ASM5xxNotAbsent),
	trap("asm-trailing", Medium, Mixup, "Sends a second object behind the metadata.", "The client goes nowhere.", "Refuse what follows the document.", refusesMetadata, []string{"asm-trailing-bytes"}, rules.ASMJSONStrict),
	trap("reg-refused", Medium, Interop, "Refuses the registration.", "The client tells the user and goes nowhere.", "Show the error of the registration.", ifRegistered(all(judgeRegisterStorm, refusesMetadata)), []string{"register-403"}, rules.DCRFailureHandled, rules.DCRFailureShown),
}

// renewalTraps are about refreshes.
var renewalTraps = []Trap{
	inRun(refreshing("refresh-params", High, Takeover, "Reads the refresh of a client whose token has expired.", "It names its client and asks for no more than was granted.", "Send client_id, and the scopes that were granted or none.", judgeRefreshParams, nil, 1, rules.RefreshClientAuth, rules.RefreshScopeNotWider), 1),
	failing(refreshing("refresh-429", High, Interop, "Answers the first refresh 429 with Retry-After.", "The refresh token is kept; no login.", "Keep the refresh token after every failure but invalid_grant.", judgeTransient, nil, 2, rules.RefreshTransientKeeps, rules.NetRetryAfter), "429"),
	failing(refreshing("refresh-storm", High, DoS, "Answers every refresh 500.", "The client gives up after some attempts, and asks nobody.", "Bound the attempts.", judgeStorm, nil, 1, rules.NetBackoffBounded, rules.RefreshTransientKeeps), times("500", 60)...),
}

func times(answer string, n int) []string {
	out := make([]string, n)
	for i := range out {
		out[i] = answer
	}
	return out
}

func observes(t Trap) Trap                   { t.Observes = true; return t }
func forging(t Trap, queries ...string) Trap { t.Forged = queries; return t }
func listening(t Trap) Trap                  { t.Listener = true; return t }
func storing(t Trap) Trap                    { t.Store = true; return t }
func stepping(t Trap) Trap                   { t.StepUp = true; return t }
func keyed(t Trap, method string) Trap       { t.SecretMethod = method; return t }
func elsewhere(t Trap) Trap                  { t.Runs, t.Second = 2, true; return t }
