package states

import "slices"

// State is one situation of the machine: resting, or waiting for the answer
// to the one question that the state asks on arriving (Enter).
//
// The states are divided into rooms, one file each; the file of the same name in package
// transitions says what the answers mean.
type State string

// about is what is known about one state.
type about struct {
	state State
	group string
	// says is one sentence: what the machine is doing there. doing says the same
	// for "authorization failed while …".
	says, doing string
	// lease says that the refresh lease is held there.
	lease bool
	// enter gives the effects on arriving, from the facts alone.
	enter func(*Data) []Effect
	// holds says what is wrong with the facts there; nil if only the general invariants
	// apply.
	holds func(*Data) string
}

// The groups of states: the parts in which drawings and pages show the machine. Most hold
// several rooms, and the states of some rooms (signing, device) belong to several groups.
const (
	groupResting = "resting"
	groupLoading = "loading"
	groupFinding = "finding out"
	groupLogin   = "the user and the code"
	groupRefresh = "refresh"
	groupStepUp  = "step-up"
	groupLogout  = "log out"
)

// abouts and index answer look-ups by state; built once, read only.
var (
	abouts = slices.Concat(
		restingRoom, loadingRoom, announcingRoom, discoveryRoom, askingRoom, clientRoom, registrationRoom,
		visitRoom, claimingRoom, exchangeRoom, deviceRoom, pollingRoom, requestingRoom, workloadRoom, identityRoom, enterpriseRoom, signingRoom, savingRoom, endingRoom,
		leaseRoom, refreshRoom, refusalRoom, rotationRoom, stepUpRoom, logoutRoom,
	)
	index = func() map[State]*about {
		m := make(map[State]*about, len(abouts))
		for i := range abouts {
			m[abouts[i].state] = &abouts[i]
		}
		return m
	}()
)

// nowhere is used for an unknown state.
var nowhere about

func aboutOf(s State) *about {
	if a, ok := index[s]; ok {
		return a
	}
	return &nowhere
}

// All lists every state, by room.
var All = func() []State {
	var out []State
	for _, a := range abouts {
		out = append(out, a.state)
	}
	return out
}()

// Describe says in one sentence what the machine is doing in s.
func Describe(s State) string { return aboutOf(s).says }

// Doing says what the machine is doing in s, for "authorization failed while …".
func Doing(s State) string { return aboutOf(s).doing }

// Group names the group of s, which is one of seven parts of the protocol.
func Group(s State) string { return aboutOf(s).group }

// Known reports whether s is a state of this machine.
func Known(s State) bool { _, ok := index[s]; return ok }

// RenewsIn reports whether s is a step of a refresh.
func RenewsIn(s State) bool { return Group(s) == groupRefresh }

// HoldsLease reports whether the refresh lease is held in s.
func HoldsLease(s State) bool { return aboutOf(s).lease }

// Enter gives what the machine asks for on arriving in s, from d alone. It
// changes nothing of d. Statements come first; a question comes last.
func Enter(s State, d *Data) []Effect {
	a, ok := index[s]
	if !ok {
		return nil
	}
	asked := a.enter(d)
	if d.Lease.Fence != 0 && !a.lease {
		return append([]Effect{Release{Key: d.Config.CredentialKey(), Fence: d.Lease.Fence}}, asked...)
	}
	return asked
}

// Invariant says what is wrong with d in s; empty when nothing is.
func Invariant(s State, d *Data) string {
	a, ok := index[s]
	if !ok {
		return "no such state"
	}
	if wrong := wrongAnywhere(d); wrong != "" || a.holds == nil {
		return wrong
	}
	return a.holds(d)
}
