// Package trap runs an MCP client in front of servers that break one rule at a
// time, and records what the client does:
//
//	all, err := trap.Run(ctx, audit.SelectTraps(nil), trap.Options{Command: []string{"my-client", "{url}"}})
//	r := audit.JudgeClient(all)
//
// # Guarantees
//
//   - Every server is on loopback, lives as long as its trap, and answers with
//     the pure peers of fsm/peer.
//   - Each trap has a home directory of its own: the client's stored logins are
//     not touched, and nothing is carried from trap to trap.
//   - Every run of the client ends, and what it started ends with it (on systems with
//     process groups).
//   - The evidence holds digests instead of what was issued.
//
// # Who should not use it
//
// Anybody who does not trust the client, because this is no sandbox. The command runs as
// the user who started the audit.
package trap

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/stile-oauth/stile/fsm/audit"
)

// Options say which client is run, and how.
type Options struct {
	// Command is the client with its arguments; {url} stands for the address of
	// the MCP server, {home} for the home directory of the trap; the address is appended when no argument has it. Required.
	Command []string
	// Logout is the command that logs the client out, in the same form; without one, the
	// log out is not judged.
	Logout []string
	// Env is added to the environment of the client.
	Env []string
	// Answers are what the client gets on its standard input.
	Answers []Answer
	// Idle ends a run in which nothing was sent, printed or opened for so long;
	// 0 waits for the Timeout.
	Idle time.Duration
	// Timeout ends a run that does not end by itself; 0 is 20 s.
	Timeout time.Duration
	// Told, if not nil, is told of every trap before it is set.
	Told func(audit.Trap)
}

// Run sets the traps one after the other and returns the evidence of each. If the context
// ends, it returns what was collected so far.
func Run(ctx context.Context, traps []audit.Trap, o Options) ([]audit.Evidence, error) {
	if len(o.Command) == 0 {
		return nil, errors.New("trap: there is no command to run")
	}
	if o.Timeout == 0 {
		o.Timeout = 20 * time.Second
	}
	key := make([]byte, 32)
	if _, err := rand.Read(key); err != nil {
		return nil, err
	}
	var out []audit.Evidence
	var known mode
	for _, t := range traps {
		if err := ctx.Err(); err != nil {
			return out, err
		}
		if o.Told != nil {
			o.Told(t)
		}
		e, next, err := set(ctx, t, o, known)
		if err == nil && t.ID == audit.Traps()[0].ID && next != known {
			var again audit.Evidence
			if again, _, err = set(ctx, t, o, next); err == nil && lets(again) {
				e, known = again, next
				e.Notes = append(e.Notes, known.says())
			}
		}
		if err != nil {
			return out, fmt.Errorf("trap %s: %w", t.ID, err)
		}
		e.Live = audit.Redact(&e, key)
		e.Live = 0
		out = append(out, e)
	}
	return out, nil
}

// set runs the client in one trap.
func set(ctx context.Context, t audit.Trap, o Options, m mode) (audit.Evidence, mode, error) {
	home, err := os.MkdirTemp("", "stile-trap-")
	if err != nil {
		return audit.Evidence{}, m, err
	}
	defer os.RemoveAll(home)
	s, err := newStage(t, m)
	if err != nil {
		return audit.Evidence{}, m, err
	}
	defer s.close()
	runs := max(t.Runs, 1)
	if t.LogsOut && len(o.Logout) == 0 {
		runs = 1
	}
	for n := 1; n <= runs; n++ {
		if n > 1 && !(t.Live && n == 2) {
			s.advance(t.Pause)
		}
		if n > 1 {
			s.awaitExpiry()
		}
		last := n == runs
		if last && t.MoveIssuer && n > 1 {
			s.move()
		}
		s.begin(n)
		many := 1
		if last && t.AtOnce > 1 {
			many = t.AtOnce
		}
		if n == 1 && t.FirstAtOnce > 1 {
			many = t.FirstAtOnce
		}
		done := make(chan audit.Run, many)
		for range many {
			go func() { done <- start(ctx, s, home, o, n == 2 && t.LogsOut) }()
		}
		for range many {
			run := <-done
			run.Start = n
			s.runs = append(s.runs, run)
		}
	}
	e := s.evidence()
	return e, s.wants(e), nil
}
