package transitions

import (
	"slices"

	"github.com/stile-oauth/stile/states"
	"github.com/stile-oauth/stile/states/rules"
)

// once are the states whose question is marked Once. An interruption there has an event
// of its own.
var once = []states.State{states.Registering, states.Exchanging, states.Refreshing}

// everywhere gives the rows of the events that mean the same in every state. Time passes
// and nothing is due; the resource accepts a token; a challenge is kept, to be judged on
// arriving in Authorized; a caller that asks for a login joins the one under way; a
// cancellation is noted while an answer that must not be lost is on its way (states that
// act on it when the answer arrives have both rows in the table); and after an
// interruption the question is asked again, unless it is a Once. A question that carries
// the client's assertion or a proof is signed again first.
func everywhere() []Row {
	has := func(s states.State, on Event) bool {
		return slices.ContainsFunc(written, func(r Row) bool { return r.From == s && r.On == on })
	}
	var out []Row
	for _, s := range states.All {
		out = append(out, Row{s, TimePassed, s, hold, rules.HouseTime})
		if !has(s, TokenAccepted) {
			out = append(out, Row{s, TokenAccepted, s, hold, rules.ChallengeFreshTokenLoop})
		}
		if !has(s, ChallengeNoted) && !has(s, Forbidden) { // a state that judges challenges notes none
			out = append(out, Row{s, ChallengeNoted, s, hold, rules.Refresh401One})
		}
		if !has(s, Cancelled) {
			out = append(out, Row{s, CancelNoted, s, hold, rules.HouseCancel})
		}
		if !states.Resting(s) {
			out = append(out, Row{s, ScopesWanted, s, hold, rules.AuthzReqScopeMinimal})
		}
		if !slices.Contains(once, s) && !has(s, AskedAgainToAssert) && !has(s, AskedAgainToIdentify) {
			out = append(out, Row{s, AskedAgain, s, move, rules.HouseAskAgain})
			if first, ok := signing[s]; ok {
				out = append(out, Row{s, AskedAgainToSign, first, move, rules.ClientauthJWTFresh})
			}
		}
	}
	return out
}
