package transitions

import (
	"github.com/stile-oauth/stile/states"
	"github.com/stile-oauth/stile/states/rules"
)

// Row is one line of the table: in From, the event On leads to To. A Hold row stays in its
// state and asks nothing again. A row from a state to itself that does not hold enters the
// state anew and asks the next question.
type Row struct {
	From states.State
	On   Event
	To   states.State
	Hold bool
	// Rule is the rule that asks for the row.
	Rule rules.ID
}

const (
	move = false
	hold = true
)
