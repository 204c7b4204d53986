package transitions

import (
	"slices"
	"time"

	"github.com/stile-oauth/stile/states"
	"github.com/stile-oauth/stile/states/rules"
	"github.com/stile-oauth/stile/states/wire"
)

// judge reads a challenge into the facts that decisions are made of.
func (k *step) judge(in states.Challenged) states.Pending {
	c, found := wire.JudgeChallenge(in.Response, k.Config.Resource, false)
	return states.Pending{
		Status: in.Response.Status, Generation: in.Generation, Found: c.Found, Error: c.Error,
		Metadata: c.ResourceMetadata, Named: c.Named, Scopes: c.Scopes, HasScope: c.HasScope, Notes: found,
	}
}

// authorizationWanted reports whether a response is about authorization at
// all: a 401 is; a 403 only with a Bearer challenge that says so (catalogue,
// group 1: challenge-403-without-challenge, challenge-status-code-match).
func authorizationWanted(p states.Pending) bool {
	switch p.Status {
	case 401:
		return true
	case 403:
		return p.Found && (p.Error == "insufficient_scope" || p.Error == "invalid_token" || p.Error == "" && p.HasScope)
	}
	return false
}

// scopeWanted reports whether the challenge asks for more scope: the error
// outranks the status (rule challenge-status-code-match).
func scopeWanted(p states.Pending) bool {
	if p.Error == "insufficient_scope" {
		return true
	}
	return p.Status == 403 && p.Error == "" && p.HasScope
}

// concerns reports whether a challenge says something about the token that is
// held now. One to an older token does when it asks for scope that the newer one
// does not have either: sending the request again would draw the same. One to a
// request without a token says nothing about any.
func concerns(p states.Pending, t *states.Token) bool {
	if p.Generation == t.Generation {
		return true
	}
	return p.Generation != 0 && scopeWanted(p) && p.HasScope && !wire.Covers(t.Granted, p.Scopes)
}

// keep stores a challenge that comes while something else is under way: its
// scopes are wanted, and it is looked at on arriving in Authorized.
func (k *step) keep(p states.Pending) {
	k.note(p.Notes...)
	p.Notes = nil
	if !authorizationWanted(p) {
		return
	}
	k.Cancelled = false // somebody waits again
	if p.HasScope {
		k.Wanted = wire.Union(k.Wanted, p.Scopes)
	}
	if k.Challenge == nil || k.Challenge.Generation != p.Generation {
		k.Challenge = &p
	}
}

// joined: somebody asks for a login while this machine is at work. What he
// wants beside the server's scopes is taken along, where the authorization
// request has not been built yet and the host did not choose; else it stays
// wanted, for whoever asked to see to.
func (k *step) joined(in states.Begun) Event {
	k.Cancelled = false // somebody waits again
	k.Wanted = wire.Union(k.Wanted, in.Scopes)
	switch k.state {
	case states.DiscoveringASM, states.FindingClient, states.Binding:
		if !k.Config.OnlyScopes && !k.Config.Asked(states.AskScopes) {
			f := k.flow()
			f.Scopes = wire.Union(f.Scopes, in.Scopes)
		}
	}
	return ScopesWanted
}

// accept takes notice that the resource took a token: the ladder of refusals
// starts from the bottom again.
func (k *step) accept(g states.Generation) {
	t := k.Token()
	if t == nil || t.Generation != g {
		return
	}
	k.Accepted = true
	if t.Climbed != (states.Ladder{}) {
		r, c := *k.Record, *t
		c.Climbed = states.Ladder{}
		r.Current = &c
		k.Record = &r
	}
}

// freshToken is how long a token counts as just obtained.
const freshToken = 10 * time.Minute

// climbed is what was tried to get the current token taken: it counts only for
// a token that was just obtained and that the resource has not taken yet.
func (k *step) climbed() states.Ladder {
	t := k.Token()
	if t == nil || k.Accepted || !k.at.Before(t.Received.Add(freshToken)) {
		return states.Ladder{}
	}
	return t.Climbed
}

// examine decides what a challenge to the current token means.
func (k *step) examine(p states.Pending) Event {
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
	if c := k.climbed(); c.LoggedIn && (c.Refreshed || t.RefreshToken == "" || k.NoRenew) {
		k.Challenge = nil
		return k.fail(TokenRejectedAgain, states.PartyPeer, wire.Problem{
			Rule: rules.ChallengeFreshTokenLoop, Detail: "the server refused a token that its own issuer had just given",
		})
	}
	return TokenRejected
}

// scopeShort decides about a challenge that asks for scope.
func (k *step) scopeShort(p states.Pending) Event {
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
		if t.RefreshToken != "" && !k.climbed().Refreshed && !k.NoRenew {
			k.Rejected, k.Challenge = t.Generation, &p
			return ScopeGrantedUnseen
		}
		return k.restWith(k.fail(ScopeShortAgain, states.PartyPeer, wire.Problem{
			Rule: rules.StepupSameChallengeTerminal, Detail: "the server asks for scope that the token has: " + wire.Clean(wire.JoinScope(wanted), 200),
		}))
	}
	p.Scopes, p.HasScope = wanted, true
	k.begin("step-up", &p)
	return ScopeShort
}

// restWith prepares to rest in Authorized and gives back the event.
func (k *step) restWith(on Event) Event {
	k.arrive()
	return on
}

// begin opens a login: the facts of any former one are gone.
func (k *step) begin(why string, p *states.Pending) {
	f := &states.Flow{
		Why: why, Since: k.at, Deadline: k.at.Add(k.Config.Human() + states.GraceAfterHuman), Revision: k.Config.Revision,
	}
	f.Climbed = states.Ladder{Refreshed: k.climbed().Refreshed, LoggedIn: true}
	if p != nil {
		f.Metadata, f.Named = p.Metadata, p.Named
		if p.HasScope {
			f.Scopes = p.Scopes
			f.Challenged = true
		}
	}
	k.Flow, k.own = f, f
	k.Spent, k.Obtained, k.Fault, k.Challenge = "", nil, nil, nil
	k.Tries, k.Rounds, k.Cancelled = 0, 0, false
}

// scopes chooses what to request, before offline_access (catalogue, T6).
func (k *step) scopes() []string {
	f, t := k.Flow, k.Token()
	base := f.Listed
	if f.Challenged {
		base = f.Scopes
	}
	if k.Config.OnlyScopes {
		if dropped := wire.Missing(k.Config.Scopes, base); f.Challenged && f.Why != "step-up" && len(dropped) > 0 {
			k.note(wire.Finding{Rule: rules.AuthzReqScopeChallenge, Detail: "the host asks for its own scopes only, without " + wire.Clean(wire.JoinScope(dropped), 200)})
		}
		if f.Why != "step-up" { // what a step-up is about is asked for all the same
			base = nil
		}
		base = wire.Union(k.Config.Scopes, base)
	}
	switch {
	case t == nil || f.Why == "asked":
	case f.Why == "step-up":
		base = wire.Union(wire.Union(t.Requested, t.Granted), base)
	case k.Config.OnlyScopes:
	case f.Challenged || len(t.Granted) == 0:
		base = wire.Union(t.Granted, base)
	default: // a login again asks for what was granted last
		base = t.Granted
	}
	if k.Config.OnlyScopes {
		return base
	}
	return wire.Union(wire.Union(base, k.Config.Scopes), k.Wanted)
}

// asked adds or drops offline_access: it is requested when the issuer lists
// it, refresh is wanted, and never alone (rule authz-req-offline-access).
func (k *step) asked(scopes []string) []string {
	const offline = "offline_access"
	listed := slices.Contains(k.Flow.Server.ScopesSupported, offline)
	rest := slices.DeleteFunc(slices.Clone(scopes), func(s string) bool { return s == offline })
	if listed && !k.Config.NoRefresh && (len(rest) > 0 || k.Config.Has(states.OfflineAlone)) {
		if len(rest) == 0 {
			k.acted("offline-alone", rules.AuthzReqOfflineAccess, "offline_access is asked for alone")
		}
		return append(rest, offline)
	}
	if slices.Contains(scopes, offline) {
		k.note(wire.Finding{Rule: rules.ChallengeScopeNoOfflineAccess, Detail: "offline_access was asked for; the issuer does not list it"})
	}
	return rest
}
