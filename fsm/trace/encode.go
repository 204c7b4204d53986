package trace

import (
	"time"

	"github.com/stile-oauth/stile/fsm"
	"github.com/stile-oauth/stile/fsm/lines"
	"github.com/stile-oauth/stile/states"
)

// appendStep writes the record of one step, with its line end.
func appendStep(b []byte, n int, from states.State, at time.Time, in states.Input, r *fsm.Result, whole bool) []byte {
	w := lines.Writer{B: append(b, '{'), Whole: whole}
	w.Int("n", int64(n))
	w.Time("time", at)
	w.Word("from", string(from))
	w.Open("input")
	w.Input(in)
	w.Shut()
	w.Word("event", string(r.Event))
	w.Word("to", string(r.Machine.State))
	w.Yes("held", r.Held)
	notes, effects := 0, 0
	for _, e := range r.Effects {
		if _, note := e.(states.Note); note {
			notes++
		} else {
			effects++
		}
	}
	if effects > 0 {
		w.Name("effects")
		w.B = append(w.B, '[')
		for _, e := range r.Effects {
			if _, note := e.(states.Note); note {
				continue
			}
			if w.B[len(w.B)-1] != '[' {
				w.B = append(w.B, ',')
			}
			w.B = append(w.B, '{')
			w.Effect(e)
			w.Shut()
		}
		w.B = append(w.B, ']')
	}
	if notes > 0 {
		w.Name("notes")
		w.B = append(w.B, '[')
		for _, e := range r.Effects {
			if f, note := e.(states.Note); note {
				if w.B[len(w.B)-1] != '[' {
					w.B = append(w.B, ',')
				}
				w.B = append(w.B, '{')
				w.Str("rule", string(f.Finding.Rule))
				w.Str("detail", f.Finding.Detail)
				w.Shut()
			}
		}
		w.B = append(w.B, ']')
	}
	return append(w.B, '}', '\n')
}
