package transitions

import (
	"slices"

	"github.com/stile-oauth/stile/states"
	"github.com/stile-oauth/stile/states/rules"
	"github.com/stile-oauth/stile/states/wire"
)

// fail records why something failed, and returns the event. A store may answer later; of all
// others, inTrouble and transient say so.
func (k *step) fail(on Event, party states.Party, p wire.Problem) Event {
	f := newFault(k.state, on, party, p)
	f.Peer = k.peer()
	if first := k.firstCause(); first != nil && first.Rule != p.Rule {
		f.First = first
	}
	k.Fault = f
	return on
}

func newFault(s states.State, on Event, party states.Party, p wire.Problem) *states.Fault {
	f := &states.Fault{Party: party, State: s, Event: on, Doing: states.Doing(s), Problem: p, Transient: party == states.PartyStore}
	f.Advice = advise(f)
	return f
}

// firstCause is what went wrong first in the login under way and has not been fixed
// since.
func (k *step) firstCause() *wire.Problem {
	switch {
	case k.Flow == nil:
		return nil
	case k.Flow.Unusable != nil:
		return k.Flow.Unusable
	}
	return k.Flow.Remembered
}

// inTrouble records a failure after which the same may succeed although nobody changes
// anything.
func (k *step) inTrouble(on Event, party states.Party, p wire.Problem) Event {
	k.fail(on, party, p)
	return k.transient(on)
}

// transient marks the fault that was just recorded: the same may succeed later although
// nobody changes anything.
func (k *step) transient(on Event) Event {
	k.Fault.Transient = true
	k.Fault.Advice = advise(k.Fault)
	return on
}

// final marks the fault that was just recorded: the same does not succeed until somebody
// changes something.
func (k *step) final(on Event) Event {
	k.Fault.Transient = false
	return on
}

// askingForHeld are the states that ask the issuer of the held token.
var askingForHeld = []states.State{
	states.Refreshing, states.RereadingToRefresh, states.Renewing, states.SigningToRefresh, states.SigningToRenew, states.AssertingAgain, states.SigningToPresentAgain, states.PresentingAgain, states.SigningToRedeemAgain,
	states.IdentifyingAgain, states.ExchangingIdentityAgain, states.RedeemingAgain,
}

// askingProvider are the states that talk to the identity provider.
var askingProvider = []states.State{
	states.DiscoveringProvider, states.Identifying, states.ExchangingIdentity, states.IdentifyingAgain, states.ExchangingIdentityAgain,
}

// peer names the server that the machine talks to in the current state.
func (k *step) peer() string {
	switch {
	case k.state == states.DiscoveringPRM:
		return k.Config.Resource.Origin()
	case slices.Contains(askingProvider, k.state):
		return wire.Clean(k.Config.Provider.Issuer, 200)
	case k.Flow != nil && k.Flow.Server.Issuer != "":
		return wire.Clean(k.Flow.Server.Issuer, 200)
	case k.Flow != nil && len(k.Flow.Issuers) > k.Flow.Issuer:
		return wire.Clean(k.Flow.Issuers[k.Flow.Issuer], 200)
	case slices.Contains(askingForHeld, k.state):
		return wire.Clean(k.Token().Server.Issuer, 200)
	}
	return k.Config.Resource.Origin()
}

// cancelled is the event of a cancellation that takes effect at once.
func (k *step) cancelled(on Event) Event {
	k.Cancelled = true
	return k.fail(on, states.PartyNobody, cancellation)
}

var cancellation = wire.Problem{Rule: rules.HouseCancel, Detail: "the login was cancelled"}

// CancelledIn is the fault of a login that was cancelled in a state, for a host that ends
// the login although the machine has not come to rest.
func CancelledIn(s states.State) *states.Fault {
	return newFault(s, Cancelled, states.PartyNobody, cancellation)
}

// storeLost is the event of a store that failed; it is holding if a usable token is held,
// and on otherwise.
func (k *step) storeLost(in states.StoreFailed, on, holding Event) Event {
	if in.Entry {
		k.fail(on, states.PartyStore, wire.Problem{Rule: rules.StoreAAD, Detail: wire.Clean(in.Detail, 300)})
		k.final(on)
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
		k.restAuthorized()
		return holding
	}
	return on
}

// partyOf tells who is at fault when another try would not help: the party that named an
// address that must not be asked, or the network.
func partyOf(p wire.Problem) states.Party {
	if p.Rule != rules.NetTLSVerify {
		return states.PartyPeer
	}
	return states.PartyNetwork
}

// partyInTrouble tells which party is in trouble: the network if no answer came, otherwise
// the server that gave an unusable answer (5xx, 429, server_error).
func partyInTrouble(p wire.Problem) states.Party {
	switch p.Rule {
	case rules.HouseUnreachable, rules.NetTimeout, rules.NetTLSVerify:
		return states.PartyNetwork
	}
	return states.PartyPeer
}

// partyOfClient tells who is at fault when an issuer does not know a client: the party
// that configured it, or the issuer that gave it or promised to accept it.
func partyOfClient(c wire.Client) states.Party {
	if c.Source == wire.SourceConfigured || c.Source == wire.SourceHost {
		return states.PartyHost
	}
	return states.PartyPeer
}

// unanswered turns an Unreachable into the problem that it stands for; refused says that
// another try would not help.
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
	default: // the others need nothing here
	}
	return p, false
}
