// Package lines is the machine over JSON lines: inputs and effects as text,
// for traces and for programs that are not written in Go.
//
// [Writer] and [ReadInput] are the codec of single inputs and effects (package
// trace writes with it too). [Session] is a conversation of one line for
// another, which docs/engine-protocol.md describes and the command "stile
// engine" holds over standard input and output:
//
//	s := lines.NewSession()
//	answer := s.Line(at, []byte(line))
//
// # Guarantees
//
//  1. Every line has exactly one answer. A line that is wrong is answered with
//     an error that says what the caller did, and nothing has changed.
//  2. JSON is strict: exact names, none twice, none unknown, valid UTF-8,
//     nothing after the value, at most MaxLine bytes.
//  3. Secrets are real: this is an explicit interface, like the machine's own
//     marshaller. No error message holds one.
//  4. The package does no input or output and reads no clock: lines are bytes.
//
// # Who should not use it
//
// A program in Go calls package fsm itself; nothing has to be encoded there.
package lines
