package backend

import (
	"math/rand/v2"
	"sync"
	"time"
)

// Watchers are those who wait for changes of a store, by the name of what they
// watch. The zero value is ready for use.
type Watchers struct {
	mu    sync.Mutex
	names map[string]map[chan struct{}]struct{}
}

// Add adds a watch of name.
func (w *Watchers) Add(name string) (changed <-chan struct{}, stop func()) {
	c := make(chan struct{}, 1)
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.names == nil {
		w.names = map[string]map[chan struct{}]struct{}{}
	}
	if w.names[name] == nil {
		w.names[name] = map[chan struct{}]struct{}{}
	}
	w.names[name][c] = struct{}{}
	return c, sync.OnceFunc(func() {
		w.mu.Lock()
		defer w.mu.Unlock()
		if delete(w.names[name], c); len(w.names[name]) == 0 {
			delete(w.names, name)
		}
	})
}

// AddLater adds a watch of name, and calls begin unless the watch is soon stopped:
// most are, and need no connection that listens.
func (w *Watchers) AddLater(name string, begin func()) (changed <-chan struct{}, stop func()) {
	changed, remove := w.Add(name)
	timer := time.AfterFunc(pollEvery, begin)
	return changed, func() {
		timer.Stop()
		remove()
	}
}

// Notify wakes those who watch name.
func (w *Watchers) Notify(name string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	wake(w.names[name])
}

// Watched reports whether anybody watches anything.
func (w *Watchers) Watched() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return len(w.names) > 0
}

// NotifyAll wakes everybody: changes may have been missed.
func (w *Watchers) NotifyAll() {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, c := range w.names {
		wake(c)
	}
}

func wake(waiting map[chan struct{}]struct{}) {
	for c := range waiting {
		select {
		case c <- struct{}{}:
		default: // the last value has not been taken yet
		}
	}
}

// pollEvery is how often Poll looks; up to half as much again is added by
// chance, so that processes do not look in step.
const pollEvery = 40 * time.Millisecond

// Held is what Poll's look answers while somebody is at work under a lease.
const Held = "held"

// Poll watches by calling look again and again, for a backend on this machine that
// tells nobody of changes: the channel gets a value when look's answer changes. An
// answer that is not ok changes nothing. Poll begins as if it had seen Held, since
// watchers wait for the end of that; and it first looks after a while, so that a
// watch that is soon stopped costs nothing.
func Poll(look func() (seen string, ok bool)) (changed <-chan struct{}, stop func()) {
	c := make(chan struct{}, 1)
	var mu sync.Mutex
	var timer *time.Timer
	stopped, last := false, Held
	later := func() time.Duration { return pollEvery + rand.N(pollEvery/2) }
	mu.Lock()
	defer mu.Unlock()
	timer = time.AfterFunc(later(), func() {
		seen, ok := look()
		mu.Lock()
		defer mu.Unlock()
		if stopped {
			return
		}
		if ok && seen != last {
			last = seen
			wake(map[chan struct{}]struct{}{c: {}})
		}
		timer.Reset(later())
	})
	return c, func() {
		mu.Lock()
		defer mu.Unlock()
		stopped = true
		timer.Stop()
	}
}
