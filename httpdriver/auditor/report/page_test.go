package report_test

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"

	"github.com/stile-oauth/stile/fsm/audit"
	"github.com/stile-oauth/stile/httpdriver/auditor/report"
	"github.com/stile-oauth/stile/states/rules"
	"github.com/stile-oauth/stile/states/wire"
	"github.com/stile-oauth/stile/testdata/browser"
)

// sample is a report with everything in it that a page can have, with words
// that do not break, and its evidence.
func sample() (audit.Report, audit.Evidence) {
	long := "http://127.0.0.1:45678/" + strings.Repeat("a-path-that-does-not-end/", 12)
	e := audit.Evidence{Target: long, Source: audit.LiveServer}
	for range 4 {
		e.Exchanges = append(e.Exchanges, audit.Exchange{
			Request:  wire.Request{Method: "GET", URL: long, Header: wire.Fields{{Name: "Authorization", Value: "Bearer " + strings.Repeat("x", 300)}}},
			Response: &wire.Response{Status: 200, Header: wire.Fields{{Name: "Content-Type", Value: "application/json"}}, Body: []byte(`{"issuer":"` + strings.Repeat("y", 500) + `"}`)},
		})
	}
	r := audit.Report{Target: long, Source: audit.LiveServer, Notes: []string{"a note of " + long}}
	for i, s := range []audit.Severity{audit.Critical, audit.High, audit.Medium, audit.Low, audit.Info} {
		r.Verdicts = append(r.Verdicts, audit.Verdict{Check: "asm.issuer", Outcome: audit.Fail, Findings: []audit.Finding{{
			Check: "asm.issuer", Rules: []rules.ID{rules.ASMIssuerMatch}, Severity: s, Confidence: audit.Proved, Threat: audit.Mixup, Layer: audit.AuthServer,
			Says: "the document names another issuer than the address that it was read from", Want: long, Got: long + "?", Exchange: i%4 + 1, Also: []int{4},
			Shown: "GET " + long, Affected: "every client", Fix: "Publish the issuer as it is configured.", Fingerprint: "0123456789abcdef",
		}}})
	}
	r.Verdicts = append(r.Verdicts, audit.Verdict{Check: "prm.cache", Outcome: audit.CouldNotRun, Why: "no answer from " + long},
		audit.Verdict{Check: "asm.foreign", Outcome: audit.Fact, Why: long})
	for _, c := range audit.Table() {
		if c.ID != "asm.issuer" && c.Family() != "cl" && c.Family() != "tr" && c.ID != "prm.cache" && c.ID != "asm.foreign" {
			r.Verdicts = append(r.Verdicts, audit.Verdict{Check: c.ID, Outcome: audit.Pass})
		}
	}
	r.Leftovers = []audit.Leftover{{Kind: "registration", ClientID: strings.Repeat("c", 80), Endpoint: long, Why: "the server answers 500"}}
	return r, e
}

// open shows a report.
func open(t *testing.T) context.Context {
	t.Helper()
	r, e := sample()
	var page strings.Builder
	if err := report.HTML(&page, r, &e); err != nil {
		t.Fatal(err)
	}
	return browser.Open(t, page.String(), "section.finding")
}

// Nothing on the page is wider than the screen of a phone, in light and in dark,
// with all of the evidence open; and every reference on it leads somewhere.
func TestPageOnAPhone(t *testing.T) {
	ctx := open(t)
	browser.Eval[int](t, ctx, `document.querySelectorAll('details').forEach(d => d.open = true), 0`)
	for _, width := range []int64{375, 1200} {
		browser.Width(t, ctx, width)
		for _, scheme := range []string{"light", "dark"} {
			browser.Prefer(t, ctx, scheme)
			if w := browser.Eval[int64](t, ctx, `document.documentElement.scrollWidth`); w > width {
				t.Errorf("%s: %d pixels on a screen of %d", scheme, w, width)
			}
			over := `[...document.querySelectorAll('body *')].filter(e => e.scrollWidth > e.clientWidth + 1 && getComputedStyle(e).display !== 'inline' && e.clientWidth > 0).map(e => e.tagName).join()`
			if s := browser.Eval[string](t, ctx, over); s != "" {
				t.Errorf("%s, %d: these overflow: %s", scheme, width, s)
			}
			browser.Picture(t, ctx, fmt.Sprintf("audit-%s-%d", scheme, width))
		}
	}
	dead := `[...document.querySelectorAll('a[href^="#"]')].filter(a => !document.querySelector(a.getAttribute('href'))).map(a => a.getAttribute('href')).join()`
	if s := browser.Eval[string](t, ctx, dead); s != "" {
		t.Errorf("these lead nowhere: %s", s)
	}
}

// A severity is taken out of the list by its button, and comes back.
func TestPageFilter(t *testing.T) {
	ctx := open(t)
	shown := `[...document.querySelectorAll('.finding')].filter(f => !f.hidden).length`
	if n := browser.Eval[int](t, ctx, shown); n != 5 {
		t.Fatalf("%d findings are shown", n)
	}
	for _, want := range []int{4, 5} {
		if err := chromedp.Do(ctx, chromedp.Click(`.filter button:nth-child(2)`)); err != nil {
			t.Fatal(err)
		}
		if n := browser.Eval[int](t, ctx, shown); n != want {
			t.Errorf("%d findings are shown, not %d", n, want)
		}
	}
}

// The page says what passed, in one line for each family, behind the findings.
func TestPageSaysWhatPassed(t *testing.T) {
	r, e := sample()
	var b strings.Builder
	if err := report.HTML(&b, r, &e); err != nil {
		t.Fatal(err)
	}
	page := b.String()
	last := strings.LastIndex(page, `<section class="finding"`)
	for _, want := range []string{"<dt>Challenge</dt><dd>status, ", "<dt>Refresh</dt><dd>", "asm.foreign</a> " + "http://127.0.0.1"} {
		if at := strings.Index(page, want); at < last {
			t.Errorf("%q stands at %d; the findings end behind %d", want, at, last)
		}
	}
	if got := strings.Count(page, "<dt>Challenge</dt>"); got != 1 {
		t.Errorf("%d lines for one family", got)
	}
}
