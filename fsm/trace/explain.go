package trace

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/stile-oauth/stile/states"
	"github.com/stile-oauth/stile/states/rules"
	"github.com/stile-oauth/stile/transitions"
)

// Explanation says what happened in a trace. All texts are safe to print.
type Explanation struct {
	Server   string `json:"server"`
	Revision string `json:"revision"`
	// Outcome is how it ended, in one sentence.
	Outcome string `json:"outcome"`
	// Story tells the steps that moved the machine.
	Story []Sentence `json:"story"`
	// Refusals are what stopped something, first to last.
	Refusals []Refusal `json:"refusals"`
	// Tolerated are breaches that were overlooked, each told once.
	Tolerated []Breach `json:"tolerated"`
	// Ended says that recording ended early, and why.
	Ended string `json:"ended,omitempty"`
}

// Sentence tells one step.
type Sentence struct {
	Step int    `json:"step"`
	Text string `json:"text"`
}

// Refusal is one guard that refused.
type Refusal struct {
	Step  int    `json:"step"`
	State string `json:"state"`
	Event string `json:"event"`
	// Party is whose fault it is, or who denied it.
	Party string `json:"fault_of"`
	Doing string `json:"doing"`
	Peer  string `json:"peer,omitempty"`
	// Rule, Clause and Requires are the duty that was not met.
	Rule     string `json:"rule,omitempty"`
	Clause   string `json:"clause,omitempty"`
	Requires string `json:"requires,omitempty"`
	Detail   string `json:"detail,omitempty"`
	// First is the first cause, where a fallback came between.
	First string `json:"first_cause,omitempty"`
	// Bytes shows where the answer says it.
	Bytes []string `json:"bytes"`
	// Advice is what to do.
	Advice string `json:"advice,omitempty"`
}

// Breach is a rule that a peer broke without consequence.
type Breach struct {
	Step   int    `json:"step"`
	Rule   string `json:"rule"`
	Clause string `json:"clause,omitempty"`
	Detail string `json:"detail"`
}

// Explain tells what happened: the story, which guard refused and on which
// bytes, whose fault it is, which clause says so, and what to do.
func Explain(t *Trace) Explanation {
	e := Explanation{
		Server: serverOf(t), Revision: revisionWords(t), Ended: strings.TrimSpace(endedWords(t)),
		Story: []Sentence{}, Refusals: []Refusal{}, Tolerated: []Breach{},
	}
	xs := exchanges(t)
	seen := map[string]bool{}
	for i, x := range xs {
		if worthTelling(x) {
			e.Story = append(e.Story, Sentence{x.N, sentence(x)})
		}
		for _, n := range x.Notes {
			b := Breach{Step: x.N, Rule: clean(string(n.Rule)), Detail: clean(n.Detail)}
			rule, _ := rules.Lookup(n.Rule)
			b.Clause = rule.Cited()
			if key := b.Rule + "\x00" + b.Detail; !seen[key] {
				seen[key] = true
				e.Tolerated = append(e.Tolerated, b)
			}
		}
		for _, eff := range x.Effects {
			if r, ok := eff.(states.Report); ok {
				refusal := refused(xs[:i+1], &r.Fault)
				if n := len(e.Refusals); n == 0 || e.Refusals[n-1].Step != refusal.Step {
					e.Refusals = append(e.Refusals, refusal)
				}
			}
		}
	}
	e.Outcome = outcome(t, e.Refusals)
	return e
}

// worthTelling leaves out of the story what only passes time.
func worthTelling(x exchange) bool {
	switch x.Event {
	case transitions.TimePassed, transitions.NothingYet, transitions.CheckDue, transitions.StillHeld, transitions.StillUnderWay:
		return false
	}
	return true
}

func sentence(x exchange) string {
	in := inputWords(x)
	if s := Says(x.Event); s != "" {
		return in + " — " + clean(s)
	}
	return in
}

func outcome(t *Trace, refusals []Refusal) string {
	if len(t.Steps) == 0 {
		return "Nothing happened."
	}
	last := &t.Steps[len(t.Steps)-1]
	switch last.To {
	case states.Authorized:
		for i := len(t.Steps) - 1; i >= 0; i-- {
			for _, e := range t.Steps[i].Effects {
				if g, ok := e.(states.Grant); ok {
					s := "A token is held" + scopeWords(g.Scopes)
					if !g.Expires.IsZero() {
						s += " until " + g.Expires.Format("2006-01-02 15:04:05 MST")
					}
					return s + "."
				}
			}
		}
		return "A token is held."
	case states.Failed:
		if len(refusals) > 0 {
			r := refusals[len(refusals)-1]
			return "It failed at step " + strconv.Itoa(r.Step) + ", while " + r.Doing + ": " + r.blamed() + "."
		}
		return "It failed."
	case states.Anonymous:
		return "No token is held; requests are sent without one."
	case states.Idle:
		return "Nothing has begun."
	default: // the others need nothing here
	}
	s := states.Describe(last.To)
	if s == "" {
		s = clean(string(last.To))
	}
	return "It stopped in " + clean(string(last.To)) + ": " + s
}

// culprit names the party as exactly as the state tells.
func (r *Refusal) culprit() string { return states.Party(r.Party).In(states.State(r.State)) }

// blamed says whose fault it is, or who denied it.
func (r *Refusal) blamed() string {
	if how := states.Party(r.Party).Blame(); how != "fault of" {
		return how + " " + r.Party
	}
	return "the fault of " + r.culprit()
}

// refused finds the step that a fault came up at, and the bytes that show it.
func refused(xs []exchange, f *states.Fault) Refusal {
	r := Refusal{
		State: clean(string(f.State)), Event: clean(string(f.Event)), Party: clean(string(f.Party)), Doing: clean(f.Doing),
		Bytes: []string{}, Peer: clean(f.Peer), Rule: clean(string(f.Problem.Rule)), Detail: clean(f.Problem.Detail), Advice: clean(f.Advice),
	}
	if o := f.Problem.OAuth; o != nil {
		r.Detail = strings.TrimPrefix(r.Detail+"; the answer says "+clean(o.String()), "; ")
	}
	rule, _ := rules.Lookup(f.Problem.Rule)
	r.Clause, r.Requires = rule.Cited(), rule.Requires
	if f.First != nil {
		r.First = clean(f.First.Error())
	}
	at := len(xs) - 1
	for i := len(xs) - 1; i >= 0; i-- {
		if xs[i].From == f.State && xs[i].Event == f.Event {
			at = i
			break
		}
	}
	r.Step = xs[at].N
	r.Bytes = append(r.Bytes, evidence(xs[:at+1], &f.Problem)...)
	return r
}

// String prints the explanation.
func (e Explanation) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "Server    %s (revision %s)\nOutcome   %s\n", e.Server, e.Revision, e.Outcome)
	for _, r := range e.Refusals {
		fmt.Fprintf(&b, "\nRefused at step %d: %s in %s — %s\n", r.Step, r.Event, r.State, Says(transitions.Event(r.Event)))
		line := func(name, text string) {
			if text != "" {
				fmt.Fprintf(&b, "  %-9s %s\n", name, text)
			}
		}
		line("while", r.Doing)
		line("at", r.Peer)
		line(states.Party(r.Party).Blame(), r.culprit())
		line("because", r.Detail)
		line("rule", r.Rule)
		line("requires", r.Requires)
		line("clause", r.Clause)
		line("first", r.First)
		for i, s := range r.Bytes {
			if i == 0 {
				line("bytes", s)
			} else {
				line("", s)
			}
		}
		line("do", r.Advice)
	}
	if len(e.Tolerated) > 0 {
		b.WriteString("\nOverlooked\n")
		for _, t := range e.Tolerated {
			fmt.Fprintf(&b, "  step %d  %s: %s", t.Step, t.Rule, t.Detail)
			if t.Clause != "" {
				fmt.Fprintf(&b, " [%s]", t.Clause)
			}
			b.WriteByte('\n')
		}
	}
	b.WriteString("\nWhat happened\n")
	for _, s := range e.Story {
		fmt.Fprintf(&b, "  %3d  %s\n", s.Step, s.Text)
	}
	if e.Ended != "" {
		b.WriteString("\n" + e.Ended + "\n")
	}
	return b.String()
}
