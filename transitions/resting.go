package transitions

import (
	"github.com/stile-oauth/stile/states"
	"github.com/stile-oauth/stile/states/wire"
)

func idle(k *step) Event {
	switch in := k.in.(type) {
	case states.Begun:
		return k.begun(in)
	case states.LoggedOut:
		return k.loggedOut(in)
	}
	return Illegal
}

// failed takes what idle takes: it begins again, or ends the credential.
func failed(k *step) Event { return idle(k) }

func anonymous(k *step) Event {
	switch in := k.in.(type) {
	case states.Begun:
		return k.begun(in)
	case states.LoggedOut:
		return k.loggedOut(in)
	case states.Challenged:
		p := k.judge(in)
		k.note(p.Notes...)
		p.Notes = nil
		switch {
		case !authorizationWanted(p):
			return Forbidden
		case p.Generation != 0:
			return ChallengeStale
		}
		k.begin(states.WhyChallenged, &p)
		return LoginNeeded
	}
	return Illegal
}

func authorized(k *step) Event {
	switch in := k.in.(type) {
	case states.Begun:
		if !in.Login {
			return Illegal
		}
		k.Seed, k.Draws = in.Seed, 0
		k.Wanted, k.NewClient = wire.Union(k.Wanted, in.Scopes), in.NewClient
		k.begin(states.WhyRequested, k.Challenge)
		return LoginNeeded
	case states.LoggedOut:
		return k.loggedOut(in)
	case states.Challenged:
		p := k.judge(in)
		k.note(p.Notes...)
		p.Notes = nil
		return k.tokenChallenged(p)
	case states.Accepted:
		if k.Token().Generation != in.Generation {
			return AcceptedLate
		}
		on := k.accept(in.Generation)
		if on == AcceptedFirst {
			k.Fault = nil // it was reported, and nothing depends on it
		}
		return on
	case states.Ticked:
		switch {
		case k.Challenge != nil:
			return k.tokenChallenged(*k.Challenge)
		case !k.Renewal().IsZero() && !k.at.Before(k.Renewal()):
			k.refresh()
			return Expiring
		}
	}
	return Illegal
}

func (k *step) tokenChallenged(p states.Challenge) Event {
	on := k.ofChallenge(p)
	if on == TokenRejected || on == ScopeGrantedUnseen {
		k.refresh()
	}
	return on
}

func (k *step) begun(in states.Begun) Event {
	k.Seed, k.Draws = in.Seed, 0
	k.Wanted = wire.Union(k.Wanted, in.Scopes)
	k.LoginAsked, k.NewClient = in.Login, in.NewClient
	k.Fault, k.Tries, k.Rounds, k.Cancelled = nil, 0, 0, false
	return Begun
}

func (k *step) loggedOut(in states.LoggedOut) Event {
	k.Seed, k.Draws, k.Forget, k.Managed = in.Seed, 0, in.Forget, nil
	k.Fault, k.Tries, k.Rounds, k.Retiring, k.Cancelled = nil, 0, 0, nil, false
	return LogoutAsked
}

// refresh resets the facts of a refresh.
func (k *step) refresh() {
	k.Tries, k.Rounds, k.Fault, k.Spent, k.Obtained, k.MetadataAddress, k.Losses = 0, 0, nil, "", nil, 0, 0
	k.Cancelled = false
	k.WaitUntil = k.at.Add(2 * k.Config.LeaseFor())
}
