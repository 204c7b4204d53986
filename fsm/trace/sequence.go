package trace

import (
	"fmt"
	"strings"

	"github.com/stile-oauth/stile/states"
	"github.com/stile-oauth/stile/states/wire"
)

// Sequence draws the messages between the machine, the user's browser, the MCP server,
// the authorization server and the store, as a Mermaid sequenceDiagram.
func Sequence(t *Trace) string {
	var b strings.Builder
	b.WriteString("sequenceDiagram\n    autonumber\n    participant H as Host\n    participant M as Stile\n    participant U as Browser\n")
	rs := wire.Origin(serverOf(t))
	fmt.Fprintf(&b, "    participant R as MCP server %s\n    participant A as Authorization server\n    participant S as Store\n", mermaid(rs))
	to, last := "R", states.State("")
	var open uint64 // the Visit that the user is at
	for _, x := range exchanges(t) {
		if group := states.Group(x.From); group != "" && states.Group(last) != group {
			fmt.Fprintf(&b, "    Note over H,S: %s\n", mermaid(group))
		}
		last = x.From
		for _, l := range heard(x, to) {
			b.WriteString("    " + l + "\n")
		}
		for _, n := range x.Notes {
			fmt.Fprintf(&b, "    Note right of M: %s\n", mermaid(string(n.Rule)+" — "+n.Detail))
		}
		for _, e := range x.Effects {
			switch e := e.(type) {
			case states.Send:
				to = "A"
				if wire.Origin(e.Request.URL) == rs && x.To == states.DiscoveringPRM {
					to = "R"
				}
				fmt.Fprintf(&b, "    M->>%s: %s\n", to, mermaid(strings.TrimPrefix(effectHead(x.Time, e), "Send ")))
			case states.Visit:
				if e.Serial == open {
					continue
				}
				open = e.Serial
				base, _, _ := strings.Cut(e.URL.Reveal(), "?")
				fmt.Fprintf(&b, "    M->>U: open %s\n    U->>A: authorization request\n", mermaid(base))
			case states.Load, states.Save, states.Delete, states.Claim, states.Lease, states.Release:
				fmt.Fprintf(&b, "    M->>S: %s\n", mermaid(effectHead(x.Time, e)))
			case states.Ask, states.Grant, states.Report:
				fmt.Fprintf(&b, "    M->>H: %s\n", mermaid(effectHead(x.Time, e)))
			default: // the others need nothing here
			}
		}
	}
	if s := endedWords(t); s != "" {
		fmt.Fprintf(&b, "    Note over H,S: %s\n", mermaid(s))
	}
	return b.String()
}

// heard are the arrows of an input.
func heard(x exchange, to string) []string {
	event := mermaid(" → " + string(x.Event))
	switch in := x.Input.(type) {
	case states.Responded:
		return []string{to + "-->>M: " + mermaid(responseWords(in.Response)) + event}
	case states.Unreachable:
		return []string{to + "--xM: " + mermaid(string(in.Class)) + event}
	case states.Redirected:
		return []string{"A-->>U: redirect", "U->>M: callback" + event}
	case states.Challenged:
		return []string{"R-->>M: " + mermaid(responseWords(in.Response)) + event}
	case states.Accepted:
		return []string{"R-->>M: accepted" + event}
	case states.Loaded, states.NotFound, states.Leased, states.Held, states.Saved, states.Deleted, states.Claimed, states.Conflicted, states.StoreFailed:
		return []string{"S-->>M: " + mermaid(strings.TrimPrefix(inputWords(x), "the store: ")) + event}
	case states.Ticked:
		if !worthTelling(x) {
			return nil
		}
	default: // the others need nothing here
	}
	return []string{"H->>M: " + mermaid(inputWords(x)) + event}
}

// mermaid makes a text safe in a line of a diagram. A character with a meaning there is
// replaced by a similar one or by an entity.
func mermaid(s string) string {
	return mermaidEscaper.Replace(clean(s))
}

var mermaidEscaper = strings.NewReplacer(
	"#", "#35;", ";", "#59;", "<", "#lt;", ">", "#gt;", `"`, "#quot;", "\n", " ", "%", "#37;", "{", "#123;", "}", "#125;", "&", "#amp;",
)
