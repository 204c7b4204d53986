package transitions

import (
	"slices"

	"github.com/stile-oauth/stile/states"
	"github.com/stile-oauth/stile/states/rules"
	"github.com/stile-oauth/stile/states/wire"
)

// probeResource lays out the addresses of docs/decision-tables.md#t3: the challenge's, then path, then
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
	return k.probed(document{rules.PRMStatus200, PRMTrouble, PRMRefused})
}

func discoveringASM(k *step) Event {
	return k.probed(document{rules.ASM5xxNotAbsent, ASMTrouble, ASMRefused})
}

func (k *step) judgePRM(r wire.Response) Event {
	prm, found, bad := wire.ParsePRM(r, k.prmPolicy())
	k.note(found...)
	switch {
	case bad == nil:
		return k.prmFound(prm)
	case bad.Refuse:
		return k.fail(PRMRefused, states.PartyPeer, *bad)
	}
	k.remember(bad)
	return k.nextPRM()
}

func (k *step) prmPolicy() wire.PRMPolicy {
	f, c := k.Flow, k.Config
	here := f.Candidates[f.Candidate]
	reference, fromHeader := c.Resource, here == f.Metadata
	if !fromHeader && here != wire.PRMPathURL(c.Resource) {
		reference = c.Resource.Root()
	}
	p := wire.PRMPolicy{
		Server: c.Resource, Reference: reference, FromHeader: fromHeader, Strict: c.Strict,
		AllowMissingResource: c.Has(states.PRMNoResource), IssuerConfigured: c.Issuer != "",
		DPoP: c.Binding != states.NoBinding,
		URL:  wire.URLPolicy{AllowLoopbackHTTP: c.Loopback},
	}
	for _, q := range c.Quirks {
		if q.Name == states.ResourceAlias && len(q.Values) == 2 && (q.Values[0] == c.Server || q.Values[0] == c.Resource.String()) {
			p.Alias = append(p.Alias, q.Values[1])
		}
	}
	return p
}

func (k *step) nextPRM() Event {
	f := k.flow()
	k.Tries = 0
	if f.Candidate+1 < len(f.Candidates) {
		if f.Candidates[f.Candidate] == f.Metadata {
			whose := "that the challenge named"
			if !f.Named {
				whose = "of the last login"
			}
			k.note(wire.Finding{Rule: rules.PRMHeaderURLDead, Detail: "the address " + whose + " gives no usable metadata; the well-known ones are asked"})
		}
		f.Candidate++
		return PRMMissing
	}
	r := f.Remembered
	switch {
	case r != nil && mismatch(r.Rule): // docs/decision-tables.md#t3-end: the id that is cited, whatever became of the other probes
		return k.fail(PRMResourceMismatch, states.PartyPeer, *r)
	case f.Trouble:
		return k.inTrouble(PRMUnreachable, partyInTrouble(*r), *r)
	case r != nil && !remembersLess(r) && r.Rule != rules.PRMContentType && r.Rule != rules.PRMJSONObject:
		return k.fail(PRMRefused, states.PartyPeer, *r)
	case k.Config.Issuer != "":
		f.Metadata, f.Issuers, f.Resource = "", []string{k.Config.Issuer}, k.Config.Resource.String()
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

func (k *step) prmFound(prm wire.PRM) Event {
	f, c := k.flow(), k.Config
	f.Metadata = f.Candidates[f.Candidate]
	f.Binds = prm.DPoPRequired
	f.Resource, f.Listed = prm.Resource, k.unquoted(prm.ScopesSupported)
	if c.Has(states.OmitResource) {
		f.Resource = ""
		k.note(wire.Finding{Rule: rules.AuthzReqResourceAlways, Detail: "omit-resource acted"})
	}
	f.Issuers, f.Issuer, f.Remembered, f.Unusable, f.Trouble = prm.AuthorizationServers, 0, nil, nil, false
	if len(f.Issuers) == 0 {
		f.Issuers = []string{c.Issuer}
	}
	if on := k.admitted(); on != Illegal {
		return on
	}
	f.Scopes = k.scopes()
	return k.ask(states.AskResource)
}

// probeIssuer lays out the addresses of docs/decision-tables.md#t2 for the issuer in turn.
func (k *step) probeIssuer() {
	f := k.flow()
	issuer := f.Issuers[f.Issuer]
	f.Candidate, f.Trouble = 0, false
	f.Candidates = k.Config.ASMAddresses(issuer, f.Legacy)
	k.Tries = 0
}

func (k *step) judgeASM(r wire.Response) Event {
	asm, found, bad := wire.ParseASM(r, k.asmPolicy())
	k.note(found...)
	switch {
	case bad == nil:
		k.foundAppended()
		k.keysOnly(asm.AuthMethods)
		return k.asmFound(asm, ASMFound, ClientConfigured)
	case bad.Rule == rules.ASMPKCES256:
		return k.fail(ASMNoPKCE, states.PartyPeer, *bad)
	case bad.Refuse:
		return k.fail(ASMRefused, states.PartyPeer, *bad)
	}
	k.remember(bad)
	if bad.Rule == rules.ASMIssuerMatch && k.Flow.Remembered.Rule != bad.Rule {
		k.flow().Remembered = bad // another issuer's document outranks the rest
	}
	return k.nextASM()
}

func (k *step) asmPolicy() wire.ASMPolicy {
	f, c := k.Flow, k.Config
	issuer := f.Issuers[f.Issuer]
	return wire.ASMPolicy{
		Issuer: issuer, RequirePKCE: f.Revision.AtLeast(states.R3) && !c.Identity(), AssumeS256: k.assumeS256(issuer),
		Strict: c.Strict, Alias: c.Alias(states.IssuerAlias, issuer), Resource: f.Resource, Machine: c.Grant != states.CodeGrant && !c.Identity(),
		URL: wire.URLPolicy{AllowLoopbackHTTP: c.Loopback},
	}
}

func (k *step) nextASM() Event {
	f := k.flow()
	if k.nextCandidate() {
		return ASMMissing
	}
	r := f.Remembered
	if f.Issuer+1 < len(f.Issuers) {
		f.Issuer++
		k.note(wire.Finding{Rule: rules.PRMASResolves, Detail: "no usable metadata for " + wire.Clean(f.Issuers[f.Issuer-1], 200)})
		trouble := f.Trouble
		k.probeIssuer()
		f.Trouble = trouble // one that could not be asked is not known to be absent
		return IssuerSkipped
	}
	switch {
	case r != nil && r.Rule == rules.ASMIssuerMatch:
		return k.fail(ASMIssuerMismatch, states.PartyPeer, *r)
	case r != nil && r.Rule == rules.ASMPKCEAdvertised:
		return k.fail(ASMNoPKCE, states.PartyPeer, *r)
	case f.Trouble:
		return k.inTrouble(ASMUnreachable, partyInTrouble(*r), *r)
	case f.Legacy && (r == nil || remembersLess(r) || r.Rule == rules.ASMContentType):
		return k.legacyDefaults()
	case r != nil && !remembersLess(r) && r.Rule != rules.ASMContentType:
		return k.fail(ASMRefused, states.PartyPeer, *r)
	}
	return k.fail(ASMAbsent, states.PartyPeer, wire.Problem{
		Rule: rules.ASMServed, Detail: "no metadata was found for " + wire.Clean(f.Issuers[f.Issuer], 200),
	})
}
