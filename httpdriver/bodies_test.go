package httpdriver_test

import (
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"sync"
	"testing"
	"testing/synctest"

	"github.com/stile-oauth/stile/httpdriver"
)

// countdown is a body that must not be read after its end.
type countdown struct {
	t    *testing.T
	text string
	over bool
}

func (c *countdown) Read(p []byte) (int, error) {
	if c.over {
		c.t.Error("the body is read after its end")
	}
	n := copy(p, c.text)
	if c.text = c.text[n:]; c.text == "" {
		c.over = true
		return n, io.EOF
	}
	return n, nil
}

func (c *countdown) Close() error { return nil }

// TestBodiesAreReadOnce: the source of a body is not read after its end, and what belongs
// to an earlier sending of the request gets no part of it. One MiB is kept for that.
func TestBodiesAreReadOnce(t *testing.T) {
	w := newWorld(t)
	d := w.driver(t)
	w.call(t, w.client(t, d))
	for size, again := range map[int]bool{100: true, 1 << 20: true, 1<<20 + 1: false} {
		var first io.ReadCloser
		var got []int
		var mu sync.Mutex
		rt, err := d.Transport(w.account(), roundTrip(func(r *http.Request) (*http.Response, error) {
			mu.Lock()
			defer mu.Unlock()
			b, err := io.ReadAll(r.Body)
			if err != nil {
				t.Error(err)
			}
			if n, err := r.Body.Read(make([]byte, 1)); n != 0 || !errors.Is(err, io.EOF) {
				t.Errorf("after the end: %d %v", n, err)
			}
			rec := httptest.NewRecorder()
			if got = append(got, len(b)); first == nil {
				first = r.Body
				rec.Header().Set("WWW-Authenticate", `Bearer error="insufficient_scope", scope="admin"`)
				rec.WriteHeader(http.StatusForbidden)
			} else if n, err := first.Read(make([]byte, 1)); n != 0 || err == nil || errors.Is(err, io.EOF) {
				t.Errorf("the first body goes on: %d %v", n, err)
			}
			return rec.Result(), nil
		}))
		if err != nil {
			t.Fatal(err)
		}
		r, err := http.NewRequestWithContext(t.Context(), "POST", w.Server, &countdown{t: t, text: strings.Repeat("x", size)})
		if err != nil {
			t.Fatal(err)
		}
		resp, err := rt.RoundTrip(r)
		if err == nil {
			_ = resp.Body.Close()
		}
		if again != (err == nil) || !again && !errors.Is(err, httpdriver.ErrNotReplayable) || again && (len(got) != 2 || got[1] != size) {
			t.Errorf("%d bytes: sent %v, %v", size, got, err)
		}
		if err := d.Logout(t.Context(), w.account()); err != nil {
			t.Fatal(err)
		}
		w.call(t, w.client(t, d))
	}
}

// TestNoBody: a request that says that it has no body is sent without one.
func TestNoBody(t *testing.T) {
	w := newWorld(t)
	var sent io.ReadCloser
	rt, err := w.driver(t).Transport(w.account(), roundTrip(func(r *http.Request) (*http.Response, error) {
		sent = r.Body
		return httptest.NewRecorder().Result(), nil
	}))
	if err != nil {
		t.Fatal(err)
	}
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, w.Server, nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Body = http.NoBody
	resp, err := rt.RoundTrip(r)
	if err != nil {
		t.Fatal(err)
	}
	_ = resp.Body.Close()
	if sent != http.NoBody {
		t.Errorf("sent with %T", sent)
	}
}

// TestLongBodyIsNotKept: of a body that is too long to be sent again, nothing is kept.
func TestLongBodyIsNotKept(t *testing.T) {
	const size = 64 << 20
	w := newWorld(t)
	heap := func() uint64 {
		var m runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&m)
		return m.HeapAlloc
	}
	rt, err := w.driver(t).Transport(w.account(), roundTrip(func(r *http.Request) (*http.Response, error) {
		before := heap()
		n, err := io.Copy(io.Discard, r.Body)
		if after := heap(); n != size || err != nil || after > before+size/4 {
			t.Errorf("%d bytes, %v: the heap grew from %d to %d", n, err, before, after)
		}
		return httptest.NewRecorder().Result(), r.Body.Close()
	}))
	if err != nil {
		t.Fatal(err)
	}
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, w.Server, io.LimitReader(zeros{}, size))
	if err != nil {
		t.Fatal(err)
	}
	resp, err := rt.RoundTrip(r)
	if err != nil {
		t.Fatal(err)
	}
	_ = resp.Body.Close()
}

// TestBodyOfAnEarlierSending: reading the body of an earlier sending ends when the request is sent
// again, also while it waits for what a still earlier sending is reading.
func TestBodyOfAnEarlierSending(t *testing.T) {
	inBubble(t, func(t *testing.T, w *world) {
		d := w.driver(t)
		w.call(t, w.client(t, d))
		ends, sent := make(chan error, 2), 0
		rt, err := d.Transport(w.account(), roundTrip(func(r *http.Request) (*http.Response, error) {
			rec := httptest.NewRecorder()
			if sent++; sent == 3 {
				synctest.Wait()
				if len(ends) != 1 {
					t.Errorf("%d of the bodies were read to their end", len(ends))
				}
				return rec.Result(), r.Body.Close()
			}
			go func() {
				_, err := r.Body.Read(make([]byte, 1))
				ends <- err
			}()
			synctest.Wait()
			status, challenge := http.StatusUnauthorized, `Bearer error="invalid_token"`
			if sent == 2 {
				status, challenge = http.StatusForbidden, `Bearer error="insufficient_scope", scope="admin"`
			}
			rec.Header().Set("WWW-Authenticate", challenge)
			rec.WriteHeader(status)
			return rec.Result(), nil
		}))
		if err != nil {
			t.Fatal(err)
		}
		body, write := io.Pipe()
		r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, w.Server, body)
		if err != nil {
			t.Fatal(err)
		}
		resp, err := rt.RoundTrip(r)
		if err != nil {
			t.Fatal(err)
		}
		_ = resp.Body.Close()
		_ = write.Close()
		if err := <-ends; err == nil || errors.Is(err, io.EOF) {
			t.Errorf("the second body goes on: %v", err)
		}
	})
}
