package transitions

import (
	"time"

	"github.com/stile-oauth/stile/states"
	"github.com/stile-oauth/stile/states/rules"
	"github.com/stile-oauth/stile/states/wire"
)

func parking(k *step) Event {
	switch in := k.in.(type) {
	case states.Saved:
		f := k.flow()
		f.Login, f.Visit = in.Generation, k.Serial+1
		if k.Cancelled {
			return k.cancelled(Cancelled)
		}
		k.wakeInLogin()
		return LoginParked
	case states.Conflicted:
		if k.Tries > 0 { // asked before, and the answer was lost
			return k.parkedBefore()
		}
		return k.fail(StoreLost, states.PartyStore, wire.Problem{
			Rule: rules.AuthzReqPendingFirst, Detail: "a login with this state is parked already",
		})
	case states.StoreFailed:
		return k.storeLost(in, StoreLost, Illegal)
	case states.Interrupted:
		return k.askedAgain(in)
	case states.Cancelled:
		k.Cancelled = true
		return CancelNoted
	}
	return Illegal
}

// parkedBefore: no other process can have drawn this state, so this process parked the login
// before it was interrupted. The state was given to nobody. It is left to expire, and a new
// one is drawn.
func (k *step) parkedBefore() Event {
	if k.Cancelled {
		return k.cancelled(Cancelled)
	}
	k.note(wire.Finding{Rule: rules.AuthzReqPendingFirst, Detail: "the login was parked before the interruption; that one is left to expire, and state and verifier are drawn anew"})
	return k.park(LoginRedrawn)
}

// park prepares an authorization request: verifier and state are drawn anew for each request
// (rule authz-req-verifier-fresh), and it must be possible to build the URL.
func (k *step) park(on Event) Event {
	f := k.flow()
	f.Verifier, f.State = k.Draw("verifier"), wire.Secret(k.Config.StatePrefix)+k.Draw("state")
	f.Callback, f.Login, f.Visit = "", 0, 0
	f.Deadline = k.at.Add(k.Config.UserWait())
	k.Tries = 0
	if bad := wire.JudgeAuthorization(f.AuthorizationParams(k.Config)); bad != nil {
		return k.fail(RequestRefused, states.PartyPeer, *bad)
	}
	return on
}

// wakeInLogin: look at the store again soon, and end at the deadline.
func (k *step) wakeInLogin() {
	k.WakeAt = k.at.Add(pollReplica)
	if k.WakeAt.After(k.Flow.Deadline) {
		k.WakeAt = k.Flow.Deadline
	}
}

func authorizing(k *step) Event {
	switch in := k.in.(type) {
	case states.Redirected:
		return k.redirected(in)
	case states.Unreachable:
		return k.unvisited(in)
	case states.Resumed:
		k.Seed, k.Draws = in.Seed, 0
		return LoginResumed
	case states.Cancelled:
		return k.visitCancelled()
	case states.Ticked:
		switch {
		case !k.at.Before(k.Flow.Deadline):
			return k.loginExpired()
		case !k.at.Before(k.WakeAt):
			return CheckDue
		}
	}
	return Illegal
}

func checking(k *step) Event {
	switch in := k.in.(type) {
	case states.Loaded:
		rec, _ := k.read(in)
		if rec != nil && k.newer(rec) {
			if k.finished(rec) {
				k.Adopted = rec
				k.Entry = in.Generation
				return LoginAdopted
			}
			k.take(rec, in.Generation)
		}
		k.Fault = nil
		return k.nothingYet()
	case states.NotFound, states.StoreFailed:
		return k.nothingYet()
	}
	return k.beside()
}

// nothingYet: the login still waits for the user, and the mark is kept alive.
func (k *step) nothingYet() Event {
	if until := k.Flow.MarkUntil; k.at.Before(until.Add(renewMark - states.MarkLife)) {
		k.wakeInLogin()
		return NothingYet
	}
	k.flow().MarkUntil = k.at.Add(states.MarkLife)
	return MarkDue
}

// remarking: a mark that has expired, or that another process has replaced, is set again when
// that is possible. The login continues in any case.
func remarking(k *step) Event {
	switch in := k.in.(type) {
	case states.Saved:
		k.flow().Mark = in.Generation
		k.wakeInLogin()
		return MarkRenewed
	case states.Conflicted:
		k.flow().Mark = 0
		k.wakeInLogin()
		return MarkLost
	case states.StoreFailed:
		k.wakeInLogin()
		return MarkLost
	}
	return k.beside()
}

// beside handles what may arrive while another question is open beside the Visit.
func (k *step) beside() Event {
	switch in := k.in.(type) {
	case states.Redirected:
		return k.redirected(in)
	case states.Unreachable:
		return k.unvisited(in)
	case states.Cancelled:
		return k.visitCancelled()
	case states.Ticked:
		if !k.at.Before(k.Flow.Deadline) {
			return k.loginExpired()
		}
	}
	return Illegal
}

// unvisited: the user never saw the authorization endpoint.
func (k *step) unvisited(in states.Unreachable) Event {
	on, party := VisitFailed, states.PartyHost
	p := wire.Problem{Rule: rules.HouseVisit, Detail: wire.Clean(in.Detail, 300)}
	if in.Class == states.Blocked {
		on, party = VisitRefused, states.PartyPeer
		p.Rule, p.Refuse = rules.AuthzReqURLHostPolicy, true
		if in.Rule != "" {
			p.Rule = in.Rule
		}
	}
	k.fail(on, party, p)
	k.Fault.Doing = "sending the user to the issuer"
	return on
}

// loginExpired: nobody finished the login in time.
func (k *step) loginExpired() Event {
	return k.nobodyCame(k.fail(LoginExpired, states.PartyNobody, wire.Problem{
		Rule: rules.AuthzRespDeadline, Detail: "nobody finished the login within " + k.Config.UserWait().String(),
	}))
}

// visitCancelled: the program that waits for the user was told to give up, perhaps because
// the user sees an error page.
func (k *step) visitCancelled() Event { return k.nobodyCame(k.cancelled(Cancelled)) }

// nobodyCame: an issuer that has lost its client shows the user an error page and sends
// nobody back. Therefore a registration from before this login, which this login did not
// prove, is not used again. The same holds for a client id that was given by hand and has
// given no token yet.
func (k *step) nobodyCame(on Event) Event {
	f := k.Flow
	if f.Registration != 0 && f.Client.Source == wire.SourceHost && (k.Token() == nil || k.Token().Client.ID != f.Client.ID) {
		k.Fault.Advice = "log in again; if the issuer showed an error page, the client id may be wrong: the next login asks for it again"
		return RegistrationDoubted
	}
	if f.Registration == 0 || f.Registered > 0 || f.Client.Source != wire.SourceStored || !k.canRegister() {
		return on
	}
	k.Fault.Advice = "log in again; if the issuer showed an error page, it may have forgotten the client that was registered earlier: the next login registers a new one"
	return RegistrationDoubted
}

// redirected checks the address and the state of a callback, in the order of #t1. Nothing
// else of the callback is read before the parked login has been claimed. A callback that is
// not for this login does not change the login.
func (k *step) redirected(in states.Redirected) Event {
	f := k.Flow
	if k.Seed == "" {
		return Illegal // a login that was resumed continues first
	}
	if !wire.SameRedirect(f.RedirectURI, in.URL.Reveal()) {
		k.note(wire.Finding{Rule: rules.AuthzRespRedirectExact, Detail: "a callback came to another address than the redirect URI"})
		return CallbackForeign
	}
	cb, bad := wire.ParseCallback(in.URL.Reveal())
	if bad != nil || !wire.SameState(f.State, cb.State) {
		k.note(wire.Finding{Rule: rules.AuthzRespStateMatch, Detail: "a callback came with a state that is not of this login"})
		return StateMismatch
	}
	k.flow().Callback = in.URL
	k.Tries = 0
	return CallbackReceived
}

// pollReplica is how often the store is asked whether another replica has
// finished this login.
const pollReplica = 3 * time.Second

// renewMark is how often the mark is renewed meanwhile.
const renewMark = 15 * time.Second
