package main

import (
	"github.com/stile-oauth/stile/states"
	"github.com/stile-oauth/stile/transitions"
)

// The exit statuses.
const (
	exitOK      = 0
	exitFailed  = 1
	exitUsage   = 2
	exitLogin   = 3
	exitPeer    = 4
	exitNetwork = 5
	exitStore   = 6
)

// exitHelp is the part of the help that documents them.
const exitHelp = `Exit status:
  0  done
  1  failed for another reason, or interrupted
  2  wrong usage or configuration
  3  a login is needed, was denied, or was not finished in time
  4  a server broke a rule
  5  the network, or a server in trouble: the same may succeed later
  6  the credential store failed`

// exitOf says who can fix the error. A decision or a delay of the user needs another
// login; a wrong configuration is wrong usage.
func exitOf(f states.Fault) int {
	switch f.Party {
	case states.PartyPeer:
		if f.Transient {
			return exitNetwork
		}
		return exitPeer
	case states.PartyNetwork:
		return exitNetwork
	case states.PartyStore:
		return exitStore
	case states.PartyUser, states.PartyNobody:
		return exitLogin
	default: // other parties have no status of their own
	}
	switch f.Event {
	case transitions.ResourceDeclined:
		return exitLogin
	case transitions.WaitedTooLong:
		return exitStore
	}
	return exitUsage
}
