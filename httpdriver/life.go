package httpdriver

import (
	"context"
	"time"
)

// storeTime bounds a question to the store, which has half of it at least.
const storeTime = 15 * time.Second

// life is how long what a run has begun may last. Only the loop of the run uses
// it. Contexts are made when they are first needed and used again for as long
// as nobody had to end them: most questions are answered.
type life struct {
	asking    context.Context
	endAsking context.CancelFunc
	open      uint64 // the serial of the question that is carried out beside the loop; 0: none

	storing    context.Context
	endStoring context.CancelFunc
}

// question lasts until the question is answered or the machine asks no more.
func (l *life) question(serial uint64) context.Context {
	if l.asking == nil {
		l.asking, l.endAsking = context.WithCancel(context.Background())
	}
	l.open = serial
	return l.asking
}

// answered says that a question has its answer: there is nothing to end.
func (l *life) answered(serial uint64) {
	if serial == l.open {
		l.open = 0
	}
}

// drop ends the open question.
func (l *life) drop() {
	if l.open != 0 {
		l.endAsking()
		l.asking, l.open = nil, 0
	}
}

// store is for a question to the store. Those that follow each other closely,
// as most do, share one time limit.
func (l *life) store() context.Context {
	if l.storing != nil {
		if until, _ := l.storing.Deadline(); time.Until(until) > storeTime/2 {
			return l.storing
		}
		l.endStoring()
	}
	l.storing, l.endStoring = context.WithTimeout(context.Background(), storeTime)
	return l.storing
}

// end ends all of it.
func (l *life) end() {
	if l.endAsking != nil {
		l.endAsking()
	}
	if l.endStoring != nil {
		l.endStoring()
	}
}

// alarm is a timer that is made when it is first set.
type alarm struct{ t *time.Timer }

func (a *alarm) set(d time.Duration) {
	if a.t == nil {
		a.t = time.NewTimer(d)
	} else {
		a.t.Reset(d)
	}
}

func (a *alarm) stop() {
	if a.t != nil {
		a.t.Stop()
	}
}

// rings gives the channel to listen on; nil before the alarm was ever set.
func (a *alarm) rings() <-chan time.Time {
	if a.t == nil {
		return nil
	}
	return a.t.C
}
