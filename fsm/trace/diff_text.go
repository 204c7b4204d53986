package trace

import (
	"fmt"
	"strconv"
	"strings"
)

// String prints the changes.
func (c Changes) String() string {
	var b strings.Builder
	if c.Table {
		b.WriteString("The two were recorded with different tables.\n")
	}
	if c.None() {
		b.WriteString("Nothing differs.\n")
		return b.String()
	}
	one := func(title string, ch *Change) {
		if ch == nil {
			return
		}
		fmt.Fprintf(&b, "%s: %s\n  A%s %s\n  B%s %s\n", title, ch.What, stepText(ch.StepA), orNothing(ch.A), stepText(ch.StepB), orNothing(ch.B))
	}
	for i := range c.Config {
		one("Configuration", &c.Config[i])
	}
	one("First different event", c.Event)
	one("First different request", c.Request)
	one("First different response", c.Response)
	for i := range c.Metadata {
		one("Metadata", &c.Metadata[i])
	}
	return b.String()
}

func stepText(n int) string {
	if n == 0 {
		return ""
	}
	return " (step " + strconv.Itoa(n) + ")"
}

func orNothing(s string) string {
	if s == "" {
		return "—"
	}
	return s
}
