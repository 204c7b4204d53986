package main

import (
	"os"

	"github.com/spf13/cobra"

	"github.com/stile-oauth/stile/fsm/draw"
	"github.com/stile-oauth/stile/states"
	"github.com/stile-oauth/stile/transitions"
)

func newDraw(a *app) *cobra.Command {
	var format, output, group string
	c := &cobra.Command{
		Use:   "draw",
		Short: "Draw the states of the machine and the events between them",
		Long:  "Draws the table of transitions: all of it, or the rows of one group of states.",
		Example: `  stile draw --format svg -o machine.svg
  stile draw --format mermaid --group refresh`,
		Args: takes(),
		RunE: func(*cobra.Command, []string) error {
			rows, err := rowsOf(group)
			if err != nil {
				return err
			}
			var text string
			switch format {
			case "mermaid":
				text = draw.Mermaid(rows)
			case "dot":
				text = draw.DOT(rows)
			case "svg":
				text = draw.SVG(rows, draw.Options{Title: "The states of Stile"})
			default:
				return usage("--format: %q is not one of mermaid, dot, svg", format)
			}
			if a.json {
				return a.printJSON(a.out, struct {
					Format string `json:"format"`
					Text   string `json:"text"`
				}{format, text})
			}
			return a.emit(output, text)
		},
	}
	fl := c.Flags()
	fl.StringVar(&format, "format", "mermaid", "the `FORMAT`: mermaid, dot or svg")
	fl.StringVarP(&output, "output", "o", "", "the `FILE` to write (default: standard output)")
	fl.StringVar(&group, "group", "", "only the rows that leave states of this `GROUP`")
	_ = c.RegisterFlagCompletionFunc("format", cobra.FixedCompletions([]string{"mermaid", "dot", "svg"}, cobra.ShellCompDirectiveNoFileComp))
	_ = c.RegisterFlagCompletionFunc("group", cobra.FixedCompletions(stateGroups(), cobra.ShellCompDirectiveNoFileComp))
	return c
}

func stateGroups() []string {
	var out []string
	for _, s := range states.All {
		if g := states.Group(s); len(out) == 0 || out[len(out)-1] != g {
			out = append(out, g)
		}
	}
	return out
}

func rowsOf(group string) ([]transitions.Row, error) {
	if group == "" {
		return transitions.Table, nil
	}
	var rows []transitions.Row
	for _, r := range transitions.Table {
		if states.Group(r.From) == group {
			rows = append(rows, r)
		}
	}
	if rows == nil {
		return nil, usage("--group: %q is not one of %q", group, stateGroups())
	}
	return rows, nil
}

// emit writes text of this program to a file, or to standard output.
func (a *app) emit(output, text string) error {
	if output == "" {
		a.say("%s", raw(text))
		return nil
	}
	if err := os.WriteFile(output, []byte(text), 0o644); err != nil { //nolint:gosec // what is written is no secret
		return failed("%w", err)
	}
	return nil
}
