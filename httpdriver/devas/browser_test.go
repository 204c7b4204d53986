package devas_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"

	"github.com/stile-oauth/stile/httpdriver/devas"
	"github.com/stile-oauth/stile/testdata/browser"
)

// TestAPersonInARealBrowser goes through login and consent in Chromium: the
// policies of the pages must let the forms through, cookies included, and the
// redirect that follows them. It uses the keyboard alone, as some people do.
func TestAPersonInARealBrowser(t *testing.T) {
	ctx := browser.Start(t)
	s := newSite(t, func(a *devas.ASConfig, _ *devas.RSConfig) { a.AutoConsent = false })
	landed := make(chan url.Values, 1)
	ln := listen(t)
	serve(t, ln, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/callback" {
			http.NotFound(w, r)
			return
		}
		landed <- r.URL.Query()
		_, _ = w.Write([]byte("<title>landed</title>"))
	}))

	client := s.register("browser test")
	err := chromedp.Do(ctx,
		chromedp.Navigate(s.authorizeURL(client, "redirect_uri", "http://"+ln.Addr().String()+"/callback")),
		chromedp.WaitVisible(`input[name=username]`),
		chromedp.SendKeys(`input[name=username]`, devas.DemoUser),
		chromedp.SendKeys(`input[name=password]`, devas.DemoPassword+"\r"),
		chromedp.WaitVisible(`button[value=allow]`),
	)
	if err != nil {
		t.Fatal(err)
	}
	page, err := chromedp.Run(ctx, chromedp.Text(`body`))
	if err != nil {
		t.Fatal(err)
	}
	width := browser.Eval[string](t, ctx, `getComputedStyle(document.body).maxWidth`)
	if err := chromedp.Do(ctx, chromedp.SendKeys(`button[value=allow]`, "\r")); err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(page, "browser test") || !strings.Contains(page, ln.Addr().String()) {
		t.Errorf("the consent page says %q", page)
	}
	if width == "none" || width == "" {
		t.Errorf("the page's own style was not allowed: %q", width)
	}
	select {
	case q := <-landed:
		if q.Get("code") == "" || q.Get("state") != "st<&>" || q.Get("iss") != s.issuer {
			t.Errorf("the answer is %v", q)
		}
	case <-ctx.Done():
		t.Fatal("the browser did not come back")
	}
}
