package httpdriver_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/stile-oauth/stile/httpdriver"
)

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
	refused := refusedScope(t, w, <-b.opened)
	b.pasted <- strings.Replace(refused, "state=", "state=x", 1) // the login still waits, and says nothing
	b.pasted <- refused
	location, err := follow(t.Context(), httpdriver.Visit{URL: <-b.opened})
	if err != nil {
		t.Fatal(err)
	}
	b.pasted <- location
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	if len(printed) != 2 || len(b.opened) != 0 || len(unwanted) != 0 {
		t.Errorf("%d links were printed, %d pages opened beyond two, told %d times", len(printed), len(b.opened), len(unwanted))
	}
}

// TestSecondVisitPrinted: where no browser is to be opened, a pasted answer does not open one
// either; the next link is printed.
func TestSecondVisitPrinted(t *testing.T) {
	w := newWorld(t)
	b := newBrowser()
	h := b.host().(httpdriver.Browser)
	printed := make(chan string, 8)
	h.NoBrowser, h.Print = true, func(v httpdriver.Visit, _ bool) { printed <- v.URL }
	d := w.driver(t, func(o *httpdriver.Options) { o.Host, o.Policy.Scopes = h, []string{"admin"} })
	done := make(chan error, 1)
	go func() { done <- d.Login(t.Context(), w.account()) }()
	b.pasted <- refusedScope(t, w, <-printed)
	location, err := follow(t.Context(), httpdriver.Visit{URL: <-printed})
	if err != nil {
		t.Fatal(err)
	}
	b.pasted <- location
	if err := <-done; err != nil || len(printed) != 0 || len(b.opened) != 0 {
		t.Errorf("%v, %d more links were printed, %d pages opened", err, len(printed), len(b.opened))
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

// TestVisitEndsWithTheRedirect: where the redirect does not come by the host, the host's visit ends
// nevertheless, before the login goes on.
func TestVisitEndsWithTheRedirect(t *testing.T) {
	h := newUser()
	w := newWorld(t, func(s setup) {
		s.Wrap["as"] = func(next http.Handler) http.Handler {
			return http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
				if r.URL.Path == "/token" {
					select {
					case <-h.left:
					case <-time.After(5 * time.Second):
						t.Error("the visit goes on")
					}
				}
				next.ServeHTTP(rw, r)
			})
		}
	})
	d := w.driver(t, h.host)
	done := make(chan error, 1)
	go func() { done <- d.Login(t.Context(), w.account()) }()
	raw, err := follow(t.Context(), <-h.sent)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := d.Redirected(t.Context(), raw, httpdriver.Owner{}); err != nil {
		t.Error(err)
	}
	if err := <-done; err != nil {
		t.Error(err)
	}
}
