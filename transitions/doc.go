// Package transitions is the law of the machine: the one table, and for each state a
// function that names what was found.
//
//	event, data := transitions.Classify(states.Idle, data, at, input)
//	state, held, err := transitions.Fire(states.Idle, event)
//
// [Classify] looks at the facts and the input, names an [Event] and gives new facts;
// it never moves. [Fire] moves, by the table alone. What the new state asks is in
// package states. table.go opens with the theory of the table.
//
// # Guarantees
//
//   - Classify is pure and total: every input in every state is an event, and
//     whatever a peer does, however hostile, is one that the table has. Only an
//     input that a caller may not give is [Illegal].
//   - Each row cites the rule that it keeps ([Row.Rule]), and each event has its
//     meaning in words ([Describe]).
//
// # Who should not use it
//
// A driver: Step of package fsm calls both, in order, and checks what comes between.
package transitions
