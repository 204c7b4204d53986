package main

import (
	"encoding/json"
	"fmt"
	"io"
	"os"

	"github.com/spf13/cobra"

	"github.com/stile-oauth/stile/fsm/trace"
)

// readTrace reads a trace file; - is standard input.
func readTrace(a *app, path string) (*trace.Trace, error) {
	r := a.in
	if path != "-" {
		f, err := os.Open(path)
		if err != nil {
			return nil, &failure{code: exitFailed, see: "trace-file", err: err, advice: "name a file that was recorded with --trace; stile bridge URL --verbose names its directory"}
		}
		defer func() { _ = f.Close() }()
		if info, err := f.Stat(); err == nil && info.Mode().IsRegular() && info.Size() > trace.MaxTrace {
			return nil, unreadable("%s: %w: %d bytes, at most %d are read", path, trace.ErrTooLarge, info.Size(), trace.MaxTrace)
		}
		r = f
	}
	b, err := io.ReadAll(io.LimitReader(r, trace.MaxTrace+1))
	if err != nil {
		return nil, unreadable("%s: %w", path, err)
	}
	t, err := trace.Parse(b)
	if err != nil {
		return nil, unreadable("%s: %w", path, err)
	}
	for _, what := range t.Converted {
		a.note("noted: %s: %s; the trace was converted to the present format\n", path, what)
	}
	return t, nil
}

// unreadable is the failure for a file that is not a trace, or not as it was recorded.
func unreadable(format string, args ...any) error {
	return &failure{code: exitFailed, see: "trace-file", err: fmt.Errorf(format, args...)}
}

// readSound reads a trace to show. If the replay of a trace with the same table
// differs, the trace was altered, and its contents are not shown.
func readSound(a *app, path string) (*trace.Trace, error) {
	t, err := readTrace(a, path)
	if err != nil {
		return nil, err
	}
	d, err := trace.Replay(t)
	switch {
	case err != nil:
		return nil, unreadable("%s: %w", path, err)
	case d.Same():
	case d.Table == "":
		return nil, unreadable("%s: the trace was altered: step %d does not follow from its input; stile replay shows both sides", path, d.Step)
	default:
		a.note("noted: %s was recorded with another table; this release behaves differently from step %d on\n", path, d.Step)
	}
	return t, nil
}

func newTrace(a *app) *cobra.Command {
	c := &cobra.Command{
		Use:   "trace",
		Short: "Show and compare recorded traces",
		Long: `Shows and compares what --trace recorded. A trace holds no secret: you can attach
it to a bug report.`,
		Args: subcommand,
		RunE: func(c *cobra.Command, _ []string) error { return c.Help() },
	}
	c.AddCommand(newTraceShow(a), newTraceDiff(a))
	return c
}

func newTraceShow(a *app) *cobra.Command {
	var (
		sequence, html bool
		output         string
	)
	c := &cobra.Command{
		Use:   "show TRACE",
		Short: "Show the steps of a trace",
		Long: `Shows the steps of a trace as a table, as a Mermaid sequence diagram, or as one
HTML page that needs no network. The page shows what happened between user,
client, server and issuer, each request and response, and the drawing of the
machine with the path in it.`,
		Example: `  stile trace show login.ndjson --html -o login.html`,
		Args:    takes("TRACE"),
		RunE: func(_ *cobra.Command, given []string) error {
			if sequence && html {
				return usage("--sequence and --html cannot be combined; choose one")
			}
			t, err := readSound(a, given[0])
			if err != nil {
				return err
			}
			switch {
			case html:
				return a.emit(output, trace.HTML(t))
			case sequence:
				return a.emit(output, trace.Sequence(t))
			case a.json:
				return a.printJSON(a.out, struct {
					Header json.RawMessage `json:"header"`
					Rows   []trace.Row     `json:"rows"`
				}{headerJSON(t), trace.Table(t)})
			case output != "":
				return a.emit(output, trace.TableText(t))
			}
			a.block(trace.TableText(t))
			return nil
		},
	}
	fl := c.Flags()
	fl.BoolVar(&sequence, "sequence", false, "print a Mermaid sequence diagram")
	fl.BoolVar(&html, "html", false, "print an HTML page")
	fl.StringVarP(&output, "output", "o", "", "the `FILE` to write (default: standard output)")
	return c
}

// headerJSON is the header of a trace, without the machine.
func headerJSON(t *trace.Trace) json.RawMessage {
	b, err := json.Marshal(struct {
		Format   string `json:"format"`
		Version  int    `json:"version"`
		Table    string `json:"table"`
		Program  string `json:"program,omitempty"`
		Revision string `json:"revision"`
		Ended    string `json:"ended,omitempty"`
	}{t.Header.Format, t.Header.Version, t.Header.Table, t.Header.Program, t.Header.Revision, t.Ended})
	if err != nil {
		return nil
	}
	return b
}

func newTraceDiff(a *app) *cobra.Command {
	return &cobra.Command{
		Use:   "diff A B",
		Short: "Say what changed between two traces",
		Long:  "Says what changed from A, a run that worked, to B. The exit status is 1 if something differs.",
		Args:  takes("A", "B"),
		RunE: func(_ *cobra.Command, given []string) error {
			first, err := readSound(a, given[0])
			if err != nil {
				return err
			}
			second, err := readSound(a, given[1])
			if err != nil {
				return err
			}
			d := trace.Diff(first, second)
			if err := a.result(d, func() { a.block(d.String()) }); err != nil {
				return err
			}
			if !d.None() {
				return failed("the traces differ")
			}
			return nil
		},
	}
}
