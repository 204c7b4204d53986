package transitions

import (
	"strconv"

	"github.com/stile-oauth/stile/states"
	"github.com/stile-oauth/stile/states/rules"
	"github.com/stile-oauth/stile/states/wire"
)

// statusClass names the class of a response by its status alone: what the body
// says is for the parser of the message.
func statusClass(r wire.Response) wire.Class {
	switch {
	case r.Status == 429:
		return wire.ClassThrottled
	case r.Status >= 500 || r.Status < 200:
		return wire.ClassServer
	case r.Status >= 300 && r.Status < 400:
		return wire.ClassRedirect
	case r.Status >= 400:
		return wire.ClassOther4xx
	}
	return wire.ClassOK
}

func statusText(r wire.Response) string { return "HTTP status " + strconv.Itoa(r.Status) }

// partyOf tells who is at fault when no exchange came about: who named an
// address that must not be asked, or the network.
func partyOf(p wire.Problem) states.Party {
	if p.Refuse && p.Rule != rules.NetTLSVerify {
		return states.PartyPeer
	}
	return states.PartyNetwork
}

// partyInTrouble tells whose trouble it is: the network's when no answer came,
// else that of the server that gave one which is no use (5xx, 429,
// server_error).
func partyInTrouble(p wire.Problem) states.Party {
	switch p.Rule {
	case rules.HouseUnreachable, rules.NetTimeout, rules.NetTLSVerify:
		return states.PartyNetwork
	}
	return states.PartyPeer
}

// partyOfClient tells who is at fault when an issuer does not know a client:
// who configured it, or the issuer that gave it or promised to take it.
func partyOfClient(c wire.Client) states.Party {
	if c.Source == wire.SourceConfigured || c.Source == wire.SourceAsked {
		return states.PartyHost
	}
	return states.PartyPeer
}
