// Package states holds the states of the machine, what each asks on arriving, and
// the values that inputs, effects and records are made of.
//
//	text, err := states.Encode(record)
//	credential, err := states.DecodeCredential(text)
//	fmt.Println(credential.Current.Server.Issuer, credential.Current.AccessToken)
//
// A file for each thing that the protocol does (discovery, exchange, refresh) holds its
// states: what each means ([Describe]), what it asks ([Enter]) and what must be known in
// it ([Invariant]). The file of the same name in package transitions says what the
// answers mean.
//
// # Guarantees
//
//   - No input, output, clock, randomness or goroutine.
//   - Printing a value of this package shows no secret. [Encode] is what writes
//     secrets, for a store.
//   - A record keeps the members that a newer release wrote. One that cannot be
//     read is an error, and never an empty record.
//
// # Who should not use it
//
// A host: package httpdriver takes the parts of a [Config] that a host decides as its
// Policy, and stores records itself. A driver needs this package beside package fsm.
package states
