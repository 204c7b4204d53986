// Package model is what scripts, explorations and traces of made-up runs play
// in: a store that keeps the contract of package storage, an issuer, a server
// and a client, and what happens to a request between them.
//
//	var s model.Store
//	in := s.Answer(at, q) // q is a Load, Save, Delete, Claim or Lease
//
// Everything is a value or a pure function; nothing reads a clock.
package model
