package trace

import (
	"slices"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"

	"github.com/stile-oauth/stile/states"
	"github.com/stile-oauth/stile/testdata/browser"
)

// TestPageOnAPhone: the page of a failure begins with what happened between user,
// client, server and issuer; the message that failed is open and says whose fault
// it is; nothing is wider than the screen.
func TestPageOnAPhone(t *testing.T) {
	for _, name := range []string{"issuer-mismatch", "resource-mismatch", "denied", "step-up", "whole-life"} {
		t.Run(name, func(t *testing.T) {
			tr, _ := goldenTrace(t, name)
			ctx := look(t, HTML(tr))
			browser.Width(t, ctx, 375)
			if w := browser.Eval[int](t, ctx, `document.documentElement.scrollWidth`); w > 375 {
				t.Errorf("%d pixels wide", w)
			}
			if y := browser.Eval[int](t, ctx, `Math.round(window.scrollY)`); y != 0 {
				t.Errorf("the page opens %d pixels down", y)
			}
			if !browser.Eval[bool](t, ctx, `document.getElementById('conversation').getBoundingClientRect().top < document.getElementById('map').getBoundingClientRect().top`) {
				t.Error("the drawing comes first")
			}
			refusals := Explain(tr).Refusals
			open := browser.Eval[int](t, ctx, `document.querySelectorAll('#conversation details[open]').length`)
			if len(refusals) == 0 {
				if open != 0 {
					t.Errorf("%d messages are open, and none failed", open)
				}
			} else {
				last := refusals[len(refusals)-1]
				text := browser.Eval[string](t, ctx, `document.querySelector('#conversation details[open]').innerText`)
				for _, want := range []string{last.Detail, last.culprit(), last.Advice} {
					if !strings.Contains(text, want) {
						t.Errorf("the open message does not say %q: %s", want, text)
					}
				}
				if open != 1 {
					t.Errorf("%d messages are open", open)
				}
			}
			screenshot(t, ctx, "phone-"+name, "light")
			screenshot(t, ctx, "phone-"+name, "dark")
		})
	}
}

// Every message of the page leads to its step of the machine.
func TestMessagesLeadToTheirSteps(t *testing.T) {
	tr, _ := goldenTrace(t, "step-up")
	ctx := look(t, HTML(tr))
	if n := browser.Eval[int](t, ctx, `document.querySelectorAll('#conversation li').length`); n < 8 {
		t.Fatalf("%d messages", n)
	}
	if err := chromedp.Do(ctx, chromedp.Click(`#conversation li:nth-child(3) summary`), chromedp.Click(`#conversation li:nth-child(3) [data-step]`)); err != nil {
		t.Fatal(err)
	}
	want := "step-" + browser.Eval[string](t, ctx, `document.querySelector('#conversation li:nth-child(3) [data-step]').dataset.step`)
	if got := browser.Eval[string](t, ctx, `Array.from(document.querySelectorAll('#details > section')).filter(s => !s.hidden).map(s => s.id).join()`); got != want {
		t.Errorf("%s is shown, not %s", got, want)
	}
}

// What the page says needs no knowledge of the machine: no sentence names a state
// or an event, and every state that sends a request has words for it.
func TestConversation(t *testing.T) {
	for _, name := range []string{"cold-login", "step-up", "refresh", "logout", "legacy", "denied", "issuer-mismatch", "whole-life"} {
		tr, _ := goldenTrace(t, name)
		all := conversation(tr, Explain(tr).Refusals)
		if len(all) < 2 {
			t.Errorf("%s: %d messages", name, len(all))
		}
		for _, m := range all {
			if m.says == "" || !strings.HasSuffix(m.says, ".") || !strings.HasPrefix(m.says, "The ") {
				t.Errorf("%s, step %d: %q", name, m.step, m.says)
			}
			if m.request != nil && m.answer == "" {
				t.Errorf("%s, step %d: a request without an answer", name, m.step)
			}
		}
	}
	for state, says := range asks {
		if !strings.HasPrefix(says, "The client ") || !strings.HasSuffix(says, ".") {
			t.Errorf("%s: %q", state, says)
		}
	}
	tr, _ := goldenTrace(t, "issuer-mismatch")
	all := conversation(tr, Explain(tr).Refusals)
	if last := all[len(all)-1]; len(last.refused) != 1 || last.from != laneIssuer || last.to != laneClient {
		t.Errorf("the refusal is at %+v", last)
	}
}

// A user who takes their time is sent to the issuer once, however often the client looks
// around meanwhile.
func TestOneVisitIsToldOnce(t *testing.T) {
	tr, _ := goldenTrace(t, "cold-login")
	before, text := len(conversation(tr, nil)), Sequence(tr)
	for i := range tr.Steps {
		for _, e := range tr.Steps[i].Effects {
			if _, ok := e.(states.Visit); ok {
				look := tr.Steps[i]
				look.Input, look.From = states.Ticked{}, look.To
				tr.Steps = slices.Insert(tr.Steps, i+1, look, look)
			}
		}
		if len(conversation(tr, nil)) != before {
			t.Fatalf("%d messages, not %d", len(conversation(tr, nil)), before)
		}
	}
	if n := strings.Count(Sequence(tr), "M->>U: open"); n != strings.Count(text, "M->>U: open") {
		t.Errorf("the user is sent %d times", n)
	}
}
