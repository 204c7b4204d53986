package httpdriver

import (
	"context"
	"sync/atomic"
	"time"

	"github.com/stile-oauth/stile/fsm"
	"github.com/stile-oauth/stile/httpdriver/internal/stack"
	"github.com/stile-oauth/stile/states"
	"github.com/stile-oauth/stile/states/wire"
)

// run takes one machine from rest to rest. session.go says how it works together with
// other runs.
type run struct {
	s      *session
	want   want
	number uint64 // among the runs of the session
	from   *run   // where this one goes on; nil: it starts from Idle

	// done is closed at the end, after out was set. handed is closed when a token, or a code that
	// a user has to enter, was handed out before the end, after early was set. Callers that wait
	// for a token then wait neither for a store that cannot save it yet (outcome.unsaved) nor for
	// the revocation of the token that it replaced. A code is replaced by the token of its login,
	// and both are replaced by the code of a login that follows.
	done, handed chan struct{}
	out          outcome
	early        atomic.Pointer[outcome]
	// cancelled says that somebody has called cancel; it is set before the loop is
	// woken.
	cancelled atomic.Bool

	queue  chan message
	shared shared
	// queueing ends when the run is cancelled: the run then stops waiting for a connection.
	queueing    context.Context
	endQueueing context.CancelFunc

	// Only the loop uses the following members.

	m       fsm.Machine
	checked *states.Config // the configuration, once it is known
	// statements are to be passed to the machine when it rests.
	statements []states.Input
	// questions are open questions that were not asked yet; answered is an answer that has
	// not reached the machine yet.
	questions []states.Effect
	space     [1]states.Effect // of questions; there is seldom more than one
	answered  states.Input
	// sending says that the next question is a refresh. A new goroutine sends it and
	// continues the loop: very many refreshes may wait for an issuer at once, and a
	// goroutine that has moved a machine has a stack of twice the size that waiting needs.
	sending bool
	// cancelHeard says that the machine was told of the cancellation; limit is then when the
	// run ends at the latest.
	cancelHeard bool
	limit       time.Time

	clock   loginClock
	fault   *states.Fault
	granted *token
	held    states.Generation // of the token that was held at the beginning
	lost    bool              // the run before this log out ended with a token that it could not store

	alarms     alarms
	slot       refreshSlot
	lookup     lookup
	storing    storeContext
	combined   combined
	exchanging context.Context // of exchanges and questions to the host
	beside     *hostQuestion

	visits   visits
	listener Listener
	trace    *Recording
	shown    wire.Secret // the code that the user was shown last
	// link is where the user has to go first, at the identity provider.
	link *LoginRequiredError
	// identity is the ID token that was sent to the identity provider last, if a login there gave it.
	identity *token
}

// alarms are when the loop goes on although nothing has come in.
type alarms struct {
	wake    alarm     // a Wake of the machine
	delay   alarm     // the NotBefore of a question
	pausing time.Time // until when the next question waits, whatever it is
}

// refreshSlot is a run's right to refresh at a token endpoint, which it takes before the
// lease.
type refreshSlot struct {
	// endpoint is where the token is refreshed; it is set when the run begins to wait for
	// its turn to refresh.
	endpoint *endpoint
	taken    bool          // the right was given
	askedAt  time.Time     // when the lease was asked for
	refused  *states.Fault // the endpoint is in trouble: the run ends with that
}

// lookup is what a login finds out that other logins find out too.
type lookup struct {
	turn    *turn     // to look for a client, and to register one
	began   time.Time // when the login began, for the documents that it may use
	fetched []docKey  // the keys of those that it used
}

// shared is what other goroutines read of a run, under session.mu.
type shared struct {
	login   bool // a login is under way
	over    bool // one has ended: if none is under way, what follows clears up behind it
	queuing bool // it waits for a login of another process
	// challenges are the challenges that the run has received; equal ones are passed on once.
	challenges []states.Challenged
	visit      visiting // the last Visit
	closing    bool     // nothing more is taken from the queue
	// inExchange says that the loop is in an exchange, during which m does not change;
	// endExchange ends that exchange and the following ones.
	inExchange  bool
	endExchange context.CancelFunc
	because     error // what cancel was called with
}

// message is an input on its way to the machine.
type message struct {
	in       states.Input // nil only wakes the loop
	reply    func(Answer) // what became of a callback
	listener Listener     // what the host bound, with the answer to AskRedirect
}

// finishing is how long a refresh or an exchange under way may still take after the run
// was cancelled.
const finishing = 20 * time.Second

func newRun(s *session, w want) *run {
	r := &run{s: s, want: w, done: make(chan struct{}), handed: make(chan struct{}), queue: make(chan message, 8)}
	r.queueing, r.endQueueing = context.WithCancel(context.Background())
	if w.challenge != nil {
		r.shared.challenges = []states.Challenged{*w.challenge}
	} else if w.announced != nil {
		r.shared.challenges = []states.Challenged{*w.announced}
	}
	return r
}

// loop runs the machine until it rests and no input is left. It continues in another
// goroutine to wait for a refresh (see sending).
func (r *run) loop() {
	moved := false
	defer func() {
		if !moved {
			r.finish()
		}
	}()
	if r.sending {
		stack.GrowLess()
		r.refresh()
		stack.Grow()
	} else {
		stack.Grow()
		if t := r.s.held.Load(); t != nil {
			r.held = t.generation
		}
		if !r.open() {
			return
		}
	}
	for {
		m, ok := r.next()
		if r.sending {
			moved = true
			go r.loop()
			return
		}
		if !ok || m.in != nil && !r.step(m) {
			return
		}
	}
}

// next gives the next input for the machine; false means the end of the run.
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
		if r.cancelled.Load() && !r.cancelHeard {
			r.cancelHeard, r.limit = true, time.Now().Add(finishing)
			return message{in: states.Cancelled{}}, true
		}
		// The machine learns of a renewed mark before a callback that came in the meantime,
		// because it needs the mark's generation to withdraw the mark after the login.
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
			if _, lease := q.(states.Lease); lease && !r.slot.taken && !r.takeSlot() {
				slots = r.slot.endpoint.slots
			} else if busy = r.takeTurn(q); busy == nil && r.due(q) {
				if _, send := q.(states.Send); send && renews(r.m.State) {
					r.sending = true
					return message{}, false
				}
				r.questions = r.questions[1:]
				if r.answered = r.put(q); r.out.err != nil || r.slot.refused != nil {
					return message{}, false // a link is shown, or the endpoint is in trouble
				}
				continue
			}
		}
		var late <-chan time.Time
		if r.cancelHeard {
			left := time.Until(r.limit)
			if left <= 0 {
				r.overdue()
				return message{}, false
			}
			late = time.After(left)
		}
		select {
		case m := <-r.queue:
			return m, true
		case <-r.alarms.wake.rings():
			return message{in: states.Ticked{}}, true
		case <-r.alarms.delay.rings():
		case <-r.combined.changed:
			r.noticed()
		case <-busy:
		case slots <- struct{}{}:
			r.slot.taken = true
		case <-late:
		}
	}
}

// due reports whether a question may be asked now, and sets the alarm if not.
func (r *run) due(q states.Effect) bool {
	if wait := time.Until(r.alarms.pausing); wait > 0 {
		r.alarms.delay.set(wait)
		return false
	}
	var from time.Time
	switch q := q.(type) {
	case states.Send:
		from = q.NotBefore
	case states.Sign:
		from = q.NotBefore
	case states.Assert:
		from = q.NotBefore
	case states.Save:
		from = q.NotBefore
	case states.Visit, states.Load, states.Lease, states.Delete, states.Claim, states.Ask: // asked at once
	case states.Release, states.Wake, states.Grant, states.Report, states.Note, states.Show: // no questions
	}
	if from.IsZero() {
		return true
	}
	wait := from.Sub(r.s.d.now())
	if wait <= 0 || r.clock.left(r.s.d.o.Policy.LoginTime) <= 0 {
		return true // a login that has no time left sends nothing: its machine is told at once
	}
	r.alarms.delay.set(wait)
	return false
}
