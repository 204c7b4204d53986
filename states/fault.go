package states

import (
	"slices"
	"strings"

	"github.com/stile-oauth/stile/states/wire"
)

// Party says whose fault it is, or who denied the access.
type Party string

// The parties. Package fsm has an error type for each of them, with one exception: a
// denial and a failure that is nobody's fault have the type for this program.
const (
	PartyHost    Party = "this program"         // its configuration, or a decision of its host
	PartyNobody  Party = "nobody"               // a user cancelled it, or did not decide in time
	PartyPeer    Party = "the server"           // what a peer sent breaks a rule, or it is in trouble (Fault.Transient)
	PartyNetwork Party = "the network"          // no answer came
	PartyStore   Party = "the credential store" // the store failed

	// PartyUser says that the user or the issuer denied the access; access_denied does not say
	// which of them (RFC 6749 §4.1.2.1).
	PartyUser Party = "the user or the issuer"
)

// Blame gives the words before the party's name: whose fault it is, or who
// denied it.
func (p Party) Blame() string {
	if p == PartyUser {
		return "denied by"
	}
	return "fault of"
}

// atServer are the states where a peer is the MCP server, and atProvider those where it is
// the identity provider. In all others it is the issuer.
var (
	atServer   = []State{Idle, Anonymous, Authorized, Failed, DiscoveringPRM, ApprovingResource, StepUp, Tallying, Accepting}
	atProvider = []State{DiscoveringProvider, Identifying, IdentifyingAgain, ExchangingIdentity, ExchangingIdentityAgain}
)

// In names the party more exactly than the record does, by the state that a fault came up
// in: which of the servers it is.
func (p Party) In(s State) string {
	switch {
	case p != PartyPeer || s == "" || slices.Contains(atServer, s):
		return string(p)
	case slices.Contains(atProvider, s):
		return "the identity provider"
	}
	return "the authorization server"
}

// Event names what an input was found to mean. Package transitions lists the events and
// their meanings.
type Event string

// Fault says why something failed.
type Fault struct {
	Party Party `json:"party"`
	// State is where it occurred, Event is its name in the table, Doing is the step in
	// words.
	State State  `json:"state"`
	Event Event  `json:"event"`
	Doing string `json:"doing"`
	// Peer names the other side: an origin or an issuer. It is sanitised.
	Peer    string       `json:"peer,omitempty"`
	Problem wire.Problem `json:"problem"`
	// First is the first cause if this fault came after a fallback.
	First *wire.Problem `json:"first,omitempty"`
	// Transient says that the same may succeed later although nobody changes anything.
	Transient bool `json:"transient,omitzero"`
	// Advice says what to do next.
	Advice string `json:"advice,omitempty"`
}

// Error gives the fault in one paragraph: state, step, whose fault, first
// cause, rule, advice.
func (f Fault) Error() string {
	var b strings.Builder
	b.WriteString("authorization failed while " + f.Doing)
	if f.Peer != "" {
		b.WriteString(" at " + f.Peer)
	}
	b.WriteString(": " + f.Problem.Error())
	if f.First != nil && *f.First != f.Problem {
		b.WriteString("; first cause: " + f.First.Error())
	}
	b.WriteString(" [state " + string(f.State) + ", " + f.Party.Blame() + " " + string(f.Party) + "]")
	if f.Advice != "" {
		b.WriteString("; " + f.Advice)
	}
	return b.String()
}
