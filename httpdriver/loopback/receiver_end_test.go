package loopback_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"runtime"
	"strings"
	"testing"

	"github.com/stile-oauth/stile/httpdriver/loopback"
)

// A user who never gets a page: Close tells them, and nothing is left behind.
func TestCloseLeavesNothing(t *testing.T) {
	ctx := bounded(t)
	before := ours()
	for range 3 {
		r, err := loopback.Listen(loopback.Options{Host: "localhost"})
		if err != nil {
			t.Fatal(err)
		}
		idle, err := net.Dial("tcp", fmt.Sprintf("127.0.0.1:%d", r.Port())) // a browser's spare connection
		if err != nil {
			t.Fatal(err)
		}
		page := make(chan answer, 2)
		for range 2 {
			go func() {
				page <- fetch(ctx, "GET", fmt.Sprintf("http://127.0.0.1:%d/callback?code=c&state=s", r.Port()), fmt.Sprintf("localhost:%d", r.Port()))
			}()
		}
		if _, _, err := r.Wait(ctx); err != nil { // taken and never answered
			t.Fatal(err)
		}
		if _, _, err := r.Wait(ctx); err != nil {
			t.Fatal(err)
		}
		waiter := make(chan error, 1)
		go func() { _, _, err := r.Wait(ctx); waiter <- err }()
		if err := r.Close(); err != nil {
			t.Error(err)
		}
		for range 2 {
			if p := <-page; !strings.Contains(p.body, "This login is over") {
				t.Errorf("%+v", p)
			}
		}
		if err := <-waiter; !errors.Is(err, loopback.ErrClosed) {
			t.Error(err)
		}
		_ = idle.Close()
	}
	// Connections end just after Close; wait for that, however long it takes.
	for ours() > before {
		if ctx.Err() != nil {
			buf := make([]byte, 1<<16)
			t.Fatalf("goroutines left:\n%s", buf[:runtime.Stack(buf, true)])
		}
		runtime.Gosched()
	}
}

// ours counts the goroutines of servers and of this package.
func ours() int {
	buf := make([]byte, 1<<20)
	n := 0
	for _, g := range strings.Split(string(buf[:runtime.Stack(buf, true)]), "\n\n") {
		if strings.Contains(g, "net/http.(*Server)") || strings.Contains(g, "net/http.(*conn)") || strings.Contains(g, "loopback.(*Receiver)") {
			n++
		}
	}
	return n
}

func TestWaitEndsWithItsContext(t *testing.T) {
	r := listen(t, loopback.Options{})
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, _, err := r.Wait(ctx); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}

// TestNext: a browser is sent on to where the login continues.
func TestNext(t *testing.T) {
	ctx := bounded(t)
	r := listen(t, loopback.Options{})
	const next = "https://as.example/authorize?state=s2"
	got := make(chan *http.Response, 1)
	go func() {
		c := http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
		resp, err := c.Get(r.RedirectURI() + "?state=s&error=e")
		if err != nil {
			t.Error(err)
		}
		got <- resp
	}()
	_, reply, err := r.Wait(ctx)
	if err != nil || !reply(loopback.Page{Next: next, Title: "on"}) {
		t.Fatal(err)
	}
	resp := <-got
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusSeeOther || resp.Header.Get("Location") != next || resp.Header.Get("Referrer-Policy") != "no-referrer" || resp.Header.Get("Cache-Control") != "no-store" {
		t.Errorf("%s %v", resp.Status, resp.Header)
	}
}

// A flood fills the slots and no more; a paste still gets through.
func TestFlood(t *testing.T) {
	ctx := bounded(t)
	r := listen(t, loopback.Options{})
	out := make(chan answer, 20)
	for range 20 {
		go func() { out <- fetch(ctx, "GET", r.RedirectURI()+"?state=junk", "") }()
	}
	for range 12 { // eight are held
		if a := <-out; a.status != 503 {
			t.Fatalf("%+v", a)
		}
	}
	if err := r.Paste("?state=good"); err != nil {
		t.Fatal(err)
	}
	for {
		raw, reply, err := r.Wait(ctx)
		if err != nil {
			t.Fatal(err)
		}
		reply(loopback.Page{Title: "no"})
		if strings.HasSuffix(raw, "?state=good") {
			break
		}
	}
}

// An answer that nobody has taken when the receiver is closed is not given out later.
func TestNothingAfterClose(t *testing.T) {
	for range 30 {
		r := loopback.PasteOnly("https://host.example/cb")
		if err := r.Paste("?code=c"); err != nil {
			t.Fatal(err)
		}
		if err := r.Close(); err != nil {
			t.Fatal(err)
		}
		if raw, _, err := r.Wait(t.Context()); !errors.Is(err, loopback.ErrClosed) {
			t.Fatalf("%q, %v", raw, err)
		}
	}
}

// A request that comes while Close waits for a browser that reads slowly is turned away.
func TestRequestDuringClose(t *testing.T) {
	ctx := bounded(t)
	r := listen(t, loopback.Options{})
	dial := func() net.Conn {
		c, err := net.Dial("tcp", fmt.Sprintf("127.0.0.1:%d", r.Port()))
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = c.Close() })
		return c
	}
	ask := func(c net.Conn) {
		if _, err := fmt.Fprintf(c, "GET /callback?code=c HTTP/1.1\r\nHost: 127.0.0.1:%d\r\n\r\n", r.Port()); err != nil {
			t.Error(err)
		}
	}
	slow, late := dial(), dial()
	ask(slow)
	_, reply, err := r.Wait(ctx)
	if err != nil {
		t.Fatal(err)
	}
	reply(loopback.Page{OK: true, Message: strings.Repeat("x", 64<<20)}) // more than the system buffers
	closed := make(chan error, 1)
	go func() { closed <- r.Close() }()
	if _, _, err := r.Wait(ctx); !errors.Is(err, loopback.ErrClosed) {
		t.Fatal(err)
	}
	ask(late)
	resp, err := http.ReadResponse(bufio.NewReader(late), nil)
	if err != nil {
		t.Logf("it was cut off: %v", err) // where this took longer than Close waits
	} else {
		_ = resp.Body.Close()
		if resp.StatusCode != http.StatusServiceUnavailable {
			t.Errorf("a late request was answered with %s", resp.Status)
		}
	}
	_ = slow.Close()
	if err := <-closed; err != nil {
		t.Error(err)
	}
}
