// Package fsm is an OAuth 2.1 client engine for the Model Context Protocol as
// a pure state machine. It implements the authorization of MCP 2026-07-28 and
// of 2025-11-25, 2025-06-18 and 2025-03-26, with RFC 9728, RFC 8414, OpenID
// Connect Discovery, RFC 7591, client ID metadata documents, RFC 7636, RFC
// 8707, RFC 9207 and RFC 7009 as those revisions ask for them.
//
// A [Machine] is a value. An [Engine] moves it: it takes what happened and
// gives back what is asked for.
//
//	m, err := fsm.New(states.Config{Server: "https://mcp.example/mcp", Redirects: []string{"http://127.0.0.1/callback"}})
//	engine := fsm.NewEngine()
//	queue := []states.Input{states.Begun{Seed: "32-bytes-of-fresh-randomness-as-text"}}
//	for len(queue) > 0 {
//		in := queue[0]
//		queue = queue[1:]
//		var effects []states.Effect
//		if m, effects, err = engine.Step(m, now, in); err != nil {
//			fmt.Println(err) // the caller's mistake; m is as it was
//			return
//		}
//		for _, effect := range effects {
//			switch effect := effect.(type) {
//			case states.Load:
//				fmt.Println("load the", effect.Key.Kind)
//				queue = append(queue, states.NotFound{Serial: effect.Serial})
//			default: // Send, Visit, Save, Grant and the others
//				fmt.Printf("%T\n", effect)
//			}
//		}
//	}
//
// # Guarantees
//
//  1. The same machine, time and input give the same machine and effects.
//  2. Step errs only for the caller's mistake, and then nothing has changed.
//     Whatever a peer does, however hostile, is a row of the table.
//  3. Effects run in order; a question comes last. A question (Send, Visit,
//     Load, Lease, Save, Delete, Claim, Sign,
//     Assert, Ask) is answered by exactly one Input
//     with its Serial. Wake, Release, Grant, Report and Note are statements.
//     Ticked, Challenged, Accepted and Cancelled may come at any time, and so
//     may a Begun that asks for a login.
//  4. One question is open at a time; a Visit stays open until it is answered,
//     cancelled or expired, and one other question may be open beside it.
//  5. An effect marked Once (registration, code exchange, refresh) is never
//     blindly repeated after a restart: the driver gives Interrupted, or the
//     record that is loaded shows the intent, and the table decides.
//  6. A secret leaves the machine only in a Send, a Visit, a Save, a Grant or
//     by [Machine.Snapshot]; printing anything shows secret(…).
//  7. [Pending] gives the open questions, Wake and Grant, and changes nothing.
//
// The law is the table of package transitions; docs/table.md shows it.
//
// # Who should not use it
//
// A program that can send HTTP requests takes package httpdriver, which carries the
// effects out.
package fsm
