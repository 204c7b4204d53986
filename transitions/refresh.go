package transitions

import (
	"github.com/stile-oauth/stile/states"
	"github.com/stile-oauth/stile/states/rules"
	"github.com/stile-oauth/stile/states/wire"
)

func refreshing(k *step) Event {
	switch in := k.in.(type) {
	case states.Responded:
		tok, bad := k.token(in.Response, k.Token().Server.Issuer)
		if bad == nil {
			return k.refreshed(tok)
		}
		return k.refreshRefused(in.Response, bad)
	case states.Unreachable:
		p, refused := unanswered(in)
		switch {
		case refused:
			return k.keepIt(RefreshRefused, partyOf(p), p)
		case in.Class == states.Lost:
			return k.answerLost(p)
		case in.Class == states.Unsent && k.again(retriesGet, nil):
			return k.orProve(RefreshTrouble, k.Token().Client)
		}
		return k.transient(k.keepIt(RefreshUnreachable, partyInTrouble(p), p))
	case states.Interrupted:
		k.Seed, k.Draws = in.Seed, 0
		return k.answerLost(wire.Problem{Rule: rules.RefreshAmbiguousOnce, Detail: "the program was interrupted while refreshing"})
	}
	return Illegal
}

func (k *step) refreshRefused(r wire.Response, bad *wire.Problem) Event {
	switch statusClass(r) {
	case wire.ClassThrottled:
		if k.again(retriesPost, &r) {
			return k.orProve(RefreshTrouble, k.Token().Client)
		}
		k.putOff(r)
		return k.transient(k.keepIt(RefreshUnreachable, states.PartyPeer, *bad))
	case wire.ClassServer:
		most := retriesPost
		if k.Token().Rotates {
			most = 1
		}
		if k.again(most, &r) {
			return k.orProve(RefreshTrouble, k.Token().Client)
		}
		k.putOff(r)
		return k.transient(k.keepIt(RefreshUnreachable, states.PartyPeer, wire.Problem{Rule: rules.TokenResp200, Detail: statusText(r)}))
	case wire.ClassRedirect:
		return k.keepIt(RefreshRefused, states.PartyPeer, wire.Problem{Rule: rules.NetRedirectPost, Detail: statusText(r), Refuse: true})
	}
	if bad.OAuth != nil {
		on, bad, aboutProof := k.aboutProof(r, bad, k.Token().Client)
		switch {
		case on != Illegal:
			return on
		case aboutProof: // the refresh token was not looked at
			return k.transient(k.keepIt(RefreshUnreachable, states.PartyPeer, *bad))
		}
		return k.refreshError(bad)
	}
	if statusClass(r) == wire.ClassOK {
		// A success that cannot be read. If it is an object, the issuer has probably handled the
		// request and the token is spent. Anything else may not be the issuer's answer at all.
		if wire.HoldsObject(r) {
			return k.giveUp(RefreshGivenUp, states.PartyPeer, *bad)
		}
		return k.answerLost(*bad)
	}
	if notThere(r) && k.rereadForRefresh() {
		return k.fail(EndpointGone, states.PartyPeer, *bad)
	}
	return k.denied(bad)
}

// denied: the issuer refused, and would refuse the same again. The held token is used until
// it expires; then only a login helps.
func (k *step) denied(bad *wire.Problem) Event {
	return k.giveUp(RefreshDenied, states.PartyPeer, *bad)
}

// refreshError decides by the error code (docs/decision-tables.md#t8b, column Refreshing).
func (k *step) refreshError(bad *wire.Problem) Event {
	t := k.Token()
	bad = k.madeOutTo(bad, t.Client, t.Server)
	switch bad.OAuth.Code {
	case wire.CodeInvalidGrant:
		k.fail(GrantInvalid, states.PartyPeer, *bad)
		return GrantInvalid
	case wire.CodeInvalidClient, wire.CodeUnauthorizedClient:
		if other, ok := wire.OtherMethod(t.Client, t.Server.AuthMethods); ok {
			r, c := *k.Record, *t
			c.Client = other
			r.Current, k.Record = &c, &r
			return k.orProve(MethodRetried, other)
		}
		return k.clientDenied(bad)
	case wire.CodeServerError, wire.CodeTemporarilyUnavailable:
		if k.again(retriesPost, nil) {
			return k.orProve(RefreshTrouble, k.Token().Client)
		}
		return k.transient(k.keepIt(RefreshUnreachable, states.PartyPeer, *bad))
	}
	return k.denied(bad)
}

// clientDenied: the issuer does not know the client, or does not let it refresh. The record
// says so, so that no other process asks again in the client's name. A login registers a new
// client; only the host can replace a client that the host named.
func (k *step) clientDenied(bad *wire.Problem) Event {
	t := *k.Token()
	switch party := partyOfClient(t.Client); {
	case dynamic(t.Client):
		k.clientDied(t.Server.Issuer, t.Client.ID)
		k.RefusedClient = t.Client.ID
		return k.giveUp(ClientUnknown, party, *bad)
	case party == states.PartyHost && bad.OAuth.Code == wire.CodeInvalidClient:
		k.clientDied(t.Server.Issuer, t.Client.ID)
		return k.giveUp(ClientRefused, party, *bad)
	}
	return k.denied(bad)
}

// rereadForRefresh is rereadIssuer for the issuer of the held token, once for
// each intent that is stored.
func (k *step) rereadForRefresh() bool {
	t := k.Token()
	if k.MetadataAddress > 0 || t.Server.Defaults || len(k.Config.ASMAddresses(t.Server.Issuer, t.Revision == states.R1)) == 0 {
		return false
	}
	k.MetadataAddress, k.Tries = 1, 0
	return true
}

// rereadingToRefresh: the refresh token was not used, because there is nothing at that
// address. It is sent once more to the address that the same issuer now names as its token
// endpoint. The intent in the record covers this send too.
func rereadingToRefresh(k *step) Event {
	t := k.Token()
	asm, on, done := k.reread(k.samePolicy(t.Server.Issuer, t.Resource, t.Revision), func() bool {
		if k.MetadataAddress >= len(k.Config.ASMAddresses(t.Server.Issuer, t.Revision == states.R1)) {
			return false
		}
		k.MetadataAddress++
		return true
	})
	if !done {
		return on
	}
	if was := t.Server.TokenEndpoint; asm != nil && asm.TokenEndpoint != was {
		k.moved("token endpoint", was, asm.TokenEndpoint)
		r, c := *k.Record, *t
		c.Server = *asm
		r.Current, k.Record, k.Fault = &c, &r, nil
		return k.orProve(EndpointMoved, c.Client)
	}
	p := k.Fault.Problem
	if asm == nil { // the issuer as a whole may be in trouble
		return k.transient(k.keepIt(RefreshUnreachable, states.PartyPeer, p))
	}
	return k.denied(&p)
}
