package httpdriver

import (
	"context"
	"fmt"
	"log/slog"
	"net/url"
	"time"

	"github.com/stile-oauth/stile/states"
	"github.com/stile-oauth/stile/states/rules"
	"github.com/stile-oauth/stile/states/wire"
)

// The bounds of what a login does without its user.
const (
	defaultLoginTime = time.Minute
	// maxFetches bounds the metadata documents that one login asks for: a server may
	// name any number of issuers, and each has several addresses.
	maxFetches = 40
	// slowAfter is the time after which the driver reports that an answer takes long.
	slowAfter = 10 * time.Second
)

// Slow says that a caller waits for a server.
type Slow struct {
	Account Account
	// Host is the server, Doing is what its answer is needed for, Waited is the time
	// without an answer so far.
	Host, Doing string
	Waited      time.Duration
}

// loginClock measures the time that a login has used without its user. Only the loop
// uses it.
type loginClock struct {
	used    time.Duration
	from    time.Time // zero while a user, here or of another process, or the host is waited for
	fetches int
}

// follow starts and stops the clock with the steps of the machine.
func (c *loginClock) follow(login, waits bool) {
	switch {
	case !login:
		*c = loginClock{}
	case waits && !c.from.IsZero():
		c.used, c.from = c.used+time.Since(c.from), time.Time{}
	case !waits && c.from.IsZero():
		c.from = time.Now()
	}
}

// left gives what remains of most.
func (c *loginClock) left(most time.Duration) time.Duration {
	left := most - c.used
	if !c.from.IsZero() {
		left -= time.Since(c.from)
	}
	return left
}

// over gives the answer to an exchange for which the login has no time left, or which
// exceeds the number of exchanges. It is nil if the exchange may be carried out, until
// the given time.
func (r *run) over(q states.Send) (until time.Time, in states.Input) {
	if r.m.Data.Flow == nil {
		return time.Time{}, nil
	}
	most := r.s.d.o.Policy.LoginTime
	left := r.clock.left(most)
	if r.m.State == states.Exchanging {
		left = max(left, r.m.Data.Config.HTTP())
	}
	if left <= 0 {
		return until, states.Unreachable{
			Serial: q.Serial, Class: states.Unsent, Rule: rules.NetTimeout,
			Detail: fmt.Sprintf("the %v that a login may take without its user were over; %s was not asked", most, hostOf(q.Request.URL)),
		}
	}
	if q.Request.Method == "GET" {
		if r.clock.fetches++; r.clock.fetches > maxFetches {
			return until, states.Unreachable{
				Serial: q.Serial, Class: states.Unsent, Rule: rules.NetBackoffBounded,
				Detail: fmt.Sprintf("one login asks for %d documents at most; %s was not asked", maxFetches, hostOf(q.Request.URL)),
			}
		}
	}
	return time.Now().Add(left), nil
}

// noticeSlow reports when an exchange takes long, until the function that it returns is
// called.
func (r *run) noticeSlow(q states.Send) (stop func() bool) {
	d, doing := r.s.d, states.Doing(r.m.State)
	if d.o.Slow == nil && !d.log.Enabled(context.Background(), slog.LevelInfo) {
		return func() bool { return false }
	}
	asked, known := q.Request.URL, r.m.Data.Secrets()
	return time.AfterFunc(slowAfter, func() {
		s := Slow{Account: r.s.account, Host: wire.Mask(hostOf(asked), known), Doing: doing, Waited: slowAfter}
		d.log.Info("an answer takes long", "server", s.Account.Server, "host", s.Host, "doing", s.Doing, "waited", s.Waited)
		if d.o.Slow != nil {
			if err := contain("Options.Slow", func() error { d.o.Slow(s); return nil }); err != nil {
				d.log.Error("a slow answer was not told", "err", err)
			}
		}
	}).Stop
}

func hostOf(raw string) string {
	u, err := url.Parse(raw)
	if err != nil {
		return "the server"
	}
	return u.Host
}
