package audit

import (
	"slices"
	"strings"

	"github.com/stile-oauth/stile/states/rules"
	"github.com/stile-oauth/stile/states/wire"
)

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
	resource := j.e.reading().prm
	if len(resource) == 0 {
		j.end(CouldNotRun, "there is no resource metadata to compare with")
		return
	}
	want, _, _ := resource[0].obj.Strings("scopes_supported")
	for _, m := range j.perIssuer() {
		have, present, ok := m.obj.Strings("scopes_supported")
		if lacks := wire.Missing(have, want); present && ok && len(have) > 0 && len(lacks) > 0 {
			j.fail(m.x, "the resource lists scopes that its issuer does not").differ(strings.Join(want, " "), strings.Join(have, " "))
		}
	}
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
