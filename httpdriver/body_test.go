package httpdriver_test

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// elsewhereTransport sends what it is given to another server, by real HTTP.
type elsewhereTransport struct {
	to   *url.URL
	next http.RoundTripper
}

func (e elsewhereTransport) RoundTrip(r *http.Request) (*http.Response, error) {
	out, u := *r, *r.URL
	u.Scheme, u.Host = e.to.Scheme, e.to.Host
	out.URL = &u
	return e.next.RoundTrip(&out)
}

// streaming gives a transport with the token of a world, to a server of its own.
func streaming(t *testing.T, h http.HandlerFunc) (*world, http.RoundTripper) {
	t.Helper()
	w := newWorld(t)
	d := w.driver(t)
	w.call(t, w.client(t, d))
	s := httptest.NewServer(h)
	t.Cleanup(func() { s.CloseClientConnections(); s.Close() })
	to, err := url.Parse(s.URL)
	if err != nil {
		t.Fatal(err)
	}
	tr, err := d.Transport(w.account(), elsewhereTransport{to, &http.Transport{DisableKeepAlives: true}})
	if err != nil {
		t.Fatal(err)
	}
	return w, tr
}

// TestBodyStreams: a body without GetBody is sent as it comes: the server answers the
// first line before the second is written, and the trailer comes last.
func TestBodyStreams(t *testing.T) {
	trailer := make(chan string, 1)
	w, tr := streaming(t, func(rw http.ResponseWriter, r *http.Request) {
		rc := http.NewResponseController(rw)
		if err := rc.EnableFullDuplex(); err != nil {
			t.Error(err)
		}
		lines := bufio.NewScanner(r.Body)
		for lines.Scan() {
			_, _ = fmt.Fprintln(rw, "heard "+lines.Text())
			_ = rc.Flush()
		}
		trailer <- r.Trailer.Get("X-Sum")
	})
	body, write := io.Pipe()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, w.Server, body)
	if err != nil {
		t.Fatal(err)
	}
	req.Trailer = http.Header{"X-Sum": nil}
	go func() { _, _ = io.WriteString(write, "one\n") }()
	resp, err := tr.RoundTrip(req)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	heard := bufio.NewReader(resp.Body)
	for i, line := range []string{"one", "two", "three"} {
		if i > 0 {
			if _, err := io.WriteString(write, line+"\n"); err != nil {
				t.Fatal(err)
			}
		}
		if got, err := heard.ReadString('\n'); err != nil || got != "heard "+line+"\n" {
			t.Fatalf("%q %v", got, err)
		}
	}
	req.Trailer.Set("X-Sum", "3")
	_ = write.Close()
	if got := <-trailer; got != "3" {
		t.Errorf("the trailer is %q", got)
	}
}

// TestBodyRefusedEarly: a request that is refused before its body was written is sent
// again from the beginning, with what comes later.
func TestBodyRefusedEarly(t *testing.T) {
	var n atomic.Int64
	got := make(chan string, 1)
	refused := make(chan struct{})
	var w *world
	w, tr := streaming(t, func(rw http.ResponseWriter, r *http.Request) {
		if n.Add(1) == 1 {
			b := make([]byte, 4)
			_, _ = io.ReadFull(r.Body, b)
			rw.Header().Set("WWW-Authenticate", `Bearer error="invalid_token"`)
			rw.Header().Set("Connection", "close")
			rw.WriteHeader(http.StatusUnauthorized)
			_ = http.NewResponseController(rw).Flush()
			close(refused)
			return
		}
		b, _ := io.ReadAll(r.Body)
		got <- string(b)
	})
	body, write := io.Pipe()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, w.Server, body)
	if err != nil {
		t.Fatal(err)
	}
	go func() {
		_, _ = io.WriteString(write, "one ")
		<-refused
		_, _ = io.WriteString(write, "two ")
		_, _ = io.WriteString(write, "three")
		_ = write.Close()
	}()
	resp, err := tr.RoundTrip(req)
	if err != nil {
		t.Fatal(err)
	}
	_ = resp.Body.Close()
	if b := <-got; resp.StatusCode != http.StatusOK || b != "one two three" || n.Load() != 2 {
		t.Errorf("%d, %q in %d requests", resp.StatusCode, b, n.Load())
	}
	if _, err := write.Write([]byte("x")); !strings.Contains(fmt.Sprint(err), "closed") {
		t.Errorf("the body was left open: %v", err)
	}
}
