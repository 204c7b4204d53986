package transitions

import (
	"time"

	"github.com/stile-oauth/stile/states"
	"github.com/stile-oauth/stile/states/rules"
	"github.com/stile-oauth/stile/states/wire"
)

// judge turns a challenge into facts.
func (k *step) judge(in states.Challenged) states.Challenge {
	c, found := wire.JudgeChallenge(in.Response, k.Config.Resource, k.Config.Binding != states.NoBinding)
	p := states.Challenge{
		Status: in.Response.Status, Generation: in.Generation, Found: c.Found, Error: c.Error,
		Metadata: c.ResourceMetadata, Named: c.Named, Scopes: c.Scopes, HasScope: c.HasScope, Notes: found,
	}
	if named := k.unquoted(p.Scopes); len(named) < len(p.Scopes) {
		p.Scopes, p.HasScope = named, len(named) > 0
	}
	if c.Named && c.ResourceMetadata == "" {
		p.Unusable = whyUnusable(found)
	}
	return p
}

// whyUnusable gives the finding that says why a metadata address was not used.
func whyUnusable(found []wire.Finding) *wire.Problem {
	for _, f := range found {
		switch f.Rule {
		case rules.ChallengeMetadataURLAbsolute, rules.ChallengeMetadataURLHTTPS, rules.ChallengeGrammar, rules.ChallengeParamOnce:
			return &wire.Problem{Rule: f.Rule, Detail: f.Detail}
		}
	}
	return nil
}

// authorizationWanted reports whether a response is about authorization at
// all: a 401 is; a 403 only with a Bearer challenge that says so (rules
// challenge-403-without-challenge, challenge-status-code-match).
func authorizationWanted(p states.Challenge) bool {
	if p.Error == wire.CodeUseDPoPNonce || p.Error == wire.CodeInvalidDPoPProof {
		return false // it is about the proof, and another token would need one too
	}
	switch p.Status {
	case 401:
		return true
	case 403:
		return p.Error == wire.CodeInsufficientScope || p.Error == wire.CodeInvalidToken || p.Error == "" && p.HasScope
	}
	return false
}

// scopeWanted reports whether the challenge asks for more scope: the error
// outranks the status (rule challenge-status-code-match).
func scopeWanted(p states.Challenge) bool {
	if p.Error == wire.CodeInsufficientScope {
		return true
	}
	return p.Status == 403 && p.Error == "" // then the scope alone made it a challenge
}

// concerns reports whether a challenge says something about the token that is held now. A
// challenge to an older token does if it asks for a scope that the newer token does not
// have either, because sending the request again would draw the same challenge. A
// challenge to a request without a token says nothing about any token.
func concerns(p states.Challenge, t *states.Token) bool {
	if p.Generation == t.Generation {
		return true
	}
	return p.Generation != 0 && scopeWanted(p) && !wire.Covers(t.Granted, p.Scopes)
}

// keep stores a challenge that arrives while something else is under way. Its scopes are
// wanted, and it is judged on arriving in Authorized.
func (k *step) keep(p states.Challenge) {
	k.note(p.Notes...)
	p.Notes = nil
	if !authorizationWanted(p) {
		return
	}
	k.Cancelled = false // somebody waits again
	k.Wanted = wire.Union(k.Wanted, p.Scopes)
	if k.Challenge == nil || k.Challenge.Generation != p.Generation {
		k.Challenge = &p
	}
}

// accept notes that the resource accepted a token: the ladder of refusals starts from the
// bottom again. AcceptedFirst says that the record did not say so yet, which happens once
// for a login, and again only after a refusal.
func (k *step) accept(g states.Generation) Event {
	t := k.Token()
	if t == nil || t.Generation != g {
		return TokenAccepted
	}
	k.Accepted = true
	if t.Climbed == (states.Ladder{}) {
		return TokenAccepted
	}
	r, c := *k.Record, *t
	c.Climbed = states.Ladder{}
	r.Current = &c
	k.Record = &r
	return AcceptedFirst
}

// freshToken is how long a token counts as just obtained.
const freshToken = 10 * time.Minute

// climbed is what was tried after refusals of the current token. It counts only for a token
// that was just obtained and that the resource has not accepted yet.
func (k *step) climbed() states.Ladder {
	t := k.Token()
	if t == nil || k.Accepted || !k.at.Before(t.Received.Add(freshToken)) {
		return states.Ladder{}
	}
	return t.Climbed
}

// ofChallenge decides what a challenge to the current token means.
func (k *step) ofChallenge(p states.Challenge) Event {
	t := k.Token()
	k.Challenge = nil
	switch {
	case !authorizationWanted(p):
		return Forbidden
	case !concerns(p, t):
		return ChallengeStale
	case scopeWanted(p):
		return k.scopeShort(p)
	}
	k.Challenge = &p
	k.Rejected = t.Generation
	if c := k.climbed(); c.LoggedIn && (c.Refreshed || !k.renewable()) {
		k.Challenge = nil
		return k.fail(TokenRejectedAgain, states.PartyPeer, wire.Problem{
			Rule: rules.ChallengeFreshTokenLoop, Detail: "the server refused a token that its own issuer had just given",
		})
	}
	return TokenRejected
}

// scopeShort decides about a challenge that asks for scope.
func (k *step) scopeShort(p states.Challenge) Event {
	t := k.Token()
	wanted := p.Scopes
	if !p.HasScope {
		k.note(wire.Finding{Rule: rules.Challenge403Scope, Detail: "the challenge names no scope"})
		wanted = wire.Missing(t.Granted, t.Listed)
		if len(wanted) == 0 {
			return k.restWith(k.fail(ScopeUnknown, states.PartyPeer, wire.Problem{
				Rule: rules.Challenge403Scope, Detail: "the server wants more scope and names none",
			}))
		}
	}
	if wire.Covers(t.Granted, wanted) {
		if k.renewable() && !k.climbed().Refreshed {
			k.Rejected, k.Challenge = t.Generation, &p
			return ScopeGrantedUnseen
		}
		return k.restWith(k.fail(ScopeShortAgain, states.PartyPeer, wire.Problem{
			Rule: rules.StepupSameChallengeTerminal, Detail: "the server asks for scope that the token has: " + wire.Clean(wire.JoinScope(wanted), 200),
		}))
	}
	p.Scopes, p.HasScope = wanted, true
	k.begin(states.WhyStepUp, &p)
	return ScopeShort
}
