package audit

import (
	"github.com/stile-oauth/stile/states/rules"
)

// compareTraps are about values that are nearly the right ones, and about documents that
// are nearly at the right place.
var compareTraps = []Trap{
	naming(trap("prm-part", Critical, Audience, "Publishes a resource whose path is the beginning of the server's, but ends within a segment.", "The client goes nowhere.", "Compare whole segments of the path.", refusesMetadata, nil, rules.PRMResourceMatchWellknown), "resource", `"{resource-part}"`),
	naming(trap("prm-child", Critical, Audience, "Publishes a resource below the server's path.", "The client goes nowhere.", "Compare resource with the server's address.", refusesMetadata, nil, rules.PRMResourceMatchWellknown), "resource", `"{resource}/admin"`),
	naming(trap("prm-case", High, Audience, "Publishes a resource whose path is in capitals.", "The client goes nowhere.", "Compare code points.", refusesMetadata, nil, rules.PRMResourceMatchWellknown), "resource", `"{RESOURCE}"`),
	published(trap("issuer-prefix", Critical, Mixup, "Publishes an issuer that begins with the one that was asked for.", "The client goes nowhere.", "Compare whole strings.", refusesMetadata, nil, rules.ASMIssuerMatch), "issuer", "{issuer}.stile-audit.example"),
	pathed(published(trap("issuer-host", Critical, Mixup, "Publishes the issuer without its path.", "The client goes nowhere.", "Compare whole strings: each path may be another tenant.", refusesMetadata, nil, rules.ASMIssuerMatch), "issuer", "{origin}")),
	altered(trap("iss-prefix", Critical, Mixup, "Answers with an iss that begins with the issuer.", "The code is not exchanged.", "Compare whole strings.", refusesAnswer, nil, rules.IssuerResponseCompare), "iss", "{issuer}.stile-audit.example"),
	pathed(altered(trap("iss-host", Critical, Mixup, "Answers with an iss that lacks the issuer's path.", "The code is not exchanged.", "Compare whole strings: each path may be another tenant.", refusesAnswer, nil, rules.IssuerResponseCompare), "iss", "{origin}")),
	altered(trap("iss-error", Medium, Mixup, "Answers with an error and another iss.", "The client does not show what that error says.", "Compare iss before error is read.", judgeForeignError, []string{"iss-wrong-on-error"}, rules.IssuerErrorResponseToo), "error_description", ForeignError),
	rooted(pathed(trap("asm-root", Low, Mixup, "Names an issuer with a path, and serves its metadata at the root only.", "The client does not use it.", "Ask for the addresses that the issuer's path leads to, and for no other.", refusesMetadata, nil, rules.ASMNoRootForPathIssuer))),
	misled(trap("asm-order", Medium, Mixup, "Serves an OpenID Connect document with the endpoints of another issuer beside the right one of RFC 8414.", "The client takes the one of RFC 8414.", "Ask for the address of RFC 8414 first.", all(judgeDecoy, goesOn), nil, rules.ASMProbeOrder)),
	swapping(trap("meta-swap", Critical, Mixup, "Publishes a token endpoint at another host once the user has been asked.", "The code goes where the metadata said when the login began.", "Keep the endpoints with the pending login.", all(canaryClean, goesOn), nil, rules.IssuerPendingImmutable)),
	published(trap("query-kept", Medium, Interop, "Publishes an authorization endpoint with a query.", "The query is still there when the user is sent.", "Add to the query, and replace none of it.", judgeQueryKept, nil, rules.AuthzReqQueryKept), "authorization_endpoint", "{issuer}/authorize?"+tenantParameter+"=1"),
	trap("body-lies", High, Mixup, "Names another authorization server in the body of the 401.", "The client does not go there.", "Read headers; a body is text for people.", all(canaryClean, judgeDecoy, goesOn), []string{"challenge-body-lies"}, rules.ChallengeBodyNotTrusted),
	proxied(trap("header-http", High, Leak, "Names an address over plain http on a public host in the challenge.", "Nothing is fetched there.", "Refuse addresses of metadata that are not https.", canaryClean, []string{"challenge-metadata-http"}, rules.ChallengeMetadataURLHTTPS)),
	luring(trap("mcp-302", Medium, Phishing, "Redirects MCP requests to a page of another host in place of 401.", "The client does not follow.", "Follow no redirect of a POST, and none to another origin.", canaryClean, nil, rules.ChallengeRedirectNotAuth, rules.NetRedirectPost)),
	observes(trap("authorize-form", Medium, CSRF, "Reads the parameters of the authorization request.", "Each is there once, redirect_uri is https or loopback and has no fragment, and no scope is there twice.", "Build the address from a map of the parameters.", judgeAuthorizeForm, nil, rules.AuthzReqParamOnce, rules.AuthzReqRedirectForm)),
	endless(trap("prm-endless", Medium, DoS, "Answers with resource metadata that does not end.", "The client stops reading.", "Bound every body; a mebibyte is enough.", judgeEndless(LegPRM), nil, rules.NetSizeLimit), LegPRM),
	endless(trap("token-endless", Medium, DoS, "Answers the exchange with a document that does not end.", "The client stops reading.", "Bound every body; a mebibyte is enough.", judgeEndless(LegToken), nil, rules.TokenRespSize), LegToken),
	proxied(naming(trap("ssrf-mapped", High, SSRF, "Names the address of a metadata service in the form of IPv6.", "Nothing is fetched there.", "Take the IPv4 address out of one that embeds it, and judge that.", judgeMetadataService, nil, rules.NetEmbeddedV4, rules.NetMetadataService), "authorization_servers", `["https://[::ffff:169.254.169.254]"]`)),
	proxied(naming(trap("ssrf-number", High, SSRF, "Names the address of a metadata service as one number.", "Nothing is fetched there.", "Refuse hosts that are numbers in any other form than four parts.", judgeMetadataService, nil, rules.NetMetadataService, rules.URLParseStrict), "authorization_servers", `["https://2852039166"]`)),
	elsewhereStep(stepping(trap("step-elsewhere", High, Mixup, "Names metadata of another issuer in the challenge that demands more scope.", "The client does not go there.", "Judge the metadata of a later challenge as that of the first.", judgeDecoy, nil, rules.StepupResourceFixed))),
	forgetting(refreshing("logout-forgets", Medium, Takeover, "Runs the client's command that logs out while revocation is answered 500, and starts the client again.", "What it had is not used any more.", "Forget at a logout, whatever the issuer answers.", judgeForgets, []string{"revoke-500"}, 2, rules.RevokeBestEffort, rules.RevokeNotUsedAfter)),
	observes(trap("document", Medium, Phishing, "Reads the client id, where it is the address of a document.", "It is https with a path, and has no fragment, no password and no dot segments.", "Choose an address as the draft on client ID metadata documents says.", judgeDocumentID, nil, rules.CIMDURLHTTPS, rules.CIMDURLPath, rules.CIMDURLQuery)),
	observes(inRun(trap("assertion", High, Replay, "Reads the assertions that the client authenticates with.", "Each names the client, the issuer and a time at most five minutes away, and is sent once.", "Sign a new assertion for each request.", judgeAssertion, nil, rules.ClientauthJWTClaims, rules.ClientauthJWTAud, rules.ClientauthJWTFresh, rules.ClientauthJWTType), 1)),
}

// tenantParameter is in the query of an authorization endpoint.
const tenantParameter = "stile-audit-tenant"

func luring(t Trap) Trap        { t.Lures = true; return t }
func rooted(t Trap) Trap        { t.RootMetadata = true; return t }
func misled(t Trap) Trap        { t.OIDCDecoy = true; return t }
func swapping(t Trap) Trap      { t.Swaps = true; return t }
func elsewhereStep(t Trap) Trap { t.StepElsewhere = true; return t }
func forgetting(t Trap) Trap    { t.LogsOut = true; return t }
