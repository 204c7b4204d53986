package backend_test

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stile-oauth/stile/storage/internal/backend"
)

// Slots are given in order, urgent calls first; a caller that has given up gets none.
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
		// A caller that has given up gets none, even if its turn came in that moment.
		if _, err := s.Take(leaving, false); !errors.Is(err, context.Canceled) {
			t.Errorf("a caller who had left: %v", err)
		}
		for range 100 {
			give, err := s.Take(t.Context(), false)
			if err != nil {
				t.Fatal(err)
			}
			ctx, leave := context.WithCancel(t.Context())
			ended := make(chan error, 1)
			go func() {
				done, err := s.Take(ctx, false)
				if err == nil {
					done()
				}
				ended <- err
			}()
			synctest.Wait()
			leave()
			give()
			if err := <-ended; err != nil && !errors.Is(err, context.Canceled) {
				t.Errorf("a call that was given up: %v", err)
			}
			soon, cancel := context.WithTimeout(t.Context(), time.Second)
			if give, err = s.Take(soon, false); err != nil {
				t.Fatalf("the slot was lost: %v", err)
			}
			give()
			cancel()
		}
	})
}

// Watchers are told of a change of what they watch, and of any possible change when
// the connection that tells them was made anew.
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
	w.Notify("a")
	w.Notify("a")
	if !told(a) || told(a) || told(b) {
		t.Error("a change of one is told once, and to those who watch it")
	}
	w.NotifyAll()
	if !told(a) || !told(b) {
		t.Error("not everybody was told")
	}
	stopA()
	stopA()
	w.NotifyAll()
	if told(a) || !told(b) {
		t.Error("after the end of one")
	}
	// Two watch the same.
	c, stopC := w.Add("b")
	w.Notify("b")
	if !told(b) || !told(c) {
		t.Error("one of two was not told")
	}
	stopC()
	w.Notify("b")
	if !told(b) || told(c) {
		t.Error("after the end of one of two")
	}
	if stopB(); w.Watched() {
		t.Error("nobody watches any more")
	}
}

// AddLater does not call begin for a watch that is soon stopped.
func TestAddLater(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var w backend.Watchers
		begun := 0
		_, stop := w.AddLater("a", func() { begun++ })
		stop()
		time.Sleep(time.Minute)
		if synctest.Wait(); begun != 0 || w.Watched() {
			t.Errorf("begun %d times, watched %v", begun, w.Watched())
		}
		_, stop = w.AddLater("a", func() { begun++ })
		time.Sleep(time.Minute)
		if synctest.Wait(); begun != 1 || !w.Watched() {
			t.Errorf("begun %d times, watched %v", begun, w.Watched())
		}
		stop()
	})
}

// Every gives f as much time as the interval, runs it a little later each time by
// chance, and no more after it is stopped.
func TestEvery(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var (
			mu                sync.Mutex // f runs in goroutines of timers
			last              = time.Now()
			runs, early, late int
			wait, cut         bool
			waits             = make(chan struct{}, 1)
		)
		stop := backend.Every(time.Minute, func(ctx context.Context) {
			mu.Lock()
			defer mu.Unlock()
			if end, ok := ctx.Deadline(); !ok || time.Until(end) != time.Minute {
				t.Errorf("it has until %v", end)
			}
			switch gap := time.Since(last); {
			case gap < time.Minute || gap >= 72*time.Second || runs == 0 && gap != time.Minute:
				t.Errorf("run %d comes after %v", runs, gap)
			case gap < 63*time.Second:
				early++
			case gap > 69*time.Second:
				late++
			}
			if runs++; wait {
				mu.Unlock()
				waits <- struct{}{}
				<-ctx.Done()
				mu.Lock()
				cut = errors.Is(ctx.Err(), context.Canceled)
			}
			last = time.Now()
		})
		time.Sleep(200 * time.Minute)
		mu.Lock()
		if runs < 150 || early < 10 || late < 10 {
			t.Errorf("%d runs, %d early and %d late", runs, early, late)
		}
		wait = true
		mu.Unlock()
		<-waits
		stop()
		mu.Lock()
		before := runs
		if !cut {
			t.Error("it went on after its end")
		}
		mu.Unlock()
		time.Sleep(time.Hour)
		mu.Lock()
		defer mu.Unlock()
		if runs != before {
			t.Error("it ran after its end")
		}
	})
}

// A watch that is stopped while it looks tells nothing, and does not look again.
func TestPollEndsWhileItLooks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		looks, look := 0, make(chan struct{})
		changed, stop := backend.Poll(func() (string, bool) {
			looks++
			<-look
			return "1", true
		})
		time.Sleep(time.Second)
		stop()
		stop()
		close(look)
		time.Sleep(time.Minute)
		if synctest.Wait(); looks != 1 || len(changed) != 0 {
			t.Errorf("%d looks, told %d times", looks, len(changed))
		}
	})
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
