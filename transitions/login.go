package transitions

import (
	"github.com/stile-oauth/stile/states"
	"github.com/stile-oauth/stile/states/wire"
)

// begin opens a login and discards the facts of an earlier one.
func (k *step) begin(why states.Why, p *states.Challenge) {
	f := &states.Flow{
		Why: why, Since: k.at, NewClient: k.NewClient, Deadline: k.at.Add(k.Config.UserWait() + states.ParkedGrace), Revision: k.Config.Revision,
	}
	f.Climbed = states.Ladder{Refreshed: k.climbed().Refreshed, LoggedIn: true}
	if p != nil {
		f.Metadata, f.Named, f.Unusable = p.Metadata, p.Named, p.Unusable
		if p.HasScope {
			f.Scopes = p.Scopes
			f.Challenged = true
		}
	}
	if t := k.Token(); t != nil && !f.Named {
		f.Metadata = k.metadataBefore(t)
	}
	k.Flow, k.own = f, f
	k.Spent, k.Obtained, k.Fault, k.Challenge = "", nil, nil, nil
	k.Tries, k.Rounds, k.Losses, k.Cancelled, k.NewClient = 0, 0, 0, false, false
}

// metadataBefore gives the address of the resource metadata with which the held grant was
// obtained, if only a challenge had named it. The well-known addresses are asked anyway.
func (k *step) metadataBefore(t *states.Token) string {
	if t.Metadata == wire.PRMPathURL(k.Config.Resource) || t.Metadata == wire.PRMRootURL(k.Config.Resource) {
		return ""
	}
	return t.Metadata
}

// joined: a caller asks for a login while this machine is at work. The scopes that it names
// are added, if the authorization request has not been built yet and the host did not
// choose the scopes. Otherwise they stay wanted, and the driver begins another login for
// them.
func (k *step) joined(in states.Begun) Event {
	k.Cancelled = false // somebody waits again
	k.Wanted = wire.Union(k.Wanted, in.Scopes)
	switch k.state {
	case states.DiscoveringASM, states.FindingClient, states.Binding:
		if !k.Config.OnlyScopes && !k.Config.HostDecides(states.AskScopes) {
			f := k.flow()
			f.Scopes = wire.Union(f.Scopes, in.Scopes)
		}
	default: // the others need nothing here
	}
	return ScopesWanted
}
