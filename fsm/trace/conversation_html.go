package trace

import (
	"fmt"
	"strings"
)

// conversationHTML writes the messages of a trace in lanes. It needs no script: each
// message can be opened, and the one that failed is open.
func conversationHTML(b *strings.Builder, t *Trace, refusals []Refusal) {
	b.WriteString("<section id=\"conversation\">\n<h2>What happened</h2>\n<div class=\"lanes heads\">")
	for i, name := range laneNames {
		fmt.Fprintf(b, "<span class=\"lane-%d\">%s</span>", i, name)
	}
	b.WriteString("</div>\n<p class=\"where\">Server: " + esc(serverOf(t)) + "</p>\n<ol>\n")
	all := conversation(t, refusals)
	shown := all[:min(len(all), maxPage)]
	last := -1 // the message that the page is about: the last that was refused
	for i := range shown {
		if len(shown[i].refused) > 0 {
			last = i
		}
	}
	for i := range shown {
		messageHTML(b, &shown[i], i == last)
	}
	if len(shown) < len(all) {
		fmt.Fprintf(b, "<li>The first %d of %d messages.</li>\n", len(shown), len(all))
	}
	b.WriteString("</ol>\n</section>\n")
}

func messageHTML(b *strings.Builder, m *message, open bool) {
	class, opened := "", ""
	if len(m.refused) > 0 {
		class = ` class="failed"`
	}
	if open {
		class, opened = class+` id="failed"`, " open"
	}
	fmt.Fprintf(b, "<li%s><details%s><summary><span class=\"says\">%s</span>\n", class, opened, esc(m.says))
	if m.sent != "" {
		arrowHTML(b, m.from, m.to, m.sent)
	}
	if m.answer != "" {
		arrowHTML(b, m.to, m.from, m.answer)
	}
	b.WriteString("</summary>\n<div class=\"inside\">\n")
	for i := range m.refused {
		refusalHTML(b, &m.refused[i])
	}
	if m.result != "" && len(m.refused) == 0 {
		fmt.Fprintf(b, "<p>Result: %s.</p>\n", esc(strings.TrimSuffix(m.result, ".")))
	}
	for _, n := range m.tolerant {
		fmt.Fprintf(b, "<p class=\"note\">%s</p>\n", esc(n))
	}
	if m.request != nil {
		b.WriteString("<h3>Request</h3>\n" + requestHTML(m.request))
	}
	if m.response != nil {
		b.WriteString("<h3>Answer</h3>\n" + responseHTML(*m.response))
	}
	if m.address != "" {
		b.WriteString("<h3>Address</h3>\n" + pre(addressText(m.address)))
	}
	fmt.Fprintf(b, "<p class=\"where\"><a href=\"#row-%d\" data-step=\"%d\">step %d of the machine</a></p>\n</div></details></li>\n", m.step, m.step, m.step)
}

// arrowHTML draws an arrow from one lane to another, with its text.
func arrowHTML(b *strings.Builder, from, to lane, text string) {
	left, right, way := from, to, "right"
	if left > right {
		left, right, way = right, left, "left"
	}
	fmt.Fprintf(b, "<span class=\"text\">%s → %s: %s</span><span class=\"lanes\"><span class=\"arrow %s span-%d-%d\"></span></span>\n",
		laneNames[from], laneNames[to], esc(text), way, left, right)
}
