package trap

import (
	"context"
	"io"
	"strings"
	"sync/atomic"
	"time"
)

// Answer is what the client is told on its standard input once its output has
// a text. Without a text it is said at once; without words the input ends.
type Answer struct {
	After string
	Say   string
}

// talk gives the client the answers that it waits for, in order. news says that the
// output has grown; text gives all of it.
func talk(ctx context.Context, in io.WriteCloser, answers []Answer, out *output) {
	defer in.Close()
	seen := 0
	for _, a := range answers {
		for a.After != "" {
			all := out.all()
			if i := strings.Index(all[min(seen, len(all)):], a.After); i >= 0 {
				seen = min(seen, len(all)) + i + len(a.After)
				break
			}
			select {
			case <-ctx.Done():
				return
			case <-time.After(20 * time.Millisecond):
			}
		}
		if a.Say == "" {
			return
		}
		if _, err := io.WriteString(in, a.Say); err != nil {
			return
		}
	}
	<-ctx.Done() // the input stays open
}

// clock knows when something last happened.
type clock struct{ at atomic.Int64 }

func (c *clock) touch() { c.at.Store(time.Now().UnixNano()) }

// again notes activity, once there has been a request.
func (c *clock) again() {
	if c.at.Load() != 0 {
		c.touch()
	}
}

// idle ends a run in which nothing has happened for that long after its first request.
// The time that a client takes to start does not count.
func (c *clock) idle(ctx context.Context, after time.Duration, end func()) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-time.After(100 * time.Millisecond):
		}
		if at := c.at.Load(); at != 0 && time.Since(time.Unix(0, at)) > after {
			end()
			return
		}
	}
}
