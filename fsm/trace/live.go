package trace

import (
	_ "embed" // the script of a page that grows

	"github.com/stile-oauth/stile/states"
)

//go:embed live.js
var liveScript string

// Live makes the page of a run that is under way. It shows nothing yet, and asks the
// address "events" beside its own for server-sent events: each event "page" has the
// Content of the trace so far as a JSON string, and replaces what is shown; "end" has a
// sentence as a JSON string, and is the last event. What the reader opened stays open.
// The policy of the page is that of HTML, except that it allows that address.
func Live(title string) string {
	return frame(title, "; connect-src 'self'",
		"<p id=\"live-status\" role=\"status\">"+esc(title)+": waiting for the first step.</p>\n<div id=\"live\"></div>\n", pageScript+liveScript)
}

// Content is what HTML shows of a trace, for a page made by Live. underWay says that more
// steps will come; the heading then says what is going on instead of where the run
// stopped.
func Content(t *Trace, underWay bool) string {
	outcome := ""
	if n := len(t.Steps); underWay && n > 0 {
		outcome = "Now: " + states.Describe(t.Steps[n-1].To)
	}
	return content(t, drawingOf(t), outcome)
}
