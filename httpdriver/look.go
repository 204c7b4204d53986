package httpdriver

import (
	"context"

	"github.com/stile-oauth/stile/fsm"
	"github.com/stile-oauth/stile/states"
	"github.com/stile-oauth/stile/states/wire"
	"github.com/stile-oauth/stile/storage"
)

// The first request of an account in this process reads the stored token, which can mostly
// be used as it is. A run would find that out, too, but it is made for all that may
// follow, and takes several times as long. So the request reads the entry itself, in its
// own goroutine, and gives it to a machine. If the machine rests with a token, nothing else
// is done. Otherwise a run begins, and starts from the entry that was read.

// looking is such a reading, under session.mu.
type looking struct {
	now   bool          // a request reads
	ended chan struct{} // closed at its end, if another request waits for it
}

// stored is what a request has read, for the run that starts from there.
type stored struct {
	entry   storage.Entry
	err     error
	checked *states.Config
	begun   uint64 // session.begun at that time: a run may have changed the entry since
}

// looks reports whether requests read the store themselves. A recording shows a whole run,
// and a run that uses bound tokens needs their key first.
func (d *Driver) looks() bool {
	return d.o.Trace == nil && d.o.Policy.Binding == states.NoBinding
}

// look reads the store for a request. If the token can be used, it is in session.held
// afterwards. Otherwise look gives what was read, or nil if there is a run that is to be
// waited for.
func (s *session) look(ctx context.Context) (*stored, error) {
	d := s.d
	known, err := d.known(s.account.Server)
	if err != nil {
		return nil, err
	}
	begun, ok, err := s.beginLook(ctx)
	if !ok {
		return nil, err
	}
	goesOn := false
	defer func() { // also if the host's store panics, so that nobody waits for ever
		if !goesOn {
			s.endLook()
		}
	}()
	c := d.spare.Get().(*states.Config)
	configure(c, known, s.account)
	e, entered, err := s.stored(ctx, c.CredentialKey())
	if entered {
		defer d.work.Done() // with the token at hand, so that Close can take it away
	}
	if err != nil && ctx.Err() != nil {
		// A run reads for other requests that wait or come later. Otherwise no request
		// that has less time than the store needs would ever get a token.
		s.begin(want{})
		return nil, ctx.Err()
	}
	if g, resource, ok := s.rests(c, e, err); ok && s.found(g, d.configs.reach(c, resource), begun) {
		if d.o.Observe == nil { // an observer may keep the machine, and the configuration with it
			d.spare.Put(c)
		}
		return nil, nil
	}
	goesOn = true // begin ends it
	return &stored{entry: e, err: err, checked: c, begun: begun}, nil
}

// beginLook reports whether the request may look. It may not if there is a run, or if
// another request has just found the token.
func (s *session) beginLook(ctx context.Context) (begun uint64, ok bool, err error) {
	for {
		s.mu.Lock()
		if len(s.runs) > 0 || s.read.Load() {
			s.mu.Unlock()
			return 0, false, nil
		}
		if !s.looking.now {
			s.looking.now, begun = true, s.begun
			s.mu.Unlock()
			return begun, true, nil
		}
		if s.looking.ended == nil {
			s.looking.ended = make(chan struct{})
		}
		ended := s.looking.ended
		s.mu.Unlock()
		select {
		case <-ended:
		case <-ctx.Done():
			return 0, false, ctx.Err()
		}
	}
}

// found takes the token, unless a run has begun in the meantime.
func (s *session) found(g states.Grant, within *wire.Reach, begun uint64) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.begun != begun {
		return false
	}
	s.grant(g, within)
	s.read.Store(true)
	s.cooling = cooling{}
	return true
}

// endLook lets other requests that wait for the look go on.
func (s *session) endLook() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.looked()
}

// looked is endLook under session.mu.
func (s *session) looked() {
	if s.looking.ended != nil {
		close(s.looking.ended)
	}
	s.looking = looking{}
}

// stored reads an entry. The context of the request ends the wait for a connection and the
// reading. entered says that it counts as work of the driver.
func (s *session) stored(ctx context.Context, key states.Key) (e storage.Entry, entered bool, err error) {
	done, err := storage.Queue(ctx, s.d.store, false)
	if err != nil {
		return e, false, err
	}
	defer done()
	if !s.d.sessions.enter(&s.d.work) {
		return e, false, ErrClosed
	}
	defer func() {
		if !entered { // the store has panicked
			s.d.work.Done()
		}
	}()
	ctx, cancel := context.WithTimeout(ctx, storeTime)
	defer cancel()
	e, err = s.d.store.Get(ctx, key)
	return e, true, err
}

// unused is the seed of a machine that draws nothing from it: whatever it does besides
// resting with a stored token is left to a run, which has a seed of its own.
const unused = wire.Secret("a machine that only looks at a token")

// rests reports whether a machine rests with a token when it has read the entry, and gives
// the token and what it is for. It is not part of look, because its frame is large.
//
//go:noinline
func (s *session) rests(c *states.Config, e storage.Entry, err error) (g states.Grant, resource string, ok bool) {
	d, at := s.d, s.d.now()
	idle := fsm.Machine{State: states.Idle, Data: states.Data{Config: c}}
	in := states.Input(states.Begun{Seed: unused})
	asked, fail := d.step(idle, at, in)
	if fail != nil {
		return g, "", false
	}
	q := asked.Effects[0].(states.Load) // what a machine asks for first
	answer := loaded(q.Serial, e, err)
	rested, fail := d.step(asked.Machine, at, answer)
	if fail != nil || rested.Machine.State != states.Authorized {
		return g, "", false
	}
	for _, eff := range rested.Effects {
		switch eff := eff.(type) {
		case states.Grant: // there is always one
			g = eff
		case states.Wake: // to renew the token: a request does that when it is due
		default:
			return g, "", false
		}
	}
	d.tell(s.account, at, &idle, in, &asked)
	d.tell(s.account, at, &asked.Machine, answer, &rested)
	return g, rested.Machine.Data.Token().Resource, true
}
