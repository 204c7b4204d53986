package transitions

import (
	"slices"

	"github.com/stile-oauth/stile/states"
)

// Looplab gives what looplab's own machine can do in a state, for tests.
func Looplab(m *Machine, s states.State) []string {
	m.looplab.SetState(string(s))
	out := m.looplab.AvailableTransitions()
	slices.Sort(out)
	return out
}
