package httpdriver

import (
	"errors"
	"sync"
	"time"

	"github.com/stile-oauth/stile/states"
	"github.com/stile-oauth/stile/storage"
)

// registrations let one login at a time find out that there is no registered client
// for an issuer yet. That login registers one, and the others find it. Logins in this
// process wait for each other; the lease of the entry informs the other processes with
// the same store.
//
// Rules: reg-single-flight.
type registrations struct {
	mu   sync.Mutex
	busy map[states.Key]chan struct{} // closed when it is free again
}

const (
	// registering is how long another process waits for a registration.
	registering = 20 * time.Second
	// lookAgain is how often the entry of another process's registration is looked for.
	lookAgain = 200 * time.Millisecond
)

// take takes the turn for a key. If another run has it, busy is closed when it is time
// to try again.
func (g *registrations) take(k states.Key) (busy <-chan struct{}) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if c := g.busy[k]; c != nil {
		return c
	}
	if g.busy == nil {
		g.busy = map[states.Key]chan struct{}{}
	}
	g.busy[k] = make(chan struct{})
	return nil
}

func (g *registrations) leave(k states.Key) {
	g.mu.Lock()
	defer g.mu.Unlock()
	close(g.busy[k])
	delete(g.busy, k)
}

// turn is a run's turn to look for a client, and to register one.
type turn struct {
	key   states.Key
	fence uint64 // of the lease, when it is held
	until time.Time
}

// lookForClient loads the registration of an issuer, in the run's turn. If there is
// none, the run keeps the turn until it has one. A nil answer says that another process
// is registering; the run then looks again after a while.
func (r *run) lookForClient(q states.Load) states.Input {
	in := r.askStore(q)
	if _, none := in.(states.NotFound); !none {
		r.endTurn()
		return in
	}
	if r.lookup.turn.fence != 0 {
		return in
	}
	if r.lookup.turn.until.IsZero() {
		r.lookup.turn.until = time.Now().Add(registering)
	}
	l, err := r.leaseRegistration(q.Key)
	switch {
	case err == nil:
		// Once more: it may have been registered since it was looked for.
		r.lookup.turn.fence = l.Fence
		in = r.askStore(q)
		if _, none := in.(states.NotFound); !none {
			r.endTurn()
		}
		return in
	case errors.Is(err, storage.ErrHeld) && time.Now().Before(r.lookup.turn.until):
		r.questions = append([]states.Effect{q}, r.questions...)
		r.alarms.delay.set(lookAgain)
		r.alarms.pausing = time.Now().Add(lookAgain)
		return nil
	}
	return in // without the lease there is one registration too many at worst
}

func (r *run) leaseRegistration(k states.Key) (storage.Lease, error) {
	if done, err := storage.Queue(r.queueing, r.s.d.store, false); err == nil {
		defer done()
	}
	return r.s.d.store.Lease(r.storing.get(), k, registering)
}

// endTurn lets the next one look.
func (r *run) endTurn() {
	if r.lookup.turn == nil {
		return
	}
	if r.lookup.turn.fence != 0 {
		if err := r.s.d.store.Release(r.storing.get(), r.lookup.turn.key, r.lookup.turn.fence); err != nil {
			r.s.d.log.Warn("a lease could not be released; it runs out by itself", "err", err)
		}
	}
	r.s.d.registrations.leave(r.lookup.turn.key)
	r.lookup.turn = nil
}
