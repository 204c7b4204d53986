package httpdriver

import (
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/stile-oauth/stile/fsm"
	"github.com/stile-oauth/stile/states"
)

// run takes one machine from rest to rest. Its loop alone touches the machine.
// Questions to the store, and those whose answer is at hand, are answered by the
// loop itself, which a store holds up for storeTime at most; all others are
// carried out beside it and answered through the queue.
type run struct {
	s      *session
	want   want
	number uint64 // among the runs of the session
	from   *run   // where this one goes on; nil: it starts from Idle

	quit chan struct{} // closed when nobody wants the run any more
	done chan struct{}
	out  outcome // to be read after done
	// handed is closed when a token was handed out before the run ends: those who
	// wait for a token need not wait for a store that does not take it yet, nor
	// for what it has replaced to be revoked.
	handed  chan struct{}
	early   outcome // to be read after handed
	unsaved bool    // likewise: the store does not take it yet

	queue chan heard
	// todo are statements to give when the machine rests.
	todo []states.Input

	checked   *states.Config // the configuration, if it was checked already
	m         fsm.Machine
	fault     *states.Fault
	granted   *token
	here      states.Effect // a question that the loop itself answers
	life      life
	unvisited states.Input    // the answer to a Visit that is not made
	visits    []chan struct{} // one for each Visit, closed when it has ended
	ending    chan struct{}   // closed when nobody who comes back is heard any more; made for a Visit
	binding   Binding
	timer     alarm
	// came are those who came back and wait to be told how it ended.
	came []func(Answer)
	// shut says that the driver was closed during the run.
	shut  bool
	trace *Recording

	mu       sync.Mutex
	told     []states.Challenged // what was heard already: equals are coalesced
	quitting bool
	closing  bool // nothing more is taken from the queue
	over     bool // finish has begun

	login atomic.Bool // a login is under way
	visit atomic.Pointer[visiting]
}

// heard is an input on its way, and who wants to know what became of it.
type heard struct {
	in    states.Input
	reply func(Answer)
	asked time.Time // when the question was put, for an answer that counts from there
}

// finishing is how long a refresh or an exchange under way may still take when
// the driver is closed.
const finishing = 20 * time.Second

func newRun(s *session, w want) *run {
	r := &run{s: s, want: w, checked: s.checked, done: make(chan struct{}), quit: make(chan struct{}), queue: make(chan heard, 16), handed: make(chan struct{})}
	if w.challenge != nil {
		r.told = []states.Challenged{*w.challenge}
	}
	return r
}

// loop runs the machine until it rests with nothing left to tell it.
func (r *run) loop() {
	roomy()
	defer r.finish()
	e := r.s.d.engines.Get().(*fsm.Engine)
	defer r.s.d.engines.Put(e)
	quit, closed := r.quit, r.s.d.ctx.Done()
	var late <-chan time.Time
	if !r.open(e) {
		return
	}
	for {
		if states.Resting(r.m.State) {
			var h heard
			if len(r.todo) > 0 && r.m.State != states.Failed {
				h = heard{in: r.todo[0]}
				r.todo = r.todo[1:]
			} else if next, end := r.rested(); end {
				return
			} else {
				h = *next
			}
			if !r.step(e, h) {
				return
			}
			continue
		}
		if ask := r.here; ask != nil {
			r.here = nil
			asked := r.s.d.now()
			if !r.step(e, heard{in: r.answer(ask), asked: asked}) {
				return
			}
			continue
		}
		if in := r.unvisited; in != nil {
			r.unvisited = nil
			if !r.step(e, heard{in: in}) {
				return
			}
			continue
		}
		select {
		case h := <-r.queue:
			if !r.step(e, h) {
				return
			}
			continue
		case <-r.timer.rings():
			if !r.step(e, heard{in: states.Ticked{}}) {
				return
			}
			continue
		case <-quit:
		case <-closed:
			r.shut = true
		case <-late:
			r.out.err = ErrClosed
			return
		}
		// Nobody waits any more. Where an answer is on its way that must not
		// be lost, the machine goes on, within a bound.
		quit, closed = nil, nil
		t := time.NewTimer(finishing)
		defer t.Stop()
		late = t.C
		if !r.step(e, heard{in: states.Cancelled{}}) {
			return
		}
	}
}

// open makes the machine and gives it its first input.
func (r *run) open(e *fsm.Engine) bool {
	w, d := r.want, r.s.d
	if err := r.begin(); err != nil {
		r.out.err = err
		return false
	}
	r.record()
	switch {
	case w.resume != nil:
		return r.step(e, heard{in: states.Resumed{Seed: d.seed()}}) &&
			r.step(e, heard{in: states.Redirected{Serial: r.m.Data.Flow.Visit, URL: w.redirect}})
	case w.logout:
		return r.step(e, heard{in: states.LoggedOut{Seed: d.seed()}})
	}
	if r.from != nil {
		return r.step(e, heard{in: *w.challenge})
	}
	if t := r.s.held.Load(); t != nil && t.accepted.Load() {
		r.todo = append(r.todo, states.Accepted{Generation: t.generation})
	}
	if w.challenge != nil {
		r.todo = append(r.todo, *w.challenge)
	}
	return r.step(e, heard{in: states.Begun{Seed: d.seed(), Login: w.login, Scopes: w.scopes}})
}

// begin makes the machine: of a login that waited, of a run that looked at the
// store a moment ago, or one that has not begun.
func (r *run) begin() (err error) {
	switch w := r.want; {
	case w.resume != nil:
		r.m = *w.resume
	case r.from != nil:
		r.m = r.from.m
	case r.checked != nil && !w.now:
		r.m = fsm.Machine{State: states.Idle, Data: states.Data{Config: r.checked}}
	default:
		c := r.s.d.config(r.s.account)
		c.Concurrent = c.Concurrent || w.now
		r.m, err = fsm.New(c)
	}
	return err
}

// step gives one input to the machine and carries out what it asks for.
func (r *run) step(e *fsm.Engine, h heard) bool {
	d := r.s.d
	at, before := d.now(), r.m
	if l, ok := h.in.(states.Leased); ok {
		// A lease runs from when it was asked for, at the latest: the process may
		// have been stopped on the way back.
		l.TTL -= max(0, at.Sub(h.asked))
		h.in = l
	}
	res, err := e.StepResult(r.m, at, h.in)
	if err != nil {
		if _, answer := states.SerialOf(h.in); answer && errors.Is(err, fsm.ErrStale) {
			if h.reply != nil {
				h.reply(staleCallback)
			}
			return true // an answer to a question that is no longer open
		}
		if h.reply != nil {
			h.reply(staleCallback)
		}
		r.out.err = fmt.Errorf("httpdriver: %w", err)
		d.log.Error("the machine refused an input", "account", r.s.account, "err", err)
		return false
	}
	r.m = res.Machine
	if serial, answer := states.SerialOf(h.in); answer {
		r.life.answered(serial)
	}
	r.login.Store(r.m.Data.Flow != nil)
	d.tell(r.s.account, at, &before, h.in, &res)
	r.traced(at, before.State, h.in, &res)
	if h.reply != nil {
		r.answerCallback(res.Event, h.reply)
	}
	switch _, tick := h.in.(states.Ticked); {
	case !res.Held:
		r.leave()
	case tick: // it came a moment early
		for _, eff := range fsm.Pending(r.m) {
			switch eff := eff.(type) {
			case states.Wake:
				r.timer.set(max(time.Millisecond, eff.At.Sub(d.now())))
			case states.Ask:
				r.timer.set(max(time.Millisecond, eff.Deadline.Sub(d.now())))
			}
		}
	}
	for _, eff := range res.Effects {
		r.carryOut(eff)
	}
	return r.out.err == nil
}

// leave ends what was carried out for the state that the machine has left. A
// Visit stays open while the human decides.
func (r *run) leave() {
	r.life.drop()
	r.timer.stop()
	if !states.Visiting(r.m.State) {
		r.endVisit()
	}
}

// finish publishes how it ended and lets go of everything.
func (r *run) finish() {
	r.leave()
	r.endVisit()
	r.timer.stop()
	r.s.read.Store(r.s.read.Load() || r.m.State != states.Failed)
	switch {
	case r.out.err != nil:
	case r.m.State == states.Authorized:
		r.out.token, r.out.fault, r.out.asked = r.granted, r.fault, r.asks()
	case r.m.State == states.Anonymous:
		r.s.held.Store(nil)
	case r.shut:
		r.out.err = ErrClosed
	default:
		r.out.fault = r.fault
	}
	r.endCallbacks(r.out.token != nil && r.out.fault == nil, r.out.fault)
	r.mu.Lock()
	r.over, r.closing = true, true
	b := r.binding
	r.mu.Unlock()
	r.life.end()
	if r.ending != nil {
		close(r.ending)
	}
	_ = r.trace.Close()
	r.endVisits()
	if b != nil {
		_ = b.Close()
	}
	r.s.ended(r)
}
