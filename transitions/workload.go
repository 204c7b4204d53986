package transitions

import (
	"slices"

	"github.com/stile-oauth/stile/states"
	"github.com/stile-oauth/stile/states/rules"
	"github.com/stile-oauth/stile/states/wire"
)

// Workload: a token for the assertion that the platform gives of the workload. An
// assertion that was refused is not sent again, and no other grant takes its place
// (rules ext-wif-no-retry, ext-wif-no-fallback).

// workloadWanted settles what is asked for. The issuer is among those that are
// configured: no other was let in.
func (k *step) workloadWanted() Event {
	f := k.flow()
	if g := f.Server.GrantTypes; g != nil && !slices.Contains(g, string(states.WorkloadGrant)) {
		k.note(wire.Finding{Rule: rules.ExtWIFMetadata, Detail: "grant_types_supported does not list the jwt-bearer grant"})
	}
	f.Client = wire.Client{Method: wire.MethodNone, Source: wire.SourceConfigured}
	f.Requested = wire.WithoutOfflineAccess(f.Scopes)
	k.Tries = 0
	return WorkloadWanted
}

// given takes the assertion, and looks at it before it is sent.
func (k *step) given(at wire.ASM) (on Event, why wire.Problem) {
	switch in := k.in.(type) {
	case states.Signed:
		if bad := wire.JudgeWorkload(in.JWS, states.Audiences(at), k.at); bad != nil {
			return AssertionUnusable, *bad
		}
		k.Assertion = &states.Assertion{At: k.at, Text: in.JWS}
		return AssertionGiven, why
	case states.Unsigned:
		return SourceFailed, wire.Problem{Rule: rules.ExtWIFAssertion, Detail: "the platform gave no assertion: " + wire.Clean(in.Detail, 200)}
	}
	return Illegal, why
}

func asserting(k *step) Event {
	if _, ok := k.in.(states.Cancelled); ok {
		return k.cancelled(Cancelled)
	}
	on, why := k.given(k.Flow.Server)
	if on == AssertionUnusable || on == SourceFailed {
		k.fail(on, states.PartyHost, why)
	}
	return on
}

func presenting(k *step) Event {
	f := k.Flow
	switch in := k.in.(type) {
	case states.Responded:
		tok, found, bad := wire.ParseToken(in.Response, k.tokenPolicy(f.Server.Issuer))
		k.note(found...)
		if bad == nil {
			on := k.issuedOwn(tok)
			k.Obtained.Grant = states.WorkloadGrant
			return on
		}
		trouble, detail := k.troubled(in.Response, bad)
		switch {
		case trouble && !k.Cancelled && k.again(retriesPost, &in.Response):
			return RequestTroubleToAssert
		case trouble:
			return k.inTrouble(RequestUnreachable, states.PartyPeer, detail)
		case bad.OAuth == nil:
			return k.fail(TokenRefused, states.PartyPeer, *bad)
		}
		return k.fail(AssertionRefused, states.PartyPeer, *bad)
	case states.Unreachable:
		p, refused := unanswered(in)
		switch {
		case refused:
			return k.fail(RequestDenied, partyOf(p), p)
		case !k.Cancelled && k.again(retriesPost, nil):
			return RequestTroubleToAssert
		}
		return k.inTrouble(RequestUnreachable, partyInTrouble(p), p)
	case states.Interrupted:
		k.Seed, k.Draws = in.Seed, 0
		return AskedAgainToAssert
	}
	return Illegal
}

func assertingAgain(k *step) Event {
	on, why := k.given(k.Token().Server)
	if on == AssertionUnusable || on == SourceFailed {
		k.keepIt(on, states.PartyHost, why)
		k.transient(on)
	}
	return on
}

func presentingAgain(k *step) Event {
	t := k.Token()
	switch in := k.in.(type) {
	case states.Responded:
		tok, found, bad := wire.ParseToken(in.Response, k.tokenPolicy(t.Server.Issuer))
		k.note(found...)
		if bad == nil {
			on := k.refreshed(k.withoutRefresh(tok))
			k.Obtained.Grant = states.WorkloadGrant
			return on
		}
		trouble, detail := k.troubled(in.Response, bad)
		switch {
		case trouble && k.again(retriesPost, &in.Response):
			return RefreshTroubleToAssert
		case trouble:
			k.putOff(in.Response)
			return k.transient(k.keepIt(RefreshUnreachable, states.PartyPeer, detail))
		}
		k.NoRenew = true // the same would be refused again
		k.keepIt(RenewalDenied, states.PartyPeer, *bad)
		return k.final(RenewalDenied)
	case states.Unreachable:
		p, refused := unanswered(in)
		switch {
		case refused:
			return k.keepIt(RefreshRefused, partyOf(p), p)
		case in.Class != states.Late && k.again(retriesPost, nil):
			return RefreshTroubleToAssert
		}
		return k.transient(k.keepIt(RefreshUnreachable, partyInTrouble(p), p))
	case states.Interrupted:
		k.Seed, k.Draws = in.Seed, 0
		return AskedAgainToAssert
	}
	return Illegal
}
