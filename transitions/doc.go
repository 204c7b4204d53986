// Package transitions decides how the machine moves: it has the one table, and for each
// state a function that names what an input means.
//
//	event, data := transitions.Classify(states.Idle, data, at, input)
//	state, held, err := transitions.Fire(states.Idle, event)
//
// [Classify] looks at the facts and the input, names an [Event] and gives new facts; it
// never moves. [Fire] moves, by the table alone. Package states has what the new state
// asks. The comment at the top of table.go explains the table.
//
// # Guarantees
//
//   - Classify is pure and total: it names an event for every input in every state,
//     and the table has a row for it, whatever a peer does. [Illegal] is only what a
//     caller may not give.
//   - Each row cites the rule that asks for it ([Row.Rule]), and each event has its
//     meaning in words ([Describe]).
//
// # Who should not use it
//
// A driver: Step of package fsm calls both, in order, and checks what comes between.
package transitions
