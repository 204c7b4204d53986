package transitions

import (
	"github.com/stile-oauth/stile/states"
	"github.com/stile-oauth/stile/states/rules"
	"github.com/stile-oauth/stile/states/wire"
)

// probeIssuer lays out the addresses of T2 for the issuer in turn.
func (k *step) probeIssuer() {
	f := k.flow()
	issuer := f.Issuers[f.Issuer]
	f.Candidate, f.Trouble = 0, false
	f.Candidates = k.Config.ASMAddresses(issuer, f.Legacy)
	k.Tries = 0
}

func discoveringASM(k *step) Event {
	switch in := k.in.(type) {
	case states.Responded:
		switch statusClass(in.Response) {
		case wire.ClassServer, wire.ClassThrottled:
			return k.asmTrouble(wire.Problem{Rule: rules.ASM5xxNotAbsent, Detail: statusText(in.Response)}, &in.Response)
		}
		asm, found, bad := wire.ParseASM(in.Response, k.asmPolicy())
		k.note(found...)
		switch {
		case bad == nil:
			k.foundAppended()
			k.keysOnly(asm.AuthMethods)
			return k.asmFound(asm, ASMFound, ClientConfigured)
		case bad.Refuse && bad.Rule == rules.ASMPKCES256:
			return k.fail(ASMNoPKCE, states.PartyPeer, *bad)
		case bad.Refuse:
			return k.fail(ASMRefused, states.PartyPeer, *bad)
		}
		f := k.flow()
		if f.Remembered == nil || remembersLess(f.Remembered) && !remembersLess(bad) || bad.Rule == rules.ASMIssuerMatch && f.Remembered.Rule != bad.Rule {
			f.Remembered = bad
		}
		return k.asmOn()
	case states.Unreachable:
		p, refused := unanswered(in)
		if refused {
			return k.fail(ASMRefused, partyOf(p), p)
		}
		return k.asmTrouble(p, nil)
	case states.Cancelled:
		return k.cancelled(Cancelled)
	}
	return Illegal
}

func (k *step) asmPolicy() wire.ASMPolicy {
	f, c := k.Flow, k.Config
	issuer := f.Issuers[f.Issuer]
	return wire.ASMPolicy{
		Issuer: issuer, RequirePKCE: f.Revision.AtLeast(states.R3), AssumeS256: k.assumeS256(issuer),
		Strict: c.Strict, Alias: c.Alias(states.IssuerAlias, issuer), Resource: f.Resource,
		URL: wire.URLPolicy{AllowLoopbackHTTP: c.Loopback},
	}
}

// asmTrouble: no usable answer came; other addresses of the same issuer may
// still be tried, the rows of 2025-03-26 may not (rule asm-5xx-not-absent).
func (k *step) asmTrouble(p wire.Problem, r *wire.Response) Event {
	if k.again(retriesGet, r) {
		return ASMTrouble
	}
	f := k.flow()
	f.Trouble = true
	if f.Remembered == nil || remembersLess(f.Remembered) {
		f.Remembered = &p
	}
	return k.asmOn()
}

func (k *step) asmOn() Event {
	f := k.flow()
	k.Tries = 0
	if f.Candidate+1 < len(f.Candidates) {
		f.Candidate++
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
	case r != nil && (r.Rule == rules.ASMPKCEAdvertised || r.Rule == rules.ASMPKCES256):
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

// legacyDefaults takes the endpoints that MCP 2025-03-26 names for servers
// without metadata.
func (k *step) legacyDefaults() Event {
	k.note(wire.Finding{Rule: rules.ASMLegacyDefaultEndpoints, Detail: "no metadata at all: the default endpoints of 2025-03-26 are used"})
	return k.asmFound(wire.DefaultASM(k.Flow.Issuers[k.Flow.Issuer]), LegacyDefaults, LegacyDefaultsConfigured)
}

func (k *step) asmFound(asm wire.ASM, on, configured Event) Event {
	f := k.flow()
	f.Server, f.Candidates, f.Candidate, f.Remembered = asm, nil, 0, nil
	k.Tries = 0
	if t := k.Token(); t != nil && t.Server.Issuer != asm.Issuer {
		k.note(wire.Finding{Rule: rules.IssuerASChangeReregister, Detail: "the issuer changed from " +
			wire.Clean(t.Server.Issuer, 200) + " to " + wire.Clean(asm.Issuer, 200) + "; nothing of the old one is used"})
	}
	if c := k.Config.Client; c != nil {
		f.Client = wire.Client{ID: c.ID, Secret: c.Secret, Method: c.Method, Source: wire.SourceConfigured, Raw: k.Config.Has(states.BasicRaw)}
		return configured
	}
	return on
}
