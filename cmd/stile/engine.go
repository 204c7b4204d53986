package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"io"
	"time"

	"github.com/spf13/cobra"

	"github.com/stile-oauth/stile/fsm"
	"github.com/stile-oauth/stile/fsm/lines"
	"github.com/stile-oauth/stile/states"
)

func newEngine(a *app) *cobra.Command {
	var record string
	c := &cobra.Command{
		Use:   "engine",
		Short: "Be the machine for a program in another language, in JSON lines",
		Long: `Reads JSON lines from standard input and answers each with one line on standard
output: a configuration first (or a snapshot), then what happened, one input on a
line. The answers say what is asked for. The command itself sends nothing, opens
nothing and stores nothing: that is up to the program that drives it.

The lines hold real tokens, codes and secrets, since whoever carries them out
needs them: connect the streams to a program, not to a log. docs/engine-protocol.md
is the protocol, docs/embedding.md shows the loop.`,
		Example: `  printf '%s\n' '{"config":{"server":"https://mcp.example/mcp"}}' '{"command":"snapshot"}' | stile engine`,
		Args:    args(cobra.NoArgs),
		RunE: func(c *cobra.Command, _ []string) error {
			t, err := a.tracing(record)
			if err != nil {
				return err
			}
			s := lines.NewSession()
			s.Stepped = func(from fsm.Machine, at time.Time, in states.Input, r fsm.Result) {
				t.step(at, from, in, r)
				if a.verbose {
					a.note("%s: %s → %s\n", string(r.Event), string(from.State), string(r.Machine.State))
				}
			}
			return errors.Join(a.engine(c.Context(), s), t.close())
		},
	}
	c.Flags().StringVar(&record, "trace", "", "record the run in this file, without its secrets; in a directory, in a file of its own (or STILE_TRACE)")
	return c
}

// engine answers line by line until the input ends or the command is stopped.
func (a *app) engine(ctx context.Context, s *lines.Session) error {
	// Reading cannot be interrupted, so somebody else does it: what is stopped
	// must not wait for one line more.
	in := make(chan []byte)
	failedToRead := make(chan error, 1)
	go func() {
		defer close(in)
		r := bufio.NewReaderSize(a.in, 64<<10)
		for {
			line, err := readLine(r)
			if err == nil || len(line) > 0 {
				select {
				case in <- line:
				case <-ctx.Done():
					return
				}
			}
			if err != nil {
				if !errors.Is(err, io.EOF) {
					failedToRead <- err
				}
				return
			}
		}
	}()
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case line, more := <-in:
			if more {
				answer := s.Line(time.Now(), line)
				if err := a.printLine(a.out, bytes.TrimSuffix(answer, []byte{'\n'})); err != nil {
					return failed("the answer cannot be written: %w", err)
				}
				continue
			}
			select {
			case err := <-failedToRead:
				return failed("the input cannot be read: %w", err)
			default:
			}
			if !s.Begun() {
				return &failure{code: exitUsage, err: errors.New("the input ended before a machine began"),
					advice: "give a configuration on the first line: docs/engine-protocol.md"}
			}
			return nil
		}
	}
}

// readLine reads a line without its end. Of a line that is too long it keeps
// only as much as shows that it is, and reads past the rest.
func readLine(r *bufio.Reader) ([]byte, error) {
	var line []byte
	for {
		part, err := r.ReadSlice('\n')
		if room := lines.MaxLine + 2 - len(line); room > 0 {
			line = append(line, part[:min(len(part), room)]...)
		}
		if errors.Is(err, bufio.ErrBufferFull) {
			continue
		}
		return bytes.TrimSuffix(line, []byte{'\n'}), err
	}
}
