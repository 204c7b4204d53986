package httpdriver_test

import (
	"cmp"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/stile-oauth/stile/httpdriver"
)

// readTo sends a request without a body and reads the answer to its end.
func readTo(t *testing.T, rt http.RoundTripper, method, to string) error {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, to, nil)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := rt.RoundTrip(req)
	if err != nil {
		return err
	}
	_, err = io.Copy(io.Discard, resp.Body)
	_ = resp.Body.Close()
	return err
}

// TestFirstEvents: an address for messages counts if the first event with data names it, in
// the first 4,096 bytes of the answer to a GET, whatever the line ends are and however the
// bytes come. No stream does harm.
//
// Rules: bearer-bound-resource.
func TestFirstEvents(t *testing.T) {
	const named = "event: endpoint\ndata: /messages\n\n"
	long := func(n int) string { return ":" + strings.Repeat("x", n-len(named)-2) + "\n" + named }
	for name, c := range map[string]struct {
		stream, method, kind string
		status               int
		good                 bool
	}{
		"as long as it may be":    {stream: long(4096), good: true},
		"a byte longer":           {stream: long(4097)},
		"empty":                   {stream: ""},
		"carriage returns":        {stream: strings.ReplaceAll(named, "\n", "\r"), good: true},
		"with a byte order mark":  {stream: "\ufeff" + named, good: true},
		"a name without data":     {stream: "event: endpoint\n\ndata: /messages\n\n"},
		"an address that is none": {stream: "event: endpoint\ndata: http://[::1\n\n"},
		"the answer to a POST":    {stream: named, method: http.MethodPost},
		"an odd parameter":        {stream: named, kind: "text/event-stream; charset", good: true},
		"a part of an answer":     {stream: named, status: http.StatusPartialContent},
	} {
		for _, whole := range []bool{true, false} {
			w := newWorld(t)
			d := w.driver(t)
			w.call(t, w.client(t, d))
			rt, err := d.Transport(w.account(), roundTrip(func(r *http.Request) (*http.Response, error) {
				rec := httptest.NewRecorder()
				if r.URL.String() != w.Server {
					return rec.Result(), nil
				}
				rec.Header().Set("Content-Type", cmp.Or(c.kind, "text/event-stream"))
				rec.WriteHeader(cmp.Or(c.status, http.StatusOK))
				_, _ = rec.WriteString(c.stream)
				resp := rec.Result()
				if !whole {
					resp.Body = io.NopCloser(iotest.OneByteReader(resp.Body))
				}
				return resp, nil
			}))
			if err != nil {
				t.Fatal(err)
			}
			if err := readTo(t, rt, cmp.Or(c.method, http.MethodGet), w.Server); err != nil {
				t.Errorf("%s: %v", name, err)
			}
			err = readTo(t, rt, http.MethodPost, strings.TrimSuffix(w.Server, "/mcp")+"/messages")
			if c.good != (err == nil) || !c.good && !errors.Is(err, httpdriver.ErrOutside) {
				t.Errorf("%s, at once %v: %v", name, whole, err)
			}
		}
	}
}

// TestAddressesForMessages: of the addresses that streams have named the last 32 are known.
func TestAddressesForMessages(t *testing.T) {
	w := newWorld(t)
	d := w.driver(t)
	w.call(t, w.client(t, d))
	n := 0
	rt, err := d.Transport(w.account(), roundTrip(func(r *http.Request) (*http.Response, error) {
		rec := httptest.NewRecorder()
		if r.Method == http.MethodGet {
			n++
			rec.Header().Set("Content-Type", "text/event-stream; charset=utf-8")
			_, _ = rec.WriteString("event: endpoint\ndata: /messages/" + strconv.Itoa(n) + "\n\n")
		}
		return rec.Result(), nil
	}))
	if err != nil {
		t.Fatal(err)
	}
	for range 41 {
		if err := readTo(t, rt, "GET", w.Server); err != nil {
			t.Fatal(err)
		}
	}
	for i := 1; i <= 41; i++ {
		err := readTo(t, rt, "POST", strings.TrimSuffix(w.Server, "/mcp")+"/messages/"+strconv.Itoa(i))
		if known := i > 9; known != (err == nil) {
			t.Errorf("address %d: %v", i, err)
		}
	}
}
