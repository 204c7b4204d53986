package httpdriver

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/stile-oauth/stile/fsm"
	"github.com/stile-oauth/stile/states"
)

// run takes one machine from rest to rest. How it works together with others is
// said in session.go.
type run struct {
	s      *session
	want   want
	number uint64 // among the runs of the session
	from   *run   // where this one goes on; nil: it starts from Idle

	// done is closed at the end, after out was set. handed is closed, after early and
	// unsaved were set, when a token was handed out before the end: those who wait
	// for a token need not wait for a store that does not take it yet (unsaved), nor
	// for what it has replaced to be revoked.
	done, handed chan struct{}
	out, early   outcome
	unsaved      bool

	queue  chan message
	shared shared
	// cancelled says that somebody has called cancel; it is set before the loop is
	// woken.
	cancelled atomic.Bool
	// queueing ends when the run is cancelled: it waits for no connection any more.
	queueing    context.Context
	endQueueing context.CancelFunc

	// What follows belongs to the loop alone.

	m       fsm.Machine
	checked *states.Config // the configuration, if it was checked already
	// statements are to be given when the machine rests.
	statements []states.Input
	// questions are open and still to be put, and answered is an answer that waits to be
	// given to the machine.
	questions []states.Effect
	answered  states.Input
	askedAt   time.Time // when the lease was asked for
	told      bool      // the machine was told of the cancellation
	limit     time.Time // when the run ends at the latest, once cancelled
	clock     loginClock
	fault     *states.Fault
	granted   *token
	held      states.Generation // of the token that was held at the beginning

	wake, delay alarm // a Wake of the machine; the NotBefore of a question
	storing     storeContext
	combined    combined
	exchanging  context.Context // of exchanges and questions to the host
	beside      *hostQuestion

	// endpoint is where the token is refreshed, from when the right to refresh is
	// wanted; slot says that it was given.
	endpoint *endpoint
	slot     bool
	refused  *states.Fault // the endpoint is in trouble: the run ends with that

	turn    turn      // to look for a client, and to register one
	pausing time.Time // until when the next question waits, whatever it is
	began   time.Time // when the login began, for the documents that it may use
	fetched []docKey  // the keys of those that it used

	visits  visits
	binding Binding
	trace   *Recording
}

// shared is what others read of a run, under session.mu.
type shared struct {
	login   bool // a login is under way
	over    bool // there was one, and it has ended: what follows clears up behind it
	queuing bool // it waits for a login of another process
	// challenges are those that the run has heard: equals are not told twice.
	challenges []states.Challenged
	visit      visiting // the Visit under way
	closing    bool     // nothing more is taken from the queue
	// inExchange says that the loop is in an exchange, and that m stays as it is
	// meanwhile; endExchange ends that exchange and those after it.
	inExchange  bool
	endExchange context.CancelFunc
	because     error // what cancel was called with
}

// message is an input on its way to the machine.
type message struct {
	in      states.Input // nil only wakes the loop
	reply   func(Answer) // what became of a callback
	binding Binding      // what the host bound, with the answer to AskRedirect
}

// finishing is how long a refresh or an exchange under way may still take when
// the run was cancelled.
const finishing = 20 * time.Second

func newRun(s *session, w want) *run {
	r := &run{s: s, want: w, checked: s.checked, done: make(chan struct{}), handed: make(chan struct{}), queue: make(chan message, 16)}
	r.queueing, r.endQueueing = context.WithCancel(context.Background())
	if w.challenge != nil {
		r.shared.challenges = []states.Challenged{*w.challenge}
	} else if w.announced != nil {
		r.shared.challenges = []states.Challenged{*w.announced}
	}
	return r
}

// loop runs the machine until it rests with nothing left to tell it.
func (r *run) loop() {
	growStack()
	defer r.finish()
	if t := r.s.held.Load(); t != nil {
		r.held = t.generation
	}
	if !r.open() {
		return
	}
	for {
		m, ok := r.next()
		if !ok || m.in != nil && !r.step(m) {
			return
		}
	}
}

// next gives what the machine is to be told next; false is the end of the run.
func (r *run) next() (message, bool) {
	for {
		if states.Resting(r.m.State) {
			if len(r.statements) > 0 && r.m.State != states.Failed {
				in := r.statements[0]
				r.statements = r.statements[1:]
				return message{in: in}, true
			}
			return r.rested()
		}
		if r.cancelled.Load() && !r.told {
			r.told, r.limit = true, time.Now().Add(finishing)
			return message{in: states.Cancelled{}}, true
		}
		// A renewed mark is heard of before the callback that came meanwhile: by its
		// generation the mark is withdrawn when the login is done.
		if in := r.answered; in != nil && r.m.State == states.Remarking {
			r.answered = nil
			return message{in: in}, true
		}
		select {
		case m := <-r.queue: // what came in while the loop was busy goes first
			return m, true
		default:
		}
		if in := r.answered; in != nil {
			r.answered = nil
			return message{in: in}, true
		}
		var (
			slots chan<- struct{} // waited for
			busy  <-chan struct{} // likewise
		)
		if len(r.questions) > 0 {
			q := r.questions[0]
			if _, lease := q.(states.Lease); lease && !r.slot && !r.takeSlot() {
				slots = r.endpoint.slots
			} else if busy = r.takeTurn(q); busy == nil && r.due(q) {
				r.questions = r.questions[1:]
				if r.answered = r.put(q); r.out.err != nil || r.refused != nil {
					return message{}, false // a link is shown, or the endpoint is in trouble
				}
				continue
			}
		}
		var late <-chan time.Time
		if r.told {
			left := time.Until(r.limit)
			if left <= 0 {
				r.out.err = ErrClosed
				return message{}, false
			}
			late = time.After(left)
		}
		select {
		case m := <-r.queue:
			return m, true
		case <-r.wake.rings():
			return message{in: states.Ticked{}}, true
		case <-r.delay.rings():
		case <-r.combined.changed:
			r.noticed()
		case <-busy:
		case slots <- struct{}{}:
			r.slot = true
		case <-late:
		}
	}
}

// due reports whether a question may be put now, and sets the alarm if not.
func (r *run) due(q states.Effect) bool {
	if wait := time.Until(r.pausing); wait > 0 {
		r.delay.set(wait)
		return false
	}
	var from time.Time
	switch q := q.(type) {
	case states.Send:
		from = q.NotBefore
	case states.Sign:
		from = q.NotBefore
	case states.Save:
		from = q.NotBefore
	default: // the others have nothing of their own here
	}
	if from.IsZero() {
		return true
	}
	wait := from.Sub(r.s.d.now())
	if wait > 0 && r.m.Data.Flow != nil && r.clock.left(r.s.d.o.Policy.LoginTime) <= 0 {
		return true // nothing is sent any more: the machine hears it at once
	}
	if wait > 0 {
		r.delay.set(wait)
	}
	return wait <= 0
}

// open makes the machine and gives it its first input.
func (r *run) open() bool {
	w, d := r.want, r.s.d
	if err := r.begin(); err != nil {
		r.out.err = err
		return false
	}
	r.record()
	switch {
	case w.resume != nil:
		return r.step(message{in: states.Resumed{Seed: d.seed()}}) &&
			r.step(message{in: states.Redirected{Serial: r.m.Data.Flow.Visit, URL: w.redirect}})
	case w.logout:
		return r.step(message{in: states.LoggedOut{Seed: d.seed(), Forget: w.forget}})
	}
	if r.from != nil {
		r.from = nil
		return r.step(message{in: *w.challenge})
	}
	if t := r.s.held.Load(); t != nil && t.accepted.Load() {
		r.statements = append(r.statements, states.Accepted{Generation: t.generation})
	}
	if w.challenge != nil {
		r.statements = append(r.statements, *w.challenge)
	}
	if w.announced != nil && !r.step(message{in: *w.announced}) {
		return false
	}
	return r.step(message{in: states.Begun{Seed: d.seed(), Login: w.login, Scopes: w.scopes, NewClient: w.newClient}})
}

// begin makes the machine: of a login that waited, of a run that looked at the
// store a moment ago, or one that has not begun.
func (r *run) begin() (err error) {
	switch w := r.want; {
	case w.resume != nil:
		r.m = *w.resume
	case r.from != nil:
		r.m = r.from.m
	case r.checked != nil && !w.byUser:
		r.m = fsm.Machine{State: states.Idle, Data: states.Data{Config: r.checked}}
	default:
		c := r.s.d.config(r.s.account)
		c.Concurrent = c.Concurrent || w.byUser
		r.m, err = fsm.New(c)
	}
	return err
}

// step gives one input to the machine and takes what it asks for. false ends the
// run.
func (r *run) step(h message) bool {
	d := r.s.d
	at, before := d.now(), r.m
	if l, ok := h.in.(states.Leased); ok {
		// A lease runs from when it was asked for, at the latest: the process may
		// have been stopped on the way back.
		l.TTL -= max(0, at.Sub(r.askedAt))
		h.in = l
	}
	if h.binding != nil {
		r.bound(h.binding)
	}
	res, err := d.step(r.m, at, h.in)
	if err != nil {
		if h.reply != nil {
			h.reply(staleCallback)
		}
		if _, answer := states.SerialOf(h.in); answer && errors.Is(err, fsm.ErrStale) {
			return true // an answer to a question that is no longer open
		}
		r.out.err = fmt.Errorf("httpdriver: %w", err)
		d.log.Error("the machine refused an input", "account", r.s.account, "err", err)
		return false
	}
	r.m = res.Machine
	r.share()
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
				r.wake.set(max(time.Millisecond, eff.At.Sub(d.now())))
			case states.Ask:
				r.wake.set(max(time.Millisecond, eff.Deadline.Sub(d.now())))
			default: // the others have nothing of their own here
			}
		}
	}
	if r.m.Data.Flow == nil {
		r.began, r.fetched = time.Time{}, nil
	} else if r.began.IsZero() {
		r.began = time.Now()
	}
	r.clock.follow(r.m.Data.Flow != nil, states.Visiting(r.m.State) || r.beside != nil)
	for _, eff := range res.Effects {
		r.take(eff)
	}
	return r.out.err == nil
}

// share tells others what has changed for them.
func (r *run) share() {
	login, queuing := r.m.Data.Flow != nil, r.m.State == states.Queuing
	if r.shared.login == login && r.shared.queuing == queuing {
		return // only the loop writes them
	}
	r.s.mu.Lock()
	r.shared.over = r.shared.login && !login || r.shared.over && !login
	r.shared.login, r.shared.queuing = login, queuing
	r.s.mu.Unlock()
}

// leave ends what was begun for the state that the machine has left. A Visit stays
// open while the user decides.
func (r *run) leave() {
	r.questions, r.answered = nil, nil
	if s := r.m.State; s != states.Loading && s != states.Leasing && s != states.Waiting && s != states.Looking {
		r.endWatch()
	}
	r.beside.end()
	r.beside = nil
	r.wake.stop()
	r.delay.stop()
	if !states.Visiting(r.m.State) {
		r.endVisit()
	}
	if r.turn.held && (states.Visiting(r.m.State) || states.Resting(r.m.State) || r.m.State == states.Parking) {
		r.endTurn()
	}
	r.pausing = time.Time{}
	if r.slot && r.m.State != states.Leasing && !states.HoldsLease(r.m.State) {
		r.freeSlot()
	}
}

// takeSlot takes the right to refresh at the token endpoint, if it is free. It comes
// before the lease: what waits for it has marked nothing and runs out of no time.
func (r *run) takeSlot() bool {
	d := r.s.d
	if r.endpoint == nil {
		r.endpoint = d.endpoints.use(r.m.Data.Token().Server.TokenEndpoint)
		r.s.mu.Lock()
		r.s.endpoint = r.endpoint
		r.s.mu.Unlock()
	}
	select {
	case r.endpoint.slots <- struct{}{}:
		r.slot = true
	default:
	}
	return r.slot
}

// takeTurn takes the turn to look for a client, where a question is to do that.
func (r *run) takeTurn(q states.Effect) (busy <-chan struct{}) {
	load, ok := q.(states.Load)
	if !ok || load.Key.Kind != states.KindRegistration || r.turn.held {
		return nil
	}
	left := r.clock.left(r.s.d.o.Policy.LoginTime)
	if left <= 0 {
		return nil
	}
	if busy = r.s.d.registrations.take(load.Key); busy == nil {
		r.turn = turn{key: load.Key, held: true}
	} else {
		r.delay.set(left)
	}
	return busy
}

func (r *run) freeSlot() {
	<-r.endpoint.slots
	r.slot = false
}

// finish publishes how it ended and lets go of everything.
func (r *run) finish() {
	r.leave()
	r.endWatch()
	r.endVisit()
	r.s.read.Store(r.s.read.Load() || r.m.State != states.Failed && r.refused == nil)
	switch {
	case r.out.err != nil:
	case r.refused != nil:
		r.out.token, r.out.fault = r.granted, r.refused
	case r.m.State == states.Authorized:
		r.out.token, r.out.fault, r.out.requested = r.granted, r.fault, r.requested()
	case r.m.State == states.Anonymous:
		r.s.held.Store(nil)
	default:
		r.s.mu.Lock()
		r.out.err = r.shared.because
		r.s.mu.Unlock()
		if r.out.err == nil {
			r.out.fault = r.fault
		}
	}
	r.endTurn()
	if r.out.fault != nil && len(r.fetched) > 0 {
		r.s.d.documents.forget(r.fetched)
	}
	if r.slot {
		r.freeSlot()
	}
	if r.endpoint != nil {
		r.endpoint.leave()
	}
	r.endCallbacks()
	r.s.mu.Lock()
	r.shared.closing = true
	end := r.shared.endExchange
	r.s.mu.Unlock()
	if end != nil {
		end()
	}
	r.endQueueing()
	r.storing.end()
	_ = r.trace.Close()
	r.visits.end()
	r.drain()
	if r.binding != nil {
		_ = r.binding.Close()
	}
	r.s.ended(r)
}

// drain answers those whose message is not read any more. What is passed after
// shared.closing was set is not: those who pass it watch done as well.
func (r *run) drain() {
	for {
		select {
		case m := <-r.queue:
			if m.binding != nil {
				_ = m.binding.Close()
			}
		default:
			return
		}
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
