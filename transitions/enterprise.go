package transitions

import (
	"github.com/stile-oauth/stile/states"
	"github.com/stile-oauth/stile/states/wire"
)

// Enterprise: a token for what a company's identity provider says about the user. Each
// ID-JAG is sent once, whatever the result: another try begins with the ID token, and gets
// another ID-JAG (rule ext-ema-replay).

// exchanged reads the answer of the identity provider; bad is nil if the ID-JAG may be
// sent, and unusable says that it is an ID-JAG that may not be sent.
func (k *step) exchanged(r wire.Response, at wire.ASM, client, resource string) (bad *wire.Problem, unusable bool) {
	jag, found, bad := wire.ParseExchange(r)
	k.note(found...)
	if bad != nil {
		return bad, false
	}
	found, bad = wire.JudgeGrant(jag, wire.GrantPolicy{Issuer: at.Issuer, Client: client, Resource: resource, At: k.at})
	k.note(found...)
	if bad != nil {
		return bad, true
	}
	k.Assertion = &states.Assertion{At: k.at, Text: jag}
	return nil, false
}

// badClient reports whether an OAuth error says that the client is not accepted.
func badClient(bad *wire.Problem) bool {
	return bad.OAuth.Code == wire.CodeInvalidClient || bad.OAuth.Code == wire.CodeUnauthorizedClient
}

func exchangingIdentity(k *step) Event {
	f := k.flow()
	in, ok := k.in.(states.Responded)
	if !ok {
		return k.unansweredInLogin(RequestTroubleToIdentify, AskedAgainToIdentify)
	}
	bad, unusable := k.exchanged(in.Response, f.Server, f.Client.ID, f.Resource)
	switch {
	case bad == nil:
		return k.orProve(JAGGiven, f.Client)
	case unusable:
		return k.fail(JAGUnusable, states.PartyPeer, *bad)
	}
	if on := k.noTokenInLogin(in.Response, bad, RequestTroubleToIdentify); on != Illegal {
		return on
	}
	if badClient(bad) {
		if other, ok := wire.OtherMethod(k.providerClient(f.Provider), f.Provider.Server.AuthMethods); ok {
			f.Provider = providerWith(f.Provider, other)
			return MethodRetriedToIdentify
		}
		return k.fail(ClientRefused, states.PartyHost, *bad)
	}
	if staleIdentity(bad) && !k.IdentityRefused {
		k.IdentityRefused = true
		return IdentityStale
	}
	return k.fail(RequestDenied, states.PartyPeer, *bad)
}

func signingToRedeem(k *step) Event { return k.signGiven(AskedAgainToIdentify) }

func redeeming(k *step) Event {
	f := k.flow()
	in, ok := k.in.(states.Responded)
	if !ok {
		return k.unansweredInLogin(RequestTroubleToIdentify, AskedAgainToIdentify)
	}
	tok, bad := k.token(in.Response, f.Server.Issuer)
	if bad == nil {
		on := k.issuedOwn(tok)
		k.Obtained.Grant, k.Obtained.Provider, k.IdentityRefused = states.EnterpriseGrant, f.Provider, false
		return on
	}
	if on := k.noTokenInLogin(in.Response, bad, RequestTroubleToIdentify); on != Illegal {
		return on
	}
	if on := k.proofInLogin(in.Response, bad, f.Client); on != Illegal {
		return on
	}
	if badClient(bad) {
		if other, ok := wire.OtherMethod(f.Client, f.Server.AuthMethods); ok {
			f.Client = other
			return MethodRetriedToIdentify
		}
		return k.fail(ClientRefused, states.PartyHost, *bad)
	}
	return k.fail(AssertionRefused, states.PartyPeer, *bad)
}

func exchangingIdentityAgain(k *step) Event {
	t := k.Token()
	in, ok := k.in.(states.Responded)
	if !ok {
		return k.unansweredAgain(RefreshTroubleToIdentify, AskedAgainToIdentify)
	}
	bad, unusable := k.exchanged(in.Response, t.Server, t.Client.ID, t.Resource)
	switch {
	case bad == nil:
		return k.orProve(JAGGiven, t.Client)
	case unusable:
		return k.refusedForGood(JAGUnusable, states.PartyPeer, bad)
	}
	if on := k.noTokenAgain(in.Response, bad, RefreshTroubleToIdentify); on != Illegal {
		return on
	}
	if badClient(bad) {
		if other, ok := wire.OtherMethod(k.providerClient(t.Provider), t.Provider.Server.AuthMethods); ok {
			rec, c := *k.Record, *t
			c.Provider = providerWith(t.Provider, other)
			rec.Current, k.Record = &c, &rec
			return MethodRetriedToIdentify
		}
		return k.refusedForGood(RenewalDenied, states.PartyHost, bad)
	}
	switch {
	case staleIdentity(bad) && !k.IdentityRefused:
		k.IdentityRefused = true
		return IdentityStale
	case staleIdentity(bad):
		return k.giveUp(UserNeeded, states.PartyUser, *bad)
	}
	return k.refusedForGood(RenewalDenied, states.PartyPeer, bad)
}

func signingToRedeemAgain(k *step) Event { return k.signGiven(AskedAgainToIdentify) }

func redeemingAgain(k *step) Event {
	t := k.Token()
	in, ok := k.in.(states.Responded)
	if !ok {
		return k.unansweredAgain(RefreshTroubleToIdentify, AskedAgainToIdentify)
	}
	tok, bad := k.token(in.Response, t.Server.Issuer)
	if bad == nil {
		on := k.refreshed(k.withoutRefresh(tok))
		k.Obtained.Grant, k.Obtained.Provider, k.IdentityRefused = states.EnterpriseGrant, t.Provider, false
		return on
	}
	if on := k.noTokenAgain(in.Response, bad, RefreshTroubleToIdentify); on != Illegal {
		return on
	}
	if on := k.proofAgain(in.Response, bad, t.Client); on != Illegal {
		return on
	}
	if badClient(bad) {
		if other, ok := wire.OtherMethod(t.Client, t.Server.AuthMethods); ok {
			rec, c := *k.Record, *t
			c.Client = other
			rec.Current, k.Record = &c, &rec
			return MethodRetriedToIdentify
		}
		return k.refusedForGood(RenewalDenied, states.PartyHost, bad)
	}
	return k.refusedForGood(RenewalDenied, states.PartyPeer, bad)
}
