package httpdriver

import (
	"time"
)

// alarm is a timer that is created when it is set.
type alarm struct{ t *time.Timer }

func (a *alarm) set(d time.Duration) { a.t = time.NewTimer(d) }

func (a *alarm) stop() {
	if a.t != nil {
		a.t.Stop()
	}
}

// rings gives the channel to listen on; nil if the alarm was never set.
func (a *alarm) rings() <-chan time.Time {
	if a.t == nil {
		return nil
	}
	return a.t.C
}
