package transitions

import (
	"slices"

	"github.com/stile-oauth/stile/states"
	"github.com/stile-oauth/stile/states/rules"
	"github.com/stile-oauth/stile/states/wire"
)

// Workload: a token for the platform's assertion about the workload. A refused assertion is
// not sent again, and no other grant is tried instead (rules ext-wif-no-retry,
// ext-wif-no-fallback).

// workloadWanted determines what to ask for. The issuer is one of the configured issuers,
// because no other is admitted.
func (k *step) workloadWanted() Event {
	f := k.flow()
	if g := f.Server.GrantTypes; g != nil && !slices.Contains(g, string(states.WorkloadGrant)) {
		k.note(wire.Finding{Rule: rules.ExtWIFMetadata, Detail: "grant_types_supported does not list the jwt-bearer grant"})
	}
	f.Client = wire.Client{Method: wire.MethodNone, Source: wire.SourceConfigured}
	f.Requested = wire.WithoutOfflineAccess(f.Scopes)
	return WorkloadWanted
}

// given takes the assertion, and checks it before it is sent.
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
	switch on {
	case AssertionUnusable, SourceFailed:
		k.fail(on, states.PartyHost, why)
	case AssertionGiven:
		return k.orProve(on, k.Flow.Client)
	}
	return on
}

func signingToPresent(k *step) Event { return k.signGiven(AskedAgainToAssert) }

func presenting(k *step) Event {
	f := k.Flow
	in, ok := k.in.(states.Responded)
	if !ok {
		return k.unansweredInLogin(RequestTroubleToAssert, AskedAgainToAssert)
	}
	tok, bad := k.token(in.Response, f.Server.Issuer)
	if bad == nil {
		on := k.issuedOwn(tok)
		k.Obtained.Grant = states.WorkloadGrant
		return on
	}
	if on := k.noTokenInLogin(in.Response, bad, RequestTroubleToAssert); on != Illegal {
		return on
	}
	if on := k.proofInLogin(in.Response, bad, f.Client); on != Illegal {
		return on
	}
	return k.fail(AssertionRefused, states.PartyPeer, *bad)
}

func assertingAgain(k *step) Event {
	on, why := k.given(k.Token().Server)
	switch on {
	case AssertionUnusable, SourceFailed:
		k.keepIt(on, states.PartyHost, why)
		k.transient(on)
	case AssertionGiven:
		return k.orProve(on, k.Token().Client)
	}
	return on
}

func signingToPresentAgain(k *step) Event { return k.signGiven(AskedAgainToAssert) }

func presentingAgain(k *step) Event {
	t := k.Token()
	in, ok := k.in.(states.Responded)
	if !ok {
		return k.unansweredAgain(RefreshTroubleToAssert, AskedAgainToAssert)
	}
	tok, bad := k.token(in.Response, t.Server.Issuer)
	if bad == nil {
		on := k.refreshed(k.withoutRefresh(tok))
		k.Obtained.Grant = states.WorkloadGrant
		return on
	}
	if on := k.noTokenAgain(in.Response, bad, RefreshTroubleToAssert); on != Illegal {
		return on
	}
	if on := k.proofAgain(in.Response, bad, t.Client); on != Illegal {
		return on
	}
	return k.refusedForGood(RenewalDenied, states.PartyPeer, bad)
}
