package trace

import (
	"context"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
)

// browser starts a headless Chromium for one page, and fails the test when the
// page asks the network for anything or complains.
func browser(t *testing.T, page string) context.Context {
	t.Helper()
	path := ""
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome"} {
		if p, err := exec.LookPath(name); err == nil {
			path = p
			break
		}
	}
	if path == "" {
		if os.Getenv("CI") == "true" {
			t.Fatal("no Chromium: CI must have one")
		}
		t.Skip("SKIPPED: no Chromium on this machine, the page was not looked at")
	}
	file := filepath.Join(t.TempDir(), "trace.html")
	if err := os.WriteFile(file, []byte(page), 0o600); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	t.Cleanup(cancel)
	ctx, cancel = chromedp.NewExecAllocator(ctx, append(chromedp.DefaultExecAllocatorOptions[:],
		chromedp.ExecPath(path), chromedp.NoSandbox, chromedp.DisableGPU, chromedp.Flag("disable-dev-shm-usage", true),
		chromedp.WindowSize(1500, 950), chromedp.UserDataDir(t.TempDir()))...)
	t.Cleanup(cancel)
	ctx, cancel = chromedp.NewContext(ctx)
	t.Cleanup(cancel)
	err := chromedp.Listen(ctx, func(ev any) {
		switch ev := ev.(type) {
		case *network.EventRequestWillBeSent:
			if !strings.HasPrefix(ev.Request.URL, "file://") {
				t.Errorf("the page asked for %s", ev.Request.URL)
			}
		case *runtime.EventExceptionThrown:
			t.Errorf("the page's script failed: %s", ev.ExceptionDetails.Text)
		case *log.EventEntryAdded:
			t.Errorf("the page complained: %s", ev.Entry.Text)
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := chromedp.Call(ctx, network.Enable, network.EnableParams{}); err != nil {
		t.Fatal(err)
	}
	if _, err := chromedp.Call(ctx, log.Enable, cdp.Empty{}); err != nil {
		t.Fatal(err)
	}
	open := (&url.URL{Scheme: "file", Path: file}).String()
	if err := chromedp.Do(ctx, chromedp.Navigate(open), chromedp.WaitVisible("#details > section:not([hidden])")); err != nil {
		t.Fatal(err)
	}
	return ctx
}

func eval[T any](t *testing.T, ctx context.Context, js string) T {
	t.Helper()
	v, err := chromedp.Run(ctx, chromedp.Evaluate[T](js))
	if err != nil {
		t.Fatalf("%s: %v", js, err)
	}
	return v
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
	ctx := browser(t, HTML(tr))
	at := func() string { return eval[string](t, ctx, `document.getElementById('at').textContent`) }
	shownStep := `Array.from(document.querySelectorAll('#details > section')).filter(s => !s.hidden).map(s => s.id).join()`
	lit := `document.querySelectorAll('#map .state.lit').length`
	if s := eval[string](t, ctx, shownStep); s != "step-1" {
		t.Fatalf("shown at first: %s", s)
	}
	before := eval[int](t, ctx, lit)
	for range 6 {
		press(t, ctx, "j")
	}
	if s := eval[string](t, ctx, shownStep); s != "step-7" || !strings.HasPrefix(at(), "7 of ") {
		t.Errorf("after six steps: %s, %s", s, at())
	}
	if n := eval[int](t, ctx, lit); n <= before {
		t.Errorf("%d states lit, before %d", n, before)
	}
	if here := eval[string](t, ctx, `document.querySelector('#map .here').id`); here != "state-Finding-Client" {
		t.Errorf("here is %s", here)
	}
	if n := eval[int](t, ctx, `document.querySelectorAll('#map .now').length`); n != 1 {
		t.Errorf("%d edges are the current one", n)
	}
	if s := eval[string](t, ctx, `document.querySelector('#step-7').innerText`); !strings.Contains(s, "token_endpoint") || !strings.Contains(s, "asm-") {
		t.Errorf("step 7 shows %s", s)
	}
	press(t, ctx, kb.ArrowRight)
	press(t, ctx, kb.ArrowLeft)
	press(t, ctx, "k")
	if s := eval[string](t, ctx, shownStep); s != "step-6" {
		t.Errorf("one back: %s", s)
	}
	if err := chromedp.Do(ctx, chromedp.Click("#row-12 button")); err != nil {
		t.Fatal(err)
	}
	if s := eval[string](t, ctx, shownStep); s != "step-12" {
		t.Errorf("clicked: %s", s)
	}
	colours := map[string]string{}
	for _, scheme := range []string{"light", "dark"} {
		screenshot(t, ctx, "trace", scheme)
		colours[scheme] = eval[string](t, ctx, `getComputedStyle(document.body).backgroundColor`)
	}
	if colours["light"] == colours["dark"] {
		t.Errorf("one background for both: %v", colours)
	}
}

// screenshot shows the page to a reader who likes light or dark, and keeps a
// picture of it in STILE_SCREENSHOTS when that is set.
func screenshot(t *testing.T, ctx context.Context, name, scheme string) {
	t.Helper()
	like := emulation.SetEmulatedMediaParams{Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: scheme}}}
	if _, err := chromedp.Call(ctx, emulation.SetEmulatedMedia, like); err != nil {
		t.Fatal(err)
	}
	shot, err := chromedp.Run(ctx, chromedp.CaptureScreenshot())
	if err != nil {
		t.Fatal(err)
	}
	if dir := os.Getenv("STILE_SCREENSHOTS"); dir != "" {
		if err := os.WriteFile(filepath.Join(dir, name+"-"+scheme+".png"), shot, 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

// TestPageOpensAtTheRefusal: the page of a failure opens where it was refused.
func TestPageOpensAtTheRefusal(t *testing.T) {
	tr, _ := goldenTrace(t, "issuer-mismatch")
	refusals := Explain(tr).Refusals
	if len(refusals) == 0 {
		t.Fatal("nothing was refused")
	}
	ctx := browser(t, HTML(tr))
	want := fmt.Sprintf("step-%d", refusals[len(refusals)-1].Step)
	if s := eval[string](t, ctx, `Array.from(document.querySelectorAll('#details > section')).filter(s => !s.hidden).map(s => s.id).join()`); s != want {
		t.Errorf("shown at first: %s, not %s", s, want)
	}
	// What was refused, and what to do, is seen without a scroll.
	last := refusals[len(refusals)-1]
	block := eval[string](t, ctx, `document.querySelector('#`+want+` .refusal').innerText`)
	for _, s := range []string{last.Party, last.Detail, last.Rule, last.Clause, last.Bytes[len(last.Bytes)-1], last.Advice} {
		if s == "" || !strings.Contains(block, s) {
			t.Errorf("the refusal does not say %q:\n%s", s, block)
		}
	}
	if !eval[bool](t, ctx, `document.querySelector('#`+want+` .refusal').getBoundingClientRect().bottom <= document.getElementById('details').getBoundingClientRect().bottom`) {
		t.Error("the refusal is below the fold")
	}
	if n := eval[int](t, ctx, `document.querySelectorAll('#details .refusal').length`); n != len(refusals) {
		t.Errorf("%d blocks for %d refusals", n, len(refusals))
	}
	for _, scheme := range []string{"light", "dark"} {
		screenshot(t, ctx, "refused", scheme)
	}
}

// TestHostilePage opens a page whose trace tries to run a script.
func TestHostilePage(t *testing.T) {
	ctx := browser(t, HTML(hostile(t)))
	press(t, ctx, "j")
	if eval[bool](t, ctx, `window.pwned === 1 || document.querySelectorAll('img').length > 0 || document.scripts.length !== 1`) {
		t.Error("the trace reached the page's markup")
	}
}
