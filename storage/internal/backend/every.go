package backend

import (
	"context"
	"math/rand/v2"
	"sync"
	"time"
)

// Every runs f again and again, about so often, until it is stopped. By chance it
// is up to a fifth later each time, so that processes do not work in step.
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
