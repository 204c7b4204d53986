package transitions

import (
	"github.com/stile-oauth/stile/states"
	"github.com/stile-oauth/stile/states/rules"
	"github.com/stile-oauth/stile/states/wire"
)

func registering(k *step) Event {
	switch in := k.in.(type) {
	case states.Responded:
		return k.registrationAnswer(in.Response)
	case states.Unreachable:
		p, refused := unanswered(in)
		switch {
		case refused:
			return k.fail(RegistrationRefused, partyOf(p), p)
		case in.Class == states.Lost:
			return k.registrationLost(p, partyInTrouble(p))
		case k.again(retriesGet, nil):
			return RegistrationTrouble
		}
		return k.inTrouble(RegistrationUnreachable, partyInTrouble(p), p)
	case states.Interrupted:
		k.Seed, k.Draws = in.Seed, 0
		return k.registrationLost(wire.Problem{Rule: rules.HouseAskAgain, Detail: "the program was interrupted while registering"}, states.PartyHost)
	}
	return Illegal
}

// registrationLost: the issuer may have registered a client that nobody knows. One more try
// is made, and the orphan is noted (docs/decision-tables.md#t8a).
func (k *step) registrationLost(p wire.Problem, party states.Party) Event {
	if k.Tries >= 1 {
		return k.inTrouble(RegistrationUnreachable, party, p)
	}
	k.Tries++
	k.note(wire.Finding{Rule: rules.RegReregisterOnce, Detail: "the answer to a registration was lost: a client may have been left behind"})
	return RegistrationLost
}

func (k *step) registrationAnswer(r wire.Response) Event {
	switch statusClass(r) {
	case wire.ClassServer, wire.ClassThrottled:
		if k.again(retriesPost, &r) {
			return RegistrationTrouble
		}
		return k.inTrouble(RegistrationUnreachable, states.PartyPeer, wire.Problem{Rule: rules.DCRErrorShape, Detail: statusText(r)})
	case wire.ClassRedirect:
		return k.fail(RegistrationRefused, states.PartyPeer, wire.Problem{Rule: rules.NetRedirectPost, Detail: statusText(r), Refuse: true})
	}
	f := k.flow()
	client, found, bad := wire.ParseRegistration(r, f.RegistrationParams(k.Config), f.Server.AuthMethods, k.at)
	k.note(found...)
	if bad == nil {
		f.Client, f.Registered, f.Remembered, k.Tries = client, f.Registered+1, nil, 0
		return Registered
	}
	forbidden := r.Status == 401 || r.Status == 403
	if forbidden && !f.Demanded && k.Config.InitialToken != "" {
		if k.Config.InitialTokenFor(f.Server.Issuer) != "" {
			f.Demanded = true
			return InitialTokenDemanded
		}
		k.note(wire.Finding{Rule: rules.DCRInitialAccessToken, Detail: "the configured initial access token is of another issuer; it is not sent here"})
	}
	if bad.OAuth != nil && !f.Adjusted && bad.OAuth.Code == wire.CodeInvalidRedirectURI {
		f.Adjusted = true
		f.Remembered = bad
		return RegistrationAdjusted
	}
	if overMetadata(r, bad) && k.trim() {
		f.Remembered = bad
		return RegistrationTrimmed
	}
	if bad.OAuth == nil && notThere(r) && !f.Server.Defaults { // an address that the issuer named itself
		f.Remembered = bad
		if k.rereadIssuer() {
			return EndpointGone
		}
		return k.unregistered()
	}
	if wantsStatement(bad) {
		return k.fail(RegistrationRefused, states.PartyPeer, *bad)
	}
	if k.asksForClient() && (forbidden || bad.OAuth != nil || notThere(r)) {
		f.Remembered = bad
		return ClientNeeded
	}
	if forbidden {
		f.Remembered = bad
		return k.registrationClosed(r)
	}
	return k.fail(RegistrationRefused, states.PartyPeer, *bad)
}

// wantsStatement reports whether the issuer refused the software statement, or the lack of
// one. That is final, even if the host could be asked for a client
// (docs/decision-tables.md#t8b-software-statement).
func wantsStatement(bad *wire.Problem) bool {
	return bad.OAuth != nil &&
		(bad.OAuth.Code == wire.CodeInvalidSoftwareStatement || bad.OAuth.Code == wire.CodeUnapprovedSoftwareStatement)
}

// overMetadata reports whether a registration was refused for what it carries, or without a
// stated reason. An address where nothing is served, and an issuer that does not register
// everybody, are different cases.
func overMetadata(r wire.Response, bad *wire.Problem) bool {
	if r.Status < 400 || r.Status == 401 || r.Status == 403 || notThere(r) {
		return false
	}
	if bad.OAuth == nil {
		return true
	}
	switch bad.OAuth.Code {
	case wire.CodeInvalidClientMetadata, wire.CodeInvalidRequest, wire.CodeInvalidScope:
		return true
	}
	return false
}

// trim leaves more out of the registration: scope first, then every optional
// member. It reports whether anything was left to leave out.
// Rules: dcr-adjusted-retry.
func (k *step) trim() bool {
	f := k.flow()
	switch {
	case f.Trimmed == states.BareRegistration:
		return false
	case f.Trimmed == states.FullRegistration && len(f.Requested) > 0:
		f.Trimmed = states.RegistrationWithoutScope
	default:
		f.Trimmed = states.BareRegistration
	}
	return true
}

// registrationClosed: the issuer registers clients, but not for everybody
// (docs/decision-tables.md#t5-4, #t5-5). A client id or an initial access token is missing.
func (k *step) registrationClosed(r wire.Response) Event {
	why := "the issuer does not register clients for everybody (" + statusText(r) + "), and no client is configured"
	if k.Flow.Demanded {
		why = "the issuer does not register a client with the initial access token that is configured (" + statusText(r) + ")"
	}
	on := k.clientMissing(rules.DCRInitialAccessToken, why)
	k.Fault.Advice = "register a client by hand with the issuer and configure its client id, or get an initial access token from the issuer and configure that"
	return on
}

func filing(k *step) Event {
	switch in := k.in.(type) {
	case states.Saved:
		f := k.flow()
		f.Registration, f.Filed = in.Generation, f.Client.Method
		if k.Cancelled {
			return k.cancelled(Cancelled)
		}
		return k.filed(RegistrationFiled)
	case states.Conflicted:
		// Another process registered at the same time. Its client stays in the store; ours is
		// used for this login.
		k.note(wire.Finding{Rule: rules.RegSingleFlight, Detail: "another process registered at the same time"})
		if k.Cancelled {
			return k.cancelled(Cancelled)
		}
		return k.filed(RegistrationKept)
	case states.StoreFailed:
		return k.storeLost(in, StoreLost, Illegal)
	case states.Cancelled:
		k.Cancelled = true
		return CancelNoted
	}
	return Illegal
}

// filed continues with the client that was just registered.
func (k *step) filed(on Event) Event {
	if k.AtDevice() {
		return DeviceWanted
	}
	return k.park(on)
}

// refiling: the login is done, whatever the result of this write is.
func refiling(k *step) Event {
	switch in := k.in.(type) {
	case states.Saved:
		f := k.flow()
		f.Registration, f.Filed = in.Generation, f.Client.Method
		return k.deviceDone(MethodFiled)
	case states.Conflicted, states.StoreFailed:
		return k.deviceDone(MethodUnfiled)
	}
	return Illegal
}

func rereadingToRegister(k *step) Event {
	asm, on, done := k.rereadInLogin()
	if !done {
		return on
	}
	f := k.flow()
	if was := f.Server.RegistrationEndpoint; asm != nil && asm.RegistrationEndpoint != "" && asm.RegistrationEndpoint != was {
		k.moved("registration endpoint", was, asm.RegistrationEndpoint)
		f.Server = *asm
		return EndpointMoved
	}
	return k.unregistered()
}

// asksForClient: the host can ask its user for a client id, and somebody waits for the login.
func (k *step) asksForClient() bool {
	return k.Config.HostDecides(states.AskClient) && !k.Cancelled
}

// unregistered: the issuer registers nobody, whatever its metadata says; the
// host is asked for a client id (docs/decision-tables.md#t5-5).
func (k *step) unregistered() Event {
	if k.asksForClient() {
		return ClientNeeded
	}
	return k.clientMissing(rules.RegAskUser, "the issuer's registration endpoint is not there, and no client is configured")
}

func dropping(k *step) Event {
	if k.Flow.Client.Source == wire.SourceHost {
		return k.givenDropped()
	}
	switch k.in.(type) {
	case states.Deleted, states.NotFound:
		f := k.flow()
		f.Registration, f.Filed, f.Client = 0, "", wire.Client{}
		return RegistrationDropped
	case states.Conflicted, states.StoreFailed:
		// Another process replaced it, or the store does not answer. One new registration is
		// made nevertheless; its write is decided by generation.
		f := k.flow()
		f.Client = wire.Client{}
		return RegistrationDropped
	}
	return Illegal
}

// givenDropped ends the login with what the issuer said; what another process stored in the
// meantime stays.
func (k *step) givenDropped() Event {
	switch k.in.(type) {
	case states.Deleted, states.NotFound, states.Conflicted:
		return GivenClientDropped
	case states.StoreFailed:
		f := *k.Fault
		f.Advice = "check the client id and its secret; the store failed when what was given was to be removed, so that the next login may meet it again"
		k.Fault = &f
		return GivenClientKept
	}
	return Illegal
}
