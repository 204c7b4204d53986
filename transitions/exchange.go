package transitions

import (
	"github.com/stile-oauth/stile/states"
	"github.com/stile-oauth/stile/states/rules"
	"github.com/stile-oauth/stile/states/wire"
)

func exchanging(k *step) Event {
	switch in := k.in.(type) {
	case states.Responded:
		tok, bad := k.token(in.Response, k.Flow.Server.Issuer)
		if bad == nil {
			return k.issued(tok)
		}
		return k.exchangeRefused(in.Response, bad)
	case states.Unreachable:
		p, refused := unanswered(in)
		switch {
		case refused:
			return k.fail(ExchangeRefused, partyOf(p), p)
		case in.Class == states.Unsent && k.again(retriesPost, nil):
			return k.orProve(ExchangeTrouble, k.Flow.Client)
		}
		return k.exchangeLost(p, partyInTrouble(p))
	case states.Interrupted:
		k.Seed, k.Draws = in.Seed, 0
		return k.exchangeLost(wire.Problem{Rule: rules.TokenReqCodeOnce, Detail: "the program was interrupted while exchanging the code"}, states.PartyHost)
	}
	return Illegal
}

// exchangeLost: whether the code was spent is not known, so it is not sent
// again; one new authorization is made (rule token-req-code-once).
func (k *step) exchangeLost(p wire.Problem, party states.Party) Event {
	f := k.flow()
	if f.Again >= 1 || k.Cancelled {
		return k.inTrouble(ExchangeUnreachable, party, p)
	}
	f.Again++
	f.Remembered = &p
	return k.park(ExchangeLost)
}

func (k *step) exchangeRefused(r wire.Response, bad *wire.Problem) Event {
	switch statusClass(r) {
	case wire.ClassThrottled:
		if k.again(1, &r) {
			return k.orProve(ExchangeTrouble, k.Flow.Client)
		}
		return k.exchangeLost(*bad, states.PartyPeer)
	case wire.ClassServer:
		return k.exchangeLost(wire.Problem{Rule: rules.TokenResp200, Detail: statusText(r)}, states.PartyPeer)
	case wire.ClassRedirect:
		return k.fail(ExchangeRefused, states.PartyPeer, wire.Problem{Rule: rules.TokenReqNoRedirect, Detail: statusText(r), Refuse: true})
	}
	if bad.OAuth == nil {
		if notThere(r) && k.Flow.Again < 1 && k.rereadIssuer() {
			k.flow().Remembered = bad
			return EndpointGone
		}
		return k.fail(TokenRefused, states.PartyPeer, *bad)
	}
	f := k.flow()
	on, bad, _ := k.aboutProof(r, bad, f.Client)
	if on != Illegal {
		return on
	}
	bad = k.madeOutTo(ofCode(bad, f.Client), f.Client, f.Server)
	switch bad.OAuth.Code {
	case wire.CodeInvalidClient, wire.CodeUnauthorizedClient:
		if other, ok := wire.OtherMethod(f.Client, f.Server.AuthMethods); ok {
			f.Client = other
			return k.orProve(MethodRetried, other)
		}
		if dynamic(f.Client) || f.Client.Source == wire.SourceCIMD {
			k.clientDied(f.Server.Issuer, f.Client.ID)
		}
		if on := k.newClient(); on != Illegal {
			return on
		}
		if on := k.givenRefused(*bad); on != Illegal {
			return on
		}
		return k.fail(ClientRefused, partyOfClient(f.Client), *bad)
	case wire.CodeInvalidGrant:
		if f.Again < 1 && !k.Cancelled {
			f.Again++
			f.Remembered = bad
			return k.park(CodeRefused)
		}
	case wire.CodeInteractionRequired, wire.CodeLoginRequired, wire.CodeConsentRequired, wire.CodeAccountSelectionRequired:
		if k.interact(bad) {
			return k.park(InteractionNeeded)
		}
	case wire.CodeServerError, wire.CodeTemporarilyUnavailable:
		return k.exchangeLost(*bad, states.PartyPeer)
	case wire.CodeAccessDenied:
		return k.fail(ExchangeRefused, states.PartyUser, *bad)
	}
	return k.fail(ExchangeRefused, states.PartyPeer, *bad)
}

// ofCode adds to the refusal of a code the rule that the error code is about, unless the
// answer breaks another rule.
func ofCode(bad *wire.Problem, c wire.Client) *wire.Problem {
	if bad.Rule != rules.TokenRespErrorVsTransient {
		return bad
	}
	p := *bad
	switch bad.OAuth.Code {
	case wire.CodeInvalidClient, wire.CodeUnauthorizedClient:
		p.Rule = rules.PreregNeverReplaced
		switch {
		case dynamic(c):
			p.Rule = rules.RegReregisterOnce
		case c.Source == wire.SourceCIMD:
			p.Rule = rules.CIMDAdvertisedButRefused
		case c.Source == wire.SourceHost:
			p.Rule = rules.RegAskUser
		}
	case wire.CodeInvalidGrant:
		p.Rule = rules.TokenReqCodeOnce
	case wire.CodeInvalidTarget:
		p.Rule = rules.TokenReqResource
	}
	return &p
}

// rereadingToExchange: the code was for the endpoint that no longer exists, and may have
// been spent there, so it is not sent anywhere else. A new authorization is made for the
// endpoint that exists now, once in a login.
func rereadingToExchange(k *step) Event {
	asm, on, done := k.rereadInLogin()
	if !done {
		return on
	}
	f := k.flow()
	if was := f.Server.TokenEndpoint; asm != nil && asm.TokenEndpoint != was {
		k.moved("token endpoint", was, asm.TokenEndpoint)
		f.Server = *asm
		f.Again++
		return k.park(EndpointMoved)
	}
	return k.fail(TokenRefused, states.PartyPeer, *f.Remembered)
}
