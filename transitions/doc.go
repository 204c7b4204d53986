// Package transitions is the law of the machine: the one table, and for each
// state a function that names what was found.
//
//	Input ──Classify──▶ Event ──Fire──▶ State′ ──Enter──▶ []Effect
//
// Classify is pure and total. It looks at the facts and the input, names an
// Event and gives new facts; it never moves. Fire moves, by the table alone.
package transitions
