package transitions

import (
	"time"

	"github.com/stile-oauth/stile/states"
	"github.com/stile-oauth/stile/states/wire"
)

// Classify names what the input means in the state and returns the new facts. Illegal
// means that the state does not take such an input. That is the caller's mistake, and the
// returned facts must be discarded. Classify never changes what d points to.
func Classify(s states.State, d states.Data, at time.Time, in states.Input) (Event, states.Data) {
	k := step{Data: d, state: s, at: at, in: in}
	k.Notes, k.NotBefore = nil, time.Time{}
	if !states.HoldsLease(s) {
		k.Lease = states.Leasehold{} // given back on arriving here
	}
	on := k.classify()
	if on == Illegal {
		k.NotBefore = d.NotBefore // the open question waits as it did
		on = k.everywhere()
	}
	if _, answer := in.(states.Interrupted); answer || answers(in) {
		if k.Assertion == d.Assertion {
			k.Assertion = nil // it was used, or never will be
		}
		if k.Proof == d.Proof {
			k.Proof = nil
		}
	}
	k.maskEchoes(&d)
	return on, k.Data
}

// answers reports whether an input is the answer to a question.
func answers(in states.Input) bool { _, ok := states.SerialOf(in); return ok }

// classify calls the function of the state.
func (k *step) classify() Event {
	switch k.state {
	case states.Idle:
		return idle(k)
	case states.Anonymous:
		return anonymous(k)
	case states.Authorized:
		return authorized(k)
	case states.Failed:
		return failed(k)
	case states.Loading:
		return loading(k)
	case states.Announcing:
		return announcing(k)
	case states.Recognizing:
		return recognizing(k)
	case states.Confirming:
		return confirming(k)
	case states.Queuing:
		return queuing(k)
	case states.Peeking:
		return peeking(k)
	case states.DiscoveringPRM:
		return discoveringPRM(k)
	case states.ApprovingResource:
		return approvingResource(k)
	case states.ChoosingIssuer:
		return choosingIssuer(k)
	case states.ChoosingScopes:
		return choosingScopes(k)
	case states.DiscoveringASM:
		return discoveringASM(k)
	case states.FindingClient:
		return findingClient(k)
	case states.Binding:
		return binding(k)
	case states.Registering:
		return registering(k)
	case states.RereadingToRegister:
		return rereadingToRegister(k)
	case states.Filing:
		return filing(k)
	case states.Refiling:
		return refiling(k)
	case states.Dropping:
		return dropping(k)
	case states.NeedingClient:
		return needingClient(k)
	case states.Parking:
		return parking(k)
	case states.Authorizing:
		return authorizing(k)
	case states.Checking:
		return checking(k)
	case states.Remarking:
		return remarking(k)
	case states.Claiming:
		return claiming(k)
	case states.Exchanging:
		return exchanging(k)
	case states.RereadingToExchange:
		return rereadingToExchange(k)
	case states.Requesting:
		return requesting(k)
	case states.Renewing:
		return renewing(k)
	case states.RecoveringDevice:
		return recoveringDevice(k)
	case states.ParkingDevice:
		return parkingDevice(k)
	case states.StartingDevice:
		return startingDevice(k)
	case states.AwaitingUser:
		return awaitingUser(k)
	case states.RemarkingDevice:
		return remarkingDevice(k)
	case states.SigningToPoll:
		return signingToPoll(k)
	case states.Polling:
		return polling(k)
	case states.Asserting:
		return asserting(k)
	case states.SigningToPresent:
		return signingToPresent(k)
	case states.Presenting:
		return presenting(k)
	case states.AssertingAgain:
		return assertingAgain(k)
	case states.SigningToPresentAgain:
		return signingToPresentAgain(k)
	case states.PresentingAgain:
		return presentingAgain(k)
	case states.DiscoveringProvider:
		return discoveringProvider(k)
	case states.Identifying:
		return identifying(k)
	case states.ExchangingIdentity:
		return exchangingIdentity(k)
	case states.SigningToRedeem:
		return signingToRedeem(k)
	case states.Redeeming:
		return redeeming(k)
	case states.IdentifyingAgain:
		return identifyingAgain(k)
	case states.ExchangingIdentityAgain:
		return exchangingIdentityAgain(k)
	case states.SigningToRedeemAgain:
		return signingToRedeemAgain(k)
	case states.RedeemingAgain:
		return redeemingAgain(k)
	case states.SigningToExchange:
		return signingToExchange(k)
	case states.SigningToRequest:
		return signingToRequest(k)
	case states.SigningToRetire:
		return signingToRetire(k)
	case states.SigningToRefresh:
		return signingToRefresh(k)
	case states.SigningToRenew:
		return signingToRenew(k)
	case states.SigningToDispose:
		return signingToDispose(k)
	case states.SigningToRevoke:
		return signingToRevoke(k)
	case states.Saving:
		return saving(k)
	case states.Merging:
		return merging(k)
	case states.Resaving:
		return resaving(k)
	case states.Distrusting:
		return distrusting(k)
	case states.Closing:
		return closing(k)
	case states.Withdrawing:
		return withdrawing(k)
	case states.Retiring:
		return retiring(k)
	case states.Pruning:
		return pruning(k)
	case states.Accepting:
		return accepting(k)
	case states.Leasing:
		return leasing(k)
	case states.Waiting:
		return waiting(k)
	case states.Looking:
		return looking(k)
	case states.Reloading:
		return reloading(k)
	case states.Marking:
		return marking(k)
	case states.Refreshing:
		return refreshing(k)
	case states.RereadingToRefresh:
		return rereadingToRefresh(k)
	case states.Unmarking:
		return unmarking(k)
	case states.Relinquishing:
		return relinquishing(k)
	case states.Doubting:
		return doubting(k)
	case states.Disowning:
		return disowning(k)
	case states.Rotating:
		return rotating(k)
	case states.Reconciling:
		return reconciling(k)
	case states.Disposing:
		return disposing(k)
	case states.StepUp:
		return stepUp(k)
	case states.Tallying:
		return tallying(k)
	case states.Recalling:
		return recalling(k)
	case states.Revoking:
		return revoking(k)
	case states.Erasing:
		return erasing(k)
	case states.LookingUpClient:
		return lookingUpClient(k)
	case states.ForgettingClient:
		return forgettingClient(k)
	case states.Unfiling:
		return unfiling(k)
	}
	return Illegal
}

// step is one classification: the facts and the input. The facts are a copy and may be
// changed freely. What they point to (flow, record, token) is copied before it is
// changed.
type step struct {
	states.Data
	state states.State
	at    time.Time
	in    states.Input
	own   *states.Flow // the copy of the login that may be changed
}

// everywhere classifies inputs that mean the same in every state.
func (k *step) everywhere() Event {
	switch in := k.in.(type) {
	case states.Ticked:
		return TimePassed
	case states.Cancelled:
		k.Cancelled = true
		return CancelNoted
	case states.Challenged:
		k.keep(k.judge(in))
		return ChallengeNoted
	case states.Accepted:
		k.accept(in.Generation) // whatever is stored next says so
		return TokenAccepted
	case states.Begun:
		if in.Login { // where the machine rests, that begins one
			return k.joined(in)
		}
	case states.Interrupted:
		k.Seed, k.Draws = in.Seed, 0
		return AskedAgain
	}
	return Illegal
}

// flow gives the login under way as a copy that may be changed.
func (k *step) flow() *states.Flow {
	if k.own != k.Flow {
		f := *k.Flow
		k.Flow, k.own = &f, &f
	}
	return k.own
}

// note records a finding of this step.
func (k *step) note(found ...wire.Finding) {
	if len(found) > 0 {
		k.Notes = append(k.Notes[:len(k.Notes):len(k.Notes)], found...)
	}
}
