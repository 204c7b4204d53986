package httpdriver

import (
	"github.com/stile-oauth/stile/states"
	"github.com/stile-oauth/stile/transitions"
)

// finish publishes how the run ended and releases everything.
func (r *run) finish() {
	defer r.s.d.work.Done()
	r.leave()
	r.endWatch()
	r.endVisit()
	r.s.read.Store(r.s.read.Load() || r.m.State != states.Failed && r.slot.refused == nil)
	switch {
	case r.out.err != nil:
	case r.slot.refused != nil:
		r.out.token, r.out.fault = r.granted, r.slot.refused
	case r.m.State == states.Authorized:
		r.out.token, r.out.fault, r.out.requested = r.granted, r.fault, r.requested()
		if t := r.granted; r.shared.over && t.untried.Load() {
			t.login.Store(r)
			r.s.d.sessions.weigh(r.s)
		}
	case r.m.State == states.Anonymous:
		r.s.held.Store(nil)
		if r.lost {
			r.out.err = ErrNotRevoked
		}
	default:
		r.s.mu.Lock()
		r.out.err = r.shared.because
		r.s.mu.Unlock()
		if r.out.err == nil {
			r.out.fault = r.fault
		}
	}
	if f := r.out.fault; f != nil && f.Event == transitions.UserNeeded && r.link != nil {
		r.out.fault, r.out.err = nil, r.link
	}
	r.endTurn()
	if r.out.fault != nil {
		r.s.d.documents.forget(r.lookup.fetched)
	}
	if r.slot.taken {
		r.freeSlot()
	}
	if r.slot.endpoint != nil {
		r.slot.endpoint.leave()
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
	if r.listener != nil {
		closeListener(r.listener)
	}
	r.s.ended(r)
	r.drain() // what was queued before done was closed, and after the last look
}

// overdue sets the fault of a cancelled run whose machine did not come to rest in time. If the
// driver was closed, ErrClosed is reported instead.
func (r *run) overdue() {
	if r.fault == nil {
		r.fault = transitions.CancelledIn(r.m.State)
	}
}

// drain takes the messages that are no longer read. Who waits for an answer to one also
// watches visits.over or done.
func (r *run) drain() {
	for {
		select {
		case m := <-r.queue:
			if m.listener != nil {
				closeListener(m.listener)
			}
		default:
			return
		}
	}
}
