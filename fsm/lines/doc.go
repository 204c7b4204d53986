// Package lines is the machine over JSON lines: inputs and effects as text,
// for traces and for programs that are not written in Go.
//
// [Writer] and [ReadInput] are the codec of single inputs and effects (package
// trace writes with it too). A [Session] answers each line with a line.
// docs/engine-protocol.md describes the protocol, and the command "stile engine"
// speaks it over standard input and output:
//
//	s := lines.NewSession()
//	answer := s.Line(at, []byte(line))
//
// # Guarantees
//
//  1. Every line has exactly one answer. A wrong line is answered with an error that
//     says what the caller did wrong, and changes nothing.
//  2. JSON is strict: exact names, no duplicate or unknown names, valid UTF-8,
//     nothing after the value, at most MaxLine bytes.
//  3. Secrets are real: this is an explicit interface, like the machine's own
//     marshaller. No error message holds one.
//  4. The package does no input or output and reads no clock: lines are bytes.
//
// # Who should not use it
//
// A program in Go: it calls package fsm directly and has nothing to encode.
package lines
