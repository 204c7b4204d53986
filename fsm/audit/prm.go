package audit

import (
	"fmt"
	"slices"
	"strings"

	"github.com/stile-oauth/stile/states/rules"
	"github.com/stile-oauth/stile/states/wire"
)

// prmChecks are about the metadata that the MCP server publishes (RFC 9728).
var prmChecks = []Check{
	{ID: "prm.served", Rules: []rules.ID{rules.PRMServed, rules.PRMWellknownInsertion, rules.PRMProbeOrder}, Since: "2025-06-18", Severity: High, Safety: Passive, Threat: Interop,
		Does:   "Asks for the metadata at the address that the challenge names, at the well-known address of the path, and at the root.",
		Passes: "One of them is a JSON object with status 200.",
		Why:    "Without it a client does not know who issues tokens for this server.",
		Fix:    "Serve /.well-known/oauth-protected-resource followed by the path of the MCP endpoint.",
		plan:   planPRM, judge: judgePRMServed},
	{ID: "prm.header-dead", Rules: []rules.ID{rules.PRMHeaderURLDead}, Since: "2025-06-18", Severity: High, Safety: Passive, Threat: Interop,
		Does:   "Asks for the metadata at the address that the challenge names.",
		Passes: "It is there.",
		Why:    "Clients that trust the challenge stop there; only some go on to the well-known addresses.",
		Fix:    "Name the address where the metadata is served, as it is seen from outside.",
		plan:   planPRM, judge: judgePRMHeaderDead},
	{ID: "prm.status-type", Rules: []rules.ID{rules.PRMContentType, rules.PRMStatus200}, Since: "2025-06-18", Severity: Medium, Safety: Passive, Threat: Interop,
		Does:   "Reads status and Content-Type of each metadata document.",
		Passes: "Status 200 and application/json.",
		Why:    "RFC 9728 §3.2; clients that check the type refuse another one.",
		Fix:    "Send Content-Type: application/json, and 404 where there is no document.",
		plan:   planPRM, judge: judgePRMType},
	{ID: "prm.public", Rules: []rules.ID{rules.PRMPublic}, Since: "2025-06-18", Severity: High, Safety: Passive, Threat: Interop,
		Does:   "Asks for the metadata without a token.",
		Passes: "No answer is 401 or 403.",
		Why:    "The metadata tells how to get a token; nobody has one yet when they read it.",
		Fix:    "Exempt /.well-known/ from authentication, in the server and in the proxy before it.",
		plan:   planPRM, judge: judgePRMPublic},
	{ID: "prm.json", Rules: []rules.ID{rules.PRMJSONStrict, rules.PRMJSONObject, rules.PRMDisplayUntrusted}, Since: "2025-06-18", Severity: Medium, Safety: Passive, Threat: Mixup,
		Does:   "Parses each document strictly: names once and in exact case, nothing behind the end, valid UTF-8, bounded.",
		Passes: "Each document with status 200 parses.",
		Why:    "Two parsers that read an ambiguous document differently disagree about who is trusted.",
		Fix:    "Let a JSON library write the document, from one object.",
		plan:   planPRM, judge: judgePRMJSON},
	{ID: "prm.resource", Rules: []rules.ID{rules.PRMResourcePresent, rules.PRMResourceSyntax}, Since: "2025-06-18", Severity: High, Safety: Passive, Threat: Audience,
		Does:   "Reads resource.",
		Passes: "It is an absolute https URL without fragment and user information.",
		Why:    "The client sends it as resource, and the token is for it.",
		Fix:    "Publish the address of the MCP endpoint as clients use it.",
		plan:   planPRM, judge: judgePRMResource},
	{ID: "prm.match", Rules: []rules.ID{rules.PRMResourceMatchWellknown, rules.PRMResourceMatchHeader, rules.PRMResourceSlash, rules.PRMResourcePrefix, rules.PRMResourceCrossOrigin}, Since: "2025-06-18", Severity: High, Safety: Passive, Threat: Audience,
		Does:   "Compares resource with the address that the document was asked for.",
		Passes: "They are the same string.",
		Why:    "A client that cannot tell the two to be the same must refuse (RFC 9728 §3.3).",
		Fix:    "Publish exactly the address that users enter: no slash more or less, no inner host name.",
		plan:   planPRM, judge: judgePRMMatch},
	{ID: "prm.as-list", Rules: []rules.ID{rules.PRMAuthorizationServers, rules.PRMIssuerEntrySyntax}, Since: "2025-06-18", Severity: High, Safety: Passive, Threat: Interop,
		Does:   "Reads authorization_servers.",
		Passes: "It lists at least one issuer, each an https URL without query and fragment.",
		Why:    "MCP requires it; the client has nowhere else to go.",
		Fix:    "List the issuer identifiers, exactly as they stand in the issuers' own metadata.",
		plan:   planPRM, judge: judgePRMServers},
	{ID: "prm.as-resolves", Rules: []rules.ID{rules.PRMASResolves}, Since: "2025-06-18", Severity: Medium, Safety: Passive, Threat: Interop,
		Does:   "Asks for the metadata of every issuer that is listed.",
		Passes: "Each has a document.",
		Why:    "A client may choose any of them.",
		Fix:    "Take issuers that are gone off the list.",
		plan:   planASM, judge: judgePRMResolves},
	{ID: "prm.agree", Rules: []rules.ID{rules.PRMLocationsAgree}, Since: "2025-06-18", Severity: Medium, Safety: Passive, Threat: Mixup,
		Does:   "Compares the documents of the different addresses.",
		Passes: "Those that name the same resource list the same issuers.",
		Why:    "Which one a client reads depends on its probe order.",
		Fix:    "Serve one document at all of them.",
		plan:   planPRM, judge: judgePRMAgree},
	{ID: "prm.internal", Rules: []rules.ID{rules.NetIPPolicy, rules.URLHTTPS, rules.PRMTLS, rules.AuthzReqURLHostPolicy}, Since: "2025-06-18", Severity: High, Safety: Passive, Threat: SSRF,
		Does:   "Reads every URL of resource and authorization server metadata.",
		Passes: "On a public server none names localhost, a private address or an internal host.",
		Why:    "Clients refuse to go there, and it tells where the server really runs.",
		Fix:    "Configure the public address; behind a proxy, let the framework trust X-Forwarded-Host and -Proto from that proxy only.",
		plan:   planASM, judge: judgeInternal},
	{ID: "prm.scopes", Rules: []rules.ID{rules.PRMScopesSupported, rules.PRMScopesNoOfflineAccess, rules.PRMResourceScopeConsistent}, Since: "2025-06-18", Severity: Low, Safety: Passive, Threat: Interop,
		Does:   "Reads scopes_supported and compares it with the challenge.",
		Passes: "It is an array of scope tokens without offline_access that holds what the challenge asks for.",
		Why:    "Clients without a scope in the challenge ask for this list.",
		Fix:    "List the scopes that a client needs for basic use, each once.",
		plan:   planPRM, judge: judgePRMScopes},
	{ID: "prm.methods", Rules: []rules.ID{rules.PRMBearerMethods, rules.PRMEmptyOmitted}, Since: "2025-06-18", Severity: Low, Safety: Passive, Threat: Interop,
		Does:   "Reads bearer_methods_supported.",
		Passes: "It is absent, or lists header.",
		Why:    "MCP sends tokens in the header only; an empty list says that there is no way at all.",
		Fix:    `Publish ["header"] or leave the member out.`,
		plan:   planPRM, judge: judgePRMMethods},
	{ID: "prm.cors", Rules: []rules.ID{rules.RSPRMCORS}, Since: "2025-06-18", Severity: Medium, Safety: Passive, Threat: Interop,
		Does:   "Reads the CORS header of each metadata document.",
		Passes: "Access-Control-Allow-Origin is there.",
		Why:    "A client that runs in a browser cannot read the document without it.",
		Fix:    "Send Access-Control-Allow-Origin: * on metadata; it is public.",
		plan:   planPRM, judge: func(j *judgement) { judgeCORS(j, LegPRM) }},
	{ID: "prm.cache", Rules: []rules.ID{rules.RSPRMCacheHeaders, rules.PRMCacheBounded}, Since: "2025-06-18", Severity: Low, Safety: Passive, Threat: Interop,
		Does:   "Reads Cache-Control of each metadata document.",
		Passes: "It is there, and bounded to a day.",
		Why:    "Without it each client decides for itself how long an old issuer is used.",
		Fix:    "Send Cache-Control: public, max-age=3600.",
		plan:   planPRM, judge: func(j *judgement) { judgeCache(j, LegPRM) }},
	{ID: "prm.dpop-flag", Rules: []rules.ID{rules.PRMDPoPRequired, rules.ExtDPoPAlgList}, Since: "2025-06-18", Severity: Medium, Safety: Passive, Threat: Interop,
		Does:   "Reads dpop_bound_access_tokens_required.",
		Passes: "Where it is true, an issuer lists DPoP algorithms.",
		Why:    "A client could otherwise never get a token that the server takes.",
		Fix:    "Turn DPoP on at the issuer, or the requirement off at the server.",
		plan:   planASM, judge: judgeDPoPFlag},
}

// documents gives the resource metadata; none ends the check as one that could
// not run.
func (j *judgement) documents() []document {
	list := j.e.reading().prm
	if len(list) == 0 {
		j.end(CouldNotRun, j.unanswered(LegPRM, "there is no resource metadata to read"))
	}
	return list
}

func judgePRMServed(j *judgement) {
	asked := j.e.legs(LegPRM)
	if len(asked) == 0 {
		j.end(CouldNotRun, j.unanswered(LegPRM, "no address of resource metadata was asked"))
		return
	}
	var at []string
	for _, m := range j.e.reading().prm {
		at = append(at, m.x.Request.URL)
	}
	if len(at) > 0 {
		j.v.Why = "served at " + wire.Clean(strings.Join(at, " and "), 300)
		return
	}
	if j.open() {
		j.end(NotApplicable, "the server is open: it answers without a token")
		return
	}
	f := j.fail(asked[len(asked)-1], "no resource metadata is served at any address")
	f.Affected = "every client since 2025-06-18; the rows of 2025-03-26 may still apply"
}

func judgePRMHeaderDead(j *judgement) {
	named := j.e.metadataURL()
	if named == "" {
		j.end(NotApplicable, "the challenge names no address")
		return
	}
	for _, x := range j.e.legs(LegPRM) {
		if x.Request.URL != named {
			continue
		}
		if x.status() != 200 {
			j.fail(x, "the address that the challenge names has no document").differ("200", fmt.Sprint(x.status())).Affected = "the TypeScript SDK stops here; go-sdk and Stile go on to the well-known addresses"
		}
		return
	}
	j.end(CouldNotRun, "the address that the challenge names was not answered")
}

func judgePRMType(j *judgement) {
	asked := j.e.legs(LegPRM)
	if len(asked) == 0 {
		j.end(CouldNotRun, j.unanswered(LegPRM, "no address of resource metadata was asked"))
	}
	for _, x := range asked {
		judgeStatusType(j, x, rules.PRMStatus200, rules.PRMContentType)
	}
}

// judgeStatusType judges status and type of a published document; 404 and its
// like say properly that there is none.
func judgeStatusType(j *judgement, x *Exchange, status, ctype rules.ID) {
	switch s := x.status(); {
	case s == 200 && x.mediaType() != "application/json":
		j.fail(x, "a metadata document is not application/json").differ("application/json", strings.Join(x.got("Content-Type"), ", ")).Rules = []rules.ID{ctype}
	case s != 200 && s < 300:
		j.fail(x, "a metadata document has a status other than 200").differ("200", fmt.Sprint(s)).Rules = []rules.ID{status}
	case s >= 500:
		j.fail(x, "the place of a metadata document answers with an error of the server").differ("200 or 404", fmt.Sprint(s)).Rules = []rules.ID{status}
	}
}

func judgePRMPublic(j *judgement) {
	asked := j.e.legs(LegPRM)
	if len(asked) == 0 {
		j.end(CouldNotRun, j.unanswered(LegPRM, "no address of resource metadata was asked"))
	}
	for _, x := range asked {
		if s := x.status(); (s == 401 || s == 403) && len(x.sent("Authorization")) == 0 {
			j.fail(x, "the metadata is protected").differ("200", fmt.Sprint(s)).Affected = "every client"
		}
	}
}

func judgePRMJSON(j *judgement) { judgeJSON(j, LegPRM, rules.PRMJSONObject, rules.PRMJSONStrict) }

// judgeJSON parses each document of the leg strictly.
func judgeJSON(j *judgement, leg Leg, object, strict rules.ID) {
	n := 0
	for _, x := range j.e.legs(leg) {
		if x.status() != 200 {
			continue
		}
		n++
		if x.Response.Oversized {
			j.fail(x, "the document is longer than any client reads").Rules = []rules.ID{strict}
			continue
		}
		obj, err := wire.ParseObject(x.Response.Body)
		for _, m := range obj {
			if is, ok := variant(m.Name); ok {
				j.fail(x, "a member is called almost as one that clients read").differ(is, m.Name).Rules = []rules.ID{strict}
			}
			if s, _, ok := obj.String(m.Name); ok && !wire.PlainText(s) && m.Name == "resource_name" {
				f := j.fail(x, "resource_name holds characters that a terminal obeys")
				f.Rules = []rules.ID{rules.PRMDisplayUntrusted}
			}
		}
		if err != nil {
			rule := strict
			if !strings.HasPrefix(strings.TrimSpace(string(x.Response.Body[:min(len(x.Response.Body), 64)])), "{") {
				rule = object
			}
			if len(x.Response.Body) == 0 && leg == LegASM {
				j.fail(x, "the document is empty").Rules = []rules.ID{rules.ASMContentType, strict}
				continue
			}
			j.fail(x, "the document is not a JSON object that is read in one way only: "+err.Error()).Rules = []rules.ID{rule}
		}
	}
	if n == 0 {
		j.end(CouldNotRun, j.unanswered(leg, "there is no document to parse"))
	}
}

// loopback is the policy of URLs on this target.
func (j *judgement) urls() wire.URLPolicy {
	return wire.URLPolicy{AllowLoopbackHTTP: j.e.Target == "" || wire.IsLoopbackHTTP(j.e.Target)}
}

func judgePRMResource(j *judgement) {
	for _, m := range j.documents() {
		s, present, ok := m.obj.String("resource")
		switch {
		case !present:
			j.fail(m.x, "the metadata has no resource").Rules = []rules.ID{rules.PRMResourcePresent}
		case !ok || s == "":
			j.fail(m.x, "resource is no string with content").Rules = []rules.ID{rules.PRMResourcePresent}
		default:
			if bad := wire.CheckURL(s, j.urls()); bad != nil {
				j.fail(m.x, "resource is no URL that a token can be for: "+bad.Error()).differ("an absolute https URL", s).Rules = []rules.ID{rules.PRMResourceSyntax}
			}
		}
	}
}

// tiers say who refuses what (docs/decision-tables.md#t4).
var tiers = map[string]struct {
	rule     rules.ID
	affected string
	severity Severity
}{
	"#t4-2": {rules.PRMResourceSlash, "go-sdk refuses; the TypeScript SDK and Stile go on", High},
	"#t4-3": {rules.PRMResourceMatchWellknown, "go-sdk refuses; the TypeScript SDK and Stile go on", High},
	"#t4-4": {rules.PRMResourcePrefix, "go-sdk refuses; the TypeScript SDK and Stile go on", High},
	"#t4-5": {rules.PRMResourceMatchWellknown, "every client refuses", High},
	"#t4-6": {rules.PRMResourceCrossOrigin, "every client refuses", Critical},
}

func judgePRMMatch(j *judgement) {
	if j.e.Target == "" {
		j.end(CouldNotRun, "the address of the MCP server is not known")
		return
	}
	target, err := wire.CanonicalServer(j.e.Target)
	if err != nil {
		target = j.e.Target
	}
	for _, m := range j.documents() {
		s, _, ok := m.obj.String("resource")
		if !ok || s == "" {
			continue // prm.resource
		}
		reference := target
		if m.x.Request.URL == wire.PRMRootURL(target) && m.x.Request.URL != wire.PRMPathURL(target) {
			reference = wire.Origin(target)
			if s == target {
				continue // MCP's own fallback: the root document may name the endpoint itself
			}
		}
		tier, _ := wire.MatchResource(reference, s, false)
		t, differs := tiers[tier]
		if !differs {
			continue
		}
		f := j.fail(m.x, "resource is not the address that was asked for (docs/decision-tables.md"+tier+")").differ(reference, s)
		f.Rules, f.Affected, f.Severity = []rules.ID{t.rule}, t.affected, t.severity
		if tier == "#t4-5" && m.x.Probe == probePRMNamed {
			f.Rules = []rules.ID{rules.PRMResourceMatchHeader}
		}
	}
}

func judgePRMServers(j *judgement) {
	for _, m := range j.documents() {
		list, present, ok := m.obj.Strings("authorization_servers")
		switch {
		case !present || ok && len(list) == 0:
			j.fail(m.x, "the metadata lists no authorization server").Rules = []rules.ID{rules.PRMAuthorizationServers}
		case !ok:
			j.fail(m.x, "authorization_servers is no array of strings").Rules = []rules.ID{rules.PRMAuthorizationServers, rules.PRMIssuerEntrySyntax}
		}
		for _, issuer := range list {
			if bad := wire.CheckURL(issuer, j.urls()); bad != nil || !wire.SoundIssuer(issuer) {
				says := "an entry of authorization_servers is no issuer"
				if bad != nil {
					says += ": " + bad.Error()
				}
				j.fail(m.x, says).differ("an https URL without query and fragment", issuer).Rules = []rules.ID{rules.PRMIssuerEntrySyntax}
			}
		}
	}
}

func judgePRMResolves(j *judgement) {
	docs := j.documents()
	if len(docs) == 0 {
		return
	}
	for _, issuer := range j.e.issuers() {
		asked, found := (*Exchange)(nil), false
		for i := range j.e.Exchanges {
			if x := &j.e.Exchanges[i]; x.Leg == LegASM && x.Issuer == issuer {
				asked = x
			}
		}
		for _, m := range j.e.reading().asm {
			found = found || m.x.Issuer == issuer
		}
		switch {
		case found:
		case asked == nil:
			j.end(CouldNotRun, "the metadata of "+issuer+" was not asked for")
		default:
			j.fail(asked, "a listed issuer has no metadata at any address").differ("metadata of "+issuer, "none")
		}
	}
}

func judgePRMAgree(j *judgement) {
	docs := j.documents()
	if len(docs) < 2 {
		if len(docs) == 1 {
			j.end(NotApplicable, "there is one document only")
		}
		return
	}
	first := docs[0]
	resource, _, _ := first.obj.String("resource")
	issuers, _, _ := first.obj.Strings("authorization_servers")
	for _, m := range docs[1:] {
		r, _, _ := m.obj.String("resource")
		list, _, _ := m.obj.Strings("authorization_servers")
		if r == resource && !slices.Equal(list, issuers) {
			j.fail(m.x, "two documents for one resource list different issuers").differ(strings.Join(issuers, " "), strings.Join(list, " "))
		}
	}
}

func judgePRMScopes(j *judgement) {
	for _, m := range j.documents() {
		list, present, ok := m.obj.Strings("scopes_supported")
		if !present {
			continue
		}
		if !ok {
			j.fail(m.x, "scopes_supported is no array of strings").Rules = []rules.ID{rules.PRMScopesSupported}
			continue
		}
		for _, s := range list {
			if p := wire.ParseScope(s); len(p) != 1 || p[0] != s {
				j.fail(m.x, "scopes_supported has an entry that is no scope token").differ("one scope token", s).Rules = []rules.ID{rules.PRMScopesSupported}
			}
		}
		if slices.Contains(list, "offline_access") {
			j.fail(m.x, "scopes_supported lists offline_access").Rules = []rules.ID{rules.PRMScopesNoOfflineAccess}
		}
		for _, c := range j.firsts() {
			for _, a := range c.all {
				v, _ := a.Get("scope")
				if lacks := wire.Missing(list, wire.ParseScope(v)); len(lacks) > 0 && len(list) > 0 && c.x.Probe == probe2025 {
					f := j.fail(c.x, "the challenge asks for a scope that scopes_supported does not list").differ(strings.Join(list, " "), v)
					f.Rules, f.Severity = []rules.ID{rules.PRMResourceScopeConsistent}, Info
				}
			}
		}
	}
}

func judgePRMMethods(j *judgement) {
	for _, m := range j.documents() {
		list, present, ok := m.obj.Strings("bearer_methods_supported")
		switch {
		case !present:
		case !ok:
			j.fail(m.x, "bearer_methods_supported is no array of strings")
		case len(list) == 0:
			j.fail(m.x, "bearer_methods_supported is empty").Rules = []rules.ID{rules.PRMEmptyOmitted}
		case !slices.Contains(list, "header"):
			j.fail(m.x, "bearer_methods_supported does not list header").differ("header", strings.Join(list, " "))
		}
	}
}

func judgeDPoPFlag(j *judgement) {
	for _, m := range j.documents() {
		if required, _, _ := m.obj.Bool("dpop_bound_access_tokens_required"); !required {
			continue
		}
		lists := false
		for _, a := range j.e.reading().asm {
			algs, _, _ := a.obj.Strings("dpop_signing_alg_values_supported")
			lists = lists || len(algs) > 0
		}
		if !lists {
			j.fail(m.x, "DPoP-bound tokens are required, and no issuer lists DPoP algorithms")
		}
		return
	}
	if j.v.Outcome == Pass {
		j.end(NotApplicable, "DPoP is not required")
	}
}

// fewFields is why a trace does not show some header fields.
const fewFields = "a trace keeps the header fields that the machine reads, and no others"

// judgeCORS looks for the header that a client in a browser needs.
func judgeCORS(j *judgement, leg Leg) {
	if j.e.Source == FromTrace {
		j.end(CouldNotRun, fewFields)
		return
	}
	n := 0
	for _, x := range j.e.legs(leg) {
		if x.status() != 200 {
			continue
		}
		n++
		if len(x.got("Access-Control-Allow-Origin")) == 0 {
			j.fail(x, "a metadata document has no Access-Control-Allow-Origin").Affected = "clients that run in a browser"
		}
	}
	if n == 0 {
		j.end(CouldNotRun, j.unanswered(leg, "there is no document"))
	}
}

// judgeCache looks for a bounded Cache-Control.
func judgeCache(j *judgement, leg Leg) {
	n := 0
	for _, x := range j.e.legs(leg) {
		if x.status() != 200 {
			continue
		}
		n++
		cc := strings.ToLower(strings.Join(x.got("Cache-Control"), ", "))
		age, has := maxAge(cc)
		switch {
		case cc == "":
			j.fail(x, "a metadata document has no Cache-Control")
		case has && age > 86400:
			j.fail(x, "a metadata document may be kept for longer than a day").differ("max-age=86400 at most", cc)
		}
	}
	if n == 0 {
		j.end(CouldNotRun, j.unanswered(leg, "there is no document"))
	}
}
