// Package states holds the states of the machine, what each asks on arriving, and
// the values that inputs, effects and records are made of.
//
//	text, err := states.Encode(record)
//	credential, err := states.DecodeCredential(text)
//	fmt.Println(credential.Current.Server.Issuer, credential.Current.AccessToken)
//
// A file for each thing that the protocol does (discovery, exchange, refresh) holds
// its states: what each means ([Describe]), what it asks ([Enter]) and what must be
// known in it ([Invariant]). The file of the same name in package transitions names
// what may be found there.
//
// # Guarantees
//
//   - No input, output, clock, chance or goroutine.
//   - Printing a value of this package shows no secret. [Encode] is what writes
//     secrets, for a store.
//   - A record keeps the members that a newer release wrote. One that cannot be
//     read is an error, and never an empty record.
//
// # Who should not use it
//
// A host: package httpdriver asks for a [Config] only by its Policy, and stores
// records by itself. A driver needs this package beside package fsm.
package states
