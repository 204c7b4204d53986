package transitions

import (
	"time"

	"github.com/stile-oauth/stile/states"
	"github.com/stile-oauth/stile/states/rules"
	"github.com/stile-oauth/stile/states/wire"
)

// Classify names what the input means in the state and gives the new facts.
// Illegal means that the state does not take such an input: the caller's
// mistake, and the facts given back are to be thrown away. It never changes
// what d points to.
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
	return on, k.Data
}

// classify goes to the function of the state.
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
	}
	return Illegal
}

// step is one classification: the facts, to be changed freely since they are a
// copy, and what came in. What the facts point to is copied before it is
// changed (flow, record, token).
type step struct {
	states.Data
	state states.State
	at    time.Time
	in    states.Input
	own   *states.Flow // the copy of the login that may be changed
}

// everywhere classifies what means the same in every state.
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
		k.accept(in.Generation)
		return TokenAccepted
	case states.Begun:
		if in.Login && !states.Resting(k.state) {
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
	if k.own == nil || k.own != k.Flow {
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

// fail records why it did not come about and gives back the event.
func (k *step) fail(on Event, party states.Party, p wire.Problem) Event {
	f := &states.Fault{Party: party, State: k.state, Event: string(on), Doing: states.Doing(k.state), Peer: k.peer(), Problem: p}
	f.Transient = (party == states.PartyNetwork || party == states.PartyStore) && !p.Refuse
	if k.Flow != nil && k.Flow.Remembered != nil && k.Flow.Remembered.Rule != p.Rule {
		f.First = k.Flow.Remembered
	}
	f.Advice = advise(f)
	k.Fault = f
	return on
}

// inTrouble records a failure that may be over by itself.
func (k *step) inTrouble(on Event, party states.Party, p wire.Problem) Event {
	k.fail(on, party, p)
	return k.passing(on)
}

// passing says of the fault that was just recorded that the same may succeed
// later without anyone's help.
func (k *step) passing(on Event) Event {
	k.Fault.Transient = true
	k.Fault.Advice = advise(k.Fault)
	return on
}

// lasting says of the fault that was just recorded that the same does not
// succeed later without anyone's help.
func (k *step) lasting(on Event) Event {
	k.Fault.Transient = false
	k.Fault.Advice = advise(k.Fault)
	return on
}

// peer names who is talked to in the current state.
func (k *step) peer() string {
	switch {
	case k.Flow != nil && k.state == states.DiscoveringPRM:
		return wire.Origin(k.Config.Server)
	case k.Flow != nil && k.Flow.Server.Issuer != "":
		return wire.Clean(k.Flow.Server.Issuer, 200)
	case k.Flow != nil && len(k.Flow.Issuers) > k.Flow.Issuer:
		return wire.Clean(k.Flow.Issuers[k.Flow.Issuer], 200)
	case (k.state == states.Refreshing || k.state == states.RereadingToRefresh) && k.Token() != nil:
		return wire.Clean(k.Token().Server.Issuer, 200)
	}
	return wire.Origin(k.Config.Server)
}

// cancelled is the event of a wish to cancel that can be met at once.
func (k *step) cancelled(on Event) Event {
	k.Cancelled = true
	return k.fail(on, states.PartyNobody, wire.Problem{Rule: rules.HouseCancel, Detail: "the login was cancelled"})
}

// storeLost is the event of a store that failed; with a usable token in hand
// it is the gentler one.
func (k *step) storeLost(in states.StoreFailed, on, holding Event) Event {
	if in.Entry {
		k.fail(on, states.PartyStore, wire.Problem{Rule: rules.StoreAAD, Detail: wire.Clean(in.Detail, 300)})
		k.lasting(on)
	} else {
		k.fail(on, states.PartyStore, wire.Problem{Rule: rules.StoreLeaseTristate, Detail: wire.Clean(in.Detail, 300)})
	}
	return k.ifHolding(on, holding)
}

// ifHolding gives the second event when a usable token is held, and prepares
// to rest in Authorized with it.
func (k *step) ifHolding(on, holding Event) Event {
	if holding != Illegal && k.Usable(k.at) {
		if states.RenewsIn(k.state) {
			k.pause(pauseRenewal)
		}
		k.arrive()
		return holding
	}
	return on
}

// again prepares one more try of the same question after a pause: exponential,
// with jitter, and not before the peer's Retry-After (rules net-backoff-bounded,
// net-retry-after). It reports false when the bound is reached or the peer
// asks for more patience than a login has.
func (k *step) again(most int, r *wire.Response) bool {
	if k.Tries >= most {
		return false
	}
	wait := min(250*time.Millisecond<<k.Tries, maxBackoff)
	wait += wait * time.Duration(k.Jitter()) / 4000
	if r != nil {
		if after, ok := wire.RetryAfter(*r, k.at); ok {
			if after > maxPatience {
				return false
			}
			wait = max(wait, after)
		}
	}
	k.Tries++
	k.NotBefore = k.at.Add(wait)
	return true
}

// pause puts the next renewal off: the one that was tried did not come about,
// and the token that is held lives on. It is never put off beyond its life.
func (k *step) pause(wait time.Duration) {
	k.RenewAfter = k.at.Add(wait)
	if !k.FreshUntil.IsZero() && k.RenewAfter.After(k.FreshUntil) {
		k.RenewAfter = k.FreshUntil
	}
}

// The house numbers of retrying.
const (
	pauseRenewal = 5 * time.Second
	maxBackoff   = 5 * time.Second
	maxPatience  = 30 * time.Second
	retriesGet   = 3
	retriesPost  = 2
)

// unanswered turns an Unreachable into the problem it stands for; refused says
// that trying again is no use.
func unanswered(in states.Unreachable) (p wire.Problem, refused bool) {
	p = wire.Problem{Rule: rules.HouseUnreachable, Detail: wire.Clean(in.Detail, 300)}
	if in.Rule != "" {
		p.Rule = in.Rule
	}
	switch in.Class {
	case states.TLS:
		return wire.Problem{Rule: rules.NetTLSVerify, Detail: p.Detail, Refuse: true}, true
	case states.Blocked:
		rule := in.Rule
		if rule == "" {
			rule = rules.NetIPPolicy
		}
		return wire.Problem{Rule: rule, Detail: p.Detail, Refuse: true}, true
	}
	return p, false
}
