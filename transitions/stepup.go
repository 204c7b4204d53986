package transitions

import (
	"slices"
	"time"

	"github.com/stile-oauth/stile/states"
	"github.com/stile-oauth/stile/states/rules"
	"github.com/stile-oauth/stile/states/wire"
)

func stepUp(k *step) Event {
	switch in := k.in.(type) {
	case states.Loaded:
		return k.stepUpTried(states.DecodeLedger(in.Value), in.Generation)
	case states.NotFound:
		k.StepUps = 0 // none within the memory of the ledger
		return k.stepUpTried(states.Ledger{Version: states.RecordVersion}, 0)
	case states.StoreFailed:
		k.ledgerAway(in, "it is not known how often more scope was asked for")
		return k.stepUpTried(states.Ledger{Version: states.RecordVersion}, 0)
	case states.Cancelled:
		on := k.cancelled(Cancelled)
		k.restAuthorized()
		return on
	}
	return Illegal
}

func (k *step) stepUpTried(l states.Ledger, g states.Generation) Event {
	f := k.flow()
	// An attempt with a time in the future comes from a wrong clock. It is ignored, because
	// otherwise it would count for longer than an attempt can.
	// What was tried before a user logged in says nothing about what they decide now.
	l.Attempts = slices.DeleteFunc(slices.Clone(l.Attempts), func(a states.Attempt) bool {
		return !k.at.Before(a.At.Add(states.LedgerLife)) || a.At.After(k.at.Add(clockSkew)) || a.At.Before(k.Token().Decided)
	})
	same := 0
	for _, a := range l.Attempts {
		if wire.EqualScopes(a.Scopes, f.Scopes) {
			same++
		}
	}
	if same >= maxSameScope || len(l.Attempts) >= maxStepUps || k.StepUps >= maxStepUps {
		return k.restWith(k.fail(ScopeShortAgain, states.PartyPeer, wire.Problem{
			Rule:   rules.StepupRetryLimit,
			Detail: "more scope was asked for already: " + wire.Clean(wire.JoinScope(f.Scopes), 200),
		}))
	}
	l.Attempts = append(l.Attempts, states.Attempt{Scopes: f.Scopes, At: k.at})
	f.Ledger, f.LedgerAt = l, g
	k.StepUps++
	return StepUpAllowed
}

// ledgerAway says that the store failed, and no server.
func (k *step) ledgerAway(in states.StoreFailed, so string) {
	k.note(wire.Finding{Rule: rules.StepupTrack, Detail: "the credential store failed (" + wire.Clean(in.Detail, 200) + "): " + so})
}

func tallying(k *step) Event {
	switch in := k.in.(type) {
	case states.Saved, states.Conflicted, states.StoreFailed:
		// The ledger is kept on a best-effort basis.
		if lost, ok := in.(states.StoreFailed); ok {
			k.ledgerAway(lost, "this step-up could not be counted")
		}
		f := k.flow()
		f.Ledger, f.LedgerAt = states.Ledger{}, 0
		return StepUpCounted
	}
	return Illegal
}

// The limits of step-ups that this project chose (rule stepup-retry-limit): one attempt
// for a scope set at a resource, three in a session.
const (
	maxSameScope = 1
	maxStepUps   = 3
	clockSkew    = time.Minute
)
