// Package trace records what a machine did, without its secrets, so that anybody
// can replay it.
//
//	t, err := trace.Parse(file)
//	difference, err := trace.Replay(t)
//	fmt.Println(difference.Same(), err)
//	fmt.Println(trace.Explain(t).Outcome)
//
// A trace is NDJSON (docs/trace-format.md): a header, then one record for each
// step with time, state, input, event, effects and notes. [Recorder] makes the
// lines, [Parse] and [Reader] read them, [Replay] runs them through the table
// of this release and finds the same bytes or says where they first differ.
// [Explain], [Diff], [Table], [Sequence] and [HTML] are ways to look at one.
//
// # What is recorded
//
// The real run is not recorded. A shadow machine with its own fixed seed runs beside the
// real one, on inputs in which every token, code, client secret, state and verifier is
// replaced by a stand-in ("access-1"), and every free text by its length ("text(41)").
// Names of people and processes have stand-ins too. The trace is what the shadow did. A
// value is replaced in the decoded field; the same value always gets the same stand-in;
// and the stand-in keeps what decisions depend on: whether a value is present, is valid,
// needs form-encoding, is within bounds. The two machines must name the same event at
// every step, so that they take the same row. If they do not, the record says so and
// recording ends.
//
// Before a line is given out, it is searched for every secret that was seen so far, in
// each of its usual encodings. A line that holds a secret is withheld.
//
// # Guarantees
//
//  1. No secret that passed through the machine is in a trace, whole, in plain
//     form, form-encoded, percent-encoded, JSON-escaped, or in base64 or
//     base64url at any alignment. A secret of less than eight characters, or a
//     lower-case word of less than twenty, is exchanged where it stands and not
//     searched for elsewhere.
//  2. A trace replays to the same bytes wherever the table has the same hash.
//  3. The package does no input or output and reads no clock: lines are bytes.
//
// # Who should not use it
//
// A host that only wants to know what its driver is doing: Options.Logger and
// Options.Observe of package httpdriver say it as it happens. A host that records
// sets Options.Trace there, and uses this package to read what it got.
package trace
