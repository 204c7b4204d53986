package httpdriver

import (
	"time"

	"github.com/stile-oauth/stile/states"
)

// cooling prevents every request from repeating a failure: a user who denied access is
// not sent to a browser again at once, and a server that is down gets few requests. An
// explicit Login does not wait for it.
type cooling struct {
	fault *states.Fault
	end   time.Time
	times int
}

// How long a failure is not repeated. For a transient failure, the time starts with the
// first value and doubles up to the maximum; a failure that needs the user has its own.
const (
	coolTransient = time.Second
	coolMost      = 30 * time.Second
	coolUser      = time.Minute
)

func (c *cooling) down(f states.Fault, now time.Time) {
	span := min(coolTransient<<min(c.times, 5), coolMost)
	if !f.Transient {
		span = coolUser
	}
	c.fault, c.end, c.times = &f, now.Add(span), c.times+1
}

func (c *cooling) active(now time.Time) bool { return c.fault != nil && now.Before(c.end) }
