package transitions

import (
	"slices"

	"github.com/stile-oauth/stile/states"
	"github.com/stile-oauth/stile/states/rules"
	"github.com/stile-oauth/stile/states/wire"
)

func claiming(k *step) Event {
	switch in := k.in.(type) {
	case states.Claimed:
		if k.Cancelled {
			return k.cancelled(Cancelled)
		}
		return k.callback()
	case states.NotFound, states.Conflicted:
		f := k.flow()
		// The process that claimed the login has its mark, too.
		f.Callback, f.Mark = "", 0
		k.WakeAt = k.at.Add(pollOther / 4)
		if k.Tries > 0 {
			k.note(wire.Finding{Rule: rules.AuthzRespClaimedOnce, Detail: "after the interruption it cannot be known whether this process or another claimed the login: the code is not used, and the login begins again when its mark has run out"})
			return ClaimDoubted
		}
		if f.Lost {
			return k.claimLostAgain()
		}
		f.Lost = true
		k.note(wire.Finding{Rule: rules.AuthzRespClaimedOnce, Detail: "another replica goes on with this login"})
		return ClaimLost
	case states.Interrupted:
		return k.askedAgain(in)
	case states.StoreFailed:
		return k.storeLost(in, StoreLost, Illegal)
	case states.Cancelled:
		k.Cancelled = true
		return CancelNoted
	}
	return Illegal
}

// claimLostAgain: a replica that claims a login finishes it, or leaves its mark for a
// minute. When no process finished the first one and the next is gone as well, neither was
// claimed: what this process parks has expired when the user comes back. A third visit
// would end in the same way (docs/decision-tables.md#t8-claim-lost).
func (k *step) claimLostAgain() Event {
	k.fail(ClaimLostAgain, states.PartyHost, wire.Problem{
		Rule: rules.AuthzRespClaimedOnce, Detail: "twice the user came back and the parked login was gone, and nobody had finished it: what this process stores for minutes has expired at once, which happens when this machine's clock is behind that of the store's server",
	})
	k.Fault.Advice = "set this machine's clock by that of the store's server, and log in again"
	return ClaimLostAgain
}

// callback judges the claimed callback: single values, then iss (docs/decision-tables.md#t1), then
// error, then code. Error texts of a callback with a wrong iss are not shown.
func (k *step) callback() Event {
	f := k.flow()
	cb, bad := wire.ParseCallback(f.Callback.Reveal())
	if bad != nil {
		return k.fail(CallbackMalformed, states.PartyPeer, *bad)
	}
	if len(cb.Repeated) > 0 && !slices.Contains(cb.Repeated, "iss") {
		return k.fail(CallbackMalformed, states.PartyPeer, wire.Problem{
			Rule: rules.AuthzRespParamOnce, Detail: "the callback repeats " + cb.Repeated[0],
		})
	}
	found, bad := wire.JudgeIss(cb, f.Server.Issuer, f.Server.Iss)
	for i := range found { // nothing was published that could be compared (docs/decision-tables.md#t1-9)
		if f.Server.Defaults && found[i].Rule == rules.IssuerASSends {
			found[i].Rule = rules.IssuerRecorded
		}
	}
	k.note(found...)
	if bad != nil {
		on := IssuerMismatch
		if bad.Rule == rules.IssuerResponseRequired {
			on = IssuerMissing
		}
		return k.fail(on, states.PartyPeer, *bad)
	}
	switch {
	case cb.Error != nil && cb.HasCode:
		return k.fail(CallbackMalformed, states.PartyPeer, wire.Problem{Rule: rules.AuthzRespCodeXorError, Detail: "the callback carries both code and error"})
	case cb.Error != nil:
		return k.callbackError(cb.Error)
	case !cb.HasCode:
		return k.fail(CallbackMalformed, states.PartyPeer, wire.Problem{Rule: rules.AuthzRespCode, Detail: "the callback carries no code"})
	}
	k.Tries = 0
	return k.orProve(CodeReceived, f.Client)
}

func (k *step) callbackError(e *wire.OAuthError) Event {
	p := wire.Problem{Rule: rules.AuthzRespErrorCode, Detail: "the authorization endpoint answered with an error", OAuth: e}
	switch e.Code {
	case wire.CodeAccessDenied:
		p.Rule = rules.AuthzRespDeniedKeeps
		k.flow().Remembered = nil // whatever failed before did not lead to this
		return k.fail(AuthorizationDenied, states.PartyUser, p)
	case wire.CodeInvalidScope:
		if k.registeredForLess() {
			return k.dropClient(RegistrationTooNarrow)
		}
		if k.lessScope() {
			return ScopeRefused
		}
	case wire.CodeInvalidClient, wire.CodeUnauthorizedClient:
		if on := k.newClient(); on != Illegal {
			return on
		}
		if on := k.givenRefused(p); on != Illegal {
			return on
		}
	case wire.CodeInteractionRequired, wire.CodeLoginRequired, wire.CodeConsentRequired, wire.CodeAccountSelectionRequired:
		if k.interact(&p) {
			return k.park(InteractionNeeded)
		}
	case wire.CodeServerError, wire.CodeTemporarilyUnavailable:
		return k.inTrouble(AuthorizationRefused, states.PartyPeer, p)
	}
	return k.fail(AuthorizationRefused, states.PartyPeer, p)
}

// interact allows one more authorization when the issuer requires the user again
// (docs/decision-tables.md#t8b); it counts as a repetition of the login.
func (k *step) interact(p *wire.Problem) bool {
	f := k.flow()
	if f.Again >= 1 || k.Cancelled {
		return false
	}
	f.Again++
	f.Remembered = p
	return true
}

// registeredForLess: some issuers grant no scope beyond what a client named
// when it registered. A client that was registered before this login, perhaps
// by another resource behind the same issuer, is registered anew, once
// (rule dcr-scope-included). This does not apply to a scope that only the host asks for and
// that neither side lists.
func (k *step) registeredForLess() bool {
	f := k.flow()
	if f.Registered > 0 || f.Refused != "" || !dynamic(f.Client) || !k.canRegister() || k.listedNowhere() {
		return false
	}
	f.Refused, k.Tries = f.Client.ID, 0
	k.note(wire.Finding{Rule: rules.DCRScopeIncluded, Detail: "the issuer refused the scopes " + wire.Clean(wire.JoinScope(f.Requested), 200) +
		" for a client that was registered earlier; it is registered once more"})
	return true
}

// listedNowhere: the configuration asks for a scope that neither the issuer nor the
// resource lists, although the issuer lists scopes (RFC 8414 §2, RFC 9728 §2). A step-up
// is about the scopes that the server asked for, listed or not.
func (k *step) listedNowhere() bool {
	f := k.Flow
	if f.Why == states.WhyStepUp || len(f.Server.ScopesSupported) == 0 {
		return false
	}
	unlisted := wire.Missing(f.Server.ScopesSupported, wire.Missing(f.Listed, f.Requested))
	return slices.ContainsFunc(unlisted, func(s string) bool { return slices.Contains(k.Config.Scopes, s) })
}

// lessScope asks for less after invalid_scope: once without offline_access,
// once without any scope; never in a step-up (docs/decision-tables.md#t8b).
func (k *step) lessScope() bool {
	f := k.flow()
	if f.Why == states.WhyStepUp {
		return false
	}
	refused := f.Requested
	rest := wire.WithoutOfflineAccess(f.Requested)
	switch {
	case f.ScopeTurn == 0 && len(rest) < len(f.Requested):
		f.Requested = rest
	case f.ScopeTurn < 2 && len(f.Requested) > 0:
		f.Requested, f.ScopeTurn = nil, 1
	default:
		return false
	}
	f.ScopeTurn++
	again := "without any"
	if len(f.Requested) > 0 {
		again = "for " + wire.Clean(wire.JoinScope(f.Requested), 200)
	}
	k.note(wire.Finding{Rule: rules.AuthzReqScopeOmit, Detail: "the issuer refused the scopes " + wire.Clean(wire.JoinScope(refused), 200) +
		"; it is asked once more, " + again})
	return k.park(ScopeRefused) == ScopeRefused
}

// givenRefused: the issuer refuses a client id that was entered by hand and stored before
// it was known to work. It is removed, and the next login asks for one (rule reg-ask-user).
func (k *step) givenRefused(p wire.Problem) Event {
	if k.Flow.Client.Source != wire.SourceHost {
		return Illegal
	}
	k.fail(GivenClientRefused, partyOfClient(k.Flow.Client), p)
	k.Fault.Advice = "check the client id and its secret; what was given is removed, and the next login asks for it"
	return GivenClientRefused
}

// newClient: the issuer does not know this client. A client that the issuer itself gave
// is dropped, and a new one is registered. In place of a metadata document, a client is
// registered. Each happens once in a login. A configured client is never replaced.
func (k *step) newClient() Event {
	f := k.flow()
	if f.Refused != "" || k.Cancelled || !k.canRegister() {
		return Illegal
	}
	switch {
	case dynamic(f.Client):
		f.Refused, k.Tries = f.Client.ID, 0 // what follows is asked for the first time
		return k.dropClient(ClientUnknown)
	case f.Client.Source == wire.SourceCIMD:
		f.Refused, k.Tries = f.Client.ID, 0
		k.note(wire.Finding{Rule: rules.CIMDAdvertisedButRefused, Detail: "the issuer advertises client ID metadata documents and refuses ours"})
		f.Client = wire.Client{}
		return DocumentRefused
	}
	return Illegal
}

// dropClient gives up a client that the issuer itself gave. A step-up has the client from
// the grant; then the stored registration is read first, because another process may have
// stored a newer one.
func (k *step) dropClient(on Event) Event {
	f := k.flow()
	if f.Registration != 0 || f.Registered > 0 {
		return on
	}
	f.Client, f.Unread = wire.Client{}, true
	return ClientUnread
}
