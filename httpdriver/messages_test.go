package httpdriver_test

import (
	"cmp"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/stile-oauth/stile/httpdriver"
)

// A token goes to the address for messages that the server's own stream named in its
// first event, if it is of the server's origin, and to no other outside the resource.
//
// Rules: bearer-bound-resource.
func TestAddressForMessages(t *testing.T) {
	for _, x := range []struct{ name, stream, method, to string }{
		{"no stream", "event: endpoint\ndata: /messages?s=1\n\n", "POST", "/messages?s=1"},
		{"of no known type", "event: endpoint\ndata: /messages?s=1\n\n", "POST", "/messages?s=1"},
		{"beside the stream", "event: endpoint\ndata: /messages?s=1\n\n", "POST", "/messages?s=1"},
		{"other line ends", ": hello\r\n\r\nevent:endpoint\r\ndata:/messages?s=1\r\n\r\n", "POST", "/messages?s=1"},
		{"another query", "event: endpoint\ndata: /messages?s=1\n\n", "POST", "/messages?s=2"},
		{"below it", "event: endpoint\ndata: /messages\n\n", "POST", "/messages/all"},
		{"another method", "event: endpoint\ndata: /messages?s=1\n\n", "GET", "/messages?s=1"},
		{"climbing", "event: endpoint\ndata: /a/%2e%2e/messages\n\n", "POST", "/a/%2e%2e/messages"},
		{"another origin", "event: endpoint\ndata: http://localhost:1/messages\n\n", "POST", "http://localhost:1/messages"},
		{"not the first event", "event: message\ndata: {}\n\nevent: endpoint\ndata: /messages\n\n", "POST", "/messages"},
		{"another event", "event: message\ndata: /messages\n\n", "POST", "/messages"},
		{"an event without end", "event: endpoint\ndata: /messages\n", "POST", "/messages"},
		{"a long event", "event: endpoint\ndata: /messages?" + strings.Repeat("x", 5000) + "\n\n", "POST", "/messages"},
	} {
		t.Run(x.name, func(t *testing.T) {
			w := newWorld(t)
			d := w.driver(t)
			c := w.client(t, d)
			w.call(t, c) // logs in
			sent := 0
			rt, err := d.Transport(w.account(), roundTrip(func(r *http.Request) (*http.Response, error) {
				rec := httptest.NewRecorder()
				if r.Method == http.MethodGet && r.URL.String() == w.Server {
					rec.Header().Set("Content-Type", cmp.Or(map[string]string{"no stream": "text/plain", "of no known type": ";"}[x.name], "text/event-stream"))
					_, _ = rec.WriteString(x.stream)
				} else if sent++; r.Header.Get("Authorization") == "" {
					t.Error("a request without the token")
				}
				resp := rec.Result()
				resp.Body = io.NopCloser(iotest.OneByteReader(resp.Body))
				return resp, nil
			}))
			if err != nil {
				t.Fatal(err)
			}
			send := func(method, to string) error {
				r, err := http.NewRequestWithContext(t.Context(), method, w.Server, nil)
				if err != nil {
					t.Fatal(err)
				}
				if r.URL, err = r.URL.Parse(to); err != nil {
					t.Fatal(err)
				}
				resp, err := rt.RoundTrip(r)
				if err == nil {
					_, _ = io.Copy(io.Discard, resp.Body)
					_ = resp.Body.Close()
				}
				return err
			}
			if err := send(x.method, x.to); !errors.Is(err, httpdriver.ErrOutside) {
				t.Fatalf("before any stream: %v", err)
			}
			if err := send("GET", w.Server); err != nil {
				t.Fatal(err)
			}
			err = send(x.method, x.to)
			if good := x.name == "beside the stream" || x.name == "other line ends"; good != (err == nil) || good != (sent == 1) || !good && !errors.Is(err, httpdriver.ErrOutside) {
				t.Errorf("%v, %d sent", err, sent)
			}
		})
	}
}

type roundTrip func(*http.Request) (*http.Response, error)

func (f roundTrip) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }
