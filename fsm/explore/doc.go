// Package explore walks the situations that the machine of package fsm can
// reach, and holds invariants against every step: the OAuth 2.1, RFC 9207,
// RFC 8707, RFC 7636 and MCP authorization rules that the client must keep
// whatever its peers, its store, its clock and its fellow processes do.
//
//	x, err := explore.New(explore.Options{World: "pair", Situations: 200})
//	for x.Run(100) {
//	}
//	for _, v := range x.Violations() {
//		fmt.Println(v.Script)
//	}
//
// There are seven worlds. In the open world every kind of answer comes in every
// state. In the closed world one machine meets the servers of package peer and
// a store that keeps the contract of package storage, with trouble and
// restarts; in the world of faults the servers have each fault of package peer
// in turn. In the pair two machines share one store and one authorization
// server that rotates refresh tokens and punishes reuse. In the moved world the
// resource names another issuer than the one that gave the credential. In the world
// of doubt the answers to refreshes are lost again and again. In the adversary's
// world a hostile resource server and a hostile authorization server stand
// beside an honest one.
//
// # Guarantees
//
//   - The walk is breadth first, so the way to a violation is a shortest one.
//   - It is deterministic and pure, without clock, goroutine or chance, and runs in
//     slices that the caller chooses.
//   - Situations are the same when they differ only in serials, in seeds and what is
//     drawn from them, in the names that servers chose, and in times of the same
//     class (timeClass). docs/exploration.md says what is bounded.
//
// # Who should not use it
//
// A host has nothing to explore: this is for changes to the machine.
package explore
