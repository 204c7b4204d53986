package main

import (
	"context"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"

	"github.com/stile-oauth/stile/httpdriver/devas"
	"github.com/stile-oauth/stile/states"
	"github.com/stile-oauth/stile/testdata/browser"
)

// pageSays waits until the page says so.
func pageSays(t *testing.T, ctx context.Context, js string) {
	t.Helper()
	for !browser.Eval[bool](t, ctx, js) {
		select {
		case <-ctx.Done():
			t.Fatalf("the page never said %s: %s", js, browser.Eval[string](t, ctx, `document.body.innerText`))
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// spectator is a user who watches their login: the first address is that of the
// page, which is opened in the browser; the second that of the login.
func spectator(t *testing.T, ctx context.Context, during func(address string)) func(context.Context, string) error {
	pages := 0
	return func(c context.Context, address string) error {
		if pages++; pages == 1 {
			return chromedp.Do(ctx, chromedp.Navigate(address))
		}
		during(address)
		return followAll(c, address)
	}
}

// A login with --watch is seen while it is under way: the page shows what was said
// so far when the user is sent to the issuer, grows, keeps what the reader
// opened, and stays when the command has ended. It has no secret.
func TestWatch(t *testing.T) {
	ctx := browser.Start(t)
	_, server := peers(t, nil, nil)
	c := newCLI(t)
	var secrets []string
	messages := 0
	c.browse = spectator(t, ctx, func(address string) {
		u, err := url.Parse(address)
		if err != nil {
			t.Error(err)
			return
		}
		secrets = append(secrets, u.Query().Get("state"), u.Query().Get("code_challenge"))
		pageSays(t, ctx, `document.querySelectorAll('#conversation li').length > 0 && document.querySelector('#conversation').innerText.includes('sends the user to the issuer')`)
		messages = browser.Eval[int](t, ctx, `document.querySelectorAll('#conversation li').length`)
		browser.Eval[bool](t, ctx, `document.querySelector('#conversation li details').open = true`)
		if now := browser.Eval[string](t, ctx, `document.querySelector('.outcome').textContent`); now != "Now: "+states.Describe(states.Authorizing) {
			t.Errorf("the page says %q", now)
		}
		browser.Picture(t, ctx, "watch-under-way")
	})
	r := c.ok("login", server, "--watch")
	contains(t, r.err, "Watch the login at http://127.0.0.1:")
	pageSays(t, ctx, `document.getElementById('live-status').textContent === 'The command is done.'`)
	if n := browser.Eval[int](t, ctx, `document.querySelectorAll('#conversation li').length`); messages < 3 || n <= messages {
		t.Errorf("%d messages when the user was asked, %d at the end", messages, n)
	}
	if !browser.Eval[bool](t, ctx, `document.querySelector('#conversation li details').open`) {
		t.Error("what the reader had opened was closed")
	}
	if at := browser.Eval[string](t, ctx, `document.getElementById('at').textContent`); !strings.HasPrefix(at, strings.Fields(at)[2]+" of ") {
		t.Errorf("the newest step is not shown: %s", at)
	}
	secrets = append(secrets, strings.TrimSpace(c.ok("token", server).out))
	source := browser.Eval[string](t, ctx, `document.documentElement.outerHTML`)
	for _, s := range secrets {
		if s == "" || strings.Contains(source, s) {
			t.Errorf("%q is in the page, or is not known", s)
		}
	}
	browser.Picture(t, ctx, "watch-done")
	browser.Width(t, ctx, 375)
	if w := browser.Eval[int](t, ctx, `document.documentElement.scrollWidth`); w > 375 {
		t.Errorf("%d pixels wide on a phone", w)
	}
	browser.Picture(t, ctx, "watch-phone")
}

// A login that fails leaves the page with the message that failed open.
func TestWatchAFailure(t *testing.T) {
	ctx := browser.Start(t)
	_, server := peers(t, func(c *devas.ASConfig) { c.Faults = []string{"asm-issuer-mismatch"} }, nil)
	c := newCLI(t)
	c.browse = spectator(t, ctx, func(string) { t.Error("the user was sent to the wrong issuer") })
	c.exit(exitPeer, "login", server, "--watch")
	pageSays(t, ctx, `document.getElementById('live-status').textContent.startsWith('The command failed: ')`)
	if text := browser.Eval[string](t, ctx, `document.querySelector('#conversation details[open]').innerText`); !strings.Contains(text, "asm-issuer-match") {
		t.Errorf("the open message does not say what failed: %s", text)
	}
	browser.Picture(t, ctx, "watch-failed")
}

// A page of another site reads nothing, also through a name that points here.
func TestWatchIsForItsPage(t *testing.T) {
	h := only("127.0.0.1:1234", http.NotFoundHandler())
	for name, change := range map[string]func(*http.Request){
		"another host":      func(r *http.Request) { r.Host = "rebound.example:1234" },
		"another site":      func(r *http.Request) { r.Header.Set("Sec-Fetch-Site", "cross-site") },
		"another port here": func(r *http.Request) { r.Header.Set("Sec-Fetch-Site", "same-site") },
	} {
		r := httptest.NewRequest(http.MethodGet, "http://127.0.0.1:1234/events", nil)
		change(r)
		w := httptest.NewRecorder()
		if h.ServeHTTP(w, r); w.Code != http.StatusForbidden {
			t.Errorf("%s: status %d", name, w.Code)
		}
	}
	w := httptest.NewRecorder()
	if h.ServeHTTP(w, httptest.NewRequest(http.MethodGet, "http://127.0.0.1:1234/", nil)); w.Code != http.StatusNotFound || w.Header().Get("Cache-Control") != "no-store" {
		t.Errorf("the page itself: %d %v", w.Code, w.Header())
	}
}
