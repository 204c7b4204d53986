package trace

import (
	"cmp"
	"fmt"
	"strings"

	"github.com/stile-oauth/stile/fsm/lines"
	"github.com/stile-oauth/stile/states"
	"github.com/stile-oauth/stile/states/wire"
	"github.com/stile-oauth/stile/transitions"
)

// A replay proves what the steps say. What is outside the steps, in the header and in the
// line that recording ended with, is checked here, and is not passed on if the check
// fails.

// Why a recorder ends before the run does, and the only details that it gives.
const (
	endedDiverged = "diverged"
	endedWithheld = "withheld"
	endedFull     = "full"

	detailWithheld = "a secret would have shown"
	detailFull     = "the bounds of a trace are reached"

	// A divergence names the events of the real machine and of the shadow.
	detailShadow  = ", the shadow: "
	detailRefused = "refused"
)

// checkHeader compares what the header says twice: the revision must be that of the
// configuration, and a machine that had begun must hold the same configuration. Begin
// reports a configuration that cannot be read.
func checkHeader(h *Header) error {
	var c states.Config
	if states.Decode(wire.Secret(h.Config), &c) != nil {
		return nil
	}
	if want := revisionOf(&c); h.Revision != want {
		return fmt.Errorf("%w: the header names revision %s, its configuration %s", ErrAltered, lines.Quote(h.Revision), lines.Quote(want))
	}
	var m struct {
		Data struct {
			Config states.Config `json:"config"`
		} `json:"data"`
	}
	if states.Decode(wire.Secret(h.Machine), &m) != nil {
		return nil
	}
	a, erra := states.Encode(&c)
	b, errb := states.Encode(&m.Data.Config)
	if erra != nil || errb != nil || a != b {
		return fmt.Errorf("%w: the machine of the header has another configuration than the header", ErrAltered)
	}
	return nil
}

func revisionOf(c *states.Config) string { return cmp.Or(string(c.Revision), "auto") }

// checkEnd says what is wrong with the line that recording ended with. It is empty if
// nothing is.
func (t *Trace) checkEnd(from states.State, ended, detail string, others bool) string {
	at := states.Idle
	if n := len(t.Steps); n > 0 {
		at = t.Steps[n-1].To
	} else if m, err := t.Begin(); err == nil {
		at = m.State
	}
	switch {
	case others:
		return "a step and the end of recording in one"
	case from != at:
		return "recording ended in " + lines.Quote(string(from)) + ", the trace in " + lines.Quote(string(at))
	case ended != endedDiverged && ended != endedWithheld && ended != endedFull:
		return "recording ends as " + lines.Quote(ended) + ", which no recorder says"
	}
	if !t.soundDetail(ended, detail) {
		return "recording ended with words that no recorder says"
	}
	return ""
}

// soundDetail reports whether a recorder gives such a detail. The events of another table
// are unknown here, so only their form is checked, and the page says only that there were
// two.
func (t *Trace) soundDetail(ended, detail string) bool {
	switch ended {
	case endedWithheld:
		return detail == detailWithheld
	case endedFull:
		return detail == detailFull
	}
	own, shadow, ok := strings.Cut(detail, detailShadow)
	return ok && t.soundEvent(own) && (shadow == detailRefused || t.soundEvent(shadow))
}

func (t *Trace) soundEvent(s string) bool {
	if t.Header.Table == TableHash() {
		return transitions.Describe(transitions.Event(s)) != ""
	}
	return s != "" && len(s) <= 64 && strings.Trim(s, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz") == ""
}

// endedWords says how recording ended, in the words of this package, because no replay
// proves the line that says so.
func endedWords(t *Trace) string {
	s := "recording ended here: "
	switch t.Ended {
	case "":
		return ""
	case endedDiverged:
		s += "what the machine did could not be shown without its secrets"
		if own, shadow, _ := strings.Cut(t.EndedDetail, detailShadow); t.Header.Table == TableHash() && t.soundDetail(t.Ended, t.EndedDetail) {
			s += " (" + clean(own) + detailShadow + clean(shadow) + ")"
		}
	case endedWithheld:
		s += detailWithheld
	case endedFull:
		s += detailFull
	default:
		s += "the file does not say why"
	}
	return s + "\n"
}
