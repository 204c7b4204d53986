package loopback

import (
	"bufio"
	"bytes"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/stile-oauth/stile/states/wire"
)

const ours = "http://127.0.0.1:4711/callback"

// FuzzServe: of all that may be written to the port, only a GET of our path on
// our authority becomes a callback, and it is handed on as it came
// (authz-resp-redirect-exact, net-host-header-loopback).
func FuzzServe(f *testing.F) {
	const host = "Host: 127.0.0.1:4711\r\n"
	for _, s := range []string{
		"GET /callback?code=c&state=s&iss=https%3A%2F%2Fas.example HTTP/1.1\r\n" + host + "\r\n",
		"GET /callback?error=access_denied&state=s HTTP/1.1\r\n" + host + "Sec-Fetch-Mode: navigate\r\nSec-Fetch-Dest: document\r\n\r\n",
		"GET http://127.0.0.1:4711/callback?code=c HTTP/1.1\r\nHost: evil.example\r\n\r\n",
		"GET /callback?state=%zz&code HTTP/1.1\r\nHost: 127.0.0.1:4711\r\nPurpose: prefetch\r\n\r\n",
		"POST /callback HTTP/1.1\r\n" + host + "Content-Length: 6\r\n\r\ncode=c",
		"GET //callback?code=c HTTP/1.1\r\n" + host + "\r\n", "GET /%63allback?code=c HTTP/1.0\r\n" + host + "\r\n",
		"GET /callback?code=c HTTP/1.1\r\nHost: localhost:4711\r\nOrigin: https://evil.example\r\n\r\n",
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		q, err := http.ReadRequest(bufio.NewReader(bytes.NewReader(b)))
		if err != nil {
			return
		}
		r := newReceiver(ours, "127.0.0.1:4711", "/callback", nil)
		var got []string
		served := make(chan struct{})
		heard := make(chan struct{})
		go func() {
			defer close(heard)
			for {
				select {
				case o := <-r.offers:
					got = append(got, o.raw)
					o.reply <- Page{OK: true, Title: "<b>", Message: o.raw}
				case <-served:
					return
				}
			}
		}()
		w := httptest.NewRecorder()
		r.serve(w, q)
		close(served)
		<-heard
		if len(got) > 1 || len(got) == 1 && (q.Method != "GET" || !strings.EqualFold(q.Host, "127.0.0.1:4711") || got[0] != "http://127.0.0.1:4711"+q.RequestURI) {
			t.Fatalf("%s %s of %s: %q", q.Method, q.RequestURI, q.Host, got)
		}
		if len(got) == 1 {
			u, err := url.Parse(got[0])
			if err != nil || u.Path != "/callback" || u.Host != "127.0.0.1:4711" {
				t.Fatalf("%q is no callback of ours: %v", got[0], err)
			}
		}
		if (w.Code == 200 && q.Method != "HEAD") != (len(got) == 1) || w.Code < 200 || w.Code > 599 {
			t.Fatalf("status %d with %d callbacks", w.Code, len(got))
		}
		if strings.Contains(w.Body.String(), "<b>") {
			t.Fatalf("the page is not escaped:\n%s", w.Body)
		}
	})
}

// FuzzPaste: what a user pastes is handed on or refused; and a redirect URI
// that we would listen at is http on loopback.
func FuzzPaste(f *testing.F) {
	for _, s := range []string{ours + "?code=c&state=s", " '?code=c' ", "<" + ours + "?error=x>", "", "?", "http://127.0.0.1:0/cb", "http://[::1]:0/x?y", "http://localhost/", "https://127.0.0.1:0/", "http://127.0.0.1:0@evil.example/", "http://10:0/", "http://[::1%25a]:0/"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, raw string) {
		r := newReceiver(ours, "", "/callback", nil)
		if err := r.Paste(raw); err == nil {
			o := <-r.offers
			rest, query := strings.CutPrefix(o.raw, ours+"?")
			if o.reply != nil || o.raw == "" || !strings.Contains(raw, o.raw) && (!query || !strings.Contains(raw, "?"+rest)) {
				t.Fatalf("%q is handed on as %q", raw, o.raw)
			}
		} else if len(r.offers) > 0 {
			t.Fatal("refused and handed on")
		}
		u, fixed, err := target(Options{RedirectURI: raw})
		if err == nil && raw != "" && (!fixed || u.Scheme != "http" || !wire.IsLoopbackHTTP(onePort(raw)) || u.User != nil) {
			t.Fatalf("%q would be listened at: %s", raw, u)
		}
	})
}
