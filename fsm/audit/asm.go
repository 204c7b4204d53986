package audit

import (
	"encoding/base64"
	"fmt"
	"slices"
	"strings"

	"github.com/stile-oauth/stile/states/rules"
	"github.com/stile-oauth/stile/states/wire"
)

// asmChecks are about the metadata of the authorization servers (RFC 8414,
// OpenID Connect Discovery).
var asmChecks = []Check{
	{ID: "asm.found", Rules: []rules.ID{rules.ASMServed, rules.ASMProbeOrder, rules.ASMetaBothPaths}, Severity: Critical, Safety: Passive, Threat: Interop,
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
		Why:    "Whoever has the private part issues tokens for everybody.",
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

// metadata gives the documents of the issuers; none ends the check as one that
// could not run.
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

func judgeASMFound(j *judgement) {
	asked := j.e.legs(LegASM)
	if len(asked) == 0 {
		if j.open() {
			j.end(NotApplicable, "the server is open: it answers without a token")
		} else {
			j.end(CouldNotRun, j.unanswered(LegASM, "no metadata of an authorization server was asked for"))
		}
		return
	}
	var issuers, at []string
	for _, x := range asked {
		if !slices.Contains(issuers, x.Issuer) {
			issuers = append(issuers, x.Issuer)
		}
	}
	for _, issuer := range issuers {
		found := false
		for _, m := range j.e.reading().asm {
			if m.x.Issuer == issuer {
				found = true
				at = append(at, m.x.Request.URL)
			}
		}
		if !found {
			last := asked[len(asked)-1]
			for _, x := range asked {
				if x.Issuer == issuer {
					last = x
				}
			}
			if len(j.e.reading().prm) == 0 {
				j.end(NotApplicable, "no resource metadata names an issuer, and the origin has no metadata either")
				continue
			}
			j.fail(last, "an issuer has no metadata at any address").differ("metadata of "+issuer, "none")
		}
	}
	if j.v.Outcome == Pass {
		j.v.Why = "served at " + wire.Clean(strings.Join(at, " and "), 300)
	}
}

var endpointNames = []string{"authorization_endpoint", "token_endpoint", "registration_endpoint", "revocation_endpoint",
	"introspection_endpoint", "device_authorization_endpoint", "pushed_authorization_request_endpoint"}

func judgeASMAgree(j *judgement) {
	all := j.metadata()
	pairs := 0
	for _, first := range j.perIssuer() {
		for _, m := range all {
			if m.x == first.x || m.x.Issuer != first.x.Issuer {
				continue
			}
			pairs++
			for _, name := range append([]string{"issuer"}, endpointNames...) {
				a, _, _ := first.obj.String(name)
				b, present, _ := m.obj.String(name)
				if present && a != "" && a != b {
					j.fail(m.x, "two documents of one issuer differ in "+name).differ(a, b)
				}
			}
		}
	}
	if pairs == 0 {
		j.end(NotApplicable, "each issuer has one document only")
	}
}

func judgeASMAbsent(j *judgement) {
	asked := j.e.legs(LegASM)
	if len(asked) == 0 {
		j.end(CouldNotRun, j.unanswered(LegASM, "no metadata of an authorization server was asked for"))
	}
	for _, x := range asked {
		_, err := wire.ParseObject(x.Response.Body)
		switch s := x.status(); {
		case s >= 500:
			j.fail(x, "the place of a metadata document answers with an error of the server").differ("200 or 404", fmt.Sprint(s)).Affected = "careful clients, Stile among them, stop here; go-sdk too"
		case s == 200 && err != nil && x.mediaType() == "text/html":
			j.fail(x, "the place of a metadata document answers with a page").differ("a document or 404", "200 text/html").Rules = []rules.ID{rules.ASMStatus200}
		case s == 401 || s == 403:
			j.fail(x, "the place of a metadata document is protected").differ("200 or 404", fmt.Sprint(s)).Rules = []rules.ID{rules.ASM4xxContinues}
		case s >= 300 && s < 400:
			j.fail(x, "the place of a metadata document redirects").differ("a document or 404", fmt.Sprintf("%d to %s", s, strings.Join(x.got("Location"), " "))).Rules = []rules.ID{rules.ASMStatus200}
		}
	}
}

func judgeASMType(j *judgement) {
	judgeJSON(j, LegASM, rules.ASMJSONStrict, rules.ASMJSONStrict)
	for _, x := range j.e.legs(LegASM) {
		if t := x.mediaType(); x.status() == 200 && t != "application/json" {
			j.fail(x, "a metadata document is not application/json").differ("application/json", strings.Join(x.got("Content-Type"), ", ")).Rules = []rules.ID{rules.ASMContentType}
		}
	}
}

func judgeASMIssuer(j *judgement) {
	for _, m := range j.metadata() {
		s, present, ok := m.obj.String("issuer")
		switch {
		case !present || !ok || s == "":
			j.fail(m.x, "the metadata has no issuer").differ(m.x.Issuer, "").Rules = []rules.ID{rules.ASMIssuerPresent}
		case m.x.Issuer == "" || s == m.x.Issuer:
		case strings.TrimSuffix(s, "/") == strings.TrimSuffix(m.x.Issuer, "/"):
			f := j.fail(m.x, "issuer differs by one slash from the identifier that the resource lists").differ(m.x.Issuer, s)
			f.Rules, f.Affected = []rules.ID{rules.ASMIssuerSlash}, "strict clients refuse; go-sdk, the TypeScript SDK (one way) and Stile go on"
			f.Severity = Medium
		default:
			f := j.fail(m.x, "issuer is not the identifier that the resource lists").differ(m.x.Issuer, s)
			f.Rules, f.Affected = []rules.ID{rules.ASMIssuerMatch}, "every client refuses"
			if strings.EqualFold(s, m.x.Issuer) {
				f.Rules = []rules.ID{rules.ASMStringCompare, rules.ASMIssuerMatch}
			}
		}
	}
}

func judgeASMIssuerForm(j *judgement) {
	for _, m := range j.metadata() {
		s, _, ok := m.obj.String("issuer")
		if !ok || s == "" {
			continue // asm.issuer
		}
		if bad := wire.CheckURL(s, j.urls()); bad != nil {
			j.fail(m.x, "issuer is no https URL: "+bad.Error()).differ("an https URL without query and fragment", s)
		} else if !wire.SoundIssuer(s) {
			j.fail(m.x, "issuer has a query or a fragment").differ("an https URL without query and fragment", s)
		}
	}
}

func judgeASMEndpoints(j *judgement) {
	for _, m := range j.perIssuer() {
		for _, name := range endpointNames {
			s, present, ok := m.obj.String(name)
			if !present {
				switch name {
				case "authorization_endpoint":
					j.fail(m.x, "no "+name).Rules = []rules.ID{rules.ASMAuthorizationEndpoint}
				case "token_endpoint":
					j.fail(m.x, "no "+name).Rules = []rules.ID{rules.ASMTokenEndpoint}
				}
				continue
			}
			if !ok {
				f := j.fail(m.x, name+" is no string")
				f.Rules = []rules.ID{rules.ASMEndpointsHTTPS}
				if name == "token_endpoint" {
					f.Rules = []rules.ID{rules.ASMTokenEndpoint}
				}
				continue
			}
			if name == "authorization_endpoint" {
				for _, f := range query(s) {
					if slices.Contains(reserved, f.Name) {
						f := j.fail(m.x, "authorization_endpoint presets a parameter of the request").differ("no "+f.Name, s)
						f.Rules, f.Severity = []rules.ID{rules.AuthzReqParamOnce}, Medium
					}
				}
			}
			bad := wire.CheckURL(s, j.urls())
			if bad == nil {
				continue
			}
			rule := rules.ASMEndpointsHTTPS
			switch bad.Rule {
			case rules.URLSchemeAllowlist:
				rule = rules.ASMEndpointScheme
			case rules.URLNoFragment:
				rule = rules.ASMEndpointNoFragment
			case rules.URLNoUserinfo:
				rule = rules.ASMEndpointNoUserinfo
			case rules.URLParseStrict:
				rule = rules.URLParseStrict
			}
			f := j.fail(m.x, name+" is no address that a client may use: "+bad.Error()).differ("an absolute https URL", s)
			f.Rules = []rules.ID{rule}
			if rule == rules.ASMEndpointScheme {
				f.Severity = Critical
			}
			if name == "authorization_endpoint" && strings.ContainsAny(s, "`$();|<>\"'\\ ") {
				f.Rules, f.Severity = append(f.Rules, rules.AuthzReqNoShell), Critical
			}
		}
	}
}

// reserved are the parameters that a client sets itself (RFC 6749 §4.1.1,
// RFC 7636, RFC 8707).
var reserved = []string{"response_type", "client_id", "redirect_uri", "scope", "state", "code_challenge", "code_challenge_method", "resource"}

func judgeASMForeign(j *judgement) {
	var hosts []string
	for _, m := range j.perIssuer() {
		home := site(hostOf(m.x.Issuer))
		for _, name := range endpointNames {
			if s, _, ok := m.obj.String(name); ok {
				if h := hostOf(s); h != "" && site(h) != home && !slices.Contains(hosts, h) {
					hosts = append(hosts, h)
				}
			}
		}
	}
	if len(hosts) > 0 {
		j.end(Fact, "endpoints at other domains than the issuer's: "+strings.Join(hosts, ", "))
	}
}

func judgeASMResponseTypes(j *judgement) {
	for _, m := range j.perIssuer() {
		list, present, ok := m.obj.Strings("response_types_supported")
		switch {
		case !present:
			j.fail(m.x, "response_types_supported is absent")
		case !ok || !slices.Contains(list, "code"):
			j.fail(m.x, "response_types_supported does not list code").differ("code", strings.Join(list, ", ")).Severity = High
		}
	}
}

func judgeASMGrants(j *judgement) {
	for _, m := range j.perIssuer() {
		list, present, ok := m.obj.Strings("grant_types_supported")
		switch {
		case !present:
		case !ok || !slices.Contains(list, "authorization_code"):
			j.fail(m.x, "grant_types_supported does not list authorization_code").differ("authorization_code", strings.Join(list, ", "))
		}
	}
}

func judgeASMPKCE(j *judgement) {
	for _, m := range j.perIssuer() {
		list, present, ok := m.obj.Strings("code_challenge_methods_supported")
		switch {
		case !present:
			f := j.fail(m.x, "code_challenge_methods_supported is absent")
			f.Rules, f.Affected = []rules.ID{rules.ASMPKCEAdvertised}, "go-sdk and Stile refuse (Stile's quirk assume-s256 goes on); the TypeScript SDK goes on"
		case !ok || !slices.Contains(list, "S256"):
			j.fail(m.x, "code_challenge_methods_supported does not list S256").differ("S256", strings.Join(list, ", ")).Rules = []rules.ID{rules.ASMPKCES256}
		case slices.Contains(list, "plain"):
			f := j.fail(m.x, "code_challenge_methods_supported lists plain").differ("S256", strings.Join(list, ", "))
			f.Rules, f.Severity = []rules.ID{rules.ASMPKCES256}, Low
		}
	}
}

func judgeASMAuthMethods(j *judgement) {
	for _, m := range j.perIssuer() {
		for _, of := range []string{"token_endpoint", "revocation_endpoint", "introspection_endpoint"} {
			list, present, ok := m.obj.Strings(of + "_auth_methods_supported")
			if !present {
				continue
			}
			if !ok || len(list) == 0 {
				j.fail(m.x, of+"_auth_methods_supported is empty or no array of strings").Rules = []rules.ID{rules.ASMAuthMethodsDefault}
				continue
			}
			if !slices.ContainsFunc(list, func(m string) bool { return !strings.HasSuffix(m, "tls_client_auth") }) && of == "token_endpoint" {
				f := j.fail(m.x, "the token endpoint takes client certificates only").differ("none, or a method without certificates", strings.Join(list, ", "))
				f.Rules, f.Severity, f.Affected = []rules.ID{rules.ClientauthMTLSUnsupported}, High, "every client of MCP that is known"
			}
			signed := slices.Contains(list, "private_key_jwt") || slices.Contains(list, "client_secret_jwt")
			algs, _, _ := m.obj.Strings(of + "_auth_signing_alg_values_supported")
			switch {
			case signed && len(algs) == 0:
				j.fail(m.x, of+": a method of signed assertions is listed without algorithms").Rules = []rules.ID{rules.ASMAuthSigningAlg}
			case slices.Contains(algs, "none"):
				f := j.fail(m.x, of+": assertions may be unsigned")
				f.Rules, f.Severity = []rules.ID{rules.ASMAuthSigningAlg}, High
			}
		}
	}
}

func judgeASMRouteIn(j *judgement) {
	for _, m := range j.perIssuer() {
		raw, has := m.obj.Raw("client_id_metadata_document_supported")
		cimd, _, isBool := m.obj.Bool("client_id_metadata_document_supported")
		if has && !isBool {
			j.fail(m.x, "client_id_metadata_document_supported is no boolean").differ("true or false", string(raw)).Rules = []rules.ID{rules.ASMCIMDFlag}
		}
		reg, _, _ := m.obj.String("registration_endpoint")
		if !cimd && reg == "" {
			f := j.fail(m.x, "a client that was never seen before has no way in: no client ID metadata documents, no registration endpoint")
			f.Rules, f.Affected = []rules.ID{rules.RegPriority}, "every client that was not registered by hand"
		}
	}
}

func judgeASMIss(j *judgement) {
	for _, m := range j.perIssuer() {
		raw, has := m.obj.Raw("authorization_response_iss_parameter_supported")
		iss, _, isBool := m.obj.Bool("authorization_response_iss_parameter_supported")
		switch {
		case has && !isBool:
			j.fail(m.x, "authorization_response_iss_parameter_supported is no boolean").differ("true", string(raw)).Rules = []rules.ID{rules.ASMIssFlagBoolean}
		case !iss:
			j.fail(m.x, "the issuer does not say that it sends iss").Rules = []rules.ID{rules.IssuerASAdvertises}
		}
	}
}

func judgeASMNoneAlg(j *judgement) {
	for _, m := range j.perIssuer() {
		for _, member := range m.obj {
			if !strings.HasSuffix(member.Name, "_alg_values_supported") || strings.Contains(member.Name, "auth_signing") || strings.Contains(member.Name, "request_object") {
				continue
			}
			list, _, _ := m.obj.Strings(member.Name)
			for _, alg := range list {
				if alg == "none" || strings.HasPrefix(alg, "HS") {
					f := j.fail(m.x, member.Name+" lists "+alg)
					if member.Name == "dpop_signing_alg_values_supported" {
						f.Rules = []rules.ID{rules.ExtDPoPAlgList}
					}
					if alg != "none" {
						f.Severity = Medium
					}
				}
			}
		}
	}
}

func judgeASMPAR(j *judgement) {
	for _, m := range j.perIssuer() {
		if required, _, _ := m.obj.Bool("require_pushed_authorization_requests"); required {
			j.fail(m.x, "the issuer takes pushed authorization requests only").Affected = "every client of MCP"
		}
	}
}

func judgeASMScopes(j *judgement) {
	for _, p := range j.e.reading().prm {
		want, _, _ := p.obj.Strings("scopes_supported")
		for _, m := range j.perIssuer() {
			have, present, ok := m.obj.Strings("scopes_supported")
			if lacks := wire.Missing(have, want); present && ok && len(have) > 0 && len(lacks) > 0 {
				j.fail(m.x, "the resource lists scopes that its issuer does not").differ(strings.Join(want, " "), strings.Join(have, " "))
			}
		}
		return
	}
	j.end(CouldNotRun, "there is no resource metadata to compare with")
}

func judgeASMLegacy(j *judgement) {
	switch {
	case len(j.e.reading().prm) > 0:
	case len(j.e.legs(LegPRM)) == 0:
		j.end(CouldNotRun, "no address of resource metadata was asked")
	case len(j.e.reading().asm) > 0:
		j.end(Fact, "no resource metadata: clients apply the rules of MCP 2025-03-26 and take the origin for the issuer")
	default:
		j.end(Fact, "no resource metadata and no metadata at the origin: clients of MCP 2025-03-26 use the default endpoints, later ones refuse")
	}
}

// minRSA is the least length of an RSA modulus in bytes (2048 bits).
const minRSA = 256

func judgeASMJWKS(j *judgement) {
	n := 0
	for _, x := range j.e.legs(LegJWKS) {
		n++
		if x.status() != 200 {
			f := j.fail(x, "the key set cannot be read").differ("200", fmt.Sprint(x.status()))
			f.Rules, f.Severity = []rules.ID{rules.ASMJWKSHTTPS, rules.RSIntrospectDown}, Medium
			continue
		}
		obj, err := wire.ParseObject(x.Response.Body)
		if err != nil {
			j.fail(x, "the key set is no JSON object: "+err.Error()).Severity = Medium
			continue
		}
		keys, ok := objects(obj, "keys")
		if !ok {
			j.fail(x, "the key set has no array called keys").Severity = Medium
			continue
		}
		if len(keys) == 0 {
			j.end(Fact, "the key set is empty: no token that is a JWT can be verified")
		}
		judgeKeys(j, x, keys)
	}
	if n == 0 {
		j.end(NotApplicable, "no issuer publishes keys")
	}
}

func judgeKeys(j *judgement, x *Exchange, keys []wire.Object) {
	var kids []string
	for i, k := range keys {
		kid, _, _ := k.String("kid")
		name := fmt.Sprintf("key %d", i+1)
		if kid != "" {
			name += " (" + wire.Clean(kid, 60) + ")"
		}
		kty, _, _ := k.String("kty")
		for _, private := range []string{"d", "p", "q", "dp", "dq", "qi", "k"} {
			if _, has := k.Raw(private); has {
				j.fail(x, name+" is published with its private part "+private)
				break
			}
		}
		if slices.Contains(kids, kid) {
			j.fail(x, name+": the same kid stands at two keys").Severity = Medium
		}
		kids = append(kids, kid)
		if n, _, ok := k.String("n"); ok && kty == "RSA" {
			if raw, err := base64.RawURLEncoding.DecodeString(n); err == nil && len(raw) < minRSA {
				j.fail(x, fmt.Sprintf("%s is an RSA key of %d bits", name, len(raw)*8)).Severity = High
			}
		}
	}
}
