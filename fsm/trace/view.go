package trace

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/go-json-experiment/json"

	"github.com/stile-oauth/stile/fsm/words"
	"github.com/stile-oauth/stile/states"
	"github.com/stile-oauth/stile/states/wire"
)

// What the views of a trace have in common. A trace may come from a stranger, so every
// text in it is sanitised before it is given out.

const shownText = 300

func clean(s string) string { return wire.Clean(s, shownText) }

// exchange is a step with the request that its input answers.
type exchange struct {
	*Step
	request *wire.Request // nil when the input answers none
}

func exchanges(t *Trace) []exchange {
	out := make([]exchange, 0, len(t.Steps))
	var open *wire.Request
	for i := range t.Steps {
		s := &t.Steps[i]
		x := exchange{Step: s}
		switch s.Input.(type) {
		case states.Responded, states.Unreachable:
			x.request = open
		default: // the others need nothing here
		}
		for _, e := range s.Effects {
			if send, ok := e.(states.Send); ok {
				open = &send.Request
			}
		}
		out = append(out, x)
	}
	return out
}

// response gives the response that the input of a step carries.
func response(in states.Input) (wire.Response, bool) {
	switch in := in.(type) {
	case states.Responded:
		return in.Response, true
	case states.Challenged:
		return in.Response, true
	default: // the others need nothing here
	}
	return wire.Response{}, false
}

// inputWords describes an input in a few words.
func inputWords(x exchange) string {
	switch in := x.Input.(type) {
	case states.Begun:
		if in.Login {
			return "begun, with the wish for a login"
		}
		return "begun"
	case states.Resumed:
		return "resumed by another replica"
	case states.Loaded:
		return "the store: found, generation " + gen(in.Generation)
	case states.NotFound:
		return "the store: no such entry"
	case states.Leased:
		return "the store: leased for " + in.TTL.String()
	case states.Held:
		return "the store: held by another"
	case states.Saved:
		return "the store: saved, generation " + gen(in.Generation)
	case states.Deleted:
		return "the store: deleted"
	case states.Claimed:
		return "the store: claimed"
	case states.Conflicted:
		return "the store: changed meanwhile"
	case states.StoreFailed:
		return "the store failed: " + clean(in.Detail)
	case states.Answered:
		switch {
		case len(in.Values) > 0:
			return "the host answered " + clean(strings.Join(in.Values, " "))
		case in.Value == "":
			return "the host took the default"
		}
		return "the host answered " + clean(in.Value)
	case states.Signed:
		return "the assertion was signed"
	case states.Unsigned:
		return "nothing was signed: " + clean(in.Detail)
	case states.Responded:
		s := responseWords(in.Response)
		if x.request != nil {
			s = clean(x.request.Method+" "+x.request.URL) + ": " + s
		}
		return s
	case states.Unreachable:
		s := "no answer (" + clean(string(in.Class)) + ")"
		if in.Detail != "" {
			s += ": " + clean(in.Detail)
		}
		if x.request != nil {
			s = clean(x.request.Method+" "+x.request.URL) + ": " + s
		}
		return s
	case states.Redirected:
		return "the user agent came back: " + clean(in.URL.Reveal())
	case states.Challenged:
		return "the MCP server refused a request: " + responseWords(in.Response)
	case states.Accepted:
		return "the MCP server took the token"
	case states.Ticked:
		return "time passed"
	case states.Interrupted:
		return "interrupted"
	case states.Cancelled:
		return "cancelled"
	case states.LoggedOut:
		if in.Forget {
			return "asked to log out, and to have the client forgotten"
		}
		return "asked to log out"
	}
	return ""
}

func gen(g states.Generation) string { return strconv.FormatUint(uint64(g), 10) }

func responseWords(r wire.Response) string {
	s := strconv.Itoa(r.Status)
	if h := r.Header.Header("Content-Type"); len(h) > 0 && h[0] != "" {
		s += " " + clean(h[0])
	}
	switch {
	case r.Oversized:
		s += ", longer than the limit"
	case len(r.Body) > 0:
		s += ", " + strconv.Itoa(len(r.Body)) + " bytes"
	}
	for _, c := range r.Header.Header("WWW-Authenticate") {
		s += ", " + clean(c)
	}
	return s
}

// effectWords describes an effect in one line: the first line that package words prints,
// and for a request or a report also its details.
func effectWords(at time.Time, e states.Effect) string {
	head, more, _ := strings.Cut(words.Printer{}.Effect(at, e), "\n")
	switch e.(type) {
	case states.Send, states.Visit:
		if more = strings.Join(strings.Fields(more), " "); more != "" {
			head += " (" + more + ")"
		}
	case states.Report:
		head += ": " + strings.TrimSpace(more)
	default: // the others need nothing here
	}
	return clean(head)
}

// effectHead is effectWords with only the request line of a request.
func effectHead(at time.Time, e states.Effect) string {
	head, _, _ := strings.Cut(words.Printer{}.Effect(at, e), "\n")
	if s, ok := e.(states.Send); ok {
		if g, ok := s.Request.Form.Get("grant_type"); ok {
			head += " (" + g + ")"
		}
	}
	return clean(head)
}

func scopeWords(scopes []string) string {
	if len(scopes) == 0 {
		return ""
	}
	return " (" + clean(strings.Join(scopes, " ")) + ")"
}

// Row is one line of the table of a trace; all texts are safe to print.
type Row struct {
	N    int       `json:"n"`
	Time time.Time `json:"time"`
	// Elapsed is the time since the first step; in JSON "elapsed_seconds".
	Elapsed time.Duration `json:"-"`
	From    string        `json:"from"`
	Input   string        `json:"input"`
	Event   string        `json:"event"`
	To      string        `json:"to,omitempty"` // empty when the row held
	Effects []string      `json:"effects"`
	Notes   []string      `json:"notes"`
}

// MarshalJSON writes the row with its elapsed time as a number of seconds.
func (r Row) MarshalJSON() ([]byte, error) {
	type plain Row
	return json.Marshal(struct {
		plain
		Elapsed float64 `json:"elapsed_seconds"`
	}{plain(r), r.Elapsed.Seconds()})
}

// Table gives the steps as rows.
func Table(t *Trace) []Row {
	out := []Row{}
	for _, x := range exchanges(t) {
		r := Row{
			N: x.N, Time: x.Time, Elapsed: x.Time.Sub(t.Steps[0].Time), From: clean(string(x.From)),
			Input: inputWords(x), Event: clean(string(x.Event)), To: clean(string(x.To)),
			Effects: []string{}, Notes: []string{},
		}
		if x.Held {
			r.To = ""
		}
		for _, e := range x.Effects {
			r.Effects = append(r.Effects, effectWords(x.Time, e))
		}
		for _, n := range x.Notes {
			r.Notes = append(r.Notes, clean(string(n.Rule)+": "+n.Detail))
		}
		out = append(out, r)
	}
	return out
}

// TableText prints the table, one step in a few lines.
func TableText(t *Trace) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s, revision %s, %d steps\n", serverOf(t), revisionWords(t), len(t.Steps))
	for _, r := range Table(t) {
		to := "→ " + r.To
		if r.To == "" {
			to = "(stays)"
		}
		fmt.Fprintf(&b, "%4d  %10s  %s  %s %s\n", r.N, "+"+r.Elapsed.Round(time.Millisecond).String(), r.From, r.Event, to)
		fmt.Fprintf(&b, "      in   %s\n", r.Input)
		for _, e := range r.Effects {
			fmt.Fprintf(&b, "      out  %s\n", e)
		}
		for _, n := range r.Notes {
			fmt.Fprintf(&b, "      note %s\n", n)
		}
	}
	b.WriteString(endedWords(t))
	return b.String()
}

func serverOf(t *Trace) string {
	var c states.Config
	if states.Decode(wire.Secret(t.Header.Config), &c) != nil {
		return "an unknown server"
	}
	return clean(c.Server)
}

// revisionWords is the revision in the configuration, which the header only repeats.
func revisionWords(t *Trace) string {
	var c states.Config
	if states.Decode(wire.Secret(t.Header.Config), &c) != nil {
		return "unknown"
	}
	return clean(revisionOf(&c))
}
