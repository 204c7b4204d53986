// Package model has the surroundings of a machine for scripts, explorations and made-up
// traces: a store that keeps the contract of package storage, an issuer, a server and
// a client, and what happens to a request between them.
//
//	var store model.Store
//	question := states.Save{Serial: 1, Key: key, Value: "{}"}
//	fmt.Printf("%T\n", store.Answer(model.Start, question))
//
// # Guarantees
//
//   - Everything is a value or a pure function; nothing reads a clock.
//
// # Who should not use it
//
// A test of a host: package httpdriver/devas has servers that answer over HTTP, and
// storage.NewMemory is a store in memory.
package model
