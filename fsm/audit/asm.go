package audit

import (
	"slices"

	"github.com/stile-oauth/stile/states/rules"
)

// asmChecks are about the metadata of the authorization servers (RFC 8414,
// OpenID Connect Discovery).
var asmChecks = []Check{
	{ID: "asm.found", Rules: []rules.ID{rules.ASMServed, rules.ASMProbeOrder, rules.ASMetaBothPaths, rules.ASMClientBoth}, Severity: Critical, Safety: Passive, Threat: Interop,
		Does:   "Asks for the metadata of each issuer at every address of RFC 8414 and OpenID Connect.",
		Passes: "Each issuer has a document at one of them at least.",
		Why:    "Without it no client knows where to log in.",
		Fix:    "Serve /.well-known/oauth-authorization-server, with the issuer's path behind it.",
		plan:   planASM, judge: judgeASMFound},
	{ID: "asm.agree", Rules: []rules.ID{rules.ASMDocumentsAgree}, Severity: Medium, Safety: Passive, Threat: Mixup,
		Does:   "Compares the documents of one issuer.",
		Passes: "They name the same issuer and the same endpoints.",
		Why:    "Which one a client reads depends on its probe order.",
		Fix:    "Serve one document at all addresses.",
		plan:   planASM, judge: judgeASMAgree},
	{ID: "asm.absent-answer", Rules: []rules.ID{rules.ASM5xxNotAbsent, rules.ASMStatus200, rules.ASM4xxContinues}, Severity: Medium, Safety: Passive, Threat: Interop,
		Does:   "Reads the answer of the addresses that have no document.",
		Passes: "It is 4xx; no error of the server, and no page with status 200.",
		Why:    "A client takes 5xx for trouble and stops, and stumbles over a page.",
		Fix:    "Answer 404 under /.well-known/ where nothing is.",
		plan:   planASM, judge: judgeASMAbsent},
	{ID: "asm.type-json", Rules: []rules.ID{rules.ASMContentType, rules.ASMJSONStrict}, Severity: Medium, Safety: Passive, Threat: Mixup,
		Does:   "Reads Content-Type and parses each document strictly.",
		Passes: "application/json, names once, nothing behind the end.",
		Why:    "Two parsers that read an ambiguous document differently disagree about where the code is sent.",
		Fix:    "Let a JSON library write the document, and send its type.",
		plan:   planASM, judge: judgeASMType},
	{ID: "asm.issuer", Rules: []rules.ID{rules.ASMIssuerMatch, rules.ASMIssuerPresent, rules.ASMIssuerSlash, rules.ASMStringCompare}, Severity: High, Safety: Passive, Threat: Mixup,
		Does:   "Compares issuer with the identifier that the address was built from.",
		Passes: "They are the same string.",
		Why:    "RFC 8414 §3.3 asks clients to refuse otherwise: it is what stops one server from speaking for another.",
		Fix:    "List the issuer in the resource's metadata exactly as the document has it, slash included.",
		plan:   planASM, judge: judgeASMIssuer},
	{ID: "asm.issuer-form", Rules: []rules.ID{rules.ASMIssuerSyntax}, Severity: Medium, Safety: Passive, Threat: Interop,
		Does:   "Reads issuer.",
		Passes: "It is an https URL without query and fragment.",
		Why:    "RFC 8414 §2; the well-known address cannot be built from another.",
		Fix:    "Choose an https identifier.",
		plan:   planASM, judge: judgeASMIssuerForm},
	{ID: "asm.endpoints", Rules: []rules.ID{rules.ASMEndpointsHTTPS, rules.ASMEndpointScheme, rules.ASMEndpointNoFragment, rules.ASMEndpointNoUserinfo, rules.ASMTokenEndpoint, rules.ASMAuthorizationEndpoint, rules.URLParseStrict, rules.AuthzReqParamOnce, rules.AuthzReqNoShell}, Severity: High, Safety: Passive, Threat: Leak,
		Does:   "Reads the address of every endpoint.",
		Passes: "authorization and token endpoint are there; each is https, without fragment and user information.",
		Why:    "Codes, tokens and secrets travel there; an unusual scheme can start a program.",
		Fix:    "Publish absolute https addresses, as they are seen from outside.",
		plan:   planASM, judge: judgeASMEndpoints},
	{ID: "asm.foreign", Rules: []rules.ID{rules.ASMEndpointForeignHost}, Severity: Info, Safety: Passive, Threat: Mixup,
		Does:   "Compares the hosts of the endpoints with the issuer's.",
		Passes: "They share a domain, or the foreign ones are known.",
		Why:    "It is allowed, and worth knowing: the document's author sends secrets there.",
		Fix:    "Nothing, if the hosts are yours.",
		plan:   planASM, judge: judgeASMForeign},
	{ID: "asm.response-types", Rules: []rules.ID{rules.ASMResponseTypes}, Severity: Medium, Safety: Passive, Threat: Interop,
		Does:   "Reads response_types_supported.",
		Passes: "It lists code.",
		Why:    "RFC 8414 §2 requires the member; code is the only type of OAuth 2.1.",
		Fix:    `Publish ["code"].`,
		plan:   planASM, judge: judgeASMResponseTypes},
	{ID: "asm.grants", Rules: []rules.ID{rules.ASMGrantNeeded, rules.ASMGrantTypesDefault}, Severity: Medium, Safety: Passive, Threat: Interop,
		Does:   "Reads grant_types_supported.",
		Passes: "authorization_code is listed, or the member is absent.",
		Why:    "A client that believes the list does not start.",
		Fix:    "List authorization_code, and refresh_token where refresh tokens are issued.",
		plan:   planASM, judge: judgeASMGrants},
	{ID: "asm.pkce", Rules: []rules.ID{rules.ASMPKCEAdvertised, rules.ASMPKCES256}, Severity: High, Safety: Passive, Threat: CodeInjection,
		Does:   "Reads code_challenge_methods_supported.",
		Passes: "It lists S256 and not plain.",
		Why:    "From 2025-11-25 on a client must refuse a server that does not list S256.",
		Fix:    `Publish ["S256"].`,
		plan:   planASM, judge: judgeASMPKCE},
	{ID: "asm.auth-methods", Rules: []rules.ID{rules.ASMAuthMethodsDefault, rules.ASMAuthSigningAlg, rules.ClientauthMTLSUnsupported}, Severity: Medium, Safety: Passive, Threat: Interop,
		Does:   "Reads the authentication methods of the token endpoint and their algorithms.",
		Passes: "A method of signed assertions has algorithms, none of them none; the list is not empty.",
		Why:    "An absent list means client_secret_basic: public clients are then told that they cannot come.",
		Fix:    "List what the token endpoint takes, none for public clients.",
		plan:   planASM, judge: judgeASMAuthMethods},
	{ID: "asm.route-in", Rules: []rules.ID{rules.ASMCIMDFlag, rules.RegPriority, rules.CIMDCheckFlag}, Severity: Medium, Safety: Passive, Threat: Interop,
		Does:   "Looks for a way in for a client that was never seen before.",
		Passes: "Client ID metadata documents are taken, or there is a registration endpoint.",
		Why:    "Otherwise every user must register a client by hand.",
		Fix:    "Turn client ID metadata documents on, or dynamic registration.",
		plan:   planASM, judge: judgeASMRouteIn},
	{ID: "asm.iss", Rules: []rules.ID{rules.IssuerASAdvertises, rules.ASMIssFlagBoolean}, Severity: Medium, Safety: Passive, Threat: Mixup,
		Does:   "Reads authorization_response_iss_parameter_supported.",
		Passes: "It is true.",
		Why:    "With it a client can tell which issuer answered, which ends mix-up (RFC 9207).",
		Fix:    "Send iss with every authorization response, errors too, and say so.",
		plan:   planASM, judge: judgeASMIss},
	{ID: "asm.jwks", Rules: []rules.ID{rules.ASMJWKSPublicOnly, rules.ASMJWKSHTTPS, rules.RSIntrospectDown, rules.RSJWKSRefresh}, Severity: Critical, Safety: Passive, Threat: Takeover,
		Does:   "Reads the key set at jwks_uri.",
		Passes: "It holds public keys only, each with its own kid, RSA keys of 2048 bits or more.",
		Why:    "Anyone with the private part can issue tokens for everyone.",
		Fix:    "Publish the public part, and replace a key whose private part was published at once.",
		plan:   planJWKS, judge: judgeASMJWKS},
	{ID: "asm.none-alg", Rules: []rules.ID{rules.RSJWTAlgAllowlist, rules.ExtDPoPAlgList}, Severity: High, Safety: Passive, Threat: Takeover,
		Does:   "Reads every list of signing algorithms.",
		Passes: "None lists none; none of those for ID tokens, access tokens and DPoP proofs lists an HMAC.",
		Why:    "An unsigned token is anybody's.",
		Fix:    "List asymmetric algorithms only.",
		plan:   planASM, judge: judgeASMNoneAlg},
	{ID: "asm.par", Rules: []rules.ID{rules.ASMPARRequired}, Severity: High, Safety: Passive, Threat: Interop,
		Does:   "Reads require_pushed_authorization_requests.",
		Passes: "It is absent or false.",
		Why:    "MCP clients send authorization requests through the browser; none pushes them.",
		Fix:    "Do not require PAR for clients of MCP.",
		plan:   planASM, judge: judgeASMPAR},
	{ID: "asm.scopes", Rules: []rules.ID{rules.PRMResourceScopeConsistent}, Severity: Low, Safety: Passive, Threat: Interop,
		Does:   "Compares scopes_supported of resource and issuer.",
		Passes: "Every scope of the resource is one of the issuer.",
		Why:    "A client that asks for a scope that the issuer does not know is refused.",
		Fix:    "Define the resource's scopes at the issuer.",
		plan:   planASM, judge: judgeASMScopes},
	{ID: "asm.cors-cache", Rules: []rules.ID{rules.ASMetaCORS, rules.ASMCacheBounded}, Severity: Low, Safety: Passive, Threat: Interop,
		Does:   "Reads CORS and cache headers of each document.",
		Passes: "Access-Control-Allow-Origin is there, and Cache-Control is bounded to a day.",
		Why:    "A client in a browser cannot read it otherwise, and an old endpoint lives on in caches.",
		Fix:    "Send Access-Control-Allow-Origin: * and Cache-Control: public, max-age=3600.",
		plan:   planASM, judge: func(j *judgement) { judgeCORS(j, LegASM); judgeCache(j, LegASM) }},
	{ID: "asm.legacy", Rules: []rules.ID{rules.ASMLegacyBaseURL, rules.ASMLegacyDefaultEndpoints}, Severity: Info, Safety: Passive, Threat: Interop,
		Does:   "Looks at the server's origin when there is no resource metadata.",
		Passes: "There is resource metadata.",
		Why:    "Without it only the rules of 2025-03-26 apply, and the server's origin is taken for the issuer.",
		Fix:    "Serve resource metadata.",
		plan:   planASM, judge: judgeASMLegacy},
}

// metadata gives the documents of the issuers. If there are none, the check ends as
// one that could not run.
func (j *judgement) metadata() []document {
	list := j.e.reading().asm
	if len(list) == 0 {
		j.end(CouldNotRun, j.unanswered(LegASM, "there is no metadata of an authorization server to read"))
	}
	return list
}

// perIssuer gives the first document of each issuer.
func (j *judgement) perIssuer() []document {
	var out []document
	for _, m := range j.metadata() {
		if !slices.ContainsFunc(out, func(o document) bool { return o.x.Issuer == m.x.Issuer }) {
			out = append(out, m)
		}
	}
	return out
}

// reserved are the parameters that a client sets itself (RFC 6749 §4.1.1,
// RFC 7636, RFC 8707).
// minRSA is the minimum length of an RSA modulus in bytes (2048 bits).
