package report_test

import (
	"context"
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

	"github.com/stile-oauth/stile/fsm/audit"
	"github.com/stile-oauth/stile/httpdriver/auditor/report"
	"github.com/stile-oauth/stile/states/rules"
	"github.com/stile-oauth/stile/states/wire"
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

// open shows a report in a headless Chromium, and fails the test when the page
// asks the network for anything or complains.
func open(t *testing.T) context.Context {
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
	r, e := sample()
	file := filepath.Join(t.TempDir(), "audit.html")
	out, err := os.Create(file)
	if err != nil {
		t.Fatal(err)
	}
	if err := report.HTML(out, r, &e); err != nil {
		t.Fatal(err)
	}
	if err := out.Close(); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	t.Cleanup(cancel)
	ctx, cancel = chromedp.NewExecAllocator(ctx, append(chromedp.DefaultExecAllocatorOptions[:],
		chromedp.ExecPath(path), chromedp.NoSandbox, chromedp.DisableGPU, chromedp.Flag("disable-dev-shm-usage", true),
		chromedp.WindowSize(1280, 900), chromedp.UserDataDir(t.TempDir()))...)
	t.Cleanup(cancel)
	ctx, cancel = chromedp.NewContext(ctx)
	t.Cleanup(cancel)
	at := (&url.URL{Scheme: "file", Path: file}).String()
	err = chromedp.Listen(ctx, func(ev any) {
		switch ev := ev.(type) {
		case *network.EventRequestWillBeSent:
			if ev.Request.URL != at {
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
	if err := chromedp.Do(ctx, chromedp.Navigate(at), chromedp.WaitVisible("section.finding")); err != nil {
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

// wide makes the page so many pixels wide.
func wide(t *testing.T, ctx context.Context, width int64) {
	t.Helper()
	size := emulation.SetDeviceMetricsOverrideParams{Width: width, Height: 800, DeviceScaleFactor: 1, Mobile: width < 500}
	if _, err := chromedp.Call(ctx, emulation.SetDeviceMetricsOverride, size); err != nil {
		t.Fatal(err)
	}
}

// Nothing on the page is wider than the screen of a phone, in light and in dark,
// with all of the evidence open; and every reference on it leads somewhere.
func TestPageOnAPhone(t *testing.T) {
	ctx := open(t)
	eval[int](t, ctx, `document.querySelectorAll('details').forEach(d => d.open = true), 0`)
	for _, width := range []int64{375, 1200} {
		wide(t, ctx, width)
		for _, scheme := range []string{"light", "dark"} {
			media := emulation.SetEmulatedMediaParams{Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: scheme}}}
			if _, err := chromedp.Call(ctx, emulation.SetEmulatedMedia, media); err != nil {
				t.Fatal(err)
			}
			if w := eval[int64](t, ctx, `document.documentElement.scrollWidth`); w > width {
				t.Errorf("%s: %d pixels on a screen of %d", scheme, w, width)
			}
			over := `[...document.querySelectorAll('body *')].filter(e => e.scrollWidth > e.clientWidth + 1 && getComputedStyle(e).display !== 'inline' && e.clientWidth > 0).map(e => e.tagName).join()`
			if s := eval[string](t, ctx, over); s != "" {
				t.Errorf("%s, %d: these overflow: %s", scheme, width, s)
			}
			shot(t, ctx, scheme, width)
		}
	}
	dead := `[...document.querySelectorAll('a[href^="#"]')].filter(a => !document.querySelector(a.getAttribute('href'))).map(a => a.getAttribute('href')).join()`
	if s := eval[string](t, ctx, dead); s != "" {
		t.Errorf("these lead nowhere: %s", s)
	}
}

// shot keeps a picture where STILE_SCREENSHOTS names a directory.
func shot(t *testing.T, ctx context.Context, scheme string, width int64) {
	t.Helper()
	dir := os.Getenv("STILE_SCREENSHOTS")
	if dir == "" {
		return
	}
	got, err := chromedp.Run(ctx, chromedp.CaptureScreenshot())
	if err != nil {
		t.Fatal(err)
	}
	name := filepath.Join(dir, "audit-"+scheme+"-"+map[bool]string{true: "phone", false: "desktop"}[width < 500]+".png")
	if err := os.WriteFile(name, got, 0o600); err != nil {
		t.Fatal(err)
	}
}

// A severity is taken out of the list by its button, and comes back.
func TestPageFilter(t *testing.T) {
	ctx := open(t)
	shown := `[...document.querySelectorAll('.finding')].filter(f => !f.hidden).length`
	if n := eval[int](t, ctx, shown); n != 5 {
		t.Fatalf("%d findings are shown", n)
	}
	for _, want := range []int{4, 5} {
		if err := chromedp.Do(ctx, chromedp.Click(`.filter button:nth-child(2)`)); err != nil {
			t.Fatal(err)
		}
		if n := eval[int](t, ctx, shown); n != want {
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
