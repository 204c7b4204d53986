package fsm

import (
	"errors"

	"github.com/stile-oauth/stile/states"
)

// The four types of error, one for each party that can be at fault. All hold
// the Fault, which says state, step, first cause, rule and what to do.

// HostError: this program's configuration, or a decision of its host or user;
// also access that the user or the issuer denied, and a login that was cancelled
// or that nobody finished (Party tells them apart).
type HostError struct{ states.Fault }

// PeerError: what a peer sent breaks a rule; Fault.Problem cites it. Or the peer
// is in trouble (5xx, 429, server_error): then Fault.Transient is set.
type PeerError struct{ states.Fault }

// NetworkError: no answer came; the same may succeed later.
type NetworkError struct{ states.Fault }

// StoreError: the credential store failed.
type StoreError struct{ states.Fault }

// Err turns a fault into the error of its party.
func Err(f states.Fault) error {
	switch f.Party {
	case states.PartyPeer:
		return &PeerError{f}
	case states.PartyNetwork:
		return &NetworkError{f}
	case states.PartyStore:
		return &StoreError{f}
	default: // the others need nothing here
	}
	return &HostError{f}
}

// FaultOf gives the fault inside an error of one of the four types, also when
// it was wrapped or joined.
func FaultOf(err error) (states.Fault, bool) {
	var h *HostError
	var p *PeerError
	var n *NetworkError
	var s *StoreError
	switch {
	case errors.As(err, &h):
		return h.Fault, true
	case errors.As(err, &p):
		return p.Fault, true
	case errors.As(err, &n):
		return n.Fault, true
	case errors.As(err, &s):
		return s.Fault, true
	}
	return states.Fault{}, false
}
