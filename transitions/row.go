package transitions

import (
	"github.com/stile-oauth/stile/states"
	"github.com/stile-oauth/stile/states/rules"
)

// Row is one line of the law: in From, the finding On leads to To. A Hold row
// stays where it is and asks nothing again; a row from a state to itself that
// does not hold enters the state anew and asks the next question.
type Row struct {
	From states.State
	On   Event
	To   states.State
	Hold bool
	// Rule is the clause that the row keeps.
	Rule rules.ID
}

const (
	move = false
	hold = true
)
