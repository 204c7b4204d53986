package transitions

import (
	"slices"

	"github.com/stile-oauth/stile/states"
	"github.com/stile-oauth/stile/states/rules"
	"github.com/stile-oauth/stile/states/wire"
)

// probeResource lays out the addresses of T3: the challenge's, then path, then
// root.
func (k *step) probeResource() {
	f := k.flow()
	f.Candidates, f.Candidate, f.Trouble, f.Remembered = nil, 0, false, nil
	for _, u := range []string{f.Metadata, wire.PRMPathURL(k.Config.Resource), wire.PRMRootURL(k.Config.Resource)} {
		if u != "" && !slices.Contains(f.Candidates, u) {
			f.Candidates = append(f.Candidates, u)
		}
	}
}

func discoveringPRM(k *step) Event {
	switch in := k.in.(type) {
	case states.Responded:
		switch class := statusClass(in.Response); class {
		case wire.ClassServer, wire.ClassThrottled:
			return k.prmTrouble(wire.Problem{Rule: rules.PRMStatus200, Detail: statusText(in.Response)}, &in.Response)
		}
		prm, found, bad := wire.ParsePRM(in.Response, k.prmPolicy())
		k.note(found...)
		if bad != nil && bad.Refuse {
			return k.fail(PRMRefused, states.PartyPeer, *bad)
		}
		if bad != nil {
			return k.prmNext(bad)
		}
		return k.prmFound(prm)
	case states.Unreachable:
		p, refused := unanswered(in)
		if refused {
			return k.fail(PRMRefused, partyOf(p), p)
		}
		return k.prmTrouble(p, nil)
	case states.Cancelled:
		return k.cancelled(Cancelled)
	}
	return Illegal
}

func (k *step) prmPolicy() wire.PRMPolicy {
	f, c := k.Flow, k.Config
	here := f.Candidates[f.Candidate]
	reference, fromHeader := c.Resource, here == f.Metadata
	if !fromHeader && here == wire.PRMRootURL(c.Resource) {
		if u := wire.PRMPathURL(c.Resource); u != here {
			reference = wire.Origin(c.Resource)
		}
	}
	p := wire.PRMPolicy{
		Server: c.Resource, Reference: reference, FromHeader: fromHeader, Strict: c.Strict,
		AllowMissingResource: c.Has(states.PRMNoResource), IssuerConfigured: c.Issuer != "",
		URL: wire.URLPolicy{AllowLoopbackHTTP: c.Loopback},
	}
	for _, q := range c.Quirks {
		if q.Name == states.ResourceAlias && len(q.Values) == 2 && (q.Values[0] == c.Server || q.Values[0] == c.Resource) {
			p.Alias = append(p.Alias, q.Values[1])
		}
	}
	return p
}

// prmTrouble: no usable answer came. That never means "not there"
// (rule asm-5xx-not-absent).
func (k *step) prmTrouble(p wire.Problem, r *wire.Response) Event {
	if k.again(retriesGet, r) {
		return PRMTrouble
	}
	f := k.flow()
	f.Trouble = true
	if f.Remembered == nil || remembersLess(f.Remembered) {
		f.Remembered = &p
	}
	return k.prmOn()
}

// prmNext: this candidate will not do; the first finding that says more than
// "not there" is remembered and cited at the end.
func (k *step) prmNext(bad *wire.Problem) Event {
	f := k.flow()
	if f.Remembered == nil || remembersLess(f.Remembered) && !remembersLess(bad) {
		f.Remembered = bad
	}
	return k.prmOn()
}

// remembersLess reports whether a problem says only that nothing was there.
func remembersLess(p *wire.Problem) bool {
	switch p.Rule {
	case rules.PRMServed, rules.PRMPublic, rules.PRMStatus200,
		rules.ASMServed, rules.ASM4xxContinues, rules.ASMStatus200:
		return true
	}
	return false
}

func (k *step) prmOn() Event {
	f := k.flow()
	k.Tries = 0
	if f.Candidate+1 < len(f.Candidates) {
		if f.Candidates[f.Candidate] == f.Metadata {
			k.note(wire.Finding{Rule: rules.PRMHeaderURLDead, Detail: "the address that the challenge named gives no usable metadata; the well-known ones are asked"})
		}
		f.Candidate++
		return PRMMissing
	}
	r := f.Remembered
	switch {
	case r != nil && mismatch(r.Rule): // T3: the id that is cited, whatever became of the other probes
		return k.fail(PRMResourceMismatch, states.PartyPeer, *r)
	case f.Trouble:
		return k.inTrouble(PRMUnreachable, partyInTrouble(*r), *r)
	case r != nil && !remembersLess(r) && r.Rule != rules.PRMContentType && r.Rule != rules.PRMJSONObject:
		return k.fail(PRMRefused, states.PartyPeer, *r)
	case k.Config.Issuer != "":
		f.Metadata, f.Issuers, f.Resource = "", []string{k.Config.Issuer}, k.Config.Resource
		if on := k.admitted(); on != Illegal {
			return on
		}
		f.Scopes = k.scopes()
		k.probeIssuer()
		return IssuerConfigured
	case k.legacyAllowed():
		return k.legacy()
	}
	return k.fail(PRMAbsent, states.PartyPeer, wire.Problem{
		Rule: rules.PRMServed, Detail: "the server publishes no protected resource metadata",
	})
}

func mismatch(r rules.ID) bool {
	return r == rules.PRMResourceMatchWellknown || r == rules.PRMResourceMatchHeader || r == rules.PRMResourceCrossOrigin
}

// legacyAllowed: the rows of 2025-03-26 apply when that revision is pinned, or
// when nothing speaks against it: the challenge named no metadata and nothing
// is stored for this server (rule asm-legacy-default-endpoints,
// CVE-2026-115563: a downgrade never carries stored credentials).
func (k *step) legacyAllowed() bool {
	if k.Record != nil && k.Config.Revision != states.R1 {
		return false
	}
	return k.Config.Revision == states.R1 || k.Config.Revision == states.Auto && !k.Flow.Named
}

func (k *step) legacy() Event {
	f := k.flow()
	f.Revision, f.Legacy, f.Metadata, f.Resource = states.R1, true, "", ""
	f.Issuers, f.Issuer = []string{wire.Origin(k.Config.Resource)}, 0
	f.Scopes = k.scopes()
	k.note(wire.Finding{Rule: rules.ASMLegacyBaseURL, Detail: "no resource metadata: the rows of 2025-03-26 apply"})
	if on := k.admitted(); on != Illegal {
		return on
	}
	k.probeIssuer()
	return LegacyServer
}

func (k *step) prmFound(prm wire.PRM) Event {
	f, c := k.flow(), k.Config
	f.Metadata = f.Candidates[f.Candidate]
	f.Resource, f.Listed = prm.Resource, prm.ScopesSupported
	if c.Has(states.OmitResource) {
		f.Resource = ""
		k.note(wire.Finding{Rule: rules.AuthzReqResourceAlways, Detail: "omit-resource acted"})
	}
	f.Issuers, f.Issuer, f.Remembered, f.Trouble = prm.AuthorizationServers, 0, nil, false
	if len(f.Issuers) == 0 {
		f.Issuers = []string{c.Issuer}
	}
	if on := k.admitted(); on != Illegal {
		return on
	}
	f.Scopes = k.scopes()
	return k.ask(states.AskResource)
}

// admitted keeps the issuers that the host allows and that its own client
// belongs to, however they were found: named by the server, configured, or its
// origin. The one of the grant that is held comes first.
func (k *step) admitted() Event {
	f, list := k.flow(), k.Config.Issuers
	if len(list) > 0 {
		allowed := slices.DeleteFunc(slices.Clone(f.Issuers), func(i string) bool { return !slices.Contains(list, i) })
		if len(allowed) == 0 {
			return k.fail(IssuerNotAllowed, states.PartyHost, wire.Problem{
				Rule: rules.PRMASSelection, Detail: "the server names " + wire.Clean(f.Issuers[0], 200) + ", which is not among the allowed issuers",
			})
		}
		f.Issuers = allowed
	}
	if t := k.Token(); t != nil {
		f.Issuers = preferred(f.Issuers, t.Server.Issuer)
	}
	return k.preregistered()
}

// preregistered holds the configured client to its issuer (rules
// issuer-prereg-mismatch, issuer-no-cross-use). A client that was configured
// without one is bound to the first issuer it was used at.
func (k *step) preregistered() Event {
	f, c := k.Flow, k.Config.Client
	if c == nil {
		return Illegal
	}
	bound := c.Issuer
	if bound == "" {
		if t := k.Token(); t != nil && t.Client.ID == c.ID {
			bound = t.Server.Issuer
		} else {
			k.note(wire.Finding{Rule: rules.IssuerTrustFirstUse, Detail: "the configured client names no issuer; it is bound to " + wire.Clean(f.Issuers[0], 200)})
			return Illegal
		}
	}
	if alias := k.Config.Alias(states.IssuerAlias, bound); alias != "" && slices.Contains(f.Issuers, alias) {
		f.Issuers = preferred(f.Issuers, alias)
		return Illegal
	}
	for _, i := range f.Issuers {
		if i == bound || !k.Config.Strict && oneSlash(i, bound) {
			f.Issuers = preferred(f.Issuers, i)[:1]
			return Illegal
		}
	}
	return k.fail(PreregisteredElsewhere, states.PartyHost, wire.Problem{
		Rule:   rules.IssuerPreregMismatch,
		Detail: "the client belongs to " + wire.Clean(bound, 200) + ", the server names " + wire.Clean(f.Issuers[0], 200),
	})
}

func oneSlash(a, b string) bool { return a == b+"/" || b == a+"/" }

// preferred moves the issuer to the front when it is listed.
func preferred(list []string, issuer string) []string {
	i := slices.Index(list, issuer)
	if i <= 0 {
		return list
	}
	out := []string{issuer}
	return append(append(out, list[:i]...), list[i+1:]...)
}

// ask goes through what the host may wish to decide, from q on, in order:
// resource, issuer, scopes; then discovery goes on.
func (k *step) ask(q states.Question) Event {
	c := k.Config
	switch q {
	case states.AskResource:
		if c.Asked(states.AskResource) {
			return ResourceToApprove
		}
		fallthrough
	case states.AskIssuer:
		if c.Asked(states.AskIssuer) && len(k.Flow.Issuers) > 1 {
			return IssuersToChoose
		}
		fallthrough
	case states.AskScopes:
		if c.Asked(states.AskScopes) {
			return ScopesToChoose
		}
	}
	k.probeIssuer()
	switch k.state {
	case states.ApprovingResource:
		return ResourceApproved
	case states.ChoosingIssuer:
		return IssuerChosen
	}
	return PRMFound
}
