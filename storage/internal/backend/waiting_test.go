package backend_test

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stile-oauth/stile/storage/internal/backend"
)

// Slots are given in order, urgent calls first; a caller that leaves takes none along.
func TestSlots(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := backend.NewSlots(1)
		give, err := s.Take(t.Context(), false)
		if err != nil {
			t.Fatal(err)
		}
		var order []string
		wait := func(ctx context.Context, name string, urgent bool) {
			go func() {
				done, err := s.Take(ctx, urgent)
				if err != nil {
					if !errors.Is(err, context.Canceled) {
						t.Errorf("%s: %v", name, err)
					}
					return
				}
				order = append(order, name)
				time.Sleep(time.Second)
				done()
			}()
			synctest.Wait()
		}
		leaving, leave := context.WithCancel(t.Context())
		wait(t.Context(), "first", false)
		wait(leaving, "who leaves", true)
		wait(t.Context(), "second", false)
		wait(t.Context(), "urgent", true)
		leave()
		synctest.Wait()
		give()
		give() // once is enough
		time.Sleep(10 * time.Second)
		synctest.Wait()
		if len(order) != 3 || order[0] != "urgent" || order[1] != "first" || order[2] != "second" {
			t.Errorf("the order was %v", order)
		}
		if give, err = s.Take(t.Context(), false); err != nil {
			t.Fatal(err)
		}
		ended, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if _, err := s.Take(ended, true); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("there is one slot: %v", err)
		}
		give()
	})
}

// What a watch is told of: a change of what is watched, and anything when a
// connection that tells was made anew.
func TestWatchers(t *testing.T) {
	var w backend.Watchers
	a, stopA := w.Add("a")
	b, stopB := w.Add("b")
	defer stopB()
	told := func(c <-chan struct{}) bool {
		select {
		case <-c:
			return true
		default:
			return false
		}
	}
	w.Tell("a")
	w.Tell("a")
	if !told(a) || told(a) || told(b) {
		t.Error("a change of one is told once, and to those who watch it")
	}
	w.TellAll()
	if !told(a) || !told(b) {
		t.Error("not everybody was told")
	}
	stopA()
	stopA()
	w.TellAll()
	if told(a) || !told(b) {
		t.Error("after the end of one")
	}
}

// Polling tells of the end of what was held at the beginning, and of each change.
func TestPoll(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var seen atomic.Value
		var looks atomic.Int32
		seen.Store(backend.Held)
		changed, stop := backend.Poll(func() (string, bool) {
			looks.Add(1)
			s, _ := seen.Load().(string)
			return s, s != ""
		})
		count := func() (n int) {
			time.Sleep(time.Second)
			for len(changed) > 0 {
				<-changed
				n++
			}
			return n
		}
		for i, step := range []struct {
			seen string
			told int
		}{{backend.Held, 0}, {"1", 1}, {"1", 0}, {"", 0}, {"1", 0}, {"2", 1}, {backend.Held, 1}, {"2", 1}} {
			if seen.Store(step.seen); count() != step.told {
				t.Errorf("step %d: %q is not told %d times", i, seen, step.told)
			}
		}
		stop()
		before := looks.Load()
		if count(); looks.Load() != before {
			t.Error("it looks after its end")
		}
	})
}
