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
		Short: "Run the machine for a program in another language",
		Long: `Reads JSON lines from standard input and answers each with one line on standard
output. The first line is a configuration or a snapshot; each further line says
what happened. The answers say what to do next. The command itself sends, opens
and stores nothing: the program that drives it does.

The lines hold real tokens, codes and secrets, because that program needs them.
Connect the streams to a program, not to a log. docs/engine-protocol.md describes
the protocol; docs/embedding.md shows the loop.`,
		Example: `  echo '{"config":{"server":"https://mcp.example/mcp"}}' | stile engine`,
		Args:    takes(),
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
	c.Flags().StringVar(&record, "trace", "", "record the run in `FILE`, without secrets; a directory gets one file for each run (default: STILE_TRACE)")
	return c
}

// engine answers line by line until the input ends or the command is stopped.
func (a *app) engine(ctx context.Context, s *lines.Session) error {
	in := bufio.NewReaderSize(a.in, 64<<10)
	for {
		line, err := readLine(in)
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if err == nil || len(line) > 0 {
			answer := s.Line(time.Now(), line)
			if err := a.printLine(a.out, bytes.TrimSuffix(answer, []byte{'\n'})); err != nil {
				return failed("the answer cannot be written: %w", err)
			}
		}
		switch {
		case err == nil:
		case !errors.Is(err, io.EOF):
			return failed("the input cannot be read: %w", err)
		case !s.Begun():
			return &failure{
				code: exitUsage, err: errors.New("the input ended before a machine began"),
				advice: "give a configuration on the first line (docs/engine-protocol.md)",
			}
		default:
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
