package guard_test

import (
	"bufio"
	"context"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stile-oauth/stile/httpdriver/guard"
	"github.com/stile-oauth/stile/states/wire"
)

// TestClientHops: the client follows three redirects, and takes the fourth as
// the answer; after a POST it follows none. It forwards neither the caller's
// Authorization nor a Referer.
func TestClientHops(t *testing.T) {
	var seen []string
	s, tr := server(t, func(w http.ResponseWriter, r *http.Request) {
		seen = append(seen, r.URL.Path+r.Header.Get("Authorization")+r.Header.Get("Referer"))
		n, _ := strconv.Atoi(strings.TrimPrefix(r.URL.Path, "/"))
		if n > 0 {
			http.Redirect(w, r, "/"+strconv.Itoa(n-1), http.StatusTemporaryRedirect)
		}
	})
	hc := mustNew(t, guard.Options{Transport: tr, AllowLoopbackHTTP: true}).Client()
	for _, c := range []struct {
		method, path, seen string
		status             int
	}{
		{"GET", "/3", "/3Bearer x /2 /1 /0", 200},
		{"HEAD", "/3", "/3Bearer x /2 /1 /0", 200},
		{"GET", "/4", "/4Bearer x /3 /2 /1", 307},
		{"POST", "/1", "/1Bearer x", 307},
		{"PUT", "/1", "/1Bearer x", 307},
	} {
		seen = nil
		r, err := http.NewRequest(c.method, s.URL+c.path, nil)
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Authorization", "Bearer x")
		resp, err := hc.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		_ = resp.Body.Close()
		if got := strings.Join(seen, " "); got != c.seen || resp.StatusCode != c.status {
			t.Errorf("%s %s: %q, %d", c.method, c.path, got, resp.StatusCode)
		}
	}
}

// TestCredentialsStayAtTheFirstHop: a field whose name says that it carries a credential
// does not follow a redirect either, even when nobody marked it as secret.
func TestCredentialsStayAtTheFirstHop(t *testing.T) {
	names := []string{"Authorization", "Proxy-Authorization", "DPoP"}
	var second http.Header
	s, tr := server(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/" {
			http.Redirect(w, r, "/next", http.StatusFound)
			return
		}
		second = r.Header.Clone()
	})
	g := mustNew(t, guard.Options{Transport: tr, AllowLoopbackHTTP: true})
	c := get(s.URL + "/")
	for _, n := range append(names, "X-Plain") {
		c.Request.Header = append(c.Request.Header, wire.Field{Name: n, Value: "value"})
	}
	if resp, f := g.Do(context.Background(), c); f != nil || resp.Status != 200 {
		t.Fatal(resp, f)
	}
	for _, n := range names {
		if second.Get(n) != "" {
			t.Errorf("%s followed the redirect", n)
		}
	}
	if second.Get("X-Plain") != "value" {
		t.Error("a field that is no credential was lost")
	}
}

// TestSentTwice: a request that had reached a server, and was repeated by the
// transport without success, counts as sent: the first attempt may have been
// carried out. One that reached nobody at any attempt does not.
func TestSentTwice(t *testing.T) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	arrived := make(chan struct{})
	go func() {
		defer close(arrived)
		c, err := ln.Accept()
		if err != nil {
			return
		}
		defer func() { _ = c.Close() }()
		in := bufio.NewReader(c)
		if _, err := http.ReadRequest(in); err != nil {
			return
		}
		_, _ = io.WriteString(c, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
		// The second request on the connection is read; then the server is gone.
		if _, err := http.ReadRequest(in); err == nil {
			_ = ln.Close()
		}
	}()
	g := mustNew(t, guard.Options{Transport: &http.Transport{}, AllowLoopbackHTTP: true})
	call := get("http://" + ln.Addr().String() + "/")
	if resp, f := g.Do(context.Background(), call); f != nil || resp.Status != 200 {
		t.Fatal(resp, f)
	}
	_, f := g.Do(context.Background(), call)
	<-arrived
	if f == nil || !f.Sent {
		t.Errorf("after two attempts of which the first arrived: %+v", f)
	}
	_, f = g.Do(context.Background(), call)
	if f == nil || f.Sent {
		t.Errorf("with nobody there: %+v", f)
	}
}

// TestTotalTime: redirects share one time limit, and a call that sets none has one
// nevertheless.
func TestTotalTime(t *testing.T) {
	s, tr := server(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/last" {
			<-r.Context().Done()
			return
		}
		http.Redirect(w, r, "/last", http.StatusFound)
	})
	g := mustNew(t, guard.Options{Transport: tr, AllowLoopbackHTTP: true})
	c := get(s.URL + "/")
	c.Timeout = 500 * time.Millisecond
	if _, f := g.Do(context.Background(), c); f == nil || f.Class != guard.ClassTimeout || !f.Sent {
		t.Errorf("%+v", f)
	}
	c.Timeout, c.Until = time.Hour, time.Now().Add(500*time.Millisecond)
	if _, f := g.Do(context.Background(), c); f == nil || f.Class != guard.ClassTimeout || !f.Sent {
		t.Errorf("until: %+v", f)
	}
	if g.Client().Timeout != 15*time.Second {
		t.Errorf("the client's time is %v", g.Client().Timeout)
	}
}
