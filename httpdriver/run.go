package httpdriver

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/stile-oauth/stile/fsm"
	"github.com/stile-oauth/stile/states"
)

// run takes one machine from rest to rest. Its loop alone touches the machine.
// Questions to the store are answered by the loop itself, which they hold up
// for storeTime at most; all others are carried out beside it and answered
// through the queue.
type run struct {
	s    *session
	want want

	ctx  context.Context // of what is carried out; ended by finish alone
	end  context.CancelFunc
	quit chan struct{} // closed when nobody wants the run any more
	done chan struct{}
	out  outcome // to be read after done
	// handed is closed when a token was handed out that the store does not take
	// yet: those who wait for a token need not wait for the store.
	handed chan struct{}
	early  *token // to be read after handed

	queue chan heard
	// todo are statements to give when the machine rests.
	todo []states.Input

	m         fsm.Machine
	fault     *states.Fault
	granted   *token
	asking    context.CancelFunc // ends the open question
	here      states.Effect      // a question to the store, carried out by the loop itself
	unvisited states.Input       // the answer to a Visit that is not made
	visit     *visiting
	visits    []chan struct{} // one for each Visit, closed when it has ended
	binding   Binding
	timer     *time.Timer
	// came are those who came back and wait to be told how it ended.
	came []func(Answer)
	// shut says that the driver was closed during the run.
	shut  bool
	trace *recording

	mu       sync.Mutex
	told     []states.Challenged // what was heard already: equals are coalesced
	quitting bool
	closing  bool // nothing more is taken from the queue
	over     bool // finish has begun

	login       atomic.Bool            // a login is under way
	state       atomic.Pointer[string] // the `state` of the Visit under way
	visitSerial atomic.Uint64
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
	r := &run{s: s, want: w, done: make(chan struct{}), quit: make(chan struct{}), queue: make(chan heard, 64), handed: make(chan struct{})}
	r.ctx, r.end = context.WithCancel(context.Background())
	r.timer = time.NewTimer(time.Hour)
	r.timer.Stop()
	if w.challenge != nil {
		r.told = []states.Challenged{*w.challenge}
	}
	return r
}

// cancel says that nobody wants the run any more.
func (r *run) cancel() {
	r.mu.Lock()
	defer r.mu.Unlock()
	if !r.quitting {
		r.quitting = true
		close(r.quit)
	}
}

// serves reports whether the end of this run is what w waits for; a challenge
// or a redirect is passed on to it.
func (r *run) serves(w want) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	switch {
	case w.logout, r.want.logout:
		return w.logout && r.want.logout && !r.closing
	case w.resume != nil:
		if was := r.want.resume; was != nil && was.Data.Flow.State == w.resume.Data.Flow.State {
			return true // the same redirect again: it ends as the first one does
		}
		st := r.state.Load()
		if st == nil || *st != w.resume.Data.Flow.State.Reveal() || r.closing {
			return false
		}
		return r.pass(states.Redirected{Serial: r.visitSerial.Load(), URL: w.redirect})
	case w.login:
		return r.login.Load() || r.want.login
	case w.challenge != nil:
		return r.hear(*w.challenge)
	}
	return true
}

// hear passes on what a server said during the run. Equals are coalesced; false
// says that the run has ended.
func (r *run) hear(c states.Challenged) bool {
	if r.closing {
		return false
	}
	for _, t := range r.told {
		if t.Generation == c.Generation && sameChallenge(t, c) {
			return true
		}
	}
	if len(r.told) == cap(r.queue)/2 {
		return true // a server that invents challenges is heard so many times
	}
	if !r.pass(c) {
		return true // so much is heard at once that one more is left out
	}
	r.told = append(r.told, c)
	return true
}

// pass puts an input in the queue if there is room: it is called under locks
// that the loop, which empties the queue, may be waiting for.
func (r *run) pass(in states.Input) bool {
	select {
	case r.queue <- heard{in: in}:
		return true
	default:
		return false
	}
}

// rested reports whether the run may end: nothing is left to tell the machine.
// next is what came in meanwhile.
func (r *run) rested() (next *heard, end bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for len(r.queue) > 0 {
		h := <-r.queue
		if _, late := h.in.(states.Cancelled); !late && r.m.State != states.Failed {
			return &h, false
		}
	}
	r.closing = true
	return nil, true
}

func sameChallenge(a, b states.Challenged) bool {
	x, y := a.Response.Header.Header("WWW-Authenticate"), b.Response.Header.Header("WWW-Authenticate")
	if a.Response.Status != b.Response.Status || len(x) != len(y) {
		return false
	}
	for i := range x {
		if x[i] != y[i] {
			return false
		}
	}
	return true
}

// loop runs the machine until it rests with nothing left to tell it.
func (r *run) loop() {
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
			if !r.step(e, heard{in: r.s.d.answer(r.ctx, r, ask), asked: asked}) {
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
		case <-r.timer.C:
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
	if w.resume != nil {
		r.m = *w.resume
		r.record(e)
		if !r.step(e, heard{in: states.Resumed{Seed: d.seed()}}) {
			return false
		}
		return r.step(e, heard{in: states.Redirected{Serial: r.m.Data.Flow.Visit, URL: w.redirect}})
	}
	c := d.config(r.s.account)
	c.Concurrent = c.Concurrent || w.now
	m, err := fsm.New(c)
	if err != nil {
		r.out.err = err
		return false
	}
	r.m = m
	r.record(e)
	if w.logout {
		return r.step(e, heard{in: states.LoggedOut{Seed: d.seed()}})
	}
	if t := r.s.held.Load(); t != nil && t.accepted.Load() {
		r.todo = append(r.todo, states.Accepted{Generation: t.generation})
	}
	if w.challenge != nil {
		r.todo = append(r.todo, *w.challenge)
	}
	return r.step(e, heard{in: states.Begun{Seed: d.seed(), Login: w.login, Scopes: w.scopes}})
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
	res, err := e.Tell(r.m, at, h.in)
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
	r.login.Store(r.m.Data.Flow != nil)
	d.tell(Step{Account: r.s.account, At: at, From: before, Input: h.in, Result: res})
	r.trace.step(at, before.State, h.in, res)
	if h.reply != nil {
		r.answerCallback(res, h.reply)
	}
	switch _, tick := h.in.(states.Ticked); {
	case !res.Held:
		r.leave()
	case tick: // it came a moment early
		for _, eff := range fsm.Pending(r.m) {
			switch eff := eff.(type) {
			case states.Wake:
				r.timer.Reset(max(time.Millisecond, eff.At.Sub(d.now())))
			case states.Ask:
				r.timer.Reset(max(time.Millisecond, eff.Deadline.Sub(d.now())))
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
	if r.asking != nil {
		r.asking()
		r.asking = nil
	}
	r.timer.Stop()
	if s := r.m.State; r.visit != nil && s != states.Authorizing && s != states.Checking {
		r.visit.cancel()
		r.visit = nil
		r.state.Store(nil)
	}
}

// finish publishes how it ended and lets go of everything.
func (r *run) finish() {
	r.leave()
	if r.visit != nil {
		r.visit.cancel()
	}
	r.timer.Stop()
	r.s.read.Store(r.s.read.Load() || r.m.State != states.Failed)
	switch {
	case r.out.err != nil:
	case r.m.State == states.Authorized:
		r.out.token, r.out.fault = r.granted, r.fault
	case r.m.State == states.Anonymous:
		r.s.held.Store(nil)
	case r.shut:
		r.out.err = ErrClosed
	default:
		r.out.fault = r.fault
	}
	r.endCallbacks()
	r.mu.Lock()
	r.over, r.closing = true, true
	b := r.binding
	r.mu.Unlock()
	r.end()
	r.trace.close()
	r.endVisits()
	if b != nil {
		_ = b.Close()
	}
	r.s.ended(r)
}
