package audit

import (
	"fmt"
	"slices"
	"strings"

	"github.com/stile-oauth/stile/states/rules"
	"github.com/stile-oauth/stile/states/wire"
)

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
	root := wire.PRMRootURL(j.e.server())
	if len(at) > 0 && !slices.ContainsFunc(at, func(a string) bool { return a != root }) && root != wire.PRMPathURL(j.e.server()) {
		j.end(Fact, "served at the root only; the address for the path of the server has none")
		return
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
	target := j.e.server().Canonical()
	for _, m := range j.documents() {
		s, _, ok := m.obj.String("resource")
		if !ok || s == "" {
			continue // prm.resource
		}
		reference := target
		if m.x.Request.URL == wire.PRMRootURL(target) && m.x.Request.URL != wire.PRMPathURL(target) {
			reference = target.Root()
			if s == target.String() {
				continue // MCP's own fallback: the root document may name the endpoint itself
			}
		}
		tier, _ := wire.MatchResource(reference, s, false)
		t, differs := tiers[tier]
		if !differs {
			continue
		}
		f := j.fail(m.x, "resource is not the address that was asked for (docs/decision-tables.md"+tier+")").differ(reference.String(), s)
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
