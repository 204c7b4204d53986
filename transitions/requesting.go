package transitions

import (
	"slices"

	"github.com/stile-oauth/stile/states"
	"github.com/stile-oauth/stile/states/rules"
	"github.com/stile-oauth/stile/states/wire"
)

// Requesting: a token in the client's own name (client credentials). The client is the
// configured client at the issuer that is configured with it (rule ext-cc-issuer-pinned). A
// request spends nothing, so it is repeated if its answer was lost.

// ownClient determines how the client authenticates, and what it asks for.
func (k *step) ownClient() Event {
	f := k.flow()
	if g := f.Server.GrantTypes; g != nil && !slices.Contains(g, string(states.OwnGrant)) {
		k.note(wire.Finding{Rule: rules.ExtCCMetadata, Detail: "grant_types_supported does not list client_credentials"})
	}
	if on := k.chooseMethod(); on != Illegal {
		return on
	}
	f.Requested = wire.WithoutOfflineAccess(f.Scopes)
	return k.orProve(OwnTokenWanted, f.Client)
}

func requesting(k *step) Event {
	f := k.flow()
	switch in := k.in.(type) {
	case states.Responded:
		tok, bad := k.token(in.Response, f.Server.Issuer)
		if bad == nil {
			return k.issuedOwn(tok)
		}
		return k.requestRefused(in.Response, bad)
	case states.Unreachable:
		p, refused := unanswered(in)
		switch {
		case refused:
			return k.fail(RequestDenied, partyOf(p), p)
		case !k.Cancelled && k.again(retriesPost, nil):
			return k.orProve(RequestTrouble, f.Client)
		}
		return k.inTrouble(RequestUnreachable, partyInTrouble(p), p)
	case states.Interrupted:
		k.Seed, k.Draws = in.Seed, 0
		return k.orProve(AskedAgain, f.Client)
	}
	return Illegal
}

func (k *step) requestRefused(r wire.Response, bad *wire.Problem) Event {
	f := k.flow()
	trouble, detail := k.troubled(r, bad)
	switch {
	case trouble && !k.Cancelled && k.again(retriesPost, &r):
		return k.orProve(RequestTrouble, f.Client)
	case trouble:
		return k.inTrouble(RequestUnreachable, states.PartyPeer, detail)
	case statusClass(r) == wire.ClassRedirect:
		return k.fail(RequestDenied, states.PartyPeer, wire.Problem{Rule: rules.TokenReqNoRedirect, Detail: statusText(r), Refuse: true})
	}
	if bad.OAuth == nil {
		return k.fail(TokenRefused, states.PartyPeer, *bad)
	}
	on, bad, _ := k.aboutProof(r, bad, f.Client)
	if on != Illegal {
		return on
	}
	bad = k.madeOutTo(bad, f.Client, f.Server)
	switch bad.OAuth.Code {
	case wire.CodeInvalidClient, wire.CodeUnauthorizedClient:
		if other, ok := wire.OtherMethod(f.Client, f.Server.AuthMethods); ok {
			f.Client = other
			return k.orProve(MethodRetried, other)
		}
		return k.fail(ClientRefused, states.PartyHost, *bad)
	}
	return k.fail(RequestDenied, states.PartyPeer, *bad)
}

// decideOwn: a renewal spends nothing, so there is no doubt. It is made with the client as it
// is configured now (rule clientauth-secret-rotated).
func (k *step) decideOwn(rec *states.Credential) Event {
	r, t := *rec, *rec.Current
	if t.Grant == states.EnterpriseGrant {
		now, ok := k.decideEnterprise(&t)
		if !ok {
			return k.toLogin(NothingToSpend, NothingToSpendQuietly, NothingToSpendWhileHolding)
		}
		t = *now
	}
	if c := k.Config.Client; k.Config.Own() {
		if c.ID != t.Client.ID {
			return k.toLogin(NothingToSpend, NothingToSpendQuietly, NothingToSpendWhileHolding)
		}
		if c.Secret != t.Client.Secret || k.keyName() != t.Client.Key {
			now := k.configured()
			if chosen, _, bad := wire.ChooseMethod(now, t.Server.AuthMethods, now.Method != ""); bad == nil {
				t.Client = chosen
			}
		}
	}
	r.Current = &t
	r.Intent = &states.Intent{Attempt: 1, Holder: k.Config.Holder, Until: k.Lease.Until, Since: k.at, Sent: k.at}
	k.Record, k.Tries = &r, 0
	return RefreshDue
}

// renewing: the same request under the lease, so that only one of all processes makes it.
func renewing(k *step) Event {
	t := k.Token()
	switch in := k.in.(type) {
	case states.Responded:
		tok, bad := k.token(in.Response, t.Server.Issuer)
		if bad == nil {
			on := k.refreshed(k.withoutRefresh(tok))
			k.Obtained.Grant = states.OwnGrant
			return on
		}
		return k.renewalRefused(in.Response, bad)
	case states.Unreachable:
		p, refused := unanswered(in)
		switch {
		case refused:
			return k.keepIt(RefreshRefused, partyOf(p), p)
		case in.Class != states.Late && k.again(retriesPost, nil):
			return k.orProve(RefreshTrouble, t.Client)
		}
		return k.transient(k.keepIt(RefreshUnreachable, partyInTrouble(p), p))
	case states.Interrupted:
		k.Seed, k.Draws = in.Seed, 0
		return k.orProve(AskedAgain, t.Client)
	}
	return Illegal
}

func (k *step) renewalRefused(r wire.Response, bad *wire.Problem) Event {
	t := k.Token()
	trouble, detail := k.troubled(r, bad)
	switch {
	case trouble && k.again(retriesPost, &r):
		return k.orProve(RefreshTrouble, t.Client)
	case trouble:
		k.putOff(r)
		return k.transient(k.keepIt(RefreshUnreachable, states.PartyPeer, detail))
	case statusClass(r) == wire.ClassRedirect:
		return k.keepIt(RefreshRefused, states.PartyPeer, wire.Problem{Rule: rules.NetRedirectPost, Detail: statusText(r), Refuse: true})
	}
	on, bad, aboutProof := k.aboutProof(r, bad, t.Client)
	switch {
	case on != Illegal:
		return on
	case aboutProof:
		return k.transient(k.keepIt(RefreshUnreachable, states.PartyPeer, *bad))
	}
	bad = k.madeOutTo(bad, t.Client, t.Server)
	party := states.PartyPeer
	if bad.OAuth != nil && (bad.OAuth.Code == wire.CodeInvalidClient || bad.OAuth.Code == wire.CodeUnauthorizedClient) {
		if other, ok := wire.OtherMethod(t.Client, t.Server.AuthMethods); ok {
			rec, c := *k.Record, *t
			c.Client = other
			rec.Current, k.Record = &c, &rec
			return k.orProve(MethodRetried, other)
		}
		party = states.PartyHost
	}
	return k.refusedForGood(RenewalDenied, party, bad)
}
