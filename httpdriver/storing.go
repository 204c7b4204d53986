package httpdriver

import (
	"context"
	"errors"
	"math/rand/v2"
	"time"
	"unsafe"

	"github.com/stile-oauth/stile/states"
	"github.com/stile-oauth/stile/states/wire"
	"github.com/stile-oauth/stile/storage"
)

// combined lets a run ask the store in fewer round trips than the machine has questions:
// the run reads the entry together with the lease, releases the lease when it saves the
// refreshed token, and waits for another process's refresh with a watch. Only the loop
// uses it.
type combined struct {
	held     bool                 // somebody held the lease when the credential was read
	read     *storage.LeasedEntry // with the lease, and not asked for yet
	released uint64               // the fence of the lease that was released with a Save

	changed  <-chan struct{} // of the credential that another process refreshes
	unwatch  func()
	earliest time.Time // when the machine wants to look again, at the earliest
}

// askStore asks the store a question. It first waits for a connection, for as long as
// that takes; the time limit is for the question alone.
func (r *run) askStore(q states.Effect) states.Input {
	d := r.s.d
	if q, ok := q.(states.Load); ok && r.m.State == states.Reloading && r.combined.read != nil {
		read := r.combined.read
		r.combined.read = nil
		return loaded(q.Serial, read.Entry, read.EntryErr)
	}
	if q, ok := q.(states.Lease); ok && r.combined.held {
		r.combined.held = false
		return states.Held{Serial: q.Serial}
	}
	done, err := storage.Queue(r.queueing, d.store, states.HoldsLease(r.m.State))
	if err == nil {
		defer done()
	} // else the run was cancelled: what it holds is saved nevertheless
	ctx := r.storing.get()
	switch q := q.(type) {
	case states.Load:
		if r.m.State != states.Loading || r.held == 0 {
			break
		}
		// The held token was refused or has expired. If another process refreshes it now,
		// there is no need to ask for the lease.
		r.watch(q.Key)
		e, held, err := storage.GetHeld(ctx, d.store, q.Key)
		r.combined.held = held
		return loaded(q.Serial, e, err)
	case states.Lease:
		r.watch(q.Key)
		r.slot.askedAt = d.now() // not while a connection was waited for
		l, err := storage.LeaseAndGet(ctx, d.store, q.Key, q.TTL)
		if err != nil {
			return storeAnswer(q.Serial, err)
		}
		r.combined.read = &l
		return states.Leased{Serial: q.Serial, Fence: l.Lease.Fence, TTL: l.Lease.TTL}
	case states.Save:
		if _, ok := d.store.(storage.PutReleaser); !ok || r.m.State != states.Rotating {
			break
		}
		fence := r.m.Data.Lease.Fence
		g, err := storage.PutAndRelease(ctx, d.store, q.Key, []byte(q.Value.Reveal()), q.Expected, q.Expires, fence)
		if err != nil {
			return storeAnswer(q.Serial, err)
		}
		r.combined.released = fence
		return states.Saved{Serial: q.Serial, Generation: g}
	default: // the others need nothing here
	}
	return d.askStore(ctx, q)
}

// release ends a lease, unless a Save has already done that.
func (r *run) release(e states.Release) {
	r.combined.read = nil
	if e.Fence == r.combined.released {
		return
	}
	d := r.s.d
	if done, err := storage.Queue(r.queueing, d.store, true); err == nil {
		defer done()
	}
	if err := d.store.Release(r.storing.get(), e.Key, e.Fence); err != nil {
		d.log.Warn("a lease could not be released; it runs out by itself", "err", err)
	}
}

// watch begins to watch the credential before its lease is asked for, so that no
// change is missed.
func (r *run) watch(key states.Key) {
	if r.combined.unwatch == nil {
		r.combined.changed, r.combined.unwatch = storage.Watch(r.s.d.store, key)
	}
}

func (r *run) endWatch() {
	if r.combined.unwatch != nil {
		r.combined.unwatch()
		r.combined.changed, r.combined.unwatch = nil, nil
	}
}

// unwatched is how long a run that watches waits, plus up to a quarter, before it looks
// without a notification. A change may be missed, and there is no notification when a
// lease expires.
const unwatched = 2 * time.Second

// patience gives how long to wait if the machine wants to look again after wait: longer
// if the store notifies of changes, which is watched for another process's refresh alone.
func (r *run) patience(wait time.Duration) time.Duration {
	if r.combined.changed == nil {
		return wait
	}
	r.combined.earliest = time.Now().Add(wait)
	return max(wait, unwatched+rand.N(unwatched/4))
}

// noticed lets the machine look as soon as it wants to, because there was a change. If it
// does not wait for one, the alarm tells it nothing.
func (r *run) noticed() { r.alarms.wake.set(max(0, time.Until(r.combined.earliest))) }

// askStore asks the store a question without combining it with another.
func (d *Driver) askStore(ctx context.Context, eff states.Effect) states.Input {
	switch eff := eff.(type) {
	case states.Load:
		e, err := d.store.Get(ctx, eff.Key)
		return loaded(eff.Serial, e, err)
	case states.Save:
		g, err := d.store.Put(ctx, eff.Key, []byte(eff.Value.Reveal()), eff.Expected, eff.Expires)
		if err != nil {
			return storeAnswer(eff.Serial, err)
		}
		return states.Saved{Serial: eff.Serial, Generation: g}
	case states.Delete:
		if err := d.store.Delete(ctx, eff.Key, eff.Expected); err != nil {
			return storeAnswer(eff.Serial, err)
		}
		return states.Deleted{Serial: eff.Serial}
	case states.Claim:
		if err := d.store.Delete(ctx, eff.Key, eff.Expected); err != nil {
			return storeAnswer(eff.Serial, err)
		}
		return states.Claimed{Serial: eff.Serial}
	default: // the others need nothing here
	}
	return nil
}

// loaded is the answer to a Load.
func loaded(serial uint64, e storage.Entry, err error) states.Input {
	if err != nil {
		return storeAnswer(serial, err)
	}
	// The value is the caller's own copy, and nobody changes it: as a string, it need not be
	// copied again.
	value := unsafe.String(unsafe.SliceData(e.Value), len(e.Value))
	return states.Loaded{Serial: serial, Value: wire.Secret(value), Generation: e.Generation}
}

// storeAnswer distinguishes a store's answers from its failures.
func storeAnswer(serial uint64, err error) states.Input {
	switch {
	case errors.Is(err, storage.ErrNotFound):
		return states.NotFound{Serial: serial}
	case errors.Is(err, storage.ErrConflict):
		return states.Conflicted{Serial: serial}
	case errors.Is(err, storage.ErrHeld):
		return states.Held{Serial: serial}
	}
	var entry *storage.UnreadableError
	return states.StoreFailed{Serial: serial, Detail: err.Error(), Entry: errors.As(err, &entry)}
}

// storeTime bounds a question to the store, which gets at least half of it.
const storeTime = 15 * time.Second

// storeContext is for questions to the store. Those that follow each other closely,
// as most do, share one time limit. A cancelled run still saves what it holds.
type storeContext struct {
	ctx    context.Context
	cancel context.CancelFunc
}

func (c *storeContext) get() context.Context {
	if c.ctx != nil {
		if until, _ := c.ctx.Deadline(); time.Until(until) > storeTime/2 {
			return c.ctx
		}
		c.cancel()
	}
	c.ctx, c.cancel = context.WithTimeout(context.Background(), storeTime)
	return c.ctx
}

func (c *storeContext) end() {
	if c.cancel != nil {
		c.cancel()
	}
	*c = storeContext{}
}
