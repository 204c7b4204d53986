package fsm

import "github.com/stile-oauth/stile/states"

// The four types of error, one for each party that can be at fault. All hold
// the Fault, which says state, step, first cause, rule and what to do.

// HostError: this program's configuration, or a decision of its host or user.
type HostError struct{ states.Fault }

// PeerError: what a peer sent breaks a rule; Fault.Problem cites it.
type PeerError struct{ states.Fault }

// NetworkError: no usable answer came; the same may succeed later.
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
	}
	return &HostError{f}
}

// FaultOf gives the fault inside an error of one of the four types.
func FaultOf(err error) (states.Fault, bool) {
	for err != nil {
		switch e := err.(type) {
		case *HostError:
			return e.Fault, true
		case *PeerError:
			return e.Fault, true
		case *NetworkError:
			return e.Fault, true
		case *StoreError:
			return e.Fault, true
		}
		u, ok := err.(interface{ Unwrap() error })
		if !ok {
			return states.Fault{}, false
		}
		err = u.Unwrap()
	}
	return states.Fault{}, false
}
