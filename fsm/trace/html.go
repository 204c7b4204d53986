package trace

import (
	"crypto/sha256"
	_ "embed" // the page's script and style
	"encoding/base64"
	"fmt"
	"html"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/stile-oauth/stile/fsm/draw"
	"github.com/stile-oauth/stile/states"
	"github.com/stile-oauth/stile/states/rules"
	"github.com/stile-oauth/stile/states/wire"
	"github.com/stile-oauth/stile/transitions"
)

//go:embed page.css
var pageStyle string

//go:embed page.js
var pageScript string

//go:embed whole.js
var wholeScript string

// HTML makes one page that needs nothing else. For readers who do not know the machine,
// it first shows what user, client, server and issuer said to each other, with the
// message that failed opened. Then it shows the states with the path through them, and
// each step, with keys to go forward and back. The page fits a phone, and follows the
// reader's light or dark scheme. Everything that comes from the trace is escaped, and the
// page's own policy forbids any other script and any address outside.
func HTML(t *Trace) string {
	return page(t, drawingOf(t))
}

func drawingOf(t *Trace) string {
	return draw.SVG(transitions.Table, draw.Options{Title: "The way through the states", Path: path(t)})
}

// maxPage bounds the steps of one page.
const maxPage = 2000

// page is HTML with the given drawing.
func page(t *Trace, drawing string) string {
	return frame("Trace of "+serverOf(t), "", content(t, drawing, ""), pageScript+wholeScript)
}

// frame is a page around its content. policy is added to what the page forbids:
// any script but this one, and any address outside.
func frame(title, policy, content, script string) string {
	sum := sha256.Sum256([]byte(script))
	var b strings.Builder
	b.WriteString("<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n")
	fmt.Fprintf(&b, "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'; script-src 'sha256-%s'; base-uri 'none'; form-action 'none'%s\">\n",
		base64.StdEncoding.EncodeToString(sum[:]), policy)
	b.WriteString("<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n<meta name=\"color-scheme\" content=\"light dark\">\n")
	fmt.Fprintf(&b, "<title>%s</title>\n<style>\n%s</style>\n</head>\n<body>\n", esc(title), pageStyle)
	b.WriteString(content)
	fmt.Fprintf(&b, "<script>%s</script>\n</body>\n</html>\n", script)
	return b.String()
}

// content is the page without its frame. outcome replaces the outcome that the
// explanation gives, unless it is empty.
func content(t *Trace, drawing, outcome string) string {
	var b strings.Builder
	e := Explain(t)
	if outcome == "" {
		outcome = e.Outcome
	}
	where := ""
	if len(e.Refusals) > 0 {
		where = ` <a href="#failed">Show where</a>`
	}
	fmt.Fprintf(&b, "<header><h1>%s</h1><p class=\"outcome\">%s%s</p><p class=\"about\">revision %s · %d steps · %s</p></header>\n",
		esc("Trace of "+serverOf(t)), esc(outcome), where, esc(e.Revision), len(t.Steps), esc(programOf(t)))
	conversationHTML(&b, t, e.Refusals)
	b.WriteString("<section id=\"machine\"><h2>The machine, step by step</h2></section>\n<main>\n<div id=\"map\">\n")
	b.WriteString(drawing)
	b.WriteString("</div>\n<div id=\"side\">\n")
	b.WriteString("<nav><button id=\"back\" title=\"one step back (←, k)\">←</button><button id=\"on\" title=\"one step on (→, j)\">→</button>" +
		"<output id=\"at\"></output><span class=\"keys\">← → or k j · Home End</span></nav>\n<ol id=\"steps\">\n")
	xs, rows := exchanges(t), Table(t)
	if len(rows) > maxPage {
		xs, rows = xs[:maxPage], rows[:maxPage]
		fmt.Fprintf(&b, "<li>The first %d of %d steps.</li>\n", maxPage, len(t.Steps))
	}
	for i, r := range rows {
		to := r.To
		if to == "" {
			to = r.From
		}
		class := ""
		if slices.ContainsFunc(e.Refusals, func(f Refusal) bool { return f.Step == r.N }) {
			class = ` class="refused"`
		}
		fmt.Fprintf(&b, "<li id=\"row-%d\"%s data-from=\"%s\" data-to=\"%s\"><button><span class=\"n\">%d</span> <span class=\"event\">%s</span> <span class=\"state\">%s</span></button></li>\n",
			r.N, class, esc(r.From), esc(to), r.N, esc(r.Event), esc(stateWords(&xs[i])))
	}
	b.WriteString("</ol>\n<div id=\"details\">\n")
	for i := range xs {
		details(&b, &xs[i], rows[i], e.Refusals)
	}
	b.WriteString("</div>\n</div>\n</main>\n<section id=\"explanation\"><h2>Explanation</h2><pre>")
	b.WriteString(esc(e.String()))
	b.WriteString("</pre></section>\n")
	return b.String()
}

func programOf(t *Trace) string {
	s := "format " + strconv.Itoa(t.Header.Version)
	if t.Header.Program != "" {
		s = "made by " + strconv.Quote(clean(t.Header.Program)) + ", as the file says, " + s
	}
	if t.Header.Table != TableHash() {
		s += ", recorded with another table than is drawn here"
	}
	return s
}

func stateWords(x *exchange) string {
	if x.Held || x.From == x.To {
		return clean(string(x.From)) + " ⟲"
	}
	return clean(string(x.From)) + " → " + clean(string(x.To))
}

// path is the path through the states, without the steps that held.
func path(t *Trace) []states.State {
	var out []states.State
	for i := range t.Steps {
		s := &t.Steps[i]
		if i == 0 {
			out = append(out, s.From)
		}
		if !s.Held {
			out = append(out, s.To)
		}
	}
	return out
}

func esc(s string) string { return html.EscapeString(s) }

// details is the section of one step.
func details(b *strings.Builder, x *exchange, r Row, refusals []Refusal) {
	fmt.Fprintf(b, "<section id=\"step-%d\" hidden>\n<h2>%d · %s</h2>\n<p>%s</p>\n<p class=\"where\">%s · %s · +%s</p>\n",
		r.N, r.N, esc(r.Event), esc(Says(x.Event)), esc(stateWords(x)), esc(r.Time.Format(time.RFC3339)), esc(r.Elapsed.Round(time.Millisecond).String()))
	refused := false
	for i := range refusals {
		if refusals[i].Step == r.N {
			refusalHTML(b, &refusals[i])
			refused = true
		}
	}
	if s := states.Describe(x.To); s != "" && !x.Held {
		fmt.Fprintf(b, "<p class=\"where\">%s: %s</p>\n", esc(string(x.To)), esc(s))
	}
	if row := rowOf(x); row != nil && !refused {
		if rule, ok := rules.Lookup(row.Rule); ok {
			fmt.Fprintf(b, "<p class=\"rule\"><b>%s</b> %s <i>%s</i></p>\n", esc(string(rule.ID)), esc(rule.Requires), esc(rule.Cited()))
		}
	}
	for _, n := range r.Notes {
		fmt.Fprintf(b, "<p class=\"note\">%s</p>\n", esc(n))
	}
	fmt.Fprintf(b, "<h3>What came</h3>\n<p>%s</p>\n", esc(r.Input))
	if x.request != nil {
		b.WriteString("<details><summary>the request</summary>" + requestHTML(x.request) + "</details>\n")
	}
	if resp, ok := response(x.Input); ok {
		b.WriteString(responseHTML(resp))
	}
	if in, ok := x.Input.(states.Loaded); ok {
		b.WriteString(pre(pretty(in.Value.Reveal())))
	}
	if in, ok := x.Input.(states.Redirected); ok {
		b.WriteString(pre(addressText(in.URL.Reveal())))
	}
	if len(x.Effects) > 0 {
		b.WriteString("<h3>What was asked for</h3>\n")
	}
	for i, e := range x.Effects {
		fmt.Fprintf(b, "<p>%s</p>\n", esc(r.Effects[i]))
		switch e := e.(type) {
		case states.Send:
			req := e.Request
			b.WriteString(requestHTML(&req))
		case states.Visit:
			b.WriteString(pre(addressText(e.URL.Reveal())))
		case states.Save:
			b.WriteString("<details><summary>the record</summary>" + pre(pretty(e.Value.Reveal())) + "</details>\n")
		case states.Report:
			b.WriteString(pre(clean(e.Fault.Error())))
		default: // the others need nothing here
		}
	}
	b.WriteString("</section>\n")
}

// refusalHTML shows what a reader of a failure looks for: what was refused, whose fault
// it is, which rule was broken, by which bytes, and what to do.
func refusalHTML(b *strings.Builder, f *Refusal) {
	b.WriteString("<div class=\"refusal\"><h3>Refused</h3>\n<dl>\n")
	line := func(name string, texts ...string) {
		if texts = slices.DeleteFunc(texts, func(s string) bool { return s == "" }); len(texts) == 0 {
			return
		}
		for i := range texts {
			texts[i] = esc(texts[i])
		}
		fmt.Fprintf(b, "<dt>%s</dt><dd>%s</dd>\n", name, strings.Join(texts, "<br>"))
	}
	line("because", f.Detail)
	line(states.Party(f.Party).Blame(), f.culprit())
	line("what to do", f.Advice)
	if len(f.Bytes) > 0 {
		fmt.Fprintf(b, "<dt>bytes</dt><dd><pre>%s</pre></dd>\n", esc(strings.Join(f.Bytes, "\n")))
	}
	line("rule", f.Rule, f.Requires, f.Clause)
	line("while", f.Doing+at(f.Peer))
	line("first cause", f.First)
	b.WriteString("</dl></div>\n")
}

func at(peer string) string {
	if peer == "" {
		return ""
	}
	return ", at " + peer
}

func rowOf(x *exchange) *transitions.Row {
	for i := range transitions.Table {
		if r := &transitions.Table[i]; r.From == x.From && r.On == x.Event {
			return r
		}
	}
	return nil
}

// maxShown bounds one text on the page.
const maxShown = 16 << 10

// pre shows a text of several lines.
func pre(s string) string {
	if s == "" {
		return ""
	}
	lines := strings.Split(s, "\n")
	for i, l := range lines {
		lines[i] = wire.Clean(strings.ReplaceAll(l, "\t", "  "), maxShown)
	}
	return "<pre>" + esc(short(strings.Join(lines, "\n"))) + "</pre>\n"
}

func short(s string) string {
	if len(s) > maxShown {
		return strings.ToValidUTF8(s[:maxShown], "") + "…"
	}
	return s
}

func requestHTML(r *wire.Request) string {
	var b strings.Builder
	b.WriteString(r.Method + " " + r.URL + "\n")
	writeFields(&b, r.Header, ": ")
	if len(r.Form) > 0 {
		b.WriteByte('\n')
		writeFields(&b, r.Form, " = ")
	}
	if len(r.Body) > 0 {
		b.WriteString("\n" + pretty(string(r.Body)))
	}
	return pre(b.String())
}

func responseHTML(r wire.Response) string {
	var b strings.Builder
	b.WriteString(strconv.Itoa(r.Status) + "\n")
	writeFields(&b, r.Header, ": ")
	switch {
	case r.Oversized:
		b.WriteString("\n(longer than the limit)")
	case len(r.Body) > 0:
		b.WriteString("\n" + pretty(string(r.Body)))
	}
	return pre(b.String())
}
