package backend

import (
	"context"
	"math/rand/v2"
	"sync"
	"time"
)

// Every runs f about once per interval until it is stopped. Each run comes up to a
// fifth of the interval later, at random, so that processes do not work in step.
func Every(interval time.Duration, f func(context.Context)) (stop func()) {
	ctx, cancel := context.WithCancel(context.Background())
	var mu sync.Mutex
	var timer *time.Timer
	again := func() { timer.Reset(interval + rand.N(interval/5)) }
	mu.Lock()
	defer mu.Unlock()
	timer = time.AfterFunc(interval, func() {
		mu.Lock()
		defer mu.Unlock()
		if ctx.Err() != nil {
			return
		}
		bounded, done := context.WithTimeout(ctx, interval)
		defer done()
		f(bounded)
		again()
	})
	return func() {
		cancel()
		mu.Lock() // f has ended
		defer mu.Unlock()
		timer.Stop()
	}
}
