package audit

import (
	"fmt"
	"slices"
	"strings"

	"github.com/stile-oauth/stile/states/rules"
	"github.com/stile-oauth/stile/states/wire"
)

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
	if len(at) > 0 && !slices.ContainsFunc(at, func(a string) bool { return strings.Contains(a, "/.well-known/oauth-authorization-server") }) {
		j.end(Fact, "only OpenID Connect documents are served; clients that know RFC 8414 alone find none")
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
			if name == "device_authorization_endpoint" {
				f.Rules = append(f.Rules, rules.ExtDeviceHTTPS)
			}
			if rule == rules.ASMEndpointScheme {
				f.Severity = Critical
			}
			if name == "authorization_endpoint" && strings.ContainsAny(s, "`$();|<>\"'\\ ") {
				f.Rules, f.Severity = append(f.Rules, rules.AuthzReqNoShell), Critical
			}
		}
	}
}

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
