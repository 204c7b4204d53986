package httpdriver_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/url"
	"strings"
	"sync/atomic"
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
	h := b.host().(httpdriver.Browser)
	h.Paste = func(context.Context) (string, error) {
		t.Error("the user was asked for the address although a browser was opened")
		return "", context.Canceled
	}
	d := w.driver(t, func(o *httpdriver.Options) { o.Host = h })
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

// TestPasteEnds: where nothing more can be read, pasting ends, and the listener continues.
func TestPasteEnds(t *testing.T) {
	w := newWorld(t)
	var reads atomic.Int32
	over := make(chan struct{}, 1)
	d := w.driver(t, func(o *httpdriver.Options) {
		o.Host = httpdriver.Browser{
			NoBrowser: true,
			Print: func(v httpdriver.Visit, _ bool) {
				go func() {
					<-over
					if location, err := follow(t.Context(), v); err == nil {
						visit(location)
					}
				}()
			},
			Paste: func(context.Context) (string, error) {
				reads.Add(1)
				select {
				case over <- struct{}{}:
				default:
				}
				return "", io.EOF
			},
		}
	})
	if err := d.Login(t.Context(), w.account()); err != nil || reads.Load() != 1 {
		t.Errorf("%v, read %d times", err, reads.Load())
	}
}

// TestBrowserDoesNotStart: where a link is printed, a browser that does not start is no end of
// the login: the user hears that none was opened, and pastes the answer.
func TestBrowserDoesNotStart(t *testing.T) {
	w := newWorld(t)
	b := newBrowser()
	h := b.host().(httpdriver.Browser)
	h.Open = func(context.Context, string) error { return errors.New("no display") }
	h.Print = func(v httpdriver.Visit, opened bool) {
		if opened {
			t.Error("it says that a browser was opened")
		}
		b.opened <- v.URL
	}
	d := w.driver(t, func(o *httpdriver.Options) { o.Host = h })
	done := make(chan error, 1)
	go func() { done <- d.Login(t.Context(), w.account()) }()
	var printed string
	select {
	case printed = <-b.opened:
	case err := <-done:
		t.Fatal(err)
	}
	location, err := follow(t.Context(), httpdriver.Visit{URL: printed})
	if err != nil {
		t.Fatal(err)
	}
	b.pasted <- location
	if err := <-done; err != nil {
		t.Fatal(err)
	}
}

// TestTheUsualHost: a host that configures none has the browser of this machine. Here there is
// none to start.
func TestTheUsualHost(t *testing.T) {
	t.Setenv("PATH", t.TempDir())
	t.Setenv("BROWSER", "")
	w := newWorld(t)
	d := w.driver(t, func(o *httpdriver.Options) { o.Host = nil })
	if err := d.Login(t.Context(), w.account()); err == nil || !strings.Contains(err.Error(), "the browser did not start") {
		t.Errorf("%v", err)
	}
}
