package httpdriver_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stile-oauth/stile/httpdriver"
	"github.com/stile-oauth/stile/states"
)

// TestUnusableServer: whatever a host wants of an account, it hears that the server's address
// cannot be used; a driver and a client document that cannot be made say why.
func TestUnusableServer(t *testing.T) {
	d, ctx, a := newWorld(t).driver(t), t.Context(), httpdriver.Account{Server: "ftp://mcp.example/"}
	for name, use := range map[string]func() error{
		"Client":           func() error { _, err := d.Client(a); return err },
		"Transport":        func() error { _, err := d.Transport(a, nil); return err },
		"Handler":          func() error { _, err := d.Handler(a); return err },
		"Token":            func() error { _, err := d.Token(ctx, a); return err },
		"TokenSource":      func() error { _, err := d.TokenSource(ctx, a); return err },
		"LoginTokenSource": func() error { _, err := d.LoginTokenSource(ctx, a); return err },
		"Status":           func() error { _, err := d.Status(ctx, a); return err },
		"Login":            func() error { return d.Login(ctx, a) },
		"Logout":           func() error { return d.Logout(ctx, a) },
		"Challenge":        func() error { return d.Challenge(ctx, a, refusal()) },
	} {
		if f, ok := asField(use()); !ok || f.Field != "Server" {
			t.Errorf("%s: %v", name, use())
		}
	}
	if _, err := httpdriver.New(httpdriver.Options{AllowPrivate: []string{"10.0.0.0/99"}}); err == nil || !strings.Contains(err.Error(), "10.0.0.0/99") {
		t.Errorf("a network that is none: %v", err)
	}
	p := httpdriver.Policy{CIMD: "https://app.example/client.json", Redirects: []string{"http://elsewhere.example/callback"}}
	if f, ok := asField(func() error { _, err := p.ClientDocument(); return err }()); !ok || f.Field != "Redirects" {
		t.Errorf("a document with a redirect URI that nobody may use: %+v", f)
	}
}

// TestLateRefusalThroughTheHandler: a transport that asks the Handler about the refusal of an
// older token may send the request again with the newer one; nothing is asked for that.
func TestLateRefusalThroughTheHandler(t *testing.T) {
	w := newWorld(t)
	d := w.driver(t)
	c := w.client(t, d)
	w.call(t, c)
	old, err := d.Token(t.Context(), w.account())
	if err != nil {
		t.Fatal(err)
	}
	w.Clock.forward(2 * time.Hour)
	w.call(t, c)
	h, err := d.Handler(w.account())
	if err != nil {
		t.Fatal(err)
	}
	w.Tap.reset()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, w.Server, nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+old.AccessToken)
	closed := false
	resp := refusal()
	resp.Body = closes{strings.NewReader(""), &closed}
	if err := h.Authorize(t.Context(), req, resp); err != nil || !closed {
		t.Errorf("%v, body closed: %v", err, closed)
	}
	w.exactly(t, 0)
	w.Clock.forward(2 * time.Hour) // the newer one is over as well
	if err := h.Authorize(t.Context(), req, refusal()); err != nil || w.Tap.grants("refresh_token") != 1 {
		t.Errorf("%v, %d refreshes", err, w.Tap.grants("refresh_token"))
	}
}

// slowBody is a body that gives its text when it is opened.
type slowBody struct {
	io.Reader
	open chan struct{}
}

func (s slowBody) Read(p []byte) (int, error) {
	<-s.open
	return s.Reader.Read(p)
}

func (slowBody) Close() error { return nil }

// post sends the body and closes the answer.
func (s slowBody) post(t *testing.T, rt http.RoundTripper, to string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, to, s)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := rt.RoundTrip(req)
	if err != nil {
		t.Fatal(err)
	}
	_ = resp.Body.Close()
}

// TestBodyThatIsStillRead: a server may refuse a request before the body has come. What the
// first attempt still reads is sent with the second one, whole.
func TestBodyThatIsStillRead(t *testing.T) {
	inBubble(t, func(t *testing.T, w *world) {
		d := w.driver(t)
		w.call(t, w.client(t, d))
		open := make(chan struct{})
		var second atomic.Pointer[string]
		n := 0
		rt, err := d.Transport(w.account(), roundTrip(func(r *http.Request) (*http.Response, error) {
			rec := httptest.NewRecorder()
			if n++; n == 1 {
				go func() { _, _ = io.Copy(io.Discard, r.Body) }()
				synctest.Wait()
				rec.Header().Set("WWW-Authenticate", `Bearer error="invalid_token"`)
				rec.WriteHeader(http.StatusUnauthorized)
			} else {
				done := make(chan struct{})
				go func() {
					b, _ := io.ReadAll(r.Body)
					text := string(b)
					second.Store(&text)
					close(done)
				}()
				synctest.Wait()
				if second.Load() != nil {
					t.Error("the second attempt did not wait")
				}
				close(open)
				<-done
			}
			return rec.Result(), nil
		}))
		if err != nil {
			t.Fatal(err)
		}
		text := strings.Repeat("a body of some length. ", 100)
		slowBody{strings.NewReader(text), open}.post(t, rt, w.Server)
		synctest.Wait()
		if got := second.Load(); got == nil || *got != text {
			t.Errorf("the second attempt got another body: %v", got)
		}
	})
}

// TestHostsWithoutABrowser: a host of one's own that is built on Web cannot send users
// anywhere, and a login through it says so at once.
func TestHostsWithoutABrowser(t *testing.T) {
	w := newWorld(t)
	d := w.driver(t, func(o *httpdriver.Options) {
		o.Host = struct{ httpdriver.Host }{httpdriver.Web("http://127.0.0.1/callback")}
	})
	if err := d.Login(t.Context(), w.account()); err == nil || !strings.Contains(err.Error(), "a web host opens no browser") {
		t.Errorf("%v", err)
	}
}

// TestIPv6Redirect: a client whose redirect URI is on the IPv6 loopback listens there. On a computer
// that has no IPv6 loopback, the error names the address, and no other one is taken.
func TestIPv6Redirect(t *testing.T) {
	l, err := httpdriver.Browser{}.Bind(t.Context(), []string{"http://[::1]/callback"})
	if err != nil {
		probe, missing := net.Listen("tcp", "[::1]:0")
		if missing == nil {
			_ = probe.Close()
			t.Fatal(err)
		}
		t.Logf("THERE IS NO IPv6 LOOPBACK HERE; only the error is tested: %v", missing)
		if !strings.Contains(err.Error(), "no port can be bound on ::1") {
			t.Error(err)
		}
		return
	}
	defer func() { _ = l.Close() }()
	if uri := l.RedirectURI(); !strings.HasPrefix(uri, "http://[::1]:") || !strings.HasSuffix(uri, "/callback") {
		t.Errorf("it listens at %s", uri)
	}
}

// TestPasteAfterTheEnd: what a user pastes after the login is over is dropped: they are not
// told that it was wrong, and nothing is read any more.
func TestPasteAfterTheEnd(t *testing.T) {
	w := newWorld(t)
	over, pasted := make(chan struct{}), make(chan struct{})
	var reads, unwanted atomic.Int32
	d := w.driver(t, func(o *httpdriver.Options) {
		o.Host = httpdriver.Browser{
			NoBrowser: true,
			Print: func(v httpdriver.Visit, _ bool) {
				go func() {
					if location, err := follow(context.Background(), v); err == nil {
						visit(location)
					}
				}()
			},
			Paste: func(context.Context) (string, error) { // heeds no context
				if reads.Add(1) > 1 {
					return "", errors.New("once is enough")
				}
				defer close(pasted)
				<-over
				return "nonsense", nil
			},
			Unwanted: func(error) { unwanted.Add(1) },
		}
	})
	if err := d.Login(t.Context(), w.account()); err != nil {
		t.Fatal(err)
	}
	if err := d.Close(); err != nil {
		t.Fatal(err)
	}
	close(over)
	<-pasted
	until(t, "pasting ends", func() bool { return goroutines("browserListener).pasted") == 0 })
	if reads.Load() != 1 || unwanted.Load() != 0 {
		t.Errorf("read %d times, told %d times", reads.Load(), unwanted.Load())
	}
}

// TestCodeThatNobodyShows: a login at another device whose code is shown to nobody is a mistake
// of the host, and the log says which; a host that gives links shows it by itself.
func TestCodeThatNobodyShows(t *testing.T) {
	for name, c := range map[string]struct {
		change func(*httpdriver.Options)
		told   bool
	}{
		"neither": {func(*httpdriver.Options) {}, true},
		"Show":    {func(o *httpdriver.Options) { o.Show = func(httpdriver.Account, states.Show) {} }, false},
		"Web":     {web, false},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, quickPolls)
			var b bytes.Buffer
			d := w.driver(t, func(o *httpdriver.Options) {
				o.Policy.Grant, o.Logger = states.DeviceGrant, slog.New(slog.NewTextHandler(&b, nil))
			}, c.change)
			_ = d.Login(t.Context(), w.account())
			if err := d.Close(); err != nil {
				t.Error(err)
			}
			if told := strings.Contains(b.String(), "Options.Show is not set"); told != c.told {
				t.Errorf("the log:\n%s", b.String())
			}
		})
	}
}
