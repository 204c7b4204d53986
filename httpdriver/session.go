package httpdriver

import (
	"context"
	"net/http"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/stile-oauth/stile/fsm"
	"github.com/stile-oauth/stile/states"
	"github.com/stile-oauth/stile/states/wire"
	"github.com/stile-oauth/stile/transitions"
)

// How the work on one account is coordinated.
//
// A session is one account in this process. It holds the token in use, which
// requests read without a lock, and begins runs. A run takes the account's machine
// from rest to rest in its loop. Only the loop touches the machine. The loop is in
// one goroutine at a time, but not always the same one: to wait for the answer to a
// refresh it continues in a new one, whose stack is smaller (run.sending).
// It asks the store and sends requests itself, one after the other, and waits for the
// answers. Two things run in goroutines of their own, because they may take as long as a
// user does: a Visit, and a question to the host that is not answered at once. All other
// goroutines reach the machine through the run's queue, which the loop empties between two
// questions.
//
// There is one lock in a session, session.mu. It guards
//
//   - the session's list of runs, its cooling, the link it offers, and who reads the store,
//   - of each run: what others may ask of it (the members of shared).
//
// It is held for moments only, and never while something waits for the store, a server, the
// host or another goroutine. Requests take it in begin, cooled and offered; the loop takes
// it when one of those members changes, around an exchange, and at its end. A run's cancel
// is called with it held.
//
// The locks of the driver are taken in this order, never the other way round: session.mu;
// under it endpoints.mu (renew and cooled look whether an endpoint is in trouble) or
// sessions.work (begin counts the run, unless the driver is closed). The locks of the tables
// of sessions, configs.mu, documents.mu, registrations.mu, messages.mu and that of a body
// (replay) are taken alone.
//
// A run ends by itself when its machine rests and the queue is empty. It is
// cancelled by a logout, by a redirect that continues another login, and by Close:
// an exchange under way is then ended through its context, unless its answer must not be
// lost (states.Send.Once); that one gets the time `finishing`. The context of a request
// never ends a run.

// session is one account in this process: the token that is held, and the runs of
// its machine. At rest it holds no machine. What every request reads comes first, as in
// token.
type session struct {
	d *Driver
	// held is the token in use; nil when there is none. A request with a valid token
	// reads it and nothing else.
	held atomic.Pointer[token]
	// prover makes the proofs that go with bound tokens; nil until a run has readied it.
	prover atomic.Pointer[prover]
	origin *wire.Reach // where the token may go before it is known what it is for
	// read says that the store was read once.
	read atomic.Bool
	// roomTaken says that room is used. It is for the first token of the session, so that
	// both are at one place in memory.
	roomTaken atomic.Bool

	mu sync.Mutex
	// begun counts the runs of this session.
	begun uint64
	// endpoint is where the token was refreshed last.
	endpoint *endpoint

	room    token
	account Account

	// runs are those that have not ended, the latest last. All but the last are ending, or
	// wait for another process while a user's login overtakes them.
	runs []*run
	// cooling keeps a failed login or refresh from being tried again at once. stepUpCooling
	// does so for step-ups, while the held token is still used and refreshed.
	cooling, stepUpCooling cooling
	// offer is a login whose link was shown: it is offered again until it is over.
	offer *offer
	// inquiry is set while a request finds out the server's challenge.
	inquiry *inquiry
	looking looking
}

func newSession(d *Driver, a Account) (*session, error) {
	known, err := d.known(a.Server)
	if err != nil {
		return nil, err
	}
	return &session{d: d, account: a, origin: d.configs.reach(known, "")}, nil
}

// ready gives the token for a request; nil means that the request is sent without one. It
// reads the store once, and waits for a refresh when the token has expired. look is the run
// that has just found nothing in the store: if the request is refused, the login
// continues where that run ended.
func (s *session) ready(ctx context.Context) (t *token, look *run, err error) {
	// A run that ends in between sets the token before it says that it has read: looked
	// at in this order, "read and nothing there" is no mistake.
	read := s.read.Load()
	t, due := s.usable()
	if t != nil {
		if due {
			s.renew()
		}
		return t, nil, nil
	}
	if !due && read {
		return nil, nil, nil
	}
	if err := s.cooled(false); err != nil {
		return nil, nil, err
	}
	var st *stored
	if !due && s.d.looks() {
		if st, err = s.look(ctx); err != nil {
			return nil, nil, err
		}
		if t, due := s.usable(); t != nil && st == nil {
			if due {
				s.renew()
			}
			return t, nil, nil
		}
	}
	r := s.begin(want{stored: st})
	early, err := r.await(ctx, 0)
	return r.looked(early, err)
}

// renew begins a refresh in the background.
func (s *session) renew() {
	s.mu.Lock()
	now := s.d.now()
	busy := s.cooling.active(now) || s.endpoint != nil && s.endpoint.refuses(now) != nil
	s.mu.Unlock()
	if !busy {
		s.begin(want{background: true})
	}
}

// want is what a caller wants from the machine.
type want struct {
	login     bool
	byUser    bool // a user asked: no waiting for a login that another process began
	scopes    []string
	newClient bool
	logout    bool
	forget    bool // with logout: the client too
	challenge *states.Challenged
	// announced is the server's challenge to a request that a login sends first.
	announced *states.Challenged
	// background says that no caller waits: a failure does not start the cooling.
	background bool
	resume     *fsm.Machine
	redirect   wire.Secret
	// stored is what the request has read already.
	stored *stored
	// from is a run that has ended and whose machine is to go on: one that looked at
	// the store before a request was refused, or the login whose token was taken.
	from *run
}

// looks reports whether the caller only wants to know what the store holds.
func (w want) looks() bool {
	return !w.login && !w.logout && w.challenge == nil && w.resume == nil
}

// stepUp reports whether more scope is wanted for a token that is valid otherwise.
func (w want) stepUp() bool {
	return w.challenge != nil && w.challenge.Response.Status == http.StatusForbidden
}

// begin joins the current run if that serves the want, or starts one. A new run waits for
// the one before it, which a logout or a redirect cancels. A user's login does not wait for
// a run that itself waits for another process.
func (s *session) begin(w want) *run {
	s.mu.Lock()
	defer s.mu.Unlock()
	if w.stored != nil {
		s.looked()
	}
	var prior *run
	if n := len(s.runs); n > 0 {
		if prior = s.runs[n-1]; prior.serves(w) {
			return prior
		}
	}
	r := newRun(s, w)
	if !s.d.sessions.enter(&s.d.work) {
		r.out.err = ErrClosed
		close(r.done)
		return r
	}
	// Once, and only if nothing ran since: another login that went on from there
	// would draw the same state and verifier.
	if w.from != nil && w.from.number == s.begun {
		r.from = w.from
	}
	if st := w.stored; st != nil {
		r.checked = st.checked
		if st.begun != s.begun {
			r.want.stored = nil
		}
	}
	s.begun++
	r.number, s.runs = s.begun, append(s.runs, r)
	if prior != nil && w.byUser && prior.shared.queuing {
		prior = nil
	}
	go func() {
		if prior != nil {
			if w.logout || w.resume != nil {
				s.mu.Lock()
				if prior.shared.login {
					prior.cancel(nil)
				}
				s.mu.Unlock()
			}
			<-prior.done
			r.lost = w.logout && prior.m.State == states.Resaving
		}
		r.loop()
	}()
	return r
}

// end cancels every run, for a driver that is closed.
func (s *session) end() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, r := range s.runs {
		r.cancel(ErrClosed)
	}
	if s.inquiry != nil {
		s.inquiry.cancel()
	}
}

// ended takes the result of a run.
func (s *session) ended(r *run) {
	s.mu.Lock()
	s.runs = slices.DeleteFunc(s.runs, func(x *run) bool { return x == r })
	stepUp := r.want.stepUp()
	switch {
	case r.out.fault != nil && stepUp && r.out.token != nil:
		s.stepUpCooling.down(*r.out.fault, s.d.now())
	case r.out.fault != nil && inTrouble(*r.out.fault):
		// The endpoint is in trouble, for every account: it keeps the time.
	case r.out.fault != nil && r.out.fault.Event == transitions.Cancelled:
		// The login was cancelled in this process, so the next one need not wait.
	case r.out.fault != nil && !r.want.background:
		s.cooling.down(*r.out.fault, s.d.now())
	case r.out.fault == nil && r.out.err == nil:
		s.cooling = cooling{}
		if stepUp || r.want.login {
			s.stepUpCooling = cooling{}
		}
	}
	if o := s.offer; o != nil && (r.want.resume != nil || r.out.token != nil && r.out.token.generation != o.generation) {
		s.offer = nil
	}
	s.mu.Unlock()
	close(r.done)
}

// cooled gives the recent failure, while it is too soon to try again; stepUp asks for that
// of a step-up.
func (s *session) cooled(stepUp bool) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := s.d.now()
	if s.offer != nil && now.Before(s.offer.need.Expires) {
		return nil // asked again: the login may have been finished elsewhere
	}
	if len(s.runs) > 0 {
		return nil
	}
	if s.cooling.active(now) {
		return faultError(s.cooling.fault)
	}
	if s.endpoint != nil && !stepUp {
		if f := s.endpoint.refuses(now); f != nil {
			return faultError(f)
		}
	}
	if stepUp && s.stepUpCooling.active(now) {
		return faultError(s.stepUpCooling.fault)
	}
	return nil
}
