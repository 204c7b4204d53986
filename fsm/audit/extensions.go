package audit

import (
	"slices"
	"strings"

	"github.com/stile-oauth/stile/states/rules"
)

// extensionChecks are about grants and proofs that are extensions of MCP.
var extensionChecks = []Check{
	{ID: "ext.cc-meta", Rules: []rules.ID{rules.ExtCCMetadata}, Severity: Low, Safety: Passive, Threat: Interop,
		Does:   "Compares client_credentials in the issuer's grant types with its authentication methods.",
		Passes: "Where the grant is listed, a method with a secret or a key is listed too, and private_key_jwt comes with its algorithms.",
		Why:    "A program without a user learns there how it may authenticate.",
		Fix:    "List client_secret_basic or private_key_jwt in token_endpoint_auth_methods_supported, and its algorithms in token_endpoint_auth_signing_alg_values_supported.",
		plan:   planASM, judge: judgeCCMetadata},
	{ID: "ext.ema-meta", Rules: []rules.ID{rules.ExtEMADiscovery}, Severity: Low, Safety: Passive, Threat: Interop,
		Does:   "Looks whether the profile of enterprise-managed authorization and its grant type are both listed.",
		Passes: "Both are, or the profile is not.",
		Why:    "A client that finds the profile sends an ID-JAG to the token endpoint.",
		Fix:    "Add urn:ietf:params:oauth:grant-type:jwt-bearer to grant_types_supported, or take the profile away.",
		plan:   planASM, judge: judgeEMAMetadata},
	{ID: "ext.dpop-meta", Rules: []rules.ID{rules.ExtDPoPAlgList}, Severity: Medium, Safety: Passive, Threat: Takeover,
		Does:   "Reads the algorithms that the issuer lists for proofs of possession.",
		Passes: "All are asymmetric, and none is not among them.",
		Why:    "A proof that anybody can make proves nothing (RFC 9449 §5.1).",
		Fix:    "List ES256, and no HS algorithm.",
		plan:   planASM, judge: judgeDPoPMetadata},
}

const (
	jwtBearerGrant = "urn:ietf:params:oauth:grant-type:jwt-bearer"
	idJAGProfile   = "urn:ietf:params:oauth:grant-profile:id-jag"
)

// offers gives the documents whose member lists the value. If none does, the check
// ends, since it is only about those that do.
func (j *judgement) offers(member, value, otherwise string) []document {
	var out []document
	docs := j.metadata()
	for _, m := range docs {
		if list, _, _ := m.obj.Strings(member); slices.Contains(list, value) {
			out = append(out, m)
		}
	}
	if len(docs) > 0 && len(out) == 0 {
		j.end(NotApplicable, otherwise)
	}
	return out
}

func judgeCCMetadata(j *judgement) {
	for _, m := range j.offers("grant_types_supported", "client_credentials", "the issuer does not list client_credentials") {
		methods, listed, _ := m.obj.Strings("token_endpoint_auth_methods_supported")
		if !listed { // RFC 8414 §2
			methods = []string{"client_secret_basic"}
		}
		if !slices.ContainsFunc(methods, func(s string) bool { return s != "none" }) {
			j.fail(m.x, "client_credentials is listed, and no method authenticates a client").differ("client_secret_basic or private_key_jwt", strings.Join(methods, " "))
			continue
		}
		algs, _, _ := m.obj.Strings("token_endpoint_auth_signing_alg_values_supported")
		if slices.Contains(methods, "private_key_jwt") && !slices.ContainsFunc(algs, asymmetric) {
			j.fail(m.x, "private_key_jwt is listed without an algorithm for it").differ("ES256", strings.Join(algs, " "))
		}
	}
}

func judgeEMAMetadata(j *judgement) {
	for _, m := range j.metadata() {
		profiles, _, _ := m.obj.Strings("authorization_grant_profiles_supported")
		grants, _, _ := m.obj.Strings("grant_types_supported")
		profile, grant := slices.Contains(profiles, idJAGProfile), slices.Contains(grants, jwtBearerGrant)
		switch {
		case profile && !grant:
			j.fail(m.x, "the profile of enterprise-managed authorization is listed without its grant type").differ(jwtBearerGrant, strings.Join(grants, " "))
		case grant && !profile:
			j.end(Fact, "jwt-bearer is listed without the profile of enterprise-managed authorization: it may be for workloads")
		case !grant:
			j.end(NotApplicable, "the issuer does not list the profile")
		}
	}
}

// asymmetric reports whether a JWS algorithm signs with a private key.
func asymmetric(alg string) bool {
	return alg != "none" && !strings.HasPrefix(alg, "HS")
}

func judgeDPoPMetadata(j *judgement) {
	seen := false
	for _, m := range j.metadata() {
		algs, listed, _ := m.obj.Strings("dpop_signing_alg_values_supported")
		if !listed {
			continue
		}
		seen = true
		for _, a := range algs {
			if !asymmetric(a) {
				j.fail(m.x, "proofs may be signed with an algorithm that proves nothing").differ("ES256", a)
			}
		}
		if len(algs) == 0 {
			j.fail(m.x, "the list of algorithms for proofs is empty").differ("ES256", "")
		}
	}
	if !seen && j.v.Outcome == Pass {
		j.end(NotApplicable, "the issuer lists no algorithms for proofs")
	}
}
