package states

// State is one situation of the machine: resting, or waiting for the answer
// to the one question that the state asks on arriving (Enter).
type State string

// The states, grouped as transitions/table.go groups its rows.
const (
	// Resting.
	Idle       State = "Idle"
	Anonymous  State = "Anonymous"
	Authorized State = "Authorized"
	Failed     State = "Failed"

	// Opening.
	Loading State = "Loading"

	// A login: who else is at it, who protects the resource, who are we.
	Announcing          State = "Announcing"
	Recognizing         State = "Recognizing"
	Confirming          State = "Confirming"
	Queuing             State = "Queuing"
	Peeking             State = "Peeking"
	DiscoveringPRM      State = "Discovering-PRM"
	ApprovingResource   State = "Approving-Resource"
	ChoosingIssuer      State = "Choosing-Issuer"
	ChoosingScopes      State = "Choosing-Scopes"
	DiscoveringASM      State = "Discovering-ASM"
	FindingClient       State = "Finding-Client"
	Binding             State = "Binding"
	Registering         State = "Registering"
	RereadingToRegister State = "Rereading-To-Register"
	Filing              State = "Filing"
	Dropping            State = "Dropping"
	NeedingClient       State = "Needing-Client"

	// A login: the human, the code, the token.
	Parking             State = "Parking"
	Authorizing         State = "Authorizing"
	Checking            State = "Checking"
	Remarking           State = "Remarking"
	Claiming            State = "Claiming"
	Exchanging          State = "Exchanging"
	RereadingToExchange State = "Rereading-To-Exchange"
	Saving              State = "Saving"
	Merging             State = "Merging"
	Resaving            State = "Resaving"
	Distrusting         State = "Distrusting"
	Closing             State = "Closing"
	Withdrawing         State = "Withdrawing"
	Retiring            State = "Retiring"
	Pruning             State = "Pruning"

	// The refresh, a transaction.
	Leasing            State = "Leasing"
	Waiting            State = "Waiting"
	Looking            State = "Looking"
	Reloading          State = "Reloading"
	Marking            State = "Marking"
	Refreshing         State = "Refreshing"
	RereadingToRefresh State = "Rereading-To-Refresh"
	Unmarking          State = "Unmarking"
	Relinquishing      State = "Relinquishing"
	Doubting           State = "Doubting"
	Disowning          State = "Disowning"
	Rotating           State = "Rotating"
	Reconciling        State = "Reconciling"
	Disposing          State = "Disposing"

	// More scope.
	StepUp   State = "StepUp"
	Tallying State = "Tallying"

	// The end of a credential.
	Recalling State = "Recalling"
	Revoking  State = "Revoking"
	Erasing   State = "Erasing"
)

// about is what is known of one state.
type about struct {
	state     State
	group     string
	says      string
	enter     func(*Data) []Effect
	invariant func(*Data) string
}

// The groups of states, in the order of the table.
const (
	groupResting = "resting"
	groupOpening = "opening"
	groupFinding = "finding out"
	groupLogin   = "the human and the code"
	groupRefresh = "refresh"
	groupStepUp  = "step-up"
	groupLogout  = "log out"
)

// table and index answer look-ups by state; built once, read only.
var (
	table = abouts()
	index = func() map[State]int {
		m := make(map[State]int, len(table))
		for i, a := range table {
			m[a.state] = i
		}
		return m
	}()
)

// All lists every state, in the order of the table.
var All = func() []State {
	var out []State
	for _, a := range table {
		out = append(out, a.state)
	}
	return out
}()

// Describe says in one sentence what the machine is doing in s.
func Describe(s State) string {
	if i, ok := index[s]; ok {
		return table[i].says
	}
	return ""
}

// Group names the part of the protocol that s belongs to.
func Group(s State) string {
	if i, ok := index[s]; ok {
		return table[i].group
	}
	return ""
}

// Known reports whether s is a state of this machine.
func Known(s State) bool { _, ok := index[s]; return ok }

// Resting reports whether s asks nothing: the machine waits there for
// something from outside.
func Resting(s State) bool {
	return s == Idle || s == Anonymous || s == Authorized || s == Failed
}

// Visiting reports whether a human is sent somewhere in s: the Visit stays open
// beside the question that s asks.
func Visiting(s State) bool {
	return s == Authorizing || s == Checking || s == Remarking
}

// Enter gives what the machine asks for on arriving in s, from d alone. It
// changes nothing of d. Statements come first; a question comes last.
func Enter(s State, d *Data) []Effect {
	i, ok := index[s]
	if !ok {
		return nil
	}
	asked := table[i].enter(d)
	if d.Lease.Fence != 0 && !HoldsLease(s) {
		return append([]Effect{Release{Key: d.Config.CredentialKey(), Fence: d.Lease.Fence}}, asked...)
	}
	return asked
}

// Invariant says what is wrong with d in s; empty when nothing is.
func Invariant(s State, d *Data) string {
	i, ok := index[s]
	if !ok {
		return "no such state"
	}
	if wrong := wrongAnywhere(d); wrong != "" || table[i].invariant == nil {
		return wrong
	}
	return table[i].invariant(d)
}

// RenewsIn reports whether s is a step of a refresh.
func RenewsIn(s State) bool { return Group(s) == groupRefresh }

// HoldsLease reports whether the refresh lease is held in s.
func HoldsLease(s State) bool {
	switch s {
	case Reloading, Marking, Refreshing, RereadingToRefresh, Unmarking, Relinquishing, Doubting, Disowning, Rotating, Reconciling, Resaving:
		return true
	}
	return false
}
