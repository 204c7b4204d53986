package audit

import (
	"strings"
	"time"

	"github.com/stile-oauth/stile/states/rules"
	"github.com/stile-oauth/stile/states/wire"
)

// assertionChecks bring assertions of an issuer that the operator signs for: ID-JAGs of
// an identity provider (enterprise-managed authorization), and assertions about a
// workload. Each is good but for one thing.
var assertionChecks = []Check{
	broughtCheck("ext.ema-typ", High, Takeover, probeJAG, []rules.ID{rules.ExtEMAJAGTyp}, "Redeems an ID-JAG whose typ is that of another JWT.",
		"An ID token or an access token of the same identity provider would do as well.", "Take oauth-id-jag+jwt alone.", "typ"),
	broughtCheck("ext.ema-aud", Critical, Audience, probeJAG, []rules.ID{rules.ExtEMAAudSingle}, "Redeems ID-JAGs for another server, and for two servers at once.",
		"The other server could bring it here, and act as the user.", "Refuse an ID-JAG whose aud is not the issuer alone.", "aud", "aud-two"),
	broughtCheck("ext.ema-client", Critical, Takeover, probeJAG, []rules.ID{rules.ExtEMAClientMatch}, "Redeems an ID-JAG that was made out to another client.",
		"A client that sees the ID-JAG of another one could act as the user.", "Compare client_id with the client that authenticated.", "client"),
	broughtCheck("ext.ema-resource", High, Audience, probeJAG, []rules.ID{rules.ExtEMAResourceMatch}, "Redeems an ID-JAG for a resource of somebody else, and asks for a token for one's own.",
		"The company allowed the client another resource.", "Issue tokens for the resource of the ID-JAG alone.", "resource"),
	broughtCheck("ext.ema-expired", High, Replay, probeJAG, []rules.ID{rules.ExtEMAJAGClaims}, "Redeems an ID-JAG from yesterday, and one without exp.",
		"A user who has left the company could go on.", "Require exp, and compare it with the clock.", "expired", "no-exp"),
	broughtCheck("ext.ema-replay", Medium, Replay, probeJAG, []rules.ID{rules.ExtEMAReplay}, "Redeems an ID-JAG a second time.",
		"An ID-JAG that leaks would be good until its end.", "Remember jti until exp.", "replayed"),
	broughtCheck("ext.ema-signature", Critical, Takeover, probeJAG, []rules.ID{rules.ExtEMASignature}, "Redeems ID-JAGs that nobody signed, that another key signed, and that come from an issuer nobody knows.",
		"Anybody could act as any user of the company.", "Verify the signature with keys of issuers that are configured, and with a list of algorithms.", "none", "key", "issuer"),
	broughtCheck("ext.wif-aud", Critical, Audience, probeWorkload, []rules.ID{rules.ExtWIFClaims}, "Brings an assertion about a workload that is for another server.",
		"The other server could act as the workload.", "Take the token endpoint or the issuer as aud, and nothing else.", "aud"),
	broughtCheck("ext.wif-expired", High, Replay, probeWorkload, []rules.ID{rules.ExtWIFClaims}, "Brings an assertion about a workload from yesterday, and one without exp.",
		"Assertions stay in logs and files for longer than a job runs.", "Require exp, and compare it with the clock.", "expired", "no-exp"),
	broughtCheck("ext.wif-signature", Critical, Takeover, probeWorkload, []rules.ID{rules.ExtWIFTrust}, "Brings assertions about a workload that nobody signed, that another key signed, and that come from an issuer nobody knows.",
		"Anybody could act as the workload.", "Verify the signature with keys of issuers that are configured, and with a list of algorithms.", "none", "key", "issuer"),
}

// The beginnings of the labels of assertions that are brought.
const (
	probeJAG      = "ema."
	probeWorkload = "wif."
)

// broughtCheck is a check whose wrong assertions all have to be refused.
func broughtCheck(id string, s Severity, t Threat, prefix string, cited []rules.ID, does, why, fix string, names ...string) Check {
	plan := planJAG
	if prefix == probeWorkload {
		plan = planWorkload
	}
	return Check{ID: id, Rules: cited, Severity: s, Safety: Login, Threat: t, Does: does,
		Passes: "The answer is 400 invalid_grant, and a good assertion of the same issuer gives a token.", Why: why, Fix: fix,
		plan: plan, judge: judgeBrought(prefix, names)}
}

// wrongAssertion is an assertion with one mistake.
type wrongAssertion struct {
	name, says string
	change     func(e *Evidence, s *statement, sign *signature)
}

// signature is what an assertion is signed with; without a key it is not signed.
type signature struct {
	key Key
	typ string
}

// wrongAssertions are brought one after the other.
var wrongAssertions = []wrongAssertion{
	{"typ", "an assertion of another type", func(_ *Evidence, _ *statement, g *signature) { g.typ = "JWT" }},
	{"aud", "an assertion for another server", func(_ *Evidence, s *statement, _ *signature) { s.Audience = "https://" + canary }},
	{"aud-two", "an assertion for two servers", func(_ *Evidence, s *statement, _ *signature) { s.Audience = []any{s.Audience, "https://" + canary} }},
	{"client", "an assertion that was made out to another client", func(_ *Evidence, s *statement, _ *signature) { s.ClientID = "stile-audit-no-such-client" }},
	{"resource", "an assertion for another resource", func(_ *Evidence, s *statement, _ *signature) { s.Resource = "https://" + canary + "/mcp" }},
	{"expired", "an assertion from yesterday", func(_ *Evidence, s *statement, _ *signature) {
		s.Expires, s.Issued = s.Expires-86400, s.Issued-86400
	}},
	{"no-exp", "an assertion without exp", func(_ *Evidence, s *statement, _ *signature) { s.Expires = 0 }},
	{"none", "an assertion that nobody signed", func(_ *Evidence, _ *statement, g *signature) { g.key = nil }},
	{"key", "an assertion by another key", func(e *Evidence, _ *statement, g *signature) { g.key = e.Stranger }},
	{"issuer", "an assertion of an issuer that nobody knows", func(e *Evidence, s *statement, g *signature) {
		s.Issuer, g.key = "https://"+canary, e.Stranger
	}},
}

// onlyJAG are the mistakes that an assertion about a workload cannot have: its type, its
// client and its resource are not prescribed.
const onlyJAG = " typ aud-two client resource "

// assertionLife is how long a good assertion is good.
const assertionLife = time.Minute

// brought is a probe of the jwt-bearer grant (RFC 7523 §2.1). As a client, the
// operator's client authenticates; an assertion about a workload comes without one.
func (e *Evidence) brought(label string, asClient bool, assertion func(now time.Time) string) Probe {
	r := e.ownRequest()
	r.Form = put(r.Form, "grant_type", jwtBearerGrant)
	return Probe{Label: label, Leg: LegToken, Request: r, Timed: func(now time.Time) wire.Request {
		out := r
		out.Form = append(r.Form[:len(r.Form):len(r.Form)], wire.Field{Name: "assertion", Value: assertion(now), Secret: true})
		if !asClient {
			return out
		}
		p := e.acting(label, LegToken, out)
		if p.Timed != nil {
			return p.Timed(now)
		}
		return p.Request
	}}
}

// made is an assertion with a mistake, or without one.
func (e *Evidence) made(label string, g signature, s statement, change func(e *Evidence, s *statement, sign *signature)) func(time.Time) string {
	return func(now time.Time) string {
		s.ID, s.Issued, s.Expires = e.draw(label+now.UTC().String()), now.Unix(), now.Add(assertionLife).Unix()
		if change != nil {
			change(e, &s, &g)
		}
		return s.signedBy(g.key, g.typ, "")
	}
}

// planJAG redeems ID-JAGs of the operator's identity provider.
func planJAG(e *Evidence) []Probe {
	out := planCredentials(e)
	if e.IdPKey == nil || e.Stranger == nil || e.Account == nil || e.Account.IdP == "" || len(e.labelled(probeOwn)) == 0 || !answered(e, out) {
		return out
	}
	m, _ := e.home()
	s := statement{Issuer: e.Account.IdP, Subject: e.Account.IdPSubject, Audience: m.x.Issuer, ClientID: e.Account.CCClient, Resource: e.resource(), Scope: e.scope()}
	return e.bring(out, probeJAG, true, signature{e.IdPKey, "oauth-id-jag+jwt"}, s)
}

// planWorkload brings assertions about the operator's workload.
func planWorkload(e *Evidence) []Probe {
	out := planASM(e)
	if e.WorkloadKey == nil || e.Stranger == nil || e.Account == nil || e.Account.Workload == "" || !answered(e, out) || e.address("token_endpoint") == "" {
		return out
	}
	s := statement{Issuer: e.Account.Workload, Subject: e.Account.WorkloadSubject, Audience: e.address("token_endpoint")}
	return e.bring(out, probeWorkload, false, signature{e.WorkloadKey, "JWT"}, s)
}

// bring adds the good assertion, the same once more, and the wrong ones.
func (e *Evidence) bring(out []Probe, prefix string, asClient bool, g signature, s statement) []Probe {
	right := prefix + "right"
	out = append(out, e.brought(right, asClient, e.made(right, g, s, nil)))
	x := e.probe(right)
	if x == nil || !gives(x) {
		return out
	}
	if used, ok := requestForm(x).Get("assertion"); ok && asClient {
		out = append(out, e.brought(prefix+"replayed", true, func(time.Time) string { return used }))
	}
	for _, w := range wrongAssertions {
		if asClient || !strings.Contains(onlyJAG, " "+w.name+" ") {
			out = append(out, e.brought(prefix+w.name, asClient, e.made(prefix+w.name, g, s, w.change)))
		}
	}
	return out
}
