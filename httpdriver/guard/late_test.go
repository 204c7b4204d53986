package guard_test

import (
	"bytes"
	"io"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"

	"github.com/stile-oauth/stile/httpdriver/guard"
	"github.com/stile-oauth/stile/states/wire"
)

// TestLate: a request that becomes too late between the decision to send it and
// the sending is not sent, whenever that is noticed, even on a connection that is
// open already.
func TestLate(t *testing.T) {
	var arrived atomic.Int64
	s := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		if b, err := io.ReadAll(r.Body); err == nil && len(b) > 0 {
			arrived.Add(1)
		}
	}))
	defer s.Close()
	g, err := guard.New(guard.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer g.CloseIdleConnections()
	var asked, from int64
	call := guard.Call{
		Request:  wire.Request{Method: http.MethodPost, URL: s.URL, Form: wire.Fields{{Name: "grant_type", Value: "refresh_token"}}},
		Loopback: true,
		Late:     func() bool { asked++; return asked >= from },
	}
	for _, open := range []bool{false, true} {
		for from = 1; ; from++ {
			asked = 0
			arrived.Store(0)
			if open { // one exchange before, so that a connection is kept
				before := call
				before.Late = nil
				if _, f := g.Do(t.Context(), before); f != nil {
					t.Fatal(f)
				}
				arrived.Store(0)
			}
			_, f := g.Do(t.Context(), call)
			if f == nil {
				if asked >= from {
					t.Errorf("sent, though it was said to be late the %dth time", from)
				}
				break
			}
			if f.Class != guard.ClassLate || f.Sent || arrived.Load() != 0 {
				t.Errorf("late the %dth time: %v, sent %v, %d arrived", from, f, f.Sent, arrived.Load())
			}
		}
		if from < 3 {
			t.Errorf("asked %d times only", from-1)
		}
	}
}

// TestLateIsAskedOnce: what has been written cannot be held back, so a long body is asked
// about as often as a short one.
func TestLateIsAskedOnce(t *testing.T) {
	s := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { _, _ = io.Copy(io.Discard, r.Body) }))
	defer s.Close()
	g := mustNew(t, guard.Options{})
	var asked [2]int
	for i, n := range []int{10, 1 << 20} {
		_, f := g.Do(t.Context(), guard.Call{
			Request:  wire.Request{Method: http.MethodPost, URL: s.URL, Body: bytes.Repeat([]byte("x"), n)},
			Loopback: true,
			Late:     func() bool { asked[i]++; return false },
		})
		if f != nil {
			t.Fatal(f)
		}
	}
	if asked[0] != asked[1] || asked[0] == 0 {
		t.Errorf("asked %d times about a short body, %d times about a long one", asked[0], asked[1])
	}
}
