package trace

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"

	"github.com/stile-oauth/stile/testdata/browser"
)

// look opens the page of a trace.
func look(t *testing.T, page string) context.Context {
	t.Helper()
	return browser.Open(t, page, "#details > section:not([hidden])")
}

func press(t *testing.T, ctx context.Context, key string) {
	t.Helper()
	if err := chromedp.Do(ctx, chromedp.KeyEvent(key)); err != nil {
		t.Fatal(err)
	}
}

// TestPage walks through a trace by key: one step is shown at a time, the way
// so far is lit, and the colours follow the reader's preference.
func TestPage(t *testing.T) {
	tr, _ := goldenTrace(t, "step-up")
	ctx := look(t, HTML(tr))
	at := func() string { return browser.Eval[string](t, ctx, `document.getElementById('at').textContent`) }
	shownStep := `Array.from(document.querySelectorAll('#details > section')).filter(s => !s.hidden).map(s => s.id).join()`
	lit := `document.querySelectorAll('#map .state.lit').length`
	if s := browser.Eval[string](t, ctx, shownStep); s != "step-1" {
		t.Fatalf("shown at first: %s", s)
	}
	before := browser.Eval[int](t, ctx, lit)
	for range 6 {
		press(t, ctx, "j")
	}
	if s := browser.Eval[string](t, ctx, shownStep); s != "step-7" || !strings.HasPrefix(at(), "7 of ") {
		t.Errorf("after six steps: %s, %s", s, at())
	}
	if n := browser.Eval[int](t, ctx, lit); n <= before {
		t.Errorf("%d states lit, before %d", n, before)
	}
	if here := browser.Eval[string](t, ctx, `document.querySelector('#map .here').id`); here != "state-Finding-Client" {
		t.Errorf("here is %s", here)
	}
	if n := browser.Eval[int](t, ctx, `document.querySelectorAll('#map .now').length`); n != 1 {
		t.Errorf("%d edges are the current one", n)
	}
	if s := browser.Eval[string](t, ctx, `document.querySelector('#step-7').innerText`); !strings.Contains(s, "token_endpoint") || !strings.Contains(s, "asm-") {
		t.Errorf("step 7 shows %s", s)
	}
	press(t, ctx, kb.ArrowRight)
	press(t, ctx, kb.ArrowLeft)
	press(t, ctx, "k")
	if s := browser.Eval[string](t, ctx, shownStep); s != "step-6" {
		t.Errorf("one back: %s", s)
	}
	if err := chromedp.Do(ctx, chromedp.Click("#row-12 button")); err != nil {
		t.Fatal(err)
	}
	if s := browser.Eval[string](t, ctx, shownStep); s != "step-12" {
		t.Errorf("clicked: %s", s)
	}
	colours := map[string]string{}
	for _, scheme := range []string{"light", "dark"} {
		screenshot(t, ctx, "trace", scheme)
		colours[scheme] = browser.Eval[string](t, ctx, `getComputedStyle(document.body).backgroundColor`)
	}
	if colours["light"] == colours["dark"] {
		t.Errorf("one background for both: %v", colours)
	}
}

// screenshot shows the page to a reader who prefers light or dark, and keeps a picture.
func screenshot(t *testing.T, ctx context.Context, name, scheme string) {
	t.Helper()
	browser.Prefer(t, ctx, scheme)
	browser.Picture(t, ctx, name+"-"+scheme)
}

// TestPageOpensAtTheRefusal: the page of a failure opens where it was refused.
func TestPageOpensAtTheRefusal(t *testing.T) {
	tr, _ := goldenTrace(t, "issuer-mismatch")
	refusals := Explain(tr).Refusals
	if len(refusals) == 0 {
		t.Fatal("nothing was refused")
	}
	ctx := look(t, HTML(tr))
	want := fmt.Sprintf("step-%d", refusals[len(refusals)-1].Step)
	if s := browser.Eval[string](t, ctx, `Array.from(document.querySelectorAll('#details > section')).filter(s => !s.hidden).map(s => s.id).join()`); s != want {
		t.Errorf("shown at first: %s, not %s", s, want)
	}
	// What was refused, and what to do, is seen without a scroll.
	last := refusals[len(refusals)-1]
	block := browser.Eval[string](t, ctx, `document.querySelector('#`+want+` .refusal').innerText`)
	for _, s := range []string{last.culprit(), last.Detail, last.Rule, last.Clause, last.Bytes[len(last.Bytes)-1], last.Advice} {
		if s == "" || !strings.Contains(block, s) {
			t.Errorf("the refusal does not say %q:\n%s", s, block)
		}
	}
	if !browser.Eval[bool](t, ctx, `document.querySelector('#`+want+` .refusal').getBoundingClientRect().bottom <= document.getElementById('details').getBoundingClientRect().bottom`) {
		t.Error("the refusal is below the fold")
	}
	if n := browser.Eval[int](t, ctx, `document.querySelectorAll('#details .refusal').length`); n != len(refusals) {
		t.Errorf("%d blocks for %d refusals", n, len(refusals))
	}
	for _, scheme := range []string{"light", "dark"} {
		screenshot(t, ctx, "refused", scheme)
	}
}

// TestHostilePage opens a page whose trace tries to run a script.
func TestHostilePage(t *testing.T) {
	ctx := look(t, HTML(hostile(t)))
	press(t, ctx, "j")
	if browser.Eval[bool](t, ctx, `window.pwned === 1 || document.querySelectorAll('img').length > 0 || document.scripts.length !== 1`) {
		t.Error("the trace reached the page's markup")
	}
}
