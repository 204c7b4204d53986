package httpdriver_test

import (
	"context"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/stile-oauth/stile/httpdriver"
)

// browser stands in for the system's: it tells where it was sent.
type browser struct {
	opened chan string
	pasted chan string
}

func newBrowser() *browser {
	return &browser{opened: make(chan string, 8), pasted: make(chan string, 8)}
}

func (b *browser) host() httpdriver.Host {
	return httpdriver.Browser{
		Open: func(_ context.Context, u string) error {
			b.opened <- u
			return nil
		},
		Paste: func(ctx context.Context) (string, error) {
			select {
			case raw := <-b.pasted:
				return raw, nil
			case <-ctx.Done():
				return "", ctx.Err()
			}
		},
	}
}

// get is a page that a user looks at.
func get(t *testing.T, address string) (int, string) {
	t.Helper()
	c := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	resp, err := c.Get(address)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	body, _ := io.ReadAll(resp.Body)
	return resp.StatusCode, string(body)
}

// TestBrowser: the callback arrives by HTTP; one with a wrong state is told so
// and leaves the login waiting; the right one gets a page that says how the
// login ended, after it has ended.
func TestBrowser(t *testing.T) {
	w := newWorld(t)
	b := newBrowser()
	d := w.driver(t, func(o *httpdriver.Options) { o.Host = b.host() })
	done := make(chan error, 1)
	go func() { done <- d.Login(t.Context(), w.account()) }()
	address := <-b.opened
	u, err := url.Parse(address)
	if err != nil {
		t.Fatal(err)
	}
	back := u.Query().Get("redirect_uri")
	if !strings.HasPrefix(back, "http://127.0.0.1:") {
		t.Errorf("redirect_uri %s", back)
	}

	_, page := get(t, back+"?code=stolen&state=somebody-elses&iss="+url.QueryEscape(w.ASURL))
	if !strings.Contains(page, "still waits") {
		t.Errorf("the page for a wrong state: %s", page)
	}
	if w.Tap.count("as", "/token") != 0 {
		t.Error("a code of a wrong state was exchanged")
	}
	select {
	case err := <-done:
		t.Fatalf("the login ended: %v", err)
	default:
	}

	location, err := follow(t.Context(), httpdriver.Visit{URL: address})
	if err != nil {
		t.Fatal(err)
	}
	status, page := get(t, location)
	if status != 200 || !strings.Contains(page, "You are logged in") {
		t.Errorf("%d %s", status, page)
	}
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	if len(b.opened) != 0 {
		t.Error("a second tab")
	}
	w.call(t, w.client(t, d))
}

// TestBackBeforeTheBrowserIsKnown: a program that was started and says nothing is waited
// for until the user is back, and no longer.
func TestBackBeforeTheBrowserIsKnown(t *testing.T) {
	w := newWorld(t)
	address, page := make(chan string, 1), make(chan string, 1)
	d := w.driver(t, func(o *httpdriver.Options) {
		o.Host = httpdriver.Browser{Open: func(ctx context.Context, u string) error {
			address <- u
			<-ctx.Done()
			return ctx.Err()
		}}
	})
	go func() {
		defer close(page)
		location, err := follow(t.Context(), httpdriver.Visit{URL: <-address})
		if err != nil {
			t.Error(err)
			return
		}
		_, text := get(t, location)
		page <- text
	}()
	if err := d.Login(t.Context(), w.account()); err != nil {
		t.Fatal(err)
	}
	if text := <-page; !strings.Contains(text, "You are logged in") {
		t.Errorf("the page: %s", text)
	}
	w.call(t, w.client(t, d))
}

// TestBrowserDenied: the page says that the login failed, and shows nothing of
// what a stranger wrote as markup.
func TestBrowserDenied(t *testing.T) {
	w := newWorld(t)
	b := newBrowser()
	d := w.driver(t, func(o *httpdriver.Options) { o.Host = b.host() })
	done := make(chan error, 1)
	go func() { done <- d.Login(t.Context(), w.account()) }()
	u, err := url.Parse(<-b.opened)
	if err != nil {
		t.Fatal(err)
	}
	q := url.Values{
		"error": {"access_denied"}, "error_description": {"<script>alert(1)</script>\x1b[2J"},
		"state": {u.Query().Get("state")}, "iss": {w.ASURL},
	}
	_, page := get(t, u.Query().Get("redirect_uri")+"?"+q.Encode())
	if !strings.Contains(page, "Access was denied") || strings.Contains(page, "<script>alert") || strings.Contains(page, "\x1b") {
		t.Errorf("%s", page)
	}
	if err := <-done; err == nil || strings.Contains(err.Error(), "\x1b") {
		t.Errorf("%q", err)
	}
}

// TestPaste: where the browser is on another machine, the user pastes the
// address that they were sent to; it races the listener for the same login.
func TestPaste(t *testing.T) {
	w := newWorld(t)
	b := newBrowser()
	h := b.host().(httpdriver.Browser)
	h.NoBrowser, h.Print = true, func(v httpdriver.Visit, _ bool) { b.opened <- v.URL }
	d := w.driver(t, func(o *httpdriver.Options) { o.Host = h })
	done := make(chan error, 1)
	go func() { done <- d.Login(t.Context(), w.account()) }()
	location, err := follow(t.Context(), httpdriver.Visit{URL: <-b.opened})
	if err != nil {
		t.Fatal(err)
	}
	b.pasted <- "this is not an address"
	b.pasted <- strings.Replace(location, "state=", "state=x", 1)
	b.pasted <- "  " + location + "\n"
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	w.call(t, w.client(t, d))
}

// refusedScope is the address of somebody whose request was refused for its scope.
func refusedScope(t *testing.T, w *world, authorize string) string {
	t.Helper()
	u, err := url.Parse(authorize)
	if err != nil {
		t.Fatal(err)
	}
	q := url.Values{"error": {"invalid_scope"}, "state": {u.Query().Get("state")}, "iss": {w.ASURL}}
	return u.Query().Get("redirect_uri") + "?" + q.Encode()
}

// TestSecondVisit: where a login asks the authorization server a second time, the
// page that the user came back to goes there: no second page is opened, and the page
// at the end says that they are logged in.
func TestSecondVisit(t *testing.T) {
	w := newWorld(t)
	b := newBrowser()
	d := w.driver(t, func(o *httpdriver.Options) { o.Host, o.Policy.Scopes = b.host(), []string{"admin"} })
	done := make(chan error, 1)
	go func() { done <- d.Login(t.Context(), w.account()) }()
	status, page := get(t, refusedScope(t, w, <-b.opened))
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	if status != http.StatusOK || !strings.Contains(page, "You are logged in") {
		t.Errorf("%d %s", status, page)
	}
	if len(b.opened) != 0 {
		t.Error("a second page was opened")
	}
}

// TestSecondVisitPasted: a pasted answer has no page that could go on, so that the
// browser is opened again.
func TestSecondVisitPasted(t *testing.T) {
	w := newWorld(t)
	b := newBrowser()
	h := b.host().(httpdriver.Browser)
	printed := make(chan string, 8)
	h.Print = func(v httpdriver.Visit, _ bool) { printed <- v.URL }
	h.RedirectURI = "https://elsewhere.example/callback"
	unwanted := make(chan error, 8)
	h.Unwanted = func(err error) { unwanted <- err }
	d := w.driver(t, func(o *httpdriver.Options) { o.Host, o.Policy.Scopes = h, []string{"admin"} })
	done := make(chan error, 1)
	go func() { done <- d.Login(t.Context(), w.account()) }()
	b.pasted <- "SplxlOBeZQQYbYS6WxSbIA"
	if err := <-unwanted; !strings.Contains(err.Error(), "begins with https://elsewhere.example/callback") {
		t.Error(err)
	}
	b.pasted <- refusedScope(t, w, <-b.opened)
	location, err := follow(t.Context(), httpdriver.Visit{URL: <-b.opened})
	if err != nil {
		t.Fatal(err)
	}
	b.pasted <- location
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	if len(printed) != 2 || len(b.opened) != 0 {
		t.Errorf("%d links were printed, %d pages opened beyond two", len(printed), len(b.opened))
	}
}

// TestSecondVisitForOtherReasons: it is the same when the issuer refuses the code,
// and when it wants its user to take part again.
func TestSecondVisitForOtherReasons(t *testing.T) {
	for reason, q := range map[string]url.Values{
		"the code is refused":  {"code": {"a-code-that-the-issuer-never-gave"}},
		"interaction_required": {"error": {"interaction_required"}},
	} {
		t.Run(reason, func(t *testing.T) {
			w := newWorld(t)
			b := newBrowser()
			d := w.driver(t, func(o *httpdriver.Options) { o.Host = b.host() })
			done := make(chan error, 1)
			go func() { done <- d.Login(t.Context(), w.account()) }()
			u, err := url.Parse(<-b.opened)
			if err != nil {
				t.Fatal(err)
			}
			q.Set("state", u.Query().Get("state"))
			q.Set("iss", w.ASURL)
			status, page := get(t, u.Query().Get("redirect_uri")+"?"+q.Encode())
			if err := <-done; err != nil {
				t.Fatal(err)
			}
			if status != http.StatusOK || !strings.Contains(page, "You are logged in") || len(b.opened) != 0 {
				t.Errorf("%d, %d pages opened beyond the first: %s", status, len(b.opened), page)
			}
		})
	}
}
